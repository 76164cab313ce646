"""`appfleet status`: observed apps beside the desired ones."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.cli import flags
from engine.cli.asked import Looked, taking
from engine.cli.output import fitted, wants_colour, width_of, write_result
from engine.cli.plan import PlanFormat
from engine.core.errors import ExitCode, UsageError
from engine.core.limits import IDLE_MAX_DAYS

if TYPE_CHECKING:
    from engine.core.status import StatusView

EXPIRING_WITHIN: Final = "14d"
IDLE_DAYS: Final = 30


@taking
def status(
    ctx: typer.Context,
    format_: Annotated[PlanFormat, flags.flag("--format", help="Format of the status.")] = PlanFormat.TEXT,
    expiring_within: Annotated[
        str, flags.flag("--expiring-within", help="List apps that expire within this time.", metavar="DURATION")
    ] = EXPIRING_WITHIN,
    all_: Annotated[bool, flags.flag("--all", help="Show every app, and list all that need attention.")] = False,
    spaces: Annotated[
        bool, flags.flag("--spaces", help="Also list spaces without an app, with the size and cost of their volumes.")
    ] = False,
    idle_days: Annotated[
        int,
        flags.flag(
            "--idle-days",
            help="With --spaces: only spaces without an app for this many days.",
            metavar="DAYS",
            min=0,
            max=IDLE_MAX_DAYS,
        ),
    ] = IDLE_DAYS,
    at: flags.AtFlag = None,
    fail_on_drift: flags.FailOnDriftFlag = False,
    *,
    asked: Looked,
) -> int:
    """Compare the existing apps with the declared ones.

    One line per team, then what needs attention. Makes read-only calls. Exits 1 only if a domain could not be listed.
    """
    from engine.app import status as app_status
    from engine.cli.context import duration_of, instant_of
    from engine.cli.sinks import Sinks
    from engine.core.trouble import first_of

    within_s = duration_of(expiring_within, "--expiring-within") or 0.0
    # A variable may be set for all commands of a shell; a flag is meant for this one.
    if not spaces and getattr(ctx.get_parameter_source("idle_days"), "name", "") == "COMMANDLINE":
        hint = f"Use --spaces --idle-days {idle_days}"
        raise UsageError("--idle-days only works with --spaces", hint=hint)
    options = replace(asked.options(ctx.obj), at=instant_of(at, "--at"))
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        view = sinks.run(app_status.status(options, sinks.emit, within_s, idle_days if spaces else None))
        written = write_result(_in_format(view, format_, every=all_))
    ctx.obj.call.trouble = first_of(view.errors) if view.errors else None
    if not (view.complete and written):
        return ExitCode.FAILED
    return ExitCode.CHANGES if fail_on_drift and view.has_drifted else ExitCode.OK


def _in_format(view: StatusView, format_: PlanFormat, *, every: bool) -> str:
    from engine.render.json_text import json_text
    from engine.render.status_markdown import status_markdown
    from engine.render.status_text import status_text

    match format_:
        case PlanFormat.JSON:
            return json_text(view.to_json())
        case PlanFormat.MARKDOWN:
            return status_markdown(view, every=every)
        case PlanFormat.TEXT:
            text = status_text(view, colour=wants_colour(sys.stdout), width=width_of(sys.stdout), every=every)
            return fitted(text, sys.stdout)
