"""The channels of an end that are files: the journal, the metrics, the log. Each is written for itself.

Not here: which of them an end is written into, and in which order (`ending`).
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Final

from engine.cli.output import is_terminal, say
from engine.core.limits import ENDING_PROBLEMS_MAX_COUNT
from engine.core.log_options import LogFormat, LogLevel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.cli.call import Call
    from engine.core.diagnostics import Diagnostic
    from engine.core.outcome import ApplyReport, Trouble

_STDERR_FD: Final = 2


def keep_in_journal(call: Call, report: ApplyReport, kept_as: str) -> None:
    """Keep the end for `history` and `report`, also that of the very first run. Raises AppfleetError.

    A run that got as far as its journal has written its end itself. A folder without a fleet file gets no state folder
    unless `--state-dir` names it: nobody would look for one there.
    """
    is_ours = call.state_path.is_dir() or call.fleet_file.is_file()
    if not (is_ours or call.names_state):
        return
    from importlib.metadata import version

    from engine.adapters.state.journal import RunHeader, keep_refusal
    from engine.adapters.state.journal_end import End
    from engine.adapters.state.state_dir import StateDir

    now = time.time()
    fleet = report.fleet or call.fleet_file.name
    # As a run opens it, so that a folder which a run refuses gets no journal of ours either.
    with StateDir.open(call.state_path) as state:
        end = End(kept_as, int(report.exit_code), now, report.error)
        keep_refusal(state, RunHeader(call.run_id, fleet, version("appfleet"), call.started), end)


def write_metrics_of(call: Call, report: ApplyReport) -> None:
    """Write the metrics of a run where they are asked for. A file that cannot be written stops no run."""
    path = call.metrics_file
    if path is None:
        return
    from engine.adapters.metrics_file import write_metrics

    try:
        write_metrics(path, report.fleet, report, int(report.exit_code), time.time())
    except OSError as error:
        say(
            f"appfleet: cannot write the metrics to {path}: {error}. "
            "Name a file in a folder that this user may write to"
        )


def log_end(call: Call, result: str, exit_code: int, error: Trouble | None, problems: Sequence[Diagnostic]) -> None:
    """Write the last line of the log, and before it each problem of a file."""
    from engine.adapters.log.event_log import EventLog
    from engine.adapters.log.line_writer import LineWriter
    from engine.adapters.named_file import open_to_append
    from engine.cli.crash import known_secrets
    from engine.core.redact import Redactor
    from engine.ports.events import ProblemFound, RunFinished

    path, format_ = call.log_file, call.log_format
    if call.end_is_logged or (path is None and not _is_log_on_stderr(call)):
        return
    try:
        writer = LineWriter(_STDERR_FD) if path is None else LineWriter(open_to_append(path), owns_fd=True)
    except OSError:
        if not call.has_log:  # else it was said when the run began
            say(f"appfleet: cannot open the log file {path}")
        return
    format_ = LogFormat.JSON if format_ is LogFormat.AUTO else format_
    level = LogLevel.INFO if call.is_run or path is not None else LogLevel.WARNING
    given = call.value("--log-level").lower()
    log = EventLog(
        writer,
        run_id=call.run_id,
        log_format=format_,
        level=LogLevel(given) if given in set(LogLevel) else level,
        redactor=Redactor(known_secrets(os.environ)),
    )
    if path is not None or is_json_on_stderr(call):
        for one in problems[:ENDING_PROBLEMS_MAX_COUNT]:
            log.emit(ProblemFound(one.source(), one.key_path, one.message, one.hint))
    texts = ("", "", "") if error is None else (error.code, error.message, error.hint)
    log.emit(RunFinished(result, round(call.seconds, 3), {}, exit_code, *texts))
    call.end_is_logged = True
    log.close()


def _is_log_on_stderr(call: Call) -> bool:
    """Return whether standard error holds the log of this call, so that its end belongs there."""
    if call.log_format is not LogFormat.AUTO:
        return True
    return call.is_run and call.has_log and not is_terminal(sys.stderr)


def is_json_on_stderr(call: Call) -> bool:
    """Return whether standard error was asked to hold JSON lines alone, so that the log's last line is the word."""
    return call.log_file is None and call.log_format is LogFormat.JSON and (call.is_run or call.is_look)
