"""The calls about who may sign in, over both faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.core.errors import AccessDenied, NotFound, OutcomeUnknown, Rejected
from engine.core.identity import Lane
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.identity_center import application_arn, instance_arn, store_id
from tests.contract.conftest import ACCOUNT, DOMAIN_ID, REGION, Contract

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LANE = Lane(ACCOUNT, REGION)
STORE = store_id(LANE)


@pytest.fixture
def center(contract: Contract) -> Contract:
    """Return a world whose domain signs people in through IAM Identity Center, with one user."""
    contract.world.domains[DOMAIN_ID].auth_mode = "SSO"
    contract.world.center.users = ["ana@x"]
    return contract


async def test_a_user_is_found_and_assigned_and_may_be_so_again(center: Contract) -> None:
    domain = center.world.domains[DOMAIN_ID]
    arn = await center.cloud.application_arn(DOMAIN_ID)
    assert arn == application_arn(domain)
    page = await center.cloud.instances()
    assert (dict(page.stores), page.next_token) == ({instance_arn(LANE).rpartition("/")[2]: STORE}, "")
    user = await center.cloud.user_id(STORE, "ana@x")
    for _ in range(2):
        await center.cloud.assign_user(arn, user)
    assert center.world.center.users_of(domain) == ["ana@x"]


async def test_a_domain_without_an_application_names_none(contract: Contract) -> None:
    assert await contract.cloud.application_arn(DOMAIN_ID) == ""


async def test_whoever_is_not_there_is_not_found(center: Contract) -> None:
    with pytest.raises(NotFound, match="USER not found"):
        await center.cloud.user_id(STORE, "bo@x")
    arn = await center.cloud.application_arn(DOMAIN_ID)
    with pytest.raises(NotFound, match="USER not found"):
        await center.cloud.assign_user(arn, "01234567-0123-0123-0123-0123456789ab")


async def test_what_the_model_forbids_is_rejected(center: Contract) -> None:
    with pytest.raises(Rejected, match="principalId"):
        await center.cloud.assign_user(await center.cloud.application_arn(DOMAIN_ID), "ana")


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("ListInstances", "sso:ListInstances"),
        ("GetUserId", "identitystore:GetUserId"),
        ("CreateApplicationAssignment", "sso:CreateApplicationAssignment"),
    ],
)
async def test_what_is_denied_names_the_action_to_allow(center: Contract, operation: str, action: str) -> None:
    arn = await center.cloud.application_arn(DOMAIN_ID)
    user = await center.cloud.user_id(STORE, "ana@x")
    center.fault(FaultKind.ERROR, operation, code="AccessDeniedException", message="No.")
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ListInstances": center.cloud.instances,
        "GetUserId": lambda: center.cloud.user_id(STORE, "ana@x"),
        "CreateApplicationAssignment": lambda: center.cloud.assign_user(arn, user),
    }
    with pytest.raises(AccessDenied) as caught:
        await calls[operation]()
    assert f"Allow {action} to the caller" in caught.value.hint


async def test_an_answer_without_an_id_is_no_user(center: Contract) -> None:
    center.fault(FaultKind.EMPTY_AFTER, "GetUserId")
    with pytest.raises(OutcomeUnknown):
        await center.cloud.user_id(STORE, "ana@x")
