"""A year of 50 apps with three calendars in virtual time, run every 15 minutes: up outside their hours, down in them.

The production executor plans and works in each run, over the simulated world in memory. The runs are seven minutes off
the quarter hours, so a change of hours waits for its run.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from engine.adapters.pace import ThrottlePace
from engine.core.calendars import Calendar, Stretch
from engine.core.hours import Hours, HoursAt
from engine.core.plan_options import PlanOptions
from engine.core.planner import plan_fleet
from engine.core.settings import Execution, Settings
from engine.core.windows import parse_window
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.link import Link
from engine.policy.cost import cost_of
from engine.policy.prices import PriceBook
from engine.ports.journal import NOTHING_REMEMBERED
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import owner_operations
from engine.simulator.world.world import Timing, World
from tests.fleets import LANE, a_fleet, an_app, observe
from tests.rounds import a_draft, whole
from tests.simulation.virtual_loop import VirtualLoop
from tests.throttle_clock import throttle_on_loop_clock
from tests.unit.executor.test_owner_run import NoteBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.core.desired import DesiredFleet
    from engine.ports.events import Event

APPS = 50
EVERY_S = 900.0
OFF_S = 420.0
DAYS = int(sys.argv[1]) if len(sys.argv) > 1 else 365
START = datetime(2026, 12, 7, tzinfo=UTC)
END = START + timedelta(days=DAYS)
PRICES = PriceBook([("", "ml.t3.medium", 0.05)])
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
NIGHTS = (date(2027, 3, 28), date(2027, 10, 31))  # on which Berlin's clocks are turned


def hours(name: str, zone: str, *windows: str, closed: tuple[date, ...] = ()) -> Hours:
    """Return one calendar."""
    return Hours(name, Calendar(tuple(map(parse_window, windows)), ZoneInfo(zone), zone, frozenset(closed)))


CALENDARS = (
    hours("office", BERLIN, "Mon-Thu 08:00-19:00", "Fri 08:00-16:00", closed=(date(2026, 12, 25), date(2027, 1, 1))),
    hours("nights", NEW_YORK, "Mon-Fri 22:00-06:00"),
    hours("batch", BERLIN, "Sat-Sun 01:30-04:30"),
)


@dataclass(slots=True)
class Ups:
    """When each app was up: from InService to the DeleteApp that stops it."""

    now: Callable[[], datetime]
    since: dict[str, datetime] = field(default_factory=dict)
    stretches: dict[str, list[Stretch]] = field(default_factory=dict)

    def emit(self, event: Event) -> None:
        """Take in what a run says."""
        key = str(getattr(event, "key", ""))
        if event.name == "app.in_service":
            self.since.setdefault(key, self.now())
        elif event.name == "app.delete_started" and key in self.since:
            self.stretches.setdefault(key, []).append(Stretch(self.since.pop(key), self.now()))

    def end(self) -> None:
        """Close what is up at the end."""
        for key, since in self.since.items():
            self.stretches.setdefault(key, []).append(Stretch(since, END))


def the_fleet() -> DesiredFleet:
    """Return 50 apps, their calendars in turn."""
    made = [an_app(f"research/user/u{number:02}/KernelGateway/default") for number in range(APPS)]
    apps = [replace(app, hours=CALENDARS[number % len(CALENDARS)]) for number, app in enumerate(made)]
    return a_fleet(*apps, domains=["research"])


def options(fleet: DesiredFleet, at: datetime) -> PlanOptions:
    """Return the options of a plan at a time."""
    lanes = {"research": LANE}
    return PlanOptions(at.isoformat(), at.date(), domain_lanes=lanes, hours=HoursAt.of(fleet.hours, at))


def a_year(fleet: DesiredFleet) -> tuple[Ups, int]:
    """Play it: when each app was up, and how many runs there were."""
    world = World(account=LANE.account, timing=Timing(app_pending=(60.0, 240.0), app_deleting=(30.0, 90.0)))
    world.advance(START.timestamp())
    domain = owner_operations.add_domain(world, "d-research", LANE.region, LANE.account, name="research")
    for app in fleet.apps:
        owner_operations.create_profile(world, domain, app.key.owner, at_once=True)
    loop = VirtualLoop(None)

    def wall() -> float:
        return START.timestamp() + loop.time()

    ups = Ups(lambda: datetime.fromtimestamp(wall(), UTC))
    settings = Settings(execution=Execution(create_rate=5.0))
    runs = 0

    async def one_run() -> None:
        cloud = MemoryCloud(world, wall, account=LANE.account, region=LANE.region)
        run = FleetRun(
            fleet="ml-platform", links={"research": Link(fleet.domains[0], LANE, cloud)}, unreachable={},
            settings=settings, control=Control(settings.execution.deadline, lambda _: None), journal=NoteBook(),
            memory=NOTHING_REMEMBERED, make_pace=lambda: ThrottlePace(1.0), emit=ups.emit, wall=wall,
            jitter=random.Random(1).random,
        )  # fmt: skip
        draft = a_draft(run, fleet, await run.observe({"research": None}), options(fleet, ups.now()))
        plan = (await whole(run, draft)).plan
        report = await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)
        assert report.exit_code == 0, report

    async def main() -> None:
        nonlocal runs
        at = OFF_S
        while at < DAYS * 86_400.0:
            await asyncio.sleep(at - loop.time())
            await one_run()
            runs += 1
            at = max(at + EVERY_S, OFF_S + EVERY_S * -(-(loop.time() - OFF_S) // EVERY_S))

    with throttle_on_loop_clock():
        loop.run_until_complete(main())
    loop.close()
    ups.end()
    return ups, runs


def without(these: list[Stretch], those: list[Stretch]) -> Iterator[Stretch]:
    """Yield what lies in `these` and not in `those`; both are sorted and apart."""
    for one in these:
        start = one.start
        for other in those:
            if other.end <= start or other.start >= one.end:
                continue
            if other.start > start:
                yield Stretch(start, other.start)
            start = max(start, other.end)
        if start < one.end:
            yield Stretch(start, one.end)


def seconds(stretches: list[Stretch]) -> float:
    """Return how long they are together."""
    return sum(((one.end - one.start) for one in stretches), timedelta()).total_seconds()


def main() -> None:
    """Play the year and print what came of it."""
    began = time.process_time()
    fleet = the_fleet()
    ups, runs = a_year(fleet)
    late: list[Stretch] = []
    early: list[Stretch] = []
    up_s = 0.0
    for app in fleet.apps:
        assert app.hours is not None
        wanted = list(app.hours.calendar.stretches(START, END))
        was = ups.stretches.get(str(app.key), [])
        assert all(one.end <= other.start for one, other in pairwise(was))
        late += without(was, wanted)
        early += without(wanted, was)
        up_s += seconds(was)
    year = DAYS / 365
    print(f"{runs:,} runs of {APPS} apps in {DAYS} days, {time.process_time() - began:.0f} s of the processor")
    for what, found in (("up outside its hours", late), ("down inside them", early)):
        longest = max(map(seconds, ([one] for one in found)), default=0.0)
        each = f"{seconds(found) / APPS / year:,.0f} s per app and year"
        print(f"{what}: {each}, {len(found):,} times, longest {longest:,.0f} s")
    for night in NIGHTS:
        near = [one for one in (*late, *early) if one.start.date() in (night, night - timedelta(days=1))]
        print(
            f"night of {night}: {len(near)} times, longest {max((seconds([one]) for one in near), default=0.0):,.0f} s"
        )
    asked = PlanOptions(START.isoformat(), START.date(), domain_lanes={"research": LANE})
    cost = cost_of(plan_fleet(fleet, observe(domains=["research"]), asked), fleet.domains, PRICES)
    assert cost is not None
    estimate, spent = cost.monthly_usd * 12 * year, up_s / 3600 * 0.05
    always = APPS * 0.05 * 24 * DAYS
    print(f"cost: {spent:,.2f} USD, the plan said {estimate:,.2f} ({spent / estimate - 1:+.1%})")
    print(f"the same apps without hours: {always:,.2f} USD")


if __name__ == "__main__":
    main()
