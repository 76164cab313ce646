"""Adapters joined to the executor for one command: clients, journal, lock, pace, clock, and a simulated world if asked.

A context manager, so that everything that was opened is closed in the order in which it may be: the journal's end
comes before the lock's.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from engine.adapters.log.loop_watch import LoopWatch
from engine.adapters.pace import ThrottlePace
from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.journal_reader import read_memory
from engine.adapters.state.lock import FleetLock, Holder
from engine.adapters.state.run_words import run_words
from engine.adapters.state.since_boot import since_boot
from engine.adapters.state.state_dir import StateDir
from engine.adapters.state.timeline import READS, WRITES, Timeline
from engine.app.ends import JournalEnd
from engine.app.quota_cache import cached_quotas
from engine.app.reaching import Clouds, Reached, foreign_notes, reach
from engine.core.buckets import bucket_of
from engine.core.ending import DECLINED, trouble_of
from engine.core.errors import BugError, NotConfirmedError
from engine.core.hours_of_run import hours_of_run
from engine.core.identity import Lane
from engine.core.limits import JOURNAL_REFUSALS_MAX_COUNT
from engine.executor.fleet_run import FleetRun
from engine.ports.journal import NoJournal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from engine.app.begun import Begun
    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.quota_cache import QuotaCache
    from engine.app.reaching import AccountCalls
    from engine.app.simulated import Simulation
    from engine.core.desired import DesiredDomain
    from engine.core.outcome import ApplyReport
    from engine.core.plan import PlanLane
    from engine.core.settings import Settings
    from engine.core.trouble import Trouble
    from engine.executor.control import Control
    from engine.executor.link import Link
    from engine.ports.events import Emit, Event
    from engine.ports.journal import Memory

VERSION: Final = version("appfleet")


async def _nothing_left() -> str:
    """Write nothing: a state folder has everything already."""
    return ""


@dataclass(frozen=True, slots=True)
class Joined:
    """What a command works with. `notes` are for the reader of the result."""

    run: FleetRun
    plan_lanes: tuple[PlanLane, ...]
    notes: tuple[str, ...]
    journal: SqliteJournal | None
    state: StateDir
    account: Callable[[DesiredDomain], Awaitable[AccountCalls | None]]
    quotas: QuotaCache | None
    simulation: Simulation | None = None
    version: str = VERSION
    keep_timeline: Callable[[ApplyReport], None] = lambda _: None
    restart_timeline: Callable[[], None] = lambda: None
    journal_note: Callable[[], str] = lambda: ""
    end_of_state: Callable[[], Awaitable[str]] = _nothing_left

    def restart_clock(self, started: float) -> None:
        """Restart the run's clock; `started` is the same moment in epoch seconds."""
        self.run.control.restart()
        self.restart_timeline()
        if self.journal is not None:
            self.journal.restart(started)

    async def finish(self, report: ApplyReport) -> ApplyReport:
        """Write the run's end into the journal, and return the report with what could not be kept.

        A run that was cut off has no clean end: what it had in flight may yet show.
        """
        if self.journal is None:
            return report
        self.keep_timeline(report)
        clean_end = not self.run.control.aborted.is_set()
        self.journal.finish(report.result.value, int(report.exit_code), time.time(), report.error, clean_end=clean_end)
        notes = [note for note in (self.journal_note(), await self.end_of_state()) if note]
        return replace(report, notes=(*report.notes, *notes)) if notes else report

    def decline(self) -> None:
        """Write into the journal that the answer was no."""
        if self.journal is not None:
            error = NotConfirmedError()
            self.journal.finish(DECLINED, int(error.exit_code), time.time(), trouble_of(error))


