"""Listings that lag and rows of earlier generations: what they show, or do not show, is never taken for what is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.desired import Mode
from engine.core.errors import NotFound
from engine.core.limits import DESCRIBES_PER_SCAN_MAX_COUNT, STALE_ROW_MAX_SECONDS
from engine.core.settings import Execution, Observe, Tolerance
from engine.ports.cloud import AppRow
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import app_operations
from engine.simulator.world.faults import INTERNAL, LIFECYCLE, FailureRule, FaultKind
from engine.simulator.world.records import app_id
from engine.simulator.world.world import Timing
from tests.fleets import an_app
from tests.unit.executor.test_app_run import code_of, run
from tests.unit.executor.test_owner_run import CANVAS_A, DOMAIN_ID, EPOCH, LAB_A, Stage, outcomes

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.executor.fleet_run import FleetRun
    from engine.simulator.faces.memory_face import SimulatedCall

    Show = Callable[[Stage, AppRow], AppRow | None]

CANVAS_ID = app_id(DOMAIN_ID, "user", "alice", "Canvas", "default")
LAB_ID = app_id(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "default")


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.profile("alice")
    made.fleet = replace(made.fleet, apps=(an_app(CANVAS_A, None),), owners=())
    return made


@pytest.fixture
def listings(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[Show], None]:
    """Let every listing show what a function makes of each row; None for a row that it leaves out."""

    def shown_by(show: Show) -> None:
        right = MemoryCloud.list_apps

        async def list_apps(cloud: MemoryCloud, *asked: Any, **more: Any) -> Any:
            page = await right(cloud, *asked, **more)
            return replace(page, rows=tuple(row for one in page.rows if (row := show(stage, one)) is not None))

        monkeypatch.setattr(MemoryCloud, "list_apps", list_apps)

    return shown_by


def later_than(seconds: float) -> Show:
    """Show a row when it is so old."""
    return lambda stage, row: row if stage.world.now - row.created_at >= seconds else None


def hide_from_describe(monkeypatch: pytest.MonkeyPatch, stage: Stage, seconds: float) -> None:
    right = MemoryCloud.describe_app

    async def describe_app(cloud: MemoryCloud, *asked: Any) -> Any:
        detail = await right(cloud, *asked)
        if stage.world.now - detail.row.created_at < seconds:
            raise NotFound("not there", service_code="ResourceNotFound")
        return detail

    monkeypatch.setattr(MemoryCloud, "describe_app", describe_app)


@pytest.mark.parametrize("lag_s", [20.0, 45.0, 600.0])
def test_an_accepted_app_that_no_listing_shows_is_asked_for_and_is_not_removed(
    stage: Stage, listings: Callable[[Show], None], lag_s: float
) -> None:
    listings(later_than(lag_s))
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert report.calls["CreateApp"] == {"ok": 1}
    assert report.calls["DescribeApp"]["ok"] <= 2


def test_an_accepted_app_that_nothing_shows_for_most_of_a_minute_is_not_removed(
    stage: Stage, listings: Callable[[Show], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    listings(later_than(50.0))
    hide_from_describe(monkeypatch, stage, 50.0)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}


def test_what_is_gone_without_a_trace_is_removed_after_the_lag_that_a_listing_may_have(stage: Stage) -> None:
    stage.world.timing = replace(stage.world.timing, app_pending=(500.0, 500.0))
    stage.at = [(4.0, lambda _: stage.world._drop_app(stage.world.apps[CANVAS_ID]))]
    report = run(stage)
    assert code_of(report, CANVAS_A) == "removed_during_run"
    assert report.calls["DescribeApp"]["not_found"] >= 1
    assert STALE_ROW_MAX_SECONDS <= report.apps[0].seconds < 2 * STALE_ROW_MAX_SECONDS


def test_after_a_lost_answer_a_create_that_no_listing_shows_is_found_and_not_sent_again(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    listings(later_than(60.0))
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert report.calls["CreateApp"] == {"unknown": 1}


def test_a_question_that_was_refused_is_not_an_app_that_is_not_there(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    """The answer of the create is lost, no listing shows the app for most of a minute, and DescribeApp is denied."""
    listings(later_than(50.0))
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    stage.fault(FaultKind.ACCESS_DENIED, "DescribeApp", count=999)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert report.calls["CreateApp"] == {"unknown": 1}


def test_a_create_that_comes_late_and_shows_later_is_not_sent_again_where_the_question_is_refused(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    """The two delays add up: listings show the app 90 s after its create was lost."""
    listings(later_than(STALE_ROW_MAX_SECONDS - 5.0))
    stage.fault(FaultKind.RESET_BEFORE, "CreateApp")
    stage.fault(FaultKind.ACCESS_DENIED, "DescribeApp", count=999)
    spec, tags = an_app(CANVAS_A, None).spec, {"appfleet:fleet": "ml"}

    def comes(_: FleetRun) -> None:
        stage.world.advance(EPOCH + 35.0)
        app_operations.create_app(stage.world, stage.domain, CANVAS_ID, "alice", spec, tags)

    stage.at = [(35.0, comes)]
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert report.calls["CreateApp"] == {"unknown": 1}


def test_a_listing_that_takes_long_tells_what_was_there_when_it_began(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    """It began before the app had to show, ended after that, and DescribeApp is denied."""
    listings(later_than(STALE_ROW_MAX_SECONDS - 2.0))
    stage.fault(FaultKind.ACCESS_DENIED, "DescribeApp", count=999)

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "ListApps" and call.phase == "answer":
            await asyncio.sleep(25.0)

    stage.latency = latency
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert set(report.calls["DescribeApp"]) == {"access_denied"}


def test_a_lost_create_that_describe_shows_is_not_taken_for_the_tombstone_of_the_same_second(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    run(stage)
    gone = stage.world.apps[CANVAS_ID]
    gone.status, gone.created_at = "Deleted", EPOCH + stage.time
    listings(lambda _, row: row if row.status == "Deleted" else None)
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert report.calls["CreateApp"] == {"unknown": 1}


def test_a_name_that_is_in_use_by_an_app_on_its_way_out_is_created_once_that_is_gone(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    """The listing of the plan does not show the app that is being deleted."""
    run(stage)
    stage.world.set_app_status(stage.world.apps[CANVAS_ID], "Deleting")
    planned_at = stage.world.now + 3.0
    listings(lambda stage, row: None if stage.world.now < planned_at else row)
    stage.world.timing = replace(stage.world.timing, app_deleting=(30.0, 30.0))
    stage.at = [(20.0, lambda _: stage.world.set_app_status(stage.world.apps[CANVAS_ID], "Deleted"))]
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}


def test_a_name_that_is_in_use_and_shows_nowhere_is_waited_for_longer_and_longer(
    stage: Stage, listings: Callable[[Show], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the first create is lost, and neither a listing nor DescribeApp shows the app for minutes."""
    listings(later_than(170.0))
    hide_from_describe(monkeypatch, stage, 170.0)
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    report = run(stage)
    assert set(outcomes(report).values()) <= {"created", "adopted"}
    assert report.calls["CreateApp"]["unknown"] == 1
    assert report.calls["CreateApp"]["in_use"] <= 2


