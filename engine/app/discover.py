"""`discover`: list the accounts of an organization and the domains in them, and write the table of `[[domains_from]]`.

What cannot be listed is an error that names it, and nothing is written: a listing that broke off must not shrink a
fleet.
"""

from __future__ import annotations

import random
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from engine.app.named_file import put_file
from engine.app.reaching import Clouds, reached_at_once
from engine.app.stopping import stopped_by_signals
from engine.config.fleet.domains_file import read_domains
from engine.config.fleet.found_domains import DomainsTable, FoundDomain, domains_table
from engine.config.fleet.people_file import TableProblem
from engine.config.reading.beneath import FileProblem
from engine.config.reading.regular_file import read_regular
from engine.config.service.fields import EXTERNAL_ID, REGION
from engine.core.desired import DesiredDomain, Source
from engine.core.errors import BugError, CloudError, ScanIncomplete, UsageError
from engine.core.iam import partition
from engine.core.limits import QUOTA_ASK_MAX_SECONDS, TABLE_FILE_MAX_BYTES
from engine.core.settings import Backoffs
from engine.core.text import clean, count_of
from engine.executor.asking import ask_again
from engine.executor.reads import pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.reaching import DomainCalls, OrganizationCalls
    from engine.ports.events import Emit

ACTIVE: Final = "ACTIVE"
_NOT_THERE: Final = frozenset({"Deleting", "Failed"})  # states of a domain that no app can be made in
_FAILURES_SHOWN_MAX_COUNT: Final = 20


@dataclass(frozen=True, slots=True)
class Discovery:
    """What to look for. `units` and `account_tags` narrow an organization, `domain_tags` the domains.

    `role` is the name of the role to assume in each account but the caller's own, with `external_id`
    where the role requires one. `keep_unreadable`: write the table
    although some accounts could not be listed, with the rows that it has of them.
    """

    regions: tuple[str, ...]
    organization: bool = False
    role: str = ""
    external_id: str | None = None
    units: tuple[str, ...] = ()
    account_tags: tuple[tuple[str, str], ...] = ()
    domain_tags: tuple[tuple[str, str], ...] = ()
    keep_unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Discovered:
    """The table, whether it differs from the one that was there, and what could not be listed."""

    table: DomainsTable
    differs: bool
    failures: tuple[str, ...] = field(default=())


