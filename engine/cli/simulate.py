"""`appfleet simulate`: serves a simulated SageMaker on loopback until it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import flags
from engine.cli.output import write_result
from engine.core.errors import ExitCode


def simulate(
    ctx: typer.Context,
    port: Annotated[
        int, flags.flag("--port", help="Port to listen on; 0 picks a free one.", metavar="PORT", min=0, max=65535)
    ] = 0,
    scenario: Annotated[
        Path | None, flags.path_flag("--scenario", help="Limits, times and faults of the world, as TOML.")
    ] = None,
    for_fleet: Annotated[
        bool, flags.flag("--for-fleet", help="Create the domains, profiles and spaces that the fleet file declares.")
    ] = False,
) -> int:
    """Serve a simulated SageMaker on loopback.

    It runs until SIGINT or SIGTERM. It speaks the service's own protocol, so appfleet, boto3 and the AWS CLI work
    against it; it prints the variables that point them there.
    """
    import asyncio

    from engine.app.serving import serve_until_stopped, world_of

    world = world_of(ctx.obj.fleet_file if for_fleet else None, scenario)
    asyncio.run(serve_until_stopped(world, port, _show))
    return ExitCode.OK


def _show(url: str, region: str) -> None:
    write_result(
        f"Simulated SageMaker on {url}. Stop it with Ctrl-C.\n"
        f"  export AWS_ENDPOINT_URL={url}\n"
        f"  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={region}\n"
    )
