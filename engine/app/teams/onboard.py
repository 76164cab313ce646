"""What the commands `onboard` and `offboard` are made of, from what was asked to what `app.apply` takes.

Not here: the team's file itself (`team_file`), or what is laid over the fleet (`overlay`, `undo`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.app.answers import answers
from engine.app.history import run_of_fleet, run_trail_of
from engine.app.loading import read, today
from engine.app.looking import looking
from engine.app.teams.overlay import Offboarding, Onboarding, offboarding
from engine.app.teams.team_file import TeamAsked, TeamWritten, write_team
from engine.app.teams.undo import Undoing, undoing
from engine.config.fleet.fleet_file import load_fleet
from engine.core.facts import Facts
from engine.core.identity import USER
from engine.core.owners import SSO_MODE
from engine.core.questions import SignsIn
from engine.core.selectors import Selectors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.core.identity import Owner
    from engine.ports.events import Emit


def onboarding_of(
    options: AppOptions, asked: TeamAsked, auth_mode: Callable[[str], str]
) -> tuple[TeamWritten, AppOptions, Onboarding]:
    """Write the team's file, and give the run of that team alone. Raises UsageError and ConfigError.

    `auth_mode` gives how people sign in to a domain; it is asked where members have names to sign in with.
    """
    written = write_team(options.fleet_file, asked, lambda domain: auth_mode(domain) == SSO_MODE)
    selected = options.about(Selectors(domains=(written.domain,), teams=(written.team,)))
    return written, selected, Onboarding(written.domain, written.team)


def offboarding_of(
    options: AppOptions, team: str, inside: str, *, with_owners: bool, confirmed: bool
) -> tuple[AppOptions, Offboarding]:
    """Return the run that lets a team go; `confirmed`: with --yes, so that nobody types a confirmation."""
    allowed = options.request.allow_destructive if with_owners and confirmed else None
    letting = offboarding(options.fleet_file, team, inside, with_owners=with_owners, allowed=allowed)
    return options.about(Selectors(teams=(team,))), letting


def undoing_of(options: AppOptions, run_id: str, *, confirmed: bool) -> tuple[AppOptions, Undoing]:
    """Return the run that takes back what a past run made, by its journal; `confirmed` as of `offboarding_of`.

    Raises UsageError and StateError.
    """
    detail = run_of_fleet(options, run_id, load_fleet(options.fleet_file).fleet.name)
    allowed = options.request.allow_destructive if confirmed else None
    taking_back = undoing(detail, run_trail_of(options, run_id), allowed)
    return options.about(Selectors(teams=(run_id,))), taking_back


def people_of(fleet: Sequence[tuple[Owner, str | None]], domain: str, members: Sequence[str]) -> Mapping[Owner, str]:
    """Map the owners of `domain` to the member that each belongs to: profiles by name, spaces by their owner."""
    wanted = set(members)
    found = {owner: owner.name if owner.kind == USER else holder for owner, holder in fleet if owner.domain == domain}
    return {owner: member for owner, member in found.items() if member is not None and member in wanted}


def owners_in(options: AppOptions) -> list[tuple[Owner, str | None]]:
    """Return every declared owner with the user that a space belongs to."""
    return [(one.owner, one.owner_user) for one in load_fleet(options.fleet_file).fleet.owners]


async def auth_mode(options: AppOptions, domain: str, emit: Emit) -> str:
    """Ask how people sign in to a domain of the fleet, `IAM` or `SSO`; empty where that cannot be read."""

    async def ask(options: AppOptions, _: Loaded, parts: Joined) -> str:
        mode = (await answers((SignsIn(domain),), Facts(), options, parts)).auth_modes[domain]
        return mode if isinstance(mode, str) else ""

    options = options.about(Selectors(domains=(domain,)))
    return await looking(options, read(options, today()), emit, ask)
