"""Training plans: what DescribeTrainingPlan shows, and which apps run on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.desired import AppSpec
from engine.core.identity import Lane
from engine.simulator.service import app_operations as apps
from engine.simulator.world.quotas import bucket_quota_name
from engine.simulator.world.records import Bucket, app_id
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.training_plans import training_plan
from tests.unit.simulator.worlds import (
    ACCOUNT,
    DOMAIN_ID,
    LANE,
    REGION,
    START,
    add_space,
    call,
    lab_key,
    make_world,
    pass_time,
    the_domain,
)

if TYPE_CHECKING:
    from typing import Any

    from engine.simulator.world.records import App
    from engine.simulator.world.world import World

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-plan/p5"
P5 = "ml.p5.48xlarge"


def a_world(total: int = 1, **more: Any) -> World:
    world = make_world()
    add_space(world, "bob-lab")
    world.training_plans[ARN] = training_plan(ARN, (P5,), total, **{"starts_at": START, **more})
    return world


def create(world: World, space: str = "alice-lab", instance_type: str = P5, arn: str = ARN) -> App:
    spec = AppSpec(instance_type, training_plan_arn=arn)
    return apps.create_app(world, the_domain(world), lab_key(space), space, spec, {})


def refused(world: World, *args: str, **more: str) -> str:
    with pytest.raises(ServiceError) as caught:
        create(world, *args, **more)
    return f"{caught.value.code}: {caught.value.message}"


def test_its_status_follows_from_the_time_unless_it_is_fixed() -> None:
    world = a_world(starts_at=START + 10.0, ends_at=START + 20.0)
    plan = world.training_plans[ARN]
    seen = []
    for _ in range(3):
        seen.append(call(world, "DescribeTrainingPlan", TrainingPlanName="p5")["Status"])
        pass_time(world, 10.0)
    assert seen == ["Scheduled", "Active", "Expired"]
    plan.fixed_status = "Failed"
    assert call(world, "DescribeTrainingPlan", TrainingPlanName=ARN)["Status"] == "Failed"


def test_it_shows_what_is_reserved_in_use_and_free() -> None:
    world = a_world(4, taken=1, ends_at=START + 20.0)
    create(world)
    shown = call(world, "DescribeTrainingPlan", TrainingPlanName="p5")
    names = ("TotalInstanceCount", "AvailableInstanceCount", "InUseInstanceCount", "StartTime", "EndTime")
    assert [shown[name] for name in names] == [4, 2, 2, START, START + 20.0]
    assert shown["TargetResources"] == ["studio-apps"]
    assert [one["InstanceType"] for one in shown["ReservedCapacitySummaries"]] == [P5]


@pytest.mark.parametrize("asked", ["p4", ARN.replace(ACCOUNT, "4" * 12)])
def test_a_plan_of_another_name_or_account_does_not_exist(asked: str) -> None:
    with pytest.raises(ServiceError, match="does not exist"):
        call(a_world(), "DescribeTrainingPlan", TrainingPlanName=asked)
    with pytest.raises(ServiceError, match="does not exist"):
        call(a_world(), "DescribeTrainingPlan", Lane("4" * 12, REGION), TrainingPlanName="p5")


def test_an_app_takes_an_instance_until_it_is_gone_and_no_quota_but_that_of_all_apps() -> None:
    world = a_world()
    world.quotas.set(bucket_quota_name("JupyterLab", P5), 0)
    app = create(world)
    assert (app.spec, app.bucket) == (
        AppSpec(P5, training_plan_arn=ARN),
        Bucket(ACCOUNT, REGION, "JupyterLab", P5, ARN),
    )
    assert refused(world, "bob-lab") == (
        f"ResourceLimitExceeded: Training plan [{ARN}] has no available instances: 1 of 1 are in use."
    )
    pass_time(world, 2.0)
    apps.delete_app(world, lab_key())
    assert "has no available instances" in refused(world, "bob-lab")
    pass_time(world, 3.0)
    create(world, "bob-lab")
    assert (sum(world.bucket_usage.values()), world.plan_usage[ARN]) == (0, 1)
    world.training_plans[ARN].total = 9
    world.quotas.running_apps = 1
    assert "Maximum number of running Studio apps" in refused(world)


def test_a_full_plan_may_be_seen_only_when_the_app_starts() -> None:
    world = a_world(0, full_is_refused=False)
    app = create(world)
    pass_time(world, 2.0)
    assert (app.status, app.failure_reason.split(":")[0]) == ("Failed", "EC2InsufficientCapacityError")


def test_what_a_plan_cannot_run_is_refused() -> None:
    assert refused(a_world(), arn=f"{ARN}-x").startswith("ResourceNotFound: Training plan [")
    assert "is in Expired status" in refused(a_world(ends_at=START))
    assert "is not for [studio-apps]" in refused(a_world(targets=("training-job",)))
    assert "InstanceType [ml.g5.xlarge] is not reserved" in refused(a_world(), instance_type="ml.g5.xlarge")
    world = a_world()
    key = app_id(DOMAIN_ID, "user", "alice", "KernelGateway", "k")
    with pytest.raises(ServiceError, match=r"is not supported for AppType \[KernelGateway\]"):
        apps.create_app(world, the_domain(world), key, "alice", AppSpec(P5, training_plan_arn=ARN), {})
    world.training_plans[ARN].account = "4" * 12
    assert "does not exist" in refused(world)


def test_the_counted_attempts_name_the_plan() -> None:
    world = a_world()
    create(world)
    assert list(world.stats_json()["create_attempts_by_bucket"]) == [f"{LANE}/JupyterLab/{P5}/{ARN}"]
