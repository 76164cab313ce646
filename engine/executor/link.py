"""A domain that can be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.core.desired import DesiredDomain
    from engine.core.identity import Lane
    from engine.ports.cloud import Cloud


@dataclass(frozen=True, slots=True)
class Link:
    """One domain, its lane, and the cloud that its calls go through."""

    domain: DesiredDomain
    lane: Lane
    cloud: Cloud
