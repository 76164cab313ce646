"""What DescribeTrainingPlan answers, checked field by field. Not here: the call (`sagemaker`)."""

from __future__ import annotations

from typing import Any, Final

from engine.adapters.aws.calls import inner, optional_text, optional_time, required_text
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.limits import QUOTA_VALUE_MAX_COUNT, TRAINING_PLAN_PARTS_MAX_COUNT
from engine.core.reserved import TrainingPlan

_TARGET_MAX_CHARS: Final = 64


def training_plan(answer: Any, arn: str) -> TrainingPlan:
    """Read the training plan that was asked for: a plan of the same name elsewhere is another one."""
    if required_text(answer, "TrainingPlanArn") != arn:
        raise UnreadableAnswerError("the answer is of another training plan")
    return TrainingPlan(
        arn=arn,
        status=required_text(answer, "Status"),
        total=_count(answer, "TotalInstanceCount"),
        available=_count(answer, "AvailableInstanceCount"),
        starts_at=optional_time(answer, "StartTime") or None,
        ends_at=optional_time(answer, "EndTime") or None,
        targets=tuple(_target(one) for one in _items(answer, "TargetResources")),
        instance_types=tuple(
            dict.fromkeys(
                required_text(_table(one), "InstanceType") for one in _items(answer, "ReservedCapacitySummaries")
            )
        ),
        message=optional_text(answer, "StatusMessage") or "",
    )


def _count(answer: Any, name: str) -> int | None:
    value = answer.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= QUOTA_VALUE_MAX_COUNT:
        raise UnreadableAnswerError(f"{name} is not a number of instances")
    return value


def _items(answer: Any, name: str) -> list[Any]:
    value = answer.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > TRAINING_PLAN_PARTS_MAX_COUNT:
        raise UnreadableAnswerError(f"{name} is not a list of at most {TRAINING_PLAN_PARTS_MAX_COUNT}")
    return value


def _target(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _TARGET_MAX_CHARS:
        raise UnreadableAnswerError("a target of TargetResources is not a text")
    return value


def _table(value: Any) -> Any:
    return inner({"a row": value}, "a row")
