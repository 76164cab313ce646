"""What planning asks about owners before a run: those that creates need, and how people sign in to a domain.

What cannot be read is left out, with an event: it keeps no app from being created.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import CloudError
from engine.ports.events import OwnersUnread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.identity import Owner
    from engine.core.observed import ObservedOwner
    from engine.executor.fleet_run import FleetRun


async def look_at_owners(run: FleetRun, owners: Sequence[Owner]) -> dict[Owner, ObservedOwner | None]:
    """Look at profiles and spaces; None stands for what is not there. Raises StoppedError when the run is stopped."""
    found: dict[Owner, ObservedOwner | None] = {}
    for name in sorted({owner.domain for owner in owners} & run.links.keys()):
        try:
            found |= await run.owner_scanner(name).look([owner for owner in owners if owner.domain == name])
        except CloudError as error:
            run.emit(OwnersUnread(name, error.service_code or error.code, error.message))
    return found


async def auth_mode(run: FleetRun, domain: str) -> str:
    """Return how people sign in to a domain; empty where that cannot be read.

    Raises StoppedError when the run is stopped meanwhile.
    """
    domain_id = run.links[domain].domain.domain_id
    try:
        return await run.reach(domain).ask("DescribeDomain", lambda cloud: cloud.auth_mode(domain_id))
    except CloudError as error:
        run.emit(OwnersUnread(domain, error.service_code or error.code, error.message))
        return ""
