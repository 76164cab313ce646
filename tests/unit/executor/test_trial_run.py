"""Canaries and failures that are alike, in whole runs over a simulated world in virtual time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from engine.core.canaries import Tried, with_canaries
from engine.core.outcome import Outcome
from engine.core.planner import plan_fleet
from engine.core.settings import Backoff, Execution, Tolerance
from engine.core.shape import shape_of
from engine.core.trouble import Trouble
from engine.executor.trial import share_of
from engine.ports.events import CanaryAwaited, CanaryPassed, CreatesTripped
from engine.ports.journal import NOTHING_REMEMBERED
from engine.simulator.service import app_operations
from engine.simulator.world.faults import CAPACITY, INTERNAL, LIFECYCLE, STUCK, FailureRule, FaultKind
from engine.simulator.world.quotas import Wording, bucket_quota_name, limit_message
from engine.simulator.world.records import app_id
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.world import Timing
from tests.fleets import LANE, an_app, options
from tests.rounds import with_ownership
from tests.unit.executor.parts import an_operation, decisive
from tests.unit.executor.test_owner_run import DOMAIN_ID, EPOCH, NoteBook, Stage, outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.desired import DesiredApp
    from engine.core.outcome import ApplyReport, AppResult
    from engine.core.shape import Shape
    from engine.executor.fleet_run import FleetRun
    from engine.simulator.faces.memory_face import SimulatedCall

SETTLES_SECONDS: Final = 60.0
OURS: Final = {"appfleet:fleet": "ml"}
ARN: Final = "arn:aws:sagemaker:eu-west-1:111122223333"


class Shapes(NoteBook):
    """A journal that remembers shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[str, bool] = {}

    def note_shape(self, shape: str, at: float, *, runs: bool) -> None:  # type: ignore[override]
        assert at >= EPOCH
        self.shapes[shape] = runs


class TrialStage(Stage):
    """A stage whose runs plan with canaries, from what the runs before have left."""

    def __init__(self, *apps: DesiredApp, **tolerance: Any) -> None:
        super().__init__()
        self.shapes = Shapes()
        self.journal = self.shapes
        self.fleet = replace(self.fleet, apps=tuple(sorted(apps, key=lambda app: app.key)), owners=())
        for name in {app.key.owner for app in apps}:
            self.profile(name)
        self.world.timing = Timing(app_pending=(SETTLES_SECONDS, SETTLES_SECONDS), app_deleting=(2.0, 2.0))
        execution = replace(Execution(), create_rate=20.0, create_rate_max=20.0)
        self.settings = replace(self.settings, execution=execution, tolerance=Tolerance(**tolerance))

    def night(self, *, wait: bool = True, knows: bool = True, **asked: Any) -> ApplyReport:
        """Run once; with `knows` the shapes that earlier runs noted are known."""
        known: Mapping[str, bool] = dict(self.shapes.shapes) if knows else {}
        self.events.clear()

        async def work(run: FleetRun) -> ApplyReport:
            observed = await run.observe({"research": None})
            if asked:
                observed = await with_ownership(run, observed, decisive(observed.domains["research"].apps))
            plan = plan_fleet(self.fleet, observed, options(**asked))
            if self.settings.tolerance.canary:
                tried = Tried({"research": LANE}, lambda shape, _: known.get(shape.id))
                plan, _ = with_canaries(plan, tried, lambda _: 0.0)
            return await run.apply(plan, run_id="r", started="now", weight=lambda _: 0.0, wait=wait)

        return self.do(work)  # type: ignore[no-any-return]

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def canvas(owner: str) -> str:
    return f"research/user/{owner}/Canvas/default"


def kernels(count: int, kind: str = "a", family: str = "t3", **spec: Any) -> list[DesiredApp]:
    """Return apps of one shape, of one user each."""
    names = (f"{kind}{number:03}" for number in range(count))
    return [an_app(f"research/user/{name}/KernelGateway/k", f"ml.{family}.medium", **spec) for name in names]


def script(name: str) -> str:
    return f"{ARN}:studio-lifecycle-config/{name}"


def shape(app: DesiredApp) -> Shape:
    return shape_of(LANE, app.key.app_type, app.spec)


def counted(report: ApplyReport, part: str = "") -> Counter[str]:
    return Counter(result.outcome.value for result in report.apps if part in str(result.key))


def skipped(report: ApplyReport) -> list[AppResult]:
    return [result for result in report.apps if result.outcome is Outcome.SKIPPED]


