"""ListTags, AddTags, DeleteTags, GetResources and Service Quotas through the API."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.identity import Lane
from engine.simulator.world import quotas
from engine.simulator.world.service_error import ServiceError
from tests.unit.simulator.worlds import (
    ACCOUNT,
    DOMAIN_ID,
    REGION,
    add_space,
    call,
    create,
    make_world,
    pass_time,
    the_domain,
)


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(world: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in call(world, "ListTags", ResourceArn=arn)["Tags"]}


def test_tags_are_added_replaced_and_taken_away() -> None:
    world = make_world()
    arn = the_domain(world).spaces["alice-lab"].arn
    call(world, "AddTags", ResourceArn=arn, Tags=pairs(a="1", b="2"))
    assert call(world, "AddTags", ResourceArn=arn, Tags=pairs(a="3"))["Tags"] == pairs(a="3", b="2")
    call(world, "DeleteTags", ResourceArn=arn, TagKeys=["b", "never-there"])
    assert tags_of(world, arn) == {"a": "3"}


def test_an_arn_is_found_whatever_the_case_of_its_type() -> None:
    world = make_world()
    arn = create(world, team="a").arn
    assert tags_of(world, arn.replace("/jupyterlab/", "/JupyterLab/")) == {"team": "a"}


def test_tags_added_to_a_profile_reach_only_apps_that_start_later() -> None:
    world = make_world()
    before = create(world, "Canvas", user="alice")
    call(world, "AddTags", ResourceArn=the_domain(world).profiles["alice"].arn, Tags=pairs(cost="1"))
    after = create(world, "RSessionGateway", user="alice")
    assert (before.tags, after.tags) == ({}, {"cost": "1"})


def test_the_texts_of_refused_tags() -> None:
    world = make_world()
    arn = create(world).arn

    def refusal(operation: str, **params: Any) -> str:
        with pytest.raises(ServiceError) as caught:
            call(world, operation, **params)
        return f"{caught.value.code}: {caught.value.message}"

    assert "Duplicate tag key [a]" in refusal("AddTags", ResourceArn=arn, Tags=[*pairs(a="1"), *pairs(a="2")])
    assert "prefixed tag names are reserved" in refusal("AddTags", ResourceArn=arn, Tags=pairs(**{"AWS:x": "1"}))
    many = pairs(**{f"k{number}": "" for number in range(50)})
    call(world, "AddTags", ResourceArn=arn, Tags=many)
    assert "would have 51 tags" in refusal("AddTags", ResourceArn=arn, Tags=pairs(more=""))
    assert refusal("ListTags", ResourceArn=f"{arn}x").startswith("ResourceNotFound: Resource [")
    pass_time(world, 2.0)
    call(world, "DeleteApp", DomainId=DOMAIN_ID, SpaceName="alice-lab", AppType="JupyterLab", AppName="default")
    pass_time(world, 3.0)
    assert refusal("ListTags", ResourceArn=arn) == "ValidationException: "
    assert refusal("AddTags", ResourceArn=arn, Tags=pairs(a="1")) == "ValidationException: "


def test_tags_of_another_lane_are_not_there() -> None:
    world = make_world()
    with pytest.raises(ServiceError, match="does not exist"):
        call(world, "ListTags", Lane(ACCOUNT, "us-east-1"), ResourceArn=the_domain(world).arn)


def resources(world: Any, **params: Any) -> list[str]:
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = call(world, "GetResources", **params, **token)
        found += [row["ResourceARN"].rpartition(":")[2].partition("/")[0] for row in page["ResourceTagMappingList"]]
        if not page["PaginationToken"]:
            return found
        token = {"PaginationToken": page["PaginationToken"]}


def tagged_world() -> Any:
    world = make_world()
    the_domain(world).tags["org"] = "x"
    the_domain(world).profiles["alice"].tags["org"] = "x"
    the_domain(world).spaces["alice-lab"].tags.update(org="y", team="a")
    create(world, fleet="ml")
    add_space(world, "untagged")
    return world


def test_tagged_resources_are_found_by_type_and_by_tag() -> None:
    world = tagged_world()
    assert resources(world) == ["domain", "user-profile", "space", "app"]
    assert resources(world, ResourcesPerPage=1) == ["domain", "user-profile", "space", "app"]
    assert resources(world, ResourceTypeFilters=["sagemaker:app"]) == ["app"]
    assert resources(world, ResourceTypeFilters=["sagemaker"], TagFilters=[{"Key": "team"}]) == ["space"]
    assert resources(world, TagFilters=[{"Key": "org", "Values": ["x"]}]) == ["domain", "user-profile", "app"]
    assert resources(world, TagFilters=[{"Key": "org", "Values": ["z"]}]) == []
    assert resources(world, ResourceTypeFilters=["ec2:instance"]) == []


def test_named_resources_are_found_by_their_arns() -> None:
    world = tagged_world()
    assert resources(world, ResourceARNList=[the_domain(world).arn, "arn:aws:sagemaker:eu-west-1:1:app/x"]) == [
        "domain"
    ]
    with pytest.raises(ServiceError, match="cannot be combined"):
        call(world, "GetResources", ResourceARNList=[the_domain(world).arn], ResourcesPerPage=5)


def test_a_dead_app_has_left_the_index_of_tags() -> None:
    world = tagged_world()
    pass_time(world, 2.0)
    call(world, "DeleteApp", DomainId=DOMAIN_ID, SpaceName="alice-lab", AppType="JupyterLab", AppName="default")
    pass_time(world, 3.0)
    assert resources(world, ResourceTypeFilters=["sagemaker:app"]) == []


def test_a_token_of_the_tagging_api_that_is_not_its_own_has_its_own_error() -> None:
    with pytest.raises(ServiceError) as caught:
        call(tagged_world(), "GetResources", PaginationToken="nonsense")
    assert caught.value.code == "PaginationTokenExpiredException"


def test_all_quotas_are_listed_page_by_page_with_unique_codes() -> None:
    world = make_world()
    world.quotas.set("Studio JupyterLab Apps running on ml.g9.2xlarge instances", 3)
    rows: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = call(world, "ListServiceQuotas", ServiceCode="sagemaker", **token)
        rows += page["Quotas"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    by_name = {row["QuotaName"]: row for row in rows}
    assert len(by_name) == len({row["QuotaCode"] for row in rows}) == len(rows) > 400
    assert by_name["Studio JupyterLab Apps running on ml.g9.2xlarge instances"]["Value"] == 3.0
    assert by_name[quotas.RUNNING_APPS]["QuotaCode"] == "L-4E39DDC4"


def test_a_quota_is_got_by_its_code_and_raised() -> None:
    world = make_world()
    code = "L-71FAF417"
    asked = {"ServiceCode": "sagemaker", "QuotaCode": code}
    assert call(world, "GetServiceQuota", **asked)["Quota"]["Value"] == 1_000.0
    assert len(call(world, "ListServiceQuotas", **asked)["Quotas"]) == 1
    done = call(world, "RequestServiceQuotaIncrease", **asked, DesiredValue=2_000.0)["RequestedQuota"]
    assert (done["Status"], done["DesiredValue"]) == ("APPROVED", 2_000.0)
    assert call(world, "GetServiceQuota", **asked)["Quota"]["Value"] == 2_000.0
    other = Lane(ACCOUNT, "us-east-1")
    assert call(world, "GetServiceQuota", other, **asked)["Quota"]["Value"] == 1_000.0
    with pytest.raises(ServiceError, match="above the current value"):
        call(world, "RequestServiceQuotaIncrease", **asked, DesiredValue=5.0)


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("GetServiceQuota", {"ServiceCode": "ec2", "QuotaCode": "L-71FAF417"}, "NoSuchResourceException"),
        ("GetServiceQuota", {"ServiceCode": "sagemaker", "QuotaCode": "L-00000000"}, "NoSuchResourceException"),
        ("ListServiceQuotas", {"ServiceCode": "ec2"}, "NoSuchResourceException"),
        ("ListServiceQuotas", {"ServiceCode": "sagemaker", "NextToken": "bm8="}, "InvalidPaginationTokenException"),
    ],
)
def test_the_errors_of_service_quotas(operation: str, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        call(make_world(), operation, **params)
    assert caught.value.code == code


def test_the_caller_and_a_role_that_it_assumes() -> None:
    world = make_world()
    assert call(world, "GetCallerIdentity")["Account"] == ACCOUNT
    role = {"RoleArn": "arn:aws:iam::222233334444:role/teams/provisioner", "RoleSessionName": "night"}
    assumed = call(world, "AssumeRole", **role)
    assert assumed["Credentials"]["AccessKeyId"] == "ASIASIMULATED222233334444"
    assert assumed["AssumedRoleUser"]["Arn"] == "arn:aws:sts::222233334444:assumed-role/provisioner/night"
    china = Lane(ACCOUNT, "cn-north-1")
    assert call(world, "GetCallerIdentity", china)["Arn"].startswith("arn:aws-cn:sts::")
    gov = Lane(ACCOUNT, "us-gov-west-1")
    assert call(world, "GetCallerIdentity", gov)["Arn"].startswith("arn:aws-us-gov:sts::")
    with pytest.raises(ServiceError, match="is invalid"):
        call(world, "AssumeRole", RoleArn="arn:aws:iam::not-an-account:role", RoleSessionName="night")
    assert REGION not in assumed["AssumedRoleUser"]["Arn"]
