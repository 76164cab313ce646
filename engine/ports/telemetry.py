"""A run as a trace: plain records, before any library knows of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A stage of the run, or one thing that an app (`key`) went through. Times are epoch seconds."""

    name: str
    started: float
    ended: float
    key: str = ""
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class RunSpans:
    """A whole run and the spans inside it. `lost` counts those that were too many."""

    started: float
    ended: float
    spans: tuple[SpanRecord, ...]
    lost: int = 0


class NotExportedError(Exception):
    """An OpenTelemetry endpoint did not take what a run sent. Its text says why."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
