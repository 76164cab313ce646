"""The composition root: what each command does, from the files to the result. The command line calls these and no more.

Here, and in `composition`, adapters are joined to the executor's ports; nowhere else.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from engine.core.errors import AppfleetError, ScanIncomplete
from engine.core.outcome import ApplyReport, AppResult, Outcome, Trouble
from engine.core.plan import Action, Plan
from engine.core.plan_options import PlanOptions
from engine.core.planner import needs_ownership, plan_fleet
from engine.core.selectors import Selectors
from engine.core.status import StatusView, status_of
from engine.executor.calls import StoppedError
from engine.executor.control import Cause
from engine.loading import Loaded, ValidateResult, load, validated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    from engine.composition import Begun, Joined
    from engine.core.desired import DesiredApp
    from engine.core.identity import AppKey
    from engine.core.observed import ObservedFleet
    from engine.executor.control import Control
    from engine.ports.events import Emit

__all__ = ["AppOptions", "ValidateResult", "apply", "dry_run", "plan", "status", "validate"]

STATE_DIR_NAME: Final = ".appfleet"


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What the user asked for. Times are seconds.

    `simulate` is None for the real service, empty for a world made for the fleet, else a scenario's file. Of
    `allow_destructive` each is a KEY or PATTERN=COUNT as it was typed. `deadline_s` None: the policy's.
    """

    fleet_file: Path
    state_dir: Path | None = None
    endpoint_url: str | None = None
    selectors: Selectors = field(default_factory=Selectors)
    simulate: str | None = None
    prune: bool = False
    replace_on_drift: bool = False
    replace_keys: frozenset[AppKey] = frozenset()
    retry_quarantined: bool = False
    allow_destructive: tuple[str, ...] = ()
    run_id: str = ""
    wait: bool = True
    deadline_s: float | None = None
    lock_timeout_s: float = 0.0
    command: str = "apply"

    @property
    def state_path(self) -> Path:
        """Where the state is kept."""
        return self.state_dir or self.fleet_file.absolute().parent / STATE_DIR_NAME


def validate(options: AppOptions) -> ValidateResult:
    """Read and check everything that can be checked offline. Raises ConfigError with every problem."""
    return validated(options.fleet_file, _today())


async def plan(options: AppOptions, emit: Emit) -> Plan:
    """Observe, and give the plan. No lock is taken and nothing is written but a simulated world.

    A signal ends it at once as KeyboardInterrupt, with everything closed; so it does `dry_run` and `status`.
    """
    loaded = _read(options, _today())
    made, _ = await _looked(options, loaded, emit)
    return made


async def dry_run(options: AppOptions, emit: Emit) -> tuple[Plan, Callable[[DesiredApp], float]]:
    """Observe, and give the plan with the weights by which a run would order it."""
    loaded = _read(options, _today())
    made, _ = await _looked(options, loaded, emit)
    return made, loaded.weight


async def status(options: AppOptions, emit: Emit) -> StatusView:
    """Observe, and give what is there beside what is desired."""
    loaded = _read(options, _today())
    made, observed = await _looked(options, loaded, emit)
    errors = tuple(
        Trouble(domain.error.code, f"domain {name}: {domain.error.message}", domain.error.hint)
        for name, domain in sorted(observed.domains.items())
        if domain.error is not None
    )
    return status_of(made, errors)


async def apply(options: AppOptions, emit: Emit, confirm: Callable[[Plan], bool]) -> ApplyReport | None:
    """Plan, ask, and carry it out under the fleet's lock; None when the answer was no.

    Raises AppfleetError for what keeps the run from starting. From the first call on there is a report, whatever
    happens: a signal, the deadline, a bug.
    """
    from engine.composition import Begun, joined
    from engine.ports.events import RunFinished

    started = _now()
    loaded = _read(options, started.date())
    begun = Begun.now(options, loaded, emit)
    with _signals(begun.control.interrupt):
        beginning = Beginning(begun.control)
        report: ApplyReport | None = None
        try:
            async with joined(options, loaded, begun, writes=True) as parts:
                made, _ = await _planned(options, loaded, parts)
                beginning.is_over()
                if made.changes and not made.denied and not confirm(made):
                    parts.decline()
                    return None
                report = await _carried_out(loaded, parts, made, options, started)
                report = replace(report, calls=begun.with_all_calls(report.calls))
                parts.finish(report)
        except AppfleetError as error:  # after a report: of closing what was open
            if report is None:
                raise
            report = replace(report, errors=(*report.errors, Trouble(error.code, error.message, error.hint)))
        except BaseException as error:
            if not beginning.was_ended_by(error):
                raise
            report = _stopped_report(options, loaded, begun, started)
    counts = {outcome.value: count for outcome, count in report.summary.items()}
    emit(RunFinished(report.result.value, round(report.seconds, 3), counts, int(report.exit_code)))
    return report


def _read(options: AppOptions, today: date) -> Loaded:
    """Read the files, and see that the flags that speak of them can be read too, before anything is called."""
    loaded = load(options.fleet_file, today)
    loaded.allowed_keys(options.allow_destructive)
    return loaded


async def _carried_out(
    loaded: Loaded, parts: Joined, made: Plan, options: AppOptions, started: datetime
) -> ApplyReport:
    from engine.ports.events import RunStarted

    parts.run.emit(RunStarted(loaded.fleet.name, parts.version, len(made.changes)))
    return await parts.run.apply(
        made,
        run_id=options.run_id,
        started=_iso(started),
        weight=loaded.weight,
        wait=options.wait,
        notes=parts.notes,
    )


