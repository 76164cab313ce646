from __future__ import annotations

import pytest

from engine.core.desired import AppSpec
from engine.core.training_plans import PlanArn, place_fault, plan_arn, plan_fault, sent_plan, tried_fallback

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5-week-50"
P5 = "ml.p5.48xlarge"


@pytest.mark.parametrize(
    "text", [None, "", "None", "arn:aws:sagemaker", ARN.replace("training-plan", "studio-lifecycle-config")]
)
def test_only_the_arn_of_a_plan_is_one(text: str | None) -> None:
    assert plan_arn(text) is None
    assert place_fault(text, "us-east-1", "444455556666") == ""


def test_the_arn_tells_region_account_and_name() -> None:
    assert plan_arn(ARN) == PlanArn("eu-west-1", "111122223333", "p5-week-50")


def test_none_is_sent_for_apps_that_can_have_a_plan_alone() -> None:
    assert sent_plan("JupyterLab", "None") == "None"
    assert sent_plan("CodeEditor", ARN) == ARN
    assert sent_plan("KernelGateway", "None") is None
    assert sent_plan("KernelGateway", ARN) == ARN, "which is then an error"


def test_an_app_on_a_plan_has_no_fallback() -> None:
    assert tried_fallback(AppSpec(P5, training_plan_arn=ARN), ("ml.g5.xlarge",)) == ()
    assert tried_fallback(AppSpec(P5, training_plan_arn="None"), ("ml.g5.xlarge",)) == ("ml.g5.xlarge",)


@pytest.mark.parametrize(
    ("app_type", "spec", "said"),
    [
        ("KernelGateway", AppSpec(P5, training_plan_arn=ARN), "only JupyterLab and CodeEditor"),
        ("JupyterLab", AppSpec(training_plan_arn=ARN), "no instance_type"),
    ],
)
def test_what_cannot_run_on_a_plan_is_said_with_what_to_do(app_type: str, spec: AppSpec, said: str) -> None:
    found = plan_fault(app_type, spec)
    assert found is not None
    assert said in found[0]
    assert found[1]


def test_an_app_of_the_right_type_with_an_instance_type_can_run_on_a_plan() -> None:
    assert plan_fault("JupyterLab", AppSpec(P5, training_plan_arn=ARN)) is None
    assert plan_fault("KernelGateway", AppSpec(training_plan_arn="None")) is None


@pytest.mark.parametrize(
    ("region", "account", "said"),
    [
        ("us-east-1", None, "is of region eu-west-1, and the domain of us-east-1"),
        ("eu-west-1", "444455556666", "is of account 111122223333, and the domain of account 444455556666"),
        ("eu-west-1", "111122223333", ""),
        ("eu-west-1", None, ""),
    ],
)
def test_a_plan_is_of_one_region_and_account(region: str, account: str | None, said: str) -> None:
    assert place_fault(ARN, region, account).endswith(said)
    assert bool(place_fault(ARN, region, account)) is bool(said)
