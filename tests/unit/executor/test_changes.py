"""What comes before every delete: a second look with the tag, a durable intent, and a lane that still may call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.hours import KEEP_UNTIL_TAG, HoursAt
from engine.core.identity import SPACE, USER, Owner
from engine.core.outcome import Outcome
from engine.core.ownership import MANAGED_TAG
from engine.executor.cause import Cause
from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.records import app_id
from tests.fleets import an_app, hours_of, options
from tests.rounds import a_draft, whole
from tests.unit.executor.test_owner_run import (
    ALICE,
    BOB,
    CANVAS_B,
    DOMAIN_ID,
    EPOCH,
    SPACE_A,
    Stage,
    all_created,
    code_of,
    owners_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.executor.fleet_run import FleetRun
    from engine.simulator.faces.memory_face import SimulatedCall

DELETES = {"DeleteApp", "DeleteSpace", "DeleteUserProfile"}


@pytest.fixture
def stage() -> Stage:
    """A fleet that is in service, about to leave."""
    made = Stage()
    assert all_created(made.apply())
    made.events.clear()
    return made


def message_of(report: Any, owner: Owner) -> str:
    (error,) = (result.error for result in report.owners if result.owner == owner)
    return "" if error is None else str(error.message)


def when(stage: Stage, operation: str, phase: str, act: Callable[[FleetRun], None]) -> None:
    """Do something once, when a call of this name is on its way or its answer is."""
    done: list[bool] = []

    async def latency(call: SimulatedCall) -> None:
        if call.operation == operation and call.phase == phase and not done and stage.run is not None:
            done.append(True)
            act(stage.run)

    stage.latency = latency


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({MANAGED_TAG: "others"}, "its tag appfleet:managed-by names the fleet 'others'"),
        ({}, "it has no tag appfleet:managed-by"),
        ({"cost-center": "1"}, "it has no tag appfleet:managed-by"),
    ],
)
def test_an_owner_whose_tag_is_not_ours_any_more_is_not_deleted(stage: Stage, tags: dict[str, str], why: str) -> None:
    """Another administrator takes it over between the plan and the delete: its volume would go with it."""
    when(stage, "DescribeSpace", "request", lambda _: setattr(stage.domain.spaces["alice-lab"], "tags", dict(tags)))
    report = stage.let_go()
    assert owners_of(report)[SPACE_A] is Outcome.SKIPPED
    assert code_of(report, SPACE_A) == "changed_since_plan"
    assert message_of(report, SPACE_A) == f"space alice-lab was not deleted: {why}"
    assert "DeleteSpace" not in report.calls
    assert owners_of(report)[ALICE] is Outcome.SKIPPED  # what lives in it stays, so it stays
    assert owners_of(report)[BOB] is Outcome.DELETED


def test_an_owner_whose_tag_cannot_be_read_is_not_deleted_and_it_is_said_why(stage: Stage) -> None:
    def deny(_: FleetRun) -> None:
        stage.fault(FaultKind.ACCESS_DENIED, "ListTags", count=9)

    when(stage, "DescribeUserProfile", "request", deny)
    report = stage.let_go()
    assert owners_of(report)[BOB] is Outcome.FAILED
    assert "DeleteUserProfile" not in report.calls
    assert message_of(report, BOB).startswith("not deleted: it could not be read again")
    assert "ListTags" in message_of(report, BOB)


@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.UNAVAILABLE, FaultKind.RESET_BEFORE])
def test_a_tag_that_is_not_read_at_the_first_try_is_asked_for_again(stage: Stage, kind: FaultKind) -> None:
    when(stage, "DescribeUserProfile", "request", lambda _: stage.fault(kind, "ListTags", count=2))
    assert set(owners_of(stage.let_go()).values()) == {Outcome.DELETED}


def _stop_lane(run: FleetRun) -> None:
    """Fail the lane's credentials in another call, as an expired token does, while this one still reads."""
    from engine.core.trouble import Trouble
    from tests.fleets import LANE

    run.lanes[LANE].stop_lane(Trouble("ExpiredTokenException", "expired", "log in again"))


