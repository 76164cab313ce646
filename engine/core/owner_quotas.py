"""Whether the user profiles and spaces that a plan makes fit the account's quotas of them.

Pure. These quotas count for a whole account and region; the API reports no limit of a single domain. Not here: the
quotas of apps (`quota_fit`), or asking (`app.quotas`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.core.change import Action
from engine.core.identity import SPACE, USER, Lane, OwnerKind
from engine.core.plan import Plan, QuotaLine
from engine.core.quota_fit import QuotaValue, fits_in

OWNER_QUOTAS: Final[Mapping[OwnerKind, str]] = {
    USER: "Maximum number of Studio user profiles allowed per account",
    SPACE: "Maximum number of Studio spaces allowed per account",
}
_WORDS: Final[Mapping[OwnerKind, str]] = {USER: "user profiles", SPACE: "spaces"}


@dataclass(frozen=True, slots=True)
class OwnerRoom:
    """The quotas of profiles and spaces in a lane, and how many the whole account has there, by kind.

    A kind that is missing is unknown, and `unread_because` is why.
    """

    values: Mapping[OwnerKind, QuotaValue] = field(default_factory=dict)
    used: Mapping[OwnerKind, int] = field(default_factory=dict)
    unread_because: str = ""


def wanted_owners(plan: Plan, lanes: Mapping[str, Lane]) -> Counter[tuple[Lane, OwnerKind]]:
    """Count the profiles and spaces that the plan makes, by lane and kind."""
    return Counter(
        (lanes[change.owner.domain], change.owner.kind)
        for change in plan.owners
        if change.action is Action.CREATE and change.owner.domain in lanes
    )


def owner_lines(plan: Plan, lanes: Mapping[str, Lane], known: Mapping[Lane, OwnerRoom]) -> tuple[QuotaLine, ...]:
    """Return a line for each lane and kind in which the plan makes something.

    What is being deleted, and is made again then, leaves its own place first.
    """
    freed = Counter(
        (lanes[change.owner.domain], change.owner.kind)
        for change in plan.owners
        if change.action is Action.CREATE and change.before is not None and change.owner.domain in lanes
    )
    lines = []
    for (lane, kind), wanted in sorted(wanted_owners(plan, lanes).items()):
        room = known.get(lane, OwnerRoom())
        found, used = room.values.get(kind), room.used.get(kind)
        value = None if found is None else found.value
        needed = (used or 0) - freed[lane, kind] + wanted
        fits = fits_in(value, needed, sees_all=used is not None)
        code = "" if found is None else found.code
        lines.append(QuotaLine(f"{lane}/{_WORDS[kind]}", OWNER_QUOTAS[kind], value, used, wanted, fits, code))
    return tuple(lines)
