"""`appfleet explain`: one app, from its layers to what the planner will do."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from engine.app.completing import Value
from engine.cli import flags
from engine.cli.asked import World, taking
from engine.cli.end_channels import is_json_on_stderr
from engine.cli.flags import TextOrJson
from engine.cli.output import say, wants_colour, write_result
from engine.core.errors import ExitCode


@taking
def explain(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            help="DOMAIN/user|space/OWNER/APP_TYPE/APP_NAME, as the plan prints it.",
            autocompletion=flags.completing(Value.KEY),
        ),
    ],
    format_: Annotated[TextOrJson, flags.flag("--format", help="Format of the explanation.")] = TextOrJson.TEXT,
    *,
    asked: World,
) -> int:
    """Show where an app's fields come from and what a run does.

    Also shows what each rule says. Lists only the app's owner; if that fails, shows everything else.
    """
    from engine.app import explain as app_explain
    from engine.cli.context import key_of
    from engine.cli.sinks import Sinks
    from engine.render.explain_text import explain_text
    from engine.render.json_text import json_text

    wanted = key_of(key, "KEY")
    options = asked.options(ctx.obj)
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        explanation = sinks.run(app_explain.explain(options, wanted, sinks.emit))
        if format_ is TextOrJson.JSON:
            text = json_text(explanation.to_json())
        else:
            text = explain_text(explanation, colour=wants_colour(sys.stdout))
        written = write_result(text)
    if explanation.change is None and not is_json_on_stderr(ctx.obj.call):
        say(f"appfleet: cannot tell what appfleet will do with {wanted}: {explanation.trouble}")
    return ExitCode.OK if explanation.change is not None and written else ExitCode.FAILED
