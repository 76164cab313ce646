"""Training plans of simulated accounts: what each has reserved, for whom, and from when to when.

Not here: which apps run on one (`app_operations`), and how it is shown to a caller (`shapes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from engine.core.identity import Lane
from engine.simulator.world.values import NEVER, Count, Number, NumberOrNever

if TYPE_CHECKING:
    from collections.abc import Sequence

STUDIO_APPS: Final = "studio-apps"
ACTIVE: Final = "Active"
SCHEDULED: Final = "Scheduled"
EXPIRED: Final = "Expired"
STATUSES: Final = ("Pending", ACTIVE, SCHEDULED, EXPIRED, "Failed")


@dataclass(slots=True, eq=False)
class TrainingPlan:
    """One training plan. `taken` of its `total` instances are in use by others, or unhealthy.

    `fixed_status` stays whatever the time is; without it the status follows from the two times, in epoch seconds.
    `full_is_refused` False: CreateApp does not see that it is full, and the app ends Failed for want of capacity.
    """

    name: str
    account: str
    region: str
    arn: str
    instance_types: tuple[str, ...]
    total: Count
    taken: Count = 0
    fixed_status: str = ""
    starts_at: Number = 0.0
    ends_at: NumberOrNever = NEVER
    targets: tuple[str, ...] = (STUDIO_APPS,)
    full_is_refused: bool = True

    @property
    def lane(self) -> Lane:
        """Return its account and region."""
        return Lane(self.account, self.region)

    def status(self, now: float) -> str:
        """Return its status at a time."""
        if self.fixed_status:
            return self.fixed_status
        if now < self.starts_at:
            return SCHEDULED
        return EXPIRED if now >= self.ends_at else ACTIVE

    def available(self, used: int) -> int:
        """Return how many instances are free while `used` apps of this world run on it."""
        return max(self.total - self.taken - used, 0)


def training_plan(arn: str, instance_types: Sequence[str], total: int, **more: Any) -> TrainingPlan:
    """Return a training plan by its ARN, which is well formed."""
    _, _, _, region, account, resource = arn.split(":", 5)
    return TrainingPlan(resource.partition("/")[2], account, region, arn, tuple(instance_types), total, **more)
