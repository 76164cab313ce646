"""`appfleet gather`: one result of all shards."""

from __future__ import annotations

import typer

from engine.cli import flags
from engine.cli.gate import FormatFlag, PlansArgument
from engine.cli.output import write_result
from engine.core.errors import ExitCode


def gather(ctx: typer.Context, plans: PlansArgument, format_: FormatFlag = flags.TextOrJson.TEXT) -> int:
    """Merge the results of all shards into one.

    Exits with the most severe exit code of them. If no shard reported, apps are skipped with the code shard_lost, and
    the exit code is 1. Writes PLANS/report.json.

    Example: appfleet gather plans/tonight
    """
    import asyncio

    from engine.app import shard_run
    from engine.cli.context import options_of
    from engine.render.gate_text import gathered_text
    from engine.render.json_text import json_text

    document = asyncio.run(shard_run.gather(options_of(ctx.obj), plans))
    text = json_text(document) if format_ is flags.TextOrJson.JSON else gathered_text(document)
    return int(document["exit_code"]) if write_result(text) else ExitCode.FAILED
