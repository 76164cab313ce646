"""The AWS SDK itself, over loopback, with the services that the cloud port does not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from engine.simulator.faces.thread_runner import SimulatorThread
from tests.unit.simulator.worlds import ACCOUNT, DOMAIN_ID, REGION, START, create, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def simulator() -> Iterator[SimulatorThread]:
    world = make_world()
    create(world, team="a")
    with SimulatorThread(world, clock=lambda: START) as running:
        yield running


@pytest.fixture
def clients(simulator: SimulatorThread) -> Iterator[Any]:
    made: list[Any] = []

    def client(service: str) -> Any:
        made.append(
            botocore.session.Session().create_client(
                service,
                region_name=REGION,
                endpoint_url=simulator.url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()


def test_sts_tells_the_caller_and_gives_roles(clients: Any) -> None:
    sts = clients("sts")
    assert sts.get_caller_identity()["Account"] == ACCOUNT
    role = sts.assume_role(RoleArn="arn:aws:iam::222233334444:role/x", RoleSessionName="night", DurationSeconds=900)
    assert role["Credentials"]["Expiration"].timestamp() == START + 900
    with pytest.raises(ClientError) as caught:
        sts.assume_role(RoleArn="arn:aws:iam::nobody-at-all:role/x", RoleSessionName="night")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_service_quotas_are_paged_by_the_sdks_own_paginator(clients: Any) -> None:
    service_quotas = clients("service-quotas")
    pages = service_quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    names = {quota["QuotaName"] for page in pages for quota in page["Quotas"]}
    assert "Maximum number of running Studio apps allowed per account" in names
    one = service_quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode="L-4E39DDC4")["Quota"]
    assert one["QuotaName"] in names
    with pytest.raises(service_quotas.exceptions.NoSuchResourceException):
        service_quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode="L-FFFFFFFF")


def test_tagged_apps_are_found_by_the_tagging_api(clients: Any) -> None:
    pages = (
        clients("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(ResourceTypeFilters=["sagemaker:app"], TagFilters=[{"Key": "team", "Values": ["a"]}])
    )
    (found,) = [row for page in pages for row in page["ResourceTagMappingList"]]
    assert found["Tags"] == [{"Key": "team", "Value": "a"}]


def test_sagemaker_raises_the_errors_that_its_model_names(clients: Any, simulator: SimulatorThread) -> None:
    sagemaker = clients("sagemaker")
    app = {"DomainId": DOMAIN_ID, "SpaceName": "alice-lab", "AppType": "JupyterLab", "AppName": "default"}
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_app(**app)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_domain(DomainId="d-gone")
    described = sagemaker.describe_app(**app)
    assert described["CreationTime"].timestamp() == START
    assert simulator.stats()["create_for_live_key"] == 1


def test_owners_are_made_by_the_sdk_with_nested_settings(clients: Any) -> None:
    sagemaker = clients("sagemaker")
    sagemaker.create_space(
        DomainId=DOMAIN_ID,
        SpaceName="more",
        OwnershipSettings={"OwnerUserProfileName": "alice"},
        SpaceSharingSettings={"SharingType": "Private"},
        SpaceSettings={
            "AppType": "CodeEditor",
            "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 20}},
            "CodeEditorAppSettings": {"DefaultResourceSpec": {"InstanceType": "ml.m5.large"}},
        },
    )
    (row,) = sagemaker.list_spaces(SpaceNameContains="more")["Spaces"]
    assert row["SpaceSettingsSummary"]["SpaceStorageSettings"]["EbsStorageSettings"]["EbsVolumeSizeInGb"] == 20
