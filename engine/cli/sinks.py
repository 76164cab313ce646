"""Where the events of a run go: the log and the progress, opened before the run and closed after it.

On a terminal both share the screen: log lines scroll above the live view of a run, or above one line where a command
only looks. In a pipe, progress is one line every ten seconds, and none where the lines are JSON or there is a log file:
the log has it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

from engine.adapters.log.event_log import EventLog, LibraryHandler
from engine.adapters.log.line_writer import LineWriter
from engine.adapters.named_file import NamedFileError, open_to_append, reopened
from engine.adapters.screen.progress import Progress
from engine.cli.crash import redactor
from engine.cli.output import is_terminal, say, size_of, wants_colour, width_of
from engine.core.limits import LIVE_REDRAW_SECONDS, PROGRESS_LINE_SECONDS, PROGRESS_REDRAW_SECONDS
from engine.core.log_options import LogFormat, LogLevel
from engine.ports.events import ProblemFound, RunFinished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from engine.adapters.screen.live_view import LiveView
    from engine.app.options import AppOptions
    from engine.cli.call import Call
    from engine.cli.context import Globals
    from engine.core.diagnostics import Diagnostic
    from engine.core.outcome import ApplyReport
    from engine.core.plan import Plan
    from engine.core.redact import Redactor
    from engine.core.trouble import Trouble
    from engine.ports.events import Event

T = TypeVar("T")
_STDERR_FD = 2


@dataclass(frozen=True, slots=True)
class _Plan:
    """What goes where."""

    log_format: LogFormat
    level: LogLevel
    log_fd: int | None  # None: standard error


class Sinks:
    """The log and the progress of one run. A context manager; `emit` is what the engine is given."""

    def __init__(self, globals_: Globals, options: AppOptions, *, quiet: bool) -> None:
        """Open them. `quiet` is for commands that only look: their result is the point, and one line of progress."""
        self._call = globals_.call
        self._call.has_log = True
        self._screen = LineWriter(_STDERR_FD)
        terminal = is_terminal(sys.stderr)
        live = terminal and not quiet and options.crew is None and _can_move_its_cursor()
        self._is_live = live and globals_.log_file is None and globals_.log_format is LogFormat.AUTO
        plan = _decide(globals_, terminal=terminal, quiet=quiet, live=live)
        file_writer = None
        if plan.log_fd is not None and globals_.log_file is not None:
            file_writer = LineWriter(plan.log_fd, owns_fd=True, reopen=reopened(globals_.log_file))
        self._log = EventLog(
            file_writer or self._screen,
            run_id=options.run_id,
            log_format=plan.log_format,
            level=plan.level,
            colour=plan.log_fd is None and wants_colour(sys.stderr),
            redactor=options.redactor,
        )
        self._kept = _kept_log(self._call, options.redactor)
        self._libraries = LibraryHandler(self._log.emit)
        self._timer: asyncio.TimerHandle | None = None
        screen_is_json = plan.log_fd is None and plan.log_format is LogFormat.JSON
        # Where a log file tells it, a pipe stays empty: cron mails every line that a run which went well prints there.
        silent = screen_is_json or (not terminal and (quiet or plan.log_fd is not None))
        self._progress = None if silent else self._make_progress(terminal=terminal, live=live)

    def emit(self, event: Event) -> None:
        """Pass the event to the log, then to the progress. Never raises."""
        if self._kept is not None:
            self._kept.emit(event)
        if isinstance(event, RunFinished):
            self._call.end_is_logged = True
            if self._is_live:
                return  # the result says it, on the same screen
        self._log.emit(event)
        if self._progress is not None:
            self._progress.emit(event)

    def expect(self, plan: Plan) -> None:
        """Note what will be done."""
        if self._progress is not None:
            self._progress.expect(plan)

    def run(self, work: Awaitable[T]) -> T:
        """Do `work` in an event loop of its own while the progress moves, then clear the progress line."""
        result = asyncio.run(self.ticking(work))
        self.clear()
        return result

    async def ticking(self, work: Awaitable[T]) -> T:
        """Do `work`, and let the progress move meanwhile, also where nothing happens."""
        self._tick_later()
        try:
            return await work
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _tick_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LIVE_REDRAW_SECONDS, self._tick)

    def _tick(self) -> None:
        if self._progress is not None:
            self._progress.tick()
        self._tick_later()

    def clear(self) -> None:
        """Clear the progress line, for a question or a result, and write what is queued."""
        self._screen.set_status(b"")
        self._screen.drain()
        self._log.drain()

    def noted(self, report: ApplyReport) -> ApplyReport:
        """Return the report with the sentence about log lines that were dropped, where there are any."""
        note = self.note()
        return replace(report, notes=(*report.notes, note)) if note else report

    def note(self) -> str:
        """Return the sentence about log lines that were dropped, or empty."""
        return self._log.note()

    def __enter__(self) -> Self:
        self._libraries.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._libraries.remove()
        self._log.close()
        if self._kept is not None:
            self._kept.close()
        self._screen.close()
        if self.note():
            say(f"appfleet: {self.note()}")

    def _make_progress(self, *, terminal: bool, live: bool) -> Progress | LiveView:
        if live:
            from engine.adapters.screen.live_view import LiveView

            return LiveView(
                self._redraw, clock=time.monotonic, size=lambda: size_of(sys.stderr), colour=wants_colour(sys.stderr)
            )
        show: Callable[[str], None] = self._redraw_line if terminal else self._print
        every_s = PROGRESS_REDRAW_SECONDS if terminal else PROGRESS_LINE_SECONDS
        return Progress(show, clock=time.monotonic, every_s=every_s)

    def _redraw(self, text: str) -> None:
        self._screen.set_status(text.encode(sys.stderr.encoding or "utf-8", "backslashreplace"))

    def _redraw_line(self, line: str) -> None:
        self._redraw(line[: max(width_of(sys.stderr) - 1, 1)])

    def _print(self, line: str) -> None:
        self._screen.write(line.encode() + b"\n")


def _can_move_its_cursor() -> bool:
    return os.environ.get("TERM") not in (None, "", "dumb")


def _decide(globals_: Globals, *, terminal: bool, quiet: bool, live: bool) -> _Plan:
    log_fd = _open(globals_)
    log_format = globals_.log_format
    if log_format is LogFormat.AUTO:
        log_format = LogFormat.CONSOLE if terminal and log_fd is None else LogFormat.JSON
    level = globals_.log_level
    if level is None:
        level = LogLevel.INFO
        if log_fd is None:
            # The live view shows what is throttled and parked: lines that say so once more would only chase it away.
            level = LogLevel.ERROR if live and log_format is LogFormat.CONSOLE else level
            level = LogLevel.WARNING if quiet else level
    return _Plan(log_format, level, log_fd)


def _open(globals_: Globals) -> int | None:
    """Open the log file. One that cannot be opened is told and replaced by standard error: it stops no run."""
    if globals_.log_file is None:
        return None
    try:
        return open_to_append(globals_.log_file)
    except NamedFileError as error:
        say(f"appfleet: the log file {globals_.log_file} cannot be opened: {error}. The log goes to standard error")
        return None


def _kept_log(call: Call, redactor: Redactor) -> EventLog | None:
    """Open the log that `--report-to` keeps: lines of JSON, whatever the other log looks like."""
    path = call.kept_log
    if path is None:
        return None
    try:
        writer = LineWriter(open_to_append(path), owns_fd=True)
    except NamedFileError as error:
        say(f"appfleet: {path} cannot be written: {error}. The log is not kept there")
        return None
    return EventLog(writer, run_id=call.run_id, log_format=LogFormat.JSON, level=_level(call), redactor=redactor)


def _level(call: Call, otherwise: LogLevel = LogLevel.INFO) -> LogLevel:
    given = call.value("--log-level").lower()
    return LogLevel(given) if given in set(LogLevel) else otherwise


def _end_log(call: Call) -> EventLog | None:
    """Open the log of a call once more, for its last lines."""
    path = call.log_file
    try:
        writer = LineWriter(_STDERR_FD) if path is None else LineWriter(open_to_append(path), owns_fd=True)
    except OSError:
        if not call.has_log:  # else it was said when the run began
            say(f"appfleet: cannot open the log file {path}")
        return None
    log_format = LogFormat.JSON if call.log_format is LogFormat.AUTO else call.log_format
    level = _level(call, LogLevel.INFO if call.is_run or path is not None else LogLevel.WARNING)
    return EventLog(writer, run_id=call.run_id, log_format=log_format, level=level, redactor=redactor())


def write_end(
    call: Call,
    result: str,
    exit_code: int,
    error: Trouble | None,
    problems: Sequence[Diagnostic],
    events: Sequence[Event],
    *,
    is_logged: bool,
) -> None:
    """Write the last line of the log and of the one that is kept, and before it each of the problems and `events`.

    `is_logged`: the call has a log, besides one that is kept.
    """
    texts = ("", "", "") if error is None else (error.code, error.message, error.hint)
    end = RunFinished(result, round(call.seconds, 3), {}, exit_code, *texts)
    found = [ProblemFound(one.source(), one.key_path, one.message, one.hint) for one in problems]
    log = _end_log(call) if is_logged else None
    for one in (log, _kept_log(call, redactor())):
        if one is not None:
            for event in (*found, *events, end):
                one.emit(event)
            one.close()
    call.end_is_logged = log is not None
