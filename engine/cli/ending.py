"""The end of a call of the command line, written once into every channel.

Whatever ended it is a report by then: of a run that got as far as its result, or made here of an error or a signal.
What must last comes first (journal, metrics, log), and what waits for a reader comes last. A channel that fails does
not keep the end from the others. Not here: how each channel is written (`end_channels`).
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.app.fleet_name import fleet_name
from engine.cli.argv import as_typed
from engine.cli.call import JSON, MARKDOWN
from engine.cli.crash import redactor
from engine.cli.end_channels import (
    follow_up,
    is_json_on_stderr,
    keep_in_journal,
    keep_log_of,
    log_end,
    write_metrics_of,
)
from engine.cli.output import Delivery, deliver, is_terminal, say, write_result
from engine.core.ending import Head, failed_report, interrupted_report, journal_result, word_of
from engine.core.errors import ConfigError, ExitCode, NotConfirmedError, UsageError
from engine.core.limits import COMMAND_SHOWN_MAX_CHARS, DIAGNOSTICS_SHOWN_MAX_COUNT
from engine.core.outcome import SUCH_AS
from engine.core.text import is_safe
from engine.core.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.cli.call import Call
    from engine.core.errors import AppfleetError
    from engine.core.outcome import ApplyReport


def end_with_error(call: Call, error: AppfleetError) -> int:
    """Write that `error` ended the call before it had a result; return the exit code."""
    _fill_in(error, call)
    report = _redacted(failed_report(error, _head(call)))
    _say_problems(call, error)
    report = _end(call, report, journal_result(error), error)
    if not is_json_on_stderr(call):
        said = error.message if isinstance(error, NotConfirmedError) else f"error {error.code}: {error}"
        say(f"appfleet: {redactor().text(said)}")
    # A command line that was refused is no run yet: whoever typed it reads standard error, a program its format.
    if not (isinstance(error, UsageError) and call.is_text):
        _write(call, report)
    return int(error.exit_code)


def _fill_in(error: AppfleetError, call: Call) -> None:
    """Give each command that the hint of `error` says to run the flags of this call."""
    from engine.cli.context import with_typed
    from engine.cli.end_channels import options_of_call

    error.hint = with_typed(error.hint, options_of_call(call))


def end_with_interrupt(call: Call, signal: str) -> int:
    """Write that a signal ended the call before it had a result; return the exit code."""
    report = interrupted_report(signal, _head(call))
    report = _end(call, report, report.result.value, None)
    if not is_json_on_stderr(call):
        say("appfleet: interrupted")
    _write(call, report)
    return int(ExitCode.INTERRUPTED)


def end_with_report(call: Call, report: ApplyReport, text: str) -> int:
    """Write the result of a run; return the exit code. Its log and its journal have their ends already."""
    write_metrics_of(call, report)
    delivery = deliver(text)
    with suppress(Exception):
        keep_log_of(call, report)
    error = report.error
    if error is not None and not is_json_on_stderr(call):
        end = f"{report.result.value} (exit code {int(report.exit_code)})"
        # Where the same terminal shows the result just above, its counts are enough.
        above = call.is_text and is_terminal(sys.stdout) and is_terminal(sys.stderr)
        message = error.message.partition(SUCH_AS)[0] if above else error.message
        say(redactor().text(f"appfleet: run {report.run_id} {end}: {message}"))
    # What nobody reads is in the journal all the same, and changes no exit code of a run.
    failed = delivery is Delivery.FAILED
    return int((report.exit_code or ExitCode.FAILED) if failed else report.exit_code)


def end_of_look(call: Call, code: int) -> int:
    """Write how a command that only looks ended, into the log and, where it failed, on standard error; return its code.

    What a rule denied is what such a command is there to say, and is in its result.
    """
    if call.has_log and not call.end_is_logged:
        word = word_of(code)
        well = code in (ExitCode.OK, ExitCode.CHANGES)
        error = None if well else call.trouble or Trouble(word, "The result says why", "")
        log_end(call, word, code, error, ())
    told = is_json_on_stderr(call) or (call.is_text and is_terminal(sys.stdout) and is_terminal(sys.stderr))
    if code == ExitCode.FAILED and call.trouble is not None and not told:
        said = f"appfleet: {call.command} failed (exit code {int(code)}): {call.trouble.message}"
        say(redactor().text(said))
    return code


def _end(call: Call, report: ApplyReport, kept_as: str, error: AppfleetError | None) -> ApplyReport:
    """Write what lasts: journal and metrics of a run, and the log; return the report with whom it did not reach."""
    problems = error.diagnostics if isinstance(error, ConfigError) else ()
    channels: list[Callable[[], None]] = []
    if call.is_run:
        channels += [lambda: keep_in_journal(call, report, kept_as), lambda: write_metrics_of(call, report)]
    events: list[Any] = []

    def follow() -> None:
        nonlocal report
        report = follow_up(call, report, events.append, notify=not _is_known(error))

    if call.is_run:
        channels.append(follow)
    if call.is_run or call.is_look:
        channels.append(
            lambda: log_end(call, report.result.value, int(report.exit_code), report.error, problems, events)
        )
    if call.is_run:
        channels.append(lambda: keep_log_of(call, report))
    for channel in channels:
        with suppress(Exception):  # the others, and the exit code, are worth more than what is wrong with this one
            channel()
    return report


def _is_known(error: AppfleetError | None) -> bool:
    """Whether the end is known to whoever caused it: an answer of no, and a command line that was just typed wrong."""
    return isinstance(error, NotConfirmedError) or (isinstance(error, UsageError) and is_terminal(sys.stderr))


def _say_problems(call: Call, error: AppfleetError) -> None:
    """Write each problem of a file on a line of its own; where the log is JSON on the same stream it has them."""
    if not isinstance(error, ConfigError) or is_json_on_stderr(call):
        return
    for diagnostic in error.diagnostics[:DIAGNOSTICS_SHOWN_MAX_COUNT]:
        say(diagnostic.render())
    rest = len(error.diagnostics) - DIAGNOSTICS_SHOWN_MAX_COUNT
    if rest > 0:
        say(f"… and {rest:,} more")


def _write(call: Call, report: ApplyReport) -> None:
    """Write the result in the format that was asked for; text for people is not shown twice on one screen."""
    if not call.has_format:
        return
    if call.format == JSON:
        from engine.render.json_text import json_text

        write_result(json_text(report.document() if call.is_run else report.failure_json()))
    elif call.format == MARKDOWN:
        from engine.render.report.markdown import report_markdown

        write_result(report_markdown(report, next_command=_command(call)))
    elif call.is_run and not (is_terminal(sys.stdout) and is_terminal(sys.stderr)):
        from engine.render.report.text import report_text

        write_result(report_text(report, next_command=_command(call)))


def _command(call: Call) -> str:
    """Return the command as it was typed, or its name alone where that is too long or no text for a terminal."""
    typed = redactor().text(as_typed(call.words))
    is_shown = is_safe(typed) and len(typed) <= COMMAND_SHOWN_MAX_CHARS
    return typed if is_shown else f"appfleet {call.command}"


def _head(call: Call) -> Head:
    started = datetime.fromtimestamp(call.started, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Head(call.run_id, fleet_name(call.fleet_file) or "", started, call.seconds)


def _redacted(report: ApplyReport) -> ApplyReport:
    text = redactor().text

    def redacted(error: Trouble) -> Trouble:
        return Trouble(error.code, text(error.message), text(error.hint))

    cause = None if report.cause is None else redacted(report.cause)
    return replace(report, errors=tuple(map(redacted, report.errors)), cause=cause)
