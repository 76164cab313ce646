"""Runs over the world in memory, in virtual time: what seldom happens to apps, one case at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.desired import AppSpec, DesiredOwner, Mode
from engine.core.errors import BugError, NotFound, Rejected, Throttled, Unreachable
from engine.core.identity import SPACE, USER, Owner
from engine.core.limits import DRAIN_MAX_SECONDS, JOURNAL_ALIVE_SECONDS
from engine.core.observed import Ownership
from engine.core.outcome import Outcome
from engine.core.planner import plan_fleet
from engine.core.settings import Backoff, Backoffs, Execution, Observe
from engine.core.trouble import Trouble
from engine.executor import workers
from engine.executor.asking import ask_again
from engine.executor.calls import StoppedError
from engine.executor.cause import Cause
from engine.executor.control import wait_for
from engine.executor.course import late_max_s
from engine.executor.judge import Scan, Verdict, judge
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.lane import LaneRun
from engine.executor.ledger import Ledger
from engine.executor.operation import Phase
from engine.executor.ready import ReadyQueue
from engine.executor.scan import Scanner
from engine.executor.troubles import UNANSWERED, kept_trouble, still_pending
from engine.executor.workers import Workers
from engine.ports.history import LastFailure
from engine.ports.journal import Memory
from engine.simulator.service import app_operations
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.records import app_id
from tests.fleets import LANE, SOURCE, a_row, an_app, options
from tests.rounds import with_ownership
from tests.unit.executor.parts import BACKOFF, an_operation, decisive, full
from tests.unit.executor.test_owner_run import (
    ALICE,
    BOB,
    CANVAS_A,
    CANVAS_B,
    DOMAIN_ID,
    EPOCH,
    LAB_A,
    SPACE_A,
    Stage,
    outcomes,
    owners_of,
)
from tests.unit.executor.test_ready import a_queue, lab, park
from tests.unit.executor.test_scan import Pages, page, scanner

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.outcome import ApplyReport
    from engine.core.plan import Plan
    from engine.executor.fleet_run import FleetRun
    from engine.executor.kinds.apps import AppOperation
    from engine.ports.events import Event
    from engine.simulator.faces.memory_face import SimulatedCall
    from engine.simulator.world.records import AppId

LOOKS_BEFORE_THE_RUN = 2  # at the owners of the creates, and at the people that they belong to
CANVAS_ID = app_id(DOMAIN_ID, "user", "alice", "Canvas", "default")


@pytest.fixture
def stage() -> Stage:
    """Profiles are there, so apps alone are at stake."""
    made = Stage()
    for name in ("alice", "bob"):
        made.profile(name)
    made.fleet = replace(made.fleet, apps=(an_app(CANVAS_A, None), an_app(CANVAS_B, None)), owners=())
    return made


def run(
    stage: Stage, change: Callable[[Plan], Plan] = lambda plan: plan, *, wait: bool = True, **asked: Any
) -> ApplyReport:
    async def work(fleet_run: FleetRun) -> ApplyReport:
        observed = await fleet_run.observe({"research": None})
        rows = observed.domains["research"].apps
        observed = await with_ownership(
            fleet_run, observed, decisive(key for key, row in rows.items() if row.status.is_alive)
        )
        plan = change(plan_fleet(stage.fleet, observed, options(**asked)))
        return await fleet_run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=wait)

    return stage.do(work)  # type: ignore[no-any-return]


def absent(stage: Stage) -> None:
    """Let the first app stand there as ours, and be declared absent."""
    run(stage)
    stage.fleet = replace(stage.fleet, apps=(replace(an_app(CANVAS_A, None), mode=Mode.ABSENT),))


def code_of(report: ApplyReport, key: str) -> str:
    error = next(result.error for result in report.apps if str(result.key) == key)
    return "" if error is None else error.code


def test_a_denied_plan_ends_every_change_as_denied_and_calls_nothing(stage: Stage) -> None:
    report = run(stage, lambda plan: replace(plan, denied=True))
    assert set(outcomes(report).values()) == {"denied"}
    assert report.exit_code == 4
    assert "CreateApp" not in report.calls


def test_a_domain_that_cannot_be_reached_stands_beside_the_others(stage: Stage) -> None:
    """Row 20: the others go on."""
    stage.unreachable = {"lab": Unreachable("no route")}

    async def work(fleet_run: FleetRun) -> Any:
        return await fleet_run.observe({"research": None, "lab": None})

    observed = stage.do(work)
    assert observed.domains["lab"].error is stage.unreachable["lab"]
    assert observed.domains["research"].error is None


def test_what_was_found_out_about_a_domain_that_was_not_listed_is_the_error_of_the_run(stage: Stage) -> None:
    """It takes the place of the service's own words, and the apps of the domain refer to it."""
    stage.fault(FaultKind.ERROR, "ListApps", code="ResourceNotFound", message="no")

    async def work(fleet_run: FleetRun) -> ApplyReport:
        observed = await fleet_run.observe({"research": None})
        fleet_run.note_listing_error("research", NotFound("no domain d-research there", hint="Domains there: d-other"))
        plan = plan_fleet(stage.fleet, observed, options())
        return await fleet_run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    report = stage.do(work)
    (error,) = report.errors
    assert (error.message, error.hint) == ("domain research: no domain d-research there", "Domains there: d-other")
    assert {app.error.message for app in report.apps if app.error is not None} == {
        "its domain could not be listed (the error is named with the run)"
    }


