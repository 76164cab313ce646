"""Every action, reason, outcome, status and result has its sign, its words and its colour, in every format."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from engine.adapters.screen.live_view import STYLES as LIVE_STYLES
from engine.adapters.screen.live_view import State
from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.desired import Source
from engine.core.explain import Explanation, RuleLine
from engine.core.identity import Owner
from engine.core.observed import AppStatus
from engine.core.outcome import AppResult, Outcome, RunResult
from engine.core.status import FINE, Condition, StatusRow
from engine.core.trouble import Trouble
from engine.policy.judge import Verdict
from engine.render.explain_text import explain_text
from engine.render.layout import Paint, Style
from engine.render.owners_text import owner_rows
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from engine.render.report.markdown import report_markdown
from engine.render.report.text import NEXT_STEPS, report_text
from engine.render.status_text import status_text
from engine.render.status_words import UNWELL, unwell_words
from engine.render.steps_text import steps_text
from engine.render.words import OUTCOMES, REASONS, STYLES, SYMBOLS
from tests.fleets import LAB, a_row, an_app, key_of
from tests.tables import unpadded
from tests.unit.render.samples import a_plan, a_report, a_status

_SGR = re.compile(r"\x1b\[\d+m")
_ACTIONS = [action for action in Action if action is not Action.UPDATE]  # that one is of profiles and spaces alone
_CHANGING = [action for action in _ACTIONS if action is not Action.NONE]


@pytest.mark.parametrize("style", get_args(Style))
def test_every_style_can_be_painted(style: Style) -> None:
    painted = Paint(on=True)(style, "x")
    assert painted.endswith("x\x1b[0m")
    assert _SGR.sub("", painted) == "x"


@pytest.mark.parametrize("action", _ACTIONS)
def test_every_action_has_a_sign_and_a_colour(action: Action) -> None:
    assert SYMBOLS[action].strip()
    assert STYLES[action] in get_args(Style)


@pytest.mark.parametrize("count", [1, 150])
@pytest.mark.parametrize("action", _CHANGING)
def test_a_plan_of_any_action_is_drawn_in_colour_and_without(action: Action, count: int) -> None:
    keys = [key_of(f"research/space/p{number:03}/JupyterLab/default") for number in range(count)]
    changes = tuple(Change(key, action, Reason.DRIFT, a_row(str(key)), an_app(str(key)), ()) for key in keys)
    plan = a_plan(decisions=changes)
    for unfold in (False, True):
        painted = plan_text(plan, colour=True, unfold=unfold)
        assert _SGR.sub("", painted) == plan_text(plan, unfold=unfold)
    assert "p000" in plan_markdown(plan)
    assert "p000" in _SGR.sub("", steps_text(plan, colour=True))


@pytest.mark.parametrize("action", _ACTIONS)
def test_what_is_done_about_owners_has_words_whatever_it_is(action: Action) -> None:
    plan = a_plan(owners=(OwnerChange(Owner("research", "user", "alice"), action, OwnerReason.ABSENT),))
    ((symbol, what, names),) = owner_rows(plan)
    assert (symbol, names) == (SYMBOLS[action], "alice")
    assert what.endswith("1 user profile in domain research")
    assert "alice" in plan_text(plan, colour=True)


def test_a_deleted_space_is_shown_with_its_volume_and_an_updated_one_without() -> None:
    said = {
        action: owner_rows(a_plan(owners=(OwnerChange(Owner("research", "space", "a"), action, OwnerReason.UNDONE),)))
        for action in (Action.DELETE, Action.UPDATE)
    }
    assert said[Action.DELETE][0][1] == "delete 1 space in domain research, volumes included"
    assert said[Action.UPDATE][0][1] == "update 1 space in domain research"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_and_every_status_is_drawn_in_colour(reason: Reason) -> None:
    assert REASONS[reason]
    for status in AppStatus:
        plan = a_plan(decisions=(Change(key_of(LAB), Action.NONE, reason, a_row(LAB, status.value), an_app(LAB)),))
        view = a_status(plan)
        assert _SGR.sub("", status_text(view, colour=True, width=200)) == status_text(view, width=200)
        assert _SGR.sub("", plan_text(plan, colour=True)) == plan_text(plan)


@pytest.mark.parametrize("condition", [condition for condition in Condition if condition not in FINE])
def test_every_condition_that_is_not_well_has_words_and_a_way_out(condition: Condition) -> None:
    assert condition in UNWELL
    words, way_out = unwell_words(StatusRow(key_of(LAB), Reason.IN_SYNC, condition))
    assert words
    assert way_out


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_told_in_text_and_markdown(outcome: Outcome) -> None:
    trouble = Trouble("some_code", "something happened", "Do something")
    report = a_report(apps=(AppResult(key_of(LAB), Action.CREATE, outcome, error=trouble),))
    assert f"1 {OUTCOMES[outcome]}" in report_text(report)
    assert _SGR.sub("", report_text(report, colour=True)) == report_text(report)
    assert f"| {OUTCOMES[outcome]} | 1 |" in unpadded(report_markdown(report))


@pytest.mark.parametrize(
    ("more", "result"),
    [
        ({"apps": ()}, RunResult.CONVERGED),
        ({}, RunResult.INCOMPLETE),
        ({"denied": True}, RunResult.DENIED),
        ({"interrupted": True}, RunResult.INTERRUPTED),
        ({"errors": (Trouble("x", "y"),)}, RunResult.FAILED),
    ],
)
def test_every_result_of_a_run_is_drawn_in_colour(more: dict[str, object], result: RunResult) -> None:
    report = a_report(**more)
    assert report.result is result
    assert result in NEXT_STEPS
    assert _SGR.sub("", report_text(report, colour=True)) == report_text(report)


def test_every_state_of_a_bucket_has_a_colour_in_the_live_view() -> None:
    assert set(LIVE_STYLES) == set(get_args(State))


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("action", _ACTIONS)
def test_an_explanation_is_drawn_in_colour_whatever_was_decided(verdict: Verdict, action: Action) -> None:
    rule = RuleLine("r", "advisory", verdict.value, "because", Source("policies/a.toml", 1))
    change = Change(key_of(LAB), action, Reason.DRIFT, a_row(LAB), an_app(LAB))
    told = Explanation(key_of(LAB), an_app(LAB), (), (rule,), 0.0, (), change)
    assert _SGR.sub("", explain_text(told, colour=True)) == explain_text(told)
