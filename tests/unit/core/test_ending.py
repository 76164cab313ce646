"""Why a plan ended its command with an error, as its log says it."""

from __future__ import annotations

from engine.core.ending import plan_trouble
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
