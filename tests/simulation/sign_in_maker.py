"""Domains of IAM Identity Center in a night: who has a user name there, and what befalls the calls that assign them.

Everything here is drawn from a generator of its own, so that a night in which people sign in otherwise is as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.core.identity import USER
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from tests.simulation.fleet_maker import Kind
from tests.simulation.owner_maker import LOST, identity_of

if TYPE_CHECKING:
    import random

    from tests.simulation.scenario import Scenario

SHARE: Final = 0.3  # of the nights whose fleet makes owners
KNOWN_SHARE: Final = 0.9  # of the users, in the identity store
TROUBLE_SHARE: Final = 0.5  # of the nights of storm
OPERATIONS: Final = ("ListInstances", "GetUserId", "CreateApplicationAssignment")
TROUBLES: Final = (*LOST, FaultKind.ACCESS_DENIED, FaultKind.EXPIRED_CREDENTIALS)


def draw_sign_in(rng: random.Random, scenario: Scenario) -> None:
    """Let people sign in through IAM Identity Center, or leave the night as it is."""
    drawn = rng.random() < SHARE
    if not drawn or scenario.kind is Kind.SCARCE or not scenario.settings.create_owners:
        return
    scenario.settings = replace(scenario.settings, assign_users=True)
    owners = [
        replace(one, sso_identity=identity_of(one.owner.name)) if one.owner.kind == USER else one
        for one in scenario.fleet.owners
    ]
    scenario.fleet = replace(scenario.fleet, owners=tuple(owners))
    world = scenario.world
    for domain in world.domains.values():
        domain.auth_mode = "SSO"
    world.center.profiles_need_users = False
    names = [one.sso_identity for one in owners if one.sso_identity is not None]
    world.center.users = [name for name in names if rng.random() < KNOWN_SHARE]
    if scenario.kind is Kind.STORM and rng.random() < TROUBLE_SHARE:
        for operation in OPERATIONS:
            fault = Fault(rng.choice(TROUBLES))
            scenario.faults.append(
                FaultRule(fault, operation, rng.choice([0.1, 0.3, 1.0]), max_count=rng.randint(1, 9))
            )
