"""One seed's night: runs that meet trouble, then runs that meet none, all by the production executor.

Each run is what `appfleet apply` does: observe, read whose apps are where that matters, plan, carry out. A run that is
killed is let go of in the middle of whatever it did; what it had sent may still arrive.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from engine.adapters.pace import ThrottlePace
from engine.core.canaries import Tried, with_canaries
from engine.core.change import Action, Reason
from engine.core.desired import Mode
from engine.core.errors import CloudError, LockHeldError
from engine.core.hours import HoursAt
from engine.core.observed import AppStatus
from engine.core.plan_options import PlanOptions
from engine.core.questions import Purpose
from engine.core.request import Request
from engine.core.selectors import Selectors
from engine.executor.calls import StoppedError
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.kinds.apps import spec_hash
from engine.executor.link import Link
from engine.executor.troubles import LOCK_LOST
from tests.rounds import a_draft, whole
from tests.simulation.fleet_maker import FLEET_NAME, Kind
from tests.simulation.memory_journal import Disk, MemoryJournal
from tests.simulation.night_lock import NightLock
from tests.simulation.owner_maker import draw_leavers
from tests.simulation.scenario import EPOCH, Scenario, make_scenario
from tests.simulation.sim_cloud import SimCloud
from tests.simulation.takeovers import draw_expiry, draw_takeovers
from tests.simulation.trouble_maker import EVER, Disturbance
from tests.simulation.verdicts import check_end, check_nothing_left, check_report, why_not_converged
from tests.simulation.virtual_loop import StuckError, VirtualLoop
from tests.simulation.watch import Watch
from tests.throttle_clock import throttle_on_loop_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.app.loading import Loaded
    from engine.app.teams.overlay import Offboarding
    from engine.core.change import Change
    from engine.core.desired import DesiredFleet
    from engine.core.identity import AppKey
    from engine.core.outcome import ApplyReport
    from engine.core.plan import Plan

TODAY: Final = date(2026, 11, 24)
ABORT_AFTER_SECONDS: Final = 0.001  # between two signals that come in a hurry
CALM: Final = Disturbance()  # of the runs that see no trouble
RECOVERIES_MAX_COUNT: Final = 2


class NightResult(NamedTuple):
    """What came of a seed. `simulated_s` is how long its night was, `seen` the names of what happened in it."""

    seed: int
    violations: list[str]
    trace: list[str]
    simulated_s: float
    runs: int
    calls: int
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Files:
    """What a preparation reads of `loading.Loaded`."""

    fleet: DesiredFleet


class Night:
    """The runs of one seed."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.watch = Watch(scenario, EPOCH)
        self.disk = Disk()
        self.order = random.Random(scenario.seed + 3)
        self.jitter = random.Random(scenario.seed + 4)
        self.befalls = random.Random(scenario.seed + 11)
        self.aborts: tuple[float, ...] = ()  # of a read before the plan, in seconds after the run began
        self.time = 0.0
        self.lock = NightLock(self.watch)
        self.runs = 0
        self.calls = 0
        self.plan: Plan | None = None
        self.replaces = False

    def run(self) -> None:
        """Play the whole night."""
        self.play_disturbed()
        if not self.watch.violations:
            self.time += self.scenario.app_late_max_s  # what is on its way arrives
            self.time = max(self.time, self.scenario.hours_settle_s)
            self.scenario.heal(EPOCH + self.time)
            self._recover()

    def play_disturbed(self) -> None:
        """Play the runs that see trouble."""
        for disturbance in self.scenario.disturbances:
            self._one_run(disturbance)
            if self.watch.violations:
                return

    def _recover(self) -> None:
        """The first run without trouble, or at most one more, brings everything into service."""
        why = "nothing was reported"
        first = 1 if self.scenario.kind is Kind.CALM else RECOVERIES_MAX_COUNT
        left = first + self.scenario.adopt  # what was adopted may be replaced by the next run
        waves = len(self.scenario.fleet.apps)  # each replaces one app at least
        while left and waves:
            report = self._one_run(CALM, retry_quarantined=True)
            if self.watch.violations:
                return
            left -= 1
            if report is None or self.plan is None:
                continue
            why = why_not_converged(self.plan, report)
            if not why and any(map(_is_for_the_next_run, self.plan.decisions)):
                left, waves = left + 1, waves - 1
            elif not why and not _adopts_drifted(self.plan):
                break
        if why:
            self.watch.violation(f"no convergence although nothing goes wrong any more: {why}")
            return
        self._one_run(CALM, plan_only=True)

    def _one_run(
        self, disturbance: Disturbance, *, retry_quarantined: bool = False, plan_only: bool = False
    ) -> ApplyReport | None:
        loop = VirtualLoop(self.order if self.scenario.shuffled else None)
        loop.start_at(self.time)
        self.runs += 1
        try:
            return self._in(loop, disturbance, retry_quarantined=retry_quarantined, plan_only=plan_only)
        finally:
            self.time = loop.time() + disturbance.pause_s
            loop.close()

    def _in(
        self, loop: VirtualLoop, disturbance: Disturbance, *, retry_quarantined: bool, plan_only: bool
    ) -> ApplyReport | None:
        def kill() -> None:
            worker = self.lock.worker
            if worker is not None:
                self.watch.say("KILLED")
                self.watch.seen.add("run.killed")
                self.watch.dead = True
                self.journal.kill()
                self.lock.kill()
                worker.cancel()

        loop.order = self.order
        loop.kill_at, loop.on_kill = disturbance.kill_at, kill
        runs = [loop.create_task(self._apply(loop, disturbance, retry_quarantined, plan_only))]
        if disturbance.rival_after < EVER:
            runs.append(loop.create_task(self._rival(loop, disturbance, runs[0])))
        reports: list[ApplyReport | None] = []
        for run in runs:
            try:
                reports.append(loop.run_until_complete(run))
            except BaseException as error:
                if isinstance(error, StuckError) and not self.watch.dead:
                    self.watch.violation(f"stuck: {error}")
                    self._clear_away(loop)
                    return None
                if not (run.cancelled() or self.watch.dead):
                    raise
        return next((report for report in reports if report is not None), None)

    async def _rival(
        self, loop: VirtualLoop, disturbance: Disturbance, first: asyncio.Task[ApplyReport | None]
    ) -> ApplyReport | None:
        """A second run of the same fleet, while the first may still be at work."""
        await asyncio.sleep(disturbance.rival_after)
        return await self._apply(loop, Disturbance(lock_timeout_s=disturbance.rival_waits_s), False, False, first)

    def _clear_away(self, loop: VirtualLoop) -> None:
        """Let go of what a stuck loop still holds."""
        self.watch.dead = True
        loop.forget_turns()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        try:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        except StuckError:
            return

    async def _apply(
        self,
        loop: VirtualLoop,
        disturbance: Disturbance,
        retry_quarantined: bool,
        plan_only: bool,
        killed: asyncio.Task[ApplyReport | None] | None = None,
    ) -> ApplyReport | None:
        task = cast("asyncio.Task[object]", asyncio.current_task())
        try:
            async with self.lock.held(loop, task, disturbance.lock_timeout_s):
                if killed is not None and self.watch.dead:
                    await asyncio.wait([killed])  # what the kernel has ended is cleared away before anything goes on
                return await self._work(loop, disturbance, retry_quarantined, plan_only)
        except LockHeldError:
            self.watch.say("refused: another run works")
            return None

    async def _work(
        self, loop: VirtualLoop, disturbance: Disturbance, retry_quarantined: bool, plan_only: bool
    ) -> ApplyReport | None:
        scenario, watch = self.scenario, self.watch
        self.journal = MemoryJournal(
            self.disk, watch_clock(loop), self.jitter, EPOCH + self.time + disturbance.journal_breaks
        )
        deadline_s = min(disturbance.deadline_s, scenario.settings.execution.deadline)
        control = Control(deadline_s, lambda cause: watch.say("stopped:", cause))
        watch.lock_lost_at = loop.time() + disturbance.lock_lost
        control.guard_with(lambda: LOCK_LOST if loop.time() >= watch.lock_lost_at else None)
        clouds = {lane: SimCloud(scenario, lane, watch) for lane in set(scenario.lanes.values())}
        run = FleetRun(
            fleet=FLEET_NAME,
            links={
                domain.name: Link(domain, scenario.lanes[domain.name], clouds[scenario.lanes[domain.name]])
                for domain in scenario.fleet.domains
            },
            unreachable={},
            settings=scenario.settings,
            control=control,
            journal=self.journal,
            memory=self.journal.memory,
            make_pace=lambda: ThrottlePace(1.0),
            emit=watch.emit,
            wall=watch_clock(loop),
            jitter=self.jitter.random,
            on_bug=watch.on_bug,
        )
        watch.begin(loop, run, self.journal)
        watch.waits = disturbance.wait
        self.aborts = ()
        for after in disturbance.interrupts:
            loop.call_later(after, self._interrupt, control)
        watch.on_read = partial(self._abort_at, disturbance.aborts_at_read, loop, control)
        report = None
        leaving = draw_leavers(self.order, scenario) if disturbance.offboards else None
        self.replaces = disturbance.replaces
        try:
            plan = await self._planned(run, leaving, retry_quarantined=retry_quarantined)
        except StoppedError:
            self.journal.finish()
            check_end(watch, loop.time(), (*disturbance.interrupts, *self.aborts))
            return None
        except CloudError as error:
            if leaving is None:
                raise
            watch.say("ended before its plan:", error.message)  # whose owners are cannot be read: nothing is deleted
            watch.seen.add("offboarding ended before its plan")
            self.journal.finish()
            return None
        self.plan = plan
        watch.planned(plan)
        if disturbance is not CALM:
            draw_takeovers(self.befalls, watch, plan)
        if disturbance is not CALM:
            draw_expiry(self.befalls, watch, plan)
        watch.seen.update(f"finding: {finding.rule}" for finding in plan.findings)
        watch.seen.update(f"plan: {change.action.value} because {change.reason.value}" for change in plan.decisions)
        if plan_only:
            check_nothing_left(watch, plan)
        else:
            report = await run.apply(
                plan, run_id="r", started="now", weight=scenario.weight, wait=disturbance.wait, notes=()
            )
        self.journal.finish()
        self.calls += sum(sum(kinds.values()) for kinds in run.calls().values())
        if report is not None:
            check_report(watch, plan, report, wait=disturbance.wait)
            check_end(watch, loop.time(), (*disturbance.interrupts, *self.aborts))
            watch.say("ended:", report.result.value, dict(report.summary))
        return report

    def _interrupt(self, control: Control) -> None:
        self.watch.say("SIGINT")
        control.interrupt()

    def _abort_at(self, wanted: int, loop: VirtualLoop, control: Control, read: int) -> None:
        """Send two signals while the read of that number is under way."""
        if read != wanted:
            return
        for after in (0.0, ABORT_AFTER_SECONDS):
            loop.call_later(after, self._interrupt, control)
        self.aborts = (loop.time() + ABORT_AFTER_SECONDS - self.watch.began_at,)
        self.watch.seen.add("two signals during a read before the plan")

    def _replaced(self, fleet: DesiredFleet) -> frozenset[AppKey]:
        """Name the apps that are replaced as --replace KEY does: half of those of mode once, and a few others."""
        wanted = [app for app in fleet.apps if app.mode is not Mode.ABSENT]
        return frozenset(app.key for app in wanted if self.order.random() < (0.5 if app.mode is Mode.ONCE else 0.15))

    async def _planned(self, run: FleetRun, leaving: Offboarding | None, *, retry_quarantined: bool) -> Plan:
        """Plan as `app.plan` does: with what a run asks about owners, and what one asks that lets people go."""
        scenario, memory = self.scenario, self.journal.memory
        loaded = cast("Loaded", Files(scenario.fleet))
        fleet = (leaving.fleet(loaded) if leaving is not None else loaded).fleet
        hashes = {app.key: spec_hash(app) for app in fleet.apps}
        limit = scenario.settings.safety.quarantine_after
        observed = await run.observe(dict.fromkeys(scenario.lanes))
        made_at = datetime.fromtimestamp(self.watch.plan_begins(), UTC)
        options = PlanOptions(
            made_at=made_at.isoformat(),
            hours=HoursAt.of(fleet.hours, made_at),
            today=TODAY,
            safety=scenario.settings.safety,
            request=Request(
                selectors=Selectors() if leaving is None else Selectors(teams=(leaving.team,)),
                prune=scenario.prune and leaving is None,
                adopt=scenario.adopt and leaving is None,
                replace_keys=self._replaced(fleet) if self.replaces and leaving is None else frozenset(),
                retry_quarantined=retry_quarantined,
            ),
            replaced_at={
                key: last.made_at for key, last in memory.replaced.items() if last.spec_hash == hashes.get(key)
            },
            once_done=memory.once_done,
            half_replaced=memory.half_replaced,
            quarantined=frozenset(
                key for key, (count, failed) in memory.failures.items() if count >= limit and failed == hashes.get(key)
            ),
            domain_lanes=scenario.lanes,
        )
        draft = a_draft(
            run,
            fleet,
            observed,
            options,
            creates_owners=scenario.settings.create_owners,
            updates_owners=scenario.settings.update_owners,
            watched=[one.owner for one in fleet.owners] if scenario.compares and leaving is None else (),
        )
        draft = replace(draft, assigns_users=scenario.settings.assign_users)
        draft = await whole(run, draft, Purpose(running=True, leaving=() if leaving is None else leaving.leaving))
        plan = draft.plan if leaving is None else leaving.over(draft.plan, draft.facts)
        if not scenario.settings.tolerance.canary:
            return plan
        tried = Tried(scenario.lanes, lambda shape, _: memory.shapes.get(shape.id), frozenset(memory.failures))
        return with_canaries(plan, tried, scenario.weight)[0]


def _is_for_the_next_run(change: Change) -> bool:
    """Whether a replace waits for its wave, or an app that is starting waits to be stopped outside its hours."""
    starting = change.before is not None and change.before.status is AppStatus.PENDING
    return change.reason is Reason.NEXT_WAVE or (change.reason is Reason.OUTSIDE_HOURS and starting)


def _adopts_drifted(plan: Plan) -> bool:
    return any(change.action is Action.ADOPT and change.differs for change in plan.changes)


def watch_clock(loop: VirtualLoop) -> Callable[[], float]:
    """Return the wall clock of a loop."""
    return lambda: EPOCH + loop.time()


def play(seed: int) -> NightResult:
    """Play the night of a seed; deterministic, whatever was played before."""
    night = Night(make_scenario(seed))
    try:
        with throttle_on_loop_clock():
            night.run()
    finally:
        night.lock.close()
    watch = night.watch
    return NightResult(
        seed, watch.violations, list(watch.trace), night.time, night.runs, night.calls, frozenset(watch.seen)
    )


__all__ = ["EVER", "Night", "NightResult", "play"]
