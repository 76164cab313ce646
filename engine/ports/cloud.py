"""What the engine asks of SageMaker, for one (profile, role, region): each method is one call on the wire.

Two implementations exist: `adapters.sagemaker` over aioboto3, and the simulator's in-memory face. Both pass the
contract suite. Every method raises `CloudError` and nothing else; none retries, none pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from engine.core.activity import NOT_READ, Activity
from engine.core.desired import AppSpec, Tags
from engine.core.identity import AppKey, OwnerKind
from engine.core.limits import LIST_PAGE_MAX_ROWS
from engine.core.reserved import TrainingPlan
from engine.ports.identity_center import IdentityCenterCloud
from engine.ports.ingredients import IngredientCloud
from engine.ports.owners import OwnerCloud


@dataclass(frozen=True, slots=True)
class AppName:
    """An app as the service names it: by the domain's id, not by the fleet's word for the domain."""

    domain_id: str
    owner_kind: OwnerKind
    owner: str
    app_type: str
    app_name: str


def app_name(domain_id: str, key: AppKey) -> AppName:
    """Return the service's name of an app in the domain of that id."""
    return AppName(domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)


@dataclass(frozen=True, slots=True)
class AppRow:
    """One row of ListApps. `created_at` is epoch seconds; `status` is the service's own word."""

    owner_kind: OwnerKind
    owner: str
    app_type: str
    app_name: str
    status: str
    created_at: float
    spec: AppSpec


@dataclass(frozen=True, slots=True)
class AppPage:
    """One answer of ListApps. `next_token` is empty on the last page."""

    rows: tuple[AppRow, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class AppDetail:
    """What DescribeApp adds to a row."""

    row: AppRow
    arn: str
    failure_reason: str
    activity: Activity = NOT_READ


@dataclass(frozen=True, slots=True)
class TaggedPage:
    """One answer of GetResources: the values of one tag by ARN. `next_token` is empty on the last page."""

    values: tuple[tuple[str, str], ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the credentials belong to. `arn` names the role or user."""

    account: str
    arn: str


def tagged_request(key: str, kinds: tuple[str, ...], token: str) -> dict[str, Any]:
    """Return the request of GetResources, which both implementations need."""
    request: dict[str, Any] = {
        "TagFilters": [{"Key": key}],
        "ResourceTypeFilters": [f"sagemaker:{kind}" for kind in kinds],
        "ResourcesPerPage": LIST_PAGE_MAX_ROWS,
    }
    return {**request, "PaginationToken": token} if token else request


class Cloud(OwnerCloud, IdentityCenterCloud, IngredientCloud, Protocol):
    """One set of credentials in one region."""

    @property
    def endpoint(self) -> str:
        """The endpoint's URL when it is not AWS's own, else empty."""
        ...

    async def caller(self) -> Caller:
        """GetCallerIdentity."""
        ...

    async def list_apps(
        self, domain_id: str, *, owner_kind: OwnerKind | None = None, owner: str = "", token: str = ""
    ) -> AppPage:
        """ListApps: up to 100 rows by CreationTime, oldest first, of a domain or of one owner in it."""
        ...

    async def create_app(self, app: AppName, spec: AppSpec, tags: Tags) -> str:
        """CreateApp. Gives the ARN, never empty: an answer without one is `OutcomeUnknown`.

        `spec` names what to send (its own `tags` are left aside for `tags`, which holds all of them).
        """
        ...

    async def delete_app(self, app: AppName) -> None:
        """DeleteApp."""
        ...

    async def describe_app(self, app: AppName) -> AppDetail:
        """DescribeApp. Raises `NotFound` when the service has no record of it."""
        ...

    async def training_plan(self, arn: str) -> TrainingPlan:
        """DescribeTrainingPlan, by the name in the ARN. Raises `NotFound` when there is no such plan."""
        ...

    async def list_tags(self, arn: str) -> Tags:
        """ListTags of one resource, all pages of it, sorted by key."""
        ...

    async def add_tags(self, arn: str, tags: Tags) -> None:
        """AddTags to one resource; a key that it has already gets the new value."""
        ...

    async def tagged_resources(self, key: str, kinds: tuple[str, ...], *, token: str = "") -> TaggedPage:
        """GetResources: up to 100 of the account's SageMaker resources in the region that carry a tag of this key.

        `kinds` are resource types as their ARNs name them (`app`, `user-profile`, `space`, `domain`). The index of tags
        lags behind the resources.
        """
        ...
