"""`appfleet status`: observed apps beside the desired ones."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from engine.cli import flags
from engine.cli.output import wants_colour, width_of, write_result
from engine.core.errors import ExitCode


class StatusFormat(StrEnum):
    """How the status is written."""

    TEXT = "text"
    JSON = "json"


def status(
    ctx: typer.Context,
    format_: Annotated[StatusFormat, flags.flag("--format", help="How the status is written.")] = StatusFormat.TEXT,
    simulate: flags.SimulateFlag = None,
    domain: flags.DomainFlag = None,
    team: flags.TeamFlag = None,
    user: flags.UserFlag = None,
    space: flags.SpaceFlag = None,
    app_type: flags.AppTypeFlag = None,
    key: flags.KeyFlag = None,
) -> int:
    """Show observed apps beside the declared ones."""
    import asyncio

    from engine import app
    from engine.cli.context import options_of, selectors_of, simulate_of
    from engine.cli.sinks import Sinks, new_run_id
    from engine.render.json_text import json_text
    from engine.render.status_text import status_text

    selectors = selectors_of(domain, team, user, space, app_type, key)
    options = options_of(ctx.obj, selectors=selectors, simulate=simulate_of(simulate), run_id=new_run_id())
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        view = asyncio.run(sinks.ticking(app.status(options, sinks.emit)))
        sinks.clear()
        if format_ is StatusFormat.JSON:
            text = json_text(view.to_json())
        else:
            text = status_text(view, colour=wants_colour(sys.stdout), width=width_of(sys.stdout))
        written = write_result(text)
    return ExitCode.OK if view.complete and written else ExitCode.FAILED