def code(result: AppResult) -> str:
    return "" if result.error is None else result.error.code


# The canary.


def test_the_first_app_of_a_new_shape_goes_alone_and_the_others_once_it_is_in_service() -> None:
    apps = kernels(20)
    stage = TrialStage(*apps)
    report = stage.night()
    assert counted(report) == {"created": 20}
    (awaited,), (passed,) = stage.told(CanaryAwaited), stage.told(CanaryPassed)
    assert (awaited.key, awaited.waiting, awaited.shape) == (apps[0].key, 19, "KernelGateway, family t3")
    assert (passed.key, passed.waiting) == (apps[0].key, 19)
    names = [event.name for event in stage.events]
    assert names.index("app.in_service") < [i for i, name in enumerate(names) if name == "app.create_started"][1]
    assert 2 * SETTLES_SECONDS <= report.seconds < 2 * SETTLES_SECONDS + 45.0
    assert stage.shapes.shapes == {shape(apps[0]).id: True}


def test_a_shape_that_ran_here_has_no_canary() -> None:
    stage = TrialStage(*kernels(5))
    stage.shapes.shapes = {shape(kernels(1)[0]).id: True}
    report = stage.night()
    assert counted(report) == {"created": 5}
    assert stage.told(CanaryAwaited) == []
    assert report.seconds < SETTLES_SECONDS + 45.0


def test_what_is_observed_in_service_ran_here_and_is_remembered() -> None:
    apps = kernels(6)
    stage = TrialStage(*apps)
    key = app_id(DOMAIN_ID, "user", apps[0].key.owner, "KernelGateway", "k")
    app_operations.place_app(stage.world, stage.domain, key, apps[0].key.owner, apps[0].spec, OURS, "InService")
    report = stage.night()
    assert counted(report) == {"created": 5, "unchanged": 1}
    assert stage.told(CanaryAwaited) == []
    assert stage.shapes.shapes == {shape(apps[0]).id: True}


def test_what_is_known_already_is_not_noted_again() -> None:
    (app,) = kernels(1)
    stage = TrialStage(app)
    key = app_id(DOMAIN_ID, "user", app.key.owner, "KernelGateway", "k")
    app_operations.place_app(stage.world, stage.domain, key, app.key.owner, app.spec, OURS, "InService")
    stage.memory = replace(NOTHING_REMEMBERED, shapes={shape(app).id: True})
    assert counted(stage.night()) == {"unchanged": 1}
    assert stage.shapes.shapes == {}


def test_the_first_one_of_a_shape_that_fails_keeps_the_others_from_being_sent() -> None:
    stage = TrialStage(*kernels(30, lifecycle_config_arn=script("broken")))
    stage.world.failures = [FailureRule(LIFECYCLE)]
    report = stage.night()
    assert counted(report) == {"failed": 1, "skipped": 29}
    assert {code(result) for result in skipped(report)} == {"tripped"}
    assert report.calls["CreateApp"] == {"ok": 1}
    assert report.exit_code == 3
    (tripped,) = stage.told(CreatesTripped)
    assert (tripped.skipped, tripped.lane) == (29, LANE)
    assert tripped.shape == "KernelGateway, lifecycle config broken, family t3"
    (error,) = {result.error for result in skipped(report)}
    assert error is not None
    assert error.message.startswith(
        "not called, since research/user/a000/KernelGateway/k, the first app like it, ended"
    )
    assert error.hint.endswith("Fix the cause, then run again: the next run tries one of them first")
    assert stage.shapes.shapes == {shape(kernels(1, lifecycle_config_arn=script("broken"))[0]).id: False}


def test_the_night_after_another_one_of_the_shape_is_tried_and_then_all_of_it() -> None:
    apps = kernels(8)
    stage = TrialStage(*apps)
    stage.world.failures = [FailureRule(LIFECYCLE)]
    stage.night()
    assert counted(stage.night()) == {"failed": 1, "skipped": 7}
    stage.world.failures = []
    report = stage.night()
    assert counted(report) == {"created": 8}
    assert len(stage.told(CanaryPassed)) == 1
    assert stage.shapes.shapes == {shape(apps[0]).id: True}


