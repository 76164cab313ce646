"""Where the events of a run go: the log and the progress line, opened before the run and closed after it.

On a terminal both share the screen: log lines scroll above one line of progress. In a pipe, progress is one line
each ten seconds, and none where the lines are JSON: the log tells it there.
"""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from engine.adapters.event_log import EventLog, LibraryHandler, open_log_file
from engine.adapters.line_writer import LineWriter
from engine.adapters.log_options import LogFormat, LogLevel
from engine.adapters.progress import Progress
from engine.cli.output import is_terminal, say, wants_colour, width_of
from engine.core.limits import PROGRESS_LINE_SECONDS, PROGRESS_REDRAW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from engine.app import AppOptions
    from engine.cli.context import Globals
    from engine.ports.events import Event

_STDERR_FD = 2


def new_run_id() -> str:
    """Give the name of a run: its start in UTC and three random bytes, so that names sort by time."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What goes where."""

    log_format: LogFormat
    level: LogLevel
    log_fd: int | None  # None: standard error


class Sinks:
    """The log and the progress of one run. A context manager; `emit` is what the engine is given."""

    def __init__(self, globals_: Globals, options: AppOptions, *, quiet: bool) -> None:
        """Open them. `quiet` tells warnings alone on a console, for commands whose result is the point."""
        self._screen = LineWriter(_STDERR_FD)
        terminal = is_terminal(sys.stderr)
        plan = _decide(globals_, terminal=terminal, quiet=quiet)
        file_writer = None if plan.log_fd is None else LineWriter(plan.log_fd, owns_fd=True)
        self._log = EventLog(
            file_writer or self._screen,
            run_id=options.run_id,
            log_format=plan.log_format,
            level=plan.level,
            colour=plan.log_fd is None and wants_colour(sys.stderr),
            redactor=options.redactor,
        )
        self._libraries = LibraryHandler(self._log.emit)
        screen_is_json = plan.log_fd is None and plan.log_format is LogFormat.JSON
        self._progress = self._make_progress(terminal=terminal, silent=screen_is_json or (quiet and not terminal))

    def emit(self, event: Event) -> None:
        """Tell the log, then the progress. Never raises."""
        self._log.emit(event)
        if self._progress is not None:
            self._progress.emit(event)

    def clear(self) -> None:
        """Take the progress line away, for a question or a result, and write what is queued."""
        self._screen.set_status(b"")
        self._screen.drain()
        self._log.drain()

    def note(self) -> str:
        """Give the sentence about log lines that were dropped, or empty."""
        return self._log.note()

    def __enter__(self) -> Self:
        self._libraries.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._libraries.remove()
        self._log.close()
        self._screen.close()
        if self.note():
            say(f"appfleet: {self.note()}")

    def _make_progress(self, *, terminal: bool, silent: bool) -> Progress | None:
        if silent:
            return None
        show: Callable[[str], None] = self._redraw if terminal else self._print
        every_s = PROGRESS_REDRAW_SECONDS if terminal else PROGRESS_LINE_SECONDS
        return Progress(show, clock=time.monotonic, every_s=every_s)

    def _redraw(self, line: str) -> None:
        self._screen.set_status(line[: max(width_of(sys.stderr) - 1, 1)].encode())

    def _print(self, line: str) -> None:
        self._screen.write(line.encode() + b"\n")


def _decide(globals_: Globals, *, terminal: bool, quiet: bool) -> _Plan:
    log_fd = _open(globals_)
    log_format = globals_.log_format
    if log_format is LogFormat.AUTO:
        log_format = LogFormat.CONSOLE if terminal and log_fd is None else LogFormat.JSON
    level = globals_.log_level
    if level is None:
        hushed = quiet and log_format is LogFormat.CONSOLE and log_fd is None
        level = LogLevel.WARNING if hushed else LogLevel.INFO
    return _Plan(log_format, level, log_fd)


def _open(globals_: Globals) -> int | None:
    """Open the log file. One that cannot be opened is told and replaced by standard error: it stops no run."""
    if globals_.log_file is None:
        return None
    try:
        return open_log_file(globals_.log_file)
    except OSError as error:
        why = error.strerror or str(error)
        say(f"appfleet: the log file {globals_.log_file} cannot be opened: {why}. The log goes to standard error")
        return None
