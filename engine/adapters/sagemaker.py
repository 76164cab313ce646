"""`ports.cloud.Cloud` over aioboto3: six calls, each checked field by field when its answer comes in.

An answer that lacks what was asked for is never an empty success: it is OutcomeUnknown. Fields that we do not know are
left aside, and a status that we do not know passes through as it is.

Not here: credentials and clients (`sessions`), retries, pages of ListApps (`executor`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from engine.adapters.aws_errors import translate
from engine.adapters.transport import UnreadableAnswerError
from engine.core.desired import AppSpec
from engine.core.errors import CloudError, ScanIncomplete
from engine.core.identity import SPACE, USER, OwnerKind
from engine.core.limits import CALL_TOTAL_MAX_SECONDS, LIST_PAGE_MAX_ROWS, TAG_PAGES_MAX_COUNT
from engine.ports.cloud import AppDetail, AppName, AppPage, AppRow, Caller

if TYPE_CHECKING:
    from engine.core.desired import Tags
    from engine.core.redact import Redactor

_EPOCH_MAX_SECONDS: Final = 253_402_300_800.0  # the year 10000
Method = Callable[..., Awaitable[Any]]
T = TypeVar("T")


class CredentialSource(Protocol):
    """What signs requests; asked before each call, so that no call's time is spent on a refresh."""

    async def get_frozen_credentials(self) -> object:
        """Give credentials that last, or raise CredentialsFailed."""
        ...


class SageMakerCloud:
    """One set of credentials in one region. `Clouds.connect` makes it; it is used until `Clouds` is left."""

    def __init__(
        self,
        *,
        sagemaker: Any,
        sts: Any,
        credentials: CredentialSource,
        redactor: Redactor,
        endpoint: str = "",
        call_total_max_seconds: float = CALL_TOTAL_MAX_SECONDS,
    ) -> None:
        self._sagemaker = sagemaker
        self._sts = sts
        self._credentials = credentials
        self._redactor = redactor
        self._endpoint = endpoint
        self._call_total_max_seconds = call_total_max_seconds

    @property
    def endpoint(self) -> str:
        """The endpoint's URL when it is not AWS's own, else empty."""
        return self._endpoint

    async def caller(self) -> Caller:
        """GetCallerIdentity."""
        answer = await self._call("GetCallerIdentity", self._sts.get_caller_identity, {})
        return self._read("GetCallerIdentity", partial(_caller, answer))

    async def list_apps(
        self, domain_id: str, *, owner_kind: OwnerKind | None = None, owner: str = "", token: str = ""
    ) -> AppPage:
        """ListApps: up to 100 rows by CreationTime, oldest first, of a domain or of one owner in it."""
        params: dict[str, Any] = {
            "DomainIdEquals": domain_id,
            "MaxResults": LIST_PAGE_MAX_ROWS,
            "SortBy": "CreationTime",
            "SortOrder": "Ascending",
        }
        if owner_kind is not None:
            params["SpaceNameEquals" if owner_kind == SPACE else "UserProfileNameEquals"] = owner
        if token:
            params["NextToken"] = token
        answer = await self._call("ListApps", self._sagemaker.list_apps, params)
        return self._read("ListApps", partial(_page, answer, domain_id))

    async def create_app(self, app: AppName, spec: AppSpec, tags: Tags) -> str:
        """CreateApp. Gives the ARN, never empty: an answer without one is OutcomeUnknown."""
        params = _named(app)
        if tags:
            params["Tags"] = [{"Key": key, "Value": value} for key, value in tags]
        if resource := _resource_spec(spec):
            params["ResourceSpec"] = resource
        if spec.recovery_mode is not None:
            params["RecoveryMode"] = spec.recovery_mode
        answer = await self._call("CreateApp", self._sagemaker.create_app, params)
        return self._read("CreateApp", partial(_text, answer, "AppArn"))

    async def delete_app(self, app: AppName) -> None:
        """DeleteApp."""
        await self._call("DeleteApp", self._sagemaker.delete_app, _named(app))

    async def describe_app(self, app: AppName) -> AppDetail:
        """DescribeApp. Raises NotFound when the service has no record of it."""
        answer = await self._call("DescribeApp", self._sagemaker.describe_app, _named(app))
        return self._read("DescribeApp", partial(self._detail, answer, app))

    async def list_tags(self, arn: str) -> Tags:
        """ListTags of one resource, all pages of it, sorted by key."""
        tags: dict[str, str] = {}
        params = {"ResourceArn": arn}
        for _ in range(TAG_PAGES_MAX_COUNT):
            answer = await self._call("ListTags", self._sagemaker.list_tags, params)
            page, token = self._read("ListTags", partial(_tags, answer))
            tags.update(page)
            if not token:
                return tuple(sorted(tags.items()))
            params = {"ResourceArn": arn, "NextToken": token}
        raise ScanIncomplete(
            f"ListTags of {arn} did not end after {TAG_PAGES_MAX_COUNT} pages",
            hint="A resource has at most 50 tags, so the endpoint repeats itself: check --endpoint-url",
            operation="ListTags",
        )

    async def _call(self, operation: str, method: Method, params: dict[str, Any]) -> Any:
        """Make one call in bounded time. Raises CloudError and nothing else, but for a cancellation."""
        try:
            await self._credentials.get_frozen_credentials()
            async with asyncio.timeout(self._call_total_max_seconds):
                return await method(**params)
        except CloudError:
            raise
        except Exception as error:  # noqa: BLE001 the library raises what it meets, RecursionError included
            # Without the cause: its text and its request are not fit to be shown.
            raise translate(operation, error, self._redactor) from None

    def _read(self, operation: str, read: Callable[[], T]) -> T:
        """Read an answer's fields. Raises OutcomeUnknown where they are not what was asked for."""
        try:
            return read()
        except UnreadableAnswerError as error:
            raise translate(operation, error, self._redactor) from None

    def _detail(self, answer: Any, app: AppName) -> AppDetail:
        row = _row(answer, app.domain_id)
        if (row.owner_kind, row.app_name) != (app.owner_kind, app.app_name):
            raise UnreadableAnswerError("the answer is of another app")
        reason = _optional_text(answer, "FailureReason") or ""
        return AppDetail(row, _text(answer, "AppArn"), self._redactor.text(reason))


