"""`appfleet simulate`: serves a simulated SageMaker on loopback until it is stopped."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.cli import flags
from engine.cli.output import write_result
from engine.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from engine.simulator.world.world import World

LOOPBACK: Final = "127.0.0.1"
DEFAULT_REGION: Final = "eu-west-1"


def simulate(
    ctx: typer.Context,
    port: Annotated[
        int, flags.flag("--port", help="Listen here; 0 takes a free port.", metavar="PORT", min=0, max=65535)
    ] = 0,
    scenario: Annotated[
        Path | None, flags.path_flag("--scenario", help="Limits, times and faults of the world, as TOML.")
    ] = None,
    for_fleet: Annotated[
        bool, flags.flag("--for-fleet", help="Make the domains, profiles and spaces that the fleet file declares.")
    ] = False,
) -> int:
    """Serve a simulated SageMaker on loopback.

    It runs until SIGINT or SIGTERM. It speaks the service's own protocol, so appfleet, boto3 and the AWS CLI work
    against it; it prints the variables that point them there.
    """
    import asyncio

    world = _world(ctx.obj.fleet_file if for_fleet else None, scenario)
    asyncio.run(_serve(world, port))
    return ExitCode.OK


def _world(fleet_file: Path | None, scenario: Path | None) -> World:
    """Make the world: what the fleet declares, what the scenario says, or both, the scenario laid over the fleet's."""
    from engine.config.fleet.fleet_file import load_fleet
    from engine.simulator.scenario.fleet_world import world_for_fleet
    from engine.simulator.scenario.scenario import load_scenario
    from engine.simulator.world.world import World

    read = None if scenario is None else load_scenario(scenario)
    if fleet_file is None:
        return World() if read is None else read.build(time.time())
    world = world_for_fleet(load_fleet(fleet_file).fleet, time.time())
    if read is not None:
        read.apply_to(world, time.time())
    return world


async def _serve(world: World, port: int) -> None:
    import asyncio

    from engine.simulator.faces.http_face import serve

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
        write_result(
            f"Simulated SageMaker on {server.url}. Stop it with Ctrl-C.\n"
            f"  export AWS_ENDPOINT_URL={server.url}\n"
            f"  export AWS_ACCESS_KEY_ID=simulated AWS_SECRET_ACCESS_KEY=simulated AWS_DEFAULT_REGION={region}\n"
        )
        await stopped.wait()
    finally:
        await server.close()
