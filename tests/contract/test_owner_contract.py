"""User profiles, spaces and domains: what both faces of `ports.owners.OwnerCloud` must answer alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core import errors
from engine.core.desired import DesiredOwner, Source
from engine.core.errors import CloudError
from engine.core.identity import SPACE, USER, Owner
from engine.simulator.service import owner_operations
from engine.simulator.world.faults import FaultKind
from tests.contract.conftest import ACCOUNT, DOMAIN_ID, REGION, START, lab

if TYPE_CHECKING:
    from tests.contract.conftest import Contract

TAGS = (("appfleet:managed-by", "ml"),)


def profile(name: str = "carol", **more: Any) -> DesiredOwner:
    return DesiredOwner(Owner("research", USER, name), Source("fleet.toml", 1), **more)


def space(name: str = "carol-lab", owner: str | None = "alice", **more: Any) -> DesiredOwner:
    shown = {"owner_user": owner, "sharing": "Private", "app_type": "JupyterLab", **more}
    return DesiredOwner(Owner("research", SPACE, name), Source("fleet.toml", 1), **shown)


async def test_a_profile_lives_from_pending_to_in_service_and_is_gone_after_its_delete(contract: Contract) -> None:
    contract.world.timing = replace(contract.world.timing, profile_pending=(2.0, 2.0), profile_deleting=(2.0, 2.0))
    arn = await contract.cloud.create_owner(DOMAIN_ID, profile(), TAGS)
    assert arn == f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:user-profile/{DOMAIN_ID}/carol"
    detail = await contract.cloud.describe_owner(DOMAIN_ID, USER, "Carol")
    assert (detail.row.name, detail.row.status, detail.row.created_at, detail.arn) == ("carol", "Pending", START, arn)
    contract.pass_time(2.0)
    assert (await contract.cloud.describe_owner(DOMAIN_ID, USER, "carol")).row.status == "InService"
    assert await contract.cloud.list_tags(arn) == TAGS
    await contract.cloud.delete_owner(DOMAIN_ID, USER, "carol")
    assert (await contract.cloud.describe_owner(DOMAIN_ID, USER, "carol")).row.status == "Deleting"
    contract.pass_time(2.0)
    with pytest.raises(errors.NotFound):
        await contract.cloud.describe_owner(DOMAIN_ID, USER, "carol")


async def test_a_space_is_made_with_owner_sharing_type_volume_and_idle_time(contract: Contract) -> None:
    declared = space(ebs_gb=20, idle_minutes=60, settings={"SpaceManagedResources": "ENABLED"})
    await contract.cloud.create_owner(DOMAIN_ID, declared, TAGS)
    row = (await contract.cloud.describe_owner(DOMAIN_ID, SPACE, "carol-lab")).row
    assert (row.owner_user, row.sharing, row.app_type) == ("alice", "Private", "JupyterLab")
    assert (row.ebs_gb, row.modified_at) == (20, row.created_at)
    listed = (await contract.cloud.list_owners(DOMAIN_ID, SPACE)).rows
    assert next(one for one in listed if one.name == "carol-lab") == row
    made = contract.world.domains[DOMAIN_ID].spaces["carol-lab"]
    assert made.ebs_gb == 20
    idle = made.settings["JupyterLabAppSettings"]["AppLifecycleManagement"]["IdleSettings"]
    assert idle == {"IdleTimeoutInMinutes": 60}
    assert made.settings["SpaceManagedResources"] == "ENABLED"


async def test_a_profile_is_made_with_role_settings_and_sso_identity(contract: Contract) -> None:
    contract.world.domains[DOMAIN_ID].auth_mode = "SSO"
    role = f"arn:aws:iam::{ACCOUNT}:role/studio"
    settings = {"StudioWebPortal": "ENABLED"}
    await contract.cloud.create_owner(
        DOMAIN_ID, profile(execution_role=role, settings=settings, sso_identity="carol@x"), TAGS
    )
    made = contract.world.domains[DOMAIN_ID].profiles["carol"]
    assert made.settings == {"StudioWebPortal": "ENABLED", "ExecutionRole": role}
    assert (made.sso_identifier, made.sso_value) == ("UserName", "carol@x")
    assert await contract.cloud.auth_mode(DOMAIN_ID) == "SSO"
    assert await contract.cloud.domain_status(DOMAIN_ID) == "InService"


async def test_a_profile_needs_its_user_name_exactly_where_the_domain_signs_in_through_sso(contract: Contract) -> None:
    domain = contract.world.domains[DOMAIN_ID]
    domain.auth_mode = "SSO"
    with pytest.raises(CloudError, match="are required when AuthMode of the Domain is SSO"):
        await contract.cloud.create_owner(DOMAIN_ID, profile(), TAGS)
    domain.auth_mode = "IAM"
    with pytest.raises(CloudError, match="only supported when AuthMode of the Domain is SSO"):
        await contract.cloud.create_owner(DOMAIN_ID, profile(sso_identity="carol@x"), TAGS)
    assert "carol" not in domain.profiles


async def test_a_space_without_an_owner_or_settings_sends_neither(contract: Contract) -> None:
    await contract.cloud.create_owner(DOMAIN_ID, space("free", None, app_type=None), ())
    row = (await contract.cloud.describe_owner(DOMAIN_ID, SPACE, "free")).row
    assert (row.owner_user, row.sharing, row.app_type) == ("", "", "")


async def test_listings_have_a_hundred_rows_a_page(contract: Contract) -> None:
    domain = contract.world.domains[DOMAIN_ID]
    for number in range(120):
        owner_operations.create_profile(contract.world, domain, f"u{number:03}", at_once=True)
    first = await contract.cloud.list_owners(DOMAIN_ID, USER)
    second = await contract.cloud.list_owners(DOMAIN_ID, USER, token=first.next_token)
    assert (len(first.rows), len(second.rows), second.next_token) == (100, 22, "")
    assert {row.kind for row in first.rows} == {USER}


async def test_a_name_that_is_taken_is_in_use(contract: Contract) -> None:
    with pytest.raises(errors.InUse):
        await contract.cloud.create_owner(DOMAIN_ID, profile("ALICE"), TAGS)
    with pytest.raises(errors.InUse):
        await contract.cloud.create_owner(DOMAIN_ID, space("alice-lab"), TAGS)


async def test_a_space_waits_for_its_profile(contract: Contract) -> None:
    await contract.cloud.create_owner(DOMAIN_ID, profile(), TAGS)
    with pytest.raises(errors.StorageNotReady):
        await contract.cloud.create_owner(DOMAIN_ID, space(owner="carol"), TAGS)


async def test_owners_with_something_in_them_are_not_deleted(contract: Contract) -> None:
    await contract.create(lab())
    with pytest.raises(errors.InUse):
        await contract.cloud.delete_owner(DOMAIN_ID, SPACE, "alice-lab")
    with pytest.raises(errors.InUse):
        await contract.cloud.delete_owner(DOMAIN_ID, USER, "alice")


async def test_a_delete_of_what_is_gone_is_already_gone(contract: Contract) -> None:
    with pytest.raises(errors.AlreadyGone):
        await contract.cloud.delete_owner(DOMAIN_ID, SPACE, "nobody")


async def test_the_quota_of_profiles_is_named(contract: Contract) -> None:
    contract.world.quotas.user_profiles = 2
    with pytest.raises(errors.QuotaExceeded) as caught:
        await contract.cloud.create_owner(DOMAIN_ID, profile(), TAGS)
    assert caught.value.facts.quota == "Maximum number of Studio user profiles allowed per account"


async def test_an_answer_without_an_arn_is_unknown(contract: Contract) -> None:
    contract.fault(FaultKind.EMPTY_AFTER, "CreateUserProfile")
    with pytest.raises(errors.OutcomeUnknown):
        await contract.cloud.create_owner(DOMAIN_ID, profile(), TAGS)
    assert "carol" in contract.world.domains[DOMAIN_ID].profiles
