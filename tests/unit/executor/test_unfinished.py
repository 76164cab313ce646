"""What an earlier run began and did not end: the next run begins with it, and looks before it sends anything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import AppSpec, DesiredOwner, Mode
from engine.core.identity import parse_app_key
from engine.core.limits import CALL_LATE_MAX_SECONDS, CLOCK_SKEW_MAX_SECONDS
from engine.core.outcome import Outcome
from engine.executor.cause import Cause
from engine.executor.course import late_max_s
from engine.executor.kinds.apps import spec_hash
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.operation import Phase
from engine.ports.journal import Memory, Unfinished, Unseen
from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.faults import FailureRule, FaultKind
from tests.fleets import LANE, SOURCE, an_app
from tests.unit.executor.test_app_run import run
from tests.unit.executor.test_listing_lag import CANVAS_ID
from tests.unit.executor.test_owner_run import (
    ALICE,
    BOB,
    CANVAS_A,
    CANVAS_B,
    EPOCH,
    LAB_A,
    SPACE_A,
    NoteBook,
    Stage,
    outcomes,
    owners_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.identity import AppKey, Owner
    from engine.executor.fleet_run import FleetRun
    from engine.simulator.faces.memory_face import SimulatedCall

KEY = parse_app_key(CANVAS_A)
OURS = {"appfleet:fleet": "ml"}


class Kept(NoteBook):
    """A journal that shows what is left when a run has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[Any, dict[str, Any]] = {}
        self.owed: list[bool] = []

    async def intend_durably(self, *_: object, **more: object) -> bool:
        self.owed.append(more["owed"] is True)
        return True

    def conclude(self, *told: Any, **ending: Any) -> None:
        self.ends[told[0].key] = ending

    def conclude_owner(self, *told: Any, **ending: Any) -> None:
        self.ends[told[0].owner] = ending


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    for name in ("alice", "bob"):
        made.profile(name)
    made.fleet = replace(made.fleet, apps=(an_app(CANVAS_A, None), an_app(CANVAS_B, None)), owners=())
    made.journal = Kept()
    return made


def left(stage: Stage, operation: str, *, at: float = EPOCH, in_doubt: bool = True, owed: bool = False) -> None:
    stage.memory = Memory(frozenset(), {}, {}, unfinished={KEY: Unfinished(operation, at, in_doubt, owed)})


def made_late(stage: Stage) -> Callable[[FleetRun], None]:
    def make(_: FleetRun) -> None:
        app_operations.create_app(stage.world, stage.domain, CANVAS_ID, "alice", AppSpec(), dict(OURS))

    return make


def put(stage: Stage, status: str = "InService") -> None:
    app_operations.place_app(stage.world, stage.domain, CANVAS_ID, "alice", AppSpec(), dict(OURS), status)


def ending(stage: Stage, key: Any = KEY) -> dict[str, Any]:
    return stage.journal.ends[key]  # type: ignore[attr-defined,no-any-return]


def calls_of(report: Any, operation: str) -> int:
    return sum(report.calls.get(operation, {}).values())


def test_a_create_that_arrives_late_is_found_and_not_sent_again(stage: Stage) -> None:
    """The others do not wait for it."""
    left(stage, "CreateApp")
    stage.at = [(9.7, made_late(stage))]
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created", CANVAS_B: "created"}
    assert report.calls["CreateApp"] == {"ok": 1}
    assert {str(one.key): one.seconds < 9.0 for one in report.apps}[CANVAS_B]
    assert ending(stage)["in_doubt"] is False


def test_a_create_that_never_arrives_is_sent_after_two_looks(stage: Stage) -> None:
    left(stage, "CreateApp")
    report = run(stage)
    assert outcomes(report)[CANVAS_A] == "created"
    started = {str(event.key): event for event in stage.events if event.name == "app.outcome_unknown"}
    assert list(started) == [CANVAS_A]
    assert report.seconds >= stage.settings.observe.first_after + stage.settings.observe.second_after


def test_a_doubt_of_last_night_costs_two_looks_and_not_the_time_since_then(stage: Stage) -> None:
    left(stage, "CreateApp", at=EPOCH - 80_000.0)
    report = run(stage)
    assert outcomes(report)[CANVAS_A] == "created"
    assert report.seconds < stage.settings.observe.second_after + 20.0


