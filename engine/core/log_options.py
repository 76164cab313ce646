"""The words for how to log, apart from the log itself: a command line reads them before structlog is imported."""

from __future__ import annotations

from enum import StrEnum


class LogFormat(StrEnum):
    """How a line is written. `auto` is console on a terminal and JSON elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The quietest level that is told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
