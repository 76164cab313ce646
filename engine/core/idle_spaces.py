"""Spaces in which no app runs: for how long at most, how large their volumes are, and what these cost.

Pure. The service forgets an app a day after it ends, so nobody can tell when a space was last used. What is left are
signs of use: the newest one says since when, at the earliest, there was no app. Not here: listing spaces
(`executor.owner_scan`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from engine.core.cost import usd
from engine.core.identity import Owner
from engine.core.observed import ObservedApp, ObservedOwner

_DAY_SECONDS: Final = 86_400.0


class Sign(StrEnum):
    """The last sign that a space was used."""

    MADE = "made"
    CHANGED = "changed"
    RUN = "run"  # a run of this fleet had to do with an app in it
    ENDED = "ended"  # the listing still shows an app that ended, which it does for a day


class SeenInRun(NamedTuple):
    """The last run that had to do with an app, and when, in epoch seconds."""

    run_id: str
    at: float


@dataclass(frozen=True, slots=True)
class IdleSpace:
    """One space without an app. `since` is the time of its last sign of use in epoch seconds, `days` that in days.

    `gb` is 0 where the service reports no volume, `monthly_usd` None where that or the price is not known. `run_id` is
    that of the last sign, where it is a run.
    """

    space: Owner
    user: str
    sharing: str
    app_type: str
    status: str
    gb: int
    days: int
    since: float
    sign: Sign
    run_id: str = ""
    monthly_usd: float | None = None
    declared: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `idle_spaces.spaces`."""
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {
            "space": str(self.space),
            "domain": self.space.domain,
            "name": self.space.name,
            "owner": self.user,
            "sharing": self.sharing,
            "app_type": self.app_type,
            "status": self.status,
            "declared": self.declared,
            "gb": self.gb or None,
            "monthly_usd": self.monthly_usd,
            "days_at_most": self.days,
            "last_sign": self.sign.value,
            "last_sign_at": since,
            "run_id": self.run_id,
        }


@dataclass(frozen=True, slots=True)
class IdleSpaces:
    """The spaces without an app for `idle_days` or more, what was kept longest and is largest first."""

    idle_days: int
    rows: tuple[IdleSpace, ...]

    @property
    def gb(self) -> int:
        """The size of all volumes."""
        return sum(row.gb for row in self.rows)

    @property
    def monthly_usd(self) -> float | None:
        """What the volumes that have a price cost a month; None where none has one."""
        priced = [row.monthly_usd for row in self.rows if row.monthly_usd is not None]
        return usd(sum(priced)) if priced else None

    @property
    def unpriced(self) -> int:
        """How many spaces have a volume and no price."""
        return sum(row.gb > 0 and row.monthly_usd is None for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return `idle_spaces` of `status --format json`."""
        return {
            "idle_days": self.idle_days,
            "spaces": [row.to_json() for row in self.rows],
            "gb": self.gb,
            "monthly_usd": self.monthly_usd,
            "unpriced": self.unpriced,
        }


@dataclass(frozen=True, slots=True)
class SpaceFacts:
    """What is known besides the listings. `now` is epoch seconds.

    `seen` is the journal's, by space. `prices` are USD for a GB and a month, by the fleet's name of a domain, and
    `declared` the spaces that the fleet declares.
    """

    now: float
    seen: Mapping[Owner, SeenInRun] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    declared: frozenset[Owner] = frozenset()


def idle_spaces(
    spaces: Iterable[ObservedOwner], apps: Iterable[ObservedApp], facts: SpaceFacts, idle_days: int
) -> IdleSpaces:
    """Return the spaces in which nothing of `apps`, all rows of their domains, is alive, for `idle_days` or more."""
    alive: set[Owner] = set()
    ended: dict[Owner, float] = {}
    for row in apps:
        owner = row.key.owner_key
        if row.status.is_alive:
            alive.add(owner)
        else:
            ended[owner] = max(row.created_at, ended.get(owner, row.created_at))
    rows = [
        _idle_space(space, ended.get(space.owner), facts)
        for space in spaces
        if space.owner not in alive and not space.is_deleting
    ]
    kept = [row for row in rows if row.days >= idle_days]
    return IdleSpaces(idle_days, tuple(sorted(kept, key=lambda row: (-row.gb * row.days, -row.gb, row.space))))


def _idle_space(space: ObservedOwner, ended: float | None, facts: SpaceFacts) -> IdleSpace:
    since, sign, run_id = _last_sign(space, ended, facts)
    price = facts.prices.get(space.owner.domain)
    return IdleSpace(
        space.owner,
        space.owner_user,
        space.sharing,
        space.app_type,
        space.status,
        space.ebs_gb,
        int(max(0.0, facts.now - since) // _DAY_SECONDS),
        since,
        sign,
        run_id,
        usd(space.ebs_gb * price) if price is not None and space.ebs_gb else None,
        space.owner in facts.declared,
    )


def _last_sign(space: ObservedOwner, ended: float | None, facts: SpaceFacts) -> tuple[float, Sign, str]:
    """Return the newest sign of use: when it was, what it is, and which run saw it."""
    changed = space.modified_at - space.created_at >= _DAY_SECONDS  # what is made is changed a moment later
    signs = [(max(space.created_at, space.modified_at), Sign.CHANGED if changed else Sign.MADE, "")]
    if (seen := facts.seen.get(space.owner)) is not None:
        signs.append((seen.at, Sign.RUN, seen.run_id))
    if ended is not None:  # it is forgotten a day after its end, so it ended within the last one
        signs.append((max(ended, facts.now - _DAY_SECONDS), Sign.ENDED, ""))
    return max(signs, key=lambda sign: sign[0])
