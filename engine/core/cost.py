"""What a plan adds to the bill and takes from it: by the hour and by the month, a line for each team.

Values alone; the prices that they come from are the policy's (`policy.cost`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from engine.core.identity import AppKey, parse_app_key

HOURS_A_MONTH: Final = 730.0
_USD_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, order=True)
class CostLine:
    """One team's part. `team` is empty for apps outside teams; `apps` counts the priced changes behind the figure.

    `in_hours` is what it costs a month where apps have hours; None where none has, so that a month is all of its hours.
    """

    team: str
    hourly_usd: float
    apps: int
    in_hours: float | None = None

    @property
    def monthly_usd(self) -> float:
        """USD a month that it adds."""
        return monthly_usd(self.hourly_usd) if self.in_hours is None else self.in_hours

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `teams`."""
        return {
            "team": self.team,
            "hourly_usd": self.hourly_usd,
            "monthly_usd": self.monthly_usd,
            "apps": self.apps,
        }


@dataclass(frozen=True, slots=True)
class PlanCost:
    """The change of the bill, sorted by team, and the changes that no price is known for, sorted by key.

    An app costs what its first instance type costs, for as long as it runs: a month is all of its hours, or the share
    of them in which its calendar is open. A stop at their end changes no month: it is counted already.
    """

    lines: tuple[CostLine, ...]
    unpriced: tuple[AppKey, ...] = ()

    @property
    def hourly_usd(self) -> float:
        """USD per hour that the plan adds; below nothing where it saves."""
        return usd(sum(line.hourly_usd for line in self.lines))

    @property
    def has_hours(self) -> bool:
        """Whether an app behind the figures has hours."""
        return any(line.in_hours is not None for line in self.lines)

    @property
    def monthly_usd(self) -> float:
        """USD a month that the plan adds."""
        return usd(sum(line.monthly_usd for line in self.lines)) if self.has_hours else monthly_usd(self.hourly_usd)

    def to_json(self) -> dict[str, Any]:
        """Return `cost` of `plan --format json`."""
        return {
            "hourly_usd": self.hourly_usd,
            "monthly_usd": self.monthly_usd,
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
    lines = tuple(map(_line, entry["teams"]))
    return PlanCost(lines, tuple(parse_app_key(str(key)) for key in entry["unpriced"]))


def _line(entry: Mapping[str, Any]) -> CostLine:
    line = CostLine(str(entry["team"]), float(entry["hourly_usd"]), int(entry["apps"]))
    month = float(entry.get("monthly_usd", line.monthly_usd))
    return line if month == line.monthly_usd else replace(line, in_hours=month)
