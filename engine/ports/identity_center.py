"""What the engine asks of IAM Identity Center for the people whose profiles it makes; a part of `ports.cloud.Cloud`.

Like all of the port, no method retries and none pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class InstancePage:
    """One answer of ListInstances: identity stores by the name of their instance. `next_token` is empty on the last."""

    stores: Mapping[str, str]
    next_token: str


def user_request(store: str, name: str) -> dict[str, Any]:
    """Return the request of GetUserId for a user name, which both implementations need."""
    unique = {"AttributePath": "userName", "AttributeValue": name}
    return {"IdentityStoreId": store, "AlternateIdentifier": {"UniqueAttribute": unique}}


def assignment_request(application_arn: str, user_id: str) -> dict[str, Any]:
    """Return the request of CreateApplicationAssignment for a user, which both implementations need."""
    return {"ApplicationArn": application_arn, "PrincipalId": user_id, "PrincipalType": "USER"}


class IdentityCenterCloud(Protocol):
    """The calls about who may sign in. Each raises `CloudError` and nothing else."""

    async def application_arn(self, domain_id: str) -> str:
        """DescribeDomain: the domain's application in IAM Identity Center; empty where the service names none."""
        ...

    async def instances(self, *, token: str = "") -> InstancePage:
        """ListInstances: the instances of IAM Identity Center that the caller can see."""
        ...

    async def user_id(self, store: str, name: str) -> str:
        """GetUserId: the id of a user by name. Raises `NotFound` when the identity store has no such user."""
        ...

    async def assign_user(self, application_arn: str, user_id: str) -> None:
        """CreateApplicationAssignment; a user that is assigned already stays so."""
        ...
