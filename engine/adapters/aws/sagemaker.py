"""`ports.cloud.Cloud` over aioboto3: one method a call, each checked field by field when its answer comes in.

An answer that lacks what was asked for is never an empty success: it is OutcomeUnknown. Fields that we do not know are
left aside, and a status that we do not know passes through as it is.

Not here: credentials and clients (`sessions`), owners (`sagemaker_owners`), assignment (`identity_center`), what apps
are made from (`ingredients`), retries, pages of ListApps (`executor`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from engine.adapters.aws.calls import (
    creation_time,
    failure_reason,
    optional_text,
    optional_time,
    required_text,
    rows_of,
)
from engine.adapters.aws.ingredients import IngredientCalls
from engine.adapters.aws.sagemaker_owners import OwnerCalls
from engine.adapters.aws.training_plans import training_plan
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.activity import Activity
from engine.core.arns import names_app
from engine.core.desired import AppSpec
from engine.core.errors import Rejected, ScanIncomplete
from engine.core.identity import SPACE, USER, OwnerKind
from engine.core.limits import LIST_PAGE_MAX_ROWS, TAG_PAGES_MAX_COUNT
from engine.core.training_plans import plan_arn
from engine.ports.cloud import AppDetail, AppName, AppPage, AppRow, Caller, TaggedPage, tagged_request
from engine.service_models.model_file import USERS_FIRST

if TYPE_CHECKING:
    from types_aiobotocore_sagemaker.literals import AppInstanceTypeType, AppTypeType
    from types_aiobotocore_sagemaker.type_defs import (
        CreateAppRequestTypeDef,
        DescribeAppRequestTypeDef,
        ListAppsRequestTypeDef,
        ListTagsInputTypeDef,
        TagTypeDef,
    )

    from engine.adapters.aws.newer_fields import ResourceSpec
    from engine.core.desired import Tags
    from engine.core.reserved import TrainingPlan


class SageMakerCloud(OwnerCalls, IngredientCalls):
    """One set of credentials in one region. `Clouds.connect` makes it; it is used until `Clouds` is left.

    `known_caller` is who they are of, where STS said so as it gave them out. Clouds of equal `asks_as` have the same
    answer to `caller`.
    """

    def __init__(self, *, known_caller: Caller | None = None, asks_as: object = None, **more: Any) -> None:
        super().__init__(**more)
        self.known_caller = known_caller
        self.asks_as = asks_as
        self._tagging: Any = None

    @property
    def endpoint(self) -> str:
        """The endpoint's URL when it is not AWS's own, else empty."""
        return self._endpoint

    @property
    def sts_endpoint(self) -> str:
        """The URL that `caller` asks."""
        url: str = self._sts.meta.endpoint_url
        return url

    async def caller(self) -> Caller:
        """GetCallerIdentity, where it is not known who this is."""
        if self.known_caller is not None:
            return self.known_caller
        return await self._ask("GetCallerIdentity", self._sts.get_caller_identity, _caller)

    async def list_apps(
        self, domain_id: str, *, owner_kind: OwnerKind | None = None, owner: str = "", token: str = ""
    ) -> AppPage:
        """ListApps: up to 100 rows by CreationTime, oldest first, of a domain or of one owner in it."""
        params: ListAppsRequestTypeDef = {
            "DomainIdEquals": domain_id,
            "MaxResults": LIST_PAGE_MAX_ROWS,
            "SortBy": "CreationTime",
            "SortOrder": "Ascending",
        }
        if owner_kind == SPACE:
            params["SpaceNameEquals"] = owner
        elif owner_kind == USER:
            params["UserProfileNameEquals"] = owner
        if token:
            params["NextToken"] = token
        send = partial(self._sagemaker.list_apps, **params)
        return await self._ask("ListApps", send, _page, domain_id, owner_kind, owner)

    async def create_app(self, app: AppName, spec: AppSpec, tags: Tags) -> str:
        """CreateApp. Gives the ARN, never empty: an answer without one is OutcomeUnknown."""
        params = cast("CreateAppRequestTypeDef", _named(app))
        if tags:
            params["Tags"] = _pairs(tags)
        if resource := _resource_spec(spec):
            params["ResourceSpec"] = resource
        if spec.recovery_mode is not None:
            params["RecoveryMode"] = spec.recovery_mode
        return await self._ask("CreateApp", partial(self._sagemaker.create_app, **params), required_text, "AppArn")

    async def delete_app(self, app: AppName) -> None:
        """DeleteApp."""
        await self._call("DeleteApp", partial(self._sagemaker.delete_app, **_named(app)))

    async def describe_app(self, app: AppName) -> AppDetail:
        """DescribeApp. Raises NotFound when the service has no record of it."""
        return await self._ask("DescribeApp", partial(self._sagemaker.describe_app, **_named(app)), self._detail, app)

    async def training_plan(self, arn: str) -> TrainingPlan:
        """DescribeTrainingPlan, by the name in the ARN. Raises NotFound when there is no such plan."""
        named = plan_arn(arn)
        if not hasattr(self._sagemaker, "describe_training_plan"):
            raise Rejected(
                "Cannot send DescribeTrainingPlan: the service model that is in use is older than training plans",
                hint=f"Replace or remove the older model of SageMaker: {USERS_FIRST}",
                operation="DescribeTrainingPlan",
            )
        send = partial(self._sagemaker.describe_training_plan, TrainingPlanName="" if named is None else named.name)
        return await self._ask("DescribeTrainingPlan", send, training_plan, arn)

    async def list_tags(self, arn: str) -> Tags:
        """ListTags of one resource, all pages of it, sorted by key."""
        tags: dict[str, str] = {}
        params: ListTagsInputTypeDef = {"ResourceArn": arn}
        for _ in range(TAG_PAGES_MAX_COUNT):
            page, token = await self._ask("ListTags", partial(self._sagemaker.list_tags, **params), _tags)
            tags.update(page)
            if not token:
                return tuple(sorted(tags.items()))
            params = {"ResourceArn": arn, "NextToken": token}
        raise ScanIncomplete(
            f"ListTags of {arn} did not end after {TAG_PAGES_MAX_COUNT} pages",
            hint="A resource has at most 50 tags, so the endpoint repeats itself: check --endpoint-url",
            operation="ListTags",
        )

    async def add_tags(self, arn: str, tags: Tags) -> None:
        """AddTags to one resource."""
        await self._call("AddTags", partial(self._sagemaker.add_tags, ResourceArn=arn, Tags=_pairs(tags)))

    async def tagged_resources(self, key: str, kinds: tuple[str, ...], *, token: str = "") -> TaggedPage:
        """GetResources: up to 100 of the account's resources in the region that carry a tag of this key."""
        if self._tagging is None:
            self._tagging = await self._open_beside("resourcegroupstaggingapi", "GetResources")
        send = partial(self._tagging.get_resources, **tagged_request(key, kinds, token))
        return await self._ask("GetResources", send, _tagged_page, key)

    def _detail(self, answer: Any, app: AppName) -> AppDetail:
        row = _row(answer, app.domain_id)
        told = (row.owner_kind, row.owner.casefold(), row.app_type, row.app_name)
        if told != (app.owner_kind, app.owner.casefold(), app.app_type, app.app_name):
            raise UnreadableAnswerError("the answer is of another app")
        times = ("LastUserActivityTimestamp", "LastHealthCheckTimestamp")
        activity = Activity(*(optional_time(answer, name) for name in times))
        return AppDetail(row, _app_arn(answer, app), failure_reason(answer), activity)


