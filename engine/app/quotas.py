"""The quotas of the apps, profiles and spaces that a plan creates: asked of Service Quotas, and kept for a day.

Nothing that goes wrong here stops or blocks a run: what could not be learnt is unknown, with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from engine.core.errors import AppfleetError, CloudError, NotFound
from engine.core.limits import OPTIONAL_SERVICES_MAX_SECONDS
from engine.core.observed import AppStatus
from engine.core.owner_quotas import OWNER_QUOTAS, OwnerRoom
from engine.core.quota_fit import RUNNING_APPS, LaneQuotas, QuotaValue, count_used
from engine.core.quota_text import bucket_of_quota
from engine.ports.owners import listing_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from engine.app.options import AppOptions
    from engine.app.quota_cache import QuotaCache
    from engine.app.reaching import AccountCalls, QuotaPage
    from engine.app.session import Joined
    from engine.core.identity import OwnerKind, QuotaBucket
    from engine.core.observed import ObservedFleet
    from engine.core.questions import OwnersRoomIn, RoomIn
    from engine.executor.fleet_run import FleetRun
    from engine.executor.link import Link
    from engine.executor.reach import Reach
    from engine.executor.reads import Page
    from engine.ports.cloud import Cloud

P = TypeVar("P", bound="Page")

QUOTAS_OPERATION: Final = "ListServiceQuotas"
_FOREIGN: Final = "SageMaker's endpoint is not AWS's own, and that of Service Quotas is"
_OF_ACCOUNT: Final = frozenset({RUNNING_APPS, *OWNER_QUOTAS.values()})


async def lane_quotas(question: RoomIn, options: AppOptions, parts: Joined, observed: ObservedFleet) -> LaneQuotas:
    """Return what is known of a lane, and why that is not all."""
    link = parts.run.links[question.domain]
    try:
        account = await parts.account(link.domain)
        if account is None:
            return LaneQuotas(unread_because=_FOREIGN)

        async def ask(arrived: Callable[[], None]) -> LaneQuotas:
            asking = _Asking(link, parts.run, account, arrived)
            narrowed = not options.selectors.is_empty
            return await _asked(asking, observed, parts, question.codes, narrowed=narrowed)

        return await parts.run.optional.ask(QUOTAS_OPERATION, link.lane, ask)
    except AppfleetError as error:
        return LaneQuotas(unread_because=error.message)


async def owner_room(question: OwnersRoomIn, parts: Joined, known: LaneQuotas | None) -> OwnerRoom:
    """Return the quotas of profiles and spaces in a lane, and how many of those that are asked about the account has.

    `known` is what was read for the apps of the plan, whose answer holds these quotas too.
    """
    link, run = parts.run.links[question.domain], parts.run
    values: dict[OwnerKind, QuotaValue] = {}
    used: dict[OwnerKind, int] = {}
    try:
        account = await parts.account(link.domain)
        if account is None:
            return OwnerRoom(unread_because=_FOREIGN)

        async def quotas(arrived: Callable[[], None]) -> Mapping[str, QuotaValue]:
            return await _values(_Asking(link, run, account, arrived), parts.quotas)

        named = known.values if known is not None else await run.optional.ask(QUOTAS_OPERATION, link.lane, quotas)
        values = {kind: named[name] for kind, name in OWNER_QUOTAS.items() if name in named}
        for kind in question.kinds:
            if kind in values:

                async def count(arrived: Callable[[], None], kind: OwnerKind = kind) -> int:
                    return await _Asking(link, run, account, arrived).owners(kind)

                used[kind] = await run.optional.ask(listing_of(kind), link.lane, count)
    except AppfleetError as error:  # the values hold all the same
        return OwnerRoom(values, used, error.message)
    return OwnerRoom(values, used)


async def domain_ids(link: Link, parts: Joined) -> set[str]:
    """Return the ids of the domains of a lane's account and region; none where SageMaker is not AWS's own.

    Raises CloudError and StoppedError.
    """
    account = await parts.account(link.domain)
    if account is None:
        return set()

    async def ask(arrived: Callable[[], None]) -> set[str]:
        return await _Asking(link, parts.run, account, arrived).domains()

    return await parts.run.optional.ask("ListDomains", link.lane, ask)


async def _asked(
    asking: _Asking, observed: ObservedFleet, parts: Joined, codes: tuple[str, ...], *, narrowed: bool
) -> LaneQuotas:
    link = asking.link
    values = await _values(asking, parts.quotas, codes)
    ids = await asking.domains()
    seen = _whole_domains(link, observed, parts)
    if narrowed and not ids <= seen:  # selectors narrow what is listed, for the quotas as well
        return LaneQuotas(values)
    try:
        used = None if ids <= seen else await asking.used()
    except CloudError as error:  # the values hold all the same; what is in use is not known
        return LaneQuotas(values, unread_because=error.message)
    return LaneQuotas(values, sees_all=True, used=used)


async def _values(asking: _Asking, cache: QuotaCache | None, codes: tuple[str, ...] = ()) -> Mapping[str, QuotaValue]:
    """Return the lane's quotas, of today or of the cache: at least those of `codes`, or all."""
    kept = cache.values(asking.link, codes) if cache is not None else None
    if kept is not None:
        return kept
    values = await asking.quotas(codes)
    if cache is not None:
        cache.keep(asking.link, values, codes)
    return values