STOPS: dict[str, Callable[[FleetRun], None]] = {
    "lane": _stop_lane,
    "signal": lambda run: run.control.stop(Cause.INTERRUPTED),
    "deadline": lambda run: run.control.stop(Cause.DEADLINE),
}
READS = ["DescribeSpace", "DescribeUserProfile", "DescribeApp", "ListTags"]


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("phase", ["request", "answer"])
def test_nothing_is_deleted_once_its_lane_may_not_call_whatever_is_awaited(
    stage: Stage, stop: Callable[[FleetRun], None], operation: str, phase: str
) -> None:
    done: list[int] = []

    async def latency(call: SimulatedCall) -> None:
        run = stage.run
        if run is not None and run.lanes and call.operation == operation and call.phase == phase and not done:
            done.append(len([one for one in sent if one in DELETES]))
            stop(run)
        if call.phase == "request":
            sent.append(call.operation)

    sent: list[str] = []
    stage.latency = latency
    report = stage.let_go()
    assert done
    assert len([one for one in sent if one in DELETES]) == done[0], sent
    assert len(report.owners) == 3


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_nothing_is_deleted_when_the_lane_ends_while_the_intent_is_written(
    stage: Stage, stop: Callable[[FleetRun], None]
) -> None:
    def on_delete() -> None:
        assert stage.run is not None
        stop(stage.run)

    stage.journal.on_delete = on_delete
    report = stage.let_go()
    assert not DELETES & set(report.calls)


def test_no_delete_is_told_as_accepted_that_was_never_sent(stage: Stage) -> None:
    """Somebody else is deleting it already."""

    def going(_: FleetRun) -> None:
        stage.domain.profiles["bob"].status = "Deleting"
        stage.world.set_due(stage.domain.profiles["bob"], stage.world.now + 5.0)

    when(stage, "DescribeUserProfile", "request", going)
    report = stage.let_go()
    assert owners_of(report)[BOB] is Outcome.DELETED
    accepted = {(event.key, event.operation) for event in stage.events if event.name == "owner.accepted"}
    assert (BOB, "DeleteUserProfile") not in accepted
    assert (ALICE, "DeleteUserProfile") in accepted


def test_the_place_of_an_owner_that_went_is_offered_to_one_that_waits_for_it() -> None:
    """A full quota of profiles is asked again as soon as one of them is gone, and not at the next probe."""
    from engine.core.settings import Backoff
    from engine.simulator.world.quotas import USER_PROFILES

    stage = Stage()
    stage.profile("old", tags={MANAGED_TAG: "ml"})
    stage.world.quotas.set(USER_PROFILES, 1)
    limit = Backoff(600.0, 600.0, 2.0, 10_000.0)
    stage.settings = replace(stage.settings, backoffs=replace(stage.settings.backoffs, limit=limit))
    ended = with_leaver(stage, Owner("research", USER, "old"))
    assert ended[Owner("research", USER, "old")] is Outcome.DELETED
    assert ended[BOB] is Outcome.CREATED
    assert stage.time < limit.initial


def with_leaver(stage: Stage, leaver: Owner) -> dict[Owner, Outcome]:
    """Make bob, and let one who stands there go in the same run, after bob was refused once."""
    from engine.core.change import Action, OwnerChange, OwnerReason
    from engine.core.observed import Ownership
    from engine.core.owners import owners_needed
    from engine.core.planner import plan_fleet
    from tests.fleets import options
    from tests.rounds import owned, seen_of

    stage.fleet = replace(stage.fleet, apps=stage.fleet.apps[-1:])

    async def work(run: FleetRun) -> Any:
        rows = await run.owner_scanner("research").all_of(USER)
        before = replace(rows[leaver], ownership=Ownership.OURS)
        observed = await run.observe({"research": None})
        plan = plan_fleet(stage.fleet, observed, options())
        plan = owned(plan, stage.fleet, await seen_of(run, owners_needed(plan, stage.fleet)), create=True)
        gone = OwnerChange(leaver, Action.DELETE, OwnerReason.OFFBOARDED, before=before)
        plan = replace(plan, owners=(*plan.owners, gone))
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    return owners_of(stage.do(work))


