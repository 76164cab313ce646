"""The composition root: what each command does, from the files to the result. The command line calls these and no more.

Here, and in `composition`, adapters are joined to the executor's ports; nowhere else.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.adapters.signals import Signals
from engine.adapters.state.state_dir import STATE_DIR_NAME
from engine.core.ending import trouble_of
from engine.core.errors import AppfleetError, ScanIncomplete, UsageError
from engine.core.limits import PLAN_AGE_MAX_SECONDS
from engine.core.outcome import ApplyReport, AppResult, Outcome
from engine.core.plan import Action, Plan
from engine.core.redact import Redactor
from engine.core.selection import require_declared
from engine.core.selectors import Selectors
from engine.executor.calls import StoppedError
from engine.executor.control import Cause
from engine.loading import Loaded, ValidateResult, load, validated
from engine.steps.approval import approval_of
from engine.steps.ends import why_stopped
from engine.steps.planning import iso, keys_named, planned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    from engine.composition import Begun, Joined
    from engine.core.desired import DesiredApp
    from engine.core.explain import Explanation
    from engine.core.identity import AppKey
    from engine.core.observed import ObservedFleet
    from engine.core.status import StatusView
    from engine.executor.control import Control
    from engine.ports.events import Emit, RunFinished
    from engine.steps.importing import ImportAsked, ImportResult
    from engine.steps.letting_go import Preparation
    from engine.steps.prices import PricesWritten

__all__ = [
    "AppOptions",
    "ValidateResult",
    "apply",
    "auth_mode",
    "dry_run",
    "explain",
    "import_domain",
    "plan",
    "prices",
    "status",
    "validate",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What the user asked for. Times are seconds.

    `simulate` is None for the real service, empty for a world made for the fleet, else a scenario's file. Of
    `allow_destructive` each is a KEY or PATTERN=COUNT as it was typed. `deadline_s` None: the policy's. `saved_plan` is
    the file of a plan that was approved, and `checksum` the fingerprint of one. `asks` says that somebody answers
    before the run: its clock then starts at the yes.
    """

    fleet_file: Path
    state_dir: Path | None = None
    endpoint_url: str | None = None
    selectors: Selectors = field(default_factory=Selectors)
    simulate: str | None = None
    prune: bool = False
    adopt: bool = False
    from_fleet: str = ""
    replace_on_drift: bool = False
    replace_keys: frozenset[AppKey] = frozenset()
    retry_quarantined: bool = False
    allow_destructive: tuple[str, ...] = ()
    run_id: str = ""
    wait: bool = True
    deadline_s: float | None = None
    lock_timeout_s: float = 0.0
    command: str = "apply"
    redactor: Redactor = field(default_factory=Redactor)
    saved_plan: Path | None = None
    plan_age_max_s: float = PLAN_AGE_MAX_SECONDS
    checksum: str = ""
    refresh_quotas: bool = False
    strict: bool = False
    asks: bool = False
    signals: Signals = field(default_factory=Signals)

    @property
    def state_path(self) -> Path:
        """Where the state is kept."""
        return self.state_dir or self.fleet_file.absolute().parent / STATE_DIR_NAME


def validate(options: AppOptions) -> ValidateResult:
    """Read and check everything that can be checked offline. Raises ConfigError with every problem."""
    return validated(options.fleet_file, _today())


async def plan(options: AppOptions, emit: Emit) -> Plan:
    """Observe, and give the plan. No lock is taken; only a simulated world and the quotas of the day are written.

    A signal ends it at once as KeyboardInterrupt, with everything closed; so it does `dry_run` and `status`.
    """
    loaded = _read(options, _today())
    made, _ = await _looked(options, loaded, emit)
    return made


async def import_domain(options: AppOptions, asked: ImportAsked, emit: Emit) -> ImportResult:
    """List a live domain, and give its fleet file, proved to plan to nothing. Raises UsageError and CloudError."""
    from engine.steps.importing import bare_fleet, checked, found_in, with_region

    asked = with_region(asked)
    head = bare_fleet(asked)
    found = await _looking(options, head, emit, found_in)
    return checked(asked, found, _now())