def test_what_the_accounts_own_apis_teach_of_their_rate_holds_for_the_whole_run(stage: Stage) -> None:
    """Every question goes through the same throttle, and each is counted once."""

    async def answer(_: object) -> str:
        return "yes"

    async def work(fleet_run: FleetRun) -> list[Any]:
        lanes = []
        for _ in range(2):
            reach = fleet_run.account_reach("research")
            assert await reach.ask("ListServiceQuotas", answer) == "yes"
            lanes.append(reach.calls)
        return [*lanes, fleet_run.calls()["ListServiceQuotas"]]

    first, second, counted = stage.do(work)
    assert first is second
    assert counted == {"ok": 2}


def test_a_listing_of_some_owners_says_nothing_about_the_size_of_the_domain(stage: Stage) -> None:
    stage.memory = Memory(frozenset(), {}, {}, domain_sizes={DOMAIN_ID: 100_000})

    async def work(fleet_run: FleetRun) -> Any:
        return await fleet_run.observe({"research": (ALICE,)})

    assert not stage.do(work).domains["research"].scanned_whole


@pytest.mark.parametrize(("ago_s", "waits_s"), [(5.0, 10.0), (10.0, 10.0), (14.0, 6.0), (20.0, 0.0), (500.0, 0.0)])
def test_after_a_run_that_died_its_last_calls_may_show_first(stage: Stage, ago_s: float, waits_s: float) -> None:
    """Row 42: nothing is listed, and so nothing absent created, before second_after has passed since it could live."""
    assert stage.settings.observe.second_after == JOURNAL_ALIVE_SECONDS == 10.0
    stage.memory = Memory(frozenset(), {}, {}, unclean_end_at=EPOCH - ago_s)
    asked: list[float] = []

    async def note(_: SimulatedCall) -> None:
        assert stage.run is not None
        asked.append(stage.run.control.now())

    stage.latency = note
    report = run(stage)
    assert set(outcomes(report).values()) == {"created"}
    assert asked[0] == pytest.approx(waits_s)
    told = [event.seconds for event in stage.events if event.name == "run.waited"]
    assert told == ([waits_s] if waits_s else [])


@pytest.mark.parametrize(("ago_s", "waits"), [(5.0, True), (500.0, False)])
def test_a_create_in_doubt_of_what_is_to_go_may_show_first(stage: Stage, ago_s: float, *, waits: bool) -> None:
    """Else it would come to light when nobody looks for it any more."""

    def arrives(_: FleetRun) -> None:
        app_operations.place_app(stage.world, stage.domain, CANVAS_ID, "alice", AppSpec(), {}, "InService")

    stage.at.append((10.0, arrives))

    async def work(fleet_run: FleetRun) -> Any:
        return await fleet_run.observe({"research": None}, create_in_doubt_at=EPOCH - ago_s)

    seen = [str(key) for key in stage.do(work).domains["research"].apps]
    told = [event.seconds for event in stage.events if event.name == "run.waited"]
    assert (seen, told) == (([CANVAS_A], [late_max_s(Observe()) - ago_s]) if waits else ([], []))


def test_a_bug_in_a_lane_ends_the_run_in_order_and_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 56: a task that dies is told, and everything has its outcome."""

    async def dies(*_: object) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("boom")

    monkeypatch.setattr(Workers, "_dispatch", dies)
    report = run(stage)
    assert report.bug
    assert report.exit_code == 70
    assert "RuntimeError: boom" in report.errors[-1].message
    assert len(report.apps) == 2


def test_two_bugs_are_told_by_the_first(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dies(*_: object) -> None:
        await asyncio.sleep(2.0)  # so that both are under way
        raise RuntimeError("boom")

    monkeypatch.setattr(Workers, "_create", dies)
    report = run(stage)
    assert {code_of(report, key) for key in (CANVAS_A, CANVAS_B)} <= {"AF901", "stopped"}
    assert len([error for error in report.errors if "boom" in error.message]) == 1


def test_what_was_handed_on_when_the_run_was_stopped_is_not_called(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes between the dispatcher's look at the switch and the worker's."""
    may_call = LaneRun.may_call

    def then_stops(lane: LaneRun) -> bool:
        allowed = may_call(lane)
        lane.control.stop(Cause.INTERRUPTED)
        return allowed

    monkeypatch.setattr(LaneRun, "may_call", then_stops)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "interrupted", CANVAS_B: "interrupted"}
    assert "CreateApp" not in report.calls


def test_a_sink_that_raises_after_an_end_does_not_end_it_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = stage.tell

    def fails(fleet_run: FleetRun, event: Any) -> None:
        tell(fleet_run, event)
        if event.name == "app.in_service":
            raise RuntimeError("a sink must not raise")

    monkeypatch.setattr(stage, "tell", fails)
    report = run(stage, wait=False)
    assert report.bug
    assert set(outcomes(report).values()) <= {"created", "skipped"}


