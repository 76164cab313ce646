"""The faces of the contract suite: the world in memory, and the same world through the SDK over loopback HTTP."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from engine.adapters.aws.sessions import Clouds
from engine.core.desired import AppSpec, DesiredDomain, Source
from engine.ports.cloud import AppName
from engine.simulator.faces.http_face import serve
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import owner_operations as owners
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from engine.simulator.world.world import Timing, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from engine.ports.cloud import Cloud

ACCOUNT = "111122223333"
REGION = "eu-west-1"
DOMAIN_ID = "d-abcd1234efgh"
START = 1_800_000_000.0
FACES = ("memory", "http")


@dataclass
class Contract:
    """A cloud to test, the world behind it, and the hand on its clock."""

    cloud: Cloud
    world: World
    clock: list[float]

    def pass_time(self, seconds: float) -> None:
        self.clock[0] += seconds

    def fault(self, kind: FaultKind, operation: str = "*", **more: str) -> None:
        """Let the next call of an operation meet a fault."""
        self.world.faults.rules.append(FaultRule(Fault(kind, **more), operation, max_count=1))  # type: ignore[arg-type]

    async def create(self, app: AppName, instance_type: str | None = "ml.t3.medium", **tags: str) -> str:
        spec = AppSpec(instance_type=instance_type)
        return await self.cloud.create_app(app, spec, tuple(sorted(tags.items())))


def lab(space: str = "alice-lab", app_name: str = "default") -> AppName:
    return AppName(DOMAIN_ID, "space", space, "JupyterLab", app_name)


def kernel(name: str, user: str = "alice") -> AppName:
    return AppName(DOMAIN_ID, "user", user, "KernelGateway", name)


def canvas(user: str = "alice") -> AppName:
    return AppName(DOMAIN_ID, "user", user, "Canvas", "default")


def make_world() -> World:
    timing = Timing(app_pending=(2.0, 2.0), app_deleting=(3.0, 3.0))
    world = World(account=ACCOUNT, timing=timing)
    world.advance(START)
    domain = owners.add_domain(world, DOMAIN_ID, REGION, ACCOUNT)
    for user in ("alice", "bob"):
        owners.create_profile(world, domain, user, at_once=True)
        settings = {"AppType": "JupyterLab"}
        owners.create_space(
            world, domain, f"{user}-lab", owner=user, sharing="Private", settings=settings, at_once=True
        )
    return world


@asynccontextmanager
async def _over_http(world: World, clock: list[float]) -> AsyncIterator[Cloud]:
    server = await serve(world, "127.0.0.1", 0, lambda: clock[0])
    domain = DesiredDomain("research", DOMAIN_ID, REGION, Source("fleet.toml", 1), account=ACCOUNT)
    try:
        async with Clouds(endpoint_url=server.url, call_total_max_seconds=2.0) as clouds:
            yield await clouds.connect(domain)
    finally:
        await server.close()


@pytest.fixture(params=FACES)
async def contract(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Contract]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    world, clock = make_world(), [START]
    if request.param == "memory":
        yield Contract(MemoryCloud(world, lambda: clock[0], region=REGION, check_requests=True), world, clock)
        return
    async with _over_http(world, clock) as cloud:
        yield Contract(cloud, world, clock)
