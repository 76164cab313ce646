"""What happened in a run, recorded as a trace will show it: a few numbers per app, and nothing of any library.

Not here: sending it (`tracing`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.limits import TRACE_SPANS_MAX_COUNT
from engine.ports.telemetry import RunSpans, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.ports.events import Emit, Event

_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
SIGNALS: Final = ("TRACES", "METRICS")
_LOADED: Final = "loaded"
_LISTED: Final = "domain.listed"
_PLANNED: Final = "plan.computed"
# What opens a span of an app, and what ends the one that is open. Whatever else ends an app ends it badly.
_OPENS: Final = {"app.create_started": "create", "app.created": "settle", "app.delete_started": "delete"}
_ENDS: Final = frozenset({"app.in_service", "app.deleted", "app.adopted"})
_ENDS_BADLY: Final = frozenset({"app.failed", "app.parked", "app.still_pending", "app.skipped"})


def signals_wanted(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of traces and metrics the variables send somewhere, as OpenTelemetry documents them."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return tuple(one for one in SIGNALS if _is_wanted(one, environment))


def _is_wanted(signal: str, environment: Mapping[str, str]) -> bool:
    exporter = environment.get(f"OTEL_{signal}_EXPORTER", "").strip().lower()
    endpoint = environment.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environment.get(_ENDPOINT)
    return exporter == "otlp" or (not exporter and bool(endpoint))


@dataclass(slots=True)
class Recorder:
    """What happened in one run, as far as a trace shows it. Times are epoch seconds by `clock`."""

    signals: tuple[str, ...]
    started: float
    clock: Callable[[], float] = time.time
    _marks: dict[str, float] = field(default_factory=dict)
    _open: dict[str, SpanRecord] = field(default_factory=dict)
    _spans: list[SpanRecord] = field(default_factory=list)
    _lost: int = 0

    def tee(self, emit: Emit) -> Emit:
        """Return a sink that records what it passes on."""

        def both(event: Event) -> None:
            self.take(event)
            emit(event)

        return both

    def loaded(self) -> None:
        """Note that the files are read."""
        self._marks[_LOADED] = self.clock()

    def take(self, event: Event) -> None:
        """Record one event."""
        name, now = event.name, self.clock()
        if name == _PLANNED or (name == _LISTED and _PLANNED not in self._marks):
            self._marks[name] = now
        elif name in _OPENS:
            self._begin(str(getattr(event, "key", "")), _OPENS[name], now)
        elif name in _ENDS or name in _ENDS_BADLY:
            error = f"{getattr(event, 'code', '')}: {getattr(event, 'message', '')}" if name in _ENDS_BADLY else ""
            self._close(str(getattr(event, "key", "")), now, error)

    def spans(self) -> RunSpans:
        """Return the run's spans; what was not over is over now."""
        now = self.clock()
        for key in list(self._open):
            self._close(key, now, "")
        return RunSpans(self.started, now, (*self._stages(), *self._spans), self._lost)

    def _stages(self) -> list[SpanRecord]:
        found, since = [], self.started
        for mark, name in ((_LOADED, "load"), (_LISTED, "list"), (_PLANNED, "plan")):
            if (at := self._marks.get(mark)) is not None:
                found.append(SpanRecord(name, since, max(at, since)))
                since = max(at, since)
        return found

    def _begin(self, key: str, name: str, now: float) -> None:
        known = self._open.get(key)
        if known is not None and known.name == name:  # another try of the same call
            self._open[key] = replace(known, attempts=known.attempts + 1)
            return
        self._close(key, now, "")
        self._open[key] = SpanRecord(name, now, now, key, attempts=1)

    def _close(self, key: str, now: float, error: str) -> None:
        span = self._open.pop(key, None)
        if span is None:
            return
        if len(self._spans) < TRACE_SPANS_MAX_COUNT:
            self._spans.append(replace(span, ended=now, error=error))
        else:
            self._lost += 1
