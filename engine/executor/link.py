"""A domain that can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.desired import DesiredDomain
    from engine.core.identity import Lane
    from engine.ports.cloud import Cloud


@dataclass(frozen=True, slots=True)
class Link:
    """One domain, its lane, and the cloud that its calls go through."""

    domain: DesiredDomain
    lane: Lane
    cloud: Cloud

    def beside(self, links: Iterable[Link]) -> list[str]:
        """Name the domains that are reached in the same region and through the same endpoint."""
        here = (self.domain.region, self.cloud.endpoint)
        return [one.domain.name for one in links if (one.domain.region, one.cloud.endpoint) == here]
