"""The calls about user profiles, spaces and domains of the in-memory face (`ports.owners.OwnerCloud`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from engine.core.identity import USER
from engine.core.limits import LIST_PAGE_MAX_ROWS
from engine.ports.owners import OwnerDetail, OwnerPage, OwnerRow, create_request, listing_of, operation_of
from engine.simulator.service import app_operations as apps
from engine.simulator.service import owner_operations as owners
from engine.simulator.service import tag_operations as tagging
from engine.simulator.service.shapes import domain_details
from engine.simulator.world.listing import read_token, write_token
from engine.simulator.world.records import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.core.desired import DesiredOwner, Tags
    from engine.core.identity import OwnerKind
    from engine.simulator.world.listing import CreationIndex
    from engine.simulator.world.records import Domain, Profile
    from engine.simulator.world.world import World

T = TypeVar("T")


class MemoryOwners:
    """What `MemoryCloud` answers about owners. The face itself says how a call is made, and whether it is checked."""

    world: World
    account: str
    region: str

    async def _owner_call(self, operation: str, domain_id: str, owner: str, act: Callable[[], T]) -> T:
        raise NotImplementedError  # pragma: no cover - the face has it

    def _check(self, operation: str, params: Mapping[str, object]) -> None:
        raise NotImplementedError  # pragma: no cover - the face has it

    async def list_owners(self, domain_id: str, kind: OwnerKind, *, token: str = "") -> OwnerPage:
        """ListUserProfiles or ListSpaces, oldest first."""
        operation = listing_of(kind)

        def act() -> OwnerPage:
            params: dict[str, object] = {"DomainIdEquals": domain_id, "MaxResults": LIST_PAGE_MAX_ROWS}
            self._check(operation, params | ({"NextToken": token} if token else {}))
            self._domain(domain_id)
            listing = f"{operation}:{domain_id}"
            index: CreationIndex[Any] = (
                self.world.profiles_by_domain[domain_id] if kind == USER else self.world.spaces_by_domain[domain_id]
            )
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
            return OwnerDetail(_row(found), found.arn, "")

        return await self._owner_call(operation, domain_id, name, act)

    async def create_owner(self, domain_id: str, owner: DesiredOwner, tags: Tags) -> str:
        """CreateUserProfile or CreateSpace."""
        kind, name = owner.owner.kind, owner.owner.name
        operation = operation_of("Create", kind)

        def act() -> str:
            request = create_request(domain_id, owner, tags)
            self._check(operation, request)
            return self._create(self._domain(domain_id), kind, name, request)

        return await self._owner_call(operation, domain_id, name, act)

    async def delete_owner(self, domain_id: str, kind: OwnerKind, name: str) -> None:
        """DeleteUserProfile or DeleteSpace."""
        operation = operation_of("Delete", kind)

        def act() -> None:
            self._check(operation, _named(domain_id, kind, name))
            delete = owners.delete_profile if kind == USER else owners.delete_space
            delete(self.world, self._domain(domain_id), name)

        await self._owner_call(operation, domain_id, name, act)

    async def auth_mode(self, domain_id: str) -> str:
        """DescribeDomain."""

        def act() -> str:
            self._check("DescribeDomain", {"DomainId": domain_id})
            return self._domain(domain_id).auth_mode

        return await self._owner_call("DescribeDomain", domain_id, "", act)

    async def domain_status(self, domain_id: str) -> str:
        """DescribeDomain."""

        def act() -> str:
            self._check("DescribeDomain", {"DomainId": domain_id})
            return str(domain_details(self._domain(domain_id))["Status"])

        return await self._owner_call("DescribeDomain", domain_id, "", act)

    def _create(self, domain: Domain, kind: OwnerKind, name: str, request: Mapping[str, Any]) -> str:
        tags = tagging.checked_tags(request.get("Tags"))
        if kind == USER:
            sso = (request.get("SingleSignOnUserIdentifier", ""), request.get("SingleSignOnUserValue", ""))
            settings = request.get("UserSettings")
            return owners.create_profile(self.world, domain, name, settings=settings, tags=tags, sso=sso).arn
        return owners.create_space(
            self.world,
            domain,
            name,
            owner=request.get("OwnershipSettings", {}).get("OwnerUserProfileName", ""),
            sharing=request.get("SpaceSharingSettings", {}).get("SharingType", ""),
            settings=request.get("SpaceSettings"),
            tags=tags,
        ).arn

    def _domain(self, domain_id: str) -> Domain:
        return apps.find_domain(self.world, self.account, self.region, domain_id)


def _named(domain_id: str, kind: OwnerKind, name: str) -> dict[str, object]:
    return {"DomainId": domain_id, ("UserProfileName" if kind == USER else "SpaceName"): name}


def _find(domain: Domain, kind: OwnerKind, name: str) -> Profile | Space:
    return owners.find_profile(domain, name) if kind == USER else owners.find_space(domain, name)


def _row(owner: Profile | Space) -> OwnerRow:
    if isinstance(owner, Space):
        return OwnerRow("space", owner.name, owner.status, owner.created_at, owner.owner, owner.sharing, owner.app_type)
    return OwnerRow("user", owner.name, owner.status, owner.created_at)
