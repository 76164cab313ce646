"""`ports.ingredients.IngredientCloud` over aioboto3. Answers are checked field by field, as those about apps are."""

from __future__ import annotations

from functools import partial
from typing import Any

from engine.adapters.aws.calls import failure_reason, inner, required_text
from engine.adapters.aws.identity_center import IdentityCenterCalls
from engine.ports.ingredients import DomainDefaults, ImageState, version_request


class IngredientCalls(IdentityCenterCalls):
    """The calls about what apps are made from, of one set of credentials in one region."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._iam: Any = None

    async def image(self, name: str) -> ImageState:
        """DescribeImage."""
        send = partial(self._sagemaker.describe_image, ImageName=name)
        return await self._ask("DescribeImage", send, _state, "ImageStatus")

    async def image_version(self, name: str, version: int | None, alias: str) -> ImageState:
        """DescribeImageVersion, by number or by alias."""
        send = partial(self._sagemaker.describe_image_version, **version_request(name, version, alias))
        return await self._ask("DescribeImageVersion", send, _state, "ImageVersionStatus")

    async def lifecycle_config(self, name: str) -> str:
        """DescribeStudioLifecycleConfig: the app type that it is for."""
        send = partial(self._sagemaker.describe_studio_lifecycle_config, StudioLifecycleConfigName=name)
        return await self._ask("DescribeStudioLifecycleConfig", send, required_text, "StudioLifecycleConfigAppType")

    async def domain_defaults(self, domain_id: str) -> DomainDefaults:
        """DescribeDomain: the default settings."""
        send = partial(self._sagemaker.describe_domain, DomainId=domain_id)
        return await self._ask("DescribeDomain", send, _defaults)

    async def role(self, name: str) -> str:
        """GetRole: the ARN."""
        if self._iam is None:
            self._iam = await self._open_beside("iam", "GetRole")
        return await self._ask("GetRole", partial(self._iam.get_role, RoleName=name), _role)


def _state(answer: Any, name: str) -> ImageState:
    return ImageState(required_text(answer, name), failure_reason(answer))


def _defaults(answer: Any) -> DomainDefaults:
    return DomainDefaults(inner(answer, "DefaultUserSettings"), inner(answer, "DefaultSpaceSettings"))


def _role(answer: Any) -> str:
    return required_text(inner(answer, "Role"), "Arn")