def test_what_is_known_to_have_ended_is_begun_at_once(stage: Stage) -> None:
    left(stage, "CreateApp", in_doubt=False, owed=True)
    report = run(stage)
    assert all(one.seconds < 9.0 for one in report.apps)
    assert ending(stage)["owed"] is False


@pytest.mark.parametrize("status", ["Deleting", "Pending"])
def test_what_is_under_way_is_waited_for(stage: Stage, status: str) -> None:
    put(stage, status)
    left(stage, "CreateApp")
    assert outcomes(run(stage))[CANVAS_A] in ("created", "unchanged")


HASH = spec_hash(an_app(CANVAS_A, None))


@pytest.mark.parametrize(
    ("left_at", "hashed", "reason", "counts"),
    [
        (EPOCH, HASH, "lifecycle", True),
        (EPOCH, HASH, "capacity", False),
        (EPOCH, "another", "lifecycle", False),
        (EPOCH + 2 * CLOCK_SKEW_MAX_SECONDS, HASH, "lifecycle", False),  # the row is of an earlier app
        (None, HASH, "lifecycle", False),
    ],
)
def test_what_an_earlier_run_made_and_did_not_wait_for_counts_when_it_fails_now(
    stage: Stage, left_at: float | None, hashed: str, reason: str, counts: bool
) -> None:
    stage.world.failures.append(FailureRule(reason))
    app_operations.create_app(stage.world, stage.domain, CANVAS_ID, "alice", AppSpec(), dict(OURS))
    if left_at is not None:
        stage.memory = Memory(frozenset(), {}, {}, unseen={KEY: Unseen(hashed, left_at, "r1", EPOCH)})
    assert outcomes(run(stage))[CANVAS_A] == "failed"
    assert ending(stage)["counts_as_failure"] is counts


def test_an_app_in_service_that_nobody_waited_for_is_told_to_the_journal(stage: Stage) -> None:
    put(stage)
    stage.memory = Memory(frozenset(), {}, {}, unseen={KEY: Unseen(HASH, EPOCH, "r1", EPOCH)})
    assert outcomes(run(stage))[CANVAS_A] == "unchanged"
    assert ending(stage)["counts_as_failure"] is False


def test_what_nobody_waits_for_is_left_to_the_next_run_and_what_was_seen_is_not(stage: Stage) -> None:
    run(stage, wait=False)
    assert ending(stage)["unseen_at"] >= EPOCH
    stage.world.apps.clear()
    run(stage)
    assert ending(stage)["unseen_at"] == 0.0


REPLACES: dict[str, Any] = {"replace_keys": frozenset({KEY})}


def test_a_delete_that_arrives_late_is_half_of_the_replace(stage: Stage) -> None:
    put(stage)
    left(stage, "DeleteApp", owed=True)
    stage.at = [(9.0, lambda _: app_operations.delete_app(stage.world, CANVAS_ID))]
    report = run(stage, **REPLACES)
    assert outcomes(report)[CANVAS_A] == "replaced"
    assert calls_of(report, "DeleteApp") == 0
    assert ending(stage) == {**ending(stage), "owed": False, "in_doubt": False}


def test_a_delete_that_is_sent_again_keeps_the_create_back_until_the_first_can_come_no_more(stage: Stage) -> None:
    """DeleteApp names an app and no generation: the late one would delete the new app."""
    put(stage)
    left(stage, "DeleteApp", owed=True)

    def late(_: FleetRun) -> None:
        app = stage.world.apps.get(CANVAS_ID)
        assert app is not None
        if app.is_alive:
            app_operations.delete_app(stage.world, CANVAS_ID)

    stage.at = [(CALL_LATE_MAX_SECONDS - 5.0, late)]
    report = run(stage, **REPLACES)
    assert outcomes(report)[CANVAS_A] == "replaced"
    assert report.calls["DeleteApp"] == {"ok": 1}
    assert stage.world.apps[CANVAS_ID].status == "InService"
    assert stage.journal.owed == [True]  # type: ignore[attr-defined]


