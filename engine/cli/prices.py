"""`appfleet prices`: the price table of a policy, from the AWS Price List API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from engine.cli import flags
from engine.cli.output import say, write_result
from engine.core.errors import ExitCode
from engine.core.text import clean

LEFT_OUT_SHOWN_MAX_COUNT: Final = 10


def prices(
    ctx: typer.Context,
    region: Annotated[
        list[str] | None, flags.flag("--region", help="A region; those of the fleet unless given. Repeatable.")
    ] = None,
    out: Annotated[
        Path | None, flags.flag("--out", help="Policy file to write; without it, standard output.", metavar="FILE")
    ] = None,
) -> int:
    """Write the [prices] of a policy from the AWS Price List API.

    The caller needs pricing:GetProducts. A file that holds nothing but [prices] is written anew.
    """
    import asyncio

    from engine import app
    from engine.cli.context import options_of
    from engine.cli.sinks import Sinks, new_run_id

    options = options_of(ctx.obj, command="prices", run_id=new_run_id())
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        made = asyncio.run(sinks.ticking(app.prices(options, tuple(region or ()), out, sinks.emit)))
        sinks.clear()
        written = write_result(made.text) if out is None else write_result(f"wrote {out}\n")
        for table in made.tables:
            say(f"appfleet: {table.region}: {len(table.prices):,} prices")
            for words in table.left_out[:LEFT_OUT_SHOWN_MAX_COUNT]:
                say(f"appfleet: {table.region}: left out {clean(words)}")
    return ExitCode.OK if written else ExitCode.FAILED