def test_spaces_have_a_tag_of_their_own_to_be_deleted_by(stage: Stage) -> None:
    assert stage.domain.spaces["alice-lab"].tags == {MANAGED_TAG: "ml"}
    assert Owner("research", SPACE, "alice-lab") == SPACE_A


def _app_opens(stage: Stage, status: str = "InService") -> Callable[[FleetRun], None]:
    def opens(_: FleetRun) -> None:
        key = app_id(DOMAIN_ID, USER, "bob", "KernelGateway", "own")
        app_operations.place_app(stage.world, stage.domain, key, "bob", an_app().spec, {}, status)

    return opens


def test_what_is_refused_because_something_lives_in_it_is_looked_at_once_and_told(stage: Stage) -> None:
    """Somebody opens an app by hand in the middle of an offboarding."""
    when(stage, "DescribeUserProfile", "request", _app_opens(stage))
    report = stage.let_go()
    assert owners_of(report)[BOB] is Outcome.FAILED
    assert code_of(report, BOB) == "ResourceInUse"
    assert message_of(report, BOB) == "not deleted: in use by app KernelGateway/own (InService)"
    assert report.calls["DeleteUserProfile"] == {"ok": 1, "in_use": 1}  # alice's, and bob's once
    assert owners_of(report)[ALICE] is Outcome.DELETED


def test_a_space_that_somebody_makes_for_a_leaver_is_named(stage: Stage) -> None:
    def makes(_: FleetRun) -> None:
        owner_operations.create_space(
            stage.world, stage.domain, "bobs-own", owner="bob", sharing="Private", at_once=True
        )

    when(stage, "DescribeUserProfile", "request", makes)
    report = stage.let_go()
    assert message_of(report, BOB) == "not deleted: in use by space bobs-own"
    assert report.calls["DeleteUserProfile"] == {"ok": 1, "in_use": 1}


def test_what_is_on_its_way_out_is_waited_for_and_then_the_owner_goes(stage: Stage) -> None:
    def opens_and_goes(run: FleetRun) -> None:
        _app_opens(stage)(run)
        app_operations.delete_app(stage.world, app_id(DOMAIN_ID, USER, "bob", "KernelGateway", "own"))

    when(stage, "DescribeUserProfile", "request", opens_and_goes)
    report = stage.let_go()
    assert owners_of(report)[BOB] is Outcome.DELETED


def test_an_owner_in_use_whose_inside_cannot_be_read_is_asked_for_again(stage: Stage) -> None:
    def opens(run: FleetRun) -> None:
        _app_opens(stage)(run)
        stage.fault(FaultKind.ACCESS_DENIED, "ListApps")

    when(stage, "DescribeUserProfile", "request", opens)
    report = stage.let_go()
    assert message_of(report, BOB) == "not deleted: in use by app KernelGateway/own (InService)"
    assert report.calls["DeleteUserProfile"]["in_use"] == 2


def test_an_app_that_somebody_opens_in_a_space_that_goes_is_named(stage: Stage) -> None:
    def opens(_: FleetRun) -> None:
        key = app_id(DOMAIN_ID, SPACE, "alice-lab", "JupyterLab", "default")
        app_operations.place_app(stage.world, stage.domain, key, "alice-lab", an_app().spec, {}, "InService")

    when(stage, "DescribeSpace", "request", opens)
    report = stage.let_go()
    assert message_of(report, SPACE_A) == "not deleted: in use by app JupyterLab/default (InService)"


