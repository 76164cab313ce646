"""Waves, freezes and people at work: no more replaces than a wave has places, and nobody loses an app in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.change import Action, Reason
from engine.core.outcome import Outcome
from engine.simulator.world.records import IN_SERVICE

if TYPE_CHECKING:
    from engine.core.outcome import AppResult
    from engine.core.plan import Plan
    from engine.ports.cloud import AppDetail
    from engine.simulator.world.records import AppId
    from tests.simulation.watch import Watch

NOT_WANTED: Final = frozenset({Reason.GONE, Reason.OUTSIDE_HOURS, Reason.UNMANAGED})
SAME_SECONDS: Final = 1.0  # a health check's own two times are no further apart


class GuardWatch:
    """The guards of one run."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._safety = watch.scenario.settings.safety
        self._seen_at_work: set[AppId] = set()

    def planned(self, plan: Plan) -> None:
        """Check that a plan replaces no more than a wave has places left by what is still down because of one."""
        replaced = [one for one in plan.changes if one.action is Action.DELETE_THEN_CREATE]
        if any(one.reason is Reason.FORCED for one in replaced):
            if not all(one.reason is Reason.FORCED for one in replaced):
                self._watch.violation("a plan with --replace KEY replaces other apps as well")
            return
        owed = self._watch.journal.memory.half_replaced
        wanted = [one for one in plan.decisions if one.reason not in NOT_WANTED]
        down = {one.key for one in wanted if one.before is None or one.before.status != IN_SERVICE}
        places = max(self._safety.replace_wave - len(owed & down), 0)
        if len(replaced) > places:
            self._watch.violation(f"a plan replaces {len(replaced)} apps, and its wave has {places} places")

    def described(self, key: AppId, answer: AppDetail | None) -> None:
        """Take in what DescribeApp showed of somebody at work."""
        if answer is not None and self._is_at_work(answer):
            self._seen_at_work.add(key)

    def sending(self, operation: str, what: object) -> None:
        """Check a call that is about to leave: none deletes in a freeze."""
        begins, ends = self._watch.scenario.freeze
        if operation.startswith("Delete") and begins <= self._watch.wall() < ends:
            self._watch.violation(f"{operation} of {what} in a freeze")

    def check_delete(self, key: AppId, seen: AppDetail) -> None:
        """Check a DeleteApp that is about to leave, by what was read just before it."""
        if self._is_at_work(seen):
            self._watch.violation(f"DeleteApp of {key}, in which somebody works")

    def _is_at_work(self, seen: AppDetail) -> bool:
        used_at, checked_at = seen.activity
        recent = used_at > self._watch.wall() - self._safety.spare_active
        return bool(used_at and checked_at and recent and abs(used_at - checked_at) > SAME_SECONDS)

    def why_untrue(self, key: AppId, result: AppResult) -> str:
        """Say why an app was not spared rightly; empty where it was, or was not spared."""
        code = "" if result.error is None else result.error.code
        if code == "frozen":
            self._watch.seen.add("a run ran into a freeze")
            begins, ends = self._watch.scenario.freeze
            during = self._watch.began_wall < ends and begins <= self._watch.wall()
            return "" if result.outcome is Outcome.SKIPPED and during else "there was no freeze"
        if code != "active":
            return ""
        self._watch.seen.add("somebody at work was spared")
        spared = result.outcome is Outcome.SKIPPED and key in self._seen_at_work
        return "" if spared else "nobody was seen at work in it"