def test_a_lost_delete_of_this_run_that_comes_late_does_not_meet_the_new_app(stage: Stage) -> None:
    put(stage)
    stage.fault(FaultKind.RESET_BEFORE, "DeleteApp")

    def late(_: FleetRun) -> None:
        if stage.world.apps[CANVAS_ID].is_alive:
            app_operations.delete_app(stage.world, CANVAS_ID)

    stage.at = [(CALL_LATE_MAX_SECONDS - 5.0, late)]
    assert outcomes(run(stage, **REPLACES))[CANVAS_A] == "replaced"
    assert stage.world.apps[CANVAS_ID].status == "InService"


def test_a_run_that_is_stopped_leaves_what_it_had_in_flight_in_doubt(stage: Stage) -> None:
    put(stage)
    for operation in ("CreateApp", "DeleteApp"):
        stage.fault(FaultKind.STALL_AFTER, operation, count=9)
    stage.at = [
        (3.0, lambda fleet_run: fleet_run.control.interrupt()),
        (4.0, lambda fleet_run: fleet_run.control.interrupt()),
    ]
    report = run(stage, **REPLACES)
    assert set(outcomes(report).values()) == {"interrupted"}
    assert ending(stage)["in_doubt"]
    assert ending(stage)["owed"]
    other = ending(stage, parse_app_key(CANVAS_B))
    assert (other["in_doubt"], other["owed"]) == (True, False)


def test_a_replace_that_is_interrupted_before_its_create_is_owed(stage: Stage) -> None:
    put(stage)
    stage.world.timing = replace(stage.world.timing, app_deleting=(30.0, 30.0))
    stage.at = [(10.0, lambda fleet_run: fleet_run.control.interrupt())]
    run(stage, **REPLACES)
    assert (ending(stage)["in_doubt"], ending(stage)["owed"]) == (True, True)


def test_a_row_in_service_ends_what_was_begun_only_when_it_is_the_new_one_or_no_call_can_come(stage: Stage) -> None:
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
    put(stage)
    for at, ended in ((EPOCH + 5.0, False), (EPOCH - CALL_LATE_MAX_SECONDS - 5.0, True), (EPOCH - 0.5, True)):
        stage.time = 0.0
        stage.journal = Kept()
        left(stage, "DeleteApp", at=at, owed=True)
        assert outcomes(run(stage)) == {CANVAS_A: "unchanged"}
        assert (KEY in stage.journal.ends) is ended


def test_a_doubt_that_is_left_stays_while_something_else_is_remembered(stage: Stage) -> None:
    stage.fleet = replace(stage.fleet, apps=(replace(an_app(CANVAS_A, None), mode=Mode.ONCE),))
    put(stage)
    left(stage, "DeleteApp", at=EPOCH + 5.0, owed=True)
    assert outcomes(run(stage)) == {CANVAS_A: "unchanged"}
    assert ending(stage) == {**ending(stage), "once": True, "in_doubt": True, "owed": True}


@pytest.mark.parametrize("arrives", [False, True])
def test_an_owner_in_doubt_is_looked_up_first(arrives: bool) -> None:
    stage = Stage()
    stage.profile("alice")
    stage.profile("bob")
    stage.memory = Memory(frozenset(), {}, {}, unfinished={SPACE_A: Unfinished("CreateSpace", EPOCH, in_doubt=True)})

    def late(_: FleetRun) -> None:
        owner_operations.create_space(
            stage.world, stage.domain, "alice-lab", owner="alice", sharing="Private",
            settings={"AppType": "JupyterLab"}, tags={"appfleet:managed-by": "ml"}, at_once=True,
        )  # fmt: skip

    if arrives:
        stage.at = [(9.0, late)]
    report = stage.apply()
    assert owners_of(report)[SPACE_A].value == "created"
    assert calls_of(report, "CreateSpace") == (0 if arrives else 1)
    assert ALICE not in owners_of(report) or owners_of(report)[ALICE].value == "unchanged"


