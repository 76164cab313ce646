"""The calls about what apps are made from of the in-memory face (`ports.ingredients.IngredientCloud`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from engine.ports.ingredients import DomainDefaults, ImageState, version_request
from engine.simulator.service.api import OPERATIONS
from engine.simulator.service.model import check_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.identity import Lane
    from engine.simulator.world.world import World

T = TypeVar("T")


class MemoryIngredients:
    """What `MemoryCloud` answers about images, lifecycle configurations and roles."""

    world: World
    lane: Lane
    _check_requests: bool

    async def _owner_call(self, operation: str, domain_id: str, owner: str, act: Callable[[], T]) -> T:
        raise NotImplementedError  # pragma: no cover - the face has it

    async def image(self, name: str) -> ImageState:
        """DescribeImage."""
        answer = await self._described("DescribeImage", {"ImageName": name})
        return ImageState(answer["ImageStatus"], answer.get("FailureReason", ""))

    async def image_version(self, name: str, version: int | None, alias: str) -> ImageState:
        """DescribeImageVersion."""
        answer = await self._described("DescribeImageVersion", version_request(name, version, alias))
        return ImageState(answer["ImageVersionStatus"])

    async def lifecycle_config(self, name: str) -> str:
        """DescribeStudioLifecycleConfig."""
        answer = await self._described("DescribeStudioLifecycleConfig", {"StudioLifecycleConfigName": name})
        return str(answer["StudioLifecycleConfigAppType"])

    async def domain_defaults(self, domain_id: str) -> DomainDefaults:
        """DescribeDomain."""
        answer = await self._described("DescribeDomain", {"DomainId": domain_id}, domain_id)
        return DomainDefaults(answer.get("DefaultUserSettings", {}), answer.get("DefaultSpaceSettings", {}))

    async def role(self, name: str) -> str:
        """GetRole."""
        return str((await self._described("GetRole", {"RoleName": name}))["Role"]["Arn"])

    async def _described(self, operation: str, params: dict[str, Any], domain_id: str = "") -> dict[str, Any]:
        service, handler = OPERATIONS[operation]

        def act() -> dict[str, Any]:
            if self._check_requests:
                check_request(service, operation, params)
            return handler(self.world, self.lane, params)

        return await self._owner_call(operation, domain_id, "", act)
