"""A run's trace and metrics sent to a receiver on loopback: one that takes them, refuses, hangs or is gone."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters import telemetry
from engine.app import tracing
from engine.app.afterwards import after_an_early_end, afterwards
from engine.app.options import AppOptions
from engine.app.recording import Recorder
from engine.core.outcome import ApplyReport
from engine.core.trouble import Trouble
from tests.http_receiver import http_receiver
from tests.unit.app.test_recording import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.ports.events import Event

REPORT = ApplyReport("run-1", "ml", "", 1.0, (), {}, errors=(Trouble("AF409", "no credentials"),))
BOTH = ("TRACES", "METRICS")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_thread_is_left(_no_variables: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for what a test let hang: it draws from the one source of chance that the tests after it draw from too."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    yield
    for thread in threading.enumerate():
        if thread.name == tracing.THREAD_NAME:
            thread.join(30.0)
            assert not thread.is_alive()


def options(*signals: str) -> AppOptions:
    from engine.ports.events import AppCreateStarted

    recorder = Recorder(signals, 1.0)
    recorder.take(AppCreateStarted(KEY, 1, ""))
    return AppOptions(Path("fleet.toml"), trace=recorder)


async def sent(given: AppOptions) -> tuple[ApplyReport, dict[str, Any]]:
    events: list[Event] = []
    after = await afterwards(given, (), REPORT, events.append)
    (event,) = events
    return after, {"event": event.name, **event.facts()}


async def test_both_are_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(body=b"") as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.host}")
        after, event = await sent(options(*BOTH))
    assert (after, event) == (REPORT, {"event": "telemetry.sent", "spans": 2})
    assert [path for path, _, _ in receiver.posts] == ["/v1/traces", "/v1/metrics"]


@pytest.mark.parametrize("signal", BOTH)
async def test_what_is_refused_is_told_without_secrets(monkeypatch: pytest.MonkeyPatch, signal: str) -> None:
    with http_receiver(statuses=[401], body=b"") as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://user:s3cret-login@{receiver.host}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret-token,x=y")
        after, event = await sent(options(signal))
    assert event["event"] == "telemetry.failed"
    assert event["message"].startswith(f"the {signal.lower()} were not taken: ")
    assert "s3cret" not in str(event)
    assert after.notes == (f"Not exported by OpenTelemetry: {event['message']}",)
    assert after.exit_code == REPORT.exit_code


async def test_a_header_is_no_more_shown_as_it_is_sent_than_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(statuses=[401], body=b"", reason="no such token: s3cret/of the=team") as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.host}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret%2Fof%20the%3Dteam")
        _, event = await sent(options("TRACES"))
    assert "no such token" in event["message"]
    assert "s3cret" not in str(event)


async def test_another_protocol_and_a_missing_package_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    _, event = await sent(options(*BOTH))
    assert event["message"] == "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and appfleet sends http/protobuf alone"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")
    _, event = await sent(options("TRACES"))
    assert event["message"].startswith("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is http/json")
    monkeypatch.setattr(telemetry, "find_spec", lambda _: None)
    _, event = await sent(options(*BOTH))
    assert "pip install '.[otel]'" in event["hint"]


async def test_a_protocol_that_is_named_and_ours_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    with http_receiver(body=b"") as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.host}")
        _, event = await sent(options("TRACES"))
    assert event["event"] == "telemetry.sent"
    assert b"nightly" in receiver.posts[0][2]


async def test_one_that_hangs_has_its_bound_and_a_signal_cuts_it_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "TELEMETRY_MAX_SECONDS", 0.2)
    with http_receiver(hangs=True) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.host}")
        _, event = await sent(options("TRACES"))
        assert event["message"] == "no answer within 0.2 s"
        monkeypatch.setattr(tracing, "TELEMETRY_MAX_SECONDS", 30.0)
        given = options("TRACES")
        receiver.arrived.clear()
        work = asyncio.ensure_future(sent(given))
        while given.signals._take is None:  # noqa: ASYNC110 - nobody sets an event when it is set
            await asyncio.sleep(0.01)
        given.signals._take("SIGTERM")
        _, event = await work
    assert event["message"] == "a signal cut it short"


async def test_a_bug_of_a_library_costs_the_telemetry_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret text")

    monkeypatch.setattr(telemetry, "send", broken)
    _, event = await sent(options("TRACES"))
    assert event["message"] == "ZeroDivisionError"


def test_a_run_that_could_not_begin_is_sent_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    with http_receiver(body=b"") as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.host}")
        given = AppOptions(tmp_path / "fleet.toml", trace=Recorder(("TRACES",), 1.0))
        after_an_early_end(given, REPORT, events.append, notify=False)
    assert [event.name for event in events] == ["telemetry.sent"]