async def _looked(options: AppOptions, loaded: Loaded, emit: Emit) -> tuple[Plan, ObservedFleet]:
    """Do the part of a command that calls the service and changes nothing."""
    from engine.composition import Begun, joined

    begun = Begun.now(options, loaded, emit)
    with _signals(begun.control.interrupt):
        beginning = Beginning(begun.control)
        try:
            async with joined(options, loaded, begun, writes=False) as parts:
                return await _planned(options, loaded, parts)
        except BaseException as error:
            if not beginning.was_ended_by(error):
                raise
    if begun.control.cause is Cause.INTERRUPTED:
        raise KeyboardInterrupt
    why = _why_stopped(begun)
    raise ScanIncomplete(why.message, hint=why.hint, operation="ListApps")


class Beginning:
    """The part of a command in which a stop may simply cancel it: nothing is called yet but what looks.

    It begins when this is made, in the task of the command, and ends with `is_over`.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._task = asyncio.current_task()
        self._open = True
        self._cancelled = False
        control.tell(self._stop)

    def is_over(self) -> None:
        """From now on the executor stops in order by itself."""
        self._open = False

    def was_ended_by(self, error: BaseException) -> bool:
        """Whether `error` is what a stop in this part comes to, rather than an error of its own."""
        if not self._open or self._control.cause is None or not _is_a_stop(error):
            return False
        if self._cancelled and self._task is not None:
            self._task.uncancel()
        return True

    def _stop(self) -> None:
        if self._open and not self._cancelled and self._task is not None:
            self._cancelled = True
            self._task.cancel()


def _is_a_stop(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_a_stop(inner) for inner in error.exceptions)
    return isinstance(error, asyncio.CancelledError | StoppedError)


async def _planned(options: AppOptions, loaded: Loaded, parts: Joined) -> tuple[Plan, ObservedFleet]:
    """Observe what the selectors reach, read whose it is where that matters, plan, and check the guardrails."""
    from engine.ports.events import PlanComputed, RuleFired

    fleet = loaded.fleet
    sizes = parts.run.memory.domain_sizes
    owners = {}
    for domain in fleet.domains:
        rows = sizes.get(domain.domain_id)
        pages = None if rows is None else max(1, -(-rows // 100))
        reached = options.selectors.owners_to_list(fleet, domain.name, domain_pages=pages)
        if reached != ():
            owners[domain.name] = reached
    observed = await parts.run.observe(owners)
    asked = _plan_options(options, loaded, parts)
    unread = needs_ownership(fleet, observed, asked)
    if unread:
        observed = await parts.run.read_ownership(observed, unread)
    made = plan_fleet(fleet, observed, asked)
    guarded = loaded.guardrails(made, observed, options.allow_destructive)
    if guarded:
        made = replace(made, findings=tuple(sorted((*made.findings, *guarded))), denied=True)
    counts = made.summary
    parts.run.emit(
        PlanComputed(
            made.fingerprint,
            counts["create"],
            counts["delete"],
            counts["delete_then_create"],
            counts["none"],
            counts["unmanaged"],
            counts["denied"],
            made.complete,
        )
    )
    for finding in made.findings:
        parts.run.emit(RuleFired(finding.rule, finding.enforcement, finding.key, finding.message, finding.source))
    return made, observed


def _plan_options(options: AppOptions, loaded: Loaded, parts: Joined) -> PlanOptions:
    made_at = _now()
    memory = parts.run.memory
    return PlanOptions(
        made_at=_iso(made_at),
        today=made_at.date(),
        safety=loaded.settings.safety,
        selectors=options.selectors,
        prune=options.prune,
        replace_on_drift=options.replace_on_drift,
        replace_keys=options.replace_keys,
        allow_destructive=loaded.allowed_keys(options.allow_destructive),
        once_done=memory.once_done,
        quarantined=loaded.quarantined(memory),
        retry_quarantined=options.retry_quarantined,
        denied_keys=loaded.admitted.denied_keys,
        run_denied=loaded.admitted.run_denied,
        findings=loaded.admitted.findings,
        lanes=parts.plan_lanes,
        domain_lanes={name: link.lane for name, link in parts.run.links.items()},
    )


def _stopped_report(options: AppOptions, loaded: Loaded, begun: Begun, started: datetime) -> ApplyReport:
    """Give the report of a run that was stopped before it had a plan: nothing was called but listings."""
    interrupted = begun.control.cause is Cause.INTERRUPTED
    outcome = Outcome.INTERRUPTED if interrupted else Outcome.SKIPPED
    why = _why_stopped(begun)
    return ApplyReport(
        run_id=options.run_id,
        fleet=loaded.fleet.name,
        started=_iso(started),
        seconds=begun.control.now() - begun.control.started_at,
        apps=tuple(
            AppResult(app.key, Action.NONE, outcome, error=why)
            for app in loaded.fleet.apps
            if options.selectors.selects(app)
        ),
        calls=begun.with_all_calls({}),
        interrupted=interrupted,
        errors=() if interrupted else (why,),
    )


def _why_stopped(begun: Begun) -> Trouble:
    if begun.control.cause is Cause.INTERRUPTED:
        return Trouble("interrupted", "the run was interrupted before it had a plan; nothing was changed", "Run again")
    return Trouble(
        "deadline",
        f"the run's deadline ({begun.deadline_s:g}s) came before everything was listed; nothing was changed",
        "Give it more time with --deadline or [execution] deadline, or select less",
    )


@contextmanager
def _signals(interrupt: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP stop the run in order. A shell that ignores SIGINT for us is overruled."""
    loop = asyncio.get_running_loop()
    caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in caught:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def _now() -> datetime:
    return datetime.now(UTC)


def _today() -> date:
    return _now().date()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
