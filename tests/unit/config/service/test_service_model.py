"""The shipped constants say what the shipped model of SageMaker says."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from engine.config.service import fields, service_model
from engine.core import limits
from engine.service_models.model_file import read_json
from engine.service_models.search import shipped_model

TAG_PATTERN = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"  # what has_tag_chars says: Python's re has no \p


@pytest.fixture(scope="module")
def shapes() -> dict[str, Any]:
    shapes: dict[str, Any] = read_json(shipped_model("sagemaker"))["shapes"]
    return shapes


def _member(shapes: dict[str, Any], structure: str, name: str) -> dict[str, Any]:
    shape: dict[str, Any] = shapes[shapes[structure]["members"][name]["shape"]]
    return shape


def test_app_types_and_sharing_types(shapes: dict[str, Any]) -> None:
    assert list(service_model.APP_TYPES) == _member(shapes, "CreateAppRequest", "AppType")["enum"]
    assert list(service_model.SHARING_TYPES) == _member(shapes, "SpaceSharingSettings", "SharingType")["enum"]


def test_the_words_that_models_take_are_the_same() -> None:
    assert get_args(get_args(fields.AppType)[0]) == service_model.APP_TYPES
    assert get_args(get_args(fields.Sharing)[0]) == service_model.SHARING_TYPES


def test_instance_types(shapes: dict[str, Any]) -> None:
    known = _member(shapes, "ResourceSpec", "InstanceType")["enum"]
    assert set(known) == service_model.INSTANCE_TYPES
    assert all(service_model.INSTANCE_TYPE_FORM.fullmatch(item) for item in known)


@pytest.mark.parametrize(
    ("structure", "member", "pattern", "max_chars"),
    [
        ("CreateAppRequest", "AppName", service_model.NAME_PATTERN, service_model.NAME_MAX_CHARS),
        ("CreateAppRequest", "SpaceName", service_model.NAME_PATTERN, service_model.NAME_MAX_CHARS),
        ("CreateAppRequest", "UserProfileName", service_model.NAME_PATTERN, service_model.NAME_MAX_CHARS),
        ("CreateSpaceRequest", "SpaceName", service_model.NAME_PATTERN, service_model.NAME_MAX_CHARS),
        ("CreateUserProfileRequest", "UserProfileName", service_model.NAME_PATTERN, service_model.NAME_MAX_CHARS),
        ("CreateAppRequest", "DomainId", service_model.DOMAIN_ID_PATTERN, service_model.DOMAIN_ID_MAX_CHARS),
        ("ResourceSpec", "SageMakerImageArn", service_model.IMAGE_ARN_PATTERN, service_model.ARN_MAX_CHARS),
        (
            "ResourceSpec",
            "SageMakerImageVersionArn",
            service_model.IMAGE_VERSION_ARN_PATTERN,
            service_model.ARN_MAX_CHARS,
        ),
        (
            "ResourceSpec",
            "SageMakerImageVersionAlias",
            service_model.IMAGE_VERSION_ALIAS_PATTERN,
            service_model.IMAGE_VERSION_ALIAS_MAX_CHARS,
        ),
        ("ResourceSpec", "LifecycleConfigArn", service_model.LIFECYCLE_CONFIG_ARN_PATTERN, service_model.ARN_MAX_CHARS),
        (
            "ResourceSpec",
            "TrainingPlanArn",
            service_model.TRAINING_PLAN_ARN_PATTERN,
            service_model.TRAINING_PLAN_ARN_MAX_CHARS,
        ),
        (
            "DescribeTrainingPlanResponse",
            "TrainingPlanName",
            service_model.TRAINING_PLAN_NAME_PATTERN,
            service_model.TRAINING_PLAN_NAME_MAX_CHARS,
        ),
        ("UserSettings", "ExecutionRole", service_model.ROLE_ARN_PATTERN, service_model.ROLE_ARN_MAX_CHARS),
        ("Tag", "Key", TAG_PATTERN, limits.TAG_KEY_MAX_CHARS),
        ("Tag", "Value", TAG_PATTERN, limits.TAG_VALUE_MAX_CHARS),
    ],
)
def test_patterns_and_lengths(
    shapes: dict[str, Any], structure: str, member: str, pattern: str, max_chars: int
) -> None:
    shape = _member(shapes, structure, member)
    assert (shape["pattern"], shape["max"]) == (pattern, max_chars)


def test_other_bounds(shapes: dict[str, Any]) -> None:
    assert shapes["TagList"]["max"] == limits.APP_TAGS_MAX_COUNT + 1
    assert _member(shapes, "UserSettings", "ExecutionRole")["min"] == service_model.ROLE_ARN_MIN_CHARS
    assert _member(shapes, "CreateUserProfileRequest", "SingleSignOnUserValue")["max"] == (
        service_model.SSO_VALUE_MAX_CHARS
    )
    ebs = _member(shapes, "EbsStorageSettings", "EbsVolumeSizeInGb")
    assert (ebs["min"], ebs["max"]) == (service_model.EBS_GB_MIN, service_model.EBS_GB_MAX)
    idle = _member(shapes, "SpaceIdleSettings", "IdleTimeoutInMinutes")
    assert (idle["min"], idle["max"]) == (service_model.IDLE_MINUTES_MIN, service_model.IDLE_MINUTES_MAX)


@pytest.mark.parametrize("text", ["", "a b_.:/=+-@9", "größe", "東京 1", "a\u00a0b"])
def test_tag_characters_of_any_script(text: str) -> None:
    assert service_model.has_tag_chars(text)


@pytest.mark.parametrize("text", ["a&b", "a\nb", "a\x1bb", "a\u202eb", "😀", "a,b"])
def test_characters_that_no_tag_takes(text: str) -> None:
    assert not service_model.has_tag_chars(text)


@pytest.mark.parametrize(
    ("text", "is_name"),
    [("a", True), ("a-b--c", True), ("A9", True), ("-a", False), ("a-", False), ("a_b", False), ("a\n", False)],
)
def test_names(text: str, *, is_name: bool) -> None:
    assert service_model.is_name(text) is is_name
    assert not service_model.is_name(text * 64)