def _named(app: AppName) -> dict[str, Any]:
    """Give the parameters that name an app."""
    return {
        "DomainId": app.domain_id,
        ("SpaceName" if app.owner_kind == SPACE else "UserProfileName"): app.owner,
        "AppType": app.app_type,
        "AppName": app.app_name,
    }


def _resource_spec(spec: AppSpec) -> dict[str, str]:
    """Give the declared fields alone."""
    values = (
        ("InstanceType", spec.instance_type),
        ("SageMakerImageArn", spec.image_arn),
        ("SageMakerImageVersionArn", spec.image_version_arn),
        ("SageMakerImageVersionAlias", spec.image_version_alias),
        ("LifecycleConfigArn", spec.lifecycle_config_arn),
    )
    return {name: value for name, value in values if value is not None}


def _text(answer: Any, name: str) -> str:
    """Give a field that must be there and say something."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableAnswerError(f"the answer has no {name}")
    return value


def _optional_text(answer: Any, name: str) -> str | None:
    """Give a field that may be missing, null or empty, which is the same."""
    value = answer.get(name)
    if value is not None and not isinstance(value, str):
        raise UnreadableAnswerError(f"{name} is not a text")
    return value or None


def _caller(answer: Any) -> Caller:
    return Caller(_text(answer, "Account"), _text(answer, "Arn"))


def _page(answer: Any, domain_id: str) -> AppPage:
    rows = answer.get("Apps")
    if not isinstance(rows, list):
        raise UnreadableAnswerError("the answer has no list Apps")
    return AppPage(tuple(_row(row, domain_id) for row in rows), _optional_text(answer, "NextToken") or "")


def _row(row: Any, domain_id: str) -> AppRow:
    """Read one app of the domain that was asked for. A row with a SpaceName belongs to the space."""
    if not isinstance(row, dict):
        raise UnreadableAnswerError("a row of Apps is not an object")
    if row.get("DomainId") != domain_id:
        raise UnreadableAnswerError("a row is of another domain than was asked for")
    created_at = row.get("CreationTime")
    if (
        isinstance(created_at, bool)
        or not isinstance(created_at, int | float)
        or not 0 <= created_at < _EPOCH_MAX_SECONDS  # not a number and infinity are not either
    ):
        raise UnreadableAnswerError("CreationTime is not a time")
    space = _optional_text(row, "SpaceName")
    return AppRow(
        owner_kind=USER if space is None else SPACE,
        owner=_text(row, "UserProfileName") if space is None else space,
        app_type=_text(row, "AppType"),
        app_name=_text(row, "AppName"),
        status=_text(row, "Status"),
        created_at=float(created_at),
        spec=_spec(row.get("ResourceSpec")),
    )


def _spec(told: Any) -> AppSpec:
    if told is None:
        return AppSpec()
    if not isinstance(told, dict):
        raise UnreadableAnswerError("ResourceSpec is not an object")
    return AppSpec(
        instance_type=_optional_text(told, "InstanceType"),
        image_arn=_optional_text(told, "SageMakerImageArn"),
        image_version_arn=_optional_text(told, "SageMakerImageVersionArn"),
        image_version_alias=_optional_text(told, "SageMakerImageVersionAlias"),
        lifecycle_config_arn=_optional_text(told, "LifecycleConfigArn"),
    )


def _tags(answer: Any) -> tuple[dict[str, str], str]:
    rows = answer.get("Tags")
    if not isinstance(rows, list):
        raise UnreadableAnswerError("the answer has no list Tags")
    tags: dict[str, str] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("Value"), str):
            raise UnreadableAnswerError("a tag is not a key and a value")
        tags[_text(row, "Key")] = row["Value"]
    return tags, _optional_text(answer, "NextToken") or ""