@pytest.mark.parametrize("profile", ["Failed", "InService"])
def test_an_app_in_doubt_is_not_created_when_its_space_failed_meanwhile(profile: str) -> None:
    """While its own call is looked up, the app is not held back by the space (or its profile) that the run makes."""
    stage = Stage()
    left_by = Unfinished("CreateApp", EPOCH, in_doubt=True)
    doubts: dict[AppKey | Owner, Unfinished] = {
        parse_app_key(LAB_A): left_by,
        SPACE_A: replace(left_by, operation="CreateSpace"),
    }
    stage.memory = Memory(frozenset(), {}, {}, unfinished=doubts)

    def fail(_: FleetRun) -> None:
        stage.domain.profiles["alice"].status = profile
        if "alice-lab" in stage.domain.spaces:
            stage.domain.spaces["alice-lab"].status = "Failed"

    stage.at = [(second, fail) for second in (1.6, 17.0)]
    report = stage.apply()
    assert owners_of(report)[SPACE_A].value == ("skipped" if profile == "Failed" else "failed")
    assert next(result for result in report.apps if str(result.key) == LAB_A).outcome.value == "skipped"
    assert not [call for call in stage.events if call.name == "app.create_started" and str(call.key) == LAB_A]


def test_an_owner_that_was_in_flight_is_left_in_doubt() -> None:
    stage = Stage()
    stage.journal = Kept()
    stage.fault(FaultKind.STALL_AFTER, "CreateUserProfile", count=9)
    stage.at = [
        (3.0, lambda fleet_run: fleet_run.control.interrupt()),
        (4.0, lambda fleet_run: fleet_run.control.interrupt()),
    ]
    stage.apply()
    assert ending(stage, ALICE) == {"in_doubt": True}


def test_an_owner_whose_lost_create_was_found_is_no_longer_in_doubt() -> None:
    """Else an offboard or undo just after the run would wait for a create that has come."""
    stage = Stage()
    stage.journal = Kept()
    for operation in ("CreateUserProfile", "CreateSpace"):
        stage.fault(FaultKind.RESET_AFTER, operation)
    report = stage.apply()
    assert {owner: made.value for owner, made in owners_of(report).items()} == dict.fromkeys(
        (ALICE, BOB, SPACE_A), "created"
    )
    assert [ending(stage, owner) for owner in (ALICE, BOB, SPACE_A)] == [{"in_doubt": False}] * 3


@pytest.mark.parametrize(
    ("phase", "outcome", "doubt_until", "in_doubt"),
    [
        (Phase.OBSERVE_CREATE, Outcome.CREATED, float("-inf"), False),
        (Phase.OBSERVE_CREATE, Outcome.ADOPTED, 110.0, True),
        (Phase.OBSERVE_CREATE, Outcome.FAILED, float("-inf"), True),
        (Phase.OBSERVE_UPDATE, Outcome.UPDATED, 110.0, True),
        (Phase.OBSERVE_UPDATE, Outcome.UPDATED, 100.0, False),
        (Phase.OBSERVE_DELETE, Outcome.DELETED, 110.0, True),
        (Phase.SETTLE_DELETE, Outcome.DELETED, 110.0, True),
        (Phase.SETTLE_DELETE, Outcome.DELETED, 100.0, False),
        (Phase.CREATE, Outcome.FAILED, 110.0, False),
    ],
)
def test_an_owner_is_left_in_doubt_where_nobody_knows_what_became_of_a_call_that_may_come(
    phase: Phase, outcome: Outcome, doubt_until: float, *, in_doubt: bool
) -> None:
    """A call that was cut off is always in doubt."""
    journal = Kept()
    operation = OwnerOperation(0, OwnerChange(SPACE_A, Action.CREATE, OwnerReason.ABSENT), LANE, phase)
    operation.doubt_until = doubt_until
    for operation.cut_off in (False, True):
        operation.remember(operation.ended(outcome, 1.0, None), journal, 100.0, EPOCH)
        assert journal.ends[SPACE_A] == {"in_doubt": in_doubt or operation.cut_off}


def test_a_lost_delete_that_ends_while_it_is_sent_again_is_still_owed(stage: Stage) -> None:
    """The first one may come after the end of the run."""
    put(stage)
    stage.fault(FaultKind.RESET_BEFORE, "DeleteApp")
    stage.at = [(8.0, lambda _: stage.fault(FaultKind.ACCESS_DENIED, "DescribeApp", count=99))]
    report = run(stage, **REPLACES)
    assert outcomes(report)[CANVAS_A] == "failed"
    assert calls_of(report, "DeleteApp") == 1
    assert (ending(stage)["in_doubt"], ending(stage)["owed"]) == (True, True)


