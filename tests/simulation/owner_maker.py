"""User profiles and spaces of a night: which of them are missing, Pending, Failed or going, and what befalls them.

Everything here is drawn from a generator of its own, so that the apps of a seed do not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from engine.app.teams.overlay import Offboarding
from engine.core.desired import DesiredOwner, holder_of
from engine.core.identity import SPACE, USER, Owner
from engine.core.owner_settings import declared_settings
from engine.core.ownership import MANAGED_TAG
from engine.simulator.service import owner_operations as owners
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from engine.simulator.world.quotas import SPACES, USER_PROFILES
from engine.simulator.world.records import DELETING, FAILED, IN_SERVICE, PENDING, UPDATE_FAILED, Profile, Space
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.values import NEVER
from tests.simulation.fleet_maker import FLEET_NAME, SOURCE, Kind

if TYPE_CHECKING:
    import random

    from engine.core.identity import OwnerKind
    from engine.simulator.world.world import Change, World
    from tests.simulation.scenario import Scenario
    from tests.simulation.sim_world import SimWorld

NIGHT_SECONDS: Final = 600.0
CREATE_SHARE: Final = 0.6
HOLDER_DECLARED_SHARE: Final = 0.7
MADE_BY: Final = (FLEET_NAME, FLEET_NAME, FLEET_NAME, "other-fleet", "")  # who says to have made what stands there
NOT_THERE_SHARE: Final = 0.5  # of the owners that nothing stands in
STANDINGS: Final = ("absent", "absent", "absent", "absent", PENDING, FAILED, DELETING)
LOST: Final = (
    FaultKind.RESET_BEFORE,
    FaultKind.RESET_AFTER,
    FaultKind.STALL_AFTER,
    FaultKind.INTERNAL_ERROR,
    FaultKind.INTERNAL_ERROR_AFTER,
    FaultKind.UNAVAILABLE,
    FaultKind.GARBAGE_AFTER,
    FaultKind.EMPTY_AFTER,
    FaultKind.REFUSED,
    FaultKind.THROTTLE,
)
LATE_OWNER: Final = Fault(FaultKind.STALL_AFTER, "late")
OPERATIONS: Final = (
    "CreateUserProfile",
    "CreateSpace",
    "CreateUserProfile",
    "CreateSpace",
    "DeleteUserProfile",
    "DeleteSpace",
    "Describe*",
    "ListUserProfiles",
    "ListSpaces",
)


def declared_of(scenario: Scenario, owner: Owner) -> DesiredOwner | None:
    """Return what the fleet declares of an owner."""
    return next((one for one in scenario.fleet.owners if one.owner == owner), None)


def standing_owner(world: World, domain_id: str, kind: OwnerKind, name: str) -> Profile | Space | None:
    """Return the owner that stands in the world; None when there is none."""
    domain = world.domains[domain_id]
    if kind == USER:
        return domain.profiles.get(name.lower())
    return domain.spaces.get(name)


@dataclass(frozen=True, slots=True)
class SomebodyMakesOwner:
    """Another administrator makes an owner, as it is declared."""

    by_people: ClassVar[bool] = True
    domain_id: str
    owner: DesiredOwner

    def apply(self, world: World) -> None:
        """Make it, where the service would."""
        try:
            make_owner(world, self.domain_id, self.owner, {}, at_once=False)
        except ServiceError:
            return


@dataclass(frozen=True, slots=True)
class SomebodyDeletesOwner:
    """Another administrator deletes an owner, if nothing is in it."""

    by_people: ClassVar[bool] = True
    domain_id: str
    owner: Owner

    def apply(self, world: World) -> None:
        """Delete it, where the service would."""
        delete = owners.delete_profile if self.owner.kind == USER else owners.delete_space
        try:
            delete(world, world.domains[self.domain_id], self.owner.name)
        except ServiceError:
            return


def identity_of(name: str) -> str:
    """Return the user name of whom a profile is for, where people sign in through IAM Identity Center."""
    return f"{name}@x"


def make_owner(
    world: World, domain_id: str, declared: DesiredOwner, tags: dict[str, str], *, at_once: bool
) -> Profile | Space:
    """Make a declared owner in the world. Raises ServiceError where the service would refuse."""
    domain, name = world.domains[domain_id], declared.owner.name
    if declared.owner.kind == USER:
        sso = ("UserName", identity_of(name)) if domain.auth_mode == "SSO" else ("", "")
        settings = declared_settings(declared)
        return owners.create_profile(world, domain, name, settings=settings, tags=tags, sso=sso, at_once=at_once)
    return owners.create_space(
        world,
        domain,
        name,
        owner=declared.owner_user or "",
        sharing=declared.sharing,
        settings=declared_settings(declared),
        tags=tags,
        at_once=at_once,
    )


def draw_owners(rng: random.Random, scenario: Scenario) -> None:
    """Declare the owners of the fleet, take some of them away, and let things befall them."""
    if scenario.kind is Kind.SCARCE:
        return
    world, fleet = scenario.world, scenario.fleet
    scenario.settings = replace(scenario.settings, create_owners=rng.random() < CREATE_SHARE)
    ids = {domain.name: domain.domain_id for domain in fleet.domains}
    scenario.fleet = replace(fleet, owners=_declared(rng, scenario, ids))
    world.timing = replace(
        world.timing,
        profile_pending=rng.choice([(0.2, 1.0), (2.0, 20.0)]),
        space_pending=rng.choice([(0.2, 1.0), (2.0, 20.0)]),
        profile_deleting=(1.0, 15.0),
        space_deleting=(1.0, 15.0),
    )
    for declared in scenario.fleet.owners:
        there = standing_owner(world, ids[declared.owner.domain], declared.owner.kind, declared.owner.name)
        if there is not None and (maker := rng.choice(MADE_BY)):
            there.tags = {MANAGED_TAG: maker}
    empty = _empty_owners(world, scenario, ids)
    for declared in sorted(empty, key=lambda one: (one.owner.kind != SPACE, one.owner)):  # spaces go before profiles
        if rng.random() < NOT_THERE_SHARE:
            _stand(rng, world, ids[declared.owner.domain], declared, rng.choice(STANDINGS))
    if scenario.kind is Kind.STORM:
        _troubles(rng, scenario, ids, empty)


def _declared(rng: random.Random, scenario: Scenario, ids: dict[str, str]) -> tuple[DesiredOwner, ...]:
    wanted: dict[Owner, DesiredOwner] = {}
    for app in scenario.fleet.apps:
        owner = app.key.owner_key
        if owner in wanted:
            continue
        if owner.kind == USER:
            wanted[owner] = DesiredOwner(owner, SOURCE)
            continue
        holder = Owner(owner.domain, USER, f"owner-of-{owner.name}")
        wanted[owner] = DesiredOwner(
            owner, SOURCE, owner_user=holder.name, sharing="Private", app_type=app.key.app_type
        )
        if rng.random() < HOLDER_DECLARED_SHARE:
            wanted[holder] = DesiredOwner(holder, SOURCE)
    assert all(owner.domain in ids for owner in wanted)
    return tuple(wanted[owner] for owner in sorted(wanted))


def _empty_owners(world: World, scenario: Scenario, ids: dict[str, str]) -> list[DesiredOwner]:
    """Return the declared owners in which no app is or was."""
    used = {(key.domain_id, key.owner_kind, key.owner) for key in world.apps}
    spaces = {space.name: space for domain in world.domains.values() for space in domain.spaces.values()}
    held = {spaces[name].owner.lower() for domain, kind, name in used if kind == SPACE and domain in ids.values()}
    return [
        declared
        for declared in scenario.fleet.owners
        if (ids[declared.owner.domain], declared.owner.kind, declared.owner.name) not in used
        and declared.owner.name.lower() not in held
    ]


def _stand(rng: random.Random, world: SimWorld, domain_id: str, declared: DesiredOwner, how: str) -> None:
    there = standing_owner(world, domain_id, declared.owner.kind, declared.owner.name)
    if there is None or (isinstance(there, Profile) and there.spaces):
        return
    if how == "absent":
        world.drop_owner(there)
        return
    there.status = how
    if how != FAILED:
        world.set_due(there, world.now + rng.choice([rng.uniform(0.5, 5.0), rng.uniform(5.0, 60.0)]))


def _troubles(rng: random.Random, scenario: Scenario, ids: dict[str, str], empty: list[DesiredOwner]) -> None:
    world = scenario.world
    if rng.random() < 0.5:
        _faults(rng, scenario)
    if rng.random() < 0.15:
        world.owner_stuck_probability = rng.uniform(0.02, 0.3)
    if rng.random() < 0.2:
        world.owner_failure_probability = rng.uniform(0.02, 0.3)
    if rng.random() < 0.25:
        _quota(rng, scenario, spaces=rng.random() < 0.5)
    if empty and rng.random() < 0.4:
        _other_people(rng, world, ids, empty)


def _faults(rng: random.Random, scenario: Scenario) -> None:
    start = scenario.world.now
    for _ in range(rng.randint(1, 3)):
        begin = start + rng.choice([0.0, rng.uniform(0.0, NIGHT_SECONDS / 2)])
        until = begin + rng.uniform(5.0, NIGHT_SECONDS)
        fault = rng.choice([LATE_OWNER, *map(Fault, LOST)])
        scenario.faults.append(FaultRule(fault, rng.choice(OPERATIONS), rng.choice([0.05, 0.3, 0.8]), begin, until))
    if rng.random() < 0.4:
        fault = Fault(rng.choice([FaultKind.MISSING_ROWS, FaultKind.DUPLICATE_ROWS]))
        scenario.faults.append(FaultRule(fault, rng.choice(["ListUserProfiles", "ListSpaces"]), 0.3, start))
    if rng.random() < 0.2:
        fault = Fault(FaultKind.ACCESS_DENIED)
        scenario.faults.append(FaultRule(fault, rng.choice(OPERATIONS), 0.3, start, start + 60.0))


def _other_people(rng: random.Random, world: SimWorld, ids: dict[str, str], empty: list[DesiredOwner]) -> None:
    """Let somebody else make and delete owners."""
    for _ in range(rng.randint(1, 8)):
        declared = rng.choice(empty)
        domain_id = ids[declared.owner.domain]
        at = world.now + rng.choice([rng.uniform(0.0, 15.0), rng.uniform(0.0, NIGHT_SECONDS / 2)])
        acts: list[Change] = [
            SomebodyMakesOwner(domain_id, declared),
            SomebodyDeletesOwner(domain_id, declared.owner),
        ]
        world.schedule(at, rng.choice(acts))
        if rng.random() < 0.3:
            world.schedule(at + rng.uniform(0.0, 30.0), rng.choice(acts))


def _quota(rng: random.Random, scenario: Scenario, *, spaces: bool) -> None:
    """Leave room for only a few more owners in one lane, and perhaps more later."""
    world, lane = scenario.world, rng.choice(sorted(set(scenario.lanes.values())))
    name = SPACES if spaces else USER_PROFILES
    used = world.count_of_owners(lane, spaces=spaces)
    world.quotas.set(name, used + rng.randint(0, 3), lane.account, lane.region)
    if rng.random() < 0.6:
        change = RaiseOwnerQuota(name, used + 100, lane.account, lane.region)
        world.schedule(world.now + rng.uniform(5.0, NIGHT_SECONDS), change)


@dataclass(frozen=True, slots=True)
class RaiseOwnerQuota:
    """The account's owner gets more profiles or spaces."""

    by_people: ClassVar[bool] = True
    name: str
    value: int
    account: str
    region: str

    def apply(self, world: World) -> None:
        """Raise it."""
        world.quotas.set(self.name, self.value, self.account, self.region)


