"""`appfleet preflight`: whether what a plan creates with exists, is attached and is offered."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import flags
from engine.cli.asked import Looked, taking
from engine.cli.flags import TextOrJson
from engine.cli.output import wants_colour, write_result
from engine.core.errors import ExitCode

if TYPE_CHECKING:
    from engine.core.preflight import Preflight


@taking
def preflight(
    ctx: typer.Context,
    format_: Annotated[TextOrJson, flags.flag("--format", help="Format of the result.")] = TextOrJson.TEXT,
    *,
    asked: Looked,
) -> int:
    """Ask AWS whether everything that a plan needs exists.

    Checks that images, image versions, lifecycle configurations, execution roles, training plans and instance types
    exist, are attached to their domain and are offered in their region. Makes read-only calls. Exits 3 when apps would
    fail. Lists what it may not read, and does not fail because of it.
    """
    from engine.app import preflight as app_preflight
    from engine.cli.sinks import Sinks
    from engine.core.preflight import trouble_of_faults

    options = replace(asked.options(ctx.obj), command="preflight")
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        found = sinks.run(app_preflight.preflight(options, sinks.emit))
        written = write_result(_in_format(found, format_))
    ctx.obj.call.trouble = trouble_of_faults(found)
    if not (found.complete and written):
        return ExitCode.FAILED
    if found.denied:
        return ExitCode.DENIED
    return ExitCode.INCOMPLETE if found.has_faults else ExitCode.OK


def _in_format(found: Preflight, format_: TextOrJson) -> str:
    from engine.render.json_text import json_text
    from engine.render.preflight_text import preflight_text

    if format_ is TextOrJson.JSON:
        return json_text(found.to_json())
    return preflight_text(found, colour=wants_colour(sys.stdout))