def test_a_delete_of_what_nobody_saw_is_a_bug_of_ours(stage: Stage) -> None:
    change = Change(an_app(CANVAS_A, None).key, Action.DELETE, Reason.NOT_DECLARED)
    report = run(stage, lambda plan: replace(plan, decisions=(change,)))
    assert code_of(report, CANVAS_A) == "AF901"
    assert report.exit_code == 70


def test_an_app_that_is_gone_before_its_delete_is_deleted(stage: Stage) -> None:
    """Row 35."""
    absent(stage)

    def vanish(plan: Plan) -> Plan:
        del stage.world.apps[CANVAS_ID]
        return plan

    assert outcomes(run(stage, vanish)) == {CANVAS_A: "deleted"}


def test_a_delete_that_comes_too_late_has_what_it_wanted(stage: Stage) -> None:
    absent(stage)
    stage.fault(
        FaultKind.ERROR, "DeleteApp", code="ValidationException", message="App [default] has already been deleted"
    )
    assert outcomes(run(stage)) == {CANVAS_A: "deleted"}


@pytest.mark.parametrize(("what", "why"), [("instance_type", "fields"), ("status", "status")])
def test_an_app_that_changed_since_the_plan_is_left_alone(stage: Stage, what: str, why: str) -> None:
    """Row 34."""
    absent(stage)

    def alter(plan: Plan) -> Plan:
        app = stage.world.apps[CANVAS_ID]
        if what == "status":
            app.status = "Exploded"
        else:
            app.spec = AppSpec(instance_type="ml.t3.large")
        return plan

    report = run(stage, alter)
    assert outcomes(report) == {CANVAS_A: "skipped"}
    assert code_of(report, CANVAS_A) == "changed_since_plan"
    assert why in (report.apps[0].error.message if report.apps[0].error else "")


def test_a_run_that_is_stopped_while_an_intent_is_written_deletes_nothing(stage: Stage) -> None:
    absent(stage)
    stage.journal.on_delete = lambda: stage.run.control.interrupt() if stage.run else None
    assert outcomes(run(stage)) == {CANVAS_A: "interrupted"}
    assert stage.world.apps[CANVAS_ID].status == "InService"


def test_a_look_before_a_delete_that_is_not_made_any_more_deletes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent(stage)

    async def stopped(lane: Any, *_: object) -> None:
        lane.control.stop(Cause.INTERRUPTED)
        raise StoppedError

    monkeypatch.setattr(workers, "change", stopped)
    assert outcomes(run(stage)) == {CANVAS_A: "interrupted"}


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [
        ({"kind": FaultKind.ERROR, "code": "ResourceNotFound", "message": "gone"}, "Failed", "failed"),
        ({"kind": FaultKind.ACCESS_DENIED}, "Failed", "failed"),
        ({"kind": FaultKind.EXPIRED_CREDENTIALS}, "Failed", "failed"),
    ],
)
def test_a_failed_app_whose_reason_cannot_be_read(stage: Stage, fault: dict[str, Any], code: str, outcome: str) -> None:
    """Row 32."""
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
    stage.fault(operation="DescribeApp", **fault)
    stage.latency = _fail_app(stage)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: outcome}
    assert code_of(report, CANVAS_A) in (code, "Rejected", "AF408")


def test_credentials_that_expire_while_apps_are_awaited_stop_the_lane(stage: Stage) -> None:
    """Row 21: the listing that would have settled them is refused, for both at once."""
    stage.at = [(0.5, lambda _: stage.fault(FaultKind.EXPIRED_CREDENTIALS, "ListApps", count=99))]
    report = run(stage)
    assert set(outcomes(report).values()) == {"still_pending"}
    assert [event.name for event in stage.events].count("lane.stopped") == 1


def test_a_lane_is_stopped_once(stage: Stage) -> None:
    """Row 21: the second of two calls in flight that are refused says nothing new."""

    async def slow(call: SimulatedCall) -> None:
        if call.operation == "CreateApp":
            await asyncio.sleep(3.0)

    stage.latency = slow
    stage.fault(FaultKind.EXPIRED_CREDENTIALS, "CreateApp", count=99)
    report = run(stage)
    assert report.exit_code == 1
    assert [event.name for event in stage.events].count("lane.stopped") == 1


def test_an_app_whose_tags_could_not_be_read_is_left_alone_also_where_its_key_was_named(stage: Stage) -> None:
    absent(stage)
    stage.fault(FaultKind.ACCESS_DENIED, "ListTags", count=99)
    report = run(stage, allow_destructive=frozenset({an_app(CANVAS_A).key}))
    assert outcomes(report) == {CANVAS_A: "skipped"}
    assert "DeleteApp" not in report.calls


def _fail_app(stage: Stage, which: AppId = CANVAS_ID) -> Any:
    async def latency(call: SimulatedCall) -> None:
        app = stage.world.apps.get(which)
        if call.operation == "ListApps" and app is not None and app.status != "Failed":
            stage.world.set_app_status(app, "Failed")

    return latency


