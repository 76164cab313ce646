"""What the engine asks of SageMaker about user profiles, spaces and domains; a part of `ports.cloud.Cloud`.

Here too: how a declared owner is written in the service's own words, which both implementations need. Like all of the
port, no method retries and none pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.core.desired import DesiredOwner, Tags
from engine.core.identity import USER, OwnerKind
from engine.core.owner_settings import declared_settings


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """One row of ListUserProfiles or ListSpaces. `created_at` is epoch seconds; `status` is the service's own word.

    The last five are of spaces alone, and empty where the service does not tell them; `ebs_gb` and `modified_at`, the
    size of the volume and epoch seconds, are 0 then.
    """

    kind: OwnerKind
    name: str
    status: str
    created_at: float
    owner_user: str = ""
    sharing: str = ""
    app_type: str = ""
    ebs_gb: int = 0
    modified_at: float = 0.0


@dataclass(frozen=True, slots=True)
class OwnerPage:
    """One answer of a listing. `next_token` is empty on the last page."""

    rows: tuple[OwnerRow, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class OwnerDetail:
    """What DescribeUserProfile and DescribeSpace add to a row.

    `settings` are UserSettings or SpaceSettings as the service words them, `sso_identity` a profile's user name in IAM
    Identity Center.
    """

    row: OwnerRow
    arn: str
    failure_reason: str
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sso_identity: str = ""


class OwnerCloud(Protocol):
    """The calls about owners. Each raises `CloudError` and nothing else."""

    async def list_owners(self, domain_id: str, kind: OwnerKind, *, token: str = "") -> OwnerPage:
        """ListUserProfiles or ListSpaces: up to 100 rows of a domain by CreationTime, oldest first."""
        ...

    async def describe_owner(self, domain_id: str, kind: OwnerKind, name: str) -> OwnerDetail:
        """DescribeUserProfile or DescribeSpace. Raises `NotFound` when the service has no record of it."""
        ...

    async def create_owner(self, domain_id: str, owner: DesiredOwner, tags: Tags) -> str:
        """CreateUserProfile or CreateSpace. Gives the ARN, never empty. `tags` holds all that are sent."""
        ...

    async def update_owner(self, domain_id: str, kind: OwnerKind, name: str, settings: Mapping[str, Any]) -> None:
        """UpdateUserProfile or UpdateSpace: these members of its settings become what is given."""
        ...

    async def delete_owner(self, domain_id: str, kind: OwnerKind, name: str) -> None:
        """DeleteUserProfile or DeleteSpace; a space's volume goes with it."""
        ...

    async def auth_mode(self, domain_id: str) -> str:
        """DescribeDomain: how people sign in, `IAM` or `SSO`."""
        ...

    async def domain_status(self, domain_id: str) -> str:
        """DescribeDomain: the service's own word for the state of a domain."""
        ...


def operation_of(verb: str, kind: OwnerKind) -> str:
    """Return the API's name of a call about one owner: `Create` and a space are `CreateSpace`."""
    return f"{verb}{'UserProfile' if kind == USER else 'Space'}"


def listing_of(kind: OwnerKind) -> str:
    """Return the API's name of the listing of a kind."""
    return f"{operation_of('List', kind)}s"


def create_request(domain_id: str, owner: DesiredOwner, tags: Tags) -> dict[str, Any]:
    """Return the request of CreateUserProfile or CreateSpace; what the fleet does not declare is not in it."""
    request: dict[str, Any] = {"DomainId": domain_id}
    if tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags]
    if owner.owner.kind == USER:
        request["UserProfileName"] = owner.owner.name
        if owner.sso_identity is not None:
            request["SingleSignOnUserIdentifier"] = "UserName"
            request["SingleSignOnUserValue"] = owner.sso_identity
        settings = declared_settings(owner)
        return {**request, "UserSettings": settings} if settings else request
    request["SpaceName"] = owner.owner.name
    if owner.owner_user is not None:  # the service takes the two together or neither
        request["OwnershipSettings"] = {"OwnerUserProfileName": owner.owner_user}
        request["SpaceSharingSettings"] = {"SharingType": owner.sharing}
    settings = declared_settings(owner)
    return {**request, "SpaceSettings": settings} if settings else request


def update_request(domain_id: str, kind: OwnerKind, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of UpdateUserProfile or UpdateSpace."""
    if kind == USER:
        return {"DomainId": domain_id, "UserProfileName": name, "UserSettings": dict(settings)}
    return {"DomainId": domain_id, "SpaceName": name, "SpaceSettings": dict(settings)}
