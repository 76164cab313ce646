from __future__ import annotations

from engine.core.buckets import bucket_of, has_limit
from engine.core.desired import AppSpec
from engine.core.identity import QuotaBucket
from tests.fleets import LANE

PLAN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5-week-50"


def test_apps_of_every_type_on_a_training_plan_share_its_bucket() -> None:
    lab = bucket_of(LANE, "JupyterLab", AppSpec("ml.p5.48xlarge", training_plan_arn=PLAN))
    assert lab == bucket_of(LANE, "CodeEditor", AppSpec("ml.p5.4xlarge", training_plan_arn=PLAN))
    assert lab == QuotaBucket(*LANE, "", "", PLAN)
    assert str(lab) == "111122223333/eu-west-1/training-plan/p5-week-50"
    assert has_limit(lab)


def test_an_app_that_is_detached_counts_against_its_type_and_instance_type() -> None:
    spec = AppSpec("ml.p5.48xlarge", training_plan_arn="None")
    assert bucket_of(LANE, "JupyterLab", spec) == QuotaBucket(*LANE, "JupyterLab", "ml.p5.48xlarge")
    assert bucket_of(LANE, "JupyterLab", spec, "ml.g5.xlarge") == QuotaBucket(*LANE, "JupyterLab", "ml.g5.xlarge")


def test_a_kernel_on_system_counts_as_what_the_service_makes_of_it() -> None:
    assert bucket_of(LANE, "KernelGateway", AppSpec("system")).instance_type == "ml.t3.medium"


def test_what_has_no_quota_that_is_known_has_no_limit() -> None:
    assert not has_limit(bucket_of(LANE, "Canvas", AppSpec()))
    assert not has_limit(bucket_of(LANE, "JupyterLab", AppSpec()))
