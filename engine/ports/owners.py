"""What the engine asks of SageMaker about user profiles, spaces and domains; a part of `ports.cloud.Cloud`.

Here too: how a declared owner is written in the service's own words, which both implementations need. Like all of the
port, no method retries and none pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from engine.core.desired import DesiredOwner, Tags
from engine.core.identity import USER, OwnerKind

# Where a space keeps the settings of an app type that can be shut down when idle.
_APP_SETTINGS: Final = {"JupyterLab": "JupyterLabAppSettings", "CodeEditor": "CodeEditorAppSettings"}


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
    """What DescribeUserProfile and DescribeSpace add to a row."""

    row: OwnerRow
    arn: str
    failure_reason: str


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
        settings = _user_settings(owner)
        return {**request, "UserSettings": settings} if settings else request
    request["SpaceName"] = owner.owner.name
    if owner.owner_user is not None:  # the service takes the two together or neither
        request["OwnershipSettings"] = {"OwnerUserProfileName": owner.owner_user}
        request["SpaceSharingSettings"] = {"SharingType": owner.sharing}
    settings = _space_settings(owner)
    return {**request, "SpaceSettings": settings} if settings else request


def _user_settings(owner: DesiredOwner) -> dict[str, Any]:
    settings = dict(owner.settings)
    if owner.execution_role is not None:
        settings["ExecutionRole"] = owner.execution_role
    return settings


def _space_settings(owner: DesiredOwner) -> dict[str, Any]:
    """Lay what has a key of its own in the fleet file over the settings that are passed through."""
    settings = dict(owner.settings)
    if owner.app_type is not None:
        settings["AppType"] = owner.app_type
    if owner.ebs_gb is not None:
        size = {"EbsStorageSettings": {"EbsVolumeSizeInGb": owner.ebs_gb}}
        settings = _laid_over(settings, {"SpaceStorageSettings": size})
    part = _APP_SETTINGS.get(owner.app_type or "")
    if owner.idle_minutes is not None and part is not None:
        idle = {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": owner.idle_minutes}}}
        settings = _laid_over(settings, {part: idle})
    return settings


def _laid_over(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """Merge two tables, and the tables in them; `high` wins."""
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
