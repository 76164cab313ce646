"""`ports.owners.OwnerCloud` over aioboto3: user profiles, spaces, and how people sign in to a domain.

Answers are checked field by field, as those about apps are.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NotRequired, TypedDict

from engine.adapters.aws.calls import (
    AwsCalls,
    Send,
    creation_time,
    failure_reason,
    inner,
    optional_text,
    optional_time,
    required_text,
    rows_of,
)
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.arns import names_owner
from engine.core.desired import DesiredOwner, Tags
from engine.core.identity import USER, OwnerKind
from engine.core.limits import LIST_PAGE_MAX_ROWS
from engine.ports.owners import (
    OwnerDetail,
    OwnerPage,
    OwnerRow,
    create_request,
    listing_of,
    operation_of,
    update_request,
)


class _Listing(TypedDict):
    """What ListUserProfiles and ListSpaces have in common."""

    DomainIdEquals: str
    MaxResults: int
    SortBy: Literal["CreationTime"]
    SortOrder: Literal["Ascending"]
    NextToken: NotRequired[str]


class OwnerCalls(AwsCalls):
    """The calls about owners of one set of credentials in one region."""

    async def list_owners(self, domain_id: str, kind: OwnerKind, *, token: str = "") -> OwnerPage:
        """ListUserProfiles or ListSpaces: up to 100 rows by CreationTime, oldest first."""
        params: _Listing = {
            "DomainIdEquals": domain_id,
            "MaxResults": LIST_PAGE_MAX_ROWS,
            "SortBy": "CreationTime",
            "SortOrder": "Ascending",
        }
        if token:
            params["NextToken"] = token
        client = self._sagemaker
        send: Send = partial(client.list_spaces, **params)
        if kind == USER:
            send = partial(client.list_user_profiles, **params)
        return await self._ask(listing_of(kind), send, _page, domain_id, kind)

    async def describe_owner(self, domain_id: str, kind: OwnerKind, name: str) -> OwnerDetail:
        """DescribeUserProfile or DescribeSpace."""
        operation, client = operation_of("Describe", kind), self._sagemaker
        send: Send = partial(client.describe_space, DomainId=domain_id, SpaceName=name)
        if kind == USER:
            send = partial(client.describe_user_profile, DomainId=domain_id, UserProfileName=name)
        return await self._ask(operation, send, self._owner_detail, domain_id, kind, name)

    async def create_owner(self, domain_id: str, owner: DesiredOwner, tags: Tags) -> str:
        """CreateUserProfile or CreateSpace. Gives the ARN, never empty: an answer without one is OutcomeUnknown."""
        kind, client = owner.owner.kind, self._sagemaker
        operation = operation_of("Create", kind)
        method = client.create_user_profile if kind == USER else client.create_space
        send = partial(method, **create_request(domain_id, owner, tags))
        return await self._ask(operation, send, required_text, _arn_member(kind))

    async def update_owner(self, domain_id: str, kind: OwnerKind, name: str, settings: Mapping[str, Any]) -> None:
        """UpdateUserProfile or UpdateSpace."""
        client = self._sagemaker
        method = client.update_user_profile if kind == USER else client.update_space
        await self._call(
            operation_of("Update", kind), partial(method, **update_request(domain_id, kind, name, settings))
        )

    async def delete_owner(self, domain_id: str, kind: OwnerKind, name: str) -> None:
        """DeleteUserProfile or DeleteSpace."""
        client = self._sagemaker
        send: Send = partial(client.delete_space, DomainId=domain_id, SpaceName=name)
        if kind == USER:
            send = partial(client.delete_user_profile, DomainId=domain_id, UserProfileName=name)
        await self._call(operation_of("Delete", kind), send)

    async def auth_mode(self, domain_id: str) -> str:
        """DescribeDomain: IAM or SSO."""
        return await self._describe_domain(domain_id, "AuthMode")

    async def domain_status(self, domain_id: str) -> str:
        """DescribeDomain: the state of a domain."""
        return await self._describe_domain(domain_id, "Status")

    async def _describe_domain(self, domain_id: str, name: str) -> str:
        send = partial(self._sagemaker.describe_domain, DomainId=domain_id)
        return await self._ask("DescribeDomain", send, required_text, name)

    def _owner_detail(self, answer: Any, domain_id: str, kind: OwnerKind, name: str) -> OwnerDetail:
        row = _row(answer, domain_id, kind, "")
        if row.name.casefold() != name.casefold():  # the service takes a profile's name in any case
            raise UnreadableAnswerError("the answer is of another owner")
        settings = inner(answer, "UserSettings" if kind == USER else "SpaceSettings")
        identity = optional_text(answer, "SingleSignOnUserValue") or ""
        return OwnerDetail(row, _owner_arn(answer, domain_id, kind, name), failure_reason(answer), settings, identity)


def _name_member(kind: OwnerKind) -> str:
    return "UserProfileName" if kind == USER else "SpaceName"


def _arn_member(kind: OwnerKind) -> str:
    return "UserProfileArn" if kind == USER else "SpaceArn"


def _owner_arn(answer: Any, domain_id: str, kind: OwnerKind, name: str) -> str:
    """Read the ARN of the owner that was asked for: its tag decides whether it may be deleted."""
    arn = required_text(answer, _arn_member(kind))
    if not names_owner(arn, domain_id, kind, name):
        raise UnreadableAnswerError(f"{_arn_member(kind)} is of another owner")
    return arn


def _page(answer: Any, domain_id: str, kind: OwnerKind) -> OwnerPage:
    member = "UserProfiles" if kind == USER else "Spaces"
    rows = rows_of(answer, member)
    token = optional_text(answer, "NextToken") or ""
    return OwnerPage(tuple(_row(row, domain_id, kind, "Summary") for row in rows), token)


def _row(row: Any, domain_id: str, kind: OwnerKind, suffix: str) -> OwnerRow:
    """Read one owner; a listing calls a space's settings by the names that a description uses and a `suffix`."""
    created_at = creation_time(row, domain_id)
    name, status = required_text(row, _name_member(kind)), required_text(row, "Status")
    if kind == USER:
        return OwnerRow(kind, name, status, created_at)
    return OwnerRow(
        kind,
        name,
        status,
        created_at,
        owner_user=optional_text(inner(row, f"OwnershipSettings{suffix}"), "OwnerUserProfileName") or "",
        sharing=optional_text(inner(row, f"SpaceSharingSettings{suffix}"), "SharingType") or "",
        app_type=optional_text(inner(row, f"SpaceSettings{suffix}"), "AppType") or "",
        ebs_gb=_ebs_gb(inner(row, f"SpaceSettings{suffix}")),
        modified_at=optional_time(row, "LastModifiedTime"),
    )


def _ebs_gb(settings: Any) -> int:
    """Read the size of a space's volume; 0 where it has none."""
    size = inner(inner(settings, "SpaceStorageSettings"), "EbsStorageSettings").get("EbsVolumeSizeInGb")
    if size is None:
        return 0
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise UnreadableAnswerError("EbsVolumeSizeInGb is not a size")
    return size
