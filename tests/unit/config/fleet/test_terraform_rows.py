"""Resources of a Terraform state as rows of their domains, and what of them is left out, with its address."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.config.fleet.terraform_rows import KINDS, FromTerraform, rows_of
from engine.config.fleet.terraform_state import read_state
from engine.core.desired import AppSpec
from engine.core.errors import UsageError
from engine.core.identity import SPACE, USER, AppKey
from tests.terraform_states import (
    ACCOUNT,
    ARN,
    DOMAIN_ID,
    IMAGE,
    REGION,
    app,
    domain,
    profile,
    resource,
    space,
    state,
)

OTHER_ID = "d-wxyz9876stuv"


def rows(*resources: dict[str, Any], **asked: Any) -> FromTerraform:
    read = read_state(json.dumps(state(*resources)).encode(), "state.json", KINDS)
    usual: dict[str, Any] = {"name": "state.json", "region": "", "domain_id": "", "domain": None, "settings": True}
    return rows_of(read, **(usual | asked))


def without(row: dict[str, Any], *keys: str, **more: Any) -> dict[str, Any]:
    """Return a resource whose values lack `keys`, or have others."""
    return row | {"values": {key: value for key, value in row["values"].items() if key not in keys} | more}


def test_apps_spaces_and_profiles_become_rows_of_their_domain() -> None:
    (found,), left_out, others = rows(
        domain(),
        profile("alice"),
        space("lab", "alice"),
        app("alice"),
        app("lab", "JupyterLab", in_space=True, index=1),
        resource("aws_iam_role", "r", {}),
    )

    assert (found.domain, found.domain_id, found.region, found.account) == ("Research-Lab", DOMAIN_ID, REGION, ACCOUNT)
    assert found.apps[AppKey("Research-Lab", USER, "alice", "Canvas", "default")].spec.instance_type == "system"
    tags = (("cost-center", "4711"), ("managed-by", "terraform"))
    lab = found.apps[AppKey("Research-Lab", SPACE, "lab", "JupyterLab", "default")].spec
    assert lab == AppSpec(instance_type="ml.t3.medium", image_arn=IMAGE, tags=tags)
    assert (found.spaces["lab"].owner_user, found.spaces["lab"].sharing) == ("alice", "Private")
    assert found.users == ("alice",)
    assert list(left_out.values()) == [("aws_sagemaker_domain.this",)]
    assert others == {"aws_iam_role": 1}


def test_a_domain_that_is_not_in_the_state_is_known_by_what_is_in_it() -> None:
    """The ARN of a resource says the region and the account."""
    (found,), _, _ = rows(app("alice"))
    assert (found.domain, found.region, found.account) == ("main", REGION, ACCOUNT)


@pytest.mark.parametrize(
    ("more", "asked", "region", "account"),
    [
        ({"region": "us-east-1"}, "", "us-east-1", ""),
        ({}, "eu-north-1", "eu-north-1", ""),
        ({"id": f"{ARN}:app/x"}, "eu-north-1", REGION, ACCOUNT),
        ({"arn": "arn:aws:sagemaker:Nowhere:12:app/x"}, "eu-north-1", "eu-north-1", ""),
    ],
)
def test_a_region_is_that_of_the_resource_else_the_one_that_was_asked_for(
    more: dict[str, Any], asked: str, region: str, account: str
) -> None:
    """Newer versions of the provider have an attribute of that name."""
    (found,), _, _ = rows(without(app("alice"), "arn", "id", **more), region=asked)
    assert (found.region, found.account) == (region, account)


def test_a_region_that_nothing_names_is_asked_for() -> None:
    with pytest.raises(UsageError, match=f"in which region domain {DOMAIN_ID} is") as caught:
        rows(without(app("alice"), "arn", "id"))
    assert caught.value.hint == "Give --region"


def test_several_domains_have_a_name_each() -> None:
    """Two of one name have their account, or their id, in it."""
    ids = [f"d-{letter * 12}" for letter in "abc"]
    made = [without(domain(), id=one, arn=f"{ARN}:domain/{one}") for one in ids]

    founds, _, _ = rows(*made, without(app("alice"), domain_id=OTHER_ID))

    assert [one.domain for one in founds] == ["Research-Lab", f"Research-Lab-{ACCOUNT}", ids[2], OTHER_ID]


def test_one_domain_of_several_is_read_alone() -> None:
    (found,), _, _ = rows(domain(), without(app("alice"), domain_id=OTHER_ID), domain_id=OTHER_ID, domain="mine")
    assert (found.domain, found.domain_id) == ("mine", OTHER_ID)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"domain_id": OTHER_ID}, f"state.json has nothing of domain {OTHER_ID}"),
        ({"domain": "mine"}, "--domain-name names one domain, and state.json has 2"),
    ],
)
def test_a_domain_that_cannot_be_meant_is_an_error(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        rows(domain(), without(app("alice"), domain_id="d-aaaaaaaaaaaa"), **asked)


def test_a_state_without_a_domain_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"state\.json has no SageMaker domain: no aws_sagemaker_app"):
        rows(resource("aws_iam_role", "r", {}))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (without(app("bob"), "domain_id"), "its domain_id is missing"),
        (without(app("bob"), domain_id="d-\x1b[2J"), "its domain_id is missing"),
        (without(app("bob"), domain_id=7), "its domain_id is missing"),
        (without(app("bob"), "user_profile_name"), "its name or its owner is"),
        (without(app("bob"), space_name="lab"), "its name or its owner is"),
        (without(app("bob"), app_type=None), "its name or its owner is"),
        (without(profile("bob"), user_profile_name=""), "its name or its owner is"),
        (without(space("bobs", "bob"), space_name=None), "its name or its owner is"),
        (app("alice", index=7), "another resource of the state describes the same thing"),
        (profile("alice", module="module.a"), "another resource of the state describes the same thing"),
        (without(app("bob"), arn="arn:aws:sagemaker:us-east-1:111122223333:app/x"), "another account or region"),
        (without(app("bob"), arn="arn:aws:sagemaker:eu-west-1:999999999999:app/x"), "another account or region"),
        (without(profile("bob"), tags_all={"a": "b"}), "a fleet file has tags of apps"),
        (without(space("bobs", "alice"), space_display_name="Bob's"), "space_display_name has a form"),
        (without(profile("bob"), user_settings=[{"new": 1}]), "user_settings.new has a form"),
        (without(app("bob"), resource_spec=[{"new": 1}]), "resource_spec.new has a form"),
        (without(app("bob"), recovery_mode=True), "recovery_mode has a form"),
        (app("bob") | {"sensitive_values": {"resource_spec": [{"instance_type": True}]}}, "instance_type is marked as"),
        (profile("bob") | {"sensitive_values": {"user_settings": True}}, "user_settings is marked as sensitive"),
    ],
)
def test_what_is_left_out_is_named(row: dict[str, Any], why: str) -> None:
    _, left_out, _ = rows(profile("alice"), app("alice"), row)

    ((said, names),) = left_out.items()
    assert why in said
    assert names == (row["address"],)


def test_without_settings_none_are_read() -> None:
    signed_in = without(profile("alice"), single_sign_on_user_value="alice@example.com")
    (found,), left_out, _ = rows(signed_in, space("lab", "alice"), settings=False)

    assert (found.profiles["alice"].settings, found.profiles["alice"].sso_identity) == (None, "")
    assert found.spaces["lab"].settings is None
    assert left_out == {}


def test_the_owner_of_a_space_may_be_in_another_state() -> None:
    """It is a profile of the domain all the same; one that differs in case is the same profile."""
    (found,), _, _ = rows(profile("bob"), space("a", "alice"), space("b", "BOB"), space("c", ""))
    assert found.users == ("alice", "bob")