def test_a_quota_error_of_an_owners_delete_is_its_end_and_no_bug(stage: Stage) -> None:
    """No gate stands before a call that makes nothing."""
    stage.fault(FaultKind.ERROR, "DeleteSpace", code="ResourceLimitExceeded", message="The limit is 1.")
    report = stage.let_go()
    assert owners_of(report)[SPACE_A] is Outcome.FAILED
    assert code_of(report, SPACE_A) == "ResourceLimitExceeded"
    assert not report.bug


# An app that --allow-destructive names.

NAMED = "research/user/bob/Canvas/default"


def delete_named(stage: Stage, meanwhile: Callable[[], None] = lambda: None, ownership: str = "nobody") -> Any:
    """Plan with one app of this ownership that is declared absent and named, then let something happen."""
    from engine.core.desired import Mode
    from engine.core.observed import Ownership
    from engine.core.planner import plan_fleet
    from tests.fleets import key_of, options

    key = key_of(NAMED)
    fleet = replace(stage.fleet, apps=(an_app(NAMED, None, mode=Mode.ABSENT),), owners=())

    async def work(run: FleetRun) -> Any:
        observed = await run.observe({"research": None})
        domain = observed.domains["research"]
        rows = {key: replace(domain.apps[key], ownership=Ownership(ownership))}
        observed = replace(observed, domains={"research": replace(domain, apps=rows)})
        plan = plan_fleet(fleet, observed, options(allow_destructive=frozenset({key})))
        meanwhile()
        return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    (result,) = stage.do(work).apps
    return result


def bobs_app(stage: Stage) -> Any:
    return stage.world.apps[app_id(DOMAIN_ID, USER, "bob", "Canvas", "default")]


def test_a_named_app_that_has_no_tag_goes(stage: Stage) -> None:
    bobs_app(stage).tags = {}
    assert delete_named(stage).outcome is Outcome.DELETED


@pytest.mark.parametrize("tags", [{}, {"appfleet:fleet": "others"}])
def test_a_named_app_whose_tags_could_not_be_read_is_not_deleted(stage: Stage, tags: dict[str, str]) -> None:
    """It may be another fleet's: naming it speaks for what has no tag, and not for what nobody has read."""
    bobs_app(stage).tags = tags
    result = delete_named(stage, ownership="unread")
    assert (result.outcome, result.error.code) == (Outcome.SKIPPED, "not_owned")
    assert "its tags could not be read" in result.error.message
    assert "--allow-destructive" not in result.error.hint


def test_a_named_app_whose_tags_may_not_be_read_any_more_is_not_deleted(stage: Stage) -> None:
    bobs_app(stage).tags = {}
    result = delete_named(stage, lambda: stage.fault(FaultKind.ACCESS_DENIED, "ListTags", count=9))
    assert result.outcome is Outcome.FAILED
    assert result.error.message.startswith("not deleted: it could not be read again just before")


def test_a_named_app_that_another_fleet_claims_stays(stage: Stage) -> None:
    bobs_app(stage).tags = {"appfleet:fleet": "others"}
    result = delete_named(stage)
    assert result.outcome is Outcome.SKIPPED
    assert "names the fleet 'others'" in result.error.message


def test_a_named_app_that_was_nobodys_and_is_ours_by_now_is_left_to_the_next_run(stage: Stage) -> None:
    bobs_app(stage).tags = {"appfleet:fleet": "ml"}
    result = delete_named(stage, ownership="nobody")
    assert result.outcome is Outcome.SKIPPED
    assert "its tag appfleet:fleet names this fleet, which differs" in result.error.message


def test_an_app_of_ours_whose_tags_may_not_be_read_any_more_stays(stage: Stage) -> None:
    deny = lambda: stage.fault(FaultKind.ACCESS_DENIED, "ListTags", count=9)  # noqa: E731
    result = delete_named(stage, deny, ownership="ours")
    assert result.outcome is Outcome.FAILED
    assert result.error.message.startswith("not deleted: it could not be read again just before")


HOURS = "Mon-Fri 08:00-19:00 UTC"
FRIDAY_0800 = EPOCH  # 15 January 2027, 08:00 UTC


