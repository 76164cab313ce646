"""Which domains of a fleet a shard has, from what is written: before the teams become people, and entries apps.

The others are left out of what follows, so a process holds no more than its shard. Not here: how lanes are divided
(`core.shards`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from engine.config.fleet.written import DomainDef, OwnerDef, TeamDef
from engine.config.reading.problems import Code, Problems
from engine.config.service.fields import MEMBER
from engine.core.identity import Lane
from engine.core.shards import Shard, account_named, divided


def of_shard(domains: Mapping[str, DomainDef], shard: Shard | None, problems: Problems) -> Mapping[str, DomainDef]:
    """Return the domains of the shard's lanes; all of them without a shard, and where problems keep lanes unknown."""
    if shard is None:
        return domains
    lanes: dict[str, Lane] = {}
    sizes: Counter[Lane] = Counter()
    for domain in domains.values():
        account, region = _account(domain), domain.own.get("region")
        if not account:
            message = f"--shard divides a fleet by account and region, and domain {domain.name} names no account"
            hint = 'Add account = "…" to the domain, 12 digits'
            problems.error(Code.VALUE, domain.place, message, hint)
        elif isinstance(region, str):
            lane = lanes[domain.name] = Lane(account, region)
            sizes[lane] += _apps(domain)
    if problems.errors:
        return domains
    mine = divided(sizes, shard.count)[shard.index]
    return {name: domain for name, domain in domains.items() if lanes[name] in mine}


def _account(domain: DomainDef) -> str:
    account, role = (domain.own.get(key) for key in ("account", "role_arn"))
    return account_named(account if isinstance(account, str) else None, role if isinstance(role, str) else None)


def _apps(domain: DomainDef) -> int:
    """Count the apps that a domain asks for; one that several teams give a person counts for each of them."""
    owners = sum(len(owner.apps) for owner in (*domain.users.values(), *domain.spaces.values()))
    return owners + sum(map(_apps_of_team, domain.teams.values()))


def _apps_of_team(team: TeamDef) -> int:
    return len(team.members) * len(team.user_apps) + sum(_apps_of_space(space, team) for space in team.spaces)


def _apps_of_space(space: OwnerDef, team: TeamDef) -> int:
    return len(space.apps) * (len(team.members) if MEMBER in space.name else 1)
