"""The order of the calls, for a dry run. It reads the same steps as the executor, so it cannot promise another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.core.change import DESTROYING, Action, OwnerChange
from engine.core.desired import DesiredApp
from engine.core.identity import SPACE, USER, AppKey
from engine.core.plan import Plan
from engine.core.stages import Step, ordered_steps, owner_ranks
from engine.core.text import clean, count_of
from engine.render.layout import Paint
from engine.render.words import STYLES

STEPS_SHOWN_MAX_COUNT: Final = 1_000
_CALLS: Final = {
    Action.CREATE: "CreateApp",
    Action.DELETE: "DeleteApp",
    Action.ADOPT: "AddTags",
    Action.DELETE_THEN_CREATE: "DeleteApp, then CreateApp",
}


_OWNER_CALLS: Final = {
    (Action.CREATE, USER): "CreateUserProfile",
    (Action.CREATE, SPACE): "CreateSpace",
    (Action.UPDATE, USER): "UpdateUserProfile",
    (Action.UPDATE, SPACE): "UpdateSpace",
    (Action.ADOPT, USER): "AddTags",
    (Action.ADOPT, SPACE): "AddTags",
    (Action.DELETE, USER): "DeleteUserProfile",
    (Action.DELETE, SPACE): "DeleteSpace",
}


def steps_text(plan: Plan, *, colour: bool = False, weight: Callable[[DesiredApp], float] = lambda _: 0.0) -> str:
    """Return the calls in the order in which they would be sent, ending in a line break; empty when there are none.

    Calls of one account and region are sent at the same time, as far as its limits and what they wait for allow.
    """
    calls = _calls(plan, weight)
    if not calls:
        return ""
    paint = Paint(colour)
    digits = len(str(min(len(calls), STEPS_SHOWN_MAX_COUNT)))
    count = len(plan.changes) + sum((one.action, one.owner.kind) in _OWNER_CALLS for one in plan.owners)
    lines = [paint("bold", f"Dry run: {count_of(count, 'change')} in this order; nothing was called.")]
    for place, (action, call, key) in enumerate(calls[:STEPS_SHOWN_MAX_COUNT], 1):
        lines.append(f"  {place:>{digits}}  {paint(STYLES[action], call)} {clean(key)}")
    rest = len(calls) - STEPS_SHOWN_MAX_COUNT
    if rest > 0:
        lines.append(f"  and {rest:,} more")
    return "\n" + "\n".join(lines) + "\n"


def _calls(plan: Plan, weight: Callable[[DesiredApp], float]) -> list[tuple[Action, str, str]]:
    """Return (action, calls, key) for apps and their owners: what an app needs comes just before it."""
    steps = ordered_steps(plan, weight)
    ranks = owner_ranks(plan, steps)
    waiting: dict[int, list[OwnerChange]] = {}
    within = _updated_after_deletes(plan, steps)
    later = {change.owner for change in within.values()}
    for change in sorted(plan.owners, key=lambda one: (one.action is Action.DELETE) == (one.owner.kind == USER)):
        if (change.action, change.owner.kind) in _OWNER_CALLS and change.owner not in later:
            waiting.setdefault(ranks[change.owner], []).append(change)
    calls: list[tuple[Action, str, str]] = []
    for step in steps:
        calls += map(_owner_call, waiting.pop(step.rank, ()))
        action, key = step.change.action, step.change.key
        update = within.get(key)
        if update is None:
            calls.append((action, _CALLS[action], str(key)))
        elif action is Action.DELETE_THEN_CREATE:
            calls.append((action, f"DeleteApp, then {_owner_call(update)[1]}, then CreateApp", str(key)))
        else:
            calls += [(action, _CALLS[action], str(key)), _owner_call(update)]
    return [*calls, *(_owner_call(change) for left in waiting.values() for change in left)]


def _updated_after_deletes(plan: Plan, steps: Sequence[Step]) -> dict[AppKey, OwnerChange]:
    """Return the spaces that are updated once the apps in them have stopped, by the last of these."""
    last = {step.change.key.owner_key: step.change.key for step in steps if step.change.action in DESTROYING}
    return {
        last[change.owner]: change
        for change in plan.owners
        if change.action is Action.UPDATE and change.owner.kind == SPACE and change.owner in last
    }


def _owner_call(change: OwnerChange) -> tuple[Action, str, str]:
    return change.action, _OWNER_CALLS[change.action, change.owner.kind], str(change.owner)
