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

    from engine.cli.call import Call
    from engine.core.diagnostics import Diagnostic
    from engine.core.outcome import ApplyReport, Trouble


def keep_in_journal(call: Call, report: ApplyReport, kept_as: str) -> None:
    """Keep the end for `history` and `report`, also that of the very first run. Raises AppfleetError.

    A run that got as far as its journal has written its end itself. A folder without a fleet file gets no state folder
    unless `--state-dir` names it: nobody would look for one there.
    """
    is_ours = call.state_path.is_dir() or call.fleet_file.is_file()
    if not (is_ours or call.names_state):
        return
    from engine.app.history import keep_end

    keep_end(call.state_path, report.fleet or call.fleet_file.name, report, kept_as, call.started)


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


def tell(call: Call, report: ApplyReport, emit: Callable[[Any], None]) -> ApplyReport:
    """Notify whom the policies name, where they can be read; return the report with what became of it."""
    from engine.app.notifying import tell_of_end
    from engine.app.options import AppOptions
    from engine.cli.crash import redactor

    options = AppOptions(
        call.fleet_file,
        endpoint_url=call.value("--endpoint-url") or None,
        simulate="" if call.is_simulated else None,
        redactor=redactor(),
        signals=call.signals,
    )
    return tell_of_end(options, report, emit)


def log_end(
    call: Call,
    result: str,
    exit_code: int,
    error: Trouble | None,
    problems: Sequence[Diagnostic],
    events: Sequence[Any] = (),
) -> None:
    """Write the last line of the log, and before it each problem of a file and what else happened at the end."""
    if call.end_is_logged or (call.log_file is None and not _is_log_on_stderr(call)):
        return
    from engine.cli.sinks import write_end

    shown = problems[:ENDING_PROBLEMS_MAX_COUNT] if call.log_file is not None or is_json_on_stderr(call) else ()
    write_end(call, result, exit_code, error, shown, events)


def _is_log_on_stderr(call: Call) -> bool:
    """Return whether standard error holds the log of this call, so that its end belongs there."""
    if call.log_format is not LogFormat.AUTO:
        return True
    return call.is_run and call.has_log and not is_terminal(sys.stderr)


def is_json_on_stderr(call: Call) -> bool:
    """Return whether standard error was asked to hold JSON lines alone, so that the log's last line is the word."""
    return call.log_file is None and call.log_format is LogFormat.JSON and (call.is_run or call.is_look)
