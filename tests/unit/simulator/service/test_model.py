"""Requests and answers against botocore's own models."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from engine.ports.identity_center import assignment_request, user_request
from engine.simulator.service.api import OPERATIONS
from engine.simulator.service.model import (
    _compile,
    check_request,
    instance_types,
    service_model,
)
from engine.simulator.service.owner_operations import add_domain
from engine.simulator.world.identity_center import application_arn, store_id, user_id
from engine.simulator.world.ingredients import Image
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.training_plans import training_plan
from tests.unit.simulator.worlds import DOMAIN_ID, LANE, call, create, make_world, pass_time, the_domain

GOOD = {"DomainId": "d-abc", "SpaceName": "alice-lab", "AppType": "JupyterLab", "AppName": "default"}


def refused(operation: str, params: Any, service: str = "sagemaker") -> str:
    with pytest.raises(ServiceError) as caught:
        check_request(service, operation, params)
    return f"{caught.value.code}: {caught.value.message}"


def test_a_whole_request_passes() -> None:
    image = "arn:aws:sagemaker:eu-west-1:111122223333:image/lab"
    spec = {
        "InstanceType": "ml.t3.medium",
        "SageMakerImageArn": image,
        "SageMakerImageVersionArn": "None",
        "SageMakerImageVersionAlias": "1.2.3",
        "LifecycleConfigArn": "arn:aws:sagemaker:eu-west-1:111122223333:studio-lifecycle-config/x",
    }
    tags = [{"Key": "team ü", "Value": "a b_c.d:/=+-@"}]
    check_request("sagemaker", "CreateApp", {**GOOD, "ResourceSpec": spec, "RecoveryMode": True, "Tags": tags})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"AppName": None},
            "1 validation error detected: Value null at 'appName' failed to satisfy constraint: Member m",
        ),
        (
            {"AppName": "a_b"},
            "Value 'a_b' at 'appName' failed to satisfy constraint: Member must satisfy regular expres",
        ),
        ({"AppName": "a\n"}, "Member must satisfy regular expression pattern"),
        ({"AppName": "x" * 64}, "Member must have length less than or equal to 63"),
        (
            {"AppType": "Notebook"},
            "Value 'Notebook' at 'appType' failed to satisfy constraint: Member must satisfy enum",
        ),
        ({"DomainId": "abc"}, "Value 'abc' at 'domainId'"),
        ({"Colour": "red"}, "Value 'Colour' at '.' failed to satisfy constraint: Member must be known to the service"),
        ({"ResourceSpec": {"InstanceType": "m5.large"}}, "Value 'm5.large' at 'resourceSpec.instanceType'"),
        ({"ResourceSpec": {"Size": "m5"}}, "Value 'Size' at 'resourceSpec'"),
        ({"Tags": [{"Key": "a"}]}, "Value null at 'tags.1.member.value'"),
        ({"Tags": [{"Key": "a*", "Value": ""}]}, "Value 'a*' at 'tags.1.member.key'"),
        ({"Tags": [{"Key": "a", "Value": ""}] * 51}, "Member must have length less than or equal to 50"),
    ],
)
def test_what_is_refused_says_where_and_why(change: dict[str, Any], text: str) -> None:
    assert text in refused("CreateApp", {**GOOD, **change})


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        ("CreateApp", {**GOOD, "AppName": 7}, "Value at 'appName' cannot be read as a string"),
        ("CreateApp", {**GOOD, "Tags": {}}, "Value at 'tags' cannot be read as a list"),
        ("CreateApp", {**GOOD, "ResourceSpec": "big"}, "Value at 'resourceSpec' cannot be read as a structure"),
        ("CreateApp", {**GOOD, "RecoveryMode": "yes"}, "Value at 'recoveryMode' cannot be read as a boolean"),
        ("ListApps", {"MaxResults": True}, "Value at 'maxResults' cannot be read as a integer"),
        ("CreateApp", [], "Value at '.' cannot be read as a structure"),
        ("CreateApp", None, "Value at '.' cannot be read as a structure"),
    ],
)
def test_a_wrong_type_is_a_serialization_error(operation: str, params: Any, text: str) -> None:
    assert refused(operation, params) == f"SerializationException: {text}"


@pytest.mark.parametrize(("rows", "text"), [(0, "greater than or equal to 1"), (101, "less than or equal to 100")])
def test_numbers_have_their_bounds(rows: int, text: str) -> None:
    assert text in refused("ListApps", {"MaxResults": rows})
    check_request("sagemaker", "ListApps", {"MaxResults": 100})


def test_all_problems_are_told_at_once() -> None:
    said = refused("CreateApp", {"DomainId": "nope", "AppType": "JupyterLab"})
    assert said.startswith("ValidationException: 2 validation errors detected: ")
    assert "'appName'" in said
    assert "'domainId'" in said


def test_an_instance_type_that_is_well_formed_but_unknown_passes() -> None:
    assert "ml.g9.2xlarge" not in instance_types()
    check_request("sagemaker", "CreateApp", {**GOOD, "ResourceSpec": {"InstanceType": "ml.g9.2xlarge"}})


def test_long_values_are_shown_shortened() -> None:
    assert len(refused("CreateApp", {**GOOD, "AppType": "x" * 5_000})) < 1_000


def test_a_document_is_any_json_and_a_union_has_one_member() -> None:
    unique = {"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": ["any", {"json": 1}]}}
    external = {"ExternalId": {"Issuer": "https://idp.example", "Id": "7"}}
    store = {"IdentityStoreId": "d-0123456789"}
    check_request("identitystore", "GetUserId", {**store, "AlternateIdentifier": unique})
    check_request("identitystore", "GetUserId", {**store, "AlternateIdentifier": external})
    for wrong in ({}, {**unique, **external}):
        said = refused("GetUserId", {**store, "AlternateIdentifier": wrong}, "identitystore")
        assert "Value at 'alternateIdentifier' failed to satisfy constraint: Exactly one member must be set" in said


def test_empty_members_are_as_good_as_none() -> None:
    check_request("sagemaker", "CreateApp", {**GOOD, "ResourceSpec": None})


def test_an_address_that_fits_no_repository_is_refused_at_once() -> None:
    """Nobody would wait for the answer of a pattern that is tried in every way in which it can be read."""
    repository = {"RepositoryUrl": "https://someone.with.a.long.name@git.corp.example/a/long/path"}
    settings = {"JupyterLabAppSettings": {"CodeRepositories": [repository]}}
    with pytest.raises(ServiceError, match="regular expression pattern: https"):
        check_request(
            "sagemaker", "UpdateSpace", {"DomainId": "d-abc", "SpaceName": "alice-lab", "SpaceSettings": settings}
        )


NAMES = st.sampled_from([*GOOD, "UserProfileName", "ResourceSpec", "Tags", "RecoveryMode", "Colour"])
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [*GOOD.values(), {}, [], True, None, 3, 1.5, {"InstanceType": "ml.t3.medium"}, {"InstanceType": 4}]
    ),
    st.lists(st.fixed_dictionaries({"Key": st.just("a"), "Value": st.one_of(st.just("b"), st.integers())}), max_size=3),
)


@given(params=st.dictionaries(NAMES, VALUES, max_size=6))
def test_nothing_passes_that_the_sdk_would_not_send(params: dict[str, Any]) -> None:
    try:
        check_request("sagemaker", "CreateApp", params)
    except ServiceError:
        return
    given_params = {name: value for name, value in params.items() if value is not None}
    shape = service_model("sagemaker").operation_model("CreateApp").input_shape
    report = ParamValidator().validate(given_params, shape)
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())


def test_every_operation_has_a_check_of_its_request() -> None:
    for operation, (service, _) in OPERATIONS.items():
        if operation in (
            "GetCallerIdentity",
            "ListApps",
            "ListDomains",
            "ListSpaces",
            "ListUserProfiles",
            "GetResources",
            "ListInstances",
        ):
            check_request(service, operation, {})
        else:
            assert "Member must not be null" in refused(operation, {}, service)


def test_maps_are_checked_by_key_and_value() -> None:
    model = service_model("sso-admin")
    shape = next(model.shape_for(name) for name in model.shape_names if model.shape_for(name).type_name == "map")
    check = _compile("sso-admin", shape)
    problems: list[tuple[bool, str]] = []
    check([], "m", problems)
    check({7: "x"}, "m", problems)
    texts = [text for _, text in problems]
    assert texts[:2] == ["Value at 'm' cannot be read as a map", "Value at 'm.key' cannot be read as a string"]


def test_each_answer_is_one_that_the_model_allows() -> None:
    world = make_world()
    world.quotas.set("Studio JupyterLab Apps running on ml.g5.xlarge instances", 0, "111122223333", "eu-west-1")
    world.quotas.zero_is_refused = False
    create(world, instance_type="ml.g5.xlarge", team="a")
    domain = the_domain(world)
    domain.tags = {"org": "x"}
    plan = f"arn:aws:sagemaker:{LANE.region}:{LANE.account}:training-plan/p5"
    world.training_plans[plan] = training_plan(plan, ("ml.p5.48xlarge",), 1, ends_at=world.now + 60.0)
    here = f"arn:aws:sagemaker:{LANE.region}:{LANE.account}"
    world.ingredients.images[f"{here}:image/science"] = Image(reason="x", versions={"1": []})
    world.ingredients.scripts[f"{here}:studio-lifecycle-config/setup"] = "JupyterLab"
    world.ingredients.roles.append(f"arn:aws:iam::{LANE.account}:role/service-role/lab")
    signs = add_domain(world, "d-sso", LANE.region, LANE.account, auth_mode="SSO")
    in_domain: dict[str, Any] = {"DomainId": DOMAIN_ID}
    lab = {**in_domain, "SpaceName": "alice-lab", "AppType": "JupyterLab", "AppName": "default"}
    canvas = {**in_domain, "UserProfileName": "alice", "AppType": "Canvas", "AppName": "default"}
    private = {
        "OwnershipSettings": {"OwnerUserProfileName": "alice"},
        "SpaceSharingSettings": {"SharingType": "Private"},
        "SpaceDisplayName": "New",
    }
    quota = {"ServiceCode": "sagemaker", "QuotaCode": "L-71FAF417"}
    calls: list[tuple[str, dict[str, Any], float]] = [
        ("CreateUserProfile", {**in_domain, "UserProfileName": "bob", "UserSettings": {"DefaultLandingUri": "x"}}, 1),
        ("DescribeUserProfile", {**in_domain, "UserProfileName": "bob"}, 0),
        ("ListUserProfiles", {"MaxResults": 1}, 0),
        ("CreateSpace", {**in_domain, "SpaceName": "new", **private}, 1),
        ("DescribeSpace", {**in_domain, "SpaceName": "new"}, 0),
        ("ListSpaces", {"MaxResults": 1}, 0),
        ("UpdateSpace", {**in_domain, "SpaceName": "new"}, 1),
        ("UpdateUserProfile", {**in_domain, "UserProfileName": "bob"}, 1),
        ("DescribeImage", {"ImageName": "science"}, 0),
        ("DescribeImageVersion", {"ImageName": "science"}, 0),
        ("DescribeStudioLifecycleConfig", {"StudioLifecycleConfigName": "setup"}, 0),
        ("GetRole", {"RoleName": "lab"}, 0),
        ("ListTags", {"ResourceArn": domain.arn}, 0),
        ("AddTags", {"ResourceArn": domain.arn, "Tags": [{"Key": "a", "Value": "b"}]}, 0),
        ("DeleteTags", {"ResourceArn": domain.arn, "TagKeys": ["a"]}, 5),
        ("DescribeApp", lab, 0),
        ("CreateApp", {**canvas, "RecoveryMode": False}, 5),
        ("DescribeApp", canvas, 0),
        ("ListApps", {"MaxResults": 1}, 0),
        ("DescribeDomain", in_domain, 0),
        ("DescribeTrainingPlan", {"TrainingPlanName": "p5"}, 0),
        ("ListDomains", {}, 0),
        ("GetResources", {}, 0),
        ("GetProducts", {"ServiceCode": "AmazonSageMaker", "MaxResults": 5}, 0),
        ("ListInstances", {}, 0),
        ("GetUserId", user_request(store_id(LANE), "bob@x"), 0),
        ("CreateApplicationAssignment", assignment_request(application_arn(signs), user_id(LANE, "bob@x")), 0),
        ("DescribeDomain", {"DomainId": "d-sso"}, 0),
        ("ListServiceQuotas", {"ServiceCode": "sagemaker", "MaxResults": 5}, 0),
        ("GetServiceQuota", quota, 0),
        ("RequestServiceQuotaIncrease", {**quota, "DesiredValue": 5_000.0}, 0),
        ("DeleteApp", canvas, 5),
        ("DeleteSpace", {**in_domain, "SpaceName": "new"}, 1),
        ("DeleteUserProfile", {**in_domain, "UserProfileName": "bob"}, 1),
        ("GetCallerIdentity", {}, 0),
        ("AssumeRole", {"RoleArn": "arn:aws:iam::111122223333:role/x", "RoleSessionName": "night"}, 0),
    ]
    for operation, params, seconds in calls:
        result = call(world, operation, **params)
        service = OPERATIONS[operation][0]
        output = service_model(service).operation_model(operation).output_shape
        assert bool(result) == (output is not None) or operation in ("DeleteTags", "CreateApplicationAssignment")
        if output is not None:
            problems: list[tuple[bool, str]] = []
            newer = {"UserArn"} - output.members.keys()  # required by later models than botocore's own may be
            _compile(service, output)(
                {name: value for name, value in result.items() if name not in newer}, "", problems
            )
            assert problems == []
        pass_time(world, seconds)
    assert {operation for operation, _, _ in calls} == set(OPERATIONS)