def test_a_name_that_stays_in_use_ends_as_that(
    stage: Stage, listings: Callable[[Show], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    listings(later_than(1e6))
    hide_from_describe(monkeypatch, stage, 1e6)
    stage.fault(FaultKind.ERROR, "CreateApp", count=99, code="ResourceInUse", message="The app is in use.")
    report = run(stage)
    assert code_of(report, CANVAS_A) == "ResourceInUse"
    assert report.calls["CreateApp"]["in_use"] <= 6


def test_a_name_that_was_in_use_for_a_moment_is_tried_again_at_once(stage: Stage) -> None:
    stage.fault(FaultKind.ERROR, "CreateApp", code="ResourceInUse", message="The app is in use.")
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert report.apps[0].seconds < 30.0


@pytest.mark.parametrize("lost", [FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER])
def test_a_stale_row_in_service_of_an_app_that_was_on_its_way_out_is_not_adopted_after_a_lost_create(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, lost: FaultKind
) -> None:
    """It is gone without a trace by then; a run that took it for the new app would end well with nothing there."""
    run(stage)
    old = stage.world.apps[CANVAS_ID]
    stale = AppRow("user", "alice", "Canvas", "default", "InService", old.created_at, old.spec)
    stage.world.timing = replace(stage.world.timing, app_deleting=(1e6, 1e6))
    app_operations.delete_app(stage.world, CANVAS_ID)
    stage.at = [(2.0, lambda _: stage.world._drop_app(old))]
    right = MemoryCloud.list_apps

    async def list_apps(cloud: MemoryCloud, *asked: Any, **more: Any) -> Any:
        page = await right(cloud, *asked, **more)
        lags = any(stage.world.now < at + 60.0 for at in lost_at)
        return replace(page, rows=(stale,)) if lags else page

    lost_at: list[float] = []
    tell = stage.tell

    def tell_and_note(fleet_run: FleetRun, event: Any) -> None:
        tell(fleet_run, event)
        if event.name == "app.outcome_unknown":
            lost_at.append(stage.world.now)

    monkeypatch.setattr(stage, "tell", tell_and_note)
    monkeypatch.setattr(MemoryCloud, "list_apps", list_apps)
    stage.fault(lost, "CreateApp")
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert stage.world.apps[CANVAS_ID].status == "InService"
    sent = {"unknown": 1} if lost is FaultKind.RESET_AFTER else {"unknown": 1, "ok": 1}
    assert report.calls["CreateApp"] == sent


# A replace, and rows of what was replaced.


@pytest.fixture
def replaced(stage: Stage) -> Stage:
    """Let an app of ours stand there that has drifted."""
    stage.fleet = replace(stage.fleet, apps=(an_app(LAB_A, "ml.t3.medium"),))
    profile = stage.domain.profiles["alice"]
    assert profile.name == "alice"
    from engine.simulator.service import owner_operations

    owner_operations.create_space(
        stage.world, stage.domain, "alice-lab", owner="alice", sharing="Private", settings={"AppType": "JupyterLab"},
        tags={}, at_once=True,
    )  # fmt: skip
    assert outcomes(run(stage)) == {LAB_A: "created"}
    stage.fleet = replace(stage.fleet, apps=(an_app(LAB_A, "ml.m5.large"),))
    return stage


def old_row_for(seconds: float) -> tuple[Show, list[float]]:
    """Show the row of the first generation, in service, until its successor is so old."""
    first: list[AppRow] = []

    def show(stage: Stage, row: AppRow) -> AppRow | None:
        if not first:
            first.append(replace(row, status="InService"))
        if row.created_at != first[0].created_at and stage.world.now - row.created_at < seconds:
            return first[0]
        return row

    return show, []


@pytest.mark.parametrize("lag_s", [30.0, 1e6])
def test_the_row_of_what_was_replaced_is_not_the_new_app_in_service(
    replaced: Stage, listings: Callable[[Show], None], lag_s: float
) -> None:
    """The new app fails, and listings still show the old one in service."""
    listings(old_row_for(lag_s)[0])
    replaced.world.failures = [FailureRule(LIFECYCLE, instance_type="ml.m5.large")]
    report = run(replaced, replace_on_drift=True)
    assert outcomes(report) == {LAB_A: "failed"}
    assert "ifecycle" in str(report.apps[0].error)


@pytest.mark.parametrize("lag_s", [30.0, 1e6])
def test_a_new_app_behind_a_stale_row_is_replaced_when_it_is_in_service(
    replaced: Stage, listings: Callable[[Show], None], lag_s: float
) -> None:
    listings(old_row_for(lag_s)[0])
    report = run(replaced, replace_on_drift=True)
    assert outcomes(report) == {LAB_A: "replaced"}
    assert replaced.world.apps[LAB_ID].spec.instance_type == "ml.m5.large"


def test_after_a_lost_create_the_stale_row_of_what_was_replaced_is_no_conflict(
    replaced: Stage, listings: Callable[[Show], None]
) -> None:
    listings(old_row_for(50.0)[0])
    replaced.fault(FaultKind.RESET_AFTER, "CreateApp")
    assert outcomes(run(replaced, replace_on_drift=True)) == {LAB_A: "replaced"}


def test_what_only_the_old_row_and_describe_show_is_still_pending(
    replaced: Stage, listings: Callable[[Show], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that accepts the new app and shows the old one alive for ever: nothing is claimed."""
    listings(old_row_for(1e6)[0])
    replaced.settings = replace(replaced.settings, execution=replace(Execution(), settle_timeout=200.0))
    old = replaced.world.apps[LAB_ID]
    right = MemoryCloud.describe_app

    async def describe_app(cloud: MemoryCloud, *asked: Any) -> Any:
        detail = await right(cloud, *asked)
        return replace(detail, row=replace(detail.row, created_at=old.created_at, status="InService"))

    run_describes = {"count": 0}

    async def after_delete(cloud: MemoryCloud, *asked: Any) -> Any:
        run_describes["count"] += 1
        return await (right if run_describes["count"] == 1 else describe_app)(cloud, *asked)

    monkeypatch.setattr(MemoryCloud, "describe_app", after_delete)
    assert outcomes(run(replaced, replace_on_drift=True)) == {LAB_A: "still_pending"}


# A clock that is wrong.


def put_clock_ahead(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    made = stage.do

    def ahead(work: Any) -> Any:
        async def with_clock(fleet_run: Any) -> Any:
            right = fleet_run.wall
            fleet_run.wall = lambda: right() + 40.0
            return await work(fleet_run)

        return made(with_clock)

    monkeypatch.setattr(stage, "do", ahead)


def test_a_clock_that_is_ahead_costs_one_question_and_not_one_for_each_app(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"u{number:02}" for number in range(30)]
    for name in names:
        stage.profile(name)
    stage.fleet = replace(
        stage.fleet, apps=tuple(an_app(f"research/user/{name}/Canvas/default", None) for name in names)
    )
    put_clock_ahead(monkeypatch, stage)
    report = run(stage)
    assert set(outcomes(report).values()) == {"created"}
    assert report.calls["DescribeApp"] == {"ok": 1}


@pytest.mark.parametrize(("failures", "outcome"), [([], "created"), ([FailureRule(LIFECYCLE)], "failed")])
def test_with_a_clock_that_is_ahead_and_refused_questions_what_listings_go_on_showing_is_believed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, failures: list[FailureRule], outcome: str
) -> None:
    """The app seems to be older than its create, and is not one that somebody deleted for that."""
    put_clock_ahead(monkeypatch, stage)
    stage.world.failures = failures
    stage.fault(FaultKind.ACCESS_DENIED, "DescribeApp", count=999)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: outcome}
    assert code_of(report, CANVAS_A) != "removed_during_run"


# Many that fail at once.


def many(stage: Stage, count: int) -> None:
    names = [f"u{number:03}" for number in range(count)]
    for name in names:
        stage.profile(name)
    apps = [an_app(f"research/user/{name}/Canvas/default", None, tags=(("person", name),)) for name in names]
    stage.fleet = replace(stage.fleet, apps=tuple(apps))
    execution = replace(Execution(), create_rate=50.0, create_rate_max=50.0)
    tolerance = Tolerance(failures_max=count, failure_share_max=1.0)
    stage.settings = replace(stage.settings, execution=execution, tolerance=tolerance)
    stage.world.timing = Timing(app_pending=(30.0, 30.0), app_deleting=(2.0, 2.0))


def test_many_that_fail_alike_take_the_reason_of_one_of_them(stage: Stage) -> None:
    many(stage, 200)
    stage.world.failures = [FailureRule(LIFECYCLE)]
    report = run(stage)
    assert set(outcomes(report).values()) == {"failed"}
    assert report.calls["DescribeApp"]["ok"] <= 3 * DESCRIBES_PER_SCAN_MAX_COUNT
    shared = [str(result.error) for result in report.apps if " (as research/user/" in str(result.error)]
    assert len(shared) == 200 - report.calls["DescribeApp"]["ok"]


def test_a_reason_that_ends_in_a_full_stop_is_one_reason_read_or_borrowed(stage: Stage) -> None:
    many(stage, 100)
    stage.world.failures = [FailureRule(f"{LIFECYCLE}.")]
    texts = {str(result.error.message).partition(" (as ")[0] for result in run(stage).apps if result.error is not None}
    assert len(texts) == 1


def test_a_failed_app_whose_reason_was_not_read_in_time_is_failed_all_the_same(stage: Stage) -> None:
    stage.world.failures = [FailureRule(INTERNAL)]
    stage.settings = replace(stage.settings, execution=replace(Execution(), settle_timeout=30.0))
    stage.fault(FaultKind.UNAVAILABLE, "DescribeApp", count=999)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "failed"}
    assert "reason" in str(report.apps[0].error)


def test_apps_that_the_run_lets_go_while_one_of_them_is_asked_about_end_once(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    """A signal comes while DescribeApp is asked; the app of unknown outcome keeps the run alive."""
    for name in ("bob", "cy"):
        stage.profile(name)
    keys = [f"research/user/{name}/Canvas/default" for name in ("alice", "bob", "cy")]
    stage.fleet = replace(stage.fleet, apps=tuple(an_app(key, None) for key in keys))
    stage.settings = replace(stage.settings, observe=Observe(first_after=40.0, second_after=10.0))
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    listings(later_than(1e6))

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "DescribeApp" and call.phase == "request" and stage.run is not None:
            stage.run.control.interrupt()
            await asyncio.sleep(0.5)

    stage.latency = latency
    report = run(stage)
    assert not report.bug
    assert [outcomes(report)[key] for key in keys] == ["failed", "still_pending", "still_pending"]


def test_the_tombstone_of_an_earlier_app_is_no_proof_that_a_lost_delete_was_carried_out(
    stage: Stage, listings: Callable[[Show], None]
) -> None:
    """The first DeleteApp never arrives; from then on listings show what had the name before. The second one does."""
    run(stage)
    stage.fault(FaultKind.RESET_BEFORE, "DeleteApp")

    def sent() -> int:
        return sum(event.name == "app.delete_started" for event in stage.events)

    def show(_: Stage, row: AppRow) -> AppRow:
        return replace(row, status="Deleted", created_at=row.created_at - 86_000.0) if sent() else row

    listings(show)
    stage.fleet = replace(stage.fleet, apps=(replace(an_app(CANVAS_A, None), mode=Mode.ABSENT),))
    assert outcomes(run(stage)) == {CANVAS_A: "deleted"}
    assert sent() == 2
    assert stage.world.apps[CANVAS_ID].status == "Deleted"
