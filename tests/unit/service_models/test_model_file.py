"""Models that are read: shapes by name, read once, and the error of each file that cannot be."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.errors import ServiceModelError, UsageError
from engine.service_models import model_file
from engine.service_models.model_file import ModelFile, read_json, service_model
from engine.service_models.search import botocore_folder, shipped_model
from tests.models import newer_model, older_model, write_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_of_the_tester(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AWS_DATA_PATH", raising=False)


def test_the_shipped_model_is_read_once_and_says_what_it_is_from() -> None:
    model = service_model("sagemaker")
    assert model is service_model("sagemaker")
    assert model.is_shipped
    assert model.name.startswith("the model of SageMaker from botocore 1.")
    assert model.shape("UserSettings")["type"] == "structure"
    with pytest.raises(ServiceModelError, match="cannot be used: it has no shape None") as caught:
        model.shape("None")
    assert caught.value.hint == "Install appfleet and its dependencies again"


def test_a_model_of_the_user_is_named_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_model(tmp_path, newer_model())
    given = service_model("sagemaker", str(tmp_path))
    assert (given.file, given.is_shipped, given.name) == (str(file), False, f"the service model {file}")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert service_model("sagemaker").shapes == given.shapes
    assert service_model("sagemaker", "").is_shipped, "an empty list is no list of the environment's"


def test_an_older_model_may_lack_what_few_need(tmp_path: Path) -> None:
    write_model(tmp_path, older_model())
    assert "DescribeTrainingPlan" not in service_model("sagemaker", str(tmp_path)).content["operations"]
    assert "DescribeTrainingPlan" in service_model("sagemaker").content["operations"]


def test_the_whole_model_of_botocore_is_taken_from_a_users_folder(tmp_path: Path) -> None:
    (tmp_path / "sagemaker").symlink_to(f"{botocore_folder()}/sagemaker")
    assert "CreateTrainingJob" in service_model("sagemaker", str(tmp_path)).content["operations"]


def test_a_service_that_nobody_describes_is_an_error() -> None:
    with pytest.raises(UsageError, match="no model of the service none-such was found"):
        service_model("none-such")


def said_of(file: Path) -> str:
    with pytest.raises(ServiceModelError) as caught:
        read_json(str(file))
    assert str(file) in caught.value.message
    assert caught.value.hint.startswith("Replace or remove that file: AWS_DATA_PATH and ~/.aws/models go before")
    return caught.value.message


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"no gzip", "it cannot be read: "),
        (gzip.compress(b'{"a": 1}')[:-9], "it is not complete"),
        (gzip.compress(b"{"), "it is not valid JSON"),
        (b"", "it is not complete"),
    ],
    ids=["no gzip", "cut off", "no JSON in it", "empty"],
)
def test_a_packed_file_that_cannot_be_unpacked(tmp_path: Path, raw: bytes, why: str) -> None:
    assert why in said_of(write_model(tmp_path, raw, name="service-2.json.gz"))


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    file = write_model(tmp_path, gzip.compress(b'{"a": 1}'), name="service-2.json.gz")
    assert read_json(str(file)) == {"a": 1}


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_of_endless_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_packed: bool) -> None:
    monkeypatch.setattr(model_file, "SERVICE_MODEL_MAX_BYTES", 1_000)
    raw = gzip.compress(b" " * 1_001) if is_packed else b" " * 1_001
    name = "service-2.json.gz" if is_packed else "service-2.json"
    assert "it is larger than 1,000 bytes" in said_of(write_model(tmp_path, raw, name=name))


def test_what_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "sagemaker" / "2017-07-24"
    (folder / "service-2.json").mkdir(parents=True)
    assert "it cannot be read: Is a directory" in said_of(folder / "service-2.json")
    os.mkfifo(folder / "pipe.json")
    assert "it is not a regular file" in said_of(folder / "pipe.json")
    (folder / "dangling.json").symlink_to("nowhere")
    assert "it cannot be read: No such file or directory" in said_of(folder / "dangling.json")


def test_numbers_of_thousands_of_digits(tmp_path: Path) -> None:
    assert "it cannot be read: " in said_of(write_model(tmp_path, b"9" * 5_000))


def test_a_shipped_model_is_compared_with_nothing() -> None:
    model: dict[str, Any] = read_json(shipped_model("sagemaker"))
    assert ModelFile(shipped_model("sagemaker"), {**model, "x-appfleet-source": None}).name.startswith("the service m")
