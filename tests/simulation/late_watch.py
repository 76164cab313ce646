"""Safety where calls arrive late, rows lag and runs are cut short: what is in doubt, what is owed, what is too old.

It is a part of the watch, and knows what the executor could have known at each time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from engine.core.change import DESTROYING, Action, Reason

if TYPE_CHECKING:
    from engine.core.change import Change
    from engine.core.identity import AppKey, Owner
    from engine.core.plan import Plan
    from engine.simulator.world.records import App, AppId
    from tests.simulation.watch import Watch

TICK: Final = 1e-6
LIVE_CREATES_MAX_COUNT: Final = 4  # of one key in one run, where nothing shows what was made
LEFT_ALONE: Final = frozenset({Reason.EXPIRED, Reason.GONE, Reason.NOT_OWNED, Reason.OUTSIDE_HOURS})


class LateWatch:
    """One for all runs of a night; `made` holds every app that a CreateApp of ours made."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.made: defaultdict[AppId, list[App]] = defaultdict(list)
        self._owed: dict[AppId, float] = {}  # deleted to be replaced, and when that was carried out
        self._ended: set[tuple[AppId, float]] = set()  # generations that a DeleteApp of ours has ended
        self.begin()

    def begin(self) -> None:
        """Watch the next run."""
        self.asked_at: dict[AppId, float] = {}  # when DescribeApp was last sent
        self._live_creates: Counter[AppId] = Counter()
        self._stops: list[tuple[float, float]] = []  # when the process was stopped, and went on
        self.frozen_s = 0.0

    def deleted(self, key: AppId, app: App, *, replaces: bool, meant: float) -> None:
        """Take in that a DeleteApp of ours was carried out; `meant` is the CreationTime of the app that it was for."""
        self._watch.say("carried out: DeleteApp", key)
        if replaces:
            self._owed[key] = self._watch.world.now
        if app.created_at != meant and app in self.made[key] and (key, meant) in self._ended:
            self._watch.violation(f"a DeleteApp of {key} that came late has met the app that was made since")
        self._ended.add((key, app.created_at))

    def replaces(self, key: AppId) -> bool:
        """Whether the plan replaces an app."""
        change = self._watch.changes.get(key)
        return change is not None and change.action is Action.DELETE_THEN_CREATE

    def will_delete(self, key: AppId) -> bool:
        """Whether the plan deletes an app."""
        change = self._watch.changes.get(key)
        return self._watch.phase == "apply" and change is not None and change.action in DESTROYING

    def freeze(self, seconds: float) -> None:
        """Stop the process: the world goes on, and the loop finds that time has passed."""
        self._watch.say(f"stopped for {seconds:.1f} s")
        self._watch.seen.add("process.stopped")
        began_at = self._watch.now()
        self._watch.pass_time(seconds)
        self._stops.append((began_at, self._watch.now()))
        self.frozen_s += seconds

    def instant_ends_at(self, at: float) -> float:
        """Return when a moment ends for the executor: what was under way at a stop of the process continues then."""
        for began_at, ended_at in self._stops:
            if abs(began_at - at) < TICK:
                at = ended_at
        return at

    def asked_s_ago(self, key: AppId) -> float:
        """Return how long ago DescribeApp was sent."""
        return self._watch.now() - self.asked_at.get(key, float("-inf"))

    def is_in_doubt(self, key: AppKey | Owner) -> bool:
        """Whether an earlier run may have made it without knowing."""
        journal = self._watch.journal
        left = journal.memory.unfinished.get(key)
        return (left is not None and left.in_doubt) or key in journal.lost_before

    def check_doubt(self, key: AppId, change: Change) -> None:
        """Check that a CreateApp which an earlier run left in doubt was looked up before it is sent again."""
        left = self._watch.journal.memory.unfinished.get(change.key)
        in_doubt = left is not None and left.in_doubt and left.operation == "CreateApp"
        if in_doubt and key not in self.asked_at:
            self._watch.violation(f"CreateApp of {key}, of which an earlier run's is in doubt, without a look")

    def could_not_know(self, key: AppId, change: Change, found: App) -> bool:
        """Whether a CreateApp for what is alive and ours could not have been avoided; counts it all the same."""
        watch = self._watch
        self._live_creates[key] += 1
        if self._live_creates[key] > LIVE_CREATES_MAX_COUNT:
            watch.violation(f"CreateApp of {key} for the {self._live_creates[key]}th time while it is alive")
        if watch.began_wall - watch.world.lag_max_s < found.created_at <= watch.began_wall:
            return True  # no listing could show it yet
        if watch.hidden_at.get(key, float("-inf")) >= watch.began_at:
            return True
        asked_at = self.asked_at.get(key)
        came_since = asked_at is not None and found.created_at >= watch.wall_of(asked_at)
        return came_since or change.key in watch.journal.lost_before  # its intent was lost in a kill, or on a full disk

    def refused(self, key: AppId) -> None:
        """Take back a CreateApp that the service refused before it looked for an app of that name."""
        self._live_creates[key] -= self._live_creates[key] > 0

    def check_nothing_owed(self, plan: Plan) -> None:
        """Check that every app that was deleted to be replaced was made again, and was in service."""
        watch = self._watch
        for key, change in watch.changes.items():
            since = self._owed.get(key)
            if since is None or change.after is None or change.reason in LEFT_ALONE or change not in plan.decisions:
                continue
            found = watch.world.apps.get(key)
            made = any(watch.world.was_in_service(app) for app in self.made[key] if app.created_at >= since)
            if not made and (found is None or not found.is_alive):
                watch.violation(f"{change.key} was deleted to be replaced, and was never made again ({change.reason})")
