"""Shapes: what sets them apart, what a journal knows them by, and how people read them."""

from __future__ import annotations

from typing import Any, Final

import pytest

from engine.core.desired import AppSpec
from engine.core.identity import Lane
from engine.core.shape import Shape, family_of, lane_of, shape_of
from tests.fleets import LANE

ARN: Final = "arn:aws:sagemaker:eu-west-1:111122223333"
OTHER: Final = Lane("999900001111", "eu-west-1")
SPEC: Final = {
    "instance_type": "ml.g5.xlarge",
    "image_arn": f"{ARN}:image/gpu",
    "image_version_arn": f"{ARN}:image-version/gpu/3",
    "image_version_alias": "1.2",
    "lifecycle_config_arn": f"{ARN}:studio-lifecycle-config/setup",
    "training_plan_arn": f"{ARN}:training-plan/p5",
}


def of(lane: Lane = LANE, app_type: str = "JupyterLab", **changes: Any) -> Shape:
    return shape_of(lane, app_type, AppSpec(**{**SPEC, **changes}))


@pytest.mark.parametrize(
    ("changes", "kind_too"),
    [
        ({"image_arn": f"{ARN}:image/cpu"}, True),
        ({"image_version_arn": None}, True),
        ({"image_version_alias": "1.3"}, True),
        ({"lifecycle_config_arn": None}, True),
        ({"app_type": "CodeEditor"}, True),
        ({"lane": OTHER}, True),
        ({"training_plan_arn": None}, False),
        ({"instance_type": "ml.g6.xlarge"}, False),
        ({"instance_type": None}, False),
    ],
)
def test_what_decides_whether_an_app_starts_sets_shapes_apart(changes: dict[str, Any], *, kind_too: bool) -> None:
    other = of(**changes)
    assert other != of()
    assert other.id != of().id
    assert (other.kind != of().kind) is kind_too


@pytest.mark.parametrize(
    "changes", [{"instance_type": "ml.g5.2xlarge"}, {"tags": (("team", "vision"),)}, {"recovery_mode": True}]
)
def test_size_tags_and_recovery_mode_do_not(changes: dict[str, Any]) -> None:
    assert of(**changes) == of()


def test_what_a_journal_knows_a_shape_by_is_the_same_in_every_version() -> None:
    assert of().id == "111122223333/eu-west-1/da8d09d2c5393cd5"
    assert (lane_of(of().id), lane_of("a spec's hash")) == (LANE, None)


@pytest.mark.parametrize(
    ("app_type", "instance_type", "family"),
    [
        ("JupyterLab", "ml.g5.xlarge", "g5"),
        ("JupyterLab", "", ""),
        ("Canvas", "system", "system"),
        ("KernelGateway", "system", "t3"),
        ("JupyterLab", "ml.trn1n.32xlarge", "trn1n"),
    ],
)
def test_the_family_of_an_instance_type(app_type: str, instance_type: str, family: str) -> None:
    assert family_of(app_type, instance_type) == family


def test_people_read_names_and_no_arns() -> None:
    assert str(of()) == "JupyterLab, image gpu/3:1.2, lifecycle config setup, training plan p5, family g5"
    assert str(of().kind) == "JupyterLab, image gpu/3:1.2, lifecycle config setup"
    assert str(shape_of(LANE, "Canvas", AppSpec())) == "Canvas, no instance type"
    assert (
        str(shape_of(LANE, "Canvas", AppSpec(lifecycle_config_arn="None")))
        == "Canvas, lifecycle config None, no instance type"
    )


def test_an_image_is_named_by_either_arn() -> None:
    assert of().names_image
    assert of(image_arn=None).names_image
    assert not of(image_arn=None, image_version_arn=None).names_image
