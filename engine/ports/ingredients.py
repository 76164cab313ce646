"""What apps are made from: images, lifecycle configurations, execution roles, and what a domain attaches.

Each method is one call on the wire and raises `CloudError` alone: `NotFound` for what does not exist. Names are those
at the end of an ARN: the service looks in the own account and region of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class ImageState(NamedTuple):
    """How an image or a version of one is: the service's own word, and why it failed."""

    status: str
    reason: str = ""


class DomainDefaults(NamedTuple):
    """The default settings of a domain, as the API has them: of its user profiles, and of its shared spaces."""

    user: Mapping[str, Any]
    space: Mapping[str, Any]


class IngredientCloud(Protocol):
    """The calls about what apps are made from."""

    async def image(self, name: str) -> ImageState:
        """DescribeImage."""
        ...

    async def image_version(self, name: str, version: int | None, alias: str) -> ImageState:
        """DescribeImageVersion, by number or by alias."""
        ...

    async def lifecycle_config(self, name: str) -> str:
        """DescribeStudioLifecycleConfig. Gives the app type that it is for."""
        ...

    async def domain_defaults(self, domain_id: str) -> DomainDefaults:
        """DescribeDomain."""
        ...

    async def role(self, name: str) -> str:
        """GetRole. Gives the ARN."""
        ...


def version_request(name: str, version: int | None, alias: str) -> dict[str, Any]:
    """Return the request of DescribeImageVersion, which both implementations need."""
    return {"ImageName": name, **({"Version": version} if version is not None else {"Alias": alias})}
