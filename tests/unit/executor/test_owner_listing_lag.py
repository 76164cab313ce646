"""Listings of owners that lag: what they do not show is asked for one by one before anything is said of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.desired import DesiredOwner
from engine.core.errors import NotFound
from engine.core.identity import USER, Owner
from engine.core.limits import OWNER_DESCRIBES_MAX_COUNT, STALE_ROW_MAX_SECONDS
from engine.core.ownership import MANAGED_TAG
from engine.core.settings import Execution, Observe
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import owner_operations
from engine.simulator.world.faults import FaultKind
from tests.fleets import SOURCE, an_app
from tests.unit.executor.test_owner_run import ALICE, EPOCH, Stage, outcomes, owners_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.ports.owners import OwnerPage, OwnerRow
    from engine.simulator.faces.memory_face import SimulatedCall

    Shows = Callable[[Stage, OwnerRow], bool]

NAMES = [f"p{number}" for number in range(OWNER_DESCRIBES_MAX_COUNT + 2)]  # more than are asked for one by one


@pytest.fixture
def stage() -> Stage:
    """Return a fleet of so many profiles, each with an app, that its owners are listed."""
    made = Stage()
    made.fleet = replace(
        made.fleet,
        apps=tuple(an_app(f"research/user/{name}/Canvas/default", None) for name in NAMES),
        owners=tuple(DesiredOwner(Owner("research", USER, name), SOURCE) for name in NAMES),
    )
    return made


def let_listings_show(monkeypatch: pytest.MonkeyPatch, stage: Stage, shows: Shows) -> None:
    right = MemoryCloud.list_owners

    async def list_owners(cloud: MemoryCloud, *asked: Any, **more: Any) -> Any:
        page = await right(cloud, *asked, **more)
        return replace(page, rows=tuple(row for row in page.rows if shows(stage, row)))

    monkeypatch.setattr(MemoryCloud, "list_owners", list_owners)


@pytest.mark.parametrize("lag_s", [25.0, 90.0, 1e6])
def test_owners_that_were_accepted_and_that_no_listing_shows_are_asked_for_and_are_not_removed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, lag_s: float
) -> None:
    let_listings_show(monkeypatch, stage, lambda at, row: at.world.now - row.created_at >= lag_s)
    report = stage.apply()
    assert set(owners_of(report).values()) == {"created"}
    assert set(outcomes(report).values()) == {"created"}
    assert report.calls["DescribeUserProfile"]["ok"] == len(NAMES)  # once each, and nobody waits for the listing
    assert report.seconds < 60.0


def test_a_create_of_an_owner_whose_answer_was_lost_is_not_sent_again_for_one_that_is_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_listings_show(monkeypatch, stage, lambda at, row: at.world.now - row.created_at >= 1e6)
    stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile", count=len(NAMES))
    report = stage.apply()
    assert set(owners_of(report).values()) == {"created"}
    assert report.calls["CreateUserProfile"] == {"unknown": len(NAMES)}


def test_owners_that_a_listing_stops_showing_are_not_deleted_before_they_are_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting takes longer than one look, and the listing shows none of them from the first delete on."""
    for name in NAMES:
        stage.profile(name, tags={MANAGED_TAG: "ml"})
    stage.fleet = replace(stage.fleet, apps=())
    stage.world.timing = replace(stage.world.timing, profile_deleting=(40.0, 40.0))
    planned: list[bool] = []
    let_listings_show(monkeypatch, stage, lambda *_: not planned)
    stage.on_call["DeleteUserProfile"] = lambda _: planned.append(True)
    report = stage.let_go()
    assert set(owners_of(report).values()) == {"deleted"}
    assert report.seconds >= 40.0


