"""What a lane costs while a run works elsewhere: no task and no turn of the loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from engine.adapters.pace import ThrottlePace
from engine.core.planner import plan_fleet
from engine.core.selectors import Selectors
from engine.core.settings import Settings
from engine.executor import begin
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.link import Link
from engine.ports.journal import Memory, NoJournal
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.scenario.fleet_world import world_for_fleet
from tests.fleets import options
from tests.growth import lane_of, spread_fleet
from tests.simulation.virtual_loop import VirtualLoop
from tests.throttle_clock import throttle_on_loop_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from engine.core.identity import Lane
    from engine.core.outcome import ApplyReport
    from engine.ports.events import Event

EPOCH = 1.7e9
APPS = 3


class Ran(NamedTuple):
    """A run that made the apps of one domain: its report, the most tasks at once, and the loop's turns meanwhile."""

    report: ApplyReport
    tasks: int
    turns: int


def _run(
    domains: int,
    busy: Sequence[str],
    *,
    nights: int = 1,
    events: list[Event] | None = None,
    lane: Lane | None = None,
) -> Ran:
    """Make the apps of the domains `busy` alone, in a fleet of so many domains, each in a lane of its own or in `lane`.

    Return the last one of so many nights, and add its `events`.
    """
    fleet = spread_fleet(domains, domains * APPS)
    if lane is not None:
        fleet = replace(fleet, domains=tuple(replace(one, account=lane.account) for one in fleet.domains))
    loop = VirtualLoop()
    world = world_for_fleet(fleet, EPOCH)
    tasks: list[int] = []

    def wall() -> float:
        return EPOCH + loop.time()

    async def passing(_: object) -> None:
        await asyncio.sleep(0.02)

    def emit(event: Event) -> None:
        tasks.append(len(asyncio.all_tasks(loop)))
        if events is not None:
            events.append(event)

    async def work() -> Ran:
        links = {}
        for domain in fleet.domains:
            its = lane or lane_of(domain.name)
            cloud = MemoryCloud(world, wall, account=its.account, region=its.region, latency=passing)
            links[domain.name] = Link(domain, its, cloud)
        run = FleetRun(
            fleet=fleet.name,
            links=links,
            unreachable={},
            settings=Settings(),
            control=Control(3_600.0, lambda _: None),
            journal=NoJournal(),
            memory=Memory(frozenset(), {}, {}, None, is_new=False),
            make_pace=lambda: ThrottlePace(1.0),
            emit=emit,
            wall=wall,
            jitter=lambda: 0.5,
        )
        observed = await run.observe({domain.name: None for domain in fleet.domains})
        plan = plan_fleet(fleet, observed, options(selectors=Selectors.parse(domains=busy)))
        tasks[:] = [0]
        turns = loop.turns
        report = await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)
        return Ran(report, max(tasks), loop.turns - turns)

    try:
        with throttle_on_loop_clock():
            for _ in range(nights):
                if events is not None:
                    events.clear()
                ran = loop.run_until_complete(work())
            return ran
    finally:
        loop.close()


def test_domains_of_one_lane_share_what_it_has() -> None:
    ran = _run(2, ["*"], lane=lane_of("d0000"))
    assert [result.outcome.value for result in ran.report.apps] == ["created"] * 2 * APPS
    assert ran.tasks < _run(2, ["*"]).tasks


def test_a_lane_in_which_nothing_is_to_do_costs_no_task_and_no_turn() -> None:
    alone, beside_others = _run(1, ["d0000"]), _run(30, ["d0000"])
    assert [result.outcome.value for result in beside_others.report.apps] == ["created"] * APPS
    assert (beside_others.tasks, beside_others.turns) == (alone.tasks, alone.turns)


def test_a_lane_that_waits_is_a_task_for_itself_and_one_for_its_watcher() -> None:
    few, many = _run(10, [f"d{number:04}" for number in range(10)]), _run(30, [f"d{number:04}" for number in range(30)])
    assert len(many.report.apps) == 30 * APPS
    # The most tasks at once is while each lane makes a call.
    assert many.tasks - few.tasks <= 20 * 4


def test_a_night_in_which_nothing_is_to_do_is_logged_by_counts_alone() -> None:
    events: list[Event] = []
    again = _run(30, [f"d{number:04}" for number in range(30)], nights=2, events=events)
    assert {result.outcome.value for result in again.report.apps} == {"unchanged"}
    assert {event.level for event in events} == {"debug"}


def test_between_slices_of_many_apps_the_loop_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of 50,000 apps heard no signal for a second before its first call."""
    names = [f"d{number:04}" for number in range(10)]
    at_once = _run(10, names, nights=2)
    monkeypatch.setattr(begin, "BEGUN_AT_ONCE_MAX_COUNT", 5)
    sliced = _run(10, names, nights=2)
    assert [result.outcome for result in sliced.report.apps] == [result.outcome for result in at_once.report.apps]
    assert sliced.turns - at_once.turns == 10 * APPS / 5 - 1
