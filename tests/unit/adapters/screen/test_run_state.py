"""The counts of a run, from its events alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.adapters.screen.run_state import RunState
from engine.core.change import Action
from engine.core.forecast import Forecast
from engine.ports import events
from tests.fleets import CANVAS, KERNEL, LAB, LANE, key_of
from tests.unit.adapters.runs import Clock, plan_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> RunState:
    made = RunState(clock)
    made.emit(events.RunStarted("ml-platform", "1", 3))
    return made


def created(key: str, instance_type: str = "") -> events.AppCreated:
    return events.AppCreated(key_of(key), 1, 0.1, instance_type)


def test_groups_are_the_buckets_of_what_will_be_made(state: RunState) -> None:
    state.expect(plan_of({LAB: "ml.t3.medium", CANVAS: ""}))
    assert {name: group.wanted for name, group in state.groups.items()} == {"JupyterLab/ml.t3.medium": 1, "Canvas": 1}


def test_apps_on_a_training_plan_are_a_group_by_its_name(state: RunState) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
    made = plan_of({LAB: "ml.p5.48xlarge"})
    (change,) = made.changes
    assert change.after is not None
    spec = replace(change.after.spec, training_plan_arn=arn)
    state.expect(replace(made, decisions=(replace(change, after=replace(change.after, spec=spec)),)))
    assert list(state.groups) == ["training-plan/p5"]


def test_deletes_are_a_group_of_their_own(state: RunState) -> None:
    state.expect(plan_of({LAB: "ml.t3.medium"}, action=Action.DELETE))
    assert list(state.groups) == ["deletes"]


def test_with_several_lanes_the_domain_stands_before_the_bucket(state: RunState) -> None:
    state.expect(plan_of({LAB: "ml.t3.medium"}, lanes=2))
    assert list(state.groups) == ["research: JupyterLab/ml.t3.medium"]


def test_an_app_goes_through_its_group(state: RunState) -> None:
    state.expect(plan_of({LAB: "ml.t3.medium"}))
    group = state.groups["JupyterLab/ml.t3.medium"]
    assert (group.left, group.starting, group.ended) == (1, 0, 0)
    state.emit(created(LAB))
    state.emit(created(LAB))
    assert (group.left, group.starting, group.ended) == (0, 1, 0)
    state.emit(events.AppInService(key_of(LAB), 4.0))
    state.emit(events.AppInService(key_of(LAB), 4.0))
    assert (group.left, group.starting, group.ended) == (0, 0, 1)


def test_a_replace_is_ended_by_its_create_alone(state: RunState) -> None:
    state.expect(plan_of({LAB: "ml.t3.medium"}))
    group = state.groups["JupyterLab/ml.t3.medium"]
    state.emit(events.AppDeleted(key_of(LAB), 1.0))
    state.emit(events.AppCreateStarted(key_of(LAB), 1, "ml.t3.medium"))
    assert (group.ended, len(state.ended)) == (0, 0)
    state.emit(events.AppCreateStarted(key_of(LAB), 2, "ml.t3.medium"))
    assert (group.ended, len(state.ended)) == (0, 0)


def test_a_fallback_moves_the_app_to_another_bucket(state: RunState) -> None:
    state.expect(plan_of({LAB: "ml.g5.xlarge"}))
    state.emit(created(LAB))
    state.emit(events.AppFellBack(key_of(LAB), "ml.g5.xlarge", "ml.g4dn.xlarge", "c"))
    assert {name: (group.wanted, group.starting) for name, group in state.groups.items()} == {
        "JupyterLab/ml.g5.xlarge": (0, 0),
        "JupyterLab/ml.g4dn.xlarge": (1, 0),
    }
    state.emit(events.AppFellBack(key_of(LAB), "ml.g4dn.xlarge", "ml.m5.large", "c"))
    assert state.groups["JupyterLab/ml.m5.large"].wanted == 1


def test_a_failure_is_counted_once_and_the_last_ones_are_kept(state: RunState) -> None:
    state.expect(plan_of({LAB: "ml.t3.medium"}))
    for number in range(5):
        state.emit(events.AppFailed(key_of(LAB), "c", f"message {number}", ""))
    assert len(state.failed) == 1
    assert state.groups["JupyterLab/ml.t3.medium"].failed == 1
    assert [event.message for event in state.failures] == ["message 2", "message 3", "message 4"]


def test_an_event_that_counts_nothing_is_let_pass(state: RunState) -> None:
    state.emit(events.JournalFailed("disk full"))
    assert state.wanted == 3


def test_the_rate_is_that_of_the_last_seconds(state: RunState, clock: Clock) -> None:
    assert state.calls_per_second() == 0
    for _ in range(100):
        clock.now += 0.1
        state.emit(events.CallAnswered("CreateApp", "ok", 0.1))
    state.emit(events.CallAnswered("ListApps", "ok", 0.1))
    assert state.calls_per_second() == pytest.approx(10)
    clock.now += 30
    assert state.calls_per_second() == 0


def test_throttled_calls_are_counted_one_by_one(state: RunState) -> None:
    for operation in ("CreateApp", "ListApps", "CreateApp"):
        state.emit(events.CallAnswered(operation, "throttled", 0.1))
    state.emit(events.LaneThrottled(LANE, "CreateApp", 1.8))
    state.emit(events.LaneThrottled(LANE, "ListApps", 4.0))
    assert state.throttled == 3
    assert state.rates == {str(LANE): 1.8}


def test_the_time_left_is_unknown_until_something_was_accepted(state: RunState, clock: Clock) -> None:
    assert state.left_s() is None
    clock.now += 5
    assert state.left_s() is None


def test_the_time_left_follows_from_the_rate_and_from_how_long_starting_takes(state: RunState, clock: Clock) -> None:
    state.emit(created(LAB))
    clock.now += 4
    state.emit(events.AppInService(key_of(LAB), 4.0))
    assert state.left_s() == pytest.approx(2 / (1 / 4) + 4)
    state.emit(created(CANVAS))
    state.emit(created(KERNEL))
    clock.now += 3
    assert state.left_s() == pytest.approx(1)
    clock.now += 3
    assert state.left_s() == 0


def test_the_time_left_is_unknown_while_all_are_starting_for_the_first_time(state: RunState) -> None:
    for key in (LAB, CANVAS, KERNEL):
        state.emit(created(key))
    assert state.left_s() is None


def test_what_waits_for_a_quota_is_left_out_of_the_time_left(state: RunState, clock: Clock) -> None:
    state.emit(created(LAB))
    clock.now += 4
    state.emit(events.AppInService(key_of(LAB), 4.0))
    state.emit(events.BucketParked("b", 5.0, 2, "full"))
    assert state.left_s() is None


def test_the_time_left_is_that_of_the_forecast_where_there_is_one(state: RunState, clock: Clock) -> None:
    curve = tuple(10.0 * step for step in range(1, 11))
    forecast = Forecast(100.0, "b", 0, (("CreateApp", 3),), curve, rate_is_learnt=True, durations_are_known=True)
    state.expect(replace(plan_of({LAB: "", CANVAS: "", KERNEL: ""}), forecast=forecast))
    assert state.left_s() == 100
    clock.now += 30
    assert state.left_s() == 70
    for key in (LAB, CANVAS, KERNEL):
        state.emit(events.AppInService(key_of(key), 4.0))
    assert state.left_s() == 0


def test_what_the_run_shows_is_better_than_a_forecast_that_knows_no_durations(state: RunState, clock: Clock) -> None:
    forecast = Forecast(190.0, "b", 0, (), (190.0,) * 10, rate_is_learnt=False, durations_are_known=False)
    state.expect(replace(plan_of({LAB: "", CANVAS: "", KERNEL: ""}), forecast=forecast))
    assert state.left_s() == 190
    state.emit(created(LAB))
    clock.now += 4
    state.emit(events.AppInService(key_of(LAB), 4.0))
    assert state.left_s() == pytest.approx(2 / (1 / 4) + 4)


def test_counts_of_a_long_run_are_bounded(state: RunState, clock: Clock) -> None:
    for _ in range(1_000):
        clock.now += 1
        state.emit(events.CallAnswered("CreateApp", "ok", 0.1))
    assert len(state._answers) <= 12
