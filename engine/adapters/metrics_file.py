"""What a run came to, in Prometheus' textfile format: for node_exporter's textfile collector, or to be pushed.

Gauges of the last run alone, so that a scrape between two nights tells the same as one right after the run. The only
module that imports prometheus_client. Not here: the names' meaning for people (`docs/metrics.md`, tested).
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from engine.adapters.named_file import write_named
from engine.config.reading.beneath import FileProblem
from engine.config.reading.regular_file import read_regular
from engine.core.errors import ExitCode
from engine.core.finding import ENFORCEMENTS
from engine.core.limits import METRICS_FILE_MAX_BYTES
from engine.core.outcome import ApplyReport, Outcome
from engine.core.text import clean

FILE_MODE: Final = 0o644  # the collector runs as another user
UNKNOWN_FLEET: Final = "unknown"  # of a fleet file that cannot be read, where no file of metrics knows better
SUCCESS_AT: Final = "appfleet_last_success_timestamp_seconds"

NAMES: Final = {
    "appfleet_last_run_timestamp_seconds": "When the last run ended, in epoch seconds.",
    SUCCESS_AT: "When a run last ended with exit code 0, in epoch seconds; 0 if none is known.",
    "appfleet_last_run_duration_seconds": "How long the last run took.",
    "appfleet_last_run_exit_code": "The exit code of the last run.",
    "appfleet_last_run_apps": "Apps of the last run by outcome; every outcome is listed, also with 0.",
    "appfleet_last_run_calls": "Calls of the last run by operation and answer.",
    "appfleet_last_run_findings": "What rules and guardrails said, by enforcement.",
    "appfleet_last_run_app_seconds_max": "The longest that one app took, from its first call to its end.",
}


def write_metrics(path: Path, fleet: str, report: ApplyReport | None, exit_code: int, now: float) -> None:
    """Replace the file in one step; `report` is None for a run that failed before it had one.

    `now` is epoch seconds. The time of the last success is taken over from the file, and so is the fleet's name where
    `fleet` is empty, since its own file cannot be read. Raises OSError.
    """
    known = _known(path)
    name = clean(fleet) or (next(iter(known)) if len(known) == 1 else UNKNOWN_FLEET)
    succeeded_at = now if exit_code == ExitCode.OK else known.get(name, 0.0)
    write_named(path, metrics_text(name, report, exit_code, now, succeeded_at), FILE_MODE)


def metrics_text(fleet: str, report: ApplyReport | None, exit_code: int, now: float, succeeded_at: float) -> bytes:
    """Return the text of the file."""
    registry = CollectorRegistry()
    fleet = clean(fleet)

    def gauge(name: str, *labels: str) -> Gauge:
        return Gauge(name, NAMES[name], ("fleet", *labels), registry=registry)

    gauge("appfleet_last_run_timestamp_seconds").labels(fleet).set(now)
    gauge(SUCCESS_AT).labels(fleet).set(succeeded_at)
    gauge("appfleet_last_run_exit_code").labels(fleet).set(exit_code)
    if report is not None:
        gauge("appfleet_last_run_duration_seconds").labels(fleet).set(round(report.seconds, 3))
        apps = gauge("appfleet_last_run_apps", "outcome")
        for outcome in Outcome:
            apps.labels(fleet, outcome.value).set(report.summary.get(outcome, 0))
        calls = gauge("appfleet_last_run_calls", "operation", "answer")
        for operation, kinds in report.calls.items():
            for kind, count in kinds.items():
                calls.labels(fleet, operation, kind).set(count)
        findings = gauge("appfleet_last_run_findings", "enforcement")
        counts = Counter(finding.enforcement for finding in report.findings)
        for enforcement in sorted({*ENFORCEMENTS, *counts}):  # also with 0: an alert must not miss its series
            findings.labels(fleet, enforcement).set(counts[enforcement])
        longest = max((app.seconds for app in report.apps), default=0.0)
        gauge("appfleet_last_run_app_seconds_max").labels(fleet).set(longest)
    return generate_latest(registry)


def samples(
    fleet: str, report: ApplyReport, exit_code: int, now: float
) -> list[tuple[str, str, dict[str, str], float]]:
    """Return what the file would hold as (name, meaning, labels, value); a success that is not known is left out."""
    text = metrics_text(fleet or UNKNOWN_FLEET, report, exit_code, now, now).decode()
    return [
        (sample.name, NAMES[sample.name], dict(sample.labels), float(sample.value))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name != SUCCESS_AT or exit_code == ExitCode.OK
    ]


def _known(path: Path) -> dict[str, float]:
    """Read the time of the last success of each fleet from the file that is there; empty when it tells none."""
    try:
        text = read_regular(path, str(path), METRICS_FILE_MAX_BYTES).decode()
        return {
            sample.labels["fleet"]: float(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == SUCCESS_AT and sample.labels.get("fleet") and math.isfinite(sample.value)
        }
    except (FileProblem, ValueError):  # not there, or not ours
        return {}
