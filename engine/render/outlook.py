"""What a plan costs and how long it will take, as lines for every format made for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.cost import monthly_usd
from engine.core.text import clean
from engine.render.layout import count_of, duration, names

if TYPE_CHECKING:
    from engine.core.cost import PlanCost
    from engine.core.forecast import Forecast
    from engine.core.plan import Plan

TEAMS_SHOWN_MAX_COUNT: Final = 20


def outlook_lines(plan: Plan) -> list[tuple[str, str]]:
    """Give pairs of a label and a text: the cost, a team a line, then the forecast; none where nothing is known."""
    lines = [] if plan.cost is None else _cost_lines(plan.cost)
    return lines if plan.forecast is None else [*lines, *_forecast_lines(plan.forecast)]


def _cost_lines(cost: PlanCost) -> list[tuple[str, str]]:
    lines = [("Cost", _amount(cost.hourly_usd))]
    if len(cost.lines) > 1:
        dearest = sorted(cost.lines, key=lambda line: (-abs(line.hourly_usd), line.team))
        lines += [
            (f"  team {clean(line.team)}" if line.team else "  no team", _amount(line.hourly_usd))
            for line in dearest[:TEAMS_SHOWN_MAX_COUNT]
        ]
        if (rest := len(dearest) - TEAMS_SHOWN_MAX_COUNT) > 0:
            lines.append(("  and", count_of(rest, "more team")))
    if cost.unpriced:
        lines.append(("  without a price", f"{count_of(len(cost.unpriced), 'app')}: {names(cost.unpriced)}"))
    return lines


def _amount(hourly_usd: float) -> str:
    return f"{hourly_usd:+,.2f} USD an hour, {monthly_usd(hourly_usd):+,.2f} a month"


def _forecast_lines(forecast: Forecast) -> list[tuple[str, str]]:
    calls = ", ".join(f"{clean(name)} {count:,}" for name, count in forecast.calls)
    text = f"done in about {duration(forecast.seconds)}; {clean(forecast.critical)} ends last; {calls}"
    lines = [("Forecast", text)]
    if forecast.parked:
        lines.append(("  parked", f"{count_of(forecast.parked, 'app')} will find no place in a quota"))
    unknown = []
    if not forecast.rate_is_learnt:
        unknown.append("the service's rate is not learnt yet, so the policy's is taken")
    if not forecast.durations_are_known:
        unknown.append("some kinds of app were never made here, so usual times are taken")
    return [*lines, ("  rests on", "; ".join(unknown))] if unknown else lines
