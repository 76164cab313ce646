"""What a report may say, checked against what there really is; and what must be so once trouble is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.change import Action, Reason
from engine.core.drift import instance_types_in_sync
from engine.core.errors import ExitCode
from engine.core.outcome import Outcome
from engine.executor.cause import Cause
from engine.executor.troubles import UNKNOWN_CODE
from engine.simulator.world.records import IN_SERVICE, PENDING
from tests.simulation.fleet_maker import FLEET_NAME, FLEET_TAG
from tests.simulation.hours_maker import is_open
from tests.simulation.owner_watch import check_no_owner_left, why_owners_not_converged

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.change import Change
    from engine.core.outcome import ApplyReport, AppResult
    from engine.core.plan import Plan
    from engine.simulator.world.records import AppId
    from tests.simulation.watch import Watch

END_MAX_SECONDS: Final = 31.0  # after the deadline: the calls in flight, each at most half a minute
OF_HOURS: Final = (Reason.OUTSIDE_HOURS, Reason.KEPT)
SETTLED_REASONS: Final = frozenset(
    {
        Reason.IN_SYNC,
        Reason.DRIFT,
        Reason.DONE_ONCE,
        Reason.GONE,
        Reason.UNMANAGED,
        Reason.NOT_OWNED,
        Reason.ORPHANED,
        *OF_HOURS,
    }
)
STILL_OURS: Final = frozenset({Outcome.CREATED, Outcome.REPLACED, Outcome.STILL_PENDING, Outcome.ADOPTED})


def check_report(watch: Watch, plan: Plan, report: ApplyReport, *, wait: bool) -> None:
    """Check that every declared and every changed app has exactly one outcome, and that it is true."""
    wanted = [change.key for change in plan.decisions if change.after is not None or change.action is not Action.NONE]
    told = [result.key for result in report.apps]
    if sorted(wanted) != sorted(told):
        watch.violation(f"outcomes do not fit the plan: {set(wanted) ^ set(told) or 'some are there twice'}")
        return
    if report.bug or report.exit_code is ExitCode.BUG:
        watch.violation("the run ended as a bug")
    results = {result.key: result for result in report.apps}
    for key, change in watch.changes.items():
        result = results.get(change.key)
        if result is None:
            continue
        wrong = _why_untrue(watch, key, change, result, wait=wait)
        wrong = wrong or watch.plans.why_parked_wrongly(key, change, result) or watch.guards.why_untrue(key, result)
        if wrong:
            watch.violation(f"{change.key} ended {result.outcome} ({result.error}), but {wrong}")
    watch.owners.check_report(plan, report)
    watch.sign_in.check_report(plan, report)
    watch.trials.check_report(report)
    watch.check_throttle_listens()


def _why_untrue(watch: Watch, key: AppId, change: Change, result: AppResult, *, wait: bool) -> str:
    check = _CHECKS.get(result.outcome)
    wrong = check(watch, key, change, wait) if check is not None else ""
    if wrong:
        return wrong
    code = result.error.code if result.error is not None else ""
    may_be_unknown = watch.unknown[key] or watch.faults_of_calls or watch.late.is_in_doubt(change.key)
    if code == UNKNOWN_CODE and not may_be_unknown:
        return "no call of it had an unknown outcome"
    if result.outcome in (Outcome.SKIPPED, Outcome.FAILED, Outcome.PARKED, Outcome.INTERRUPTED) and not code:
        return "nothing says why"
    standing = watch.world.apps.get(key)
    ours_stands = standing is not None and standing.status in (PENDING, IN_SERVICE) and standing in watch.made[key]
    if ours_stands and result.outcome not in STILL_OURS and code != UNKNOWN_CODE:
        aborted = watch.run.control.aborted.is_set() or watch.unknown[key]
        if not aborted:
            return "an app that this run made stands there"
    return ""


def _made(watch: Watch, key: AppId, change: Change, wait: bool) -> str:
    made = watch.made[key]
    if not made and not watch.unknown[key] and not watch.late.is_in_doubt(change.key):
        return "no CreateApp of it was carried out"
    older = float("-inf") if change.before is None else change.before.created_at
    if wait and change.action is not Action.NONE and not _ever_in_service(watch, key, newer_than=older):
        return "the new app never was in service"
    return ""


def _adopted(watch: Watch, key: AppId, change: Change, wait: bool) -> str:
    app = watch.world.apps.get(key)
    if change.action is Action.ADOPT:
        before = change.before
        gone = app is None or before is None or app.created_at != before.created_at
        return "" if gone or (app is not None and app.tags.get(FLEET_TAG) == FLEET_NAME) else "it has no tag of ours"
    if app is None:
        return "nothing stands there"
    if change.after is not None:
        accepted = instance_types_in_sync(change.after)
        seen = {app.spec.instance_type, getattr(watch.world.previous.get(key), "spec", app.spec).instance_type}
        if accepted and not seen & set(accepted):
            return f"{app.spec.instance_type} stands there, and {accepted} is declared"
    return "it never was in service" if wait and not _ever_in_service(watch, key) else ""


def _deleted(watch: Watch, key: AppId, change: Change, wait: bool) -> str:  # noqa: ARG001
    app = watch.world.apps.get(key)
    same = app is not None and change.before is not None and app.created_at == change.before.created_at
    return f"it is {app.status}" if same and app is not None and app.is_alive else ""


def _unchanged(watch: Watch, key: AppId, change: Change, wait: bool) -> str:
    if change.reason is Reason.PENDING and wait and not _ever_in_service(watch, key):
        return "it never was in service"
    return ""


def _interrupted(watch: Watch, key: AppId, change: Change, wait: bool) -> str:  # noqa: ARG001
    return "" if watch.run.control.cause is Cause.INTERRUPTED else "nobody interrupted the run"


def _parked(watch: Watch, key: AppId, change: Change, wait: bool) -> str:  # noqa: ARG001
    return "" if watch.refused else "no quota was said to be full"


_CHECKS: Final[dict[Outcome, Callable[[Watch, AppId, Change, bool], str]]] = {
    Outcome.CREATED: _made,
    Outcome.REPLACED: _made,
    Outcome.ADOPTED: _adopted,
    Outcome.DELETED: _deleted,
    Outcome.UNCHANGED: _unchanged,
    Outcome.INTERRUPTED: _interrupted,
    Outcome.PARKED: _parked,
}


def _ever_in_service(watch: Watch, key: AppId, newer_than: float = float("-inf")) -> bool:
    generations = [*watch.made[key], watch.world.apps.get(key), watch.world.previous.get(key)]
    return any(
        app is not None and app.created_at > newer_than and watch.world.was_in_service(app) for app in generations
    )


def check_end(watch: Watch, ended_at: float, interrupts: tuple[float, ...]) -> None:
    """Check that a run ended in time: after its deadline, after a signal, after a second one."""
    control = watch.run.control
    ended_at -= watch.late.frozen_s
    if ended_at > control.deadline_at + END_MAX_SECONDS:
        watch.violation(f"the run ended {ended_at - control.deadline_at:.1f} s after its deadline")
    if control.aborted.is_set() and interrupts and ended_at > watch.began_at + max(interrupts) + 1.0:
        watch.violation("the run did not end within a second of the second signal")
    if control.cause is Cause.INTERRUPTED and ended_at > control.stopped_at + 2 * END_MAX_SECONDS:
        watch.violation(f"the run ended {ended_at - control.stopped_at:.1f} s after the signal")


def why_not_converged(plan: Plan, report: ApplyReport) -> str:
    """Say why a run after all trouble has not brought everything into service; empty where it has."""
    excused = {change.key for change in plan.decisions if change.reason is Reason.NOT_OWNED}
    left = [
        f"{result.key} {result.outcome} ({result.error.message if result.error else ''})"
        for result in report.apps
        if result.outcome
        in (Outcome.FAILED, Outcome.PARKED, Outcome.STILL_PENDING, Outcome.SKIPPED, Outcome.INTERRUPTED)
        and result.key not in excused
    ]
    left += why_owners_not_converged(report)
    if not left and report.exit_code is not ExitCode.OK and not excused:
        left = [f"exit code {report.exit_code}, {report.errors}"]
    return "; ".join(left)


def check_nothing_left(watch: Watch, plan: Plan) -> None:
    """Check a plan that is made when everything has converged: it changes nothing, and all is as it should be."""
    for change in plan.decisions:
        if change.action is Action.ADOPT:
            continue  # somebody's app that was Pending when the last plan was made
        made_tonight = change.before is not None and change.before.created_at >= watch.wall_of(0.0)
        if change.reason is Reason.OUTSIDE_HOURS and (watch.scenario.adopt or made_tonight):
            continue  # adopted by the last run, or Pending in its listing: it stops neither
        hours = None if change.after is None else change.after.hours
        if hours is not None and change.reason in OF_HOURS and is_open(hours, watch.planned_at_wall):
            watch.violation(f"after convergence {change.key} is said to be outside its hours, and they are open")
        if change.action is not Action.NONE or change.reason not in SETTLED_REASONS:
            watch.violation(f"after convergence {change.key} is still to be {change.action} ({change.reason})")
    check_no_owner_left(watch, plan)
    watch.late.check_nothing_owed(plan)
    if not plan.complete:
        watch.violation("after convergence a domain cannot be listed")