def test_a_run_that_stops_between_a_listing_and_the_reason_leaves_the_app_to_the_next(stage: Stage) -> None:
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
    fail = _fail_app(stage)

    async def latency(call: SimulatedCall) -> None:
        await fail(call)
        app = stage.world.apps.get(CANVAS_ID)
        if call.operation == "ListApps" and call.phase == "answer" and app is not None and stage.run is not None:
            stage.run.control.stop(Cause.DEADLINE)

    stage.latency = latency
    assert set(outcomes(run(stage)).values()) <= {"still_pending", "failed"}


def test_a_run_that_ends_while_a_reason_is_read_does_not_end_the_app_twice(stage: Stage) -> None:
    """The other app keeps the run alive meanwhile: its outcome is unknown, and is looked up."""
    stage.settings = replace(stage.settings, observe=Observe(first_after=20.0, second_after=10.0))
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    of_bob = app_id(DOMAIN_ID, "user", "bob", "Canvas", "default")
    fail = _fail_app(stage, of_bob)

    async def latency(call: SimulatedCall) -> None:
        await fail(call)
        if call.operation == "DescribeApp" and call.phase == "request" and stage.run is not None:
            stage.run.control.interrupt()
            await asyncio.sleep(1.0)

    stage.latency = latency
    assert outcomes(run(stage))[CANVAS_B] == "failed"


def test_the_failure_of_an_app_made_before_the_last_create_is_no_answer_to_it(stage: Stage) -> None:
    """An earlier create came late and its app failed: the last one may come too, so two looks pass before another."""
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
    at_once = Backoff(initial=0.1, max=0.1, factor=1.0, give_up_after=60.0)
    stage.settings = replace(stage.settings, backoffs=Backoffs(capacity=at_once))
    stage.fault(FaultKind.RESET_BEFORE, "CreateApp")
    sent_at: list[float] = []

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "CreateApp" and call.phase == "request":
            sent_at.append(stage.world.now)
            if len(sent_at) == 1:
                domain = stage.world.domains[DOMAIN_ID]
                late = app_operations.place_app(stage.world, domain, CANVAS_ID, "alice", AppSpec(), {}, "Pending")
                late.created_at -= 20.0
        app = stage.world.apps.get(CANVAS_ID)
        if call.operation == "DescribeApp" and app is not None and len(sent_at) == 1 and app.status == "Failed":
            app.failure_reason = "InsufficientCapacityError: try again"
        if call.operation == "ListApps" and app is not None and len(sent_at) == 1 and app.status == "InService":
            stage.world.set_app_status(app, "Failed")

    stage.latency = latency
    report = run(stage)
    observe = stage.settings.observe
    assert outcomes(report) == {CANVAS_A: "created"}
    assert len(sent_at) == 2
    assert sent_at[1] - sent_at[0] >= observe.first_after + observe.second_after


@pytest.mark.parametrize("operation", ["CreateApp", "DeleteApp"])
def test_a_lost_call_that_no_listing_can_settle_is_not_sent_again_and_ends_as_unknown(
    stage: Stage, operation: str
) -> None:
    """Every listing is refused from then on, so nobody can say what became of it."""
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
    if operation == "DeleteApp":
        absent(stage)
    stage.fault(FaultKind.RESET_AFTER, operation)
    stage.at = [(1.0, lambda _: stage.fault(FaultKind.ACCESS_DENIED, "ListApps", count=9_999))]
    report = run(stage)
    (ended,) = report.apps
    assert (ended.outcome, code_of(report, CANVAS_A)) == (Outcome.FAILED, "unknown")
    assert ended.error is not None
    assert ended.error.message == f"no listing shows whether {operation} was carried out"
    assert report.calls[operation] == {"unknown": 1}
    transient, observe = stage.settings.backoffs.transient, stage.settings.observe
    assert ended.seconds >= transient.give_up_after + observe.first_after + observe.second_after


def test_a_call_that_is_lost_behind_the_deadline_of_an_interrupted_run_is_unknown_and_nothing_is_read_for_it(
    stage: Stage,
) -> None:
    """The other one, lost before, was to be looked up just then; both are left to the next run."""
    stage.settings = replace(
        stage.settings,
        execution=replace(Execution(), deadline=30.0),
        observe=Observe(first_after=33.0, second_after=1.0),
    )
    stage.fault(FaultKind.RESET_AFTER, "CreateApp", count=2)
    stage.at = [(28.0, lambda fleet_run: fleet_run.control.interrupt())]
    reads: list[float] = []

    async def latency(call: SimulatedCall) -> None:
        if (
            call.operation == "CreateApp"
            and call.phase == "request"
            and call.app is not None
            and call.app.owner == "bob"
        ):
            await asyncio.sleep(40.0)
        elif call.phase == "request" and stage.run is not None:
            reads.append(stage.run.control.now())

    stage.latency = latency
    report = run(stage)
    assert not report.bug
    assert outcomes(report) == {CANVAS_A: "failed", CANVAS_B: "failed"}
    assert {code_of(report, key) for key in (CANVAS_A, CANVAS_B)} == {"unknown"}
    assert max(reads) < 30.0
    assert report.seconds == pytest.approx(28.0 + DRAIN_MAX_SECONDS)


