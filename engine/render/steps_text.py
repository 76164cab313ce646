"""The order of the calls, for a dry run. It reads the same steps as the executor, so it cannot promise another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.core.change import Action
from engine.core.desired import DesiredApp
from engine.core.plan import Plan
from engine.core.stages import ordered_steps
from engine.core.text import clean, count_of
from engine.render.layout import Paint
from engine.render.owners_text import owner_rows
from engine.render.words import STYLES

STEPS_SHOWN_MAX_COUNT: Final = 1_000
_CALLS: Final = {
    Action.CREATE: "CreateApp",
    Action.DELETE: "DeleteApp",
    Action.ADOPT: "AddTags",
    Action.DELETE_THEN_CREATE: "DeleteApp, then CreateApp",
}


def steps_text(plan: Plan, *, colour: bool = False, weight: Callable[[DesiredApp], float] = lambda _: 0.0) -> str:
    """Return the calls in the order in which they would be sent, ending in a line break; empty when there are none."""
    steps = ordered_steps(plan, weight)
    if not steps:
        return ""
    paint = Paint(colour)
    digits = len(str(min(len(steps), STEPS_SHOWN_MAX_COUNT)))
    lines = [f"  {what}: {listed}" for _, what, listed in owner_rows(plan)]
    lines += [paint("bold", f"Dry run: {count_of(len(steps), 'change')} in this order; nothing was called.")]
    for step in steps[:STEPS_SHOWN_MAX_COUNT]:
        action = step.change.action
        lines.append(
            f"  {step.rank + 1:>{digits}}  {paint(STYLES[action], _CALLS[action])} {clean(str(step.change.key))}"
        )
    rest = len(steps) - STEPS_SHOWN_MAX_COUNT
    if rest > 0:
        lines.append(f"  and {rest:,} more")
    return "\n" + "\n".join(lines) + "\n"