def _named(app: AppName) -> DescribeAppRequestTypeDef:
    """Return the parameters that name an app."""
    # The service adds types before the SDK knows them.
    app_type = cast("AppTypeType", app.app_type)
    named: DescribeAppRequestTypeDef = {"DomainId": app.domain_id, "AppType": app_type, "AppName": app.app_name}
    if app.owner_kind == SPACE:
        return {**named, "SpaceName": app.owner}
    return {**named, "UserProfileName": app.owner}


def _pairs(tags: Tags) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags]


def _resource_spec(spec: AppSpec) -> ResourceSpec:
    """Return the declared fields alone."""
    found: ResourceSpec = {}
    if spec.instance_type is not None:
        found["InstanceType"] = cast("AppInstanceTypeType", spec.instance_type)
    if spec.image_arn is not None:
        found["SageMakerImageArn"] = spec.image_arn
    if spec.image_version_arn is not None:
        found["SageMakerImageVersionArn"] = spec.image_version_arn
    if spec.image_version_alias is not None:
        found["SageMakerImageVersionAlias"] = spec.image_version_alias
    if spec.lifecycle_config_arn is not None:
        found["LifecycleConfigArn"] = spec.lifecycle_config_arn
    if spec.training_plan_arn is not None:
        found["TrainingPlanArn"] = spec.training_plan_arn
    return found