async def auth_mode(options: AppOptions, domain: str, emit: Emit) -> str:
    """Ask how people sign in to a domain of the fleet, `IAM` or `SSO`; empty where that cannot be read."""
    from engine.executor.owner_look import auth_mode as asked

    options = replace(options, selectors=Selectors(domains=(domain,)))
    loaded = _read(options, _today())
    return await _looking(options, loaded, emit, lambda _options, _loaded, parts: asked(parts.run, domain))


async def dry_run(options: AppOptions, emit: Emit) -> tuple[Plan, Callable[[DesiredApp], float]]:
    """Observe, and give the plan with the weights by which a run would order it."""
    loaded = _read(options, _today())
    made, _ = await _looked(options, loaded, emit)
    return made, loaded.weight


async def status(options: AppOptions, emit: Emit, expiring_within_s: float) -> StatusView:
    """Observe, and give what is there beside what is desired, with what will expire within so many seconds."""
    from engine.steps.status import looked_at

    loaded = _read(options, _today())
    return await _looking(options, loaded, emit, partial(looked_at, now=_now(), expiring_within_s=expiring_within_s))


async def prices(options: AppOptions, regions: Sequence[str], out: Path | None, emit: Emit) -> PricesWritten:
    """Ask what apps cost in `regions` (none: those of the fleet), and write the policy file that says so.

    Raises AppfleetError: for what is no region, a caller that may not ask, a list that is not understood, and a file
    that cannot be written.
    """
    from engine.composition import price_tables
    from engine.steps.prices import put_prices, standing_prices

    standing = standing_prices(out)
    # With regions that are named a fleet file is not needed; where there is one, its domains say whose credentials.
    loaded = _read(options, _today()) if not regions or options.fleet_file.exists() else None
    domains = () if loaded is None else loaded.fleet.domains
    with _stopped_by_signals(options.signals):
        tables = await price_tables(options, domains, regions, emit)
    return put_prices(out, standing, tables, _today(), loaded)


async def explain(options: AppOptions, key: AppKey, emit: Emit) -> Explanation:
    """Give what is known of one app; the planner's decision is left out, with the reason, where nothing can be listed.

    Raises UsageError for a key that names nothing declared or observed.
    """
    from engine.explaining import explained, find_app

    loaded = _read(options, _today())
    declared, _ = find_app(loaded, key)
    key = key if declared is None else declared.key  # a user profile's name may be typed in any case
    options = replace(options, selectors=Selectors(keys=(key,)))
    try:
        made, observed = await _looked(options, loaded, emit)
    except UsageError:
        raise
    except AppfleetError as error:
        return explained(loaded, key, _today(), trouble=str(error))
    return explained(loaded, key, _today(), made, observed)


async def apply(
    options: AppOptions, emit: Emit, confirm: Callable[[Plan], bool], preparation: Preparation | None = None
) -> ApplyReport | None:
    """Plan, ask, and carry it out under the fleet's lock; None when the answer was no.

    `preparation` lays something over the fleet and its plan, for the commands that are an apply of a kind.
    Raises AppfleetError for what keeps the run from starting. From the first call on there is a report, whatever
    happens: a signal, the deadline, a bug.
    """
    from engine.composition import Begun, joined

    started = _now()
    approval, options = approval_of(options, started)
    confirm = approval.confirm(confirm)
    loaded = _read(options, started.date(), laid_over=preparation is not None)
    loaded = preparation.fleet(loaded) if preparation is not None else loaded
    begun = Begun.now(options, loaded, emit)
    with _stops(options, begun.control):
        beginning = Beginning(begun.control)
        report: ApplyReport | None = None
        try:
            async with joined(options, loaded, begun, writes=True) as parts:
                made, _ = await planned(options, loaded, parts, preparation, running=True)
                beginning.is_over()
                approval.check(made)
                if (made.changes or made.owners) and not made.denied:
                    if not confirm(made):
                        parts.decline()
                        return None
                    if options.asks:
                        started = _now()
                        parts.restart_clock(started.timestamp())
                report = await _carried_out(loaded, parts, made, options, started)
                calls = begun.with_all_calls(report.calls)
                report = parts.finish(replace(report, calls=calls, lanes=parts.plan_lanes))
        except AppfleetError as error:  # after a report: of closing what was open
            if report is None:
                raise
            report = replace(report, errors=(*report.errors, trouble_of(error)))
        except BaseException as error:
            if not beginning.was_ended_by(error):
                raise
            report = _stopped_report(options, loaded, begun, started)
    emit(finished(report))
    return report


