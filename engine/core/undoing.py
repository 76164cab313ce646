"""Taking a run back: which of the profiles and spaces that it made may go, and which of its updates are put back.

An owner goes only when it is the very generation that the run made, and when it may go as in `offboarding`. A field is
put back only where it still has the value that the run set. Not here: what the journal keeps (`ports.history`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner, Source
from engine.core.facts import Facts, Unknown
from engine.core.finding import OFFBOARD, RESTORE, SKIP, UNDO, Finding
from engine.core.identity import Owner, folded_owner, owner_word
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS
from engine.core.observed import ObservedOwner, Ownership
from engine.core.offboarding import with_owner_deletes
from engine.core.owner_settings import (
    EBS_GB,
    STATUS,
    Difference,
    contains,
    laid_over,
    nested,
    path_of,
    unsetting,
    value_at,
)
from engine.core.owners import owner_order
from engine.core.ownership import MANAGED_TAG, Whose, why_not_ours
from engine.core.plan import Plan
from engine.core.text import clean

_UNSET: Final[tuple[Any, ...]] = (None, [])
_NO_DOMAIN: Final = "its domain is no longer in the fleet"


@dataclass(frozen=True, slots=True)
class Span:
    """When a run may have made something, in epoch seconds of the run's clock."""

    since: float
    until: float

    def may_hold(self, created_at: float) -> bool:
        """Whether what has this CreationTime may be what the run made; two clocks differ."""
        return self.since - CLOCK_SKEW_MAX_SECONDS <= created_at <= self.until + CLOCK_SKEW_MAX_SECONDS


@dataclass(frozen=True, slots=True)
class Updated:
    """The fields that a run updated, as a `Difference` names them: what they were, and what the run set.

    `after` is empty where the journal does not say it.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunOwners:
    """What a run did to profiles and spaces: when it made which, and what it updated.

    `again` names, folded, those that a later run made or deleted. The run's last sign of life is at `until`.
    """

    run_id: str
    until: float
    made: Mapping[Owner, Span]
    again: frozenset[Owner] = frozenset()
    updated: Mapping[Owner, Updated] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """What declares the state before the run."""
        return Source(f"run {self.run_id}", 0)


def with_owners_undone(plan: Plan, done: RunOwners, facts: Facts) -> Plan:
    """Return `plan` with the deletes of owners that the run made and that may go, and with its updates put back.

    A finding names each that stays as it is.
    """
    return _with_updates_put_back(_with_made_deleted(plan, done, facts), done, facts)


def _with_made_deleted(plan: Plan, done: RunOwners, facts: Facts) -> Plan:
    seen = {owner: row for domain in facts.residents.values() for owner, row in domain.items()}
    going: list[DesiredOwner] = []
    findings: list[Finding] = []
    for owner, span in done.made.items():
        row = seen.get(folded_owner(owner))
        is_other = folded_owner(owner) in done.again or (row is not None and not span.may_hold(row.created_at))
        if owner.domain not in facts.residents:
            message = f"{owner_word(owner)} is not deleted: {_NO_DOMAIN}"
            findings.append(Finding(OFFBOARD, SKIP, str(owner), clean(message)))
        elif row is not None and not row.is_deleting and is_other:
            message = f"{owner_word(owner)} is not deleted: the one there was not made by run {done.run_id}"
            findings.append(Finding(UNDO, SKIP, str(owner), clean(message)))
        else:
            going.append(DesiredOwner(owner, done.source))
    plan = with_owner_deletes(plan, going, seen, facts.observed, OwnerReason.UNDONE)
    return replace(plan, findings=tuple(sorted({*plan.findings, *findings})))


def _with_updates_put_back(plan: Plan, done: RunOwners, facts: Facts) -> Plan:
    deleted = {folded_owner(change.owner) for change in plan.owners}
    changes: list[OwnerChange] = []
    findings: list[Finding] = []
    for owner, updated in done.updated.items():
        row = facts.owners.get(owner, Unknown(_NO_DOMAIN))
        if row is None or folded_owner(owner) in deleted:
            continue
        if isinstance(row, Unknown):
            findings.append(_kept(owner, row.why))
        elif row.is_deleting:
            continue
        elif folded_owner(owner) in done.again or row.created_at > done.until + CLOCK_SKEW_MAX_SECONDS:
            findings.append(_left(owner, f"it was made again after run {done.run_id}"))
        elif row.ownership is not Ownership.OURS:
            whose = Whose(row.ownership, row.managed_by)
            findings.append(_kept(owner, why_not_ours(MANAGED_TAG, whose, row.unread_because)))
        else:
            change, left = _put_back(updated, row, done)
            findings += (_left(owner, why) for why in left)
            changes += [] if change is None else [change]
    return replace(
        plan,
        owners=tuple(sorted((*plan.owners, *changes), key=owner_order)),
        findings=tuple(sorted({*plan.findings, *findings})),
    )


def _kept(owner: Owner, why: str) -> Finding:
    """Return what says that an update is not put back, and that the run is not done with that."""
    return Finding(RESTORE, SKIP, str(owner), clean(f"not put back: {why}"))


def _left(owner: Owner, why: str) -> Finding:
    """Return what says that an update is not put back, since it is not the run's any more or no call does it."""
    return Finding(UNDO, SKIP, str(owner), clean(f"not put back: {why}"))


def _put_back(updated: Updated, row: ObservedOwner, done: RunOwners) -> tuple[OwnerChange | None, list[str]]:
    """Return the update that puts fields back, None for none of them, and of every other field why it stays."""
    differs: list[Difference] = []
    settings: dict[str, Any] = {}
    left: list[str] = []
    for name, before in sorted(updated.before.items()):
        if name == STATUS:
            continue  # it was no setting: the update before had failed
        path = path_of(name, row.app_type)
        if path is None:
            left.append(f"appfleet does not know where {name} is set")
            continue
        now = value_at(row.settings or {}, path)
        if now == before or (now in _UNSET and before in _UNSET):
            continue
        value = unsetting(path, now) if before is None else before
        if why := _why_not(name, updated, now, value):
            left.append(f"{name} is {_shown(now)} and was {_shown(before)}: {why}")
        else:
            differs.append(Difference(name, value, now))
            settings = laid_over(settings, nested(path, value))
    if not differs:
        return None, left
    after = DesiredOwner(row.owner, done.source, settings=settings, owner_user=row.owner_user or None)
    return OwnerChange(row.owner, Action.UPDATE, OwnerReason.UNDONE, row, after, differs=tuple(differs)), left


def _why_not(name: str, updated: Updated, now: Any, value: Any) -> str:
    """Return why a field keeps the value that it has `now`; empty where `value` may be put back."""
    if name not in updated.after:
        return "the journal does not say what the run set"
    if not contains(now, updated.after[name]):
        return f"it was changed since the run, which set {_shown(updated.after[name])}"
    if name == EBS_GB:
        return "a volume never shrinks"
    if value is None:
        return "no call can unset it"
    return "what is set now contains all of that" if contains(now, value) else ""


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)
