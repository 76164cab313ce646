"""Reach every domain: its credentials, who they are, and whether they are of the account that the domain names.

Everything is asked at once, within a bound, so that what does not answer costs its time once and not once a lane; and
what keeps every domain from being reached is one error that names the domains.

Not here: how a login is made (`adapters.logins`), what is listed then (`executor`).
"""

from __future__ import annotations

import asyncio
import copy
import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from engine.adapters.aws.account import AccountCalls, QuotaPage
from engine.adapters.aws.endpoints import configured_profiles, configured_region, foreign_endpoint, service_regions
from engine.adapters.aws.organization import DomainCalls, OrganizationCalls
from engine.adapters.aws.price_list import OfferPage, PriceCalls
from engine.adapters.aws.sessions import Clouds, verify_account
from engine.app.begun import CALLER_OPERATION
from engine.core.errors import AppfleetError, CloudError, CredentialsFailed, Unreachable, WrongAccountError
from engine.core.identity import Lane
from engine.core.limits import CALLER_MAX_SECONDS, CONNECT_PARALLEL_MAX_COUNT, DOMAINS_NAMED_MAX_COUNT
from engine.core.plan import PlanLane
from engine.core.text import listed
from engine.executor.asking import ask_again
from engine.executor.calls import ANSWER_KINDS
from engine.executor.link import Link
from engine.executor.outages import Outages
from engine.ports.events import CallAnswered, EndpointNotAws

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from engine.adapters.aws.sagemaker import SageMakerCloud
    from engine.app.begun import Begun
    from engine.core.desired import DesiredDomain
    from engine.core.settings import Backoffs
    from engine.ports.cloud import Caller
    from engine.ports.events import Emit

__all__ = [
    "AccountCalls", "Clouds", "DomainCalls", "OfferPage", "OrganizationCalls", "PriceCalls",
    "QuotaPage", "Reached", "configured_profiles", "configured_region", "foreign_notes", "reach", "reached_at_once",
    "service_regions",
]  # fmt: skip

T = TypeVar("T")
R = TypeVar("R")

_REASONS_SHOWN_MAX_COUNT: Final = 3


@dataclass(frozen=True, slots=True)
class Reached:
    """The domains that can be asked, why others cannot, and the lanes of the first."""

    links: dict[str, Link]
    unreachable: dict[str, AppfleetError]
    lanes: tuple[PlanLane, ...]


async def reach(clouds: Clouds, domains: Sequence[DesiredDomain], backoffs: Backoffs, begun: Begun) -> Reached:
    """Reach each domain. Raises AppfleetError when none can be reached.

    A domain of another account than its credentials is one that cannot be reached.
    """
    reached = await reached_at_once(domains, clouds.connect)
    named: dict[str, SageMakerCloud] = {}
    for domain, cloud in zip(domains, reached, strict=True):
        if not isinstance(cloud, CloudError):
            named[domain.name] = cloud
    distinct: dict[object, str] = {}
    for name, cloud in named.items():
        distinct.setdefault(cloud.asks_as, name)
    answers = await reached_at_once(distinct.values(), _Callers(named, backoffs, begun).ask)
    callers = dict(zip(distinct, answers, strict=True))
    links: dict[str, Link] = {}
    unreachable: dict[str, AppfleetError] = {}
    for domain, cloud in zip(domains, reached, strict=True):
        if isinstance(cloud, CloudError):
            unreachable[domain.name] = cloud
            continue
        caller = callers[cloud.asks_as]
        if isinstance(caller, CloudError):
            unreachable[domain.name] = caller
            continue
        try:
            verify_account(domain, caller)
        except WrongAccountError as error:  # this domain's alone: nothing is called for it
            unreachable[domain.name] = error
            continue
        links[domain.name] = Link(domain, Lane(caller.account, domain.region), cloud)
    if unreachable and not links:
        raise _one_error(unreachable)
    return Reached(links, unreachable, tuple(sorted({_plan_lane(link) for link in links.values()})))


def foreign_notes(lanes: Iterable[PlanLane], emit: Emit) -> tuple[str, ...]:
    """Report every account and region whose calls do not go to AWS: as events, and as notes of the result."""
    foreign = [lane for lane in lanes if lane.endpoint]
    for lane in foreign:
        emit(EndpointNotAws(Lane(lane.account, lane.region), lane.endpoint))
    return tuple(
        f"Calls for account {lane.account}, region {lane.region} go to {lane.endpoint}, which is not an AWS endpoint"
        for lane in foreign
    )