@asynccontextmanager
async def joined(options: AppOptions, loaded: Loaded, begun: Begun, *, writes: bool) -> AsyncIterator[Joined]:
    """Open everything for one command; with `writes` under the fleet's lock and with a journal.

    Raises AppfleetError: an unsafe state folder, a held lock, an endpoint that cannot be used, credentials of another
    account, or no domain that can be reached.
    """
    fleet, emit = loaded.fleet, begun.emit
    async with AsyncExitStack() as stack:
        stack.enter_context(LoopWatch(asyncio.get_running_loop(), emit))
        header = RunHeader(options.run_id, fleet.name, VERSION, time.time())
        kept = await _local(options, header, begun, stack, writes=writes) if options.state_url is None else None
        simulation = _simulation(options, loaded, stack)
        endpoint_url = options.endpoint_url if simulation is None else simulation.url
        domains = fleet.domains if simulation is None else simulation.known(fleet.domains)
        clouds = await stack.enter_async_context(
            Clouds(
                concurrency=loaded.settings.execution.concurrency, endpoint_url=endpoint_url, redactor=options.redactor
            )
        )
        reached = [domain for domain in domains if options.selectors.selects_domain(domain.name)]
        backoffs = loaded.settings.backoffs if writes else replace(loaded.settings.backoffs, refused_s=0.0)
        settings = replace(loaded.settings, backoffs=backoffs)
        found = await reach(clouds, reached, backoffs, begun)
        if kept is None:
            kept, found = await _shared(options, header, begun, stack, found, writes=writes)
        state, journal, memory = kept.state, kept.journal, kept.memory
        # A simulated world is nobody's mistake.
        notes = foreign_notes(found.lanes, emit) if options.simulate is None else ()
        beside = (clouds.account, cached_quotas(state, options), simulation)
        if journal is None:
            run = _run(loaded.fleet.name, settings, found, begun.control, kept, emit)
            yield Joined(run, found.lanes, notes, None, state, *beside)
            return
        timeline = _timeline(journal, found.links, memory, loaded)

        def tell(event: Event) -> None:
            emit(event)
            timeline.emit(event)

        run = _run(loaded.fleet.name, settings, found, begun.control, kept, tell)
        keep = partial(_keep_timeline, timeline, options, loaded, found.links)
        yield Joined(
            run,
            found.lanes,
            (*notes, *journal.notes),
            journal,
            state,
            *beside,
            keep_timeline=keep,
            restart_timeline=timeline.restart,
            journal_note=kept.note,
            end_of_state=kept.end,
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered, and what a run writes it into.

    `note` says what the journal could not keep; `end` and `guards` are those of a shared state.
    """

    state: StateDir
    journal: SqliteJournal | None
    memory: Memory
    note: Callable[[], str] = lambda: ""
    end: Callable[[], Awaitable[str]] = _nothing_left
    guards: Mapping[Lane, Callable[[], Trouble | None]] = field(default_factory=dict)


async def _local(options: AppOptions, header: RunHeader, begun: Begun, stack: AsyncExitStack, *, writes: bool) -> _Kept:
    """Open the state folder; with `writes` under the fleet's lock and with a journal."""
    state = stack.enter_context(StateDir.open(options.state_path, create=writes or options.simulate is not None))
    if not writes:
        return _Kept(state, None, read_memory(state, header.fleet))
    await stack.enter_async_context(_locked(options, header.fleet, state, begun.control))
    journal = SqliteJournal.open(state, header)
    return _Kept(state, journal, journal.memory, _ending(journal, begun, stack))


def _ending(journal: SqliteJournal, begun: Begun, stack: AsyncExitStack) -> Callable[[], str]:
    """Close the journal as the stack is left; return what says what it could not keep."""
    end = JournalEnd(journal, begun.control, begun.deadline_s, begun.emit)
    stack.push(end)
    return end.note


async def _shared(
    options: AppOptions, header: RunHeader, begun: Begun, stack: AsyncExitStack, found: Reached, *, writes: bool
) -> tuple[_Kept, Reached]:
    """Open the state that machines share: with `writes` with a lease on each lane; those of other runs are left out."""
    from engine.app.shared_state import shared_run
    from engine.app.shared_store import opened_store, read_state, scratch_folder
    from engine.executor.patient_store import PatientStore

    url, links = options.state_url, found.links
    if url is None:  # pragma: no cover - whoever calls has looked
        raise BugError("there is no shared state")
    if not writes:
        state = stack.enter_context(scratch_folder())
        region = next((link.domain.region for link in links.values()), "")  # a shard may have no lane
        async with opened_store(options, url, header.fleet, region) as store:
            await read_state(PatientStore(store), state, newest=JOURNAL_REFUSALS_MAX_COUNT + 1)
        return _Kept(state, None, read_memory(state, header.fleet)), found
    shared = await stack.enter_async_context(shared_run(options, url, tuple(links.values()), header, begun))
    reached = {name: link for name, link in links.items() if link.lane not in shared.held_back}
    held_back = {name: shared.held_back[link.lane] for name, link in links.items() if name not in reached}
    lanes = tuple(one for one in found.lanes if Lane(one.account, one.region) not in shared.held_back)
    note = _ending(shared.journal, begun, stack)
    kept = _Kept(shared.state, shared.journal, shared.journal.memory, note, shared.end, shared.guards)
    return kept, Reached(reached, {**found.unreachable, **held_back}, lanes)


def _simulation(options: AppOptions, loaded: Loaded, stack: AsyncExitStack | ExitStack) -> Simulation | None:
    """Serve a simulated SageMaker until the stack is left, where one is asked for."""
    if options.simulate is None:
        return None
    from engine.app.simulated import simulated

    return stack.enter_context(simulated(options, loaded))


@contextmanager
def endpoint_of(options: AppOptions, loaded: Loaded) -> Iterator[str | None]:
    """Yield the endpoint that calls beside a session go to: of the simulation, where one is asked for."""
    with ExitStack() as stack:
        if options.simulate is not None:
            stack.enter_context(StateDir.open(options.state_path, create=True))
        simulation = _simulation(options, loaded, stack)
        yield options.endpoint_url if simulation is None else simulation.url


def _locked(options: AppOptions, fleet: str, state: StateDir, control: Control) -> AbstractAsyncContextManager[None]:
    """Hold the fleet's lock, and let the run look before each call whether it still does."""
    lock = FleetLock(state, fleet)
    control.guard_with(lambda: trouble_of(lock.lost_error()) if lock.is_lost() else None)
    holder = Holder.of_this_process(options.run_id, options.command, now=time.time())
    return lock.acquire(holder, options.lock_timeout_s)


def _timeline(journal: SqliteJournal, links: Mapping[str, Link], memory: Memory, loaded: Loaded) -> Timeline:
    """Begin the run's timeline with the rates that its lanes begin with."""
    execution = loaded.settings.execution
    first = {
        link.lane: {WRITES: memory.last_rates.get(link.lane, execution.create_rate), READS: execution.read_rate}
        for link in links.values()
    }
    return Timeline(journal, clock=time.monotonic, first_rates=first)


def _keep_timeline(
    timeline: Timeline, options: AppOptions, loaded: Loaded, links: Mapping[str, Link], report: ApplyReport
) -> None:
    """Keep the rest of the timeline, with what the result says, what the apps cost, and what the run was asked for."""
    from engine.app.next_options import asked_pairs, lifting
    from engine.policy.prices import PriceBook, is_reserved

    book = PriceBook(loaded.settings.prices)
    reserved = {
        app.key: str(bucket_of(links[app.key.domain].lane, app.key.app_type, app.spec))
        for app in loaded.fleet.apps
        if is_reserved(app.spec) and app.key.domain in links
    }

    def price(domain: str, app_type: str, instance_type: str) -> float | None:
        link = links.get(domain)
        return None if link is None else book.price(link.domain.region, app_type, instance_type)

    asked = asked_pairs(lifting(options, report))
    hours = hours_of_run(loaded.fleet.apps, report.apps, datetime.fromisoformat(report.started))
    timeline.finish(run_words(report, price=price, asked=asked, reserved=reserved, hours=hours), loaded.table_rows)


def _run(
    fleet: str,
    settings: Settings,
    found: Reached,
    control: Control,
    kept: _Kept,
    emit: Emit,
) -> FleetRun:
    return FleetRun(
        fleet=fleet,
        links=found.links,
        unreachable=found.unreachable,
        settings=settings,
        control=control,
        journal=kept.journal if kept.journal is not None else NoJournal(),
        memory=kept.memory,
        make_pace=lambda: ThrottlePace(1.0),
        emit=emit,
        wall=time.time,
        jitter=random.Random().random,
        since_boot=since_boot,
        guards=kept.guards,
    )
