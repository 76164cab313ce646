from __future__ import annotations

from dataclasses import replace

from engine.core.cost import CostLine, PlanCost
from engine.core.forecast import Forecast
from engine.render.outlook import outlook_lines
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from tests.fleets import CANVAS, key_of
from tests.unit.render.samples import HOSTILE, a_plan

FORECAST = Forecast(
    200.0, "1/eu/JupyterLab/ml.t3.medium", 2, (("CreateApp", 1_200), ("ListApps", 14)), (1.0,) * 10, False, False
)
COST = PlanCost((CostLine("", -0.5, 1), CostLine("vision", 1.5, 3)), (key_of(CANVAS),))


def test_cost_and_forecast_are_told_in_text_and_markdown() -> None:
    plan = a_plan(cost=COST, forecast=FORECAST)
    text = plan_text(plan)
    assert "Cost: +1.00 USD an hour, +730.00 a month\n" in text
    assert "  team vision: +1.50 USD an hour, +1,095.00 a month\n" in text
    assert "  no team: -0.50 USD an hour, -365.00 a month\n" in text
    assert f"  without a price: 1 app: {CANVAS}\n" in text
    assert "Forecast: done in about 3 min 20 s; 1/eu/JupyterLab/ml.t3.medium ends last; CreateApp 1,200" in text
    assert "  parked: 2 apps will find no place in a quota\n" in text
    assert "not learnt yet" in text
    assert "usual times are taken" in text
    assert "done in about 3 min 20 s" in plan_markdown(plan)


def test_what_is_known_is_not_excused() -> None:
    known = replace(FORECAST, parked=0, rate_is_learnt=True, durations_are_known=True)
    assert [label for label, _ in outlook_lines(a_plan(forecast=known))] == ["Forecast"]
    assert [label for label, _ in outlook_lines(a_plan(cost=PlanCost((CostLine("a", 1.0, 1),))))] == ["Cost"]
    assert outlook_lines(a_plan()) == []


def test_many_teams_are_told_in_part_and_names_are_cleaned() -> None:
    lines = tuple(CostLine(f"{HOSTILE}{number:02}", float(number), 1) for number in range(23))
    told = outlook_lines(a_plan(cost=PlanCost(lines)))
    assert told[-1] == ("  and", "3 more teams")
    assert all("\x1b" not in label for label, _ in told)
