"""Small worlds for tests. Everything takes exactly as long as it says here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.core.desired import AppSpec
from engine.core.identity import Lane
from engine.simulator.service import app_operations as apps
from engine.simulator.service import owner_operations as owners
from engine.simulator.service.api import answer
from engine.simulator.world.records import App, app_id
from engine.simulator.world.world import Timing, World

if TYPE_CHECKING:
    from engine.core.identity import OwnerKind
    from engine.simulator.world.records import AppId, Domain

ACCOUNT = "111122223333"
REGION = "eu-west-1"
DOMAIN_ID = "d-abc"
START = 1_800_000_000.0
TIMING = Timing(
    app_pending=(2.0, 2.0),
    app_deleting=(3.0, 3.0),
    profile_pending=(1.0, 1.0),
    profile_deleting=(1.0, 1.0),
    space_pending=(1.0, 1.0),
    space_updating=(1.0, 1.0),
    space_deleting=(1.0, 1.0),
)
LANE = Lane(ACCOUNT, REGION)


def make_world(**options: Any) -> World:
    world = World(account=ACCOUNT, timing=options.pop("timing", TIMING), **options)
    world.advance(START)
    domain = owners.add_domain(world, DOMAIN_ID, REGION, ACCOUNT)
    owners.create_profile(world, domain, "alice", at_once=True)
    add_space(world, "alice-lab", owner="alice")
    return world


def the_domain(world: World) -> Domain:
    return world.domains[DOMAIN_ID]


def add_space(
    world: World, name: str, app_type: str | None = "JupyterLab", sharing: str = "Private", owner: str = "alice"
) -> None:
    settings = {} if app_type is None else {"AppType": app_type}
    owners.create_space(
        world, the_domain(world), name, owner=owner, sharing=sharing if owner else "", settings=settings, at_once=True
    )


def lab_key(space: str = "alice-lab", name: str = "default") -> AppId:
    return app_id(DOMAIN_ID, "space", space, "JupyterLab", name)


def create(
    world: World,
    app_type: str = "JupyterLab",
    *,
    space: str | None = None,
    user: str | None = None,
    name: str = "default",
    instance_type: str | None = None,
    **tags: str,
) -> App:
    kind: OwnerKind = "user" if user else "space"
    owner = user or space or "alice-lab"
    key = app_id(DOMAIN_ID, kind, owner, app_type, name)
    return apps.create_app(world, the_domain(world), key, owner, AppSpec(instance_type=instance_type), tags)


def pass_time(world: World, seconds: float) -> None:
    world.advance(world.now + seconds)


def call(world: World, operation: str, /, *caller: Lane, **params: Any) -> dict[str, Any]:
    """Call the API at the world's own time, as LANE unless another one is given."""
    return answer(world, caller[0] if caller else LANE, operation, params, world.now)


def statuses(world: World) -> dict[str, str]:
    return {key.app_name: app.status for key, app in world.apps.items()}
