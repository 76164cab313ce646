"""What follows from an answer or a look at an owner: the one place where an owner's operation changes its phase.

It stands beside `settlement` and shares its queue, gates, ledger and switch. What needs an owner is let go when the
owner is in service, and skipped with its name when it is not to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.change import Action
from engine.core.errors import BugError, InUse, QuotaExceeded
from engine.core.outcome import INCOMPLETE_OUTCOMES, Outcome
from engine.executor.judge import Verdict
from engine.executor.ledger import unmade_end
from engine.executor.operation import OBSERVING, Phase
from engine.executor.owner_operation import owner_scopes
from engine.executor.owner_troubles import (
    conflict,
    failed,
    needs,
    never_settled,
    removed,
)
from engine.executor.retry import Again, End, Gone, Look, ObserveFirst, Park, StopLane, decide, trouble_of
from engine.executor.troubles import still_pending
from engine.ports.events import OwnerAccepted, OwnerOutcomeUnknown, OwnerRetried
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.errors import CloudError
    from engine.core.identity import AppKey, Owner
    from engine.core.observed import ObservedOwner
    from engine.core.outcome import Trouble
    from engine.core.settings import Settings
    from engine.executor.control import Control
    from engine.executor.gate import Gate
    from engine.executor.lane_state import LaneState
    from engine.executor.owner_operation import OwnerOperation
    from engine.executor.owner_watch import OwnerWatcher
    from engine.executor.ready import Waiting
    from engine.executor.retry import Decision
    from engine.executor.watcher import Looked

IN_USE = InUse(
    "the service says that the name is in use and shows no such owner",
    hint="Wait a few minutes and run again",
    service_code="ResourceInUse",
)


class OwnerSettlement:
    """The state of the owners' operations of one lane."""

    def __init__(self, lane: LaneState) -> None:
        self._lane = lane
        self.watchers: dict[str, OwnerWatcher] = {}
        self._unmade: dict[Hashable, tuple[Outcome, Trouble]] = {}  # how what comes after what did not end well ends

    @property
    def control(self) -> Control:
        """The run's switch."""
        return self._lane.control

    @property
    def settings(self) -> Settings:
        """What the policies set."""
        return self._lane.settings

    # What a call came to.

    def accepted(self, operation: OwnerOperation, arn: str) -> None:
        """Handle an accepted create."""
        now = self.control.now()
        self._lane.gates.leave(operation, now, accepted=True)
        operation.forgive("throttling", "transient", "limit")
        operation.arn = arn
        operation.ours = True
        self._lane.emit(OwnerAccepted(operation.key, operation_of("Create", operation.key.kind), operation.attempts))
        self._settle(operation, Phase.SETTLE_CREATE)

    def delete_accepted(self, operation: OwnerOperation) -> None:
        """Handle the service's yes to a delete."""
        self._lane.emit(OwnerAccepted(operation.key, operation_of("Delete", operation.key.kind), operation.attempts))
        self.delete_seen(operation)

    def delete_seen(self, operation: OwnerOperation) -> None:
        """Handle the sight of an owner that is Deleting: by our call or by somebody else's, it goes."""
        operation.forgive("throttling", "transient", "unknown")
        self._settle(operation, Phase.SETTLE_DELETE)

    def delete_settled(self, operation: OwnerOperation) -> None:
        """Handle an owner that is gone: there is room for another one of its kind."""
        self._lane.ready.wake_bucket(owner_scopes(operation.lane, operation.key), self.control.now())
        self.end(operation, Outcome.DELETED)
        self._lane.nudge()

    def call_failed(self, operation: OwnerOperation, error: CloudError) -> None:
        """Handle the error of a call."""
        now = self.control.now()
        gate: Gate | None = None
        if isinstance(error, QuotaExceeded) and operation.scopes:
            gate = self._lane.gates.refuse(operation, error, now)
        self._lane.gates.leave(operation, now, accepted=False, refused_by=gate)
        decision = decide(operation, error, now, self.settings.backoffs, self._lane.draw())
        self._carry_out(operation, decision, error, gate, now)

    # What a look shows.

    def take_verdict(  # noqa: C901, PLR0912 - one case a verdict
        self, looked: Looked[OwnerOperation, ObservedOwner]
    ) -> None:
        """Carry out what a look showed of an owner; the watcher has let go of the operation."""
        operation, row, now = looked.operation, looked.row, self.control.now()
        match looked.verdict:
            case Verdict.IN_SERVICE:
                self.end(operation, _good_end(operation))
            case Verdict.FAILED:
                self.end(operation, Outcome.FAILED, failed(operation, row))
            case Verdict.REMOVED:
                self.end(operation, Outcome.FAILED, removed(operation))
            case Verdict.ADOPT | Verdict.OURS:
                operation.adopted = looked.verdict is Verdict.ADOPT
                operation.forgive("unknown", "transient")
                if row is not None and row.is_in_service:
                    self.end(operation, _good_end(operation))
                else:
                    self._settle(operation, Phase.SETTLE_CREATE)
            case Verdict.TIMED_OUT:
                self._timed_out(operation)
            case Verdict.NEVER_SETTLED:
                self._never_settled(operation)
            case Verdict.CONFLICT:
                self.end(operation, Outcome.FAILED, conflict(operation, row))
            case Verdict.WAIT_DELETING:
                operation.prior = row
                self._settle(operation, Phase.AWAIT_DELETING)
            case Verdict.CREATE if operation.ours:  # what was in the way is gone; a create of ours is unknown still
                operation.first_scan_ended_at = None
                self._await(operation, Phase.OBSERVE_CREATE)
            case Verdict.CREATE:
                self._call_again(operation, Phase.CREATE)
            case Verdict.RESEND:
                self._resend(operation, now)
            case Verdict.TRY_LATER:
                decision = decide(operation, IN_USE, now, self.settings.backoffs, self._lane.draw())
                self._carry_out(operation, decision, IN_USE, None, now)
            case Verdict.DELETING:
                self.delete_seen(operation)
            case Verdict.DELETED:
                self.delete_settled(operation)
            case _:  # pragma: no cover - KEEP and ASK are the watcher's
                raise BugError(f"verdict {looked.verdict} for {operation.key}")
        self._lane.nudge()

    def _timed_out(self, operation: OwnerOperation) -> None:
        """End an operation whose time to settle is up, or that nobody waits for any more."""
        timeout_s, control = self.settings.execution.settle_timeout, self.control
        why = still_pending(operation, timeout_s, control.cause, self._lane.stopped, control.signal)
        self.end(operation, Outcome.STILL_PENDING, why)

    def _never_settled(self, operation: OwnerOperation) -> None:
        """Handle an operation of which no look could show what became of its call."""
        self.end(operation, Outcome.FAILED, never_settled(operation))

    # The ends.

    def end(self, operation: OwnerOperation, outcome: Outcome, trouble: Trouble | None = None) -> None:
        """Write down how an operation ended, and let go or skip what waits for it."""
        self._lane.gates.leave(operation, self.control.now(), accepted=False)
        self._lane.ledger.end_owner(operation, outcome, trouble)
        self.settle_dependents(operation.key, outcome, trouble)

    def settle_dependents(self, key: AppKey | Owner, outcome: Outcome, trouble: Trouble | None) -> None:
        """Release what came after `key`, or skip it, and in turn what came after that."""
        if outcome not in INCOMPLETE_OUTCOMES and outcome is not Outcome.INTERRUPTED:
            for operation in self._lane.ready.take_held(key):
                self._go_on(operation)
            self._lane.nudge()
            return
        ended = Outcome.INTERRUPTED if outcome is Outcome.INTERRUPTED else Outcome.SKIPPED
        self._unmade[key] = end = (ended, needs(key, outcome, trouble))
        for operation in self._lane.ready.take_held(key):
            self._lane.end(operation, *end)

    def _go_on(self, operation: Waiting) -> None:
        """Put what waited where its turn is, unless something else that it comes after did not end well before."""
        if (end := self.end_without(operation)) is not None:
            self._lane.end(operation, *end)
        else:
            self._lane.ready.push(operation)

    def end_without(self, operation: Waiting) -> tuple[Outcome, Trouble] | None:
        """Return the end of an operation whose call would come after what did not end well; None if it may be called.

        What was looked up first, or waited for a delete, was not held back when that ended.
        """
        return next((end for key in operation.after if (end := self._unmade.get(key)) is not None), None)

    def left_over(self, operation: OwnerOperation, gate: Gate | None = None) -> None:
        """End an operation that no call is made for any more."""
        if operation.phase in OBSERVING:
            self._never_settled(operation)
        elif operation.phase in (Phase.SETTLE_CREATE, Phase.SETTLE_DELETE):
            self._timed_out(operation)
        else:
            full = None if gate is None else trouble_of(gate.error)
            self.end(operation, *unmade_end(operation, self.control.cause, self._lane.stopped, full))

    # The steps.

    def _carry_out(
        self, operation: OwnerOperation, decision: Decision, error: CloudError, gate: Gate | None, now: float
    ) -> None:
        match decision:
            case Again(delay_s):
                self._again(operation, error, delay_s, now)
            case Park():
                self._park(operation, error, gate)
            case Look():
                operation.unknown_at = now
                self._await(operation, Phase.LOOK)
            case ObserveFirst():
                self._observe_first(operation, error, now)
            case Gone():
                self.delete_settled(operation)
            case StopLane(trouble):
                self._lane.stop_lane(trouble)
                self.left_over(operation)
            case End(outcome, trouble):
                told = self._lane.gates.end_if_never(gate, error)
                self.end(operation, outcome, trouble if told is error else trouble_of(told))
            case _:  # pragma: no cover - an owner has no fallback
                raise BugError(f"{decision} for {operation.key}")

    def _park(self, operation: OwnerOperation, error: CloudError, gate: Gate | None) -> None:
        if gate is None:  # a call that makes nothing waits at none
            self.end(operation, Outcome.FAILED, trouble_of(error))
        elif self._lane.is_over:
            self.left_over(operation, gate)
        else:
            self._lane.ready.wait_at(gate, operation)

    def _again(self, operation: OwnerOperation, error: CloudError, delay_s: float, now: float) -> None:
        if operation.phase is Phase.LOOK:
            operation.phase = Phase.CREATE
        code = error.service_code or error.code
        self._lane.emit(
            OwnerRetried(operation.key, operation.attempts, round(delay_s, 3), code, error.message, error.request_id)
        )
        if self._lane.is_over:
            self.left_over(operation)
        else:
            self._lane.ready.push_later(operation, now + delay_s)

    def _observe_first(self, operation: OwnerOperation, error: CloudError, now: float) -> None:
        _, unknown_s = operation.fail("unknown", now)
        code = error.service_code or error.code
        self._lane.emit(OwnerOutcomeUnknown(operation.key, operation.attempts, code, error.message, error.request_id))
        operation.unknown_at = now
        operation.first_scan_ended_at = None
        phase = Phase.OBSERVE_DELETE if operation.is_delete else Phase.OBSERVE_CREATE
        operation.ours = operation.ours or phase is Phase.OBSERVE_CREATE
        operation.phase = phase
        if unknown_s >= self.settings.backoffs.transient.give_up_after:
            self._never_settled(operation)
        else:
            self._await(operation, phase)

    def _resend(self, operation: OwnerOperation, now: float) -> None:
        if now - operation.failing_since.get("unknown", now) >= self.settings.backoffs.transient.give_up_after:
            self._never_settled(operation)
            return
        operation.ours = False
        self._call_again(operation, Phase.DELETE if operation.phase is Phase.OBSERVE_DELETE else Phase.CREATE)

    def _call_again(self, operation: OwnerOperation, phase: Phase) -> None:
        operation.phase = phase
        operation.absent_since = None
        if self._lane.is_over:
            self.left_over(operation)
        elif (end := self.end_without(operation)) is not None:
            self.end(operation, *end)
        else:
            self._lane.ready.push(operation)

    def _settle(self, operation: OwnerOperation, phase: Phase) -> None:
        operation.accepted_at = self.control.now()
        operation.absent_since = None
        operation.settle_until = operation.accepted_at + self.settings.execution.settle_timeout
        self._await(operation, phase)

    def _await(self, operation: OwnerOperation, phase: Phase) -> None:
        """Hand an operation to its watcher; when the run is over, only unknown outcomes are still looked up."""
        operation.phase = phase
        if self._lane.is_over and (phase not in OBSERVING or not self._lane.may_look_up):
            self.left_over(operation)
        else:
            self.watchers[operation.key.domain].watch(operation)


def _good_end(operation: OwnerOperation) -> Outcome:
    if operation.change.action is Action.NONE:
        return Outcome.UNCHANGED
    return Outcome.ADOPTED if operation.adopted else Outcome.CREATED