def test_an_app_that_settles_does_not_wait_for_one_whose_outcome_is_observed_later(stage: Stage) -> None:
    stage.settings = replace(stage.settings, observe=Observe(first_after=60.0, second_after=10.0))
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    seconds = {str(result.key): result.seconds for result in run(stage).apps}
    assert seconds[CANVAS_B] < 10.0
    assert seconds[CANVAS_A] >= 60.0


def test_a_deadline_ends_a_back_off(stage: Stage) -> None:
    """It is noticed also while nothing but a delay goes on."""
    slow = Backoff(60.0, 60.0, 1.0, 900.0)
    stage.settings = replace(
        stage.settings, execution=Execution(deadline=5.0), backoffs=replace(Backoffs(), throttling=slow)
    )
    stage.fault(FaultKind.THROTTLE, "ListApps", count=99)

    async def work(fleet_run: FleetRun) -> None:
        with pytest.raises(StoppedError):
            await fleet_run.observe({"research": None})

    stage.do(work)
    assert stage.time < 10.0


def test_a_deadline_ends_the_watching_too(stage: Stage) -> None:
    """Row 31: what is not in service in time is still pending."""
    stage.settings = replace(stage.settings, execution=replace(Execution(), deadline=2.5))
    assert set(outcomes(run(stage)).values()) == {"still_pending"}


def test_what_no_listing_showed_is_not_said_to_be_starting_alone(stage: Stage) -> None:
    """The listings are refused from the first create on: whether the apps are in service is not known."""
    stage.settings = replace(stage.settings, execution=replace(Execution(), settle_timeout=60.0))
    stage.at = [(0.5, lambda _: stage.fault(FaultKind.ACCESS_DENIED, "ListApps", count=9999))]
    report = run(stage)
    assert set(outcomes(report).values()) == {"still_pending"}
    for app in report.apps:
        assert app.error is not None
        assert app.error.message.startswith(
            "not seen to be in service within settle_timeout (60 s): the last look failed: ListApps failed with "
            "AccessDeniedException"
        )
        assert "sagemaker:ListApps" in app.error.hint
        assert app.error.hint.endswith("SageMaker continues to start it, and the next run picks it up")


def test_a_call_that_is_unanswered_when_the_run_ends_may_have_been_carried_out(stage: Stage) -> None:
    """Row 31: the deadline comes, and what is in flight is waited for as long as the drain takes."""

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "CreateApp" and call.phase == "answer":
            await asyncio.sleep(2 * DRAIN_MAX_SECONDS)

    stage.latency = latency
    stage.settings = replace(stage.settings, execution=replace(Execution(), deadline=5.0))
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "failed", CANVAS_B: "failed"}
    assert {app.error for app in report.apps} == {UNANSWERED}
    assert {code_of(report, key) for key in (CANVAS_A, CANVAS_B)} == {"unknown"}
    assert 5.0 + DRAIN_MAX_SECONDS <= report.seconds < 6.0 + DRAIN_MAX_SECONDS


def test_a_watcher_that_may_not_ask_any_more_waits_for_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = Scanner.scan
    asked: list[bool] = []

    async def stops_at_the_second(self: Scanner, *more: Any) -> Any:
        asked.append(True)
        if len(asked) > 1:
            raise StoppedError
        return await scan(self, *more)

    monkeypatch.setattr(Scanner, "scan", stops_at_the_second)
    stage.settings = replace(stage.settings, execution=replace(Execution(), deadline=30.0))
    assert set(outcomes(run(stage)).values()) == {"still_pending"}
    assert len(asked) == 2


def test_a_watcher_of_owners_that_may_not_ask_any_more_waits_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    async def stopped(*_: Any) -> Any:
        raise StoppedError

    monkeypatch.setattr("engine.executor.kinds.owner_watch.OwnerWatcher._scanner", None, raising=False)
    monkeypatch.setattr("engine.executor.owner_scan.OwnerScanner.look_closely", _once_then(stopped))
    stage.settings = replace(stage.settings, execution=replace(Execution(), deadline=30.0))
    report = stage.apply()
    assert Outcome.STILL_PENDING in owners_of(report).values()


def _once_then(then: Any) -> Any:
    from engine.executor.owner_scan import OwnerScanner

    look = OwnerScanner.look_closely
    looked: list[bool] = []

    async def instead(self: OwnerScanner, *more: Any) -> Any:
        looked.append(True)
        return await (look(self, *more) if len(looked) <= LOOKS_BEFORE_THE_RUN else then())

    return instead


def test_a_second_signal_ends_owners_in_flight_as_interrupted() -> None:
    """Row 40."""
    stage = Stage()
    stage.fault(FaultKind.STALL_AFTER, "CreateUserProfile", count=5)
    stage.at = [
        (3.0, lambda fleet_run: fleet_run.control.interrupt()),
        (4.0, lambda fleet_run: fleet_run.control.interrupt()),
    ]
    report = stage.apply()
    assert Outcome.INTERRUPTED in owners_of(report).values()