@pytest.mark.parametrize("failures_max", [2, 5])
def test_a_shape_that_ran_here_is_given_up_after_some_equal_failures_and_has_a_canary_the_night_after(
    failures_max: int,
) -> None:
    apps = kernels(40)
    stage = TrialStage(*apps, failures_max=failures_max, failure_share_max=1.0)
    stage.shapes.shapes = {shape(apps[0]).id: True}
    stage.world.failures = [FailureRule(LIFECYCLE)]
    assert counted(stage.night()) == {"failed": failures_max, "skipped": 40 - failures_max}
    assert counted(stage.night()) == {"failed": 1, "skipped": 39}
    stage.world.failures = []
    assert counted(stage.night()) == {"created": 40}


def test_one_broken_script_among_ten_shapes_fails_once_on_the_first_night_and_the_others_are_whole() -> None:
    apps = [app for number in range(10) for app in kernels(50, f"s{number}", lifecycle_config_arn=script(f"s{number}"))]
    stage = TrialStage(*apps)
    stage.world.failures = [FailureRule(LIFECYCLE, lifecycle_config=script("s7"))]
    report = stage.night()
    assert counted(report, "/s7") == {"failed": 1, "skipped": 49}
    assert counted(report) == {"created": 450, "failed": 1, "skipped": 49}
    assert report.seconds < 2 * SETTLES_SECONDS + 90.0


def test_one_broken_script_among_ten_known_shapes_fails_five_times_and_the_others_are_whole() -> None:
    apps = [app for number in range(10) for app in kernels(50, f"s{number}", lifecycle_config_arn=script(f"s{number}"))]
    stage = TrialStage(*apps)
    stage.shapes.shapes = {shape(app).id: True for app in apps}
    stage.world.failures = [FailureRule(LIFECYCLE, lifecycle_config=script("s7"))]
    report = stage.night()
    assert counted(report, "/s7") == {"failed": 5, "skipped": 45}
    assert counted(report) == {"created": 450, "failed": 5, "skipped": 45}


# What holds nobody up.


def test_a_canary_that_waits_for_a_quota_lets_another_one_go_first() -> None:
    full, free = kernels(3, "a"), [an_app(f"research/user/b{n}/KernelGateway/k", "ml.t3.large") for n in range(3)]
    stage = TrialStage(*full, *free)
    limit = Backoff(5.0, 10.0, 2.0, 300.0)
    stage.settings = replace(stage.settings, backoffs=replace(stage.settings.backoffs, limit=limit))
    name = bucket_quota_name("KernelGateway", "ml.t3.medium")
    stage.world.quotas.set(name, 1)
    other = app_id(DOMAIN_ID, "user", "a000", "KernelGateway", "other")
    app_operations.place_app(stage.world, stage.domain, other, "a000", full[0].spec, {}, "InService")
    report = stage.night(knows=True)
    assert counted(report, "/b") == {"created": 3}
    assert counted(report, "/a") == {"parked": 3}


def test_a_canary_without_capacity_trips_nothing_and_lets_another_one_try() -> None:
    stage = TrialStage(*kernels(3), *(an_app(f"research/user/b{n}/KernelGateway/k", "ml.t3.large") for n in range(3)))
    stage.world.failures = [FailureRule(CAPACITY, instance_type="ml.t3.medium")]
    capacity = Backoff(30.0, 60.0, 2.0, 400.0)
    stage.settings = replace(stage.settings, backoffs=replace(stage.settings.backoffs, capacity=capacity))
    report = stage.night()
    assert counted(report, "/b") == {"created": 3}
    assert counted(report, "/a") == {"failed": 3}
    assert stage.told(CreatesTripped) == []


def test_a_canary_that_stays_pending_is_followed_by_the_next_one_after_the_settle_timeout() -> None:
    stage = TrialStage(*kernels(4))
    stage.world.failures = [FailureRule(STUCK, owner="a000")]
    stage.settings = replace(stage.settings, execution=replace(stage.settings.execution, settle_timeout=200.0))
    report = stage.night()
    assert counted(report) == {"still_pending": 1, "created": 3}
    assert report.seconds < 200.0 + 2 * SETTLES_SECONDS + 60.0


def test_a_canary_whose_create_is_lost_is_looked_for_and_the_others_wait_for_it() -> None:
    stage = TrialStage(*kernels(4))
    stage.fault(FaultKind.RESET_AFTER, "CreateApp")
    assert counted(stage.night()) == {"created": 4}