def _plan_lane(link: Link) -> PlanLane:
    endpoint = link.cloud.endpoint
    return PlanLane(link.lane.account, link.lane.region, foreign_endpoint(endpoint) if endpoint else "")


async def reached_at_once(items: Iterable[T], ask: Callable[[T], Awaitable[R]]) -> list[R | CloudError]:
    """Ask about all of them, so many at a time. Raises the first error that is not of the cloud."""
    places = asyncio.Semaphore(CONNECT_PARALLEL_MAX_COUNT)

    async def one(item: T) -> R | AppfleetError:
        async with places:
            try:
                return await ask(item)
            except AppfleetError as error:
                return error

    answers = await asyncio.gather(*map(one, items))
    results: list[R | CloudError] = []
    for answer in answers:
        if isinstance(answer, AppfleetError) and not isinstance(answer, CloudError):
            raise answer
        results.append(answer)
    return results


class _Callers:
    """Asks who sets of credentials are, through the clouds of domains, by name."""

    def __init__(self, clouds: Mapping[str, SageMakerCloud], backoffs: Backoffs, begun: Begun) -> None:
        self._clouds = clouds
        self._backoffs = backoffs
        self._begun = begun
        self._outages = Outages(begun.emit, self._needed_by)
        self._gone: dict[str, Unreachable] = {}  # endpoints that were given up: who comes later does not try them

    async def ask(self, name: str) -> Caller:
        """Return who a domain's credentials are, within its bound; each call counts as the run counts its own."""
        cloud = self._clouds[name]
        if cloud.known_caller is not None:
            return cloud.known_caller
        if (gone := self._gone.get(cloud.sts_endpoint)) is not None:
            raise copy.copy(gone)
        try:
            return await ask_again(
                CALLER_OPERATION,
                partial(self._once, name),
                self._backoffs,
                random.Random().random,
                partial(self._outages.tell, name),
                CALLER_MAX_SECONDS,
            )
        except Unreachable as error:
            self._gone[cloud.sts_endpoint] = error
            raise

    async def _once(self, name: str) -> Caller:
        begun = self._begun
        sent_at = begun.control.now()
        kind = "cancelled"
        try:
            caller = await self._clouds[name].caller()
            kind = "ok"
        except CloudError as error:
            kind = ANSWER_KINDS.get(type(error), "rejected")
            if isinstance(error, Unreachable):
                self._outages.met(name, error)
            raise
        finally:
            begun.caller_calls[kind] += 1
            begun.emit(CallAnswered(CALLER_OPERATION, kind, round(begun.control.now() - sent_at, 4)))
        self._outages.answered(name)
        return caller

    def _needed_by(self, name: str) -> list[str]:
        url = self._clouds[name].sts_endpoint
        return [other for other, cloud in self._clouds.items() if cloud.sts_endpoint == url]


def _one_error(unreachable: dict[str, AppfleetError]) -> AppfleetError:
    """Return one error for all of them: what is alike is said once, with the domains that need it."""
    alike: dict[str, list[str]] = {}
    for name, error in unreachable.items():
        alike.setdefault(error.message, []).append(name)
    by_message = {error.message: error for error in unreachable.values()}
    reasons = [_needed(by_message[message], names) for message, names in alike.items()]
    shown, rest = reasons[:_REASONS_SHOWN_MAX_COUNT], len(reasons) - _REASONS_SHOWN_MAX_COUNT
    first = copy.copy(next(iter(unreachable.values())))
    first.message = "; ".join(shown) + (f"; and {rest} other reasons" if rest > 0 else "")
    return first


def _needed(error: AppfleetError, names: list[str]) -> str:
    """Return what kept domains from being reached, and which: what is said of keys is a sentence, not a thing."""
    if "domain " in error.message and len(names) == 1:
        return error.message
    whose = f"{'domain' if len(names) == 1 else 'domains'} {listed(names, DOMAINS_NAMED_MAX_COUNT)}"
    if isinstance(error, CredentialsFailed):
        return f"{error.message} (for {whose})"
    return f"{error.message}, needed for {whose}"