def test_an_owner_whose_call_is_never_settled_says_so() -> None:
    stage = Stage()
    never = Backoff(1.0, 1.0, 1.0, 0.0)
    stage.settings = replace(stage.settings, backoffs=replace(Backoffs(), transient=never))
    stage.fault(FaultKind.RESET_AFTER, "CreateUserProfile", count=9)
    report = stage.apply()
    assert Outcome.FAILED in owners_of(report).values()


def test_owners_are_not_deleted_without_a_durable_intent_or_unseen() -> None:
    stage = Stage()
    stage.profile("bob", tags={"appfleet:managed-by": "ml"})
    stage.fleet = replace(stage.fleet, apps=(), owners=(DesiredOwner(BOB, SOURCE),))
    stage.journal.durable = False
    (ended,) = stage.let_go().owners
    assert ended.error is not None
    assert ended.error.code == "journal_not_durable"
    change = OwnerChange(BOB, Action.DELETE, next(iter(OwnerReason)))
    report = run(stage, lambda plan: replace(plan, owners=(change,)))
    assert owners_of(report) == {BOB: Outcome.FAILED}
    assert report.bug


def test_a_stopped_look_before_an_owners_delete_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    stage.profile("bob", tags={"appfleet:managed-by": "ml"})
    stage.fleet = replace(stage.fleet, apps=(), owners=(DesiredOwner(BOB, SOURCE),))

    async def stopped(lane: Any, *_: object) -> None:
        lane.control.stop(Cause.INTERRUPTED)
        raise StoppedError

    monkeypatch.setattr(workers, "change", stopped)
    assert owners_of(stage.let_go()) == {BOB: Outcome.INTERRUPTED}


def test_an_owner_that_leaves_does_not_hold_back_creates(stage: Stage) -> None:
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))

    async def work(fleet_run: FleetRun) -> Any:
        rows = await fleet_run.owner_scanner("research").all_of(USER)
        leaving = replace(rows[BOB], ownership=Ownership.OURS)
        observed = await fleet_run.observe({"research": None})
        plan = plan_fleet(stage.fleet, observed, options())
        plan = replace(plan, owners=(OwnerChange(BOB, Action.DELETE, next(iter(OwnerReason)), before=leaving),))
        return await fleet_run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=True)

    report = stage.do(work)
    assert outcomes(report) == {CANVAS_A: "created"}
    assert BOB in owners_of(report)


def test_two_spaces_of_one_missing_person_name_that_person_once() -> None:
    stage = Stage()
    second = replace(DesiredOwner(Owner("research", SPACE, "alice-two"), SOURCE), owner_user="alice", sharing="Private")
    owners = tuple(sorted((*stage.fleet.owners, second), key=lambda declared: declared.owner))
    apps = (an_app(LAB_A), an_app("research/space/alice-two/JupyterLab/default"))
    stage.fleet = replace(stage.fleet, apps=apps, owners=owners)
    made = owners_of(stage.apply())
    assert set(made.values()) == {Outcome.CREATED}
    assert sorted(made) == sorted((ALICE, SPACE_A, second.owner))


def test_whose_an_app_is_cannot_be_told_by_an_arn_that_fits_two(stage: Stage) -> None:
    run(stage)

    async def work(fleet_run: FleetRun) -> Any:
        observed = await fleet_run.observe({"research": None})
        row = observed.domains["research"].apps[an_app(CANVAS_A).key]
        twin = row.key._replace(owner_kind=SPACE)
        rows = {**observed.domains["research"].apps, twin: replace(row, key=twin)}
        doubled = replace(observed, domains={"research": replace(observed.domains["research"], apps=rows)})
        return await with_ownership(fleet_run, doubled, decisive([row.key]))

    read = stage.do(work)
    assert read.domains["research"].apps[an_app(CANVAS_A).key].ownership is Ownership.UNREAD
    assert stage.events[-1].code == "one_arn_for_two"


@pytest.mark.parametrize("tags", [{}, {"appfleet:fleet": "others"}])
def test_an_app_whose_tag_was_changed_since_the_plan_is_not_deleted(stage: Stage, tags: dict[str, str]) -> None:
    """Row 34: somebody takes it over while the plan waits for its answer."""
    absent(stage)

    def meanwhile(plan: Plan) -> Plan:
        stage.world.apps[CANVAS_ID].tags = dict(tags)
        return plan

    report = run(stage, meanwhile)
    assert outcomes(report) == {CANVAS_A: "skipped"}
    assert code_of(report, CANVAS_A) == "changed_since_plan"
    assert "DeleteApp" not in report.calls


def test_an_app_of_another_fleet_is_foreign_and_named(stage: Stage) -> None:
    run(stage)
    app = stage.world.apps[CANVAS_ID]
    app.tags["appfleet:fleet"] = "others"

    async def work(fleet_run: FleetRun) -> Any:
        observed = await fleet_run.observe({"research": None})
        return await with_ownership(fleet_run, observed, decisive([an_app(CANVAS_A).key]))

    row = stage.do(work).domains["research"].apps[an_app(CANVAS_A).key]
    assert (row.ownership, row.foreign_fleet) == (Ownership.FOREIGN, "others")


