"""What a plan adds to the bill, by the policy's price table.

An app counts with its first instance type, which is tried first; the guardrail `hourly_usd_max` takes the dearest.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.change import DESTROYING, MAKING, Change
from engine.core.cost import CostLine, PlanCost, usd
from engine.core.desired import DesiredDomain
from engine.core.plan import Plan
from engine.policy.prices import PriceBook


def cost_of(plan: Plan, domains: Iterable[DesiredDomain], prices: PriceBook) -> PlanCost | None:
    """Return the change of the bill; None where no change has a price: there is nothing to say then."""
    regions = {domain.name: domain.region for domain in domains}
    sums: dict[str, tuple[float, int]] = {}
    unpriced = []
    for change in plan.changes:
        added = _added(change, regions[change.key.domain], prices)
        if added is None:
            unpriced.append(change.key)
            continue
        team = change.after.team if change.after is not None else ""
        before, apps = sums.get(team, (0.0, 0))
        sums[team] = (before + added, apps + 1)
    if not sums:
        return None
    lines = tuple(CostLine(team, usd(added), apps) for team, (added, apps) in sorted(sums.items()))
    return PlanCost(lines, tuple(unpriced))


def _added(change: Change, region: str, prices: PriceBook) -> float | None:
    """Return USD an hour that one change adds; None where one of its prices is not known."""
    added = 0.0
    if change.action in MAKING and change.after is not None:
        price = prices.price_of(region, change.key.app_type, change.after.spec)
        if price is None:
            return None
        added = price
    if change.action in DESTROYING and change.before is not None:
        price = prices.price_of(region, change.key.app_type, change.before.spec)
        if price is None:
            return None
        added -= price
    return added
