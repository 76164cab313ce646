"""`appfleet report`: one HTML page of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.app.completing import Value
from engine.cli import flags
from engine.cli.named import STDOUT, check_writable
from engine.cli.output import is_terminal, say, write_result
from engine.core.errors import ExitCode
from engine.core.limits import RUNS_BESIDE_REPORT_MAX_COUNT
from engine.core.text import clean, count_of

if TYPE_CHECKING:
    from engine.app.options import AppOptions


def report(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(help="Run id or unique prefix (default: latest).", autocompletion=flags.completing(Value.RUN)),
    ] = None,
    out: Annotated[
        Path | None,
        flags.output_flag(
            "--out", help="File to write; with -, standard output (default: report-RUN.html on a terminal)."
        ),
    ] = None,
    site: Annotated[
        Path | None,
        flags.path_flag(
            "--site",
            help="Write a page over all kept runs to this folder, with one page per run, for a web server.",
            metavar="DIR",
            dash="Name a folder",
        ),
    ] = None,
) -> int:
    """Write one run as a self-contained HTML page.

    What happened, why and what to do next; every app over time; calls against their limit; full quotas; what has
    changed since the run before. With --site all kept runs, with trends.
    """
    from engine.app.history import run_story
    from engine.app.named_file import why_not_written
    from engine.app.next_options import command_after
    from engine.cli.context import options_of
    from engine.render.report.html import report_html

    check_writable(None if out is STDOUT else out, "--out")
    options = options_of(ctx.obj)
    if site is not None:
        return _site(options, site, is_alone=run is None and out is None)
    story, beside = run_story(options, run, RUNS_BESIDE_REPORT_MAX_COUNT)
    page = report_html(story, command=command_after(options, story), history=beside)
    if out is None and is_terminal(sys.stdout):
        out = Path(f"report-{story.detail.run.run_id}.html")  # a page is nothing to read on a terminal
    if out is None or out is STDOUT:
        return ExitCode.OK if write_result(page) else ExitCode.FAILED
    if why := why_not_written(out, page):
        say(f"appfleet: the report could not be written to {out}: {why}")
        return ExitCode.FAILED
    say(f"appfleet: the report of run {clean(story.detail.run.run_id)} is in {out}")
    return ExitCode.OK


def _site(options: AppOptions, folder: Path, *, is_alone: bool) -> int:
    from engine.app.site import write_site
    from engine.core.errors import UsageError

    if not is_alone:
        raise UsageError("--site takes neither a run nor --out", hint="It writes the pages of all runs that are kept")
    runs, new = write_site(options, folder)
    say(f"appfleet: {folder / 'index.html'} lists {count_of(runs, 'run')}; {count_of(new, 'page')} written")
    return ExitCode.OK
