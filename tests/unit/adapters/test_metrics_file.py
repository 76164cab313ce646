"""The metrics of a run, for Prometheus' textfile collector."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.adapters.metrics_file import NAMES, SUCCESS_AT, metrics_text, write_metrics
from engine.core.outcome import Outcome
from tests.architecture.files import ROOT
from tests.unit.render.samples import a_report

if TYPE_CHECKING:
    from pathlib import Path


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels."""
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "fleet")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_run_is_told_whole() -> None:
    report = a_report()
    text = metrics_text("ml-platform", report, 0, 100.0, 100.0).decode()
    got = samples(text)
    assert 'fleet="ml-platform"' in text
    assert got["appfleet_last_run_duration_seconds",] == report.seconds
    assert {key[1] for key in got if key[0] == "appfleet_last_run_apps"} == {outcome.value for outcome in Outcome}
    for outcome, count in report.summary.items():
        assert got["appfleet_last_run_apps", outcome.value] == count
    for operation, kinds in report.calls.items():
        for kind, count in kinds.items():
            assert got["appfleet_last_run_calls", kind, operation] == count


def test_the_page_names_exactly_what_is_written() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1].partition("{")[0] for line in page.splitlines() if line.startswith("| `appfleet_")}
    assert rows == set(NAMES)


def test_the_time_of_the_last_success_outlives_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "appfleet.prom"
    write_metrics(path, "f", a_report(), 0, 100.0)
    write_metrics(path, "f", None, 1, 200.0)
    got = samples(path.read_text())
    assert got[SUCCESS_AT,] == 100
    assert got["appfleet_last_run_timestamp_seconds",] == 200
    assert got["appfleet_last_run_exit_code",] == 1
    assert ("appfleet_last_run_duration_seconds",) not in got


@pytest.mark.parametrize(
    "before", [None, b"\xff", b"no metrics {", b'appfleet_last_success_timestamp_seconds{fleet="g"} 5\n']
)
def test_where_no_success_is_known_its_time_is_0(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "appfleet.prom"
    if before is not None:
        path.write_bytes(before)
    write_metrics(path, "f", None, 5, 200.0)
    assert samples(path.read_text())[SUCCESS_AT,] == 0


def test_the_collector_may_read_the_file_and_sees_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "appfleet.prom"
    write_metrics(path, "f", a_report(), 0, 100.0)
    assert stat.S_IMODE(path.stat().st_mode) & 0o444 == 0o444
    assert [one.name for one in tmp_path.iterdir()] == ["appfleet.prom"]


def test_a_name_is_escaped_as_the_format_asks() -> None:
    got = metrics_text('a"b\n\\c\x1b', None, 1, 1.0, 0.0).decode()
    assert 'fleet="a\\"b \\\\c\\\\u001b"' in got
    assert len(samples(got)) == 3
