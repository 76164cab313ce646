"""A simulated SageMaker that serves on loopback, for any client, until it is stopped.

Not here: the one that a command has for itself (`simulated`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from engine.config.fleet.fleet_file import load_fleet
from engine.core.errors import UsageError
from engine.simulator.faces.http_face import serve
from engine.simulator.scenario.fleet_world import world_for_fleet
from engine.simulator.scenario.scenario import load_scenario
from engine.simulator.world.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOPBACK: Final = "127.0.0.1"
DEFAULT_REGION: Final = "eu-west-1"


def world_of(fleet_file: Path | None, scenario: Path | None) -> World:
    """Make the world: what the fleet declares, what the scenario says, or one on top of the other."""
    read = None if scenario is None else load_scenario(scenario)
    if fleet_file is None:
        return World() if read is None else read.build(time.time())
    world = world_for_fleet(load_fleet(fleet_file).fleet, time.time())
    if read is not None:
        read.apply_to(world, time.time())
    return world


async def serve_until_stopped(world: World, port: int, show: Callable[[str, str], object]) -> None:
    """Serve until SIGINT or SIGTERM; `show` gets the address and a region. Raises UsageError for a port in use."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    region = next((domain.region for domain in world.domains.values()), DEFAULT_REGION)
    try:
        server = await serve(world, LOOPBACK, port, time.time)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(
            f"--port {port}: the simulator cannot listen on {LOOPBACK}:{port}: {why}",
            hint="Choose another port, or leave the flag out to get a free one",
        ) from None
    try:
        show(server.url, region)
        await stopped.wait()
    finally:
        await server.close()
