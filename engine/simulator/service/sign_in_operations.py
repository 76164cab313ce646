"""IAM Identity Center of simulated accounts: ListInstances, GetUserId and CreateApplicationAssignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.core.iam import partition
from engine.simulator.world.identity_center import application_arn, instance_arn, store_id, user_id
from engine.simulator.world.service_error import VALIDATION, ServiceError

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.world import World

_NOT_FOUND: Final = "ResourceNotFoundException"
_PATH: Final = "userName"


def list_instances(world: World, lane: Lane, _params: dict[str, Any]) -> dict[str, Any]:
    """Answer ListInstances: one instance for each account and region."""
    instance = {
        "InstanceArn": instance_arn(lane),
        "IdentityStoreId": store_id(lane),
        "OwnerAccountId": lane.account,
        "CreatedDate": world.now,
        "Status": "ACTIVE",
    }
    return {"Instances": [instance]}


def get_user_id(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer GetUserId, by user name alone; a name that is spelled otherwise is another user."""
    unique = params["AlternateIdentifier"].get("UniqueAttribute")
    if unique is None or unique["AttributePath"] != _PATH or not isinstance(unique["AttributeValue"], str):
        raise ServiceError(VALIDATION, f"the simulator knows users by the unique attribute {_PATH} alone")
    user = unique["AttributeValue"]
    if params["IdentityStoreId"] != store_id(lane):
        raise ServiceError(_NOT_FOUND, f"IdentityStore not found. IdentityStoreId: {params['IdentityStoreId']}")
    if not world.center.has(user):
        raise ServiceError(_NOT_FOUND, "USER not found.")
    found = user_id(lane, user)
    world.center.known[found] = user
    arn = f"arn:{partition(lane.region)}:identitystore:::user/{found}"
    return {"UserId": found, "IdentityStoreId": store_id(lane), "UserArn": arn}


def create_assignment(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer CreateApplicationAssignment, of users whose ids GetUserId gave out."""
    wanted = params["ApplicationArn"]
    domains = (one for one in world.domains.values() if one.lane == lane and one.auth_mode == "SSO")
    if not any(application_arn(domain) == wanted for domain in domains):
        raise ServiceError(_NOT_FOUND, f"Application not found: {wanted}")
    if params["PrincipalType"] != "USER" or params["PrincipalId"] not in world.center.known:
        raise ServiceError(_NOT_FOUND, f"{params['PrincipalType']} not found: {params['PrincipalId']}")
    assigned = world.center.assigned.setdefault(wanted, [])
    if params["PrincipalId"] in assigned:
        raise ServiceError("ConflictException", "The assignment exists already.")
    assigned.append(params["PrincipalId"])
    return {}