def test_a_canary_that_somebody_made_meanwhile_speaks_for_its_shape() -> None:
    apps = kernels(4)
    stage = TrialStage(*apps)
    key = app_id(DOMAIN_ID, "user", "a000", "KernelGateway", "k")

    def made(_: object) -> None:
        app_operations.create_app(stage.world, stage.domain, key, "a000", apps[0].spec, {})

    stage.at = [(0.02, made)]
    assert counted(stage.night()) in ({"adopted": 1, "created": 3}, {"created": 4})


def test_a_canary_that_is_refused_because_of_whose_it_is_lets_the_next_one_try() -> None:
    stage = TrialStage(*kernels(4))
    stage.fault(FaultKind.ACCESS_DENIED, "CreateApp")
    report = stage.night()
    assert counted(report) == {"failed": 1, "created": 3}


def test_creates_that_are_all_refused_are_given_up() -> None:
    stage = TrialStage(*kernels(30), failure_share_max=1.0)
    stage.fault(FaultKind.ACCESS_DENIED, "CreateApp", count=99)
    report = stage.night()
    assert counted(report) == {"failed": 5, "skipped": 25}


def test_the_fault_of_the_service_itself_is_not_held_against_a_shape() -> None:
    stage = TrialStage(*kernels(4))
    stage.world.failures = [FailureRule(INTERNAL, owner="a000")]
    assert counted(stage.night()) == {"failed": 1, "created": 3}
    named = TrialStage(*kernels(4, image_arn=f"{ARN}:image/mine"))
    named.world.failures = [FailureRule(INTERNAL, owner="a000")]
    assert counted(named.night()) == {"failed": 1, "skipped": 3}


def test_an_app_that_is_pending_already_is_the_canary() -> None:
    apps = kernels(4)
    stage = TrialStage(*apps)
    key = app_id(DOMAIN_ID, "user", "a003", "KernelGateway", "k")
    app_operations.create_app(stage.world, stage.domain, key, "a003", apps[3].spec, OURS)
    report = stage.night()
    assert counted(report) == {"created": 3, "unchanged": 1}
    (awaited,) = stage.told(CanaryAwaited)
    assert awaited.key == apps[3].key


def test_an_app_that_is_pending_otherwise_than_declared_speaks_for_nobody() -> None:
    apps = kernels(4)
    stage = TrialStage(*apps)
    key = app_id(DOMAIN_ID, "user", "a003", "KernelGateway", "k")
    other = replace(apps[3].spec, instance_type="ml.m5.large")
    app_operations.create_app(stage.world, stage.domain, key, "a003", other, OURS)
    report = stage.night()
    assert counted(report) == {"created": 3, "unchanged": 1}
    (awaited,) = stage.told(CanaryAwaited)
    assert awaited.key == apps[0].key


def test_a_deadline_names_the_canary_that_was_waited_for() -> None:
    stage = TrialStage(*kernels(4))
    stage.settings = replace(stage.settings, execution=replace(stage.settings.execution, deadline=30.0))
    report = stage.night()
    assert counted(report) == {"still_pending": 1, "skipped": 3}
    assert {code(result) for result in skipped(report)} == {"canary"}


def test_a_run_that_does_not_wait_waits_for_its_canaries_alone() -> None:
    stage = TrialStage(*kernels(30))
    report = stage.night(wait=False)
    assert counted(report) == {"created": 30}
    assert SETTLES_SECONDS <= report.seconds < SETTLES_SECONDS + 45.0
    again = TrialStage(*kernels(30))
    again.shapes.shapes = {shape(kernels(1)[0]).id: True}
    assert again.night(wait=False).seconds < SETTLES_SECONDS


def test_a_signal_interrupts_what_waits_for_a_canary() -> None:
    stage = TrialStage(*kernels(4))
    stage.at = [(20.0, lambda run: run.control.interrupt())]
    assert counted(stage.night()) == {"still_pending": 1, "interrupted": 3}


# Replaces.


def test_a_replace_waits_for_the_canary_before_it_deletes_anything() -> None:
    new = kernels(6, lifecycle_config_arn=script("new"))
    stage = TrialStage(*new)
    for app in new:
        key = app_id(DOMAIN_ID, "user", app.key.owner, "KernelGateway", "k")
        old = replace(app.spec, lifecycle_config_arn=script("old"))
        app_operations.place_app(stage.world, stage.domain, key, app.key.owner, old, OURS, "InService")
    stage.world.failures = [FailureRule(LIFECYCLE, lifecycle_config=script("new"))]
    report = stage.night(replace_keys=frozenset(app.key for app in new))
    assert counted(report) == {"failed": 1, "skipped": 5}
    assert report.calls["DeleteApp"] == {"ok": 1}


