"""What a plan costs and how long it will take, as lines for every format made for people."""

from __future__ import annotations

from collections import Counter
from typing import Final

from engine.core.cost import CostLine, PlanCost
from engine.core.forecast import Forecast
from engine.core.identity import AppKey
from engine.core.plan import Plan
from engine.core.rough import rough
from engine.core.text import clean, count_of, listed
from engine.render.hours_text import hours_texts

TEAMS_SHOWN_MAX_COUNT: Final = 20
CANARIES_SHOWN_MAX_COUNT: Final = 5


def outlook_lines(plan: Plan) -> list[tuple[str, str]]:
    """Return pairs of a label and a text: who goes first, hours, the cost, one line per team, then the forecast.

    A label that is indented belongs to the one before it. What is not known is left out.
    """
    lines = [*_canary_lines(plan), *((f"Hours {label}", text) for label, text in hours_texts(plan.hours))]
    lines += [] if plan.cost is None else _cost_lines(plan.cost)
    return lines if plan.forecast is None else [*lines, *_forecast_lines(plan.forecast)]


def _canary_lines(plan: Plan) -> list[tuple[str, str]]:
    """Return a line for each app that goes first, since none of its shape ran here; of many those with most behind."""
    waiting = Counter(change.canary for change in plan.changes if change.canary is not None)
    ordered = sorted(waiting.items(), key=lambda one: (-one[1], one[0]))
    lines = [("Canary", _goes_first(key, count)) for key, count in ordered[:CANARIES_SHOWN_MAX_COUNT]]
    if rest := ordered[CANARIES_SHOWN_MAX_COUNT:]:
        behind = count_of(sum(count for _, count in rest), "app")
        lines.append(("  and", f"{count_of(len(rest), 'more canary', 'more canaries')} with {behind} behind"))
    return lines


def _goes_first(key: AppKey, count: int) -> str:
    wait = "waits" if count == 1 else "wait"
    return f"{clean(str(key))} goes first; {count_of(count, 'app')} like it {wait} until it is in service"


def _cost_lines(cost: PlanCost) -> list[tuple[str, str]]:
    lines = [("Cost", _amount(cost))]
    if len(cost.lines) > 1:
        dearest = sorted(cost.lines, key=lambda line: (-abs(line.hourly_usd), line.team))
        lines += [
            (f"  team {clean(line.team)}" if line.team else "  no team", _amount(line))
            for line in dearest[:TEAMS_SHOWN_MAX_COUNT]
        ]
        if (rest := len(dearest) - TEAMS_SHOWN_MAX_COUNT) > 0:
            lines.append(("  and", count_of(rest, "more team")))
    if cost.unpriced:
        lines.append(("  without a price", f"{count_of(len(cost.unpriced), 'app')}: {listed(cost.unpriced)}"))
    return lines


def _amount(cost: PlanCost | CostLine) -> str:
    in_hours = " in their hours" if isinstance(cost, PlanCost) and cost.has_hours else ""
    return f"{cost.hourly_usd:+,.2f} USD per hour, {cost.monthly_usd:+,.2f} per month{in_hours}"


def _forecast_lines(forecast: Forecast) -> list[tuple[str, str]]:
    calls = ", ".join(f"{clean(name)} {count:,}" for name, count in forecast.calls)
    lines = [("Forecast", _when(forecast)), ("  calls", calls)]
    assumed = []
    if not forecast.rate_is_learnt:
        assumed.append("create_rate from the policy (no rate learned yet)")
    if not forecast.durations_are_known:
        assumed.append("typical start-up times (no history for some app types)")
    return [*lines, ("  assumes", " and ".join(assumed))] if assumed else lines


def _when(forecast: Forecast) -> str:
    """Say when the run is done; the wait for a quota is a bound and not an estimate, and never hides the rest."""
    if not forecast.parked:
        bucket = clean(forecast.critical).rstrip("/")  # of apps that name no instance type
        return f"about {rough(forecast.seconds)}; {bucket} ends last"
    rest = f"about {rough(forecast.fitting_seconds)}" if forecast.fitting_seconds else ""
    fails = f"{_exceeding(forecast.hopeless)} of 0 and will fail at once" if forecast.hopeless else ""
    waiting = forecast.parked - forecast.hopeless
    if not waiting:
        return "; ".join(filter(None, (fails, rest and f"the rest takes {rest}")))
    waits = f"{_exceeding(waiting)} and will wait"
    told = "; ".join(filter(None, (waits, fails, rest and f"the rest takes {rest}")))
    return f"up to {rough(forecast.seconds)}: {told}"


def _exceeding(apps: int) -> str:
    return f"{count_of(apps, 'app')} {'exceeds its' if apps == 1 else 'exceed their'} quota"
