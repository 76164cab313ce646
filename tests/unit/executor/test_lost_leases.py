"""A run that loses the right to work in one lane: nothing more is called there, and the other lanes continue."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.adapters.pace import ThrottlePace
from engine.core.errors import ExitCode
from engine.core.planner import plan_fleet
from engine.core.settings import Settings, Tolerance
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.link import Link
from engine.executor.troubles import LEASE_LOST
from engine.ports.events import AppCreated, LaneStopped
from engine.ports.journal import Memory, NoJournal
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.scenario.fleet_world import world_for_fleet
from tests.fleets import options
from tests.growth import lane_of, spread_fleet
from tests.simulation.virtual_loop import VirtualLoop
from tests.throttle_clock import throttle_on_loop_clock

if TYPE_CHECKING:
    from engine.core.outcome import ApplyReport
    from engine.core.trouble import Trouble
    from engine.ports.events import Event

EPOCH = 1.7e9
APPS, BEFORE = 20, 5


def test_a_lost_lease_ends_its_lane_alone() -> None:
    fleet = spread_fleet(2, 2 * APPS)
    loop = VirtualLoop()
    world = world_for_fleet(fleet, EPOCH)
    lost, kept = (domain.name for domain in fleet.domains)
    accepted: Counter[str] = Counter()
    stopped: list[LaneStopped] = []

    def wall() -> float:
        return EPOCH + loop.time()

    async def passing(_: object) -> None:
        await asyncio.sleep(0.02)

    def guard() -> Trouble | None:
        return LEASE_LOST if accepted[lost] >= BEFORE else None

    def emit(event: Event) -> None:
        if isinstance(event, AppCreated):
            accepted[event.key.domain] += 1
        if isinstance(event, LaneStopped):
            stopped.append(event)

    async def night() -> ApplyReport:
        links = {}
        for domain in fleet.domains:
            lane = lane_of(domain.name)
            cloud = MemoryCloud(world, wall, account=lane.account, region=lane.region, latency=passing)
            links[domain.name] = Link(domain, lane, cloud)
        run = FleetRun(
            fleet=fleet.name,
            links=links,
            unreachable={},
            settings=replace(Settings(), tolerance=Tolerance(failures_max=APPS)),  # nothing waits for how others start
            control=Control(3_600.0, lambda _: None),
            journal=NoJournal(),
            memory=Memory(frozenset(), {}, {}),
            make_pace=lambda: ThrottlePace(1.0),
            emit=emit,
            wall=wall,
            jitter=lambda: 0.5,
            guards={lane_of(lost): guard},
        )
        observed = await run.observe(dict.fromkeys(links))
        plan = plan_fleet(fleet, observed, options())
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    try:
        with throttle_on_loop_clock():
            report = loop.run_until_complete(night())
    finally:
        loop.close()
    ends = Counter((app.key.domain, app.outcome.value, app.error.code if app.error else "") for app in report.apps)
    in_flight = ends[lost, "still_pending", "still_pending"]
    assert BEFORE <= in_flight == accepted[lost] < APPS
    assert ends == {
        (kept, "created", ""): APPS,
        (lost, "still_pending", "still_pending"): in_flight,
        (lost, "interrupted", LEASE_LOST.code): APPS - in_flight,
    }
    assert [event.code for event in stopped] == [LEASE_LOST.code]
    assert [error.code for error in report.errors] == [LEASE_LOST.code]
    assert report.exit_code is ExitCode.FAILED
