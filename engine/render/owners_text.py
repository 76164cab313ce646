"""User profiles and spaces in a plan and a report: a line for each domain, kind and action, for they come in scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.counted import keys_counted, owners_counted
from engine.core.finding import UNCOMPARED
from engine.core.grouping import common_text, owner_names, shape_of
from engine.core.identity import SPACE, Owner
from engine.core.outcome import GOOD_OUTCOMES, OwnerResult
from engine.core.owner_settings import Difference
from engine.core.owners import owner_order, unexplained_drift
from engine.core.plan import Plan
from engine.core.text import clean, count_of, listed
from engine.core.trouble import Trouble
from engine.render.words import OUTCOMES, SYMBOLS

NO_TROUBLE: Final = Trouble("", "")
_VALUE_MAX_CHARS: Final = 80
_VERBS: Final = {
    Action.CREATE: "make",
    Action.DELETE: "delete",
    Action.DELETE_THEN_CREATE: "replace",
    Action.ADOPT: "adopt",
    Action.UPDATE: "update",
    Action.NONE: "wait for",
}
_MADE: Final = {
    Action.CREATE: "to make",
    Action.ADOPT: "to adopt",
    Action.UPDATE: "to update",
    Action.DELETE: "to delete",
}


def owner_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what is done about owners as (symbol, what, names), in the order of the calls."""
    rows = []
    for group in _alike(plan.owners):
        first = group[0]
        where = owners_in_domain([one.owner for one in group])
        what = f"{_VERBS[first.action]} {where}{_said(first.updates)}{_assigned(group)}{_volumes(group)}"
        if first.reason is OwnerReason.FROM_FLEET:
            what += f": the fleet of --from-fleet made {'it' if len(group) == 1 else 'them'}"
        if first.reason is OwnerReason.UNASSIGNED:
            what = f"assign the users of {where}"
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
        (
            f"{owners_in_domain([one.owner for one in group])}{_said(group[0].differs)}",
            listed([one.owner.name for one in group]),
        )
        for group in _alike(plan.owner_drift)
    ]


def owners_in_domain(owners: Sequence[Owner]) -> str:
    """Return `2 spaces in domain research` for owners of one domain."""
    return f"{owners_counted(owners)} in domain {clean(owners[0].domain)}"


def _alike(changes: Iterable[OwnerChange]) -> list[list[OwnerChange]]:
    """Group changes that are the same but for the names, in the order of the calls."""
    groups: dict[tuple[object, ...], list[OwnerChange]] = {}
    for change in sorted(changes, key=owner_order):
        differs = repr(change.differs)
        alike = (change.owner.domain, change.owner.kind, change.action, differs, change.reason)
        groups.setdefault(alike, []).append(change)
    return list(groups.values())


def _said(differs: Iterable[Difference]) -> str:
    """Return `: idle_minutes 60 → 120`; empty for no difference."""
    text = differences_text(differs)
    return f": {text}" if text else ""


def differences_text(differs: Iterable[Difference]) -> str:
    """Return `idle_minutes 60 → 120`: what is there, and what is declared."""
    return ", ".join(f"{clean(one.field)} {value_text(one.observed)} → {value_text(one.declared)}" for one in differs)


def value_text(value: object) -> str:
    """Return the value of a setting for people, as the fleet file has it; `unset` for None."""
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


def updates_counted(plan: Plan) -> str:
    """Return `30 spaces to update`; empty for none."""
    owners = [change.owner for change in plan.owners if change.action is Action.UPDATE]
    return f"{owners_counted(owners)} {_MADE[Action.UPDATE]}" if owners else ""


def owner_drift_line(plan: Plan) -> str:
    """Return the sentence about owners that differ and stay so, with what helps; empty for none."""
    if not plan.owner_drift:
        return ""
    owners = [change.owner for change in plan.owner_drift]
    differ = f"Nothing to apply, but {owners_counted(owners)} {'differs' if len(owners) == 1 else 'differ'}"
    if not (open_ := unexplained_drift(plan)):
        return f"{differ} and cannot be updated: see the findings."
    some = len(open_) < len(owners)
    which = f" {owners_counted([change.owner for change in open_])}" if some else ""
    rest = " About the rest see the findings." if some else ""
    return f"{differ}. To update{which}, set [owners] update = true in a policy, or change the settings by hand.{rest}"


def unread_line(plan: Plan) -> str:
    """Return the sentence about owners of which nobody knows whether they differ; empty for none."""
    drifted = {str(change.owner) for change in plan.owner_drift}
    keys = {finding.key for finding in plan.findings if finding.rule == UNCOMPARED} - drifted
    if not keys:
        return ""
    verb = "is" if len(keys) == 1 else "are"
    return f"Whether {keys_counted(keys)} {verb} as declared is not known: see the findings."


def owner_result_lines(results: Iterable[OwnerResult]) -> list[str]:
    """Return the counts of how owners ended, and a line for each that is not as declared, with why.

    Several that ended for one reason are one line: a space may not be changed while an app runs in it.
    """
    lines = []
    ordered = sorted(results, key=lambda result: (list(OUTCOMES).index(result.outcome), result.owner))
    for outcome, group in groupby(ordered, key=lambda result: result.outcome):
        ended = list(group)
        lines.append(f"{owners_counted([result.owner for result in ended])} {OUTCOMES[outcome]}")
        troubled = [result for result in ended if outcome not in GOOD_OUTCOMES or result.error is not None]
        lines += _troubled_lines(troubled, owner_names(str(result.owner) for result in ordered))
    return lines


def _troubled_lines(results: Sequence[OwnerResult], known: frozenset[str]) -> list[str]:
    groups: dict[tuple[object, ...], list[OwnerResult]] = {}
    for result in results:
        error = result.error or NO_TROUBLE
        shape = (shape_of(error.message, known), shape_of(error.hint, known))
        groups.setdefault((result.owner.domain, result.owner.kind, *shape), []).append(result)
    lines = []
    for members in groups.values():
        owners = [result.owner for result in members]
        errors = [result.error or NO_TROUBLE for result in members]
        why, hint = (common_text([*map(clean, texts)], known) for texts in zip(*map(_texts, errors), strict=True))
        said = f"{f': {why}' if why else ''}{f'. {hint}' if hint else ''}"
        which = clean(str(owners[0])) if len(owners) == 1 else owners_in_domain(owners)
        names = "" if len(owners) == 1 else f": {listed([owner.name for owner in owners])}"
        lines.append(f"  {which}{names}{said}")
    return lines


def _texts(error: Trouble) -> tuple[str, str]:
    return error.message, error.hint
