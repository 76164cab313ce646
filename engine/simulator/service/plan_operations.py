"""DescribeTrainingPlan, and what CreateApp asks of a training plan.

How the service refuses an app for its plan is not documented: `docs/simulator.md` says what is assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.simulator.world.faults import CAPACITY, FailureRule
from engine.simulator.world.service_error import LIMIT, NOT_FOUND, VALIDATION, ServiceError
from engine.simulator.world.training_plans import ACTIVE, STUDIO_APPS

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.records import Bucket
    from engine.simulator.world.training_plans import TrainingPlan
    from engine.simulator.world.world import World

PLAN_APP_TYPES: Final = frozenset({"JupyterLab", "CodeEditor"})
_KIND: Final = "training-plan/"


def describe_training_plan(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer DescribeTrainingPlan, by name or by ARN."""
    asked: str = params["TrainingPlanName"]
    name = asked.partition(_KIND)[2] or asked
    found = next((one for one in world.training_plans.values() if one.lane == lane and one.name == name), None)
    if found is None or asked not in (name, found.arn):
        raise ServiceError(NOT_FOUND, f"Training plan [{asked}] does not exist.")
    return shown(world, found)


def shown(world: World, plan: TrainingPlan) -> dict[str, Any]:
    """Return a training plan as the API shows it."""
    used = world.plan_usage[plan.arn]
    status = plan.status(world.now)
    capacity = {
        "ReservedCapacityArn": plan.arn.replace(_KIND, "reserved-capacity/"),
        "TotalInstanceCount": plan.total,
        "Status": status,
    }
    return {
        "TrainingPlanArn": plan.arn,
        "TrainingPlanName": plan.name,
        "Status": status,
        "StartTime": plan.starts_at,
        **({} if plan.ends_at == float("inf") else {"EndTime": plan.ends_at}),
        "TotalInstanceCount": plan.total,
        "AvailableInstanceCount": plan.available(used),
        "InUseInstanceCount": min(plan.taken + used, plan.total),
        "TargetResources": list(plan.targets),
        "ReservedCapacitySummaries": [{**capacity, "InstanceType": one} for one in plan.instance_types],
    }


def find_usable(world: World, lane: Lane, bucket: Bucket) -> TrainingPlan:
    """Return the training plan of a new app. Raises ServiceError where no app of its kind can run on it."""
    arn = bucket.training_plan
    if bucket.app_type not in PLAN_APP_TYPES:
        raise ServiceError(VALIDATION, f"TrainingPlanArn is not supported for AppType [{bucket.app_type}].")
    plan = world.training_plans.get(arn)
    if plan is None or plan.lane != lane:
        raise ServiceError(NOT_FOUND, f"Training plan [{arn}] does not exist.")
    status = plan.status(world.now)
    if status != ACTIVE:
        raise ServiceError(VALIDATION, f"Training plan [{arn}] is in {status} status.")
    if STUDIO_APPS not in plan.targets:
        raise ServiceError(VALIDATION, f"Training plan [{arn}] is not for [{STUDIO_APPS}].")
    if bucket.instance_type not in plan.instance_types:
        raise ServiceError(
            VALIDATION, f"InstanceType [{bucket.instance_type}] is not reserved by training plan [{arn}]."
        )
    return plan


def check_room(world: World, bucket: Bucket) -> str:
    """Refuse an app for which its training plan has no instance; return the reason of a late failure instead."""
    plan = world.training_plans[bucket.training_plan]
    if plan.available(world.plan_usage[plan.arn]):
        return ""
    if plan.full_is_refused:
        raise ServiceError(
            LIMIT, f"Training plan [{plan.arn}] has no available instances: {plan.total} of {plan.total} are in use."
        )
    return FailureRule(CAPACITY).text(bucket.instance_type, bucket.region) or CAPACITY
