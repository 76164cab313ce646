"""Calls of apps whose outcome is unknown: when they are looked up, sent again, or given up.

Not here: what a look shows (`judge`), or when it is made (`watcher`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.limits import CALL_LATE_FACTOR, IN_USE_WAIT_SECONDS
from engine.core.outcome import Outcome
from engine.executor.operation import Phase
from engine.executor.retry import Again, decide
from engine.executor.troubles import IN_USE, never_settled
from engine.ports.events import AppOutcomeUnknown, AppRetried

if TYPE_CHECKING:
    from engine.core.errors import CloudError
    from engine.core.settings import Observe
    from engine.executor.operation import Operation
    from engine.executor.settlement import Settlement


def late_max_s(observe: Observe) -> float:
    """Return for how many seconds a call of unknown outcome may still be carried out, as far as is allowed for."""
    return CALL_LATE_FACTOR * (observe.first_after + observe.second_after)


class Unknowns:
    """The steps of one lane that follow when nobody knows whether a call was carried out."""

    def __init__(self, settlement: Settlement) -> None:
        self._at = settlement

    def observe_first(self, operation: Operation, error: CloudError, now: float) -> None:
        """Let looks show whether the call was carried out before anything else is sent for its key."""
        _, unknown_s = operation.fail("unknown", now)
        code = error.service_code or error.code
        self._at.emit(AppOutcomeUnknown(operation.key, operation.attempts, code, error.message, error.request_id))
        operation.unknown_at = now
        operation.first_scan_ended_at = operation.absent_since = None
        operation.doubt_until = now + late_max_s(self._at.settings.observe)
        deleting = operation.is_delete
        operation.ours = operation.ours or not deleting
        operation.phase = Phase.OBSERVE_DELETE if deleting else Phase.OBSERVE_CREATE
        if unknown_s >= self._at.settings.backoffs.transient.give_up_after:
            self._at.end(operation, Outcome.FAILED, never_settled(operation))
        else:
            self._at.watch(operation, operation.phase)

    def observe_on(self, operation: Operation) -> None:
        """Look for the last create once more: what failed may have been an earlier one's, which came late."""
        operation.has_failed = False
        operation.first_scan_ended_at = operation.absent_since = None
        self._at.watch(operation, Phase.OBSERVE_CREATE)

    def in_use(self, operation: Operation, now: float) -> None:
        """Wait for what holds the name and does not show. A second time, or after a lost create, wait longer.

        What holds it may be the app that a create of ours made, in listings that lag.
        """
        operation.in_use += 1
        may_be_ours = operation.ours or "unknown" in operation.failing_since
        decision = decide(operation, IN_USE, now, self._at.settings.backoffs, self._at.draw())
        if not isinstance(decision, Again) or (operation.in_use == 1 and not may_be_ours):
            self._at.carry_out(operation, decision, IN_USE, now)
            return
        doublings = operation.in_use - 1 if may_be_ours else operation.in_use - 2
        wait_s = min(IN_USE_WAIT_SECONDS * 2**doublings, self._at.settings.backoffs.transient.give_up_after)
        self._at.emit(
            AppRetried(
                operation.key, operation.attempts, wait_s, IN_USE.service_code, IN_USE.message, IN_USE.request_id
            )
        )
        operation.unknown_at, operation.unseen_until = now, now + wait_s
        operation.first_scan_ended_at = operation.absent_since = None
        self._at.watch(operation, Phase.OBSERVE_CREATE)

    def resend(self, operation: Operation, now: float) -> None:
        """Send the call again, since two looks have not shown it."""
        unknown_s = now - operation.failing_since.get("unknown", now)
        deleting = operation.phase is Phase.OBSERVE_DELETE
        if unknown_s >= self._at.settings.backoffs.transient.give_up_after:
            self._at.end(operation, Outcome.FAILED, never_settled(operation))
            return
        operation.ours = operation.ours and deleting
        self._at.again_at_once(operation, Phase.DELETE if deleting else Phase.CREATE)

    def create_after_delete(self, operation: Operation) -> None:
        """Create what was deleted; after a lost DeleteApp, once that one can come no more.

        DeleteApp names an app and not a generation, so a late one would delete the new app. That the app is gone does
        not say that the call has come: a second one, or somebody else, may have deleted it.
        """
        if self._at.is_over or operation.doubt_until <= self._at.control.now():
            self._at.again_at_once(operation, Phase.CREATE)
            return
        operation.phase = Phase.CREATE
        operation.absent_since = None
        self._at.ready.push_later(operation, operation.doubt_until)