def test_an_app_is_not_deleted_to_be_replaced_once_its_like_was_given_up_meanwhile() -> None:
    """The creates of its kind may be given up while what stands there is read again, just before the delete."""
    (new,) = kernels(1, lifecycle_config_arn=script("new"))
    stage = TrialStage(new, canary=False)
    old = replace(new.spec, lifecycle_config_arn=script("old"))
    key = app_id(DOMAIN_ID, "user", new.key.owner, "KernelGateway", "k")
    app_operations.place_app(stage.world, stage.domain, key, new.key.owner, old, OURS, "InService")

    async def give_up(call: SimulatedCall) -> None:
        lanes = () if stage.run is None else stage.run.lanes.values()
        if call.operation == "ListTags" and call.phase == "answer":
            for lane in lanes:  # none yet while it is planned
                (trial,) = (one for operation in lane.in_flight for one in operation.trials)
                trial.trouble = Trouble("tripped", "many failed")
                assert lane.give_up(trial) == 0

    stage.latency = give_up
    report = stage.night(replace_keys=frozenset({new.key}))
    assert counted(report) == {"skipped": 1}
    assert {code(result) for result in skipped(report)} == {"tripped"}
    assert "DeleteApp" not in report.calls


# A share of the run.


def test_too_many_failures_of_one_run_end_its_creates() -> None:
    apps = [app for number in range(8) for app in kernels(5, f"s{number}", lifecycle_config_arn=script(f"s{number}"))]
    stage = TrialStage(*apps, canary=False, failure_floor=4, failure_share_max=0.5)
    stage.settings = replace(
        stage.settings, execution=replace(stage.settings.execution, create_rate=0.2, create_rate_max=0.2)
    )
    stage.world.failures = [FailureRule(LIFECYCLE)]
    report = stage.night()
    assert counted(report)["skipped"] > 20
    (tripped,) = stage.told(CreatesTripped)
    assert (tripped.lane, tripped.shape) == (None, "all apps of this run")
    assert "4 of the 4 creates of this run that ended have failed" in tripped.message
    assert "failure_share_max (0.5)" in tripped.message


def test_a_call_that_comes_back_after_its_kind_was_given_up_is_not_made_again() -> None:
    """What waits for a quota, or is throttled, when the others have failed, is skipped with them."""
    stage = TrialStage(*kernels(6), canary=False, failures_max=3, failure_share_max=1.0)
    stage.world.failures = [FailureRule(LIFECYCLE)]
    stage.world.set_request_limit("CreateApp", RequestLimit(0.02, 2.0))
    report = stage.night()
    assert counted(report) == {"failed": 3, "skipped": 3}


def test_what_meets_a_full_quota_after_all_was_given_up_does_not_wait_for_it() -> None:
    stage = TrialStage(*kernels(1), *kernels(1, "b", "m5"), canary=False, failure_floor=1)
    late = limit_message(bucket_quota_name("KernelGateway", "ml.m5.medium"), 1, 1, 1, Wording.SERVICE_QUOTAS)
    stage.world.failures = [
        FailureRule(LIFECYCLE, owner="a000"),
        FailureRule(f"ResourceLimitExceeded: {late}", owner="b000"),
    ]
    report = stage.night()
    assert counted(report) == {"failed": 1, "skipped": 1}
    assert {code(result) for result in skipped(report)} == {"tripped"}


def test_there_is_always_a_place_in_a_run_that_has_not_failed_too_often() -> None:
    share, one = share_of(Tolerance()), an_operation()
    assert share.take(one)
    assert share.on_way == {one}


def test_a_few_apps_and_a_few_failures_trip_nothing() -> None:
    stage = TrialStage(*kernels(4), canary=False)
    stage.world.failures = [FailureRule(LIFECYCLE)]
    assert counted(stage.night()) == {"failed": 4}
    assert stage.told(CreatesTripped) == []


def test_outcomes_are_those_of_a_run_without_trials_when_nothing_fails() -> None:
    apps = [*kernels(12), *kernels(12, "b", "m5"), an_app(canvas("c"), None), an_app(canvas("d"), None)]
    plain = TrialStage(*apps, canary=False, failures_max=1_000).night()
    tried = TrialStage(*apps).night()
    assert outcomes(tried) == outcomes(plain)
