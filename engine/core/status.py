"""Status: what was observed beside what is desired, one row a key.

Not here: deciding what to do (`planner`); a status is read off a plan's decisions and never acted upon.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.core.plan import Reason

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp
    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp
    from engine.core.outcome import Trouble
    from engine.core.plan import Plan, PlanLane

GONE = "-"  # shown where nothing is observed


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One app: `desired` or `observed` may be None, not both. `reason` is how the planner sees it."""

    key: AppKey
    reason: Reason
    desired: DesiredApp | None = None
    observed: ObservedApp | None = None
    differs: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """Give the app's mode, `expired`, or empty where the fleet does not declare it."""
        if self.desired is None:
            return ""
        return "expired" if self.reason is Reason.EXPIRED else self.desired.mode.value

    @property
    def status(self) -> str:
        """Give the service's word, or `-` where there is none."""
        if self.observed is None:
            return GONE
        return self.observed.status_text or self.observed.status.value

    def to_json(self) -> dict[str, Any]:
        """Give the entry of `apps` in `status --format json`."""
        return {
            "key": str(self.key),
            "wanted": self.wanted,
            "status": None if self.observed is None else self.status,
            "reason": self.reason.value,
            "team": "" if self.desired is None else self.desired.team,
            "desired": None if self.desired is None else self.desired.spec.to_json(),
            "observed": None if self.observed is None else self.observed.to_json(),
            "differs": list(self.differs),
        }


@dataclass(frozen=True, slots=True)
class StatusView:
    """Every row, sorted by key. `unmanaged` counts live apps that the fleet neither declares nor owns.

    `errors` holds the domains that could not be listed.
    """

    fleet: str
    made_at: str
    rows: tuple[StatusRow, ...]
    lanes: tuple[PlanLane, ...] = ()
    unmanaged: int = 0
    errors: tuple[Trouble, ...] = ()
    summary: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Count the statuses, the most frequent first."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.status] = counts.get(row.status, 0) + 1
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        object.__setattr__(self, "summary", dict(ordered))

    @property
    def complete(self) -> bool:
        """Whether every domain could be listed."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Give the document of `status --format json`."""
        return {
            "format_version": 1,
            "fleet": self.fleet,
            "made_at": self.made_at,
            "lanes": [lane.to_json() for lane in self.lanes],
            "complete": self.complete,
            "apps": [row.to_json() for row in self.rows],
            "unmanaged": self.unmanaged,
            "summary": {"absent" if status == GONE else status: count for status, count in self.summary.items()},
            "errors": [error.to_json() for error in self.errors],
        }


def status_of(plan: Plan, errors: tuple[Trouble, ...] = ()) -> StatusView:
    """Read the status off `plan`: each of its decisions is one row, whatever its action."""
    rows = tuple(
        StatusRow(change.key, change.reason, change.after, change.before, change.differs) for change in plan.decisions
    )
    return StatusView(plan.fleet, plan.made_at, rows, plan.lanes, plan.unmanaged, errors)
