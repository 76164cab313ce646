"""The world that a fleet needs: what `--simulate` without a scenario begins with.

The domains, user profiles and spaces that the fleet declares are there and InService, with the settings that it
declares, and the limits are generous, so that plan and apply work at once. No app is there.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from engine.core.errors import UsageError
from engine.core.identity import SPACE, USER
from engine.core.nearest import nearest
from engine.core.owner_settings import declared_settings
from engine.core.text import clean
from engine.core.training_plans import plan_arn
from engine.simulator.scenario.fleet_ingredients import add_ingredients
from engine.simulator.service import owner_operations as owners
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.training_plans import training_plan
from engine.simulator.world.world import DEFAULT_ACCOUNT, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.desired import DesiredFleet, DesiredOwner
    from engine.simulator.world.records import Domain

DAY_SECONDS: Final = 86_400.0
GENEROUS_INSTANCES_COUNT: Final = 1_000
GENEROUS_DAYS: Final = 90
GENEROUS_REQUEST_LIMITS: Final = {"CreateApp": RequestLimit(50.0, 50.0), "*": RequestLimit(100.0, 200.0)}


def world_for_fleet(fleet: DesiredFleet, now: float, *, with_owners: bool = True) -> World:
    """Return a world in which the fleet can be applied, beginning at `now` (epoch seconds).

    Without `with_owners` only its domains are there: for a fleet whose owners are made before their apps.
    """
    accounts = [domain.account for domain in fleet.domains if domain.account is not None]
    accounts += [plan.account for app in fleet.apps if (plan := plan_arn(app.spec.training_plan_arn)) is not None]
    world = World(account=accounts[0] if accounts else DEFAULT_ACCOUNT, request_limits=dict(GENEROUS_REQUEST_LIMITS))
    extend_for_fleet(world, fleet, now, with_owners=with_owners)
    return world


def extend_for_fleet(world: World, fleet: DesiredFleet, now: float, *, with_owners: bool = True) -> None:
    """Add what the fleet declares and the world does not have: domains, user profiles and spaces, never apps.

    What is there stays as it is, so a world that was kept from an earlier run goes on.
    """
    world.advance(now)
    by_name: dict[str, Domain] = {}
    # Only a domain of IAM Identity Center takes the user names that the fleet writes down.
    sso = {one.owner.domain for one in fleet.owners if one.sso_identity is not None and not one.sso_is_guessed}
    for declared in fleet.domains:
        found = world.domains.get(declared.domain_id)
        if found is None:
            account = declared.account or world.account
            found = owners.add_domain(
                world,
                declared.domain_id,
                declared.region,
                account,
                name=declared.name,
                auth_mode="SSO" if declared.name in sso else "IAM",
            )
        by_name[declared.name] = found
    _add_training_plans(world, fleet, by_name)
    add_ingredients(world, fleet, by_name)
    if not with_owners:
        return
    of_users = [one for one in fleet.owners if one.owner.kind == USER]
    of_spaces = [one for one in fleet.owners if one.owner.kind == SPACE]
    for owner in (*of_users, *of_spaces):
        domain = by_name.get(owner.owner.domain)
        if domain is not None:
            _add_owner(world, domain, owner)


def _add_training_plans(world: World, fleet: DesiredFleet, domains: Mapping[str, Domain]) -> None:
    """Add each training plan that an app names, of the app's own region and account, with room for many apps."""
    types: defaultdict[str, set[str]] = defaultdict(set)
    for app in fleet.apps:
        arn, domain = app.spec.training_plan_arn or "", domains.get(app.key.domain)
        found = plan_arn(arn)
        if found is not None and domain is not None and domain.lane == (found.account, found.region):
            types[arn].add(app.spec.instance_type or "")
    for arn, reserved in sorted(types.items()):
        if arn not in world.training_plans:
            world.training_plans[arn] = training_plan(
                arn,
                sorted(reserved),
                GENEROUS_INSTANCES_COUNT,
                starts_at=world.now - DAY_SECONDS,
                ends_at=world.now + DAY_SECONDS * GENEROUS_DAYS,
            )


def require_domain(world: World, domain_id: str) -> None:
    """Raise UsageError for a domain that is not in the world."""
    if domain_id in world.domains:
        return
    near = nearest(domain_id, world.domains)
    hint = f"Did you mean {near}?" if near else f"It has: {', '.join(sorted(world.domains)) or 'none'}"
    raise UsageError(f"the simulated account has no domain {clean(domain_id)}", hint=hint)


def _add_owner(world: World, domain: Domain, declared: DesiredOwner) -> None:
    name = declared.owner.name
    settings = declared_settings(declared)
    if declared.owner.kind == USER:
        if name.lower() not in domain.profiles:
            sso = (
                ("UserName", declared.sso_identity) if domain.auth_mode == "SSO" and declared.sso_identity else ("", "")
            )
            owners.create_profile(
                world, domain, name, settings=settings, tags=dict(declared.tags), sso=sso, at_once=True
            )
        return
    if name in domain.spaces:
        return
    holder = declared.owner_user or ""
    if holder and holder.lower() not in domain.profiles:
        owners.create_profile(world, domain, holder, at_once=True)
    owners.create_space(
        world,
        domain,
        name,
        owner=holder,
        sharing=(declared.sharing or "Private") if holder else "",
        settings=settings,
        tags=dict(declared.tags),
        at_once=True,
    )
