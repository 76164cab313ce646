"""`appfleet report`: one HTML page of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import flags
from engine.cli.named import STDOUT, check_writable
from engine.cli.output import is_terminal, say, write_result
from engine.core.errors import ExitCode
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.cli.context import Globals

RUNS_BESIDE_MAX_COUNT = 20


def report(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(help="Run id or unique prefix (default: latest).")] = None,
    out: Annotated[
        Path | None,
        flags.output_flag(
            "--out", help="File to write; with -, standard output (default: report-RUN.html on a terminal)."
        ),
    ] = None,
) -> int:
    """Write one run as an HTML page that needs nothing else.

    What happened, why and what to do next; every app over time; calls against their limit; full quotas; what is
    different since the run before.
    """
    from engine.app.history import run_story
    from engine.app.named_file import why_not_written
    from engine.cli.context import options_of
    from engine.core.outcome import RunResult
    from engine.render.report.html import report_html

    check_writable(None if out is STDOUT else out, "--out")
    story, beside = run_story(options_of(ctx.obj), run, RUNS_BESIDE_MAX_COUNT)
    words = story.timeline.words
    asked = () if words is None else words.asked
    is_over = story.detail.run.result == RunResult.CONVERGED.value
    page = report_html(story, command=_command(ctx.obj, asked, is_over=is_over), history=beside)
    if out is None and is_terminal(sys.stdout):
        out = Path(f"report-{story.detail.run.run_id}.html")  # a page is nothing to read on a terminal
    if out is None or out is STDOUT:
        return ExitCode.OK if write_result(page) else ExitCode.FAILED
    if why := why_not_written(out, page):
        say(f"appfleet: the report could not be written to {out}: {why}")
        return ExitCode.FAILED
    say(f"appfleet: the report of run {clean(story.detail.run.run_id)} is in {out}")
    return ExitCode.OK


def _command(globals_: Globals, asked: Sequence[tuple[str, str]], *, is_over: bool) -> str:
    """Return the command that continues where the run ended: the same selection, in the same world."""
    from engine.app.next_options import options_kept
    from engine.cli.context import next_apply, options_of

    options = options_kept(options_of(globals_), asked)
    command = next_apply(options)
    return command.replace(" apply", " plan", 1) if is_over and not options.again else command
