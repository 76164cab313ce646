"""User profiles and spaces in a plan and a report: a line for each domain, kind and action, for they come in scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from engine.core.change import Action, OwnerChange
from engine.core.identity import USER, Owner, OwnerKind
from engine.core.outcome import GOOD_OUTCOMES, OwnerResult
from engine.core.owners import owner_order
from engine.core.plan import Plan
from engine.core.text import clean, count_of, listed
from engine.render.words import OUTCOMES, SYMBOLS

_VERBS: Final = {
    Action.CREATE: "make",
    Action.DELETE: "delete",
    Action.DELETE_THEN_CREATE: "replace",
    Action.ADOPT: "adopt",
    Action.NONE: "wait for",
}
_MADE: Final = {Action.CREATE: "to make", Action.DELETE: "to delete"}


def owners_counted(owners: Sequence[Owner]) -> str:
    """Return `40 user profiles and 40 spaces`; empty for none."""
    profiles = sum(owner.kind == USER for owner in owners)
    spaces = len(owners) - profiles
    parts = [count_of(profiles, "user profile")] if profiles else []
    return " and ".join([*parts, *([count_of(spaces, "space")] if spaces else [])])


def owner_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what is done about owners as (symbol, what, names), in the order of the calls."""

    def alike(change: OwnerChange) -> tuple[str, OwnerKind, Action]:
        return change.owner.domain, change.owner.kind, change.action

    rows = []
    for (domain, _, action), group in groupby(sorted(plan.owners, key=owner_order), key=alike):
        changes = list(group)
        owners = [change.owner for change in changes]
        what = f"{_VERBS[action]} {owners_counted(owners)} in domain {clean(domain)}{_assigned(changes)}"
        rows.append((SYMBOLS[action], what, listed([owner.name for owner in owners])))
    return rows


def _assigned(changes: Iterable[OwnerChange]) -> str:
    """Return how many users of new profiles are assigned to the domain's application; empty for none."""
    count = sum(change.assigned_to is not None for change in changes)
    return f", {count_of(count, 'user')} assigned in IAM Identity Center" if count else ""


def owners_summary(plan: Plan) -> str:
    """Return `; 40 user profiles and 40 spaces to make` for the summary of a plan; empty if there are none."""
    parts = []
    for action, word in _MADE.items():
        owners = [change.owner for change in plan.owners if change.action is action]
        if owners:
            parts.append(f"; {owners_counted(owners)} {word}")
    assigned = sum(change.assigned_to is not None for change in plan.owners)
    parts += [f"; {count_of(assigned, 'user')} to assign"] if assigned else []
    return "".join(parts)


def owner_result_lines(results: Iterable[OwnerResult]) -> list[str]:
    """Return the counts of how owners ended, and a line for each that did not end well, with why."""
    lines = []
    ordered = sorted(results, key=lambda result: (list(OUTCOMES).index(result.outcome), result.owner))
    for outcome, group in groupby(ordered, key=lambda result: result.outcome):
        ended = list(group)
        lines.append(f"{owners_counted([result.owner for result in ended])} {OUTCOMES[outcome]}")
        if outcome in GOOD_OUTCOMES:
            continue
        for result in ended:
            why = "" if result.error is None else f": {clean(result.error.message)}"
            hint = "" if result.error is None or not result.error.hint else f". {clean(result.error.hint)}"
            lines.append(f"  {clean(str(result.owner))}{why}{hint}")
    return lines
