"""STS: GetCallerIdentity and AssumeRole.

Who calls is a lane: the account that the credentials belong to, and the region that the request was signed for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.simulator.world.arns import partition
from engine.simulator.world.service_error import VALIDATION, ServiceError

if TYPE_CHECKING:
    from engine.core.identity import Lane
    from engine.simulator.world.world import World

SESSION_KEY_PREFIX: Final = "ASIASIMULATED"  # followed by the account of the role that was assumed
SESSION_SECONDS: Final = 3_600


def caller_arn(lane: Lane) -> str:
    """Return the ARN that GetCallerIdentity shows."""
    return f"arn:{partition(lane.region)}:sts::{lane.account}:assumed-role/simulated/appfleet"


def caller_identity(_world: World, lane: Lane, _params: dict[str, Any]) -> dict[str, Any]:
    """Answer GetCallerIdentity."""
    return {"Account": lane.account, "Arn": caller_arn(lane), "UserId": "AROASIMULATED:appfleet"}


def assume_role(world: World, lane: Lane, params: dict[str, Any]) -> dict[str, Any]:
    """Answer AssumeRole: any role of any account, with keys that name the account.

    A role with an external id is denied, in STS's words, to who sends another or none.
    """
    parts = params["RoleArn"].split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[4].isdigit():
        raise ServiceError(VALIDATION, f"{params['RoleArn']} is invalid")
    if world.external_ids.get(params["RoleArn"], params.get("ExternalId")) != params.get("ExternalId"):
        caller = caller_arn(lane)
        message = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {params['RoleArn']}"
        raise ServiceError("AccessDenied", message, 403)
    name = params["RoleArn"].rpartition("/")[2]
    session = params["RoleSessionName"]
    return {
        "Credentials": {
            "AccessKeyId": f"{SESSION_KEY_PREFIX}{parts[4]}",
            "SecretAccessKey": "key-of-the-simulated-role",
            "SessionToken": "token-of-the-simulated-role",
            "Expiration": world.now + params.get("DurationSeconds", SESSION_SECONDS),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROASIMULATED:{session}",
            "Arn": f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{name}/{session}",
        },
    }
