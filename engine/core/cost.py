"""What a plan adds to the bill and takes from it: by the hour and by the month, a line for each team.

Values alone; the prices that they come from are the policy's (`policy.cost`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.core.identity import AppKey, parse_app_key

HOURS_A_MONTH: Final = 730.0
_USD_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, order=True)
class CostLine:
    """One team's part. `team` is empty for apps outside teams; `apps` counts the priced changes behind the figure."""

    team: str
    hourly_usd: float
    apps: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `teams`."""
        return {
            "team": self.team,
            "hourly_usd": self.hourly_usd,
            "monthly_usd": monthly_usd(self.hourly_usd),
            "apps": self.apps,
        }


@dataclass(frozen=True, slots=True)
class PlanCost:
    """The change of the bill, sorted by team, and the changes that no price is known for, sorted by key.

    An app costs what its first instance type costs, for as long as it runs: a month is all of its hours.
    """

    lines: tuple[CostLine, ...]
    unpriced: tuple[AppKey, ...] = ()

    @property
    def hourly_usd(self) -> float:
        """USD an hour that the plan adds; below nothing where it saves."""
        return usd(sum(line.hourly_usd for line in self.lines))

    def to_json(self) -> dict[str, Any]:
        """Return `cost` of `plan --format json`."""
        return {
            "hourly_usd": self.hourly_usd,
            "monthly_usd": monthly_usd(self.hourly_usd),
            "teams": [line.to_json() for line in self.lines],
            "unpriced": [str(key) for key in self.unpriced],
        }


def usd(amount: float) -> float:
    """Return an amount as it is kept: to the hundredth of a cent, and never minus nothing."""
    return round(amount, _USD_DIGITS) + 0.0


def monthly_usd(hourly_usd: float) -> float:
    """Return what an hourly amount comes to in a month of 730 hours."""
    return usd(hourly_usd * HOURS_A_MONTH)


def cost_from_json(entry: Mapping[str, Any] | None) -> PlanCost | None:
    """Read what `to_json` gave; None for None. Raises KeyError, TypeError or ValueError for anything else."""
    if entry is None:
        return None
    lines = tuple(CostLine(str(line["team"]), float(line["hourly_usd"]), int(line["apps"])) for line in entry["teams"])
    return PlanCost(lines, tuple(parse_app_key(str(key)) for key in entry["unpriced"]))
