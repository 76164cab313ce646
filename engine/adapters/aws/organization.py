"""The accounts of an AWS organization, and the domains of an account with their tags. One call on the wire each.

Not here: pages and retries (`app.discover`), what is made of them (`config.fleet.found_domains`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from engine.adapters.aws.calls import AwsCalls, optional_text, required_text
from engine.adapters.aws.transport import UnreadableAnswerError
from engine.core.limits import LIST_PAGE_MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

# Organizations answers for a whole partition, from one region of it.
_REGIONS: Final = (("cn-", "cn-northwest-1"), ("us-gov-", "us-gov-west-1"))
_OTHERS: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class Account:
    """One account of an organization. `state` is the service's word, such as ACTIVE or SUSPENDED."""

    account: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One answer of ListAccounts or ListAccountsForParent. `next_token` is empty on the last page."""

    accounts: tuple[Account, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class UnitPage:
    """One answer of ListOrganizationalUnitsForParent: ids."""

    units: tuple[str, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class TagPage:
    """One answer of a listing of tags."""

    tags: dict[str, str]
    next_token: str


@dataclass(frozen=True, slots=True)
class ListedDomain:
    """One row of ListDomains."""

    domain_id: str
    name: str
    arn: str
    status: str


@dataclass(frozen=True, slots=True)
class ListedDomains:
    """One answer of ListDomains, with names."""

    domains: tuple[ListedDomain, ...]
    next_token: str


class OrganizationCalls(AwsCalls):
    """An organization, as one set of credentials sees it. `Clouds.organization` makes it."""

    def __init__(self, *, organizations: Any, **more: Any) -> None:
        super().__init__(sagemaker=None, sts=None, **more)
        self._organizations = organizations

    async def list_accounts(self, token: str = "") -> AccountPage:
        """ListAccounts: some accounts of the organization, closed ones too. Raises CloudError."""
        return await self._ask(
            "ListAccounts", partial(self._organizations.list_accounts, **_after(token)), _account_page
        )

    async def accounts_of(self, unit: str, token: str = "") -> AccountPage:
        """ListAccountsForParent: some accounts that are in a unit itself. Raises CloudError."""
        send = partial(self._organizations.list_accounts_for_parent, ParentId=unit, **_after(token))
        return await self._ask("ListAccountsForParent", send, _account_page)

    async def units_of(self, unit: str, token: str = "") -> UnitPage:
        """ListOrganizationalUnitsForParent: some units that are in a unit itself. Raises CloudError."""
        send = partial(self._organizations.list_organizational_units_for_parent, ParentId=unit, **_after(token))
        return await self._ask("ListOrganizationalUnitsForParent", send, _unit_page)

    async def tags_of(self, account: str, token: str = "") -> TagPage:
        """ListTagsForResource: some tags of an account. Raises CloudError."""
        send = partial(self._organizations.list_tags_for_resource, ResourceId=account, **_after(token))
        return await self._ask("ListTagsForResource", send, _tag_page)


class DomainCalls(AwsCalls):
    """The domains of an account in a region. `Clouds.domains` makes it."""

    async def list_domains(self, token: str = "") -> ListedDomains:
        """ListDomains: up to 100 domains. Raises CloudError."""
        send = partial(self._sagemaker.list_domains, MaxResults=LIST_PAGE_MAX_ROWS, **_after(token))
        return await self._ask("ListDomains", send, _domain_page)

    async def tags_of(self, arn: str, token: str = "") -> TagPage:
        """ListTags: some tags of a domain. Raises CloudError."""
        send = partial(self._sagemaker.list_tags, ResourceArn=arn, **_after(token))
        return await self._ask("ListTags", send, _tag_page)


def _after(token: str) -> Any:
    """Return what asks for the page behind a token."""
    return {"NextToken": token} if token else {}


def organization_region(region: str) -> str:
    """Return the region in which Organizations is asked for the partition of `region`."""
    return next((home for prefix, home in _REGIONS if region.startswith(prefix)), _OTHERS)


def _account_page(answer: Any) -> AccountPage:
    accounts = tuple(
        Account(_account_id(row), optional_text(row, "Name") or "", row.get("State") or required_text(row, "Status"))
        for row in _rows(answer, "Accounts")
    )
    return AccountPage(accounts, optional_text(answer, "NextToken") or "")


def _account_id(row: dict[str, Any]) -> str:
    account = required_text(row, "Id")
    if len(account) != len("111122223333") or not account.isdecimal():
        raise UnreadableAnswerError("Id is not the id of an account")
    return account


def _unit_page(answer: Any) -> UnitPage:
    units = tuple(required_text(row, "Id") for row in _rows(answer, "OrganizationalUnits"))
    return UnitPage(units, optional_text(answer, "NextToken") or "")


def _tag_page(answer: Any) -> TagPage:
    tags = {required_text(row, "Key"): optional_text(row, "Value") or "" for row in _rows(answer, "Tags")}
    return TagPage(tags, optional_text(answer, "NextToken") or "")


def _domain_page(answer: Any) -> ListedDomains:
    domains = tuple(
        ListedDomain(
            required_text(row, "DomainId"),
            optional_text(row, "DomainName") or "",
            required_text(row, "DomainArn"),
            required_text(row, "Status"),
        )
        for row in _rows(answer, "Domains")
    )
    return ListedDomains(domains, optional_text(answer, "NextToken") or "")


def _rows(answer: Any, name: str) -> Iterable[dict[str, Any]]:
    rows = answer.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError(f"the answer has no list {name}")
    return rows
