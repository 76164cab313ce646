"""A run as an OpenTelemetry trace and metrics, sent to a receiver of OTLP over HTTP on loopback."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.harness import people
from tests.e2e.test_ends import ALL_FAIL, NO_CREDENTIALS
from tests.http_receiver import http_receiver

if TYPE_CHECKING:
    from tests.e2e.harness import Place
    from tests.http_receiver import HttpReceiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SECRET = "t0ken-of-the-collector"


def body(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def spans(receiver: HttpReceiver) -> list[Any]:
    """Return the spans that arrived."""
    found = [ExportTraceServiceRequest.FromString(body(data)) for path, _, data in receiver.posts if "traces" in path]
    return [span for one in found for part in one.resource_spans for scope in part.scope_spans for span in scope.spans]


def metrics(receiver: HttpReceiver) -> dict[str, list[Any]]:
    """Return the points of each metric that arrived."""
    found = [
        ExportMetricsServiceRequest.FromString(body(data)) for path, _, data in receiver.posts if "metrics" in path
    ]
    return {
        metric.name: list(metric.gauge.data_points)
        for one in found for part in one.resource_metrics for scope in part.scope_metrics for metric in scope.metrics
    }  # fmt: skip


def attributes(things: Any) -> dict[str, Any]:
    return {
        one.key: one.value.string_value or one.value.int_value if one.value.WhichOneof("value") else None
        for one in things.attributes
    }


def test_a_run_is_a_trace_with_its_stages_and_each_app(place: Place) -> None:
    with http_receiver(body=b"", content_type="application/x-protobuf") as receiver:
        ran = place.apply(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.host}",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{SECRET}",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=prod",
            TRACEPARENT=f"00-{TRACE}-{PARENT}-01",
        )
    assert ran.code == 0, ran.err
    assert {path for path, _, _ in receiver.posts} == {"/v1/traces", "/v1/metrics"}
    assert {headers["authorization"] for _, headers, _ in receiver.posts} == {f"Bearer {SECRET}"}
    found = spans(receiver)
    assert {span.trace_id.hex() for span in found} == {TRACE}
    (root,) = [span for span in found if span.parent_span_id.hex() == PARENT]
    assert root.name == "appfleet run"
    assert attributes(root)["appfleet.run_id"] == ran.report["run_id"]
    assert attributes(root)["appfleet.result"] == "converged"
    names = [span.name for span in found if span.parent_span_id == root.span_id]
    assert sorted(names) == sorted(["load", "list", "plan", *["create app"] * 4, *["settle app"] * 4])
    for span in found:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    keys = {attributes(span).get("appfleet.app.key") for span in found} - {None}
    assert keys == {f"research/space/{name}-lab/JupyterLab/default" for name in people(4)}
    request = ExportTraceServiceRequest.FromString(body(receiver.posts[0][2]))
    resource = attributes(request.resource_spans[0].resource)
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("appfleet", "prod")
    assert SECRET not in ran.log + ran.out + ran.err


def test_its_metrics_are_those_of_the_file(place: Place) -> None:
    with http_receiver(body=b"", content_type="application/x-protobuf") as receiver:
        ran = place.apply(
            "--metrics-file", "m.prom", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"http://{receiver.host}/m/metrics"
        )
    assert ran.code == 0
    assert {path for path, _, _ in receiver.posts} == {"/m/metrics"}, "and no traces, which nobody asked for"
    text = (place.folder / "m.prom").read_text()
    found = metrics(receiver)
    assert set(found) == {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    created = [p.as_double for p in found["appfleet_last_run_apps"] if attributes(p)["outcome"] == "created"]
    assert created == [4.0]


def test_an_app_that_fails_and_a_run_that_could_not_begin_are_errors(place: Place) -> None:
    place.scenario(ALL_FAIL)
    with http_receiver(body=b"", content_type="application/x-protobuf") as receiver:
        variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{receiver.host}/v1/traces"}
        assert place.apply(**variables).code == 3
        failed = spans(receiver)
        receiver.posts.clear()
        ran = place.apply(**variables, **NO_CREDENTIALS)
    assert ran.code == 1
    settled = [span for span in failed if span.name == "settle app"]
    assert len(settled) == 4
    assert {span.status.code for span in settled} == {2}
    early = spans(receiver)
    assert {span.name for span in early} == {"appfleet run", "load"}
    (root,) = [span for span in early if span.name == "appfleet run"]
    assert root.status.code == 2
    assert "credentials" in root.status.message
    assert [event["event"] for event in ran.events()][-1] == "run.finished"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "URL", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    ],
)
def test_nothing_is_sent_or_imported_where_nothing_asks_for_it(place: Place, variables: dict[str, str]) -> None:
    with http_receiver() as receiver:
        given: dict[str, Any] = {
            name: f"http://{receiver.host}" if value == "URL" else value for name, value in variables.items()
        }
        (place.folder / "sitecustomize.py").write_text(
            "import atexit, sys\n"
            "atexit.register(lambda: open('imported', 'w').write(str([m for m in sys.modules if 'opentel' in m])))\n"
        )
        ran = place.run("apply", "--yes", cold=True, PYTHONPATH=str(place.folder), **given)
    assert ran.code == 0
    assert receiver.posts == []
    assert (place.folder / "imported").read_text() == "[]"


def test_an_endpoint_that_is_gone_refuses_or_speaks_another_protocol_changes_nothing(place: Place) -> None:
    with http_receiver(statuses=[401] * 9, body=b"") as receiver:
        url = f"http://user:{SECRET}@{receiver.host}"
        refused = place.apply(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_HEADERS=f"x-key={SECRET}")
        grpc = place.apply(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    gone = place.apply(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_TIMEOUT="2")
    for ran in (refused, gone, grpc):
        assert ran.code == 0
        (event,) = ran.events("telemetry.failed")
        assert any(note.startswith("Not exported by OpenTelemetry: ") for note in ran.report["notes"])
        assert SECRET not in ran.log + ran.out + ran.err
        assert ran.events()[-1]["event"] == "run.finished"
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is grpc" in event["message"]


@pytest.mark.slow
def test_an_endpoint_that_hangs_costs_its_bound_once(place: Place) -> None:
    with http_receiver(hangs=True) as receiver:
        began = time.monotonic()
        ran = place.apply(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.host}")
        took = time.monotonic() - began
    assert ran.code == 0
    assert len(ran.events("telemetry.failed")) == 1
    assert took < 45
