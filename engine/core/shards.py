"""Shards: the lanes of a fleet divided among processes that know nothing of each other.

Each works out the same division from the same files. Shards count from 0, as the indexes of Kubernetes Indexed Jobs,
AWS Batch arrays and GitHub matrices do. Not here: which domains a lane has (`config`), or what a shard may not judge
alone (`policy`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import Final

from engine.core.errors import UsageError
from engine.core.identity import Lane
from engine.core.limits import KEY_SHOWN_MAX_CHARS, SHARDS_MAX_COUNT
from engine.core.text import clean

_FORM: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_ARN_PARTS: Final = 6
_HINT: Final = "Write --shard I/N, with I from 0 to N-1, such as --shard $JOB_COMPLETION_INDEX/16"


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One of `count` shards; `index` counts from 0."""

    index: int
    count: int

    def __str__(self) -> str:
        """Return the written form, `3/16`."""
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Read `I/N`. Raises UsageError for what is not that, and for an index that no shard has."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(f'--shard: "{clean(text, KEY_SHOWN_MAX_CHARS)}" is not I/N', hint=_HINT)
    index, count = int(found[1]), int(found[2])
    if not 0 < count <= SHARDS_MAX_COUNT:
        raise UsageError(f"--shard {text}: the number of shards must be 1 to {SHARDS_MAX_COUNT:,}", hint=_HINT)
    if index >= count:
        last = Shard(count - 1, count)
        hint = f"Shards count from 0, so the last one is {last}: use --shard {last}"
        if index > count:
            hint = f"Shards count from 0: use 0/{count} to {last}"
        raise UsageError(f"--shard {text}: there is no shard {index} of {count}", hint=hint)
    return Shard(index, count)


def account_named(account: str | None, role_arn: str | None) -> str:
    """Return the account that a domain names, itself or by its role; empty for none."""
    parts = (role_arn or "").split(":", 5)
    return account or (parts[4] if len(parts) == _ARN_PARTS else "")


def divided(sizes: Mapping[Lane, int], count: int) -> tuple[frozenset[Lane], ...]:
    """Divide lanes by their numbers of apps among `count` shards: the largest first, each to the smallest shard.

    Each lane is in exactly one. Ties go by name and by index, so the order of `sizes` does not matter.
    """
    shards: list[set[Lane]] = [set() for _ in range(count)]
    loads = [(0, index) for index in range(count)]
    heapify(loads)
    for lane in sorted(sizes, key=lambda lane: (-sizes[lane], lane)):
        load, index = loads[0]
        shards[index].add(lane)
        heapreplace(loads, (load + max(sizes[lane], 1), index))  # an empty lane costs its listing
    return tuple(map(frozenset, shards))


def fleet_fingerprint(lanes: Mapping[str, str]) -> str:
    """Return the fingerprint of a fleet from those of its lanes by name, whichever shards they were planned in."""
    from hashlib import sha256  # noqa: PLC0415 - every command reads this module, and few ask for this

    digest = sha256()
    for lane, fingerprint in sorted(lanes.items()):
        digest.update(f"{lane} {fingerprint}\n".encode())
    return f"sha256:{digest.hexdigest()}"
