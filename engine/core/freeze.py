"""Freezes: the windows in which nothing is deleted or replaced, and what a plan puts off because of one.

Creates go on in a freeze, so a replace that an earlier run has half done is finished. Pure: the instant is passed in.
Not here: the windows in time (`calendars`), and the last look at the clock before a delete (`executor.changes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from engine.core.calendars import Calendar, next_change_of
from engine.core.change import DESTROYING, Action, Change, Reason
from engine.core.counted import owners_counted
from engine.core.finding import MANDATORY, Finding
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.plan import Plan
from engine.core.plan_options import PlanOptions
from engine.core.text import clean, count_of, listed
from engine.core.trouble import Trouble

FREEZE_RULE: Final = "freeze"
FROZEN: Final = "frozen"  # the code of what a run skips
_WITHOUT_END: Final = "further notice"
_LIFT: Final = "To lift it, edit freeze in [safety]"


def frozen_until(freeze: Sequence[Calendar], wall: float) -> str:
    """Return when the freeze of a time, in epoch seconds, ends, on the clock of its zone; empty where there is none."""
    now = datetime.fromtimestamp(wall, UTC)
    inside = next((one for one in freeze if one.is_inside(now)), None)
    if inside is None:
        return ""
    end = next_change_of(freeze, now)
    return _WITHOUT_END if end is None else f"{end.astimezone(inside.zone):%a %Y-%m-%d %H:%M} {inside.zone_name}"


def in_a_freeze(until: str) -> Trouble:
    """Return the trouble of a delete that is not sent in a freeze."""
    then = "" if until == _WITHOUT_END else "Run again after that. "
    return Trouble(FROZEN, f"not deleted: nothing is deleted or replaced until {until}", f"{then}{_LIFT}")


def in_freeze(plan: Plan, options: PlanOptions) -> Plan:
    """Return `plan` without its deletes and replaces where it is for a time in a freeze, and with a finding of it."""
    held = [change for change in plan.changes if change.action in DESTROYING]
    until = frozen_until(options.safety.freeze, options.now) if held else ""
    if not until:
        return plan
    decisions = tuple(
        replace(change, action=Action.NONE, reason=Reason.FROZEN) if change.action in DESTROYING else change
        for change in plan.decisions
    )
    named = listed([change.key for change in held], ORPHANS_NAMED_MAX_COUNT)
    message = f"nothing is deleted or replaced until {until}: {_counted(held)} put off: {named}. {_LIFT}"
    finding = Finding(FREEZE_RULE, "advisory", "", clean(message))
    return replace(plan, decisions=decisions, findings=tuple(sorted({*plan.findings, finding})))


def _counted(held: Sequence[Change]) -> str:
    deletes = sum(change.action is Action.DELETE for change in held)
    counts = ((deletes, "delete"), (len(held) - deletes, "replace"))
    return " and ".join(count_of(count, word) for count, word in counts if count)


def freeze_denial(plan: Plan, options: PlanOptions) -> tuple[Finding, ...]:
    """Return what denies a command that is there to delete, such as offboard, in a freeze; nothing outside of one."""
    apps = sum(change.reason is Reason.FROZEN for change in plan.decisions)
    owners = [change.owner for change in plan.owners if change.action is Action.DELETE]
    until = frozen_until(options.safety.freeze, options.now) if apps or owners else ""
    if not until:
        return ()
    what = " and ".join(part for part in (count_of(apps, "app") if apps else "", owners_counted(owners)) if part)
    message = f"{what} would be deleted, and nothing is until {until}. Run it again after that. {_LIFT}"
    return (Finding(f"safety.{FREEZE_RULE}", MANDATORY, "", clean(message)),)