def regions_of(text: str) -> tuple[str, ...]:
    """Return the regions of a list with commas, each once. Raises UsageError for what is not a region, and for none."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    wrong = [region for region in found if not REGION.fullmatch(region)]
    if wrong or not found:
        said = f"{clean(wrong[0], 80)!r} is not a region" if wrong else "--regions is empty"
        raise UsageError(said, hint="Give --regions eu-west-1,us-east-1")
    return found


def external_id_of(text: str | None) -> str | None:
    """Return the external id that a role is assumed with. Raises UsageError for a text that STS does not take."""
    if text is not None and not EXTERNAL_ID.fullmatch(text):
        said = f"--external-id: {clean(text, 80)!r} is not an external id"
        raise UsageError(said, hint="Use letters, digits and _ + = , . @ : / -, and at least two characters")
    return text


async def discover(options: AppOptions, asked: Discovery, out: Path | None, emit: Emit, *, check: bool) -> Discovered:
    """Find all domains, and write the table to `out` unless it is only checked.

    Raises AppfleetError: for an organization or an account that cannot be listed, and a file that cannot be used.
    """
    before = _standing(out)
    with stopped_by_signals(options.signals):
        async with Clouds(endpoint_url=options.endpoint_url, redactor=options.redactor) as clouds:
            found, failures = await _Search(clouds, asked, emit).run()
    if failures and not asked.keep_unreadable:
        raise _incomplete(failures)
    table = domains_table(found, before, failures.keys())
    said = tuple(f"account {account}, region {region}: {error}" for (account, region), error in failures.items())
    made = Discovered(table, table.text != before, said)
    if out is not None and not check and made.differs:
        put_file(out, table.text, partial(_check_written, table), replace=True)
    return made


async def domains_there(options: AppOptions, loaded: Loaded, region: str, emit: Emit) -> list[FoundDomain]:
    """Return the domains that the caller's own credentials list in a region; with `--simulate` those of its world.

    `loaded` is the fleet of a simulation. Raises AppfleetError.
    """
    from engine.app.session import endpoint_of

    with stopped_by_signals(options.signals), endpoint_of(options, loaded) as endpoint_url:
        async with Clouds(endpoint_url=endpoint_url, redactor=options.redactor) as clouds:
            found, failures = await _Search(clouds, Discovery((region,)), emit).run()
    for error in failures.values():
        raise error
    return sorted(found)


def _standing(out: Path | None) -> str:
    """Return the table that is at `out`, empty where there is none. Raises UsageError for what is not a table."""
    if out is None or not (out.exists() or out.is_symlink()):
        return ""
    try:
        text = read_regular(out, str(out), TABLE_FILE_MAX_BYTES).decode("utf-8-sig")
        read_domains(text)
    except FileProblem as problem:
        raise UsageError(f"{problem.message}", hint=problem.hint) from None
    except UnicodeDecodeError:
        raise UsageError(f"{out} is not UTF-8", hint="Name another file with --out") from None
    except TableProblem as problem:
        raise UsageError(f"{out}:{problem.line}: {problem.message}", hint=problem.hint) from None
    return text


def _check_written(table: DomainsTable, path: Path) -> None:
    if len(read_domains(path.read_text(encoding="utf-8"))[1]) != table.rows:
        raise BugError("the table of domains reads back otherwise than it was written")


def _incomplete(failures: Mapping[tuple[str, str], CloudError]) -> ScanIncomplete:
    said = [f"account {account}, region {region}: {error.message}" for (account, region), error in failures.items()]
    rest = len(said) - _FAILURES_SHOWN_MAX_COUNT
    more = f"; and {rest:,} more" if rest > 0 else ""
    return ScanIncomplete(
        f"{count_of(len(said), 'account and region', 'accounts and regions')} could not be listed, so nothing was "
        f"written: {'; '.join(said[:_FAILURES_SHOWN_MAX_COUNT])}{more}",
        hint="Fix that, leave them out with --ou, --account-tag or --regions, or keep their rows: --keep-unreadable",
        operation="ListDomains",
    )


class _Search:
    """One search."""

    def __init__(self, clouds: Clouds, asked: Discovery, emit: Emit) -> None:
        self._clouds = clouds
        self._asked = asked
        self._emit = emit

    async def run(self) -> tuple[list[FoundDomain], dict[tuple[str, str], CloudError]]:
        """Return the domains, and why accounts and regions could not be listed. Raises AppfleetError."""
        own = (await (await self._clouds.connect(self._as(self._asked.regions[0]))).caller()).account
        accounts = await self._accounts() if self._asked.organization else [own]
        wanted = [(account, region) for account in sorted(accounts) for region in self._asked.regions]
        answers = await reached_at_once(wanted, partial(self._domains, own))
        found: list[FoundDomain] = []
        failures: dict[tuple[str, str], CloudError] = {}
        for place, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, CloudError):
                failures[place] = answer
            else:
                found += answer
        return found, failures

    def _as(self, region: str, account: str = "") -> DesiredDomain:
        """Return the domain that a login is asked for: the caller's own, or the role's in an account."""
        role = f"arn:{partition(region)}:iam::{account}:role/{self._asked.role}" if account else None
        source = Source(f"account {account or 'of the caller'}", 0)
        external_id = self._asked.external_id if account else None
        return DesiredDomain("discover", "", region, source, role_arn=role, external_id=external_id)

    async def _accounts(self) -> list[str]:
        calls = await self._clouds.organization(self._as(self._asked.regions[0]))
        listings = [calls.list_accounts]
        if self._asked.units:
            units = await self._units(calls)
            listings = [partial(calls.accounts_of, unit) for unit in units]
        active = {
            one.account
            for listing in listings
            for page in await self._pages("ListAccounts", "the organization", listing)
            for one in page.accounts
            if one.state == ACTIVE
        }
        if not self._asked.account_tags:
            return sorted(active)
        wanted = sorted(active)
        tagged = await reached_at_once(wanted, lambda account: self._has_tags(partial(calls.tags_of, account), account))
        for answer in tagged:
            if isinstance(answer, CloudError):
                raise answer
        return [account for account, answer in zip(wanted, tagged, strict=True) if answer is True]

    async def _units(self, calls: OrganizationCalls) -> list[str]:
        """Return the units that were named, and all below them."""
        found = list(dict.fromkeys(self._asked.units))
        for unit in found:  # grows meanwhile
            listing = partial(calls.units_of, unit)
            for page in await self._pages("ListOrganizationalUnitsForParent", unit, listing):
                found += [one for one in page.units if one not in found]
        return found

    async def _has_tags(self, listing: Callable[[str], Awaitable[Any]], of: str) -> bool:
        tags = {}
        for page in await self._pages("ListTagsForResource", of, listing):
            tags.update(page.tags)
        return all(tags.get(key) == value for key, value in self._asked.account_tags)

    async def _domains(self, own: str, place: tuple[str, str]) -> list[FoundDomain]:
        account, region = place
        calls = await self._clouds.domains(self._as(region, "" if account == own else account))
        listed = await self._pages("ListDomains", f"account {account} in {region}", calls.list_domains)
        there = [one for page in listed for one in page.domains if one.status not in _NOT_THERE]
        return [
            FoundDomain(account, region, one.domain_id, clean(one.name))
            for one in there
            if await self._is_wanted(calls, one.arn)
        ]

    async def _is_wanted(self, calls: DomainCalls, arn: str) -> bool:
        if not self._asked.domain_tags:
            return True
        tags = {}
        for page in await self._pages("ListTags", arn, partial(calls.tags_of, arn)):
            tags.update(page.tags)
        return all(tags.get(key) == value for key, value in self._asked.domain_tags)

    async def _pages(self, operation: str, of: str, listing: Callable[[str], Awaitable[Any]]) -> list[Any]:
        async def page(token: str) -> Any:
            ask = partial(listing, token)
            return await ask_again(
                operation, ask, Backoffs(), random.Random().random, self._emit, QUOTA_ASK_MAX_SECONDS
            )

        async with aclosing(pages(page, operation, of)) as found:
            return [one async for one in found]
