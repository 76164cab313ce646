"""The in-memory face's own hooks; what it shares with the adapter is in the contract suite."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from engine.core import errors
from engine.core.desired import AppSpec
from engine.ports.cloud import AppName
from engine.simulator.faces.memory_face import MemoryCloud, SimulatedCall
from engine.simulator.world.faults import Fault, FaultKind
from tests.unit.simulator.worlds import DOMAIN_ID, REGION, START, make_world

if TYPE_CHECKING:
    from engine.simulator.world.world import World

LAB = AppName(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "default")


def a_cloud(world: World | None = None, **more: object) -> MemoryCloud:
    return MemoryCloud(world or make_world(), lambda: START, region=REGION, **more)  # type: ignore[arg-type]


async def test_latency_is_waited_for_before_and_behind_the_world() -> None:
    calls: list[tuple[str, str, int]] = []
    world = make_world()

    async def latency(call: SimulatedCall) -> None:
        calls.append((call.operation, call.phase, len(world.apps)))
        assert world.stats.in_flight == 1

    cloud = a_cloud(world, latency=latency)
    await cloud.create_app(LAB, AppSpec(), ())
    await cloud.caller()
    assert calls == [
        ("CreateApp", "request", 0),
        ("CreateApp", "answer", 1),
        ("GetCallerIdentity", "request", 1),
        ("GetCallerIdentity", "answer", 1),
    ]
    assert (world.stats.in_flight, world.stats.max_in_flight) == (0, 1)


async def test_a_call_that_is_cancelled_behind_the_world_has_acted() -> None:
    world = make_world()

    async def latency(call: SimulatedCall) -> None:
        if call.phase == "answer":
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await a_cloud(world, latency=latency).create_app(LAB, AppSpec(), ())
    assert (len(world.apps), world.stats.in_flight) == (1, 0)


async def test_a_fault_hook_sees_each_call_and_wins_over_the_worlds_rules() -> None:
    seen: list[SimulatedCall] = []

    def fault(call: SimulatedCall) -> Fault | None:
        seen.append(call)
        return Fault(FaultKind.RESET_AFTER) if call.operation == "DescribeApp" else None

    cloud = a_cloud(fault=fault)
    await cloud.create_app(LAB, AppSpec(), ())
    with pytest.raises(errors.OutcomeUnknown, match="reset-after") as caught:
        await cloud.describe_app(LAB)
    assert (caught.value.operation, caught.value.service_code) == ("DescribeApp", "reset-after")
    assert seen == [
        SimulatedCall("CreateApp", domain_id=DOMAIN_ID, app=LAB),
        SimulatedCall("DescribeApp", domain_id=DOMAIN_ID, app=LAB),
    ]


async def test_a_connection_that_is_refused_was_never_sent() -> None:
    world = make_world()
    with pytest.raises(errors.Unreachable):
        await a_cloud(world, fault=lambda _: Fault(FaultKind.REFUSED)).create_app(LAB, AppSpec(), ())
    assert not world.apps


async def test_a_server_that_cannot_prove_itself_gets_nothing() -> None:
    world = make_world()
    with pytest.raises(errors.TlsFailed) as caught:
        await a_cloud(world, fault=lambda _: Fault(FaultKind.UNTRUSTED)).create_app(LAB, AppSpec(), ())
    assert caught.value.ends_lane
    assert not world.apps


async def test_an_answer_that_is_lost_hides_a_refusal_too() -> None:
    cloud = a_cloud(fault=lambda _: Fault(FaultKind.INTERNAL_ERROR_AFTER))
    with pytest.raises(errors.OutcomeUnknown, match="InternalFailure"):
        await cloud.delete_app(LAB)


@pytest.mark.parametrize("kind", [FaultKind.DUPLICATE_ROWS, FaultKind.MISSING_ROWS])
async def test_wrong_rows_leave_an_empty_page_and_a_refused_one_alone(kind: FaultKind) -> None:
    cloud = a_cloud(fault=lambda _: Fault(kind))
    assert (await cloud.list_apps(DOMAIN_ID)).rows == ()
    with pytest.raises(errors.NotFound):
        await cloud.list_apps("d-gone")


async def test_wrong_rows_of_a_call_without_rows_are_a_lost_answer() -> None:
    with pytest.raises(errors.OutcomeUnknown):
        await a_cloud(fault=lambda _: Fault(FaultKind.MISSING_ROWS)).caller()


async def test_an_endpoint_is_what_was_said() -> None:
    assert a_cloud().endpoint == ""
    assert a_cloud(endpoint="http://127.0.0.1:1").endpoint == "http://127.0.0.1:1"


async def test_an_account_of_its_own_sees_nothing_of_the_other() -> None:
    cloud = a_cloud(account="999900001111")
    assert (await cloud.caller()).account == "999900001111"
    with pytest.raises(errors.NotFound):
        await cloud.list_apps(DOMAIN_ID)


async def test_requests_are_checked_only_when_asked() -> None:
    odd = AppName(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "under_score")
    with pytest.raises(errors.Rejected):
        await a_cloud(check_requests=True).create_app(odd, AppSpec(recovery_mode=False), (("a", "b"),))
    assert await a_cloud().create_app(odd, AppSpec(), ())


async def test_a_checked_listing_takes_an_owner_and_a_token() -> None:
    cloud = a_cloud(check_requests=True)
    for kind, owner in (("user", "alice"), ("space", "alice-lab")):
        page = await cloud.list_apps(DOMAIN_ID, owner_kind=kind, owner=owner)  # type: ignore[arg-type]
        assert page.rows == ()
    with pytest.raises(errors.ScanIncomplete):
        await cloud.list_apps(DOMAIN_ID, token="nonsense")
