"""`apply`: plan, ask, carry out, report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.app.afterwards import afterwards
from engine.app.approval import approval_of
from engine.app.ends import why_stopped
from engine.app.loading import now, read
from engine.app.plan import iso, planned
from engine.app.stopping import Beginning, stops
from engine.core.change import Action
from engine.core.ending import trouble_of
from engine.core.errors import AppfleetError
from engine.core.foreseen import Foreseen
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.owners import drift_notes
from engine.executor.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from engine.app.approval import Approval
    from engine.app.begun import Begun
    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.plan import Planned
    from engine.app.session import Joined
    from engine.app.teams.overlay import Preparation
    from engine.core.plan import Plan
    from engine.ports.events import Emit, RunFinished


async def apply(
    options: AppOptions, emit: Emit, confirm: Callable[[Plan], bool], preparation: Preparation | None = None
) -> ApplyReport | None:
    """Plan, ask, and carry it out under the fleet's lock; None when the answer was no.

    `preparation` lays something over the fleet and its plan, for the commands that are an apply of a kind.
    Raises AppfleetError for what keeps the run from starting. From the first call on there is a report, whatever
    happens: a signal, the deadline, a bug.
    """
    if options.saved_plan is not None and options.selectors.shard is not None:
        from engine.app.shard_run import apply_shard

        return await apply_shard(options, emit, _run)
    emit = emit if options.trace is None else options.trace.tee(emit)
    started = now()
    approval, options = approval_of(options, started)
    loaded = read(options, started.date(), laid_over=preparation is not None)
    loaded = preparation.fleet(loaded) if preparation is not None else loaded
    return await _run(options, loaded, approval, emit, started, approval.confirm(confirm), preparation)


async def _run(
    options: AppOptions,
    loaded: Loaded,
    approval: Approval,
    emit: Emit,
    started: datetime,
    confirm: Callable[[Plan], bool] = lambda _: True,
    preparation: Preparation | None = None,
    keep: Callable[[ApplyReport], Awaitable[ApplyReport]] | None = None,
) -> ApplyReport | None:
    """Plan, compare with what was approved, ask, and carry it out. `keep` keeps the report elsewhere too."""
    from engine.app.begun import Begun
    from engine.app.session import joined

    if options.trace is not None:
        options.trace.loaded()
    begun = Begun.now(options, loaded, emit)
    with stops(options, begun.control):
        beginning = Beginning(begun.control)
        report: ApplyReport | None = None
        parts: Joined | None = None
        try:
            async with joined(options, loaded, begun, writes=True) as parts:
                whole = await planned(options, loaded, parts, preparation, running=True)
                made = whole.plan
                beginning.is_over()
                approval.check(made)
                if (made.changes or made.owners) and not made.denied:
                    if not confirm(made):
                        parts.decline()
                        return None
                    if options.asks:
                        started = now()
                        parts.restart_clock(started.timestamp())
                report = await _carried_out(loaded, parts, whole, options, started)
                calls = begun.with_all_calls(report.calls)
                report = await parts.finish(replace(report, calls=calls, lanes=parts.plan_lanes))
        except AppfleetError as error:  # after a report: of closing what was open
            if report is None:
                raise
            report = replace(report, errors=(*report.errors, trouble_of(error)))
        except BaseException as error:
            if not beginning.was_ended_by(error):
                raise
            calls = begun.with_all_calls({} if parts is None else parts.run.calls())
            report = _stopped_report(options, loaded, begun, started, calls)
    report = report if keep is None else await keep(report)
    report = await afterwards(options, () if options.is_part else loaded.settings.notify, report, emit)
    emit(finished(report))
    return report


def finished(report: ApplyReport) -> RunFinished:
    """Return the event that tells how a run ended: the last line of its log."""
    from engine.ports.events import RunFinished

    counts = {outcome.value: count for outcome, count in report.summary.items()}
    error = report.error
    texts = ("", "", "") if error is None else (error.code, error.message, error.hint)
    return RunFinished(report.result.value, round(report.seconds, 3), counts, int(report.exit_code), *texts)


async def _carried_out(
    loaded: Loaded, parts: Joined, whole: Planned, options: AppOptions, started: datetime
) -> ApplyReport:
    from engine.ports.events import RunStarted

    parts.run.emit(RunStarted(loaded.fleet.name, parts.version, len(whole.plan.changes)))
    begun_at = parts.run.control.now()
    report = await parts.run.apply(
        whole.plan,
        run_id=options.run_id,
        started=iso(started),
        weight=loaded.weight,
        wait=options.wait,
        notes=(*parts.notes, *drift_notes(whole.plan)),
        errors=whole.errors,
        quota_codes=whole.facts.quota_codes,
        compared=whole.compared,
        not_to_assign=whole.not_to_assign,
        ended=whole.ended,
    )
    forecast = whole.plan.forecast
    if forecast is None or not options.wait or whole.plan.denied:
        return report
    return replace(report, forecast=Foreseen.of(forecast, parts.run.control.now() - begun_at))


def _stopped_report(
    options: AppOptions, loaded: Loaded, begun: Begun, started: datetime, calls: Mapping[str, Mapping[str, int]]
) -> ApplyReport:
    """Return the report of a run that was stopped before it had a plan: `calls` are reads."""
    interrupted = begun.control.cause is Cause.INTERRUPTED
    outcome = Outcome.INTERRUPTED if interrupted else Outcome.SKIPPED
    why = why_stopped(begun.control, begun.deadline_s)
    return ApplyReport(
        run_id=options.run_id,
        fleet=loaded.fleet.name,
        started=iso(started),
        seconds=begun.control.now() - begun.control.started_at,
        apps=tuple(
            AppResult(app.key, Action.NONE, outcome, error=why)
            for app in loaded.fleet.apps
            if options.selectors.selects(app)
        ),
        calls=calls,
        interrupted=interrupted,
        interrupted_by=begun.control.signal,
        errors=() if interrupted else (why,),
    )
