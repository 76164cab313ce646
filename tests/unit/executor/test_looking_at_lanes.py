"""Many accounts and regions in one run: looked at together, so many reads at a time, none behind another's answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from engine.adapters.aws.account import AccountAppPage, DomainPage, QuotaPage
from engine.adapters.pace import ThrottlePace
from engine.app.answers import answers, describe_owners, look_at_owners
from engine.app.options import AppOptions
from engine.core.desired import DesiredDomain
from engine.core.errors import Unreachable
from engine.core.facts import Facts, joined_facts
from engine.core.identity import USER, Lane, Owner, parse_app_key
from engine.core.limits import ACCOUNT_READS_PARALLEL_MAX_COUNT, CALLS_AT_ONCE_MAX_COUNT, CONNECT_PARALLEL_MAX_COUNT
from engine.core.observed import ObservedDomain, ObservedFleet, ObservedOwner
from engine.core.questions import RoomIn
from engine.core.quota_fit import LaneQuotas, QuotaValue
from engine.core.settings import Execution, Settings
from engine.executor.asking import at_once
from engine.executor.calls import LaneCalls
from engine.executor.control import Control
from engine.executor.fleet_run import FleetRun
from engine.executor.link import Link
from engine.executor.ownership import read_owners, read_ownership
from engine.executor.reach import Turns
from engine.ports.journal import NOTHING_REMEMBERED
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import owner_operations
from engine.simulator.world.world import Timing, World
from tests.fleets import SOURCE, a_row
from tests.simulation.virtual_loop import VirtualLoop
from tests.throttle_clock import throttle_on_loop_clock
from tests.unit.executor.parts import decisive
from tests.unit.executor.test_owner_run import EPOCH, NoteBook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.app.session import Joined
    from engine.simulator.faces.memory_face import SimulatedCall

LANES = [Lane(f"{number:012}", "eu-west-1") for number in range(1, 101)]
NAMES = [f"d{number:03}" for number in range(1, 101)]
ZOES = [Owner(name, USER, "zoe") for name in NAMES]
SLOW_S = 200.0


@dataclass
class Many:
    """A world with a lane for each of 100 accounts. Each call takes a second; `slow` names lanes that take longer."""

    slow: frozenset[str] = frozenset()
    under_way: int = 0
    most: int = 0
    events: list[tuple[float, Any]] = field(default_factory=list)
    seconds: float = 0.0
    refuses: bool = False
    refused_after_s: float = 5.0

    async def takes(self, seconds: float = 1.0) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(seconds)
        self.under_way -= 1

    def cloud(self, world: World, lane: Lane, clock: Callable[[], float]) -> MemoryCloud:
        async def latency(call: SimulatedCall) -> None:
            if self.refuses:
                await asyncio.sleep(self.refused_after_s)
                raise Unreachable("Cannot connect to https://sagemaker.nowhere.invalid (no answer in time)")
            if call.phase == "request":
                await self.takes(SLOW_S if lane.account in self.slow else 1.0)

        return MemoryCloud(world, clock, account=lane.account, region=lane.region, latency=latency)

    def do(self, work: Callable[[FleetRun], Awaitable[Any]]) -> Any:
        world = World(timing=Timing())
        world.advance(EPOCH)
        loop = VirtualLoop(None)

        async def main() -> Any:
            clock = lambda: EPOCH + loop.time()  # noqa: E731
            links = {}
            for name, lane in zip(NAMES, LANES, strict=True):
                domain = owner_operations.add_domain(world, f"d-{name}", lane.region, lane.account, name=name)
                owner_operations.create_profile(world, domain, "zoe", at_once=True)
                desired = DesiredDomain(name, f"d-{name}", lane.region, SOURCE)
                links[name] = Link(desired, lane, self.cloud(world, lane, clock))
            run = FleetRun(
                fleet="ml", links=links, unreachable={}, settings=Settings(), control=Control(3600.0, lambda _: None),
                journal=cast("Any", NoteBook()), memory=NOTHING_REMEMBERED, make_pace=lambda: ThrottlePace(1.0),
                emit=lambda event: self.events.append((loop.time(), event)), wall=clock, jitter=random.Random(1).random,
            )  # fmt: skip
            return await work(run)

        try:
            with throttle_on_loop_clock():
                return loop.run_until_complete(main())
        finally:
            self.seconds = loop.time()
            loop.close()

    def listed_at(self) -> dict[str, float]:
        return {event.domain: at for at, event in self.events if event.name == "domain.listed"}


def test_domains_are_listed_so_many_at_a_time() -> None:
    many = Many()
    observed = many.do(lambda run: run.observe(dict.fromkeys(NAMES)))
    assert list(observed.domains) == NAMES
    assert many.most == CONNECT_PARALLEL_MAX_COUNT
    assert many.seconds == pytest.approx(5.0, abs=0.5)


def test_accounts_that_do_not_answer_keep_no_other_waiting() -> None:
    slow = LANES[: CONNECT_PARALLEL_MAX_COUNT // 2]
    many = Many(slow=frozenset(lane.account for lane in slow))
    many.do(lambda run: run.observe(dict.fromkeys(NAMES)))
    times = list(many.listed_at().values())
    assert len(times) == 100
    assert len([at for at in times if at < SLOW_S]) == 90


def test_a_run_s_own_looks_are_not_bounded_by_those_of_planning() -> None:
    many = Many()

    async def look(run: FleetRun) -> None:
        reaches = [run.reach(name, run.control.may_call) for name in NAMES]
        await at_once(one.ask("ListApps", lambda cloud: cloud.list_apps("d-d001")) for one in reaches)

    with pytest.raises(Exception, match="d-d001"):  # of another account than all but the first ask in
        many.do(look)
    assert many.most == 100


def test_owners_of_all_domains_are_looked_at_together() -> None:
    many = Many()
    found = many.do(lambda run: look_at_owners(run, ZOES))
    assert list(found) == ZOES
    assert all(isinstance(row, ObservedOwner) for row in found.values())
    assert many.most == CONNECT_PARALLEL_MAX_COUNT
    assert many.seconds == pytest.approx(5.0, abs=0.5)


@pytest.mark.parametrize("calls_each", [1, 2], ids=["settings", "whose"])
def test_what_is_asked_of_owners_is_asked_of_all_domains_together(calls_each: int) -> None:
    many = Many()
    rows = {owner: ObservedOwner(owner, "InService", EPOCH) for owner in ZOES}

    async def ask(run: FleetRun) -> dict[Owner, Any]:
        if calls_each == 1:
            return dict(await describe_owners(run, rows))
        return dict(await read_owners(run, rows.values()))

    assert list(many.do(ask)) == ZOES
    assert many.seconds == pytest.approx(5.0 * calls_each, abs=0.5)


def test_whose_apps_are_is_read_in_all_lanes_together() -> None:
    many = Many()
    keys = [parse_app_key(f"{name}/user/zoe/Canvas/default") for name in reversed(NAMES)]
    domains = {key.domain: ObservedDomain(key.domain, 0.0, {key: a_row(str(key))}) for key in keys}
    read = many.do(lambda run: read_ownership(run, ObservedFleet(domains), decisive(keys)))
    assert sorted(read) == sorted(keys)
    assert many.seconds == pytest.approx(5.0, abs=0.5)


QUOTA = "Studio JupyterLab Apps running on ml.t3.medium instances"


@dataclass
class Parts:
    """What quotas are read with: an account whose pages take a second."""

    many: Many
    run: FleetRun
    quotas: None = None
    reading: int = 0
    reading_most: int = 0

    async def account(self, _: object) -> Parts:
        return self

    async def list_quotas(self, token: str = "", *, code: str = "") -> QuotaPage:  # noqa: ARG002
        self.reading += 1
        self.reading_most = max(self.reading_most, self.reading)
        await asyncio.sleep(1.0)
        self.reading -= 1
        return QuotaPage({QUOTA: QuotaValue("L-1", 7)}, "" if token else "next")

    async def list_domains(self, token: str = "") -> DomainPage:
        await self.many.takes()
        return DomainPage(("d-of-nobody",), token)

    async def list_apps(self, token: str = "") -> AccountAppPage:
        await self.many.takes()
        return AccountAppPage((), token)


def test_quotas_of_all_lanes_are_read_together_and_given_in_order() -> None:
    many = Many()
    questions = [RoomIn(lane, name) for lane, name in zip(LANES, NAMES, strict=True)]

    kept: list[Parts] = []

    async def ask(run: FleetRun) -> Facts:
        kept.append(Parts(many, run))
        return await answers(questions, Facts(), AppOptions(Path("fleet.toml")), cast("Joined", kept[0]))

    facts = many.do(ask)
    assert list(facts.quotas) == LANES
    assert all(lane.values == {QUOTA: QuotaValue("L-1", 7)} for lane in facts.quotas.values())
    assert many.most == CONNECT_PARALLEL_MAX_COUNT
    assert kept[0].reading_most == min(len(LANES), ACCOUNT_READS_PARALLEL_MAX_COUNT)
    assert many.seconds == pytest.approx(2.0 + 2 * 100 / CONNECT_PARALLEL_MAX_COUNT, abs=1.0)


def test_what_many_answers_say_is_joined_in_order() -> None:
    assert joined_facts([]) == Facts()
    found = [Facts(quotas={lane: LaneQuotas()}) for lane in LANES]
    assert list(joined_facts(found).quotas) == LANES
    later = Facts(auth_modes={"research": "SSO"})
    assert joined_facts([Facts(auth_modes={"research": "IAM"}), Facts(), later]).auth_modes == later.auth_modes


async def test_what_is_done_at_once_comes_back_in_order() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await at_once(after(turns) for turns in (5, 0, 3)) == [5, 0, 3]


async def test_the_first_error_ends_what_is_done_beside_it() -> None:
    ended: list[str] = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("long")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("first")

    with pytest.raises(LookupError, match="first"):
        await at_once([long(), fails(), long()])
    assert ended == ["long", "long"]


class Kept:
    """A pace that lets nobody go on before `opened`."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    def set_rate(self, _: float) -> None: ...

    async def take(self) -> None:
        await self.opened.wait()