def test_a_lost_delete_stays_owed_however_late_its_replace_ends(stage: Stage) -> None:
    """By then it is taken to come no more, but a listing of the next run decides that."""
    put(stage)
    stage.fault(FaultKind.RESET_BEFORE, "DeleteApp")

    def refuse(_: FleetRun) -> None:
        stage.world.faults.rules.clear()
        stage.fault(FaultKind.ACCESS_DENIED, "DescribeApp", count=99)

    stage.at = [(8.0, lambda _: stage.fault(FaultKind.THROTTLE, "DescribeApp", count=999)), (90.0, refuse)]
    report = run(stage, **REPLACES)
    assert outcomes(report)[CANVAS_A] == "failed"
    assert (ending(stage)["in_doubt"], ending(stage)["owed"]) == (False, True)


def test_after_a_lost_delete_nothing_is_created_before_that_call_can_come_no_more(stage: Stage) -> None:
    """Somebody else deletes the app meanwhile: the lost call may still come, and meet the new one."""
    put(stage)
    stage.fault(FaultKind.RESET_BEFORE, "DeleteApp")
    sent_at: dict[str, float] = {}

    async def latency(call: SimulatedCall) -> None:
        if call.phase == "request" and call.app is not None and call.app.owner == "alice" and stage.run is not None:
            sent_at.setdefault(call.operation, stage.run.control.now())

    stage.latency = latency
    stage.at = [(4.0, lambda _: stage.world.set_app_status(stage.world.apps[CANVAS_ID], "Deleted"))]
    report = run(stage, **REPLACES)
    assert outcomes(report)[CANVAS_A] == "replaced"
    assert sent_at["CreateApp"] - sent_at["DeleteApp"] >= late_max_s(stage.settings.observe)


def test_an_app_that_a_second_delete_ended_leaves_the_first_one_in_doubt(stage: Stage) -> None:
    """Nobody knows whether the first one comes, and it would delete what the next run makes."""
    put(stage)
    stage.fault(FaultKind.RESET_BEFORE, "DeleteApp")
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None, mode=Mode.ABSENT),))
    report = run(stage)
    assert (outcomes(report)[CANVAS_A], calls_of(report, "DeleteApp")) == ("deleted", 2)
    assert (ending(stage)["in_doubt"], ending(stage)["owed"]) == (True, False)


@pytest.mark.parametrize("status", ["", "Deleting"])
def test_nothing_is_created_before_a_lost_delete_of_an_earlier_run_can_come_no_more(stage: Stage, status: str) -> None:
    ago_s = 3.0
    left(stage, "DeleteApp", at=EPOCH - ago_s)
    if status:
        put(stage, status)
        stage.at = [(2.0, lambda _: stage.world.set_app_status(stage.world.apps[CANVAS_ID], "Deleted"))]
    sent_at: list[float] = []

    async def latency(call: SimulatedCall) -> None:
        alices = call.operation == "CreateApp" and call.app is not None and call.app.owner == "alice"
        if call.phase == "request" and alices and stage.run is not None:
            sent_at.append(stage.run.control.now() - stage.run.control.started_at)

    stage.latency = latency
    assert outcomes(run(stage))[CANVAS_A] == "created"
    assert len(sent_at) == 1
    assert sent_at[0] >= late_max_s(stage.settings.observe) - ago_s - 1.0


def test_an_owner_that_a_second_delete_ended_leaves_the_first_one_in_doubt() -> None:
    stage = Stage()
    stage.profile("bob", tags={"appfleet:managed-by": "ml"})
    stage.journal = Kept()
    stage.fleet = replace(stage.fleet, apps=(), owners=(DesiredOwner(BOB, SOURCE),))
    stage.fault(FaultKind.RESET_BEFORE, "DeleteUserProfile")
    report = stage.let_go()
    assert (owners_of(report)[BOB].value, calls_of(report, "DeleteUserProfile")) == ("deleted", 2)
    assert ending(stage, BOB)["in_doubt"] is True


def test_what_the_run_ended_while_describe_was_asked_is_left_alone(stage: Stage) -> None:
    """The deadline comes between the question about a lost create and its answer."""
    stage.fault(FaultKind.RESET_BEFORE, "CreateApp", count=2)

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "DescribeApp" and call.phase == "request" and stage.run is not None:
            stage.run.control.stop(Cause.DEADLINE)
            await asyncio.sleep(1.0)

    stage.latency = latency
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "failed", CANVAS_B: "failed"}
    assert not report.bug
