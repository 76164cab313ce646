"""Letting a team go: which of its spaces and user profiles a plan may delete, and which it must leave.

An owner goes only when this fleet made it, when nothing that stays lives in it, and when it is the one that was seen.
Not here: which owners nobody declares any more (`app.teams.overlay`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.finding import OFFBOARD, SKIP, Finding
from engine.core.identity import SPACE, USER, Owner, folded_owner, owner_word
from engine.core.observed import AppStatus, ObservedFleet, ObservedOwner, Ownership
from engine.core.owners import owner_order
from engine.core.ownership import MANAGED_TAG, Whose, why_not_ours
from engine.core.plan import Plan
from engine.core.text import clean


def with_owner_deletes(
    plan: Plan,
    gone: Iterable[DesiredOwner],
    seen: Mapping[Owner, ObservedOwner],
    observed: ObservedFleet,
    reason: OwnerReason = OwnerReason.OFFBOARDED,
) -> Plan:
    """Return `plan` with the deletes of those of `gone` that may go, and a finding for each that may not.

    `seen` holds every owner of their domains by its folded name, with its ownership where that was read.
    """
    deleted = {change.key for change in plan.changes if change.action is Action.DELETE}
    inhabited = {
        folded_owner(row.key.owner_key)
        for domain in observed.domains.values()
        for row in domain.apps.values()
        if row.status.is_alive and row.status is not AppStatus.DELETING and row.key not in deleted
    }
    changes: dict[Owner, OwnerChange] = {}
    findings: list[Finding] = []
    wanted = sorted(gone, key=lambda one: (one.owner.domain, one.owner.kind == USER, one.owner.name))
    for declared in wanted:  # spaces first: a profile goes when all of its spaces do
        owner = folded_owner(declared.owner)
        row = seen.get(owner)
        if row is None or row.is_deleting:
            continue
        listed = observed.domains.get(owner.domain)
        if listed is not None and listed.error is not None:
            why = "the apps of its domain could not be listed. Run again"
        else:
            why = _why_not(row, owner, inhabited, seen, changes)
        if why:
            message = clean(f"{owner_word(declared.owner)} is not deleted: {why}")
            findings.append(Finding(OFFBOARD, SKIP, str(declared.owner), message))
        else:
            changes[owner] = OwnerChange(row.owner, Action.DELETE, reason, row)
    return replace(
        plan,
        owners=tuple(sorted(changes.values(), key=owner_order)),
        findings=tuple(sorted({*plan.findings, *findings})),
    )


def _why_not_ours(row: ObservedOwner) -> str:
    """Say what its tag says: whose it is and whether that is known are three different things to do about it."""
    why = why_not_ours(MANAGED_TAG, Whose(row.ownership, row.managed_by), row.unread_because)
    match row.ownership:
        case Ownership.FOREIGN:
            return f"{why}. Offboard it from that fleet, or delete it in the console"
        case Ownership.NOBODY:
            return f"{why}, so appfleet did not make it. Delete it in the console"
        case _:
            return f"{why}. Run again; if it stays so, allow the caller sagemaker:ListTags"


def _why_not(
    row: ObservedOwner,
    owner: Owner,
    inhabited: set[Owner],
    seen: Mapping[Owner, ObservedOwner],
    changes: Mapping[Owner, OwnerChange],
) -> str:
    if row.ownership is not Ownership.OURS:
        return _why_not_ours(row)
    if owner in inhabited:
        return "an app that this plan does not delete lives in it. Delete that app first"
    if owner.kind == SPACE:
        return ""
    held = [
        space.owner.name
        for key, space in seen.items()
        if key.kind == SPACE
        and key.domain == owner.domain
        and space.owner_user.casefold() == owner.name
        and key not in changes
    ]
    return f"the space {min(held)} that belongs to it stays. Delete that space first" if held else ""
