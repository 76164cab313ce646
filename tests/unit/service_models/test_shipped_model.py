"""The model that we ship has all that the installed botocore's has, and what is newer."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import Loader

from engine.service_models.model_check import model_fault
from engine.service_models.model_file import SOURCE, read_json
from engine.service_models.search import shipped_model
from tools.service_model import changes, kept_operations, trimmed, written

MAX_BYTES = 60_000


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    model: dict[str, Any] = read_json(shipped_model("sagemaker"))
    return model


def test_it_lacks_nothing_that_the_installed_botocore_has(shipped: dict[str, Any]) -> None:
    """Ours is a superset: what is gone, or has another bound, would be refused although the service takes it."""
    installed = trimmed(Loader().load_service_model("sagemaker", "service-2"), kept_operations(), "")
    assert [line for line in changes(installed, shipped) if line.startswith("-")] == []


def test_it_has_the_operations_that_are_kept_and_no_other(shipped: dict[str, Any]) -> None:
    assert list(shipped["operations"]) == kept_operations()
    assert model_fault(shipped, kept_operations()) == ""


def test_it_is_what_the_tool_writes_and_says_where_it_is_from(shipped: dict[str, Any]) -> None:
    with open(shipped_model("sagemaker"), encoding="utf-8") as stream:  # noqa: PTH123 a text is what there is
        text = stream.read()
    assert text == written(shipped)
    assert len(text) < MAX_BYTES
    assert shipped[SOURCE].startswith("botocore 1.")
    assert '"documentation"' not in text


def test_it_knows_what_is_newer_than_the_pinned_botocore(shipped: dict[str, Any]) -> None:
    shapes = shipped["shapes"]
    assert "TrainingPlanArn" in shapes["ResourceSpec"]["members"]
    assert "ExecutionRoleSessionNameMode" in shapes["StudioWebPortalSettings"]["members"]
    assert {"ml.p5.4xlarge", "ml.g7.2xlarge", "ml.g7e.48xlarge"} <= set(shapes["AppInstanceType"]["enum"])
