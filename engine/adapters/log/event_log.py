"""The structured log: each event one line, by structlog. The only module that imports structlog.

`EventLog.emit` is a sink of events: it never raises and never waits. What libraries log comes through here too, at
WARNING and above, whatever the level: their lower levels print credentials.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final

import structlog

from engine.adapters.log.line_writer import LineWriter
from engine.adapters.log.log_format import console_line, iso_time, json_line, safe_facts
from engine.core.log_options import LogFormat, LogLevel
from engine.core.redact import Redactor
from engine.core.text import clean
from engine.ports.events import Event, LibraryWarned

LIBRARY_LOGGERS: Final = ("aiobotocore", "aiohttp", "asyncio", "boto3", "botocore", "s3transfer", "urllib3")
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class EventLog:
    """Writes events as lines.

    `log_format` is console or json. `now` gives epoch seconds. `redactor` holds the known secrets; it may learn
    more while the log is open.
    """

    def __init__(
        self,
        writer: LineWriter,
        *,
        run_id: str,
        log_format: LogFormat,
        level: LogLevel = LogLevel.INFO,
        colour: bool = False,
        redactor: Redactor | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._writer = writer
        self._run_id = clean(run_id)
        self._as_json = log_format is not LogFormat.CONSOLE
        self._colour = colour
        self._redactor = redactor or Redactor()
        self._now = now
        self._threshold = _LEVELS[level.value]
        self._failed = 0
        bound = structlog.wrap_logger(
            structlog.BytesLogger(writer),  # type: ignore[arg-type]  # it calls write and flush, and nothing else
            processors=[self._to_line],
            wrapper_class=structlog.make_filtering_bound_logger(self._threshold),
            cache_logger_on_first_use=True,
        ).bind()
        self._write = {name: getattr(bound, name) for name in _LEVELS}

    @property
    def dropped(self) -> int:
        """How many lines were not written."""
        return self._writer.dropped + self._failed

    def emit(self, event: Event) -> None:
        """Write `event` if its level is told. Never raises: a log must not end a run."""
        level = event.loudness()
        if _LEVELS[level] < self._threshold:
            return
        try:
            self._write[level](event.name, facts=event.facts())
        except Exception:  # noqa: BLE001  # whatever a fact holds; it is counted and owned up to in the end
            self._failed += 1

    def drain(self) -> None:
        """Wait until what is queued is written, for a little while."""
        self._writer.drain()

    def close(self) -> None:
        """Write what is queued, and end."""
        self._writer.close()

    def note(self) -> str:
        """Return the one sentence about lines that were dropped, or empty."""
        if not self.dropped:
            return ""
        why = self._writer.problem or "a value could not be written"
        lines = "line was" if self.dropped == 1 else "lines were"
        return f"{self.dropped:,} log {lines} not written: {clean(why)}"

    def _to_line(self, _logger: Any, level: str, fields: MutableMapping[str, Any]) -> bytes:
        """Make the line: the last and only processor, so that nothing can come between."""
        line = {
            "ts": iso_time(self._now()),
            "level": level,
            "event": fields["event"],
            "run_id": self._run_id,
            **safe_facts(fields["facts"], self._redactor),
        }
        return json_line(line) if self._as_json else console_line(line, colour=self._colour)


class LibraryHandler(logging.Handler):
    """Turns what libraries log at WARNING and above into events, and holds them to that level."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        super().__init__(logging.WARNING)
        self._emit = emit
        self._before: dict[str, int] = {}

    def install(self) -> None:
        """Configure the root logger, and quiet the libraries that log credentials at lower levels."""
        for name in LIBRARY_LOGGERS:
            logger = logging.getLogger(name)
            self._before[name] = logger.level
            logger.setLevel(logging.WARNING)
        logging.getLogger().addHandler(self)

    def remove(self) -> None:
        """Undo `install`."""
        logging.getLogger().removeHandler(self)
        for name, level in self._before.items():
            logging.getLogger(name).setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's message, without its traceback, which may hold anything."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # a record whose arguments do not fit its format
            message = str(record.msg)
        self._emit(LibraryWarned(logger=record.name, message=message))
