"""One run over all lanes: observe, then carry out a plan, then say what became of everything.

Every task lives inside one task group, and every operation is ended before this returns: by its own course, by the
end of the run's time, by a signal, or as a bug.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from engine.core.change import Action
from engine.core.limits import DRAIN_MAX_SECONDS, JOURNAL_ALIVE_SECONDS, LIST_PAGE_MAX_ROWS
from engine.core.observed import ObservedDomain, ObservedFleet
from engine.core.outcome import GOOD_OUTCOMES, ApplyReport, AppResult, Outcome, OwnerResult
from engine.executor.asking import unless_aborted
from engine.executor.assigning import Assigning
from engine.executor.begin import Beginning
from engine.executor.calls import ACCOUNT_READS, LISTING_READS, LaneCalls, StoppedError, counted
from engine.executor.cause import Cause
from engine.executor.control import wait_for
from engine.executor.course import Over, late_max_s, left_over
from engine.executor.kinds.app_watch import AppWatcher
from engine.executor.kinds.owner_watch import OwnerWatcher
from engine.executor.lane import LaneRun, place
from engine.executor.ledger import Ledger
from engine.executor.operation import Phase
from engine.executor.optional import OptionalServices
from engine.executor.outages import Outages
from engine.executor.owner_scan import OwnerScanner
from engine.executor.reach import Reach, Turns
from engine.executor.ready import ReadyQueue
from engine.executor.scan import Scanner
from engine.executor.step import End
from engine.executor.troubles import ABORTED, UNANSWERED, run_errors
from engine.executor.workers import Workers, follow
from engine.ports.events import RunWaited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from engine.core.desired import DesiredApp
    from engine.core.errors import AppfleetError
    from engine.core.identity import Lane, Owner
    from engine.core.plan import Plan
    from engine.core.settings import Settings
    from engine.core.trouble import Trouble
    from engine.executor.control import Control
    from engine.executor.link import Link
    from engine.executor.operation import AnyOperation, Kind
    from engine.executor.watcher import DomainWatcher
    from engine.ports.events import Emit
    from engine.ports.journal import Journal, Memory
    from engine.ports.pace import Pace


@dataclass(slots=True)
class FleetRun:
    """Everything that one run shares.

    `links` are the domains that can be reached; `unreachable` holds the error of each one that cannot. `wall` gives
    epoch seconds, `jitter` numbers in [0, 1); `on_bug` is told of every exception that should not have been.
    `since_boot` goes on while the machine sleeps (without it: the loop's clock). `guards` say why a lane was lost.
    """

    fleet: str
    links: Mapping[str, Link]
    unreachable: Mapping[str, AppfleetError]
    settings: Settings
    control: Control
    journal: Journal
    memory: Memory
    make_pace: Callable[[], Pace]
    emit: Emit
    wall: Callable[[], float]
    jitter: Callable[[], float]
    on_bug: Callable[[BaseException], None] = lambda _: None
    since_boot: Callable[[], float] | None = None
    guards: Mapping[Lane, Callable[[], Trouble | None]] = field(default_factory=dict)
    optional: OptionalServices = field(default_factory=OptionalServices)
    lanes: dict[Lane, LaneRun] = field(default_factory=dict)
    _calls: dict[Lane, LaneCalls] = field(default_factory=dict)
    _account_calls: dict[Lane, LaneCalls] = field(default_factory=dict)
    _rows: dict[str, int] = field(default_factory=dict)
    _listing_errors: dict[str, AppfleetError] = field(default_factory=dict)
    _turns: Turns = field(default_factory=Turns)
    _outages: Outages = field(init=False)
    _listed_at: float = 0.0
    _bug: str = ""

    def __post_init__(self) -> None:
        """Join what is said of endpoints to the domains that need them."""
        self._outages = Outages(self.emit, lambda name: self.links[name].beside(self.links.values()))

    async def observe(
        self, owners: Mapping[str, Sequence[Owner] | None], *, create_in_doubt_at: float | None = None
    ) -> ObservedFleet:
        """List the domains that `owners` names, all at once: whole (None), or these owners where that is cheaper.

        `create_in_doubt_at` is when the last create was sent that may still make what is to go, in epoch seconds: it is
        waited for, since what a listing does not show yet would be left behind. A domain that cannot be listed stands
        there with its error. Raises StoppedError when the run is stopped meanwhile.
        """
        await self._let_last_calls_show(create_in_doubt_at)
        self._listed_at = self.wall()
        observed: dict[str, ObservedDomain] = {}

        async def one(name: str) -> None:
            link = self.links[name]
            known = self.memory.domain_sizes.get(link.domain.domain_id)
            pages = None if known is None else max(1, -(-known // LIST_PAGE_MAX_ROWS))
            with suppress(StoppedError):  # said once, below, and not as a group of many
                observed[name] = await Scanner(self.reach(name)).scan(owners[name], pages)

        async with unless_aborted(self.control), asyncio.TaskGroup() as group:
            for name in (names := sorted(owners)):
                if name in self.links:
                    group.create_task(one(name))
                else:
                    observed[name] = ObservedDomain(name, self.control.now(), error=self.unreachable[name])
        if len(observed) < len(names):
            raise StoppedError
        for name in names:
            domain = observed[name]
            if domain.error is not None:
                self._listing_errors[name] = domain.error
            elif domain.scanned_whole:
                self._rows[name] = len(domain.apps)
                self.journal.note_domain_size(self.links[name].domain.domain_id, len(domain.apps))
        return ObservedFleet({name: observed[name] for name in names})

    def note_listing_error(self, name: str, error: AppfleetError) -> None:
        """Say of a domain that could not be listed what was found out about it since."""
        self._listing_errors[name] = error

    def reach(self, domain: str, may_call: Callable[[], bool] | None = None) -> Reach:
        """Return a domain that can be reached, with the switch of whoever calls, or the run's: then in turns."""
        link = self.links[domain]
        return Reach(
            link,
            self.calls_of(link.lane),
            self.control,
            self.settings.backoffs,
            self.jitter,
            self.emit,
            may_call or self.control.may_call,
            self._outages,
            self.optional,
            self._turns.of_lanes(may_call),
        )

    def owner_scanner(self, domain: str, may_call: Callable[[], bool] | None = None) -> OwnerScanner:
        """Return what looks at the owners of a domain that can be reached."""
        return OwnerScanner(self.reach(domain, may_call))

    async def apply(
        self,
        plan: Plan,
        *,
        run_id: str,
        started: str,
        weight: Callable[[DesiredApp], float],
        wait: bool,
        notes: Sequence[str] = (),
        errors: Sequence[Trouble] = (),
        quota_codes: Mapping[str, str] = MappingProxyType({}),
        compared: Sequence[str] = (),
        not_to_assign: Sequence[Owner] = (),
        ended: Sequence[Owner] = (),
    ) -> ApplyReport:
        """Carry out `plan`; every declared app of it has one outcome in the report, whatever happens.

        `errors` are what planning found wrong and went on without; `quota_codes` the codes that it read, by name.
        `compared` names the domains whose owners were all compared: they need not be again for a while, unless one of
        their updates did not end. The users of `not_to_assign` need not be assigned any more, and the
        updates of `ended` are done, which an earlier run began.
        """
        found_done = self._settle(not_to_assign, ended)
        attention = asyncio.Event()
        owners, apps, results = await self._beginning().operations(plan, weight, wait=wait and not plan.denied)
        assigning = Assigning(plan.owners, self._reach_to_assign, self.emit, self._note_bug, self.journal, self.wall)
        clocks, open_count = (self.control.now, self.wall), len(apps) + len(owners)
        ledger = Ledger(open_count, self.emit, self.journal, *clocks, attention.set, assigning.take)
        self.lanes = self._lane_runs(ledger, quota_codes, (*owners, *apps), wait=wait)
        if apps or owners:
            place(owners, apps, self.lanes)
            async with assigning.running():
                await self._carry_out((*apps, *owners), ledger, attention)
        results += (one for one in ledger.results if isinstance(one, AppResult))
        owner_results = (*(one for one in ledger.results if isinstance(one, OwnerResult)), *found_done)
        if not plan.denied:
            self._note_compared(compared, owner_results)
        for lane, calls in self._calls.items():
            if calls.writes.rate.learnt is not None:
                self.journal.note_rate(lane, round(calls.writes.rate.learnt, 3))
        return ApplyReport(
            run_id=run_id,
            fleet=self.fleet,
            started=started,
            seconds=self.control.now() - self.control.started_at,
            apps=tuple(sorted(results, key=attrgetter("key"))),
            calls=self.calls(),
            interrupted=self.control.cause is Cause.INTERRUPTED,
            interrupted_by=self.control.signal,
            denied=plan.denied,
            bug=bool(self._bug),
            errors=(*errors, *self._errors()),
            notes=(*notes, *assigning.notes),
            findings=tuple(sorted((*plan.findings, *assigning.findings))),
            owners=tuple(sorted(owner_results, key=lambda result: result.owner)),
        )

    def _settle(self, not_to_assign: Sequence[Owner], ended: Sequence[Owner]) -> tuple[OwnerResult, ...]:
        """Write down what earlier runs left and planning saw to be done; return what the report says of it."""
        for owner in not_to_assign:
            self.journal.settle_assignment(owner)
        found_done = tuple(OwnerResult(owner, Action.UPDATE, Outcome.UNCHANGED, 0, 0.0, "") for owner in ended)
        for result in found_done:
            self.journal.conclude_owner(result, self.wall())
        return found_done

    def _errors(self) -> tuple[Trouble, ...]:
        stopped = {lane: one.stopped for lane, one in self.lanes.items()}
        return run_errors(self._listing_errors, stopped, self.control.lost, self._bug)

    def _note_compared(self, compared: Sequence[str], results: Sequence[OwnerResult]) -> None:
        """Remember which domains need not be compared for a while: those of which every update ended well."""
        unwell = (one for one in results if one.action is Action.UPDATE and one.outcome not in GOOD_OUTCOMES)
        unended = {one.owner.domain for one in unwell}
        for name in sorted(set(compared) & self.links.keys() - unended):
            self.journal.note_owners_compared(self.links[name].domain.domain_id, self._listed_at)

    def calls(self) -> dict[str, dict[str, int]]:
        """Count the calls of all lanes so far: operation -> kind of answer -> how many."""
        return counted((*self._calls.values(), *self._account_calls.values()))

    def calls_of(self, lane: Lane) -> LaneCalls:
        """Return the one LaneCalls of a lane."""
        calls = self._calls.get(lane)
        if calls is None:
            calls = self._calls[lane] = self._lane_calls(lane, self.memory.last_rates.get(lane))
        return calls

    def account_reach(self, domain: str, may_call: Callable[[], bool] | None = None) -> Reach:
        """Return what the account's own APIs are asked through: their rate and what they refuse are no SageMaker's."""
        lane = self.links[domain].lane
        if lane not in self._account_calls:
            self._account_calls[lane] = self._lane_calls(lane, None, ACCOUNT_READS)
        calls, turns = self._account_calls[lane], self._turns.of_accounts(may_call)
        return replace(self.reach(domain, may_call), calls=calls, among_all=turns)

    def _reach_to_assign(self, domain: str) -> Reach:
        return self.account_reach(domain, self.lanes[self.links[domain].lane].may_call)

    def _lane_calls(self, lane: Lane, learnt_rate: float | None, reads: str = LISTING_READS) -> LaneCalls:
        execution = self.settings.execution
        paces, region = (self.make_pace(), self.make_pace()), self._turns.of_region(lane.region, execution.concurrency)
        return LaneCalls(lane, execution, *paces, self.emit, learnt_rate, reads_as=reads, of_region=region)

    async def _let_last_calls_show(self, create_in_doubt_at: float | None) -> None:
        """Wait until calls that an earlier run had in flight must show, before anything is called absent."""
        observe, wall = self.settings.observe, self.wall()
        wait_s = 0.0
        if self.memory.unclean_end_at is not None:
            # The journal knows when that run was last seen alive; it may have lived until just before the next beat.
            due_s = self.memory.unclean_end_at + JOURNAL_ALIVE_SECONDS + observe.second_after - wall
            wait_s = min(due_s, observe.second_after)
        if create_in_doubt_at is not None:
            late_s = late_max_s(observe)
            wait_s = max(wait_s, min(create_in_doubt_at + late_s - wall, late_s))
        if wait_s > 0.0:
            self.emit(RunWaited(round(wait_s, 3)))
            await wait_for(self.control.stopped, wait_s)

    def _beginning(self) -> Beginning:
        return Beginning(
            links=self.links,
            settings=self.settings,
            memory=self.memory,
            journal=self.journal,
            listing_errors=self._listing_errors,
            now=self.control.now,
            wall=self.wall,
            listed_at=self._listed_at,
            emit=self.emit,
        )

    def _lane_runs(
        self, ledger: Ledger, quota_codes: Mapping[str, str], operations: Sequence[AnyOperation], *, wait: bool
    ) -> dict[Lane, LaneRun]:
        """Return every lane, with what works in a domain and watches it only where there is something to do."""
        lanes: dict[Lane, LaneRun] = {}
        busy = {(operation.key.domain, operation.kind) for operation in operations}
        for link in self.links.values():
            if link.lane not in lanes:
                lanes[link.lane] = self._lane_run(link.lane, ledger, quota_codes, wait=wait)
            lane, name = lanes[link.lane], link.domain.name
            for kind in (OwnerWatcher.kind, AppWatcher.kind):
                if (name, kind) in busy:
                    lane.reaches[name] = self.reach(name, lane.may_call)
                    lane.watchers[name, kind] = self._watcher(name, kind, lane)
        return lanes

    def _watcher(self, name: str, kind: Kind, lane: LaneRun) -> DomainWatcher[Any]:
        looks = self.reach(name, lane.may_look)
        if kind is OwnerWatcher.kind:
            return OwnerWatcher(OwnerScanner(looks), self.control, self.settings)
        return AppWatcher(Scanner(looks), self.control, self.settings, self._rows.get(name, 0))

    def _lane_run(self, lane: Lane, ledger: Ledger, quota_codes: Mapping[str, str], *, wait: bool) -> LaneRun:
        concurrency = self.settings.execution.concurrency
        return LaneRun(
            lane=lane,
            fleet=self.fleet,
            calls=self.calls_of(lane),
            ready=ReadyQueue(self.settings.backoffs.limit, self.jitter, concurrency),
            control=self.control,
            ledger=ledger,
            settings=self.settings,
            journal=self.journal,
            emit=self.emit,
            wall=self.wall,
            draw=self.jitter,
            wake=asyncio.Event(),
            on_bug=self._note_bug,
            since_boot=self.since_boot or self.control.now,
            quota_codes=quota_codes,
            wait=wait,
            guard=self.guards.get(lane, lambda: None),
        )

    async def _carry_out(self, operations: Sequence[AnyOperation], ledger: Ledger, attention: asyncio.Event) -> None:
        self.control.tell(attention.set)
        async with asyncio.TaskGroup() as group:
            tasks = []
            for lane in self.lanes.values():  # one in which nothing is to do costs no task
                works: list[Callable[[], Awaitable[None]]] = [Workers(lane).run] if lane.watchers else []
                works += (partial(follow, lane, watcher) for watcher in lane.watchers.values())
                tasks += [group.create_task(self._guard(work)) for work in works]
            try:
                await self._until_over(ledger, attention)
            finally:
                for task in tasks:
                    task.cancel()
        for operation in operations:  # what was in flight when everything ended
            if operation.phase is not Phase.ENDED:
                operation.cut_off = operation.attempts > 0
                end = self._cut_off(operation)
                ledger.end(operation, end.outcome, end.trouble)

    def _cut_off(self, operation: AnyOperation) -> End:
        """Return the end of what was in flight when everything ended: only a signal interrupts."""
        if not operation.attempts:
            return left_over(operation, Over(self.control.cause), self.settings.execution.settle_timeout)
        if self.control.cause is Cause.INTERRUPTED:
            return End(Outcome.INTERRUPTED, ABORTED)
        return End(Outcome.FAILED, UNANSWERED)

    async def _until_over(self, ledger: Ledger, attention: asyncio.Event) -> None:
        """Return when every operation has ended, or when nothing more may be waited for."""
        control, lanes = self.control, self.lanes.values()
        while ledger.open_count and control.may_call():
            attention.clear()
            await wait_for(attention, control.deadline_at - control.now())
        if not ledger.open_count or control.aborted.is_set():
            return
        looks_up = control.cause is Cause.INTERRUPTED
        for lane in lanes:
            lane.drop_waiting()
            lane.drop_awaited(unknown=not looks_up)
        drained_at = control.stopped_at + DRAIN_MAX_SECONDS
        while ledger.open_count and not control.aborted.is_set() and control.now() < drained_at:
            attention.clear()
            await wait_for(attention, drained_at - control.now())
        if not control.aborted.is_set():
            for lane in lanes:
                lane.drop_awaited(unknown=True)

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Turn a task that dies of a bug into the orderly end of the run."""
        try:
            await work()
        except Exception as bug:  # noqa: BLE001 - nothing may end the run without its report
            while isinstance(bug, ExceptionGroup):  # a lane's group: its first member says what happened
                bug = bug.exceptions[0]
            self._note_bug(bug)

    def _note_bug(self, bug: BaseException) -> None:
        if not self._bug:
            self._bug = f"{type(bug).__name__}: {bug}"
        self.on_bug(bug)
        self.control.stop(Cause.BUG)
