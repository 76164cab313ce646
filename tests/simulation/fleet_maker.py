"""Fleets from a seed, and what stands there before the first run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from engine.core.desired import AppSpec, DesiredApp, DesiredDomain, DesiredFleet, Mode, Source
from engine.core.drift import KERNEL_GATEWAY, SYSTEM, SYSTEM_KERNEL_GATEWAY_TYPE
from engine.core.identity import SPACE, USER, AppKey, Lane
from engine.simulator.service import app_operations as apps
from engine.simulator.service import owner_operations as owners
from engine.simulator.service.app_operations import SPACE_ONLY
from engine.simulator.world.quotas import KERNEL_GATEWAY_APPS_PER_USER
from engine.simulator.world.records import AppId, app_id

if TYPE_CHECKING:
    import random

    from engine.core.identity import OwnerKind
    from tests.simulation.sim_world import SimWorld

FLEET_NAME: Final = "ml-platform"
FLEET_TAG: Final = "appfleet:fleet"
OTHER_FLEET_SHARE: Final = 0.3
EXPIRES_SHARE: Final = 0.1
DRIFTED_SHARE: Final = 0.6  # of the standing apps of a space whose declared type can differ
TYPES: Final = ("ml.t3.medium", "ml.m5.large", "ml.g5.xlarge")
SOURCE: Final = Source("fleet.toml", 1)
STATUSES: Final = ("InService", "InService", "InService", "Pending", "Deleting", "Failed", "Deleted")


class Kind(StrEnum):
    """What sort of night it is."""

    CALM = "calm"  # nothing goes wrong, and there is room for everything
    SCARCE = "scarce"  # nothing goes wrong but that one quota is far too small: who gets the places?
    STORM = "storm"


def make_fleet(rng: random.Random, world: SimWorld, kind: Kind) -> tuple[DesiredFleet, dict[str, Lane]]:
    """Return a fleet of 10 to 60 apps, with its owners in the world and nothing else."""
    lanes = [Lane("111122223333", "eu-west-1")]
    if kind is not Kind.SCARCE and rng.random() < 0.5:
        lanes.append(rng.choice([Lane("111122223333", "us-east-1"), Lane("444455556666", "eu-west-1")]))
    domains: list[DesiredDomain] = []
    domain_lanes: dict[str, Lane] = {}
    for place in range(1 if kind is Kind.SCARCE else rng.randint(1, 3)):
        name, lane = f"dom{place}", lanes[place % len(lanes)]
        domains.append(DesiredDomain(name, f"d-{name}", lane.region, SOURCE, account=lane.account))
        domain_lanes[name] = lane
        owners.add_domain(world, f"d-{name}", lane.region, lane.account, name=name)
    wanted: dict[AppKey, DesiredApp] = {}
    for number in range(rng.randint(10, 60)):
        domain = rng.choice(domains)
        app = _scarce_app(rng, domain.name, number) if kind is Kind.SCARCE else _app(rng, domain.name, number)
        if _kernels_beside(app, wanted) >= KERNEL_GATEWAY_APPS_PER_USER:
            continue  # such a fleet could never be in service
        wanted.setdefault(app.key, app)
        _add_owner(world, domain.domain_id, app.key)
    fleet = DesiredFleet(
        FLEET_NAME, tuple(domains), tuple(sorted(wanted.values(), key=lambda app: app.key)), (), (("fleet.toml", "0"),)
    )
    return fleet, domain_lanes


def _kernels_beside(app: DesiredApp, wanted: dict[AppKey, DesiredApp]) -> int:
    if app.key.app_type != KERNEL_GATEWAY:
        return 0
    return sum(
        other.key.owner_key == app.key.owner_key and _really(other) == _really(app)
        for other in wanted.values()
        if other.key.app_type == KERNEL_GATEWAY
    )


def _really(app: DesiredApp) -> str | None:
    instance_type = app.spec.instance_type
    return SYSTEM_KERNEL_GATEWAY_TYPE if instance_type == SYSTEM else instance_type


def world_key(fleet: DesiredFleet, key: AppKey) -> AppId:
    """Return the world's key of a declared app."""
    domain = next(domain for domain in fleet.domains if domain.name == key.domain)
    return app_id(domain.domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)


