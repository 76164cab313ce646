"""The channels of an end that are files: the journal, the metrics, the log. Each is written for itself.

Not here: which of them an end is written into, and in which order (`ending`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from engine.cli.output import is_terminal, say
from engine.core.limits import ENDING_PROBLEMS_MAX_COUNT
from engine.core.log_options import LogFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.app.options import AppOptions
    from engine.cli.call import Call
    from engine.core.diagnostics import Diagnostic
    from engine.core.outcome import ApplyReport
    from engine.core.trouble import Trouble


def keep_in_journal(call: Call, report: ApplyReport, kept_as: str) -> None:
    """Keep the end for `history` and `report`, also that of the very first run. Raises AppfleetError.

    A run that got as far as its journal has written its end itself. A folder without a fleet file gets no state folder
    unless `--state-dir` names it: nobody would look for one there.
    """
    is_ours = call.state_path.is_dir() or call.fleet_file.is_file()
    if not (is_ours or call.names_state):
        return
    from engine.app.history import keep_end

    if call.state_url is not None and not report.fleet:
        return  # the objects of a fleet are under its name
    keep_end(options_of_call(call), report.fleet or call.fleet_file.name, report, kept_as, call.started)


def write_metrics_of(call: Call, report: ApplyReport) -> None:
    """Write the metrics of a run where they are asked for. A file that cannot be written stops no run."""
    path = call.metrics_file
    if path is None:
        return
    from engine.app.history import write_metrics

    try:
        write_metrics(path, report)
    except OSError as error:
        say(
            f"appfleet: cannot write the metrics to {path}: {error}. "
            "Name a file in a folder that this user may write to"
        )


def follow_up(call: Call, report: ApplyReport, emit: Callable[[Any], None], *, notify: bool) -> ApplyReport:
    """Keep the report where that is asked for, and notify; return the report with what became of both."""
    from engine.app.afterwards import after_an_early_end

    return after_an_early_end(options_of_call(call), report, emit, notify=notify)


def keep_log_of(call: Call, report: ApplyReport) -> None:
    """Put the log of a run, whose last line is written, beside its result. One that cannot be kept stops nothing."""
    path = call.kept_log
    if path is None:
        return
    from engine.app.keeping import keep_log
    from engine.cli.crash import redactor

    # A bucket that could not be reached a moment ago is not waited for once more.
    if why := keep_log(options_of_call(call), path, is_reached=bool(report.links)):
        say(redactor().text(f"appfleet: the log of run {call.run_id} was not kept: {why}"))


def options_of_call(call: Call) -> AppOptions:
    """Return the options of what follows a run, as far as the words of the call tell."""
    from engine.app.options import AppOptions
    from engine.cli.context import next_apply
    from engine.cli.crash import redactor

    return AppOptions(
        call.fleet_file,
        call.state_path if call.names_state and call.state_url is None else None,
        call.state_url,
        policies=call.policies,
        endpoint_url=call.value("--endpoint-url") or None,
        simulate="" if call.is_simulated else None,
        run_id=call.run_id,
        redactor=redactor(),
        signals=call.signals,
        report_to=call.report_to,
        trace=call.trace,
        command_line=next_apply,
    )


def log_end(
    call: Call,
    result: str,
    exit_code: int,
    error: Trouble | None,
    problems: Sequence[Diagnostic],
    events: Sequence[Any] = (),
) -> None:
    """Write the last line of the log, and before it each problem of a file and what else happened at the end."""
    is_logged = call.log_file is not None or _is_log_on_stderr(call)
    if call.end_is_logged or not (is_logged or call.kept_log is not None):
        return
    from engine.cli.sinks import write_end

    has_lines = call.log_file is not None or is_json_on_stderr(call) or not is_logged
    shown = problems[:ENDING_PROBLEMS_MAX_COUNT] if has_lines else ()
    write_end(call, result, exit_code, error, shown, events, is_logged=is_logged)


def _is_log_on_stderr(call: Call) -> bool:
    """Return whether standard error holds the log of this call, so that its end belongs there."""
    if call.log_format is not LogFormat.AUTO:
        return True
    return call.is_run and call.has_log and not is_terminal(sys.stderr)


def is_json_on_stderr(call: Call) -> bool:
    """Return whether standard error was asked to hold JSON lines alone, so that the log's last line is the word."""
    return call.log_file is None and call.log_format is LogFormat.JSON and (call.is_run or call.is_look)
