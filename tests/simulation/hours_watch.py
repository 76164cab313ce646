"""Safety of hours: nothing is made outside them, and nothing is stopped inside them or while its tag keeps it.

Whether hours are open is worked out here anew. A person keeps an app just after the plan that stops it was made.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from engine.core.change import Action, Reason
from engine.core.hours import KEEP_UNTIL_TAG
from tests.simulation.hours_maker import FAR, is_open

if TYPE_CHECKING:
    from engine.core.change import Change
    from engine.simulator.world.records import AppId
    from tests.simulation.watch import Watch

KEPT_AFTER_THE_PLAN_SHARE: Final = 0.25


class HoursWatch:
    """What one run may make and stop."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._people = random.Random(watch.scenario.seed + watch.runs)

    def planned(self) -> None:
        """Let people keep some of the apps that the plan stops."""
        for key, change in sorted(self._watch.changes.items()):
            stops = change.reason is Reason.OUTSIDE_HOURS and change.action is Action.DELETE
            found = self._watch.world.apps.get(key)
            if stops and found is not None and self._people.random() < KEPT_AFTER_THE_PLAN_SHARE:
                found.tags[KEEP_UNTIL_TAG] = FAR
                self._watch.seen.add("somebody kept an app that a plan stops")

    def creating(self, key: AppId, change: Change) -> None:
        """Check a CreateApp that leaves."""
        hours = None if change.after is None else change.after.hours
        if hours is not None and not is_open(hours, self._watch.planned_at_wall):
            self._watch.violation(f"CreateApp of {key}, which is outside its hours ({hours.text})")

    def deleting(self, key: AppId, change: Change, looked_s_ago: float) -> None:
        """Check a DeleteApp that leaves."""
        hours = None if change.after is None else change.after.hours
        if hours is None or change.reason is not Reason.OUTSIDE_HOURS:
            return
        self._watch.seen.add("an app was stopped outside its hours")
        now = self._watch.wall()
        if is_open(hours, now) and is_open(hours, now - looked_s_ago):
            self._watch.violation(f"DeleteApp of {key}, which is inside its hours ({hours.text})")
        found = self._watch.world.apps.get(key)
        tag = "" if found is None else found.tags.get(KEEP_UNTIL_TAG, "")
        if tag in (FAR, "tonight"):
            self._watch.violation(f"DeleteApp of {key}, which its tag keeps ({tag})")
