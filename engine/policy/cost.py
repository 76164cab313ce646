"""What a plan adds to the bill, by the policy's price table.

An app counts with its first instance type, which is tried first; the guardrail `hourly_usd_max` takes the dearest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from engine.core.change import DESTROYING, MAKING, Change, Reason
from engine.core.cost import HOURS_A_MONTH, CostLine, PlanCost, usd
from engine.core.desired import DesiredDomain
from engine.core.plan import Plan
from engine.policy.prices import PriceBook


def cost_of(plan: Plan, domains: Iterable[DesiredDomain], prices: PriceBook) -> PlanCost | None:
    """Return the change of the bill; None where no change has a price: there is nothing to say then."""
    regions = {domain.name: domain.region for domain in domains}
    shares = _Shares(datetime.fromisoformat(plan.at or plan.made_at))
    sums: dict[str, _Sum] = {}
    unpriced = []
    for change in plan.changes:
        if change.action not in MAKING | DESTROYING:
            continue
        added = _added(change, regions[change.key.domain], prices)
        if added is None:
            unpriced.append(change.key)
            continue
        team = change.after.team if change.after is not None else ""
        sums[team] = sums.get(team, _Sum()).plus(added, shares.of(change))
    if not sums:
        return None
    lines = tuple(one.line(team) for team, one in sorted(sums.items()))
    return PlanCost(lines, tuple(unpriced))


class _Sum(NamedTuple):
    """USD per hour and a month of one team, and the apps behind them."""

    hourly: float = 0.0
    monthly: float = 0.0
    apps: int = 0
    has_hours: bool = False

    def plus(self, hourly: float, share: float | None) -> _Sum:
        """Count one more app; `share` is that of its hours, None where it has none."""
        month = hourly * HOURS_A_MONTH * (1.0 if share is None else share)
        has_hours = self.has_hours or share is not None
        return _Sum(self.hourly + hourly, self.monthly + month, self.apps + 1, has_hours)

    def line(self, team: str) -> CostLine:
        return CostLine(team, usd(self.hourly), self.apps, usd(self.monthly) if self.has_hours else None)


@dataclass(slots=True)
class _Shares:
    """The share of the coming year in which hours are open, worked out once for each calendar."""

    now: datetime
    _known: dict[str, float] = field(default_factory=dict)

    def of(self, change: Change) -> float | None:
        """Return the share of a month in which a change counts; None where its app has no hours."""
        hours = None if change.after is None else change.after.hours
        if hours is None:
            return None
        if change.reason is Reason.OUTSIDE_HOURS:
            return 0.0
        if hours.text not in self._known:
            self._known[hours.text] = hours.calendar.share_open(self.now)
        return self._known[hours.text]


def _added(change: Change, region: str, prices: PriceBook) -> float | None:
    """Return USD per hour that one change adds; None where one of its prices is not known."""
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
