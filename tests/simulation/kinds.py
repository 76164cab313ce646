"""What nights have to hold for the simulation to speak of it: a name that never shows is not covered.

The names are those that a night notes as seen: events, decisions of its plans with their reasons, outcomes of owners.
"""

from __future__ import annotations

from typing import Final

EVERY_NIGHT_COUNT: Final = 1_000  # from so many nights on, each of these has to have happened in one of them
EXPECTED: Final = (
    "an app was sent to a training plan",
    "app begun in doubt",
    "app.adopted",
    "app.deleted",
    "app.failed",
    "app.fell_back",
    "app.outcome_unknown",
    "app.ownership_unread",
    "app.parked",
    "app.retried",
    "app.still_pending",
    "bucket.ended",
    "bucket.reopened",
    "domain.list_failed",
    "finding: half_replaced",
    "finding: training_plan",
    "lane.stopped",
    "lane.throttled",
    "lock.refused",
    "lock.waited_for",
    "owner.outcome_unknown",
    "owner.retried",
    "owner.unread",
    "plan: adopt because unowned",
    "plan: create because deleting",
    "plan: create because failed",
    "plan: delete because declared_absent",
    "plan: delete because expired",
    "plan: delete because not_declared",
    "plan: delete_then_create because drift",
    "plan: delete_then_create because forced",
    "plan: none because done_once",
    "plan: none because not_owned",
    "plan: none because owner_missing",
    "plan: none because pending",
    "plan: none because quarantined",
    "plan: none because training_plan",
    "plan: space create because absent",
    "plan: space create because deleting",
    "plan: space delete because offboarded",
    "plan: space none because pending",
    "plan: user create because absent",
    "plan: user create because deleting",
    "plan: user delete because offboarded",
    "plan: user none because pending",
    "process.stopped",
    "run.killed",
    "somebody retagged an owner that leaves or is updated",
    "space adopted",
    "space created",
    "space deleted",
    "space failed",
    "space interrupted",
    "space parked",
    "space skipped",
    "space still_pending",
    "two signals during a read before the plan",
    "unknown outcome: CreateSpace",
    "unknown outcome: CreateUserProfile",
    "unknown outcome: DeleteSpace",
    "unknown outcome: UpdateSpace",
    "update failed",
    "update interrupted",
    "update skipped",
    "update unchanged",
    "update updated",
    "user assigned",
    "user created",
    "user deleted",
    "user failed",
    "user named in a finding",
    "user parked",
)


def missing(seen: dict[str, int], nights: int) -> list[str]:
    """Name what should have happened in so many nights and did not; too few nights say nothing."""
    return [name for name in EXPECTED if not seen.get(name)] if nights >= EVERY_NIGHT_COUNT else []
