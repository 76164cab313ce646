"""The calls about user profiles, spaces and domains of the in-memory face (`ports.owners.OwnerCloud`)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from engine.core.identity import USER
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
from engine.simulator.service import owner_operations as owners
from engine.simulator.service import shapes
from engine.simulator.service.api import OPERATIONS
from engine.simulator.service.app_operations import find_domain
from engine.simulator.world.listing import read_token, write_token
from engine.simulator.world.records import Profile, Space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.desired import DesiredOwner, Tags
    from engine.core.identity import Lane, OwnerKind
    from engine.simulator.world.records import Domain
    from engine.simulator.world.world import World

T = TypeVar("T")


class MemoryOwners:
    """What `MemoryCloud` answers about owners. The face itself says how a call is made, and whether it is checked."""

    world: World
    lane: Lane

    async def _owner_call(self, operation: str, domain_id: str, owner: str, act: Callable[[], T]) -> T:
        raise NotImplementedError  # pragma: no cover - the face has it

    def _check(self, operation: str, params: Mapping[str, object]) -> None:
        raise NotImplementedError  # pragma: no cover - the face has it

    def _answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the service answers to a request, once it is checked."""
        self._check(operation, params)
        return OPERATIONS[operation][1](self.world, self.lane, params)

    async def list_owners(self, domain_id: str, kind: OwnerKind, *, token: str = "") -> OwnerPage:
        """ListUserProfiles or ListSpaces, oldest first."""
        operation = listing_of(kind)

        def act() -> OwnerPage:
            params: dict[str, object] = {"DomainIdEquals": domain_id, "MaxResults": LIST_PAGE_MAX_ROWS}
            self._check(operation, params | ({"NextToken": token} if token else {}))
            self._domain(domain_id)
            listing = f"{operation}:{domain_id}"
            index = self.world.owners_by_domain[domain_id, Profile if kind == USER else Space]
            after = read_token(listing, token)
            found, place = index.page(after, LIST_PAGE_MAX_ROWS, descending=False)
            return OwnerPage(tuple(map(_row, found)), write_token(listing, place) or "")

        return await self._owner_call(operation, domain_id, "", act)

    async def describe_owner(self, domain_id: str, kind: OwnerKind, name: str) -> OwnerDetail:
        """DescribeUserProfile or DescribeSpace."""
        operation = operation_of("Describe", kind)

        def act() -> OwnerDetail:
            self._check(operation, _named(domain_id, kind, name))
            found = _find(self._domain(domain_id), kind, name)
            return detail_of(found)

        return await self._owner_call(operation, domain_id, name, act)

    async def create_owner(self, domain_id: str, owner: DesiredOwner, tags: Tags) -> str:
        """CreateUserProfile or CreateSpace."""
        kind, name = owner.owner.kind, owner.owner.name
        operation = operation_of("Create", kind)

        def act() -> str:
            answer = self._answer(operation, dict(create_request(domain_id, owner, tags)))
            return str(answer["UserProfileArn" if kind == USER else "SpaceArn"])

        return await self._owner_call(operation, domain_id, name, act)

    async def update_owner(self, domain_id: str, kind: OwnerKind, name: str, settings: Mapping[str, Any]) -> None:
        """UpdateUserProfile or UpdateSpace."""
        operation = operation_of("Update", kind)

        def act() -> None:
            self._answer(operation, update_request(domain_id, kind, name, settings))

        await self._owner_call(operation, domain_id, name, act)

    async def delete_owner(self, domain_id: str, kind: OwnerKind, name: str) -> None:
        """DeleteUserProfile or DeleteSpace."""
        operation = operation_of("Delete", kind)

        def act() -> None:
            self._answer(operation, _named(domain_id, kind, name))

        await self._owner_call(operation, domain_id, name, act)

    async def auth_mode(self, domain_id: str) -> str:
        """DescribeDomain."""
        return await self._of_domain(domain_id, "AuthMode")

    async def domain_status(self, domain_id: str) -> str:
        """DescribeDomain."""
        return await self._of_domain(domain_id, "Status")

    async def _of_domain(self, domain_id: str, member: str) -> str:
        def act() -> str:
            return str(self._answer("DescribeDomain", {"DomainId": domain_id})[member])

        return await self._owner_call("DescribeDomain", domain_id, "", act)

    def _domain(self, domain_id: str) -> Domain:
        return find_domain(self.world, self.lane, domain_id)


def _named(domain_id: str, kind: OwnerKind, name: str) -> dict[str, Any]:
    return {"DomainId": domain_id, ("UserProfileName" if kind == USER else "SpaceName"): name}


def _find(domain: Domain, kind: OwnerKind, name: str) -> Profile | Space:
    return owners.find_profile(domain, name) if kind == USER else owners.find_space(domain, name)


def _row(owner: Profile | Space) -> OwnerRow:
    if isinstance(owner, Profile):
        return OwnerRow("user", owner.name, owner.status, owner.created_at)
    return OwnerRow(
        "space",
        owner.name,
        owner.status,
        owner.created_at,
        owner.owner,
        owner.sharing,
        owner.app_type,
        owner.ebs_gb,
        owner.modified_at,
    )


def detail_of(owner: Profile | Space) -> OwnerDetail:
    """Return the answer of DescribeUserProfile or DescribeSpace."""
    if isinstance(owner, Profile):
        settings = shapes.profile_description(owner).get("UserSettings", {})
        return OwnerDetail(_row(owner), owner.arn, owner.failure_reason, deepcopy(settings), owner.sso_value)
    settings = shapes.space_description(owner)["SpaceSettings"]
    return OwnerDetail(_row(owner), owner.arn, owner.failure_reason, deepcopy(settings))
