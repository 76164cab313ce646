from __future__ import annotations

from typing import Any

import pytest

from engine.core.finding import Finding
from engine.core.outcome import INCOMPLETE_OUTCOMES, ApplyReport, AppResult, Outcome, RunResult, Trouble
from engine.core.plan import Action
from tests.fleets import LAB, key_of

WELL = (Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.DELETED, Outcome.UNCHANGED)
TROUBLE = Trouble("AccessDenied", "CreateApp is not allowed", "Allow sagemaker:CreateApp")


def _result(outcome: Outcome, **told: Any) -> AppResult:
    return AppResult(key_of(LAB), Action.CREATE, outcome, **told)


def _report(*outcomes: Outcome, **told: Any) -> ApplyReport:
    return ApplyReport(
        "run-1",
        "ml-platform",
        "2026-11-24T01:00:00Z",
        12.34567,
        tuple(map(_result, outcomes)),
        {"ListApps": {"ok": 1}, "CreateApp": {"ok": 2, "throttled": 1}},
        **told,
    )


@pytest.mark.parametrize("outcome", WELL)
def test_what_went_well_converges(outcome: Outcome) -> None:
    assert _report(outcome).result is RunResult.CONVERGED
    assert _report(outcome).exit_code == 0


@pytest.mark.parametrize(
    "outcome", [Outcome.STILL_PENDING, Outcome.PARKED, Outcome.FAILED, Outcome.SKIPPED, Outcome.DENIED]
)
def test_one_app_that_did_not_end_well_leaves_the_run_incomplete(outcome: Outcome) -> None:
    assert _report(Outcome.CREATED, outcome).result is RunResult.INCOMPLETE
    assert _report(Outcome.CREATED, outcome).exit_code == 3


def test_an_empty_run_has_converged() -> None:
    assert _report().result is RunResult.CONVERGED


@pytest.mark.parametrize(
    ("told", "result", "exit_code"),
    [
        ({"denied": True}, RunResult.DENIED, 4),
        ({"errors": (TROUBLE,)}, RunResult.FAILED, 1),
        ({"errors": (TROUBLE,), "denied": True}, RunResult.FAILED, 1),
        ({"interrupted": True, "errors": (TROUBLE,), "denied": True}, RunResult.INTERRUPTED, 130),
        ({"bug": True}, RunResult.FAILED, 70),
        ({"bug": True, "interrupted": True}, RunResult.INTERRUPTED, 70),
    ],
)
def test_the_gravest_decides(told: dict[str, Any], result: RunResult, exit_code: int) -> None:
    report = _report(Outcome.PARKED, **told)
    assert report.result is result
    assert report.exit_code == exit_code


def test_every_outcome_is_judged_here() -> None:
    """A new outcome must be put on one side or the other; `interrupted` is the run's own mark."""
    assert set(Outcome) == {*INCOMPLETE_OUTCOMES, *WELL, Outcome.INTERRUPTED}


def test_the_summary_counts_what_occurred() -> None:
    report = _report(Outcome.PARKED, Outcome.CREATED, Outcome.PARKED)
    assert report.summary == {Outcome.CREATED: 1, Outcome.PARKED: 2}
    assert list(report.summary) == [Outcome.CREATED, Outcome.PARKED]


def test_the_document() -> None:
    finding = Finding("gpu", "advisory", LAB, "dear", "policies/gpu.toml:3")
    document = _report(Outcome.CREATED, findings=(finding,), errors=(TROUBLE,), notes=("the journal is new",)).to_json()
    trouble = {
        "code": "AccessDenied",
        "message": "CreateApp is not allowed",
        "hint": "Allow sagemaker:CreateApp",
    }
    assert document == {
        "format_version": 1,
        "run_id": "run-1",
        "fleet": "ml-platform",
        "result": "failed",
        "exit_code": 1,
        "error": trouble,
        "lanes": [],
        "started": "2026-11-24T01:00:00Z",
        "seconds": 12.346,
        "summary": {"created": 1},
        "owners": [],
        "apps": [_result(Outcome.CREATED).to_json()],
        "findings": [finding.to_json()],
        "calls": {"CreateApp": {"ok": 2, "throttled": 1}, "ListApps": {"ok": 1}},
        "errors": [trouble],
        "notes": ["the journal is new"],
    }
    assert list(document["calls"]) == ["CreateApp", "ListApps"]


def test_an_app_shows_its_error_or_null() -> None:
    assert _result(Outcome.CREATED, seconds=1.23456, attempts=2, instance_type="ml.t3.medium").to_json() == {
        "key": LAB,
        "action": "create",
        "outcome": "created",
        "attempts": 2,
        "seconds": 1.235,
        "instance_type": "ml.t3.medium",
        "arn": "",
        "error": None,
    }
    assert _result(Outcome.FAILED, error=TROUBLE).to_json()["error"] == TROUBLE.to_json()