def _whole_domains(link: Link, observed: ObservedFleet, parts: Joined) -> set[str]:
    """Name the domains of the lane that were listed to their end."""
    return {
        other.domain.domain_id
        for name, other in parts.run.links.items()
        if other.lane == link.lane and _is_whole(observed, name)
    }


def _is_whole(observed: ObservedFleet, name: str) -> bool:
    domain = observed.domains.get(name)
    return domain is not None and domain.error is None and domain.scanned_whole


@dataclass(frozen=True, slots=True)
class _Asking:
    """Reads what an account has in a region.

    What SageMaker itself is asked goes through the lane, as everything does that it answers; Service Quotas has a rate
    of its own, and so a lane of its own.
    """

    link: Link
    run: FleetRun
    account: AccountCalls
    arrived: Callable[[], None]

    async def quotas(self, codes: tuple[str, ...] = ()) -> dict[str, QuotaValue]:
        """Return the applied values of the quotas of `codes`, or of all that a bucket can have.

        Raises CloudError and StoppedError.
        """
        values: dict[str, QuotaValue] = {}
        for code in codes or ("",):
            try:
                pages = await self._quota_pages(code)
            except NotFound:
                if not code:
                    raise
                continue  # this account has no such quota
            values.update(pair for page in pages for pair in page.values.items())
        return {name: value for name, value in values.items() if bucket_of_quota(name) or name in _OF_ACCOUNT}

    async def _quota_pages(self, code: str) -> list[QuotaPage]:
        reach = self.run.account_reach(self.link.domain.name)
        ask = self._noted(partial(self.account.list_quotas, code=code))
        return await reach.pages(QUOTAS_OPERATION, ask, *self._bounds)

    async def domains(self) -> set[str]:
        """Return the ids of the account's domains in the region. Raises CloudError and StoppedError."""
        found = await self._reach.pages("ListDomains", self._noted(self.account.list_domains), *self._bounds)
        return {domain_id for page in found for domain_id in page.domain_ids}

    async def used(self) -> dict[QuotaBucket, int]:
        """Count what is alive in the whole account and region. Raises CloudError and StoppedError."""
        found = await self._reach.pages("ListApps", self._noted(self.account.list_apps), *self._bounds)
        return count_used(
            (self.link.lane, app_type, spec)
            for page in found
            for app_type, spec, status in page.rows
            if AppStatus.of(status).is_alive
        )

    async def owners(self, kind: OwnerKind) -> int:
        """Count the profiles or spaces of the whole account and region. Raises CloudError and StoppedError."""
        ask = self._noted(partial(self.account.list_owners, kind))
        return sum(page.owners for page in await self._reach.pages(listing_of(kind), ask, *self._bounds))

    def _noted(self, ask: Callable[[str], Awaitable[P]]) -> Callable[[Cloud, str], Awaitable[P]]:
        """Return what reads a page, and says that it arrived."""

        async def page(_: Cloud, token: str) -> P:
            found = await ask(token)
            self.arrived()
            return found

        return page

    @property
    def _reach(self) -> Reach:
        return self.run.reach(self.link.domain.name)

    @property
    def _bounds(self) -> tuple[str, float]:
        return f"all of {self.link.lane}", OPTIONAL_SERVICES_MAX_SECONDS
