"""`appfleet gate`: judges the plans of all shards together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli import flags
from engine.cli.named import plan_place_of
from engine.cli.output import write_result
from engine.core.errors import ExitCode
from engine.core.limits import SHARDS_MAX_COUNT

if TYPE_CHECKING:
    from engine.app.gate import Verdict
    from engine.cli.context import Globals

PlansArgument = Annotated[
    Any,
    typer.Argument(
        help="The folder or s3://BUCKET/PREFIX that plan --shard --out wrote to.",
        metavar="PLANS",
        parser=partial(plan_place_of, flag="PLANS", dash_hint="The plans of shards are in a folder or a bucket"),
    ),
]
FormatFlag = Annotated[flags.TextOrJson, flags.flag("--format", help="Format of the result.")]


def gate(
    ctx: typer.Context,
    plans: PlansArgument,
    shards: Annotated[
        int, flags.flag("--shards", help="How many shards there are.", metavar="N", min=1, max=SHARDS_MAX_COUNT)
    ],
    format_: FormatFlag = flags.TextOrJson.TEXT,
    detailed_exitcode: Annotated[
        bool, flags.flag("--detailed-exitcode", help="Exit 2 when there are changes, 0 when there are none.")
    ] = False,
) -> int:
    """Judge the plans of all shards together, and approve them.

    Checks the limits of [safety] and the rules over teams and the fleet. Makes no calls. Run it once, when every shard
    is planned; then apply each shard: appfleet apply --shard I/N PLANS

    Example: appfleet gate --shards 16 plans/tonight
    """
    import asyncio

    from engine.app import gate as app_gate
    from engine.cli.context import options_of, typed

    globals_: Globals = ctx.obj
    options = options_of(globals_)
    verdict = asyncio.run(app_gate.gate(options, plans, shards))
    following = typed(options, "apply", "--shard", f"I/{shards}", str(plans))
    as_json = format_ is flags.TextOrJson.JSON
    return end_of_gate(verdict, following, "To apply each shard", as_json=as_json, detailed_exitcode=detailed_exitcode)


def end_of_gate(verdict: Verdict, following: str, step: str, *, as_json: bool, detailed_exitcode: bool) -> int:
    """Write the verdict with the command that is next, and return the exit code."""
    from engine.render.gate_text import gate_document, gate_text
    from engine.render.json_text import json_text

    text = json_text(gate_document(verdict)) if as_json else gate_text(verdict, next_command=following, step=step)
    if not write_result(text):
        return ExitCode.FAILED
    if verdict.denied:
        return ExitCode.DENIED
    return ExitCode.CHANGES if detailed_exitcode and verdict.has_changes else ExitCode.OK
