"""Clients read their models where `validate` does."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader
from botocore.session import Session

from engine.adapters.aws.service_loader import service_loader
from engine.adapters.aws.sessions import Clouds
from engine.core.errors import Rejected, ServiceModelError
from engine.service_models.model_file import read_json, service_model
from tests.models import NEW_FIELD, newer_model, write_model
from tests.unit.adapters.aws.hostile import desired

SERVICES = ("sts", "service-quotas", "resourcegroupstaggingapi", "pricing", "sso-admin", "identitystore", "sso")


def test_the_model_of_sagemaker_is_ours_and_shared() -> None:
    loader = service_loader(None)
    assert service_loader(None) is loader
    assert loader.load_service_model("sagemaker", "service-2") is service_model("sagemaker").content


@pytest.mark.parametrize("service", SERVICES)
def test_other_services_and_other_files_are_botocores(service: str) -> None:
    loader, theirs = service_loader(None), Loader()
    for kind in ("service-2", "endpoint-rule-set-1"):
        assert loader.load_service_model(service, kind) == theirs.load_service_model(service, kind)


@pytest.mark.parametrize("name", ["endpoints", "partitions", "_retry", "sdk-default-configuration"])
def test_data_of_all_services_is_botocores(name: str) -> None:
    """The file is read anew: the library adds to what it has read of endpoints."""
    found, path = service_loader(None).load_data_with_path(name)
    theirs, their_path = Loader().load_data_with_path(name)
    assert path == their_path
    (file,) = (file for file in (f"{path}.json", f"{path}.json.gz") if Path(file).exists())
    assert read_json.__wrapped__(file) == theirs
    assert found.keys() == theirs.keys()


def test_what_is_not_there_is_botocores_error() -> None:
    with pytest.raises(DataNotFoundError):
        service_loader(None).load_data("nothing-of-this-name")
    with pytest.raises(ServiceModelError):
        service_loader(None).load_service_model("none-such", "service-2")
    assert "sagemaker" in service_loader(None).list_available_services("service-2")


def test_waiters_and_paginators_of_sagemaker_are_found() -> None:
    session = Session()
    session.register_component("data_loader", service_loader(None))
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    client = session.create_client("sagemaker", "eu-west-1", **keys)
    assert client.can_paginate("list_apps")
    assert not hasattr(client, "create_training_job")


def test_the_folders_of_a_profile_are_searched_first(tmp_path: Path) -> None:
    write_model(tmp_path, newer_model())
    model = service_loader(str(tmp_path)).load_service_model("sagemaker", "service-2")
    assert NEW_FIELD in model["shapes"]["ResourceSpec"]["members"]


@pytest.mark.parametrize("offered", [["json", "smithy-rpc-v2-cbor"], ["smithy-rpc-v2-cbor", "json"]])
def test_of_several_protocols_clients_speak_the_one_that_our_transport_reads(
    tmp_path: Path, offered: list[str]
) -> None:
    model = newer_model()
    model["metadata"]["protocols"] = offered
    write_model(tmp_path, model)
    session = Session()
    session.register_component("data_loader", service_loader(str(tmp_path)))
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y"}
    client = session.create_client("sagemaker", "eu-west-1", **keys)
    assert client.meta.service_model.resolved_protocol == "json"


def test_a_broken_file_of_other_data_is_named(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text("{")
    with pytest.raises(ServiceModelError, match=str(file)):
        service_loader(str(tmp_path)).load_data("endpoints")


async def test_a_broken_model_of_sagemaker_ends_before_anything_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    file = write_model(tmp_path, b"{")
    async with Clouds(endpoint_url="http://127.0.0.1:9") as clouds:
        with pytest.raises(ServiceModelError, match=str(file)):
            await clouds.connect(desired())


async def test_a_broken_model_of_a_service_beside_it_is_trouble_of_that_call_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    file = write_model(tmp_path, b"{", service="identitystore")
    async with Clouds(endpoint_url="http://127.0.0.1:9") as clouds:
        cloud = await clouds.connect(desired())
        with pytest.raises(Rejected, match=f"Cannot send GetUserId: the service model {file} cannot be used"):
            await cloud.user_id("d-1234567890", "alice@example.com")