def draw_leavers(rng: random.Random, scenario: Scenario) -> Offboarding:
    """Choose who leaves: some owners, the profiles of the spaces among them, and every app in any of these."""
    declared = scenario.fleet.owners
    chosen = {one.owner for one in rng.sample(declared, min(len(declared), rng.randint(1, 8)))}
    chosen |= {holder for one in declared if one.owner in chosen and (holder := holder_of(one)) is not None}
    apps = tuple(replace(app, team="leavers") for app in scenario.fleet.apps if app.key.owner_key in chosen)
    return Offboarding("leavers", apps, tuple(one for one in declared if one.owner in chosen), with_owners=True)


def heal_owners(scenario: Scenario) -> None:
    """Let administrators clear away what Failed, and make by hand what the fleet itself may not make."""
    world = scenario.world
    ids = {domain.name: domain.domain_id for domain in scenario.fleet.domains}
    world.owner_stuck_probability = world.owner_failure_probability = 0.0
    for domain in world.domains.values():
        every: list[Profile | Space] = [*domain.profiles.values(), *domain.spaces.values()]
        for owner in every:
            if owner.status == PENDING:
                world.set_due(owner, world.now + 1.0)
            if not _is_updated(scenario, owner):
                owner.will_fail = ""  # as below, of an update that is still under way
    makes = scenario.settings.create_owners
    for declared in sorted(scenario.fleet.owners, key=lambda one: (one.owner.kind == SPACE, one.owner)):
        domain_id = ids[declared.owner.domain]
        holder = holder_of(declared)
        if holder is not None and not (makes and declared_of(scenario, holder)):
            _restore(world, domain_id, DesiredOwner(holder, SOURCE))
        there = standing_owner(world, domain_id, declared.owner.kind, declared.owner.name)
        if there is not None and there.status == FAILED:
            world.drop_owner(there)
        if there is not None and there.status == UPDATE_FAILED and not _is_updated(scenario, there):
            there.status = IN_SERVICE
        if not makes:
            _restore(world, domain_id, declared)


def _is_updated(scenario: Scenario, there: Profile | Space) -> bool:
    """Whether the fleet itself may bring an owner back whose update has failed."""
    return scenario.settings.update_owners and there.tags.get(MANAGED_TAG) == FLEET_NAME


def _restore(world: World, domain_id: str, declared: DesiredOwner) -> None:
    there = standing_owner(world, domain_id, declared.owner.kind, declared.owner.name)
    if there is None:
        make_owner(world, domain_id, declared, {}, at_once=True)
    elif there.status != IN_SERVICE:
        there.status = IN_SERVICE
        world.set_due(there, NEVER)
