"""How much work the teams of a fleet ask for, counted before any of it is done.

Each member of a team gets each of its apps and spaces, and people who are in many teams get the same ones many times:
a small file can ask for work without an end. Not here: the bound on what comes of it (`expand`).
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.config.fleet.written import DomainDef, TeamDef
from engine.config.reading.problems import Code, Problems, TooMany
from engine.config.service.fields import MEMBER
from engine.core.limits import TEAM_PAIRS_MAX_COUNT


def refuse_endless_work(domains: Iterable[DomainDef], problems: Problems) -> None:
    """Note that the teams ask for more than the bound, at the team that asks for most, and raise TooMany."""
    counted = [(_pairs(team), team) for domain in domains for team in domain.teams.values()]
    total = sum(pairs for pairs, _ in counted)
    if total <= TEAM_PAIRS_MAX_COUNT:
        return
    pairs, team = max(counted, key=lambda one: one[0])
    message = (
        f"the teams give {total:,} pairs of a member and an app or space, more than {TEAM_PAIRS_MAX_COUNT:,}; "
        f"team {team.name} alone gives {pairs:,}"
    )
    hint = "Put people who are in many teams into one, or split the fleet into several"
    problems.error(Code.LIMIT, team.place, message, hint)
    raise TooMany


def _pairs(team: TeamDef) -> int:
    """Count the team's members, each once for itself, for each app, and for each space and its apps."""
    for_each = 1 + len(team.user_apps) + sum(1 + len(space.apps) for space in team.spaces if MEMBER in space.name)
    once = sum(1 + len(space.apps) for space in team.spaces if MEMBER not in space.name)
    return len(team.members) * for_each + once
