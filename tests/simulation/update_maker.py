"""Profiles and spaces of a night that are not set as declared, and what befalls the calls that update them.

Everything here is drawn from a generator of its own, so that the apps of a seed do not depend on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from engine.core.identity import USER
from engine.core.owner_settings import APP_SETTINGS, declared_settings
from engine.simulator.world.faults import FailureRule, Fault, FaultKind, FaultRule
from tests.simulation.fleet_maker import Kind
from tests.simulation.owner_maker import LATE_OWNER, LOST, NIGHT_SECONDS, standing_owner

if TYPE_CHECKING:
    import random

    from engine.core.desired import DesiredOwner
    from tests.simulation.scenario import Scenario

SHARE: Final = 0.5  # of the nights whose fleet declares settings
UPDATE_SHARE: Final = 0.85  # of these, with [owners] update
DECLARED_SHARE: Final = 0.6  # of the owners
OTHERWISE_SHARE: Final = 0.6  # of what stands there
OPERATIONS: Final = ("UpdateUserProfile", "UpdateSpace")
ROLES: Final = ("arn:aws:iam::111122223333:role/studio", "arn:aws:iam::111122223333:role/other")


def draw_updates(rng: random.Random, scenario: Scenario) -> None:
    """Declare settings of some owners, let some of what stands there differ, or leave the night as it is."""
    drawn = rng.random() < SHARE
    if not drawn or scenario.kind is Kind.SCARCE:
        return
    world = scenario.world
    scenario.compares = True
    scenario.settings = replace(scenario.settings, update_owners=rng.random() < UPDATE_SHARE)
    world.timing = replace(
        world.timing,
        profile_updating=rng.choice([(0.2, 1.0), (2.0, 20.0)]),
        space_updating=rng.choice([(0.2, 1.0), (2.0, 20.0)]),
    )
    owners = tuple(_with_settings(rng, one) if rng.random() < DECLARED_SHARE else one for one in scenario.fleet.owners)
    scenario.fleet = replace(scenario.fleet, owners=owners)
    ids = {domain.name: domain.domain_id for domain in scenario.fleet.domains}
    for declared in owners:
        there = standing_owner(world, ids[declared.owner.domain], declared.owner.kind, declared.owner.name)
        if there is not None and rng.random() >= OTHERWISE_SHARE:
            there.settings = declared_settings(declared)
    if scenario.kind is Kind.STORM:
        _troubles(rng, scenario)


def _with_settings(rng: random.Random, declared: DesiredOwner) -> DesiredOwner:
    if declared.owner.kind == USER:
        return replace(declared, execution_role=rng.choice(ROLES))
    if declared.app_type not in APP_SETTINGS:
        return replace(declared, settings={"SpaceManagedResources": "ENABLED"})
    volume: dict[str, Any] = {"ebs_gb": 10} if rng.random() < 0.3 else {}
    return replace(declared, idle_minutes=rng.choice([60, 120]), **volume)


def _troubles(rng: random.Random, scenario: Scenario) -> None:
    world, start = scenario.world, scenario.world.now
    for _ in range(rng.randint(0, 3)):
        begin = start + rng.choice([0.0, rng.uniform(0.0, NIGHT_SECONDS / 2)])
        until = begin + rng.uniform(5.0, NIGHT_SECONDS)
        fault = rng.choice([LATE_OWNER, Fault(FaultKind.ACCESS_DENIED), *map(Fault, LOST)])
        scenario.faults.append(FaultRule(fault, rng.choice(OPERATIONS), rng.choice([0.1, 0.4, 0.9]), begin, until))
    if rng.random() < 0.25:
        world.update_failures = [FailureRule("no such role", probability=rng.choice([0.1, 0.5]))]
