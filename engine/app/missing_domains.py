"""What is said of a domain that the service does not know: where it is declared, and which domains there are instead.

A typing error in an id, a region or an account looks the same to the service. ListDomains is asked once for each
account and region in which a domain is missing, and what it does not answer in time is left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.app.quotas import domain_ids
from engine.core.errors import AppfleetError, NotFound
from engine.core.text import clean, listed

if TYPE_CHECKING:
    from engine.app.session import Joined
    from engine.core.desired import DesiredDomain
    from engine.core.identity import Lane
    from engine.core.observed import ObservedFleet

_CHECK: Final = "Check the domain's id, region and account in fleet.toml"


async def with_missing_domains_explained(observed: ObservedFleet, parts: Joined) -> ObservedFleet:
    """Return `observed` with an error in our own words for each domain that does not exist. Raises StoppedError."""
    domains = dict(observed.domains)
    known: dict[Lane, frozenset[str]] = {}
    for name, domain in observed.domains.items():
        link = parts.run.links.get(name)
        if link is None or not isinstance(domain.error, NotFound):
            continue
        if link.lane not in known:
            known[link.lane] = await _there(name, parts)
        error = _no_domain(link.domain, link.lane, known[link.lane], domain.error)
        parts.run.note_listing_error(name, error)
        domains[name] = replace(domain, error=error)
    return replace(observed, domains=domains)


async def _there(name: str, parts: Joined) -> frozenset[str]:
    link = parts.run.links[name]
    try:
        return frozenset(await domain_ids(link, parts))
    except AppfleetError:  # whoever may not list domains is told what is missing all the same
        return frozenset()


def _no_domain(domain: DesiredDomain, lane: Lane, there: frozenset[str], error: NotFound) -> NotFound:
    hint = f"Domains there: {listed(sorted(there))}" if there else _CHECK
    return NotFound(
        clean(f"no domain {domain.domain_id} in {lane.region} of account {lane.account} ({domain.source})"),
        hint=hint,
        service_code=error.service_code,
        operation=error.operation,
        request_id=error.request_id,
    )
