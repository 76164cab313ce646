"""From a plan of apps to a plan that knows of their owners: looked at only when something is to be created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.owners import domains_with_new_profiles, holders_needed, owners_needed, with_owners
from engine.core.sso import with_auth_mode
from engine.executor.owner_look import auth_mode, look_at_owners

if TYPE_CHECKING:
    from engine.app.loading import Loaded
    from engine.app.session import Joined
    from engine.core.plan import Plan


async def with_declared_owners(made: Plan, loaded: Loaded, parts: Joined) -> Plan:
    """Return `made` with what is done about the profiles and spaces that its creates need.

    A night that creates nothing asks nothing here. Raises StoppedError when the run is stopped meanwhile.
    """
    fleet = loaded.fleet
    needed = owners_needed(made, fleet)
    if not needed:
        return made
    seen = await look_at_owners(parts.run, needed)
    create = loaded.settings.create_owners
    holders = holders_needed(fleet, seen) if create else ()
    if holders:
        seen |= await look_at_owners(parts.run, holders)
    made = with_owners(made, fleet, seen, create=create)
    for domain in domains_with_new_profiles(made):
        made = with_auth_mode(made, domain, await auth_mode(parts.run, domain))
    return made