def lane_calls(of_region: asyncio.Semaphore, writes: Kept, concurrency: int = 4) -> LaneCalls:
    reads = Kept()
    reads.opened.set()
    execution = Execution(concurrency=concurrency)
    return LaneCalls(LANES[0], execution, writes, reads, lambda _: None, of_region=of_region)


async def test_a_lane_that_its_throttle_keeps_takes_no_place_of_the_region() -> None:
    of_region, kept = asyncio.Semaphore(1), Kept()
    slow, other = lane_calls(of_region, kept), lane_calls(of_region, Kept())
    waiting = asyncio.create_task(slow.take_write())
    await asyncio.sleep(0)

    async def answer() -> str:
        return "listed"

    assert await other.read("ListApps", answer, lambda: True) == "listed"
    kept.opened.set()
    await waiting
    assert of_region.locked()
    reading = asyncio.create_task(other.read("ListApps", answer, lambda: True))
    await asyncio.sleep(0)
    assert not reading.done()
    await slow.places.acquire()
    slow.leave()
    assert await reading == "listed"


def test_all_lanes_of_a_region_share_its_places() -> None:
    turns = Turns()
    few, many = turns.of_region("eu-west-1", 16), turns.of_region("us-east-1", 4 * CALLS_AT_ONCE_MAX_COUNT)
    assert turns.of_region("eu-west-1", 16) is few
    assert (few._value, many._value) == (CALLS_AT_ONCE_MAX_COUNT, 4 * CALLS_AT_ONCE_MAX_COUNT)
