"""The calls about who may sign in of the in-memory face (`ports.identity_center.IdentityCenterCloud`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from engine.ports.identity_center import InstancePage, assignment_request, user_request
from engine.simulator.service.api import OPERATIONS
from engine.simulator.service.model import check_request
from engine.simulator.world.service_error import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.identity import Lane
    from engine.simulator.world.world import World

T = TypeVar("T")
_ASSIGNED_ALREADY: Final = "ConflictException"


class MemorySignIn:
    """What `MemoryCloud` answers about users and their assignment. The face itself says how a call is made."""

    world: World
    lane: Lane
    _check_requests: bool

    async def _owner_call(self, operation: str, domain_id: str, owner: str, act: Callable[[], T]) -> T:
        raise NotImplementedError  # pragma: no cover - the face has it

    async def application_arn(self, domain_id: str) -> str:
        """DescribeDomain."""
        answer = await self._of_center("DescribeDomain", {"DomainId": domain_id}, domain_id)
        return str(answer.get("SingleSignOnApplicationArn", ""))

    async def instances(self, *, token: str = "") -> InstancePage:
        """ListInstances."""
        answer = await self._of_center("ListInstances", {"NextToken": token} if token else {})
        stores = {row["InstanceArn"].rpartition("/")[2]: row["IdentityStoreId"] for row in answer["Instances"]}
        return InstancePage(stores, "")

    async def user_id(self, store: str, name: str) -> str:
        """GetUserId."""
        return str((await self._of_center("GetUserId", user_request(store, name)))["UserId"])

    async def assign_user(self, application_arn: str, user_id: str) -> None:
        """CreateApplicationAssignment; a user that is assigned already stays so."""
        await self._of_center("CreateApplicationAssignment", assignment_request(application_arn, user_id))

    async def _of_center(self, operation: str, params: dict[str, Any], domain_id: str = "") -> dict[str, Any]:
        service, handler = OPERATIONS[operation]

        def act() -> dict[str, Any]:
            if self._check_requests:
                check_request(service, operation, params)
            try:
                return handler(self.world, self.lane, params)
            except ServiceError as error:
                if error.code != _ASSIGNED_ALREADY:
                    raise
                return {}

        return await self._owner_call(operation, domain_id, "", act)
