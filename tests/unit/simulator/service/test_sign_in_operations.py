"""IAM Identity Center of the simulated account: its users, and who is assigned to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.core.identity import Lane
from engine.ports.identity_center import assignment_request, user_request
from engine.simulator.scenario.snapshot import dump_world, parse_world
from engine.simulator.service.api import answer
from engine.simulator.world.identity_center import application_arn, instance_arn, store_id
from engine.simulator.world.service_error import ServiceError
from tests.unit.simulator.worlds import DOMAIN_ID, LANE, START, call, make_world, the_domain

if TYPE_CHECKING:
    from engine.simulator.world.world import World

STORE = store_id(LANE)


def world_with(*users: str) -> World:
    """Return a world whose domain signs people in through IAM Identity Center; with `users` it has no others."""
    world = make_world()
    the_domain(world).auth_mode = "SSO"
    world.center.users = list(users) or None
    return world


def refused(world: World, operation: str, params: dict[str, Any], lane: Lane = LANE) -> str:
    with pytest.raises(ServiceError) as caught:
        answer(world, lane, operation, params, START)
    return f"{caught.value.code}: {caught.value.message}"


def user_of(world: World, name: str) -> str:
    return str(call(world, "GetUserId", **user_request(STORE, name))["UserId"])


def test_a_domain_names_its_application_where_people_sign_in_through_it() -> None:
    world = world_with()
    arn = call(world, "DescribeDomain", DomainId=DOMAIN_ID)["SingleSignOnApplicationArn"]
    assert arn == application_arn(the_domain(world))
    (instance,) = call(world, "ListInstances")["Instances"]
    assert (instance["InstanceArn"], instance["IdentityStoreId"]) == (instance_arn(LANE), STORE)
    assert arn.split("/")[1] == instance["InstanceArn"].rpartition("/")[2]
    the_domain(world).auth_mode = "IAM"
    assert "SingleSignOnApplicationArn" not in call(world, "DescribeDomain", DomainId=DOMAIN_ID)


def test_a_user_is_assigned_once_and_the_world_remembers_it() -> None:
    world = world_with("ana@x")
    params = assignment_request(application_arn(the_domain(world)), user_of(world, "ana@x"))
    call(world, "CreateApplicationAssignment", **params)
    kept = parse_world(dump_world(world))
    for one in (world, kept):
        assert one.center.users_of(the_domain(one)) == ["ana@x"]
        assert refused(one, "CreateApplicationAssignment", params).startswith("ConflictException")


def test_what_is_not_there_is_not_found() -> None:
    world = world_with("ana@x")
    answer = call(world, "GetUserId", **user_request(STORE, "ana@x"))
    assert answer["UserArn"] == f"arn:aws:identitystore:::user/{answer['UserId']}"  # required since botocore 1.43
    assert refused(world, "GetUserId", user_request(STORE, "Ana@x")) == "ResourceNotFoundException: USER not found."
    assert "IdentityStore not found" in refused(world, "GetUserId", user_request("d-0123456789", "ana@x"))
    elsewhere = Lane(LANE.account, "eu-central-1")
    ana, arn = user_of(world, "ana@x"), application_arn(the_domain(world))
    assert "Application not found" in refused(
        world, "CreateApplicationAssignment", assignment_request(arn, ana), elsewhere
    )
    nobody = assignment_request(arn, "01234567-0123-0123-0123-0123456789ab")
    assert "USER not found: 0123" in refused(world, "CreateApplicationAssignment", nobody)
    group = {**assignment_request(arn, ana), "PrincipalType": "GROUP"}
    assert "GROUP not found" in refused(world, "CreateApplicationAssignment", group)
    the_domain(world).auth_mode = "IAM"
    assert "Application not found" in refused(world, "CreateApplicationAssignment", assignment_request(arn, ana))


@pytest.mark.parametrize(
    "identifier",
    [
        {"ExternalId": {"Issuer": "https://idp.example", "Id": "7"}},
        {"UniqueAttribute": {"AttributePath": "emails.value", "AttributeValue": "ana@x"}},
        {"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": 7}},
    ],
)
def test_users_are_known_by_their_user_name_alone(identifier: dict[str, Any]) -> None:
    said = refused(world_with(), "GetUserId", {"IdentityStoreId": STORE, "AlternateIdentifier": identifier})
    assert said == "ValidationException: the simulator knows users by the unique attribute userName alone"


def test_a_profile_is_for_a_user_of_the_identity_store_unless_the_world_says_otherwise() -> None:
    world = world_with("ana@x")
    sso = {"SingleSignOnUserIdentifier": "UserName", "SingleSignOnUserValue": "bo@x"}
    params = {"DomainId": DOMAIN_ID, "UserProfileName": "bo", **sso}
    assert "SingleSignOnUserValue [bo@x] is not a user" in refused(world, "CreateUserProfile", params)
    world.center.profiles_need_users = False
    call(world, "CreateUserProfile", **params)
    wrong = {**params, "UserProfileName": "li", "SingleSignOnUserIdentifier": "Email"}
    assert "singleSignOnUserIdentifier" in refused(world, "CreateUserProfile", wrong)
