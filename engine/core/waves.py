"""What a plan puts off: replaces beyond the wave of this run; and what it reports of people at work.

Pure. What a run replaces is down until it is made again, so the apps that an earlier run deleted to be replaced, and
that are not in service again, have their places in the wave of this run.
Not here: which apps differ (`decision`), and the limits on deletes (`policy.guardrails`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.core.activity import NOT_READ, Use
from engine.core.change import DESTROYING, Action, Change, Reason
from engine.core.durations import format_duration
from engine.core.finding import Finding
from engine.core.identity import AppKey
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.observed import AppStatus
from engine.core.plan import Plan
from engine.core.plan_options import PlanOptions
from engine.core.text import clean, count_of, listed

WAVE_RULE: Final = "replace_wave"
ACTIVITY_RULE: Final = "spare_active"

# Why an app is not there and shall not be: whoever deleted it, it is not down.
_NOT_WANTED: Final = frozenset({Reason.GONE, Reason.OUTSIDE_HOURS, Reason.UNMANAGED})


def in_wave(plan: Plan, options: PlanOptions) -> Plan:
    """Return `plan` with as many replaces as one run may make, and a finding where others wait for the next runs.

    Idle apps go first, then the oldest. With `--replace KEY` the wave is those keys. What was approved may become less
    by the time it is applied, and never more.
    """
    due = [change for change in plan.changes if change.action is Action.DELETE_THEN_CREATE]
    keys = options.request.replace_keys
    size = options.safety.replace_wave
    owed = _owed(plan, options)
    if keys:
        wave = {change.key for change in due if change.key in keys}
    else:
        may_go = due if options.wave is None else [change for change in due if change.key in options.wave]
        ordered = sorted(may_go, key=lambda change: _turn(change, options))
        wave = {change.key for change in ordered[: max(size - owed, 0)]}
    waiting = [change.key for change in due if change.key not in wave]
    if not waiting:
        return plan
    left = set(waiting)
    decisions = tuple(
        replace(change, action=Action.NONE, reason=Reason.NEXT_WAVE) if change.key in left else change
        for change in plan.decisions
    )
    message = _named_message(len(wave), waiting) if keys else _wave_message(len(wave), waiting, size, owed)
    finding = Finding(WAVE_RULE, "advisory", "", clean(message))
    return replace(plan, decisions=decisions, findings=tuple(sorted({*plan.findings, finding})))


def _owed(plan: Plan, options: PlanOptions) -> int:
    """Count the apps that an earlier run deleted to be replaced and that are not in service again."""
    if not options.half_replaced:
        return 0
    return sum(
        change.key in options.half_replaced
        and change.reason not in _NOT_WANTED
        and (change.before is None or change.before.status is not AppStatus.IN_SERVICE)
        for change in plan.decisions
    )


def _turn(change: Change, options: PlanOptions) -> tuple[bool, Use, float, AppKey]:
    """Return the place of a replace in the order of waves: one that a run has begun, then by activity and age.

    Without `spare_active` nobody's activity decides.
    """
    use = _use(change, options) if options.safety.spare_active > 0 else Use.UNKNOWN
    made_at = 0.0 if change.before is None else change.before.created_at
    return change.key not in options.half_replaced, use, made_at, change.key


def _use(change: Change, options: PlanOptions) -> Use:
    activity = NOT_READ if change.before is None else change.before.activity
    return activity.use(options.now, options.safety.spare_active)


def _wave_message(going: int, waiting: Sequence[AppKey], size: int, owed: int) -> str:
    waves = -(-len(waiting) // size) + (going > 0)
    due = going + len(waiting)
    now = f"wave 1 of {waves:,}: {going:,} of {due:,} replaces" if going else f"none of {due:,} replaces now"
    taken = (
        f" ({count_of(owed, 'place')} of [safety].replace_wave = {size:,} taken by apps that an earlier run deleted "
        "and that are not in service again)"
        if owed
        else ""
    )
    named = listed(waiting, ORPHANS_NAMED_MAX_COUNT)
    return f"{now}{taken}; {count_of(len(waiting), 'app')} for the next runs: {named}"


def _named_message(going: int, waiting: Sequence[AppKey]) -> str:
    named = listed(waiting, ORPHANS_NAMED_MAX_COUNT)
    return (
        f"with --replace KEY only the named apps are replaced ({going:,}); {count_of(len(waiting), 'other app')} that "
        f"should be replaced for the next runs: {named}"
    )


def with_activity_reported(plan: Plan, options: PlanOptions) -> Plan:
    """Return `plan` with a finding that counts whom `spare_active` spares, and one of whom nothing is known."""
    spare_s = options.safety.spare_active
    if spare_s <= 0:
        return plan
    destroyed = [change for change in plan.changes if change.action in DESTROYING]
    active, unknown = (
        [change.key for change in destroyed if _use(change, options) is use] for use in (Use.ACTIVE, Use.UNKNOWN)
    )
    messages = []
    if active:
        messages.append(
            f"a user was active in the last {format_duration(spare_s)} in {count_of(len(active), 'app')} to be deleted "
            f"or replaced: {listed(active, ORPHANS_NAMED_MAX_COUNT)}. The run looks again just before each delete and "
            "skips apps that are still in use; the next run tries them again"
        )
    if unknown:
        messages.append(
            f"not known whether a user was active in the last {format_duration(spare_s)} in "
            f"{count_of(len(unknown), 'app')} to be deleted or replaced, so not spared: "
            f"{listed(unknown, ORPHANS_NAMED_MAX_COUNT)}. SageMaker reports the time of its health check, or none"
        )
    findings = {Finding(ACTIVITY_RULE, "advisory", "", clean(message)) for message in messages}
    return replace(plan, findings=tuple(sorted({*plan.findings, *findings}))) if findings else plan