def test_a_delete_of_a_starting_app_waits_until_it_has_settled() -> None:
    operation = an_operation(
        phase=Phase.AWAIT_PENDING, action=Action.DELETE, before=a_row(status="Pending", created_at=5.0)
    )
    at = [Scan(seconds, seconds + 0.5) for seconds in (1.0, 4.0, 20.0)]
    observe = Stage().settings.observe
    assert judge(operation, a_row(status="Pending", created_at=5.0), at[0], observe) is Verdict.KEEP
    assert judge(operation, None, at[1], observe) is Verdict.KEEP
    assert judge(operation, None, at[2], observe) is Verdict.DELETE
    assert judge(operation, a_row(created_at=5.0), at[2], observe) is Verdict.DELETE


def test_nothing_ends_twice() -> None:
    ledger = Ledger(9, lambda _: None, Stage().journal, lambda: 0.0, lambda: 0.0, lambda: None)
    operation = an_operation()
    ledger.end(operation, Outcome.CREATED)
    with pytest.raises(BugError, match="ended twice"):
        ledger.end(operation, Outcome.CREATED)
    owner = OwnerOperation(0, OwnerChange(BOB, Action.CREATE, next(iter(OwnerReason))), LANE, Phase.CREATE)
    ledger.end(owner, Outcome.CREATED)
    with pytest.raises(BugError, match="ended twice"):
        ledger.end(owner, Outcome.CREATED)


KEPT = (
    Reason.DENIED,
    Reason.OWNER_MISSING,
    Reason.TRAINING_PLAN,
    Reason.DOMAIN_UNLISTED,
    Reason.UNKNOWN_STATUS,
)


@pytest.mark.parametrize("reason", KEPT)
def test_what_is_left_alone_against_its_declaration_says_why(reason: Reason) -> None:
    """The message is the same for every app that is left alone alike, so that a thousand of them are one paragraph."""
    troubles = [
        kept_trouble(Change(an_app(key).key, Action.NONE, reason, after=an_app(key)), Rejected("it is denied"))
        for key in (CANVAS_A, CANVAS_B)
    ]
    assert troubles[0] is not None
    assert troubles[1] is not None
    assert troubles[0].message == troubles[1].message
    assert "alice" not in troubles[0].message
    assert troubles[0].hint


def test_an_app_in_quarantine_is_left_alone_and_its_end_names_the_run_that_failed_last(stage: Stage) -> None:
    key = an_app(CANVAS_A).key
    said = LastFailure("run-7", EPOCH - 80_000.0, "failed", "the image is gone")
    stage.memory = Memory(frozenset(), {key: (3, "h")}, {}, last_failures={key: said})
    report = run(stage, quarantined=frozenset({key}))
    assert outcomes(report) == {CANVAS_A: "skipped", CANVAS_B: "created"}
    (error,) = [result.error for result in report.apps if result.error is not None]
    assert error.code == "quarantined"
    assert error.message == "failed in 3 runs in a row with the same spec, last in run run-7: the image is gone"
    (told,) = [event for event in stage.events if event.name == "app.skipped"]
    assert (told.key, told.runs, told.last_run) == (key, 3, "run-7")


STOPPED = Trouble("ExpiredToken", "the credentials have expired")


def _settling(phase: Phase, *, reason: Reason = Reason.ABSENT) -> AppOperation:
    operation = an_operation(phase=phase)
    operation.change = replace(operation.change, reason=reason)
    return operation


@pytest.mark.parametrize(
    ("cause", "lane_stopped", "words"),
    [
        (None, None, "not in service within settle_timeout (90 s)"),
        (None, STOPPED, "not in service when the run stopped"),
        (Cause.INTERRUPTED, None, "not in service when the run was interrupted"),
        (Cause.DEADLINE, None, "not in service at the run's deadline"),
        (Cause.BUG, STOPPED, "not in service when the run stopped"),
    ],
)
def test_what_is_still_starting_says_why_nobody_waits_for_it(
    cause: Cause | None, lane_stopped: Trouble | None, words: str
) -> None:
    trouble = still_pending(_settling(Phase.SETTLE_CREATE), 90.0, cause, lane_stopped)
    assert trouble.message == words
    assert trouble.hint == "SageMaker continues to start it, and the next run picks it up"


def test_a_delete_that_has_not_settled_is_told_as_one_and_what_was_pending_before_says_so() -> None:
    trouble = still_pending(_settling(Phase.SETTLE_DELETE), 1_200.0, None)
    assert trouble.message == "not deleted within settle_timeout (1200 s)"
    assert "continues to delete it" in trouble.hint
    before = still_pending(_settling(Phase.SETTLE_CREATE, reason=Reason.PENDING), 1_200.0, None)
    assert before.message.endswith("(it was Pending before this run)")


def test_what_was_not_seen_says_what_kept_the_run_from_looking() -> None:
    blind = Throttled("ListApps failed", hint="Run again later", service_code="x", operation="ListApps")
    trouble = still_pending(_settling(Phase.SETTLE_CREATE), 90.0, None, unseen=blind)
    assert trouble.message == (
        "not seen to be in service within settle_timeout (90 s): the last look failed: ListApps failed"
    )
    assert trouble.hint == "Run again later. SageMaker continues to start it, and the next run picks it up"


