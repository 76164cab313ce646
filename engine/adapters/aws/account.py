"""What an account has in a region: its applied quotas, its domains, and what is in them. One call on the wire each.

Not here: pages, retries and the cache (`app.quotas`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, TypedDict

from engine.adapters.aws.calls import AwsCalls, Send, inner, optional_text, required_text, rows_of
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.desired import AppSpec
from engine.core.identity import USER, OwnerKind
from engine.core.limits import LIST_PAGE_MAX_ROWS, QUOTA_VALUE_MAX_COUNT
from engine.core.quota_fit import QuotaValue
from engine.ports.owners import listing_of

if TYPE_CHECKING:
    from types_aiobotocore_sagemaker.type_defs import ListAppsRequestTypeDef, ListDomainsRequestTypeDef
    from types_aiobotocore_service_quotas import ServiceQuotasClient
    from types_aiobotocore_service_quotas.type_defs import ListServiceQuotasRequestTypeDef


class _OwnerListing(TypedDict):
    """What ListUserProfiles and ListSpaces have in common."""

    MaxResults: int
    SortBy: Literal["CreationTime"]
    SortOrder: Literal["Ascending"]
    NextToken: NotRequired[str]


SERVICE_CODE: Final = "sagemaker"


@dataclass(frozen=True, slots=True)
class QuotaPage:
    """One answer of ListServiceQuotas. `next_token` is empty on the last page."""

    values: dict[str, QuotaValue]
    next_token: str


@dataclass(frozen=True, slots=True)
class DomainPage:
    """One answer of ListDomains. `next_token` is empty on the last page."""

    domain_ids: tuple[str, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class AccountAppPage:
    """One answer of ListApps over all domains: type, what counts of the spec, and status of each app."""

    rows: tuple[tuple[str, AppSpec, str], ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class AccountOwnerPage:
    """One answer of ListUserProfiles or ListSpaces over all domains: how many rows. `next_token` as above."""

    owners: int
    next_token: str


class AccountCalls(AwsCalls):
    """One set of credentials in one region. `Clouds.account` makes it. Every method raises CloudError alone."""

    def __init__(self, *, quotas: ServiceQuotasClient, **more: Any) -> None:
        super().__init__(**more)
        self._quotas = quotas

    async def list_quotas(self, token: str = "", *, code: str = "") -> QuotaPage:
        """ListServiceQuotas of SageMaker: up to 100 applied values, or the one of a code."""
        params: ListServiceQuotasRequestTypeDef = {"ServiceCode": SERVICE_CODE, "MaxResults": LIST_PAGE_MAX_ROWS}
        if code:
            params["QuotaCode"] = code
        if token:
            params["NextToken"] = token
        return await self._ask("ListServiceQuotas", partial(self._quota_fields, params), _quota_page)

    async def _quota_fields(self, params: ListServiceQuotasRequestTypeDef) -> dict[str, Any]:
        """Return of an answer what is read of it: to look for secrets in all the rest costs more than the call."""
        answer = await self._quotas.list_service_quotas(**params)
        kept: dict[str, Any] = {name: answer[name] for name in ("Quotas", "NextToken") if name in answer}
        if isinstance(rows := kept.get("Quotas"), list):
            kept["Quotas"] = [_fields(row) if isinstance(row, dict) else row for row in rows]
        return kept

    async def list_domains(self, token: str = "") -> DomainPage:
        """ListDomains: up to 100 domains of the account in the region."""
        params: ListDomainsRequestTypeDef = {"MaxResults": LIST_PAGE_MAX_ROWS}
        if token:
            params["NextToken"] = token
        return await self._ask("ListDomains", partial(self._sagemaker.list_domains, **params), _domain_page)

    async def list_apps(self, token: str = "") -> AccountAppPage:
        """ListApps of all domains of the account in the region: up to 100 apps by CreationTime, oldest first."""
        params: ListAppsRequestTypeDef = {
            "MaxResults": LIST_PAGE_MAX_ROWS,
            "SortBy": "CreationTime",
            "SortOrder": "Ascending",
        }
        if token:
            params["NextToken"] = token
        return await self._ask("ListApps", partial(self._sagemaker.list_apps, **params), _app_page)

    async def list_owners(self, kind: OwnerKind, token: str = "") -> AccountOwnerPage:
        """ListUserProfiles or ListSpaces of all domains of the account in the region: up to 100, oldest first."""
        params: _OwnerListing = {
            "MaxResults": LIST_PAGE_MAX_ROWS,
            "SortBy": "CreationTime",
            "SortOrder": "Ascending",
        }
        if token:
            params["NextToken"] = token
        send: Send = partial(self._sagemaker.list_spaces, **params)
        if kind == USER:
            send = partial(self._sagemaker.list_user_profiles, **params)
        return await self._ask(listing_of(kind), send, _owner_page, kind)


def _app_page(answer: Any) -> AccountAppPage:
    rows = tuple(
        (
            required_text(row, "AppType"),
            _counted(inner(row, "ResourceSpec")),
            required_text(row, "Status"),
        )
        for row in _rows(answer, "Apps")
    )
    return AccountAppPage(rows, optional_text(answer, "NextToken") or "")


def _counted(resource: Any) -> AppSpec:
    """Return what says against which limit an app counts."""
    return AppSpec(
        instance_type=optional_text(resource, "InstanceType"),
        training_plan_arn=optional_text(resource, "TrainingPlanArn"),
    )


def _owner_page(answer: Any, kind: OwnerKind) -> AccountOwnerPage:
    word = "UserProfile" if kind == USER else "Space"
    names = [required_text(row, f"{word}Name") for row in _rows(answer, f"{word}s")]
    return AccountOwnerPage(len(names), optional_text(answer, "NextToken") or "")


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("QuotaName", "QuotaCode", "Value") if name in row}


def _quota_page(answer: Any) -> QuotaPage:
    values: dict[str, QuotaValue] = {}
    for row in _rows(answer, "Quotas"):
        value = row.get("Value")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= QUOTA_VALUE_MAX_COUNT:
            raise UnreadableAnswerError("Value of a quota is not a number")
        values[required_text(row, "QuotaName")] = QuotaValue(required_text(row, "QuotaCode"), int(value))
    return QuotaPage(values, optional_text(answer, "NextToken") or "")


def _domain_page(answer: Any) -> DomainPage:
    ids = tuple(required_text(row, "DomainId") for row in _rows(answer, "Domains"))
    return DomainPage(ids, optional_text(answer, "NextToken") or "")


def _rows(answer: Any, name: str) -> list[dict[str, Any]]:
    rows = rows_of(answer, name)
    if not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError(f"the answer has no list {name}")
    return rows