def finished(report: ApplyReport) -> RunFinished:
    """Return the event that tells how a run ended: the last line of its log."""
    from engine.ports.events import RunFinished

    counts = {outcome.value: count for outcome, count in report.summary.items()}
    error = report.error
    texts = ("", "", "") if error is None else (error.code, error.message, error.hint)
    return RunFinished(report.result.value, round(report.seconds, 3), counts, int(report.exit_code), *texts)


def _read(options: AppOptions, today: date, *, laid_over: bool = False) -> Loaded:
    """Read the files, and see that the flags that speak of them can be read too, before anything is called.

    `laid_over`: a command declares more than the files do, and selects it.
    """
    loaded = load(options.fleet_file, today, strict=options.strict)
    named = keys_named(options, loaded)
    if not laid_over:
        require_declared(options.selectors, named, loaded.fleet, loaded.teams)
    return loaded


async def _carried_out(
    loaded: Loaded, parts: Joined, made: Plan, options: AppOptions, started: datetime
) -> ApplyReport:
    from engine.ports.events import RunStarted

    parts.run.emit(RunStarted(loaded.fleet.name, parts.version, len(made.changes)))
    return await parts.run.apply(
        made,
        run_id=options.run_id,
        started=iso(started),
        weight=loaded.weight,
        wait=options.wait,
        notes=parts.notes,
    )


async def _looked(options: AppOptions, loaded: Loaded, emit: Emit) -> tuple[Plan, ObservedFleet]:
    return await _looking(options, loaded, emit, planned)


async def _looking(
    options: AppOptions, loaded: Loaded, emit: Emit, look: Callable[[AppOptions, Loaded, Joined], Awaitable[T]]
) -> T:
    """Do the part of a command that calls the service and changes nothing."""
    from engine.composition import Begun, joined

    begun = Begun.now(options, loaded, emit)
    with _stops(options, begun.control):
        beginning = Beginning(begun.control)
        try:
            async with joined(options, loaded, begun, writes=False) as parts:
                return await look(options, loaded, parts)
        except BaseException as error:
            if not beginning.was_ended_by(error):
                raise
    if begun.control.cause is Cause.INTERRUPTED:
        raise KeyboardInterrupt(begun.control.signal)
    why = why_stopped(begun.control, begun.deadline_s)
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
        # Asking for leave is what notices the deadline, and a call that hangs does not ask.
        self._deadline = asyncio.get_running_loop().call_at(control.deadline_at, control.may_call)

    def is_over(self) -> None:
        """From now on the executor stops in order by itself."""
        self._open = False
        self._deadline.cancel()

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


def _stopped_report(options: AppOptions, loaded: Loaded, begun: Begun, started: datetime) -> ApplyReport:
    """Give the report of a run that was stopped before it had a plan: nothing was called but listings."""
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
        calls=begun.with_all_calls({}),
        interrupted=interrupted,
        interrupted_by=begun.control.signal,
        errors=() if interrupted else (why,),
    )


def _stops(options: AppOptions, control: Control) -> AbstractContextManager[None]:
    """Let signals stop the run in order."""
    return options.signals.directed_to(control.interrupt, asyncio.get_running_loop().call_soon_threadsafe)


@contextmanager
def _stopped_by_signals(signals: Signals) -> Iterator[None]:
    """Let a signal cancel what the block awaits, and end it as KeyboardInterrupt: for commands that only look."""
    task = asyncio.current_task()
    stops: list[str] = []

    def stop(name: str) -> None:
        stops.append(name)
        if len(stops) == 1 and task is not None:
            task.cancel()

    with signals.directed_to(stop, asyncio.get_running_loop().call_soon_threadsafe):
        try:
            yield
        except asyncio.CancelledError:
            if not stops:
                raise
            raise KeyboardInterrupt(*stops[:1]) from None


def _now() -> datetime:
    return datetime.now(UTC)


def _today() -> date:
    return _now().date()