async def test_a_wait_for_nothing_lets_others_run() -> None:
    event = asyncio.Event()
    assert not await wait_for(event, 0.0)
    event.set()
    assert await wait_for(event, -1.0)


async def test_patience_with_a_read_ends_with_its_last_error() -> None:
    async def never() -> None:
        raise Throttled("slow")

    with pytest.raises(Throttled):
        await ask_again(
            "ListApps", never, Backoffs(throttling=Backoff(0.001, 0.001, 1.0, 0.0)), lambda: 0.5, lambda _: None
        )


async def test_a_read_that_fails_once_no_call_may_be_made_waits_for_nothing() -> None:
    stopped = asyncio.Event()
    stopped.set()
    told: list[Event] = []

    async def never() -> None:
        raise Unreachable("no answer")

    long = Backoffs(transient=Backoff(initial=60.0, max=60.0, factor=1.0, give_up_after=600.0))
    async with asyncio.timeout(5.0):
        with pytest.raises(StoppedError):
            await ask_again("ListApps", never, long, lambda: 0.5, told.append, stopped=stopped, may_call=lambda: False)
    assert told == []


async def test_a_listing_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 24: there is a bound on pages."""
    monkeypatch.setattr("engine.executor.scan.SCAN_PAGES_MAX_COUNT", 2)
    observed = await scanner(Pages(page("a", token="1"), page("b", token="2"), page("c", token="3"))).scan()
    assert observed.error is not None
    assert "more than 2 pages" in observed.error.message


def test_a_replace_gives_back_the_gate_that_closed_behind_it() -> None:
    queue = a_queue()
    first = lab("a", 1)
    park(queue, first, 10.0)
    gate = next(iter(queue.gates.values()))
    replaced = an_operation(rank=0, phase=Phase.CREATE, action=Action.DELETE_THEN_CREATE, before=a_row())
    replaced.passed = [(gate, False)]
    gate.in_flight = 1
    queue.push(replaced)
    assert queue.pop(10.1) is None
    assert (gate.in_flight, replaced.passed) == (0, [])


def test_what_a_signal_finds_behind_a_quota_that_has_room_again_was_interrupted_and_not_parked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate has just opened, and nothing that waited there has had its turn yet."""
    names = [f"u{number}" for number in range(6)]
    for name in names:
        stage.profile(name)
    stage.fleet = replace(
        stage.fleet, apps=tuple(an_app(f"research/user/{name}/Canvas/default", None) for name in names)
    )
    stage.settings = replace(stage.settings, execution=replace(Execution(), concurrency=1))
    stage.fault(FaultKind.ERROR, "CreateApp", code="ResourceLimitExceeded", message="full")
    tell = stage.tell

    def tell_and_stop(fleet_run: FleetRun, event: Any) -> None:
        tell(fleet_run, event)
        if event.name == "app.created" and sum(one.name == "app.created" for one in stage.events) == 2:
            fleet_run.control.interrupt()

    monkeypatch.setattr(stage, "tell", tell_and_stop)
    report = run(stage)
    assert [event.name for event in stage.events if "bucket." in event.name][-1] == "bucket.reopened"
    assert sorted(outcomes(report).values()) == ["interrupted"] * 4 + ["still_pending"] * 2


def test_a_gate_with_nothing_but_deletes_sends_no_probe() -> None:
    queue = ReadyQueue(BACKOFF, lambda: 0.5, 4)
    replaced = an_operation(phase=Phase.DELETE, action=Action.DELETE_THEN_CREATE, before=a_row())
    gate, _, _ = queue.refuse(lab("a", 1), full(), 10.0)
    queue.wait_at(gate, replaced)
    assert queue.pop(99.0) is None
    assert queue.waiting_at(gate) == 1


@pytest.mark.parametrize(
    ("outcome", "trouble", "said"),
    [
        (
            Outcome.FAILED,
            Trouble("x", "why", "Do this"),
            "The earlier app was deleted, and the next run creates it. Do this",
        ),
        (Outcome.INTERRUPTED, Trouble("x", "why"), "The earlier app was deleted, and the next run creates it."),
        (Outcome.FAILED, Trouble("conflict", "why", "Do this"), "The earlier app was deleted. Do this"),
        (Outcome.STILL_PENDING, Trouble("x", "why", "Do this"), "Do this"),  # the new app is there
    ],
)
def test_a_replace_that_ends_between_its_delete_and_its_create_says_what_is_gone(
    outcome: Outcome, trouble: Trouble, said: str
) -> None:
    operation = an_operation(action=Action.DELETE_THEN_CREATE, before=a_row())
    assert operation.ended(outcome, 1.0, trouble).error == trouble
    operation.deleted = True
    result = operation.ended(outcome, 1.0, trouble)
    assert result.error == replace(trouble, hint=said)
    assert result.gone is (outcome is not Outcome.STILL_PENDING)
