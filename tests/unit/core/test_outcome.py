from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.change import Action
from engine.core.errors import DeniedError, ExitCode
from engine.core.finding import MANDATORY, OFFBOARD, RESTORE, SKIP, UNPRUNED, Finding
from engine.core.identity import USER, Owner
from engine.core.outcome import (
    INCOMPLETE_OUTCOMES,
    ApplyReport,
    AppResult,
    Outcome,
    OwnerResult,
    RunResult,
    denied_trouble,
)
from engine.core.ownership import READ_TAGS
from engine.core.trouble import Trouble
from tests.fleets import LAB, key_of

WELL = (Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.DELETED, Outcome.UPDATED, Outcome.UNCHANGED)
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
        ({"errors": (TROUBLE,), "denied": True, "ended_by": ExitCode.DENIED}, RunResult.DENIED, 4),
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
        "links": {},
        "forecast": None,
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


def test_a_run_that_converged_has_no_reason_and_every_other_one_says_what_to_do() -> None:
    assert _report(Outcome.CREATED).error is None
    for told in (
        {"interrupted": True},
        {"bug": True},
        {"errors": (TROUBLE,)},
        {"denied": True},
        {"denied": True, "errors": (TROUBLE,), "ended_by": ExitCode.DENIED},
        {},
    ):
        error = _report(Outcome.PARKED, **told).error
        assert error is not None
        assert error.hint


def test_a_run_that_was_denied_before_it_had_a_plan_gives_the_denial_itself_as_its_reason() -> None:
    denial = Trouble(DeniedError.code, "Rule gpu denied the team's file", "Change the file")
    assert _report(denied=True, errors=(denial,), ended_by=ExitCode.DENIED).error == denial


def test_a_look_that_something_ended_says_why_and_claims_nothing_of_any_app() -> None:
    document = _report(Outcome.CREATED, errors=(TROUBLE,), ended_by=ExitCode.FAILED).failure_json()
    assert document == {
        "format_version": 1,
        "run_id": "run-1",
        "fleet": "ml-platform",
        "result": "failed",
        "exit_code": 1,
        "error": TROUBLE.to_json(),
        "errors": [TROUBLE.to_json()],
        "complete": False,
    }


# Denied.


def _refused(rule: str, *allow: str, source: str = "", key: str = "") -> Finding:
    return Finding(rule, MANDATORY, key, "it goes too far", source, allow=allow)


def test_what_flags_let_through_is_denied_with_all_of_them_as_a_shell_takes_them() -> None:
    told = denied_trouble([_refused("safety.destroy_max", "research/*=11"), _refused("safety.gpu_max", LAB)])
    assert told.message == "Rule safety.destroy_max denied the plan: it goes too far (and 1 more)"
    assert told.hint == (
        "Nothing was changed. If you mean these deletes and replaces, "
        f"add --allow-destructive 'research/*=11' --allow-destructive {LAB}"
    )


@pytest.mark.parametrize("others", [(), (_refused("safety.destroy_max", "research/*=11"),)])
def test_where_no_flag_is_enough_none_is_named(others: tuple[Finding, ...]) -> None:
    told = denied_trouble([_refused("gpu", source="policies/gpu.toml:3", key=LAB), *others])
    assert told.message.startswith(f"Rule gpu (policies/gpu.toml:3) denied the plan: {LAB}: it goes too far")
    assert told.hint == "Nothing was changed. Change the fleet or the rule, then run again"


# Incomplete.


def _person(outcome: Outcome, name: str = "alice") -> OwnerResult:
    return OwnerResult(Owner("research", USER, name), Action.CREATE, outcome, error=TROUBLE)


@pytest.mark.parametrize(
    ("names", "counted"),
    [(["alice"], "1 user profile or space did"), (["alice", "bob"], "2 user profiles or spaces did")],
)
def test_owners_that_did_not_end_well_are_counted_and_one_is_named_with_its_reason(
    names: list[str], counted: str
) -> None:
    owners = tuple(_person(Outcome.FAILED, name) for name in names)
    report = _report(Outcome.CREATED, owners=(*owners, _person(Outcome.CREATED, "carol")))
    assert report.result is RunResult.INCOMPLETE
    assert report.error == Trouble(
        "incomplete",
        f"{counted} not end well. Such as research/user/alice: {TROUBLE.code}: {TROUBLE.message}",
        TROUBLE.hint,
    )


