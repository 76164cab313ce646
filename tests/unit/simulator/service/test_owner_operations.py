"""User profiles, spaces and domains through the API: rules, texts and life."""

from __future__ import annotations

from typing import Any

import pytest

from engine.simulator.world.service_error import ServiceError
from tests.unit.simulator.worlds import DOMAIN_ID, add_space, call, create, make_world, pass_time, the_domain


def refused(world: Any, operation: str, **params: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        call(world, operation, DomainId=DOMAIN_ID, **params)
    return f"{caught.value.code}: {caught.value.message}"


def status(world: Any, **owner: str) -> str:
    operation = "DescribeSpace" if "SpaceName" in owner else "DescribeUserProfile"
    return str(call(world, operation, DomainId=DOMAIN_ID, **owner)["Status"])


def private(owner: str = "alice") -> dict[str, Any]:
    return {
        "OwnershipSettings": {"OwnerUserProfileName": owner},
        "SpaceSharingSettings": {"SharingType": "Private"},
        "SpaceSettings": {"AppType": "JupyterLab"},
    }


def test_a_profile_is_made_and_removed() -> None:
    world = make_world()
    call(world, "CreateUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob")
    assert status(world, UserProfileName="BOB") == "Pending"
    assert refused(world, "DeleteUserProfile", UserProfileName="bob").startswith(
        "ValidationException: Unable to delete"
    )
    pass_time(world, 1.0)
    assert status(world, UserProfileName="bob") == "InService"
    call(world, "DeleteUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob")
    call(world, "DeleteUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob")
    assert status(world, UserProfileName="bob") == "Deleting"
    pass_time(world, 1.0)
    assert refused(world, "DescribeUserProfile", UserProfileName="bob") == (
        "ResourceNotFound: UserProfile [bob] does not exist in Domain [d-abc]."
    )


def test_two_profiles_may_not_differ_in_case_alone() -> None:
    assert refused(make_world(), "CreateUserProfile", UserProfileName="Alice") == (
        "ResourceInUse: UserProfile [Alice] already exists in Domain [d-abc]."
    )


def test_sign_on_values_need_a_domain_that_uses_them() -> None:
    world = make_world()
    sso = {"SingleSignOnUserIdentifier": "UserName", "SingleSignOnUserValue": "bob@example.org"}
    assert "AuthMode of the Domain is SSO" in refused(world, "CreateUserProfile", UserProfileName="bob", **sso)
    the_domain(world).auth_mode = "SSO"
    call(world, "CreateUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob", **sso)
    shown = call(world, "DescribeUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob")
    assert shown["SingleSignOnUserValue"] == "bob@example.org"


def test_a_space_waits_for_its_owner() -> None:
    world = make_world()
    call(world, "CreateUserProfile", DomainId=DOMAIN_ID, UserProfileName="bob")
    assert refused(world, "CreateSpace", SpaceName="bob-lab", **private("bob")) == (
        "ValidationException: Unable to create Space [bob-lab] because UserProfile [bob] is not in InService"
    )
    pass_time(world, 1.0)
    call(world, "CreateSpace", DomainId=DOMAIN_ID, SpaceName="bob-lab", **private("bob"))
    assert status(world, SpaceName="bob-lab") == "Pending"
    pass_time(world, 1.0)
    assert status(world, SpaceName="bob-lab") == "InService"


def test_what_a_space_is_refused_for() -> None:
    world = make_world()
    assert refused(world, "CreateSpace", SpaceName="alice-lab", **private()).startswith("ResourceInUse: Space [alice-")
    assert refused(world, "DescribeSpace", SpaceName="gone") == (
        "ResourceNotFound: Space [gone] does not exist in Domain [d-abc]."
    )
    half = {"OwnershipSettings": {"OwnerUserProfileName": "alice"}}
    assert "must be specified together" in refused(world, "CreateSpace", SpaceName="x", **half)
    assert refused(world, "CreateSpace", SpaceName="x", **private("gone")).startswith(
        "ResourceNotFound: UserProfile [gone]"
    )


def test_a_profile_goes_only_after_its_apps_and_its_spaces() -> None:
    world = make_world()
    create(world, "Canvas", user="alice")
    assert refused(world, "DeleteUserProfile", UserProfileName="alice") == (
        "ResourceInUse: Unable to delete UserProfile [alice] because App(s) are associated with it."
    )
    pass_time(world, 2.0)
    call(world, "DeleteApp", DomainId=DOMAIN_ID, UserProfileName="alice", AppType="Canvas", AppName="default")
    pass_time(world, 3.0)
    assert refused(world, "DeleteUserProfile", UserProfileName="alice") == (
        "ResourceInUse: Unable to delete UserProfile [alice] because Space(s) are associated with it."
    )
    call(world, "DeleteSpace", DomainId=DOMAIN_ID, SpaceName="alice-lab")
    pass_time(world, 1.0)
    call(world, "DeleteUserProfile", DomainId=DOMAIN_ID, UserProfileName="alice")
    pass_time(world, 1.0)
    assert the_domain(world).profiles == {}


def test_a_space_goes_only_after_its_app_and_not_while_it_is_pending() -> None:
    world = make_world()
    create(world)
    assert refused(world, "DeleteSpace", SpaceName="alice-lab") == (
        "ResourceInUse: Unable to delete Space [alice-lab] because App(s) are associated with it."
    )
    call(world, "CreateSpace", DomainId=DOMAIN_ID, SpaceName="fresh", **private())
    assert refused(world, "DeleteSpace", SpaceName="fresh") == (
        "ValidationException: Unable to delete Space [fresh] because it is not in InService status."
    )


def test_a_space_is_updated_within_its_rules() -> None:
    world = make_world()

    def volume(size: int) -> dict[str, Any]:
        return {"SpaceSettings": {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": size}}}}

    call(world, "UpdateSpace", DomainId=DOMAIN_ID, SpaceName="alice-lab", SpaceDisplayName="Lab", **volume(20))
    assert refused(world, "UpdateSpace", SpaceName="alice-lab").startswith("ResourceInUse: Unable to update Space")
    assert status(world, SpaceName="alice-lab") == "Updating"
    pass_time(world, 1.0)
    shown = call(world, "DescribeSpace", DomainId=DOMAIN_ID, SpaceName="alice-lab")
    assert shown["SpaceSettings"]["SpaceStorageSettings"] == {"EbsStorageSettings": {"EbsVolumeSizeInGb": 20}}
    assert (shown["SpaceDisplayName"], shown["Status"]) == ("Lab", "InService")
    assert "cannot be made smaller" in refused(world, "UpdateSpace", SpaceName="alice-lab", **volume(10))
    other = {"SpaceSettings": {"AppType": "CodeEditor"}}
    assert "AppType of Space [alice-lab] cannot be changed" in refused(
        world, "UpdateSpace", SpaceName="alice-lab", **other
    )
    create(world)
    assert "App(s) are associated" in refused(world, "UpdateSpace", SpaceName="alice-lab", **volume(30))


def test_owners_are_listed_by_part_of_a_name_and_in_either_order() -> None:
    world = make_world()
    for number in range(3):
        call(world, "CreateUserProfile", DomainId=DOMAIN_ID, UserProfileName=f"User-{number}")
        add_space(world, f"team-{number}", None, "Shared")
        pass_time(world, 1.0)

    def profiles(**params: Any) -> list[str]:
        rows = call(world, "ListUserProfiles", **params)["UserProfiles"]
        return [row["UserProfileName"] for row in rows]

    assert profiles(DomainIdEquals=DOMAIN_ID) == ["alice", "User-0", "User-1", "User-2"]
    assert profiles(UserProfileNameContains="user", SortOrder="Descending") == ["User-2", "User-1", "User-0"]
    spaces = call(world, "ListSpaces", DomainIdEquals=DOMAIN_ID, SpaceNameContains="TEAM")["Spaces"]
    assert [row["SpaceName"] for row in spaces] == ["team-0", "team-1", "team-2"]
    assert spaces[0]["SpaceSharingSettingsSummary"] == {"SharingType": "Shared"}
    assert "AppType" not in spaces[0]["SpaceSettingsSummary"]


def test_owners_are_listed_by_their_last_change() -> None:
    world = make_world()
    for name in ("one", "two", "three"):
        add_space(world, name)
    pass_time(world, 10.0)
    call(world, "UpdateSpace", DomainId=DOMAIN_ID, SpaceName="one")
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = call(world, "ListSpaces", DomainIdEquals=DOMAIN_ID, SortBy="LastModifiedTime", MaxResults=2, **token)
        names += [row["SpaceName"] for row in page["Spaces"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert names == ["alice-lab", "two", "three", "one"]


def test_domains_are_listed_and_described() -> None:
    world = make_world()
    the_domain(world).user_settings = {"ExecutionRole": "arn:aws:iam::111122223333:role/studio"}
    the_domain(world).space_settings = {"ExecutionRole": "arn:aws:iam::111122223333:role/studio"}
    assert [row["DomainId"] for row in call(world, "ListDomains")["Domains"]] == [DOMAIN_ID]
    shown = call(world, "DescribeDomain", DomainId=DOMAIN_ID)
    assert (shown["AuthMode"], shown["Status"]) == ("IAM", "InService")
    assert shown["DefaultUserSettings"] == shown["DefaultSpaceSettings"]
    with pytest.raises(ServiceError, match=r"Domain \[d-gone\] does not exist"):
        call(world, "DescribeDomain", DomainId="d-gone")
