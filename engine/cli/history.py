"""`appfleet history`: past runs, a line each."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from engine.cli import flags
from engine.cli.flags import TextOrJson
from engine.cli.output import fitted, width_of, write_result
from engine.core.errors import ExitCode
from engine.core.limits import HISTORY_SHOWN_MAX_COUNT

_SHOWN_DEFAULT_COUNT = 20


def history(
    ctx: typer.Context,
    format_: Annotated[TextOrJson, flags.flag("--format", help="Format of the history.")] = TextOrJson.TEXT,
    limit: Annotated[
        int,
        flags.flag(
            "--limit",
            help="Number of runs to show, the newest first.",
            metavar="COUNT",
            min=1,
            max=HISTORY_SHOWN_MAX_COUNT,
        ),
    ] = _SHOWN_DEFAULT_COUNT,
) -> int:
    """List past runs: one line each, with trends."""
    from engine.app.history import past_runs
    from engine.cli.context import next_report, options_of, with_typed
    from engine.render.history_text import history_json, history_text
    from engine.render.json_text import json_text

    options = options_of(ctx.obj)
    runs = past_runs(options, limit)
    if format_ is TextOrJson.JSON:
        return ExitCode.OK if write_result(json_text(history_json(runs))) else ExitCode.FAILED
    encoding = (sys.stdout.encoding if sys.stdout is not None else None) or "ascii"
    text = history_text(
        runs,
        unicode=encoding.lower().startswith("utf"),
        width=width_of(sys.stdout),
        report_command=next_report(options),
    )
    return ExitCode.OK if write_result(fitted(with_typed(text, options), sys.stdout)) else ExitCode.FAILED