def _caller(answer: Any) -> Caller:
    return Caller(required_text(answer, "Account"), required_text(answer, "Arn"))


def _app_arn(answer: Any, app: AppName) -> str:
    """Read the ARN of the app that was asked for: its tags decide whose the app is."""
    arn = required_text(answer, "AppArn")
    if not names_app(arn, app.domain_id, app.owner, app.app_type, app.app_name):
        raise UnreadableAnswerError("AppArn is of another app")
    return arn


def _page(answer: Any, domain_id: str, owner_kind: OwnerKind | None, owner: str) -> AppPage:
    apps = tuple(_row(row, domain_id) for row in rows_of(answer, "Apps"))
    if owner_kind is not None:
        asked = (owner_kind, owner.casefold())
        if any((app.owner_kind, app.owner.casefold()) != asked for app in apps):
            raise UnreadableAnswerError("a row is of another owner than requested")
    return AppPage(apps, optional_text(answer, "NextToken") or "")


def _row(row: Any, domain_id: str) -> AppRow:
    """Read one app of the domain that was asked for. A row with a SpaceName belongs to the space."""
    created_at = creation_time(row, domain_id)
    space = optional_text(row, "SpaceName")
    return AppRow(
        owner_kind=USER if space is None else SPACE,
        owner=required_text(row, "UserProfileName") if space is None else space,
        app_type=required_text(row, "AppType"),
        app_name=required_text(row, "AppName"),
        status=required_text(row, "Status"),
        created_at=created_at,
        spec=_spec(row.get("ResourceSpec")),
    )


def _spec(told: Any) -> AppSpec:
    if told is None:
        return AppSpec()
    if not isinstance(told, dict):
        raise UnreadableAnswerError("ResourceSpec is not an object")
    return AppSpec(
        instance_type=optional_text(told, "InstanceType"),
        image_arn=optional_text(told, "SageMakerImageArn"),
        image_version_arn=optional_text(told, "SageMakerImageVersionArn"),
        image_version_alias=optional_text(told, "SageMakerImageVersionAlias"),
        lifecycle_config_arn=optional_text(told, "LifecycleConfigArn"),
        training_plan_arn=optional_text(told, "TrainingPlanArn"),
    )


def _tagged_page(answer: Any, key: str) -> TaggedPage:
    rows = rows_of(answer, "ResourceTagMappingList")
    if not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError("the answer has no list ResourceTagMappingList")
    values = tuple((required_text(row, "ResourceARN"), _tags(row)[0].get(key, "")) for row in rows)
    return TaggedPage(values, optional_text(answer, "PaginationToken") or "")


def _tags(answer: Any) -> tuple[dict[str, str], str]:
    tags: dict[str, str] = {}
    for row in rows_of(answer, "Tags"):
        if not isinstance(row, dict) or not isinstance(row.get("Value"), str):
            raise UnreadableAnswerError("a tag is not a key and a value")
        tags[required_text(row, "Key")] = optional_text(row, "Value") or ""
    return tags, optional_text(answer, "NextToken") or ""
