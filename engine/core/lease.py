"""What the object of a lease says: who works on a lane, since which epoch, and when another run may take it.

There is one such object a lane, and it is never deleted. Every write of it names the version that it replaces, and
holds a number of its own: a store that names a version by a hash of the bytes cannot tell two equal writes apart.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from engine.core.limits import LEASE_GRACE_SECONDS, LEASE_RECORD_MAX_BYTES, LEASE_TTL_MAX_SECONDS
from engine.core.text import clean

FORMAT: Final = 1


class LeaseUnreadableError(ValueError):
    """An object in the place of a lease that is none, or one of a newer appfleet. Its text says why."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """One version of a lease. `epoch` counts its holders from 1, `count` the writes of this one.

    `holder` is for the reader of a message alone; `nonce` tells one run from every other. A holder that was silent for
    `ttl_s` seconds makes no more calls.
    """

    epoch: int
    holder: str
    nonce: str
    count: int
    is_held: bool
    ttl_s: float

    def to_bytes(self) -> bytes:
        """Return the object's bytes."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True).encode()

    def may_be_taken_in_s(self, age_s: float) -> float:
        """Return in how many seconds another run may take the lease, `age_s` seconds after this version was written.

        The age is by the store's clock alone. A holder's last call may have been sent at the very end of its time, and
        is over after the grace.
        """
        return max(0.0, self.ttl_s + LEASE_GRACE_SECONDS - age_s) if self.is_held else 0.0


def parse_lease(data: bytes) -> LeaseRecord:
    """Read what `LeaseRecord.to_bytes` wrote; raises LeaseUnreadableError for anything else."""
    if len(data) > LEASE_RECORD_MAX_BYTES:
        raise LeaseUnreadableError(f"it is larger than {LEASE_RECORD_MAX_BYTES:,} bytes")
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise LeaseUnreadableError("it is not JSON") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise LeaseUnreadableError(f"it is not a lease of format {FORMAT}, which is all that this version reads")
    return LeaseRecord(
        epoch=_count(found, "epoch"),
        holder=clean(_text(found, "holder")),
        nonce=_text(found, "nonce"),
        count=_count(found, "count"),
        is_held=_flag(found, "is_held"),
        ttl_s=_length(found, "ttl_s"),
    )


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise LeaseUnreadableError(f"{name} is not a text")
    return value


def _flag(found: dict[str, Any], name: str) -> bool:
    value = found.get(name)
    if not isinstance(value, bool):
        raise LeaseUnreadableError(f"{name} is neither true nor false")
    return value


def _count(found: dict[str, Any], name: str) -> int:
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise LeaseUnreadableError(f"{name} is not a whole number from 1")
    return value


def _length(found: dict[str, Any], name: str) -> float:
    """Return a number of seconds that a run can wait out: a lease of a thousand years would never be free."""
    value = found.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LEASE_TTL_MAX_SECONDS:
        raise LeaseUnreadableError(f"{name} is not a number of seconds up to {LEASE_TTL_MAX_SECONDS:,.0f}")
    return float(value)
