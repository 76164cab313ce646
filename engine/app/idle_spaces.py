"""Asks for what `status --spaces` shows: the spaces of each domain, and what the journal knows of their apps."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.app.history import last_seen
from engine.core.errors import CloudError, StateError
from engine.core.identity import SPACE
from engine.core.idle_spaces import IdleSpaces, SpaceFacts, idle_spaces
from engine.core.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.app.loading import Loaded
    from engine.app.session import Joined
    from engine.core.desired import DesiredFleet
    from engine.core.identity import Owner
    from engine.core.idle_spaces import SeenInRun
    from engine.core.observed import ObservedFleet, ObservedOwner
    from engine.core.selectors import Selectors


async def look_at_spaces(
    loaded: Loaded, parts: Joined, observed: ObservedFleet, selectors: Selectors, *, now: float, idle_days: int
) -> tuple[IdleSpaces, dict[str, Trouble]]:
    """Return the selected spaces without an app, and why the spaces of a domain could not be listed, by its name.

    `observed` holds all apps of each domain. Raises StoppedError when the run is stopped.
    """
    fleet, run = loaded.fleet, parts.run
    teams = _teams(fleet)
    spaces: list[ObservedOwner] = []
    errors: dict[str, Trouble] = {}
    whole = sorted(name for name, domain in observed.domains.items() if domain.error is None and domain.scanned_whole)
    for name in whole:
        try:
            rows = await run.owner_scanner(name).all_of(SPACE)
        except CloudError as error:
            errors[name] = Trouble(error.told_code, f"spaces of domain {name}: {error.message}", error.hint, name)
            continue
        spaces += (
            row
            for row in rows.values()
            if selectors.selects_space(
                row.owner, user=row.owner_user, app_type=row.app_type, teams=teams.get(row.owner, ())
            )
        )
    book = loaded.policies.admission.prices
    prices = {domain.name: book.storage(domain.region) for domain in fleet.domains}
    facts = SpaceFacts(
        now,
        _seen(parts, fleet.name),
        {name: price for name, price in prices.items() if price is not None},
        frozenset(declared.owner for declared in fleet.owners),
    )
    apps = (app for name in whole for app in observed.domains[name].apps.values())
    return idle_spaces(spaces, apps, facts, idle_days), errors


def _teams(fleet: DesiredFleet) -> Mapping[Owner, set[str]]:
    teams: defaultdict[Owner, set[str]] = defaultdict(set)
    for declared in fleet.owners:
        teams[declared.owner].update(declared.teams)
    for app in fleet.apps:
        teams[app.key.owner_key].add(app.team)
    return teams


def _seen(parts: Joined, fleet: str) -> Mapping[Owner, SeenInRun]:
    """Return the last run that had to do with an app of each space. A journal that cannot be read shows none."""
    seen: dict[Owner, SeenInRun] = {}
    with suppress(StateError):
        for key, last in last_seen(parts.state, fleet).items():
            other = seen.setdefault(key.owner_key, last)
            if last.at > other.at:
                seen[key.owner_key] = last
    return seen
