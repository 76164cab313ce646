"""What a trace will show of a run: its stages, and each app's create, settle and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.app import recording
from engine.app.recording import Recorder, signals_wanted
from engine.core.identity import parse_app_key
from engine.ports.events import (
    AppCreated,
    AppCreateStarted,
    AppDeleted,
    AppDeleteStarted,
    AppFailed,
    AppInService,
    DomainListed,
    PlanComputed,
)

if TYPE_CHECKING:
    from engine.ports.events import Event

KEY = parse_app_key("research/space/alice-lab/JupyterLab/default")
OTHER = parse_app_key("research/space/bob-lab/JupyterLab/default")
PLANNED = PlanComputed("sha256:0", 1, 0, 0, 0, 0, 0, complete=True)
LISTED = DomainListed("research", 1, 1, 0.1)
URL = "http://collector:4318"


def recorded(*happened: tuple[float, Event | None]) -> list[tuple[Any, ...]]:
    """Return the spans of a run that began at 0, as name, start, end, key, attempts and error."""
    times = iter([*(at for at, _ in happened), 99.0])
    recorder = Recorder(("TRACES",), 0.0, lambda: next(times))
    passed: list[Event] = []
    for _, event in happened:
        if event is None:
            recorder.loaded()
        else:
            recorder.tee(passed.append)(event)
    assert passed == [event for _, event in happened if event is not None]
    run = recorder.spans()
    assert (run.started, run.ended) == (0.0, 99.0)
    return [(one.name, one.started, one.ended, one.key, one.attempts, one.error) for one in run.spans]


def test_a_run_has_its_stages_and_each_app_its_own() -> None:
    started, accepted = AppCreateStarted(KEY, 1, "ml.t3.medium"), AppCreated(KEY, 1, 0.5, "ml.t3.medium")
    found = recorded(
        (1.0, None), (2.0, LISTED), (3.0, LISTED), (4.0, PLANNED), (5.0, started), (6.0, started), (7.0, accepted),
        (8.0, LISTED), (9.0, AppInService(KEY, 4.0)),
    )  # fmt: skip
    assert found == [
        ("load", 0.0, 1.0, "", 0, ""),
        ("list", 1.0, 3.0, "", 0, ""),
        ("plan", 3.0, 4.0, "", 0, ""),
        ("create", 5.0, 7.0, str(KEY), 2, ""),
        ("settle", 7.0, 9.0, str(KEY), 1, ""),
    ]


def test_what_fails_has_its_reason_and_what_is_not_over_ends_with_the_run() -> None:
    found = recorded(
        (1.0, AppDeleteStarted(KEY, 1)), (2.0, AppDeleted(KEY, 1.0)), (3.0, AppCreateStarted(KEY, 1, "")),
        (4.0, AppFailed(KEY, "Failed", "no image", "")), (5.0, AppCreateStarted(OTHER, 1, "")),
        (6.0, AppFailed(OTHER._replace(owner="never-called"), "x", "y", "")),
    )  # fmt: skip
    assert found == [
        ("delete", 1.0, 2.0, str(KEY), 1, ""),
        ("create", 3.0, 4.0, str(KEY), 1, "Failed: no image"),
        ("create", 5.0, 99.0, str(OTHER), 1, ""),
    ]


def test_spans_that_are_too_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "TRACE_SPANS_MAX_COUNT", 1)
    recorder = Recorder(("TRACES",), 0.0, lambda: 1.0)
    for key in (KEY, OTHER):
        recorder.take(AppDeleteStarted(key, 1))
        recorder.take(AppDeleted(key, 1.0))
    assert (len(recorder.spans().spans), recorder.spans().lost) == (1, 1)


@pytest.mark.parametrize(
    ("variables", "signals"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "x"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL}, ("TRACES", "METRICS")),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": URL}, ("TRACES",)),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, ("METRICS",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_TRACES_EXPORTER": "none"}, ("METRICS",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_TRACES_EXPORTER": "console"}, ("METRICS",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_SDK_DISABLED": "TRUE"}, ()),
    ],
)
def test_the_variables_say_what_is_sent(variables: dict[str, str], signals: tuple[str, ...]) -> None:
    assert signals_wanted(variables) == signals
