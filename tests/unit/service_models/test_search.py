"""Which file describes a service: the order of the folders, versions and endings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.errors import ServiceModelError
from engine.service_models.model_file import service_model
from engine.service_models.search import (
    SHIPPED_FOLDER,
    botocore_folder,
    find_model,
    installed_model,
    is_users,
    shipped_model,
    user_folders,
)
from tests.models import write_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_users_folders_come_first_in_their_order(tmp_path: Path, home: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    data_path = os.pathsep.join(map(str, (first, second)))
    assert find_model("sagemaker", data_path) == shipped_model("sagemaker")
    for folder in (home / ".aws" / "models", second, first):
        file = write_model(folder, {})
        assert find_model("sagemaker", data_path) == str(file)
        assert is_users(str(file))


def test_what_we_ship_comes_before_botocore_and_that_for_all_else() -> None:
    assert installed_model("sagemaker") == shipped_model("sagemaker")
    assert shipped_model("sagemaker").startswith(SHIPPED_FOLDER)
    assert shipped_model("sts") == ""
    assert find_model("sts", None).startswith(botocore_folder())
    assert find_model("none-such", None) == ""
    assert not is_users(find_model("sts", None))
    assert not is_users(shipped_model("sagemaker"))


def test_a_newer_version_and_the_plain_ending_come_first(tmp_path: Path) -> None:
    older = write_model(tmp_path, {})
    packed = write_model(tmp_path, {}, name="service-2.json.gz")
    assert find_model("sagemaker", str(tmp_path)) == str(older)
    older.unlink()
    assert find_model("sagemaker", str(tmp_path)) == str(packed)
    newer = tmp_path / "sagemaker" / "2031-01-01" / "service-2.json"
    newer.parent.mkdir()
    (tmp_path / "sagemaker" / "2032-01-01").mkdir()  # without a model
    newer.write_text("{}")
    assert find_model("sagemaker", str(tmp_path)) == str(newer)


def test_home_and_variables_are_expanded_and_nothing_is_the_working_directory(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS", "/models")
    assert user_folders("~/a:$MODELS/b::") == (f"{home}/a", "/models/b", f"{home}/.aws/models")
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path, {})
    write_model(tmp_path / "~nobody-of-this-name" / ".aws" / "models", {})
    assert find_model("sagemaker", os.pathsep) == shipped_model("sagemaker")
    assert user_folders("~nobody-of-this-name/x") == (f"{home}/.aws/models",)


@pytest.mark.parametrize("data_path", ["/dev/null", "/none/such", "a\0b"])
def test_folders_that_are_none_are_passed_over(data_path: str) -> None:
    assert find_model("sagemaker", data_path) == shipped_model("sagemaker")


@pytest.mark.parametrize("place", ["sagemaker", "sagemaker/2017-07-24/service-2.json"])
def test_a_folder_that_may_not_be_read_is_an_error_and_no_reason_to_take_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    write_model(tmp_path, {})
    denied, listdir, lstat = f"{tmp_path}/{place}", os.listdir, os.lstat

    def refuse(call: Any) -> Any:
        def called(path: Any, *more: Any) -> Any:
            if str(path) == denied:
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *more)

        return called

    monkeypatch.setattr(os, "listdir", refuse(listdir))
    monkeypatch.setattr(os, "lstat", refuse(lstat))
    monkeypatch.setattr(os, "open", refuse_all)
    with pytest.raises(ServiceModelError) as caught:
        service_model("sagemaker", str(tmp_path))
    assert f"the service model {tmp_path}/sagemaker cannot be used: it cannot be read: Permission denied" in str(
        caught.value
    )


def refuse_all(path: Any, *_: Any) -> Any:
    raise PermissionError(13, "Permission denied", str(path))