def a_stop(stage: Stage, at: float) -> Any:
    """Plan a run at `at`, in epoch seconds, and carry it out: every app of the stage has hours."""
    apps = tuple(replace(app, hours=hours_of(HOURS)) for app in stage.fleet.apps)
    stage.fleet = replace(stage.fleet, apps=apps, hours=(hours_of(HOURS),))
    stage.time = at - EPOCH

    async def work(run: FleetRun) -> Any:
        asked = options(hours=HoursAt.of(stage.fleet.hours, datetime.fromtimestamp(at, UTC)))
        plan = (await whole(run, a_draft(run, stage.fleet, await run.observe({"research": None}), asked))).plan
        return plan, await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    return stage.do(work)


def _error_of(report: Any, key: str) -> Any:
    return next((result.outcome, result.error) for result in report.apps if str(result.key) == key)


def _bobs_tags(stage: Stage) -> dict[str, str]:
    return stage.world.apps[app_id(DOMAIN_ID, "user", "bob", "Canvas", "default")].tags


def test_apps_outside_their_hours_are_stopped_and_all_is_well(stage: Stage) -> None:
    plan, report = a_stop(stage, FRIDAY_0800 + 12 * 3600)
    assert {change.reason.value for change in plan.changes} == {"outside_hours"}
    assert {result.outcome for result in report.apps} == {Outcome.DELETED}
    plan, report = a_stop(stage, FRIDAY_0800 + 13 * 3600)
    assert plan.changes == ()
    assert {(result.outcome, result.error.code, result.error.message) for result in report.apps} == {
        (Outcome.UNCHANGED, "outside_hours", f"outside its hours ({HOURS}), back Mon 08:00")
    }
    assert report.exit_code == 0


@pytest.mark.parametrize(("until", "kept"), [("2027-01-15T22:00:00Z", True), ("2027-01-15T19:30:00Z", False)])
def test_a_tag_that_was_set_since_the_plan_keeps_an_app(stage: Stage, until: str, *, kept: bool) -> None:
    tags = _bobs_tags(stage)

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "DescribeApp" and stage.run is not None and stage.run.lanes:
            tags[KEEP_UNTIL_TAG] = until

    stage.latency = latency
    _, report = a_stop(stage, FRIDAY_0800 + 12 * 3600)
    outcome, error = _error_of(report, CANVAS_B)
    assert outcome is (Outcome.UNCHANGED if kept else Outcome.DELETED)
    assert (error.code if error else "") == ("kept" if kept else "")
    assert report.exit_code == 0
    skipped = [event for event in stage.events if event.name == "app.skipped"]
    assert [str(event.key) for event in skipped] == ([CANVAS_B] if kept else [])


def test_the_plan_knows_the_tag_of_what_it_would_stop(stage: Stage) -> None:
    _bobs_tags(stage)[KEEP_UNTIL_TAG] = "2027-01-15T22:00:00+01:00"
    plan, report = a_stop(stage, FRIDAY_0800 + 12 * 3600)
    reasons = {str(change.key): change.reason.value for change in plan.decisions}
    assert reasons[CANVAS_B] == "kept"
    assert _error_of(report, CANVAS_B)[1].code == "kept"


def test_nothing_is_stopped_whose_hours_have_begun_since_the_plan(stage: Stage) -> None:
    stage.journal.on_delete = lambda: None
    _, report = a_stop(stage, FRIDAY_0800 + 24 * 3600)  # Saturday: all are stopped
    assert {result.outcome for result in report.apps} == {Outcome.DELETED}
    assert all_created(stage.apply())

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "DescribeApp" and call.phase == "request" and stage.run is not None and stage.run.lanes:
            await asyncio.sleep(61.0)

    stage.latency = latency
    _, report = a_stop(stage, FRIDAY_0800 + 3 * 86_400 - 60)
    assert {(result.outcome, result.error.code) for result in report.apps} == {(Outcome.UNCHANGED, "hours_begun")}
