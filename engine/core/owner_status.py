"""How the declared user profiles and spaces are: one row each, for `status --owners` and `explain`.

Pure. A row is read off a plan that compared the owner; nobody acts upon it. Not here: what is done about it (`owners`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from engine.core.change import Action, OwnerChange
from engine.core.desired import DesiredOwner
from engine.core.facts import Unknown
from engine.core.identity import Owner, owner_word
from engine.core.observed import ObservedOwner, Ownership
from engine.core.owner_reading import way_to_read
from engine.core.owner_settings import Difference, needs_describing
from engine.core.owners import NO_CALL, is_anothers, not_ours, not_the_declared, owner_order
from engine.core.plan import Plan

_BY_HAND: Final = "set [owners] update = true in a policy, or change the settings by hand"
_BY_APPLY: Final = "run appfleet apply --owners to update"
_CREATE: Final = "a run creates each before its first app"
_CREATE_BY_HAND: Final = "create by hand, or set [owners] create = true in a policy"
_CONSOLE: Final = "look at it in the console; appfleet never replaces a user profile or space"
_LATER: Final = "SageMaker is still working; look again later"


class OwnerCondition(StrEnum):
    """How a user profile or space is, in one word, the worst first."""

    UNKNOWN = "unknown"  # it could not be read
    FAILED = "failed"  # Failed, Update_Failed or Delete_Failed
    ANOTHERS = "anothers"  # another user's, or another fleet's
    OTHER_TYPE = "other_type"  # a space for another app type
    MISSING = "missing"
    DIFFERS = "differs"
    CHANGING = "changing"  # SageMaker is creating, updating or deleting it
    AS_DECLARED = "as_declared"


@dataclass(frozen=True, slots=True)
class OwnerLine:
    """One declared owner. `status` is the service's own word, empty where it is missing or unknown.

    `action` is what the plan does about it, `why` what stands behind the condition, and `hint` what to do.
    """

    owner: Owner
    condition: OwnerCondition
    status: str = ""
    action: Action = Action.NONE
    differs: tuple[Difference, ...] = ()
    why: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `owners.rows` in `status --format json`, and `owner` of `explain`."""
        return {
            "key": str(self.owner),
            "domain": self.owner.domain,
            "kind": self.owner.kind,
            "name": self.owner.name,
            "condition": self.condition.value,
            "status": self.status or None,
            "action": self.action.value,
            "differs": [one.to_json() for one in self.differs],
            "why": self.why,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class OwnersView:
    """Every declared owner that was looked at: by domain, profiles before spaces, by name."""

    rows: tuple[OwnerLine, ...]

    @property
    def summary(self) -> dict[OwnerCondition, int]:
        """Count the conditions that there are, the good one first."""
        counts = Counter(row.condition for row in self.rows)
        return {one: counts[one] for one in reversed(OwnerCondition) if counts[one]}

    @property
    def amiss(self) -> int:
        """How many are not as declared."""
        return sum(row.condition is not OwnerCondition.AS_DECLARED for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return `owners` of `status --format json`."""
        return {
            "summary": {condition.value: count for condition, count in self.summary.items()},
            "rows": [row.to_json() for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a policy lets appfleet do about owners."""

    create: bool = False
    update: bool = False


def status_lines(
    declared: Iterable[DesiredOwner],
    seen: Mapping[Owner, ObservedOwner | Unknown | None],
    plan: Plan,
    keeping: Keeping,
) -> tuple[OwnerLine, ...]:
    """Return a row for each of the `declared` owners; one that is not in `seen` was not looked at."""
    changes = {change.owner: change for change in plan.owners}
    for change in plan.owner_drift:  # of a space whose default follows its app, the rest is drift
        also = changes[change.owner].differs if change.owner in changes else ()
        changes[change.owner] = replace(change, differs=(*also, *change.differs))
    rows = [
        _row(one, seen.get(one.owner, Unknown("it was not looked at")), changes.get(one.owner), keeping)
        for one in declared
    ]
    return tuple(sorted(rows, key=owner_order))


def _row(
    declared: DesiredOwner, row: ObservedOwner | Unknown | None, change: OwnerChange | None, keeping: Keeping
) -> OwnerLine:
    owner = declared.owner
    action = Action.NONE if change is None else change.action
    if isinstance(row, Unknown):
        return OwnerLine(owner, OwnerCondition.UNKNOWN, why=row.why, hint=_small(way_to_read(owner.kind)))
    if row is None:
        hint = _CREATE if keeping.create else _CREATE_BY_HAND
        return OwnerLine(owner, OwnerCondition.MISSING, action=action, hint=hint)
    differs = () if change is None else change.differs
    condition, why, hint = _judged(declared, row, differs)
    if condition in (OwnerCondition.DIFFERS, OwnerCondition.FAILED) and differs:
        held, hint = _about(row, differs, action, keeping)
        why = why or held
    return OwnerLine(owner, condition, row.status, action, differs, why, hint)


def _judged(
    declared: DesiredOwner, row: ObservedOwner, differs: tuple[Difference, ...]
) -> tuple[OwnerCondition, str, str]:
    """Return the condition of an owner that exists, why, and what to do."""
    if row.is_passing or row.is_deleting:
        return OwnerCondition.CHANGING, "", _LATER
    if row.is_unwell:
        return OwnerCondition.FAILED, row.failure_reason, _CONSOLE
    if (other := not_the_declared(declared, row)) is not None:
        condition = OwnerCondition.ANOTHERS if is_anothers(declared, row) else OwnerCondition.OTHER_TYPE
        return condition, other[0].removeprefix(f"{owner_word(declared.owner)} "), _small(other[1])
    if differs:
        whose = OwnerCondition.ANOTHERS if row.ownership is Ownership.FOREIGN else OwnerCondition.DIFFERS
        return (whose, *_held(row)) if whose is OwnerCondition.ANOTHERS else (whose, "", "")
    if row.settings is None and needs_describing(declared):
        return OwnerCondition.UNKNOWN, row.unread_because, _small(way_to_read(row.owner.kind))
    return OwnerCondition.AS_DECLARED, "", ""


def _about(row: ObservedOwner, differs: tuple[Difference, ...], action: Action, keeping: Keeping) -> tuple[str, str]:
    """Return what keeps a difference from being updated, and what to do about it."""
    if action is Action.UPDATE:
        return "", _BY_APPLY
    if not any(one.can_be_updated for one in differs):
        return "", f"no API call changes this: {_small(NO_CALL[row.owner.kind])}"
    return _held(row) if keeping.update else ("", _BY_HAND)


def _held(row: ObservedOwner) -> tuple[str, str]:
    why, way_out = not_ours(row)
    return why.removeprefix(f"{owner_word(row.owner)} is "), _small(way_out)


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]
