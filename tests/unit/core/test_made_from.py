"""ARNs of images, versions, lifecycle configurations and roles, taken apart."""

from __future__ import annotations

import pytest

from engine.core.desired import AppSpec
from engine.core.made_from import Arn, image_of, version_of

HERE = "arn:aws:sagemaker:eu-west-1:111122223333"
IMAGE = f"{HERE}:image/science"
VERSION = f"{HERE}:image-version/science/3"


def test_an_arn_has_a_region_an_account_and_a_name() -> None:
    assert Arn.of(IMAGE) == (IMAGE, "eu-west-1", "111122223333", "science")
    role = Arn.of("arn:aws:iam::111122223333:role/service-role/lab")
    assert role is not None
    assert (role.region, role.account, role.name) == ("", "111122223333", "lab")


@pytest.mark.parametrize("text", [None, "", "None", "science", "arn:aws:s3"])
def test_everything_else_is_none(text: str | None) -> None:
    assert Arn.of(text) is None
    assert version_of(text) is None


def test_an_app_names_its_image_by_itself_or_by_a_version() -> None:
    for spec in (
        AppSpec(image_arn=IMAGE),
        AppSpec(image_version_arn=VERSION),
        AppSpec(image_arn="x", image_version_arn=VERSION),
    ):
        image = image_of(spec)
        assert image is not None
        assert image.text == IMAGE
    assert image_of(AppSpec(image_version_arn="None")) is None
    assert image_of(AppSpec(image_version_arn=IMAGE)) is None  # which no fleet file has
    assert (version_of(VERSION), version_of(IMAGE)) == (3, None)
