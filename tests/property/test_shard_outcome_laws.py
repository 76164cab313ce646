"""Whatever the fleet, its failures and its quotas: any number of shards come to the same outcome of every app."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.pace import ThrottlePace
from engine.core.lane_plans import joined_plan, lane_plans, lanes_of
from engine.core.plan_json import plan_from_json
from engine.core.planner import plan_fleet
from engine.core.settings import Settings, Tolerance
from engine.core.shards import divided
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.link import Link
from engine.ports.journal import NOTHING_REMEMBERED, NoJournal
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.scenario.fleet_world import world_for_fleet
from engine.simulator.service.app_operations import place_app
from engine.simulator.world.faults import LIFECYCLE, FailureRule
from engine.simulator.world.records import IN_SERVICE, app_id
from tests.fleets import options
from tests.growth import spread_fleet
from tests.simulation.virtual_loop import VirtualLoop
from tests.throttle_clock import throttle_on_loop_clock

if TYPE_CHECKING:
    from engine.core.desired import DesiredFleet
    from engine.core.plan import Plan
    from engine.simulator.world.world import World

EPOCH = 1.7e9
COUNTS = (1, 2, 7, 16)
LANES, APPS_EACH = 9, 4


@dataclass(frozen=True)
class Night:
    """Which apps of a fleet are declared, which are there, and which owners' apps fail."""

    fleet: DesiredFleet
    there: frozenset[str]
    failing: tuple[str, ...]

    def world(self) -> World:
        """Return the world as it is before the run."""
        world = world_for_fleet(self.fleet, EPOCH)
        world.failures = [FailureRule(LIFECYCLE, owner=owner) for owner in self.failing]
        for app in self.fleet.apps:
            if str(app.key) in self.there:
                key = app.key
                domain_id = f"d-{key.domain}"
                wanted = app_id(domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)
                ours = {"appfleet:fleet": self.fleet.name}
                place_app(world, world.domains[domain_id], wanted, app.team, app.spec, ours, IN_SERVICE)
        return world


@st.composite
def nights(draw: st.DrawFn) -> Night:
    """Draw a fleet of nine accounts of different sizes."""
    whole = spread_fleet(LANES, LANES * APPS_EACH)
    declared = draw(st.sets(st.sampled_from(whole.apps), min_size=1))
    fleet = replace(whole, apps=tuple(sorted(declared, key=lambda app: app.key)))
    there = draw(st.sets(st.sampled_from([str(app.key) for app in whole.apps])))
    failing = draw(st.sets(st.sampled_from([f"p{place:04}-lab" for place in range(APPS_EACH)]), max_size=2))
    return Night(fleet, frozenset(there), tuple(sorted(failing)))


def ran(night: Night, world: World, names: set[str], saved: Plan | None, started: float) -> tuple[Plan, dict[str, str]]:
    """Run one process over some domains in virtual time: return its plan and, for `saved`, each app's outcome."""
    loop = VirtualLoop()
    loop.start_at(started)
    domains = tuple(one for one in night.fleet.domains if one.name in names)
    part = replace(night.fleet, domains=domains, apps=tuple(a for a in night.fleet.apps if a.key.domain in names))

    def wall() -> float:
        return EPOCH + loop.time()

    async def passing(_: object) -> None:
        await asyncio.sleep(0.02)

    async def work() -> tuple[Plan, dict[str, str]]:
        links = {}
        for domain in domains:
            lane = lanes_of([domain])[domain.name]
            cloud = MemoryCloud(world, wall, account=lane.account, region=lane.region, latency=passing)
            links[domain.name] = Link(domain, lane, cloud)
        run = FleetRun(
            fleet=part.name, links=links, unreachable={},
            settings=replace(Settings(), tolerance=Tolerance(failure_share_max=1.0)),
            control=Control(3_600.0, lambda _: None), journal=NoJournal(), memory=NOTHING_REMEMBERED,
            make_pace=lambda: ThrottlePace(1.0), emit=lambda _: None, wall=wall, jitter=lambda: 0.5,
        )  # fmt: skip
        plan = plan_fleet(part, await run.observe({domain.name: None for domain in domains}), options())
        if saved is None:
            return plan, {}
        assert plan.fingerprint == saved.fingerprint
        report = await run.apply(saved, run_id="r", started="now", weight=lambda _: 0.0, wait=True)
        return plan, {str(one.key): f"{one.outcome.value} {one.error and one.error.code}" for one in report.apps}

    try:
        with throttle_on_loop_clock():
            return loop.run_until_complete(work())
    finally:
        loop.close()


def in_shards(night: Night, count: int) -> dict[str, str]:
    """Plan and apply a night in so many shards, one after the other; return the outcome of each app."""
    world, lanes = night.world(), lanes_of(night.fleet.domains)
    sizes = dict.fromkeys(lanes.values(), 0)
    for app in night.fleet.apps:
        sizes[lanes[app.key.domain]] += 1
    outcomes: dict[str, str] = {}
    for index, mine in enumerate(divided(sizes, count)):
        names = {name for name, lane in lanes.items() if lane in mine}
        if not names:
            continue
        plan, _ = ran(night, world, names, None, index * 10_000.0)
        cut = lane_plans(plan, {name: lanes[name] for name in names})
        saved = joined_plan(plan_from_json(json.loads(json.dumps(one.to_json()))) for one in cut.values())
        outcomes |= ran(night, world, names, saved, index * 10_000.0 + 100.0)[1]
    return outcomes


@settings(max_examples=30, deadline=None)
@given(nights())
def test_any_number_of_shards_come_to_the_same_outcomes(night: Night) -> None:
    outcomes = [in_shards(night, count) for count in COUNTS]
    assert outcomes[0].keys() == {str(app.key) for app in night.fleet.apps}
    assert all(one == outcomes[0] for one in outcomes)
