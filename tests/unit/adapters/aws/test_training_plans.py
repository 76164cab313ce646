"""What is sent for DescribeTrainingPlan, and what is read from an answer, also from a wrong one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from engine.core.errors import NotFound, OutcomeUnknown
from engine.core.reserved import TrainingPlan
from tests.unit.adapters.aws.hostile import cloud_at, error, hostile, http

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5-week-50"
WHOLE: dict[str, Any] = {
    "TrainingPlanArn": ARN,
    "TrainingPlanName": "p5-week-50",
    "Status": "Active",
    "StatusMessage": "fine",
    "StartTime": 1_800_000_000.0,
    "EndTime": 1_800_600_000,
    "TotalInstanceCount": 4,
    "AvailableInstanceCount": 1,
    "InUseInstanceCount": 3,
    "TargetResources": ["studio-apps"],
    "ReservedCapacitySummaries": [
        {"InstanceType": "ml.p5.48xlarge", "TotalInstanceCount": 2, "Status": "Active", "ReservedCapacityArn": "arn"},
        {"InstanceType": "ml.p5.48xlarge", "TotalInstanceCount": 2, "Status": "Active", "ReservedCapacityArn": "arn"},
    ],
    "New": [{}],
}


async def described(answer: bytes) -> tuple[TrainingPlan, Any]:
    async with hostile(answer) as server, cloud_at(server.url) as cloud:
        found = await cloud.training_plan(ARN)
    return found, orjson.loads(server.requests[0].body)


async def test_a_plan_is_asked_for_by_its_name_and_read_field_by_field() -> None:
    found, sent = await described(http(orjson.dumps(WHOLE)))
    assert sent == {"TrainingPlanName": "p5-week-50"}
    assert found == TrainingPlan(
        ARN, "Active", 4, 1, 1_800_000_000.0, 1_800_600_000.0, ("studio-apps",), ("ml.p5.48xlarge",), "fine"
    )


async def test_what_is_not_told_is_left_open() -> None:
    bare = {name: WHOLE[name] for name in ("TrainingPlanArn", "TrainingPlanName", "Status")}
    found, _ = await described(http(orjson.dumps(bare)))
    assert found == TrainingPlan(ARN, "Active")


@pytest.mark.parametrize(
    "wrong",
    [
        {"TrainingPlanArn": ARN.replace("111122223333", "444455556666")},
        {"TrainingPlanArn": None},
        {"Status": None},
        {"Status": "\x1b[2J"},
        {"TotalInstanceCount": -1},
        {"TotalInstanceCount": True},
        {"AvailableInstanceCount": 10**13},
        {"AvailableInstanceCount": 1.5},
        {"StartTime": 1e300},
        {"TargetResources": "studio-apps"},
        {"TargetResources": [7]},
        {"TargetResources": ["x" * 65]},
        {"TargetResources": ["studio-apps"] * 101},
        {"ReservedCapacitySummaries": [7]},
        {"ReservedCapacitySummaries": [{}]},
        {"ReservedCapacitySummaries": [{"InstanceType": "\x1b"}]},
    ],
)
async def test_an_answer_that_is_not_one_is_no_plan(wrong: dict[str, Any]) -> None:
    with pytest.raises(OutcomeUnknown):
        await described(http(orjson.dumps({**WHOLE, **wrong})))


@pytest.mark.parametrize(
    ("code", "message"),
    [("ResourceNotFound", "Training plan not found"), ("ValidationException", "The plan does not exist")],
)
async def test_a_plan_that_is_not_there_is_told_with_what_to_check(code: str, message: str) -> None:
    with pytest.raises(NotFound) as raised:
        await described(error(code, message))
    assert "Check training_plan_arn in fleet.toml" in raised.value.hint
