"""What befalls a run between its plan and its deletes: owners that are taken over, and credentials that end.

Everything here is drawn from a generator of its own, so that the rest of a night does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from engine.core.change import Action
from engine.core.ownership import MANAGED_TAG
from engine.simulator.world.faults import Fault, FaultKind, FaultRule
from tests.simulation.fleet_maker import Kind
from tests.simulation.owner_maker import standing_owner
from tests.simulation.owner_watch import owner_id

if TYPE_CHECKING:
    import random

    from engine.core.identity import Owner
    from engine.core.plan import Plan
    from engine.simulator.world.world import World
    from tests.simulation.watch import Watch

TAKEOVER_SHARE: Final = 0.5  # of the runs
TAKEN_SHARE: Final = 0.4  # of the owners of such a run
EXPIRY_SHARE: Final = 0.2  # of the runs that delete anything
EXPIRED_CALLS_SHARE: Final = 0.1  # so that some calls are under way when another one learns of it
EXPIRY_SECONDS: Final = 60.0
NEW_TAGS: Final[tuple[dict[str, str], ...]] = ({}, {}, {MANAGED_TAG: "other-fleet"}, {"cost-center": "4711"})
DESTROYS: Final = frozenset({Action.DELETE, Action.DELETE_THEN_CREATE})
SOON_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class SomebodyRetagsOwner:
    """Another administrator takes the tag off an owner, or gives it another fleet's."""

    by_people: ClassVar[bool] = True
    watch: Watch
    domain_id: str
    owner: Owner
    tags: dict[str, str]

    def apply(self, world: World) -> None:
        """Change its tags."""
        there = standing_owner(world, self.domain_id, self.owner.kind, self.owner.name)
        if there is None:
            return
        key = owner_id(self.domain_id, self.owner.kind, self.owner.name)
        self.watch.say("somebody retags", *key, self.tags)
        self.watch.seen.add("somebody retagged an owner that leaves or is updated")
        self.watch.owners.retagged_at[key] = world.now
        there.tags = dict(self.tags)


def draw_takeovers(rng: random.Random, watch: Watch, plan: Plan) -> None:
    """Let people come between a plan and its deletes and updates of owners."""
    world, scenario = watch.world, watch.scenario
    ids = {domain.name: domain.domain_id for domain in scenario.fleet.domains}
    taken = [change.owner for change in plan.owners if change.action in (Action.DELETE, Action.UPDATE)]
    if rng.random() < TAKEOVER_SHARE:
        for owner in taken:
            if rng.random() < TAKEN_SHARE:
                at = watch.wall() + rng.uniform(0.0, SOON_SECONDS)
                world.schedule(at, SomebodyRetagsOwner(watch, ids[owner.domain], owner, rng.choice(NEW_TAGS)))


def draw_expiry(rng: random.Random, watch: Watch, plan: Plan) -> None:
    """Let the credentials end in the middle of a run that deletes: first for some calls, soon for one of every lane."""
    destroys = not DESTROYS.isdisjoint([change.action for change in plan.changes] + [one.action for one in plan.owners])
    if destroys and watch.scenario.kind is Kind.STORM and rng.random() < EXPIRY_SHARE:
        begin = watch.wall() + rng.uniform(0.0, SOON_SECONDS)
        rule = FaultRule(Fault(FaultKind.EXPIRED_CREDENTIALS), "*", EXPIRED_CALLS_SHARE, begin, begin + EXPIRY_SECONDS)
        watch.scenario.faults.insert(0, rule)
