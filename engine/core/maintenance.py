"""Apps that are Pending long after they were made: no run of ours started them, the service maintains or restarts them.

SageMaker puts some apps from InService back to Pending, at least every 90 days, and restarts an app within a day under
its old CreationTime. Such an app is not awaited as a new one is. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from engine.core.finding import Finding
from engine.core.identity import AppKey
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.observed import AppStatus, ObservedApp
from engine.core.text import clean, count_of, listed

MAINTENANCE_RULE: Final = "maintenance"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Tells an app in maintenance from a new one.

    What is Pending and was made before `before` (epoch seconds) is not new any more. `awaited` are the apps that an
    earlier run made and did not see in service: those are awaited, however old their row says that they are.
    """

    before: float = float("-inf")
    awaited: frozenset[AppKey] = frozenset()

    def holds(self, key: AppKey, row: ObservedApp | None) -> bool:
        """Whether the row of `key`, as the fleet spells it, is in maintenance."""
        old = row is not None and row.status is AppStatus.PENDING and row.created_at < self.before
        return old and key not in self.awaited


def since_made(row: ObservedApp, today: date) -> str:
    """Return `since it was made 45 days ago`."""
    days = (today - datetime.fromtimestamp(row.created_at, UTC).date()).days
    return f"since it was made {count_of(days, 'day')} ago" if days > 0 else "since it was made today"


def maintenance_finding(maintained: Sequence[tuple[AppKey, ObservedApp]], today: date) -> Finding:
    """Return the one finding about all apps in maintenance."""
    named = [f"{key} ({since_made(row, today)})" for key, row in maintained]
    message = (
        f"{count_of(len(named), 'app')} Pending again: {listed(named, ORPHANS_NAMED_MAX_COUNT)}. "
        "SageMaker maintains or restarts such an app automatically; a run leaves it alone and does not wait for it"
    )
    return Finding(MAINTENANCE_RULE, "advisory", "", clean(message))