def test_owners_that_the_run_lets_go_while_one_of_them_is_asked_about_end_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal comes while a profile is asked about; one of unknown outcome keeps the run alive and is looked up."""
    let_listings_show(monkeypatch, stage, lambda *_: False)
    stage.settings = replace(stage.settings, observe=Observe(first_after=40.0, second_after=10.0))
    stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile")
    asked: list[str] = []

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "DescribeUserProfile" and call.phase == "request" and stage.run is not None:
            asked.append(call.owner)
            if len(asked) == 1:
                stage.run.control.interrupt()
            await asyncio.sleep(0.5)

    stage.latency = latency
    report = stage.apply()
    assert not report.bug
    assert {owner.name: outcome.value for owner, outcome in owners_of(report).items()} == {
        NAMES[0]: "created",
        **dict.fromkeys(NAMES[1:], "still_pending"),
    }
    assert asked == [NAMES[1], NAMES[0]]  # what was let go is not asked about any more


@pytest.mark.parametrize("lag_s", [30.0, 50.0])
def test_a_profile_that_was_accepted_and_that_nothing_shows_for_most_of_a_minute_is_not_removed(
    monkeypatch: pytest.MonkeyPatch, lag_s: float
) -> None:
    stage = Stage()
    right = MemoryCloud.describe_owner

    async def describe_owner(cloud: MemoryCloud, *asked: Any) -> Any:
        detail = await right(cloud, *asked)
        if stage.world.now - detail.row.created_at < lag_s:
            raise NotFound("not there", service_code="ResourceNotFound")
        return detail

    monkeypatch.setattr(MemoryCloud, "describe_owner", describe_owner)
    report = stage.apply()
    assert set(owners_of(report).values()) == {"created"}
    assert set(outcomes(report).values()) == {"created"}
    assert report.calls["CreateUserProfile"] == {"ok": 2}


def test_a_profile_that_is_gone_without_a_trace_is_removed_after_the_lag_that_a_look_may_have() -> None:
    stage = Stage()
    stage.world.timing = replace(stage.world.timing, profile_pending=(500.0, 500.0))
    stage.at = [(4.0, lambda _: stage.world.drop_owner(stage.domain.profiles["alice"]))]
    stage.settings = replace(stage.settings, execution=replace(Execution(), settle_timeout=300.0))
    (ended,) = [result for result in stage.apply().owners if result.owner == ALICE]
    assert ended.error is not None
    assert ended.error.code == "removed_during_run"
    assert STALE_ROW_MAX_SECONDS <= ended.seconds < 2 * STALE_ROW_MAX_SECONDS


# Owners on their way out, in listings that lag behind: they show what was there before as it was before.


def let_listings_lag(monkeypatch: pytest.MonkeyPatch, stage: Stage, from_s: float, until_s: float) -> None:
    """Let listings of profiles be, between two moments of the stage's next run, as they were at first."""
    right = MemoryCloud.list_owners
    first: list[OwnerPage] = []

    async def list_owners(cloud: MemoryCloud, *asked: Any, **more: Any) -> Any:
        page = await right(cloud, *asked, **more)
        if not first:
            first.append(replace(page, rows=tuple(replace(row, status="InService") for row in page.rows)))
        return first[0] if from_s <= stage.world.now - EPOCH < until_s else page

    monkeypatch.setattr(MemoryCloud, "list_owners", list_owners)


def going(stage: Stage, seconds: float) -> None:
    """Let all profiles be on their way out, for so long."""
    stage.world.timing = replace(stage.world.timing, profile_deleting=(seconds, seconds))
    for name in NAMES:
        stage.profile(name)
        owner_operations.delete_profile(stage.world, stage.domain, name)


@pytest.mark.parametrize(("from_s", "until_s"), [(1.0, 40.0), (25.0, 1e6)])
def test_owners_that_were_seen_going_do_not_come_back_by_a_listing_that_lags(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, from_s: float, until_s: float
) -> None:
    """Neither before they are made again nor after that; what lags for more than a minute is asked about."""
    going(stage, 20.0)
    let_listings_lag(monkeypatch, stage, from_s, until_s)
    report = stage.apply()
    assert set(owners_of(report).values()) == {"created"}
    assert set(outcomes(report).values()) == {"created"}


@pytest.mark.parametrize("lost", [FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER])
def test_owners_that_were_seen_going_are_not_adopted_by_a_listing_that_lags_after_lost_creates(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, lost: FaultKind
) -> None:
    going(stage, 5.0)
    let_listings_lag(monkeypatch, stage, 12.0, 60.0)
    stage.fault(lost, "CreateUserProfile", count=len(NAMES))
    report = stage.apply()
    assert set(owners_of(report).values()) == {"created"}
    assert set(outcomes(report).values()) == {"created"}
    sent = report.calls["CreateUserProfile"]
    assert sent == {"unknown": len(NAMES), **({} if lost is FaultKind.RESET_AFTER else {"ok": len(NAMES)})}
