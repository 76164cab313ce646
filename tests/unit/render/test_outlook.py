from __future__ import annotations

from dataclasses import replace

from engine.core.cost import CostLine, PlanCost
from engine.core.forecast import Forecast
from engine.core.hours import HoursLine
from engine.render.outlook import outlook_lines
from engine.render.plan_markdown import plan_markdown
from engine.render.plan_text import plan_text
from tests.fleets import CANVAS, key_of
from tests.unit.render.samples import HOSTILE, a_plan

FORECAST = Forecast(
    1_980.0,
    "1/eu/JupyterLab/ml.t3.medium",
    2,
    (("CreateApp", 1_200), ("ListApps", 14)),
    (1.0,) * 10,
    False,
    False,
    200.0,
)
COST = PlanCost((CostLine("", -0.5, 1), CostLine("vision", 1.5, 3)), (key_of(CANVAS),))


def test_cost_and_forecast_are_told_in_text_and_markdown() -> None:
    plan = a_plan(cost=COST, forecast=FORECAST)
    text = plan_text(plan)
    assert "Cost: +1.00 USD per hour, +730.00 per month\n" in text
    assert "  team vision: +1.50 USD per hour, +1,095.00 per month\n" in text
    assert "  no team: -0.50 USD per hour, -365.00 per month\n" in text
    assert f"  without a price: 1 app: {CANVAS}\n" in text
    assert "Forecast: up to 33 min: 2 apps exceed their quota and will wait; the rest takes about 3 min\n" in text
    assert "  calls: CreateApp 1,200, ListApps 14\n" in text
    assert (
        "  assumes: create_rate from the policy (no rate learned yet) and typical start-up times (no history for some "
        "app types)\n"
    ) in text
    assert "the rest takes about 3 min" in plan_markdown(plan)


def test_the_wait_for_a_quota_is_a_bound_and_what_fits_an_estimate() -> None:
    def told(**changes: object) -> str:
        return dict(outlook_lines(a_plan(forecast=replace(FORECAST, **changes))))["Forecast"]  # type: ignore[arg-type]

    assert told(parked=0, seconds=197.0) == "about 3 min; 1/eu/JupyterLab/ml.t3.medium ends last"
    assert told(parked=1, fitting_seconds=0.0) == "up to 33 min: 1 app exceeds its quota and will wait"
    assert told(seconds=42.0, parked=0).startswith("about 42 s")
    assert told(seconds=42.0, parked=0, critical="1/eu/Canvas/") == "about 42 s; 1/eu/Canvas ends last"


def test_what_finds_a_quota_of_0_does_not_wait() -> None:
    def told(**changes: object) -> str:
        return dict(outlook_lines(a_plan(forecast=replace(FORECAST, **changes))))["Forecast"]  # type: ignore[arg-type]

    assert told(parked=7, hopeless=7, fitting_seconds=0.0) == "7 apps exceed their quota of 0 and will fail at once"
    assert (
        told(parked=1, hopeless=1) == "1 app exceeds its quota of 0 and will fail at once; the rest takes about 3 min"
    )
    both = "2 apps exceed their quota and will wait; 1 app exceeds its quota of 0 and will fail at once"
    assert told(parked=3, hopeless=1).endswith(f": {both}; the rest takes about 3 min")


def test_what_is_known_is_not_excused() -> None:
    known = replace(FORECAST, parked=0, rate_is_learnt=True, durations_are_known=True)
    assert [label for label, _ in outlook_lines(a_plan(forecast=known))] == ["Forecast", "  calls"]
    assert [label for label, _ in outlook_lines(a_plan(cost=PlanCost((CostLine("a", 1.0, 1),))))] == ["Cost"]
    assert outlook_lines(a_plan()) == []


def test_many_teams_are_told_in_part_and_names_are_cleaned() -> None:
    lines = tuple(CostLine(f"{HOSTILE}{number:02}", float(number), 1) for number in range(23))
    told = outlook_lines(a_plan(cost=PlanCost(lines)))
    assert told[-1] == ("  and", "3 more teams")
    assert all("\x1b" not in label for label, _ in told)


def test_hours_come_first_and_the_month_is_that_of_the_hours() -> None:
    lines = (HoursLine("office", "Europe/Berlin", True, 1), HoursLine("n", "UTC", False, 2, "x", "Mon 08:00"))
    told = outlook_lines(a_plan(hours=lines, cost=PlanCost((CostLine("a", 1.0, 1, 300.0),))))
    assert told == [
        ("Hours office", "open; 1 app"),
        ("Hours n", "closed, opens Mon 08:00 UTC; 2 apps"),
        ("Cost", "+1.00 USD per hour, +300.00 per month in their hours"),
    ]