def place_what_stands(rng: random.Random, world: SimWorld, fleet: DesiredFleet, *, prune: bool) -> None:
    """Put a part of the fleet into the world, as earlier nights and other people have left it."""
    for app in fleet.apps:
        if rng.random() < 0.35 or app.mode is Mode.ABSENT:
            drifted = rng.random() < DRIFTED_SHARE
            _place(world, fleet, app.key, _standing_type(rng, app, drifted), rng.choice(STATUSES), rng.random() < 0.75)
    for domain in fleet.domains:
        for number in range(rng.randint(0, 4)):
            key = AppKey(domain.name, USER, f"old{number}", "KernelGateway", "left")
            _add_owner(world, domain.domain_id, key)
            _place(world, fleet, key, rng.choice(TYPES), rng.choice(STATUSES), prune and rng.random() < 0.6)
    if rng.random() < 0.06:
        domain = fleet.domains[0]
        for number in range(250):
            key = AppKey(domain.name, USER, f"other{number}", "Canvas", "default")
            _add_owner(world, domain.domain_id, key)
            _place(world, fleet, key, "system", "InService", ours=False)


def with_expired(rng: random.Random, fleet: DesiredFleet, kind: Kind) -> DesiredFleet:
    """Let some of the apps have a last day, most of them one that has passed."""
    if kind is Kind.SCARCE:
        return fleet
    days = [date(2026, 11, 20), date(2026, 11, 23), date(2026, 11, 24)]
    apps = tuple(
        replace(app, expires=rng.choice(days)) if rng.random() < EXPIRES_SHARE and app.mode is Mode.RUNNING else app
        for app in fleet.apps
    )
    return replace(fleet, apps=apps)


def give_away(rng: random.Random, world: SimWorld) -> None:
    """Let some of the apps that are not ours be another fleet's."""
    for app in world.apps.values():
        if FLEET_TAG not in app.tags and rng.random() < OTHER_FLEET_SHARE:
            app.tags[FLEET_TAG] = "other-fleet"


def _standing_type(rng: random.Random, app: DesiredApp, drifted: bool) -> str | None:
    declared = app.spec.instance_type
    may_drift = drifted and (*app.fallback, declared or "") != ("",) and app.key.app_type in SPACE_ONLY
    return rng.choice(TYPES) if may_drift else declared


def _place(
    world: SimWorld,
    fleet: DesiredFleet,
    key: AppKey,
    instance_type: str | None,
    status: str,
    ours: bool,
) -> None:
    domain = world.domains[next(domain.domain_id for domain in fleet.domains if domain.name == key.domain)]
    tags = {FLEET_TAG: FLEET_NAME} if ours else {}
    spec = AppSpec(instance_type=instance_type)
    apps.place_app(world, domain, world_key(fleet, key), key.owner, spec, tags, status)


def _app(rng: random.Random, domain: str, number: int) -> DesiredApp:
    team = rng.choice(["", "vision", "speech", "forecasting"])
    mode = rng.choices([Mode.RUNNING, Mode.ONCE, Mode.ABSENT], [8, 1, 1])[0]
    app_type = rng.choices(["JupyterLab", "CodeEditor", "KernelGateway", "Canvas", "JupyterServer"], [5, 2, 5, 1, 1])[0]
    fallback: tuple[str, ...] = ()
    kind: OwnerKind = USER
    if app_type in ("JupyterLab", "CodeEditor"):
        kind, owner, name = SPACE, f"{app_type.lower()}-space{number}", "default"
        instance_type: str | None = rng.choice([*TYPES, None])
        if instance_type is not None and rng.random() < 0.4:
            fallback = tuple(rng.sample([other for other in TYPES if other != instance_type], rng.randint(1, 2)))
    elif app_type == "KernelGateway":
        owner, name = f"user{rng.randrange(4)}", f"kernel-{number}"
        instance_type = rng.choice([*TYPES, "system"])
    else:
        owner, name, instance_type = f"user{number}", "default", "system"
    key = AppKey(domain, kind, owner, app_type, name)
    tags = (("cost-center", "4711"),) if rng.random() < 0.3 else ()
    return DesiredApp(key, AppSpec(instance_type=instance_type, tags=tags), SOURCE, fallback, mode, team=team)


def _scarce_app(rng: random.Random, domain: str, number: int) -> DesiredApp:
    team = rng.choices(["vision", "speech", "forecasting"], [6, 2, 1])[0]
    key = AppKey(domain, SPACE, f"lab{number}", "JupyterLab", "default")
    return DesiredApp(key, AppSpec(instance_type="ml.g5.xlarge"), SOURCE, team=team)


def _add_owner(world: SimWorld, domain_id: str, key: AppKey) -> None:
    domain = world.domains[domain_id]
    if key.owner_kind == USER:
        if key.owner not in domain.profiles:
            owners.create_profile(world, domain, key.owner, at_once=True)
        return
    if key.owner in domain.spaces:
        return
    holder = f"owner-of-{key.owner}"
    owners.create_profile(world, domain, holder, at_once=True)
    settings = {"AppType": key.app_type}
    owners.create_space(
        world, domain, key.owner, owner=holder, sharing="Private", settings=settings, tags={}, at_once=True
    )
