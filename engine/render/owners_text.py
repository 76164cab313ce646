"""User profiles and spaces in a plan and a report: a line for each domain, kind and action, for they come in scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from engine.core.change import Action, OwnerChange
from engine.core.identity import SPACE, USER, Owner
from engine.core.outcome import GOOD_OUTCOMES, OwnerResult
from engine.core.owner_settings import Difference
from engine.core.owners import owner_order
from engine.core.plan import Plan
from engine.core.text import clean, count_of, listed
from engine.render.words import OUTCOMES, SYMBOLS

_VALUE_MAX_CHARS: Final = 80
_VERBS: Final = {
    Action.CREATE: "make",
    Action.DELETE: "delete",
    Action.DELETE_THEN_CREATE: "replace",
    Action.ADOPT: "adopt",
    Action.UPDATE: "update",
    Action.NONE: "wait for",
}
_MADE: Final = {Action.CREATE: "to make", Action.UPDATE: "to update", Action.DELETE: "to delete"}


def owners_counted(owners: Sequence[Owner]) -> str:
    """Return `40 user profiles and 40 spaces`; empty for none."""
    profiles = sum(owner.kind == USER for owner in owners)
    spaces = len(owners) - profiles
    parts = [count_of(profiles, "user profile")] if profiles else []
    return " and ".join([*parts, *([count_of(spaces, "space")] if spaces else [])])


def owner_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what is done about owners as (symbol, what, names), in the order of the calls."""
    rows = []
    for group in _alike(plan.owners):
        first = group[0]
        what = f"{_VERBS[first.action]} {_where(group)}{_said(first.updates)}{_assigned(group)}{_volumes(group)}"
        rows.append((SYMBOLS[first.action], what, listed([one.owner.name for one in group])))
    return rows


def _assigned(changes: Iterable[OwnerChange]) -> str:
    """Return how many users of new profiles are assigned to the domain's application; empty for none."""
    count = sum(change.assigned_to is not None for change in changes)
    return f", {count_of(count, 'user')} assigned in IAM Identity Center" if count else ""


def _volumes(changes: Sequence[OwnerChange]) -> str:
    """Return what else goes with spaces; empty for what is not deleted or has no volume."""
    first = changes[0]
    return ", volumes included" if first.action is Action.DELETE and first.owner.kind == SPACE else ""


def drift_rows(plan: Plan) -> list[tuple[str, str]]:
    """Return the owners that are not as declared and stay so, as (what, names), those that differ alike together."""
    return [
        (f"{_where(group)}{_said(group[0].differs)}", listed([one.owner.name for one in group]))
        for group in _alike(plan.owner_drift)
    ]


def _where(group: Sequence[OwnerChange]) -> str:
    return f"{owners_counted([one.owner for one in group])} in domain {clean(group[0].owner.domain)}"


def _alike(changes: Iterable[OwnerChange]) -> list[list[OwnerChange]]:
    """Group changes that are the same but for the names, in the order of the calls."""
    groups: dict[tuple[object, ...], list[OwnerChange]] = {}
    for change in sorted(changes, key=owner_order):
        differs = repr(change.differs)
        groups.setdefault((change.owner.domain, change.owner.kind, change.action, differs), []).append(change)
    return list(groups.values())


def _said(differs: Iterable[Difference]) -> str:
    """Return `: idle_minutes 60 → 120`; empty for no difference."""
    parts = [f"{one.field} {_value(one.observed)} → {_value(one.declared)}" for one in differs]
    return f": {', '.join(parts)}" if parts else ""


def _value(value: object) -> str:
    text = "unset" if value is None else value if isinstance(value, str) else json.dumps(value)
    return clean(str(text), _VALUE_MAX_CHARS)


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
