"""How a command ends that has no plan, or whose plan ended it with an error: as every channel says it."""

from __future__ import annotations

import pytest

from engine.core.diagnostics import Diagnostic
from engine.core.ending import (
    Head,
    failed_report,
    foreseen,
    interrupted_report,
    journal_result,
    leaves,
    plan_trouble,
    trouble_of,
    word_of,
)
from engine.core.errors import (
    AppfleetError,
    BugError,
    ConfigError,
    DeniedError,
    ExitCode,
    NotConfirmedError,
    StateError,
    UsageError,
)
from engine.core.finding import Finding
from engine.core.limits import ENDING_PROBLEMS_MAX_COUNT
from engine.core.plan import Plan
from engine.core.trouble import Trouble

WHY = Trouble("AccessDeniedException", "domain research: ListApps failed with AccessDeniedException", "Allow it")


def test_a_plan_that_is_not_complete_says_what_went_wrong_first() -> None:
    made = Plan("ml", "2026-11-24T01:00:00Z", (), complete=False, errors=(WHY,))
    said = plan_trouble(made)
    assert said is not None
    assert (said.code, said.message) == (WHY.code, WHY.message)


def test_one_without_errors_points_at_its_findings() -> None:
    said = plan_trouble(Plan("ml", "2026-11-24T01:00:00Z", (), complete=False))
    assert said is not None
    assert said.code == "incomplete_plan"


def test_a_whole_plan_ended_no_command() -> None:
    assert plan_trouble(Plan("ml", "2026-11-24T01:00:00Z", ())) is None


def test_a_denied_plan_says_what_denied_it() -> None:
    finding = Finding("gpu", "mandatory", "", "too many")
    said = plan_trouble(Plan("ml", "2026-11-24T01:00:00Z", (), denied=True, findings=(finding,)))
    assert said is not None
    assert "too many" in said.message


BROKEN = ConfigError(
    (
        Diagnostic("AF102", "fleet.toml", 12, "apps.lab.typ", "unknown key", "Did you mean type?"),
        Diagnostic("AF102", "fleet.toml", 14, "apps.lab.image", "unknown key", ""),
    )
)


def test_an_error_is_written_with_its_hint_and_a_broken_file_by_its_first_problem() -> None:
    assert trouble_of(StateError("it is full", hint="Free some space")) == Trouble(
        "AF502", "it is full", "Free some space"
    )
    said = trouble_of(BROKEN)
    assert said.message == f"fleet.toml:12: apps.lab.typ: unknown key ({BROKEN.message})"
    assert said.hint == "Did you mean type?"


def test_a_group_is_foreseen_when_each_of_its_errors_is_and_the_gravest_is_meant() -> None:
    usage, state = UsageError("a wrong flag"), StateError("it is full")
    assert foreseen(state) is state
    group = BaseExceptionGroup("both", [state, ExceptionGroup("inner", [usage])])
    assert list(leaves(group)) == [state, usage]
    assert foreseen(group) is usage
    assert foreseen(BaseExceptionGroup("one of them", [state, KeyError("x")])) is None
    assert foreseen(ValueError("x")) is None


@pytest.mark.parametrize(
    ("error", "code", "errors"),
    [
        (BROKEN, ExitCode.USAGE, 2),
        (DeniedError("a rule denied it"), ExitCode.DENIED, 1),
        (BugError("a bug"), ExitCode.BUG, 1),
        (StateError("it is full"), ExitCode.FAILED, 1),
    ],
)
def test_every_end_has_a_report_with_its_errors_and_its_exit_code(
    error: AppfleetError, code: ExitCode, errors: int
) -> None:
    report = failed_report(error, Head("r", "ml", "2026-11-24T01:00:00Z", 1.5))
    assert (report.run_id, report.fleet, report.seconds, report.apps) == ("r", "ml", 1.5, ())
    assert (report.exit_code, len(report.errors)) == (code, errors)


def test_each_problem_of_a_broken_file_is_an_error_once() -> None:
    report = failed_report(BROKEN, Head("r", "ml", "2026-11-24T01:00:00Z", 1.5))
    said = [error.message for error in report.errors]
    assert said == ["fleet.toml:12: apps.lab.typ: unknown key", "fleet.toml:14: apps.lab.image: unknown key"]
    assert report.errors[0].hint == "Did you mean type?"
    assert report.error == trouble_of(BROKEN)


def test_problems_that_are_cut_are_counted() -> None:
    many = ConfigError(tuple(Diagnostic("AF102", "fleet.toml", line, "", "unknown key", "") for line in range(1, 200)))
    report = failed_report(many, Head("r", "ml", "2026-11-24T01:00:00Z", 1.5))
    assert len(report.errors) == ENDING_PROBLEMS_MAX_COUNT
    assert report.error is not None
    assert "199 problems found" in report.error.message


def test_a_signal_before_the_plan_has_a_report_too() -> None:
    report = interrupted_report("SIGTERM", Head("r", "", "2026-11-24T01:00:00Z", 0.1))
    assert (report.interrupted, report.interrupted_by, report.exit_code) == (True, "SIGTERM", ExitCode.INTERRUPTED)


def test_the_journal_and_a_command_that_only_looks_have_one_word_for_it() -> None:
    ends = (NotConfirmedError(), DeniedError("no"), StateError("full"))
    assert [journal_result(error) for error in ends] == ["declined", "denied", "failed"]
    assert [word_of(code) for code in (0, 2, 4, 130, 1, 64)] == [
        "done", "done", "denied", "interrupted", "failed", "failed",
    ]  # fmt: skip
