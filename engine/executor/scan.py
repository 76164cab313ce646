"""Complete scans: ListApps page after page, until the service says that there is no more.

A scan is whole or it is an error: rows of a listing that broke off are never used, so "no apps" always means that the
service said so. Pages that fail are asked again; a token that comes twice, or that the service no longer knows, starts
the scan afresh.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.core.errors import CloudError, Rejected, ScanIncomplete
from engine.core.limits import SCAN_PAGES_MAX_COUNT, SCAN_RESTARTS_MAX_COUNT
from engine.core.observed import ObservedDomain, newest_by_key
from engine.executor.reads import TOKEN_TWICE, pages
from engine.executor.rows import observed_app
from engine.ports.events import DomainListed, DomainListFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from engine.core.desired import DesiredDomain
    from engine.core.identity import Owner
    from engine.executor.reach import Reach
    from engine.ports.cloud import AppPage, AppRow, Cloud

# A filtered scan first looks whether the whole domain is small: one page may hold all of it. It goes on with the
# domain's pages for a quarter of what listing each owner costs, so it never pays more than a quarter too much.
WHOLE_DOMAIN_TRIAL_SHARE: Final = 0.25


class _TooLongError(Exception):
    """The trial of the whole domain did not end within its pages."""


class _ScanSpoiltError(Exception):
    """The pages of this attempt do not fit together; start afresh."""


@dataclass(slots=True)
class Scanner:
    """Lists one domain."""

    reach: Reach

    @property
    def domain(self) -> DesiredDomain:
        """The domain."""
        return self.reach.link.domain

    async def scan(self, owners: Sequence[Owner] | None = None, whole_pages: int | None = None) -> ObservedDomain:
        """List the whole domain, or only `owners` where that takes fewer calls.

        `whole_pages` is how many pages the domain is known to have. Never raises CloudError: an incomplete
        scan is an ObservedDomain with its error and no rows.
        """
        started_at = asyncio.get_running_loop().time()
        try:
            rows, whole, pages = await self._scan_afresh(owners, whole_pages)
        except CloudError as error:
            self.reach.emit(DomainListFailed(self.domain.name, error.told_code, error.message, error.hint))
            return ObservedDomain(self.domain.name, started_at, error=error)
        apps = newest_by_key(observed_app(self.domain.name, row) for row in rows)
        seconds = asyncio.get_running_loop().time() - started_at
        self.reach.emit(DomainListed(self.domain.name, len(apps), pages, round(seconds, 3)))
        return ObservedDomain(self.domain.name, started_at, apps, scanned_whole=whole)

    async def _scan_afresh(
        self, owners: Sequence[Owner] | None, whole_pages: int | None
    ) -> tuple[list[AppRow], bool, int]:
        """Scan, and begin again when the pages do not fit together; at most SCAN_RESTARTS_MAX_COUNT scans."""
        attempt = 1
        while True:
            try:
                return await self._scan_once(owners, whole_pages)
            except _ScanSpoiltError as spoilt:
                if attempt == SCAN_RESTARTS_MAX_COUNT:
                    raise self._incomplete(f"{spoilt} in {attempt} scans") from None
                attempt += 1

    async def _scan_once(
        self, owners: Sequence[Owner] | None, whole_pages: int | None
    ) -> tuple[list[AppRow], bool, int]:
        if owners is None:
            rows, pages = await self._list(None, SCAN_PAGES_MAX_COUNT)
            return rows, True, pages
        spent = 0
        if whole_pages is None or whole_pages <= len(owners):
            trial = max(1, int(len(owners) * WHOLE_DOMAIN_TRIAL_SHARE)) if whole_pages is None else len(owners)
            try:
                rows, pages = await self._list(None, trial)
            except _TooLongError:
                spent = trial
            else:
                return rows, True, pages
        collected: list[AppRow] = []
        for owner in owners:
            rows, pages = await self._list(owner, SCAN_PAGES_MAX_COUNT)
            collected += rows
            spent += pages
        return collected, False, spent

    async def _list(self, owner: Owner | None, pages_max: int) -> tuple[list[AppRow], int]:
        """Read all pages of the domain or of one owner; the rows, and how many pages there were."""
        rows: list[AppRow] = []
        count = 0
        ends = True
        try:
            async with aclosing(pages(partial(self._page, owner), "ListApps", self._named)) as found:
                async for page in found:
                    rows += page.rows
                    count += 1
                    ends = not page.next_token
                    if count == pages_max:
                        break
        except ScanIncomplete as repeated:
            raise _ScanSpoiltError(TOKEN_TWICE) from repeated
        if ends:
            return rows, count
        if pages_max < SCAN_PAGES_MAX_COUNT:
            raise _TooLongError
        raise self._incomplete(f"more than {SCAN_PAGES_MAX_COUNT} pages")

    async def _page(self, owner: Owner | None, token: str) -> AppPage:
        try:
            return await self.reach.ask("ListApps", lambda cloud: self._call(cloud, owner, token))
        except (Rejected, ScanIncomplete) as error:
            if token or isinstance(error, ScanIncomplete):
                raise _ScanSpoiltError(f"a page was refused ({error.message})") from error
            raise

    def _call(self, cloud: Cloud, owner: Owner | None, token: str) -> Awaitable[AppPage]:
        if owner is None:
            return cloud.list_apps(self.domain.domain_id, token=token)
        return cloud.list_apps(self.domain.domain_id, owner_kind=owner.kind, owner=owner.name, token=token)

    @property
    def _named(self) -> str:
        return f"domain {self.domain.name} ({self.domain.domain_id})"

    def _incomplete(self, why: str) -> ScanIncomplete:
        return ScanIncomplete(
            f"ListApps of {self._named} could not be completed: {why}",
            hint="appfleet used none of it. Run again; if the error persists, report it to AWS with the log's "
            "request ids",
            operation="ListApps",
        )
