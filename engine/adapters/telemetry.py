"""A run's spans and metrics over OTLP/HTTP, by the OpenTelemetry SDK. The only module that imports it.

Endpoints, headers, certificates, timeouts, compression, sampling and resource attributes are those of the OTEL_
variables, which the SDK reads itself. All is sent at once and in this thread: nothing of the SDK's goes on beside it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import unquote

from engine.adapters.metrics_file import samples
from engine.core.limits import TELEMETRY_BATCH_MAX_COUNT
from engine.core.outcome import ApplyReport
from engine.core.text import clean
from engine.ports.telemetry import NotExportedError, RunSpans, SpanRecord

_SCOPE: Final = "appfleet"
_SERVICE: Final = "OTEL_SERVICE_NAME"
_SECRETS: Final = (
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
)
_ENDPOINTS: Final = tuple(f"OTEL_EXPORTER_OTLP_{part}ENDPOINT" for part in ("", "TRACES_", "METRICS_"))
_HTTP: Final = "http/protobuf"
_HINT: Final = "Check OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS, and whether the collector runs"
_NS: Final = 1_000_000_000


def send(run: RunSpans, report: ApplyReport, signals: Sequence[str], secrets: list[str]) -> int:
    """Send what the variables ask for; return the number of spans. Raises NotExportedError.

    `secrets` gets what must not be repeated of the variables, before anything is sent.
    """
    if find_spec("opentelemetry.sdk") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise NotExportedError("the OpenTelemetry SDK is not installed", "Install it in a clone: pip install '.[otel]'")
    secrets += _secrets()
    for signal in signals:
        _require_http(signal)
    said = _quiet()
    sent = 0
    if "TRACES" in signals:
        sent = _send_spans(run, report, said)
    if "METRICS" in signals:
        _send_metrics(report, said)
    return sent


def _require_http(signal: str) -> None:
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = os.environ.get(name, "")
        if protocol and protocol != _HTTP:
            hint = f"Set {name}={_HTTP} and the collector's HTTP endpoint, usually port 4318"
            raise NotExportedError(f"{name} is {clean(protocol, 40)}, and appfleet sends {_HTTP} alone", hint)
        if protocol:
            return


def _send_spans(run: RunSpans, report: ApplyReport, said: list[str]) -> int:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

    spans = _spans(run, report)
    exporter = OTLPSpanExporter()
    for first in range(0, len(spans), TELEMETRY_BATCH_MAX_COUNT):
        if exporter.export(spans[first : first + TELEMETRY_BATCH_MAX_COUNT]) is not SpanExportResult.SUCCESS:
            raise _refused("traces", said)
    return len(spans)


def _spans(run: RunSpans, report: ApplyReport) -> Sequence[Any]:
    """Return the spans of the SDK: one for the run, below TRACEPARENT where that is set, and the others in it."""
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415
    from opentelemetry.trace import set_span_in_context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    finished = InMemorySpanExporter()
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    tracer = provider.get_tracer(_SCOPE, version(_SCOPE))
    given = {name: os.environ.get(name.upper(), "") for name in ("traceparent", "tracestate")}
    parent = TraceContextTextMapPropagator().extract({name: value for name, value in given.items() if value})
    root = tracer.start_span(
        "appfleet run", context=parent, start_time=int(run.started * _NS), attributes=_of_run(run, report)
    )
    inside = set_span_in_context(root)
    for one in run.spans:
        span = tracer.start_span(
            f"{one.name} app" if one.key else one.name,
            context=inside,
            start_time=int(one.started * _NS),
            attributes=_of_app(one),
        )
        _end(span, one.error, one.ended)
    error = report.error
    _end(root, "" if error is None else f"{error.code}: {error.message}", run.ended)
    spans: Sequence[Any] = finished.get_finished_spans()
    return spans


def _of_run(run: RunSpans, report: ApplyReport) -> dict[str, str | int]:
    counts = {f"appfleet.apps.{outcome.value}": count for outcome, count in report.summary.items()}
    return {
        "appfleet.run_id": clean(report.run_id),
        "appfleet.fleet": clean(report.fleet),
        "appfleet.result": report.result.value,
        "appfleet.exit_code": int(report.exit_code),
        **counts,
        **({"appfleet.spans_dropped": run.lost} if run.lost else {}),
    }


def _of_app(span: SpanRecord) -> dict[str, str | int]:
    return {"appfleet.app.key": clean(span.key), "appfleet.app.attempts": span.attempts} if span.key else {}


def _end(span: Any, error: str, at: float) -> None:
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

    span.set_status(Status(StatusCode.ERROR, clean(error)) if error else Status(StatusCode.OK))
    span.end(end_time=int(at * _NS))


def _send_metrics(report: ApplyReport, said: list[str]) -> None:
    """Send the gauges of the metrics file, under the same names."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult  # noqa: PLC0415

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)
    meter = provider.get_meter(_SCOPE, version(_SCOPE))
    gauges: dict[str, Any] = {}
    for name, meaning, labels, value in samples(report.fleet, report, int(report.exit_code), time.time()):
        if name not in gauges:
            gauges[name] = meter.create_gauge(name, description=meaning)
        gauges[name].set(value, labels)
    if OTLPMetricExporter().export(reader.get_metrics_data()) is not MetricExportResult.SUCCESS:
        raise _refused("metrics", said)


def _resource() -> Any:
    """Return what the variables say of this service; its name is ours where they name none."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    is_named = os.environ.get(_SERVICE) or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({"service.version": version(_SCOPE), **({} if is_named else {"service.name": _SCOPE})})


def _refused(what: str, said: list[str]) -> NotExportedError:
    why = clean(said[-1]) if said else "its endpoint did not say why"
    return NotExportedError(f"the {what} were not taken: {why}", _HINT)


def _quiet() -> list[str]:
    """Keep what the SDK and its client log from every log, and return where it goes instead."""
    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger = logging.getLogger("opentelemetry")
    logger.handlers[:] = [Kept(logging.WARNING)]
    logger.propagate = False
    return said


def _secrets() -> list[str]:
    """Return the values of the headers that the variables set, and the logins in their endpoints."""
    headers = [pair.partition("=")[2].strip() for name in _SECRETS for pair in os.environ.get(name, "").split(",")]
    logins = [os.environ.get(name, "").partition("://")[2].rpartition("@")[0] for name in _ENDPOINTS]
    values = [form for value in (*headers, *logins) for form in (value, unquote(value))]  # as written, and as sent
    words = [word for value in values for word in value.split(" ")]
    return [text for text in (*values, *words) if text]
