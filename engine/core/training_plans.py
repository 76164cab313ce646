"""Training plans: instances that an account has reserved for a time, and which apps can run on them.

Not here: the form of an ARN in a fleet file (`config.service.fields`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.core.desired import AppSpec
from engine.core.drift import CLEARED

PLAN_APP_TYPES: Final = frozenset({"JupyterLab", "CodeEditor"})
_PARTS_COUNT: Final = 6  # arn:PARTITION:sagemaker:REGION:ACCOUNT:training-plan/NAME
_KIND: Final = "training-plan/"


class PlanArn(NamedTuple):
    """The parts of a training plan's ARN that matter here."""

    region: str
    account: str
    name: str


def plan_arn(text: str | None) -> PlanArn | None:
    """Read the ARN of a training plan; None for everything else, `"None"` included."""
    parts = (text or "").split(":", _PARTS_COUNT - 1)
    if len(parts) != _PARTS_COUNT or not parts[-1].startswith(_KIND):
        return None
    return PlanArn(parts[3], parts[4], parts[-1].removeprefix(_KIND))


def sent_plan(app_type: str, declared: str | None) -> str | None:
    """Return what is sent of a declared training plan: `"None"` says nothing of an app that can have no plan."""
    return None if declared == CLEARED and app_type not in PLAN_APP_TYPES else declared


def tried_fallback(spec: AppSpec, fallback: tuple[str, ...]) -> tuple[str, ...]:
    """Return the instance types that are tried after an app's own: none on a plan, which reserves that one."""
    return fallback if plan_arn(spec.training_plan_arn) is None else ()


def plan_fault(app_type: str, spec: AppSpec) -> tuple[str, str] | None:
    """Return why an app cannot run on the training plan that it names, and what to do; None where it can."""
    if plan_arn(spec.training_plan_arn) is None:
        return None
    if app_type not in PLAN_APP_TYPES:
        return (
            f"training_plan_arn is set for a {app_type} app, and only JupyterLab and CodeEditor apps run on a plan",
            'Remove training_plan_arn, or set training_plan_arn = "None" here if a lower layer sets it',
        )
    if spec.instance_type is None:
        return (
            "training_plan_arn is set, but no instance_type: the service's default is not the type of the plan",
            "Set instance_type to the type that the plan reserves, such as ml.p5.48xlarge",
        )
    return None


def place_fault(text: str | None, region: str, account: str | None) -> str:
    """Return why a training plan cannot be used in a region and account; empty where it can, and for no plan."""
    plan = plan_arn(text)
    if plan is None:
        return ""
    if plan.region != region:
        return f"the training plan {plan.name} is of region {plan.region}, and the domain of {region}"
    if account is not None and plan.account != account:
        return f"the training plan {plan.name} is of account {plan.account}, and the domain of account {account}"
    return ""
