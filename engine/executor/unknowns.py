"""Calls of apps whose outcome is unknown: when they are looked up, sent again, or given up.

Not here: what a look shows (`judge`), or when it is made (`watcher`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from engine.core.limits import CALL_LATE_FACTOR, IN_USE_WAIT_SECONDS
from engine.core.outcome import Outcome
from engine.executor.lane_state import LaneState
from engine.executor.operation import Phase
from engine.executor.retry import Again, decide
from engine.executor.troubles import IN_USE, never_settled
from engine.ports.events import AppOutcomeUnknown, AppRetried

if TYPE_CHECKING:
    from engine.core.errors import CloudError
    from engine.core.settings import Observe
    from engine.executor.gate import Gate
    from engine.executor.operation import Operation
    from engine.executor.retry import Decision


def late_max_s(observe: Observe) -> float:
    """Return for how many seconds a call of unknown outcome may still be carried out, as far as is allowed for."""
    return CALL_LATE_FACTOR * (observe.first_after + observe.second_after)


class Unknowns(LaneState):
    """The steps of one lane that follow when nobody knows whether a call was carried out."""

    __slots__ = ()

    @abstractmethod
    def watch(self, operation: Operation, phase: Phase) -> None:
        """Hand an operation to its watcher."""

    @abstractmethod
    def again_at_once(self, operation: Operation, phase: Phase) -> None:
        """Make `phase` the next call of an operation, as soon as its turn comes."""

    @abstractmethod
    def carry_out(
        self, operation: Operation, decision: Decision, error: CloudError, now: float, gate: Gate | None = None
    ) -> None:
        """Do what was decided about `error`."""

    def observe_first(self, operation: Operation, error: CloudError, now: float) -> None:
        """Wait for looks to show whether the call was carried out before anything else is sent for its key."""
        _, unknown_s = operation.fail("unknown", now)
        code = error.service_code or error.code
        self.emit(AppOutcomeUnknown(operation.key, operation.attempts, code, error.message, error.request_id))
        operation.unknown_at = now
        operation.first_scan_ended_at = operation.absent_since = None
        operation.doubt_until = now + late_max_s(self.settings.observe)
        deleting = operation.is_delete
        operation.ours = operation.ours or not deleting
        operation.phase = Phase.OBSERVE_DELETE if deleting else Phase.OBSERVE_CREATE
        if unknown_s >= self.settings.backoffs.transient.give_up_after:
            self.end(operation, Outcome.FAILED, never_settled(operation))
        else:
            self.watch(operation, operation.phase)

    def observe_on(self, operation: Operation) -> None:
        """Look for the last create once more: what failed may have been an earlier one's, which came late."""
        operation.has_failed = False
        operation.first_scan_ended_at = operation.absent_since = None
        self.watch(operation, Phase.OBSERVE_CREATE)

    def in_use(self, operation: Operation, now: float) -> None:
        """Wait for what holds the name and does not show. A second time, or after a lost create, wait longer.

        What holds it may be the app that a create of ours made, in listings that lag.
        """
        operation.in_use += 1
        may_be_ours = operation.ours or "unknown" in operation.failing_since
        decision = decide(operation, IN_USE, now, self.settings.backoffs, self.draw())
        if not isinstance(decision, Again) or (operation.in_use == 1 and not may_be_ours):
            self.carry_out(operation, decision, IN_USE, now)
            return
        doublings = operation.in_use - 1 if may_be_ours else operation.in_use - 2
        wait_s = min(IN_USE_WAIT_SECONDS * 2**doublings, self.settings.backoffs.transient.give_up_after)
        self.emit(
            AppRetried(
                operation.key, operation.attempts, wait_s, IN_USE.service_code, IN_USE.message, IN_USE.request_id
            )
        )
        operation.unknown_at, operation.unseen_until = now, now + wait_s
        operation.first_scan_ended_at = operation.absent_since = None
        self.watch(operation, Phase.OBSERVE_CREATE)

    def resend(self, operation: Operation, now: float) -> None:
        """Send the call again, since two looks have not shown it."""
        unknown_s = now - operation.failing_since.get("unknown", now)
        deleting = operation.phase is Phase.OBSERVE_DELETE
        if unknown_s >= self.settings.backoffs.transient.give_up_after:
            self.end(operation, Outcome.FAILED, never_settled(operation))
            return
        operation.ours = operation.ours and deleting
        self.again_at_once(operation, Phase.DELETE if deleting else Phase.CREATE)

    def create_after_delete(self, operation: Operation) -> None:
        """Create what was deleted; after a lost DeleteApp, once that one can come no more.

        DeleteApp names an app and not a generation, so a late one would delete the new app. That the app is gone does
        not say that the call has come: a second one, or somebody else, may have deleted it.
        """
        if self.is_over or operation.doubt_until <= self.control.now():
            self.again_at_once(operation, Phase.CREATE)
            return
        operation.phase = Phase.CREATE
        operation.absent_since = None
        self.ready.push_later(operation, operation.doubt_until)