def test_owners_that_were_to_go_and_stay_leave_the_run_incomplete_and_the_first_says_why() -> None:
    stay = tuple(Finding(OFFBOARD, SKIP, f"research/user/{name}", "an app lives in it") for name in ("alice", "bob"))
    report = _report(Outcome.DELETED, findings=stay)
    assert report.result is RunResult.INCOMPLETE
    assert report.error is not None
    assert report.error.message == (
        "2 user profiles or spaces not deleted. Such as research/user/alice: an app lives in it"
    )
    assert report.error.hint


def test_updates_that_were_to_be_put_back_and_are_not_leave_the_run_incomplete() -> None:
    kept = Finding(RESTORE, SKIP, "research/space/alice-lab", "not put back: it has no tag")
    report = _report(Outcome.DELETED, findings=(kept,))
    assert report.result is RunResult.INCOMPLETE
    assert report.error is not None
    assert report.error.message == (
        "1 user profile or space not put back. Such as research/space/alice-lab: not put back: it has no tag"
    )


def test_what_was_to_be_pruned_and_could_not_be_read_leaves_the_run_incomplete() -> None:
    left = Finding(UNPRUNED, SKIP, "", "2 apps not pruned, since nobody knows whose they are: a, b. Run again")
    report = _report(Outcome.UNCHANGED, findings=(left,))
    assert report.error == Trouble(
        "incomplete", "2 apps not pruned, since nobody knows whose they are: a, b", READ_TAGS
    )
    assert not replace(report, apps=(_result(Outcome.SKIPPED, error=Trouble("quarantined", "")),)).only_quarantined


def test_the_reason_of_an_app_comes_before_what_stays() -> None:
    stay = Finding(OFFBOARD, SKIP, "research/user/alice", "an app lives in it")
    apps = (_result(Outcome.FAILED, error=TROUBLE), _result(Outcome.CREATED))
    report = ApplyReport("run-1", "ml", "2026-11-24T01:00:00Z", 1.0, apps, {}, findings=(stay,))
    assert report.error is not None
    assert report.error.message == (
        f"1 failed of 2 apps; 1 user profile or space not deleted. Such as {LAB}: {TROUBLE.code}: {TROUBLE.message}"
    )


def test_what_was_skipped_since_another_failed_is_not_named_as_the_reason() -> None:
    tripped = Trouble("tripped", "not called, since a-lab, the first app like it, ended Failed")
    ends = (
        ("a-lab", Outcome.FAILED, TROUBLE),
        ("b-lab", Outcome.SKIPPED, tripped),
        ("c-lab", Outcome.SKIPPED, tripped),
    )
    apps = tuple(
        replace(_result(outcome, error=error), key=key_of(f"research/space/{name}/JupyterLab/default"))
        for name, outcome, error in ends
    )
    error = replace(_report(), apps=apps).error
    assert error is not None
    assert f"Such as research/space/a-lab/JupyterLab/default: {TROUBLE.code}" in error.message
    skipped = replace(_report(), apps=apps[1:]).error
    assert skipped is not None
    assert "Such as research/space/b-lab/JupyterLab/default: tripped" in skipped.message


def test_apps_that_failed_alike_are_counted_together_although_each_hint_names_its_own_log() -> None:
    """One failed otherwise and comes first by key: what most suffer from is named."""
    troubles = {"a-lab": TROUBLE}
    for name in ("b-lab", "c-lab"):
        hint = f"Look at stream DOMAIN_ID/{name}/JupyterLab/default"
        troubles[name] = Trouble(TROUBLE.code, "the script failed", hint)
    apps = tuple(
        replace(_result(Outcome.FAILED, error=trouble), key=key_of(f"research/space/{name}/JupyterLab/default"))
        for name, trouble in troubles.items()
    )
    error = replace(_report(), apps=apps).error
    assert error is not None
    assert "Such as research/space/b-lab/JupyterLab/default" in error.message
