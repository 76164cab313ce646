"""The one place that asks the service: turns, stops, failed credentials, and listings followed to their end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.app.answers import auth_mode, look_at_owners
from engine.app.status import failure_reasons
from engine.core.desired import AppSpec
from engine.core.errors import CloudError, CredentialsFailed, ScanIncomplete
from engine.core.facts import Facts, Unknown
from engine.core.identity import USER, Owner
from engine.core.limits import OPTIONAL_SERVICES_MAX_SECONDS
from engine.core.observed import ObservedFleet, Ownership
from engine.core.questions import CarriesFleetTag
from engine.core.settings import Backoff, Backoffs
from engine.executor.calls import StoppedError
from engine.executor.ownership import read_owners, read_ownership, tagged_owners, tags_of, unread_tags
from engine.executor.reads import pages
from engine.simulator.service import app_operations
from engine.simulator.world.faults import FaultKind
from tests.fleets import LANE, a_row, an_app
from tests.rounds import answered
from tests.unit.executor.parts import decisive
from tests.unit.executor.test_listing_lag import CANVAS_ID
from tests.unit.executor.test_owner_run import ALICE, CANVAS_A, DOMAIN_ID, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.executor.fleet_run import FleetRun
    from engine.simulator.faces.memory_face import SimulatedCall

KEY = an_app(CANVAS_A).key
DOMAIN_ARN = f"arn:aws:sagemaker:{LANE.region}:{LANE.account}:domain/d-research"


async def _whose(run: FleetRun) -> Any:
    from engine.core.observed import ObservedDomain

    row = a_row(CANVAS_A)
    observed = ObservedFleet({"research": ObservedDomain("research", 0.0, {KEY: row})})
    return await read_ownership(run, observed, decisive([KEY]))


async def _prune(run: FleetRun) -> Any:
    return await answered(run, [CarriesFleetTag(LANE, (KEY,))], Facts())


async def _owners(run: FleetRun) -> Any:
    from engine.core.observed import ObservedOwner

    return await read_owners(run, [ObservedOwner(ALICE, "InService", 1.0)])


READS: dict[str, Callable[[FleetRun], Awaitable[Any]]] = {
    "listing": lambda run: run.observe({"research": None}),
    "whose an app is": _whose,
    "whose owners are": _owners,
    "tagged owners": lambda run: tagged_owners(run, [KEY]),
    "why not prune": _prune,
    "tags": lambda run: tags_of(run.reach("research"), DOMAIN_ARN),
    "owners": lambda run: look_at_owners(run, [ALICE]),
    "all owners": lambda run: run.owner_scanner("research").all_of(USER),
    "auth mode": lambda run: auth_mode(run, "research"),
    "reasons": lambda run: failure_reasons(run, [KEY]),
    "quotas": lambda run: run.account_reach("research").ask("ListServiceQuotas", lambda _: asyncio.sleep(30.0)),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_second_signal_cuts_off_every_read_before_a_plan_at_once(read: Callable[[FleetRun], Awaitable[Any]]) -> None:
    stage = Stage()
    stage.latency = lambda _: asyncio.sleep(30.0)
    stage.at = [(1.0, lambda run: run.control.interrupt()), (1.5, lambda run: run.control.abort())]
    with pytest.raises(StoppedError):
        stage.do(read)
    assert stage.time == pytest.approx(2.5)  # the second signal, and the second that the stage adds


IN_THE_LANE = {name: read for name, read in READS.items() if name != "quotas"}  # those are a lane of their own


@pytest.mark.parametrize("read", IN_THE_LANE.values(), ids=IN_THE_LANE)
def test_after_failed_credentials_nothing_else_is_asked_in_that_lane(
    read: Callable[[FleetRun], Awaitable[Any]],
) -> None:
    stage = Stage()
    sent: list[str] = []

    async def note(call: SimulatedCall) -> None:
        if call.phase == "request":
            sent.append(call.operation)

    async def work(run: FleetRun) -> None:
        stage.fault(FaultKind.EXPIRED_CREDENTIALS, "DescribeDomain")
        assert isinstance(await auth_mode(run, "research"), Unknown)
        stage.latency = note
        sent.clear()
        try:
            await read(run)
        except CredentialsFailed:
            return

    stage.latency = note
    stage.do(work)
    assert sent == []


def test_many_reads_that_meet_failed_credentials_make_one_call_and_not_one_each() -> None:
    stage = Stage()
    stage.fault(FaultKind.EXPIRED_CREDENTIALS, "*", count=99)
    owners = [Owner("research", USER, f"u{number}") for number in range(3)]
    found = stage.do(lambda run: look_at_owners(run, owners))
    assert all(isinstance(found[owner], Unknown) for owner in owners)
    assert stage.run is not None
    assert sum(sum(kinds.values()) for kinds in stage.run.calls().values()) == 1


def test_a_lane_whose_credentials_failed_while_it_was_planned_makes_no_call_at_all() -> None:
    from engine.core.planner import plan_fleet
    from tests.fleets import options

    stage = Stage()
    for name in ("alice", "bob"):
        stage.profile(name)
    stage.fleet = replace(stage.fleet, apps=stage.fleet.apps[1:], owners=())

    async def work(run: FleetRun) -> Any:
        plan = plan_fleet(stage.fleet, await run.observe({"research": None}), options())
        stage.fault(FaultKind.EXPIRED_CREDENTIALS, "DescribeDomain")
        await auth_mode(run, "research")
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    report = stage.do(work)
    assert [(result.outcome.value, result.attempts) for result in report.apps] == [("skipped", 0)] * 2
    assert "CreateApp" not in report.calls
    assert report.exit_code == 1


class OnePage:
    """A page that names the next one, or none."""

    def __init__(self, next_token: str) -> None:
        self.next_token = next_token


def _asker(tokens: list[str]) -> Callable[[str], Awaitable[OnePage]]:
    left = iter(tokens)

    async def ask(_token: str) -> OnePage:
        return OnePage(next(left))

    return ask


async def test_a_listing_ends_at_the_page_that_names_no_other() -> None:
    found = [page.next_token async for page in pages(_asker(["a", "b", ""]), "ListThings", "all")]
    assert found == ["a", "b", ""]


@pytest.mark.parametrize(
    ("tokens", "why"), [(["a", "b", "a"], "the same NextToken twice"), (["a", "b", "c", "d"], "more than 3 pages")]
)
async def test_a_listing_without_an_end_is_an_error_and_no_short_listing(tokens: list[str], why: str) -> None:
    with pytest.raises(ScanIncomplete, match=why) as raised:
        _ = [page async for page in pages(_asker(tokens), "ListThings", "all of it", at_most=3)]
    assert isinstance(raised.value, CloudError)
    assert raised.value.message.startswith("ListThings of all of it could not be completed")


@pytest.mark.parametrize("operation", ["DescribeUserProfile", "ListTags"])
def test_an_owner_whose_tag_cannot_be_read_is_unread_and_says_why(operation: str) -> None:
    from engine.core.observed import Ownership

    stage = Stage()
    stage.profile("alice", tags={"appfleet:managed-by": "ml"})
    stage.fault(FaultKind.ACCESS_DENIED, operation, count=9)
    (row,) = stage.do(_owners).values()
    assert row.ownership is Ownership.UNREAD
    assert operation in row.unread_because
    assert [event.name for event in stage.events if event.name == "owner.unread"] == ["owner.unread"]


@pytest.mark.parametrize(("tags", "whose"), [({"appfleet:managed-by": "ml"}, "ours"), ({}, "nobody")])
def test_an_owner_is_who_its_own_tag_says(tags: dict[str, str], whose: str) -> None:
    stage = Stage()
    stage.profile("alice", tags=tags)
    (row,) = stage.do(_owners).values()
    assert (row.ownership.value, row.unread_because) == (whose, "")


@pytest.mark.parametrize(
    ("operation", "read"),
    [("ListTags", _whose), ("DescribeApp", _whose), ("ListTags", _owners), ("DescribeUserProfile", _owners)],
)
@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE, FaultKind.THROTTLE, FaultKind.RESET_BEFORE, FaultKind.REFUSED])
def test_whose_things_are_costs_a_run_its_bound_once_where_nobody_tells(
    operation: str, read: Callable[[FleetRun], Awaitable[Any]], kind: FaultKind
) -> None:
    """Twenty apps would otherwise wait five minutes each, one after the other, before there is a plan."""
    stage = Stage()
    stage.profile("alice")
    domain = stage.world.domains[DOMAIN_ID]
    app_operations.place_app(stage.world, domain, CANVAS_ID, "alice", AppSpec(), {}, "InService")
    stage.fault(kind, operation, count=9_999)

    async def thrice(run: FleetRun) -> float:
        began_at = run.control.now()
        for _ in range(3):
            await read(run)
        return run.control.now() - began_at

    assert stage.do(thrice) <= OPTIONAL_SERVICES_MAX_SECONDS + 1.0
    assert stage.run is not None
    assert list(unread_tags(stage.run)) == [LANE]


@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE, FaultKind.THROTTLE, FaultKind.RESET_BEFORE])
def test_reasons_of_failed_apps_cost_a_command_their_bound_once(kind: FaultKind) -> None:
    """Twenty of them would otherwise wait one after the other; and they say nothing of tags."""
    stage = Stage()
    stage.fault(kind, "DescribeApp", count=9_999)

    async def reasons(run: FleetRun) -> float:
        began_at = run.control.now()
        keys = [an_app(f"research/user/p{number}/Canvas/default", None).key for number in range(20)]
        assert await failure_reasons(run, keys) == {}
        return run.control.now() - began_at

    assert stage.do(reasons) <= OPTIONAL_SERVICES_MAX_SECONDS + 1.0
    assert stage.run is not None
    assert unread_tags(stage.run) == {}


def test_one_thing_whose_tags_are_refused_says_nothing_of_the_others() -> None:
    stage = Stage()
    stage.profile("alice")
    stage.fault(FaultKind.ACCESS_DENIED, "ListTags")

    async def twice(run: FleetRun) -> list[Any]:
        return [(await _owners(run))[ALICE] for _ in range(2)]

    first, second = stage.do(twice)
    assert first.ownership is Ownership.UNREAD is not second.ownership


def test_tags_that_were_given_up_are_not_asked_for_again() -> None:
    stage = Stage()
    stage.profile("alice")
    at_once = Backoff(initial=0.1, max=0.1, factor=1.0, give_up_after=0.0)
    stage.settings = replace(stage.settings, backoffs=Backoffs(transient=at_once))
    stage.fault(FaultKind.UNAVAILABLE, "ListTags")

    async def twice(run: FleetRun) -> list[Any]:
        return [(await _owners(run))[ALICE] for _ in range(2)]

    assert [row.ownership for row in stage.do(twice)] == [Ownership.UNREAD, Ownership.UNREAD]
