"""What follows from an answer or a scan: the one place where an operation changes its phase.

Workers bring what a call came to, the watcher brings what a scan shows; both end up here, and from here an operation
goes back into the queue, to a gate, to the watcher, or to the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.change import Action
from engine.core.errors import BugError, CloudError, QuotaExceeded, Rejected
from engine.core.outcome import Outcome
from engine.executor.fallbacks import after_fallbacks
from engine.executor.judge import Verdict, believe, is_since
from engine.executor.lane_state import LaneState
from engine.executor.ledger import good_end, unmade_end
from engine.executor.operation import AWAITING, OBSERVING, Phase, scopes_of
from engine.executor.owner_operation import OwnerOperation
from engine.executor.owner_settlement import OwnerSettlement
from engine.executor.retry import (
    Again,
    End,
    FallBack,
    Gone,
    Look,
    ObserveFirst,
    Park,
    StopLane,
    decide,
    trouble_of,
)
from engine.executor.troubles import REASON_UNREAD, REMOVED, bug_trouble, conflict, never_settled, still_pending
from engine.executor.unknowns import Unknowns
from engine.ports.events import (
    AppCreated,
    AppFellBack,
    AppRetried,
    LaneStopped,
)

if TYPE_CHECKING:
    from engine.core.observed import ObservedApp, ObservedDomain
    from engine.core.outcome import Trouble
    from engine.executor.gate import Gate
    from engine.executor.operation import Operation
    from engine.executor.owner_watch import OwnerWatcher
    from engine.executor.ready import Waiting
    from engine.executor.retry import Decision
    from engine.executor.settle import Watcher
    from engine.executor.watcher import Looked


@dataclass(slots=True, eq=False)
class Settlement(Unknowns):
    """What follows for the operations of one lane."""

    owners: OwnerSettlement = field(init=False)

    def __post_init__(self) -> None:
        """Let owners have what is theirs of the lane."""
        LaneState.__post_init__(self)
        self.owners = OwnerSettlement(self)

    # What a call came to.

    def create_accepted(self, operation: Operation, arn: str) -> None:
        """Handle an accepted CreateApp."""
        now = self.control.now()
        self.gates.leave(operation, now, accepted=True)
        operation.forgive("throttling", "transient", "limit")
        operation.arn = arn
        operation.ours = True
        self.emit(
            AppCreated(operation.key, operation.attempts, round(now - operation.sent_at, 3), operation.instance_type)
        )
        self._settle_create(operation, now)

    def create_failed(self, operation: Operation, error: CloudError) -> None:
        """Handle CreateApp's error."""
        now = self.control.now()
        gate: Gate | None = None
        if isinstance(error, QuotaExceeded):
            gate = self.gates.refuse(operation, error, now)
        self.gates.leave(operation, now, accepted=False, refused_by=gate)
        self._decide(operation, error, gate, now)

    def delete_accepted(self, operation: Operation) -> None:
        """Handle an accepted DeleteApp, or an app that is Deleting already."""
        operation.forgive("throttling", "transient")
        operation.absent_since = None
        self.watch(operation, Phase.SETTLE_DELETE)

    def call_failed(self, operation: Operation, error: CloudError) -> None:
        """Handle the error of a delete or an adoption, or of the look before it."""
        self._decide(operation, error, None, self.control.now())

    def delete_later(self, operation: Operation) -> None:
        """Handle an app that is Pending, so that it cannot be deleted yet."""
        self.watch(operation, Phase.AWAIT_PENDING)

    def delete_settled(self, operation: Operation) -> None:
        """Handle an app that is gone: the end of a delete, half of a replace."""
        before = operation.standing
        scopes = scopes_of(self.lane, operation.key, before.spec.instance_type or "")
        self.ready.wake_bucket(scopes, self.control.now())
        if operation.change.action is Action.DELETE:
            self.end(operation, Outcome.DELETED)
        else:
            operation.deleted = True
            operation.prior = before
            self.create_after_delete(operation)
        self.nudge()

    # What a scan shows.

    def take_verdict(self, looked: Looked[Operation, ObservedApp]) -> None:  # noqa: C901, PLR0912 - one case a verdict
        """Carry out what a look showed of an app; the watcher has let go of the operation."""
        operation, row, now = looked.operation, looked.row, self.control.now()
        match looked.verdict:
            case Verdict.IN_SERVICE:
                operation.in_service = True
                self.end(operation, good_end(operation))
            case Verdict.FAILED if row is not None and looked.error is not None:
                self._failed_after_acceptance(operation, row, looked.error)
            case Verdict.REMOVED:
                self.end(operation, Outcome.FAILED, REMOVED)
            case Verdict.TIMED_OUT:
                self._timed_out(operation)
            case Verdict.NEVER_SETTLED:
                self.end(operation, Outcome.FAILED, never_settled(operation))
            case Verdict.ADOPT | Verdict.OURS:
                operation.adopted = looked.verdict is Verdict.ADOPT
                if is_since(operation, row):  # else it may be what an earlier call made: the last one may still come
                    operation.doubt_until = float("-inf")
                believe(operation, row)
                operation.forgive("unknown", "transient")
                self._settle_create(operation, now)
            case Verdict.CONFLICT:
                self.end(operation, Outcome.FAILED, conflict(row))
            case Verdict.WAIT_DELETING:
                operation.prior = row
                self.watch(operation, Phase.AWAIT_DELETING)
            case Verdict.CREATE if operation.ours:  # what was in the way is gone; a create of ours is unknown still
                operation.prior = row or operation.prior
                operation.first_scan_ended_at = operation.absent_since = None
                self.watch(operation, Phase.OBSERVE_CREATE)
            case Verdict.CREATE:
                operation.prior = row or operation.prior
                self.again_at_once(operation, Phase.CREATE)
            case Verdict.RESEND:
                self.resend(operation, now)
            case Verdict.TRY_LATER:
                self.in_use(operation, now)
            case Verdict.DELETING:
                self.delete_accepted(operation)
            case Verdict.DELETED:
                self.delete_settled(operation)
            case Verdict.DELETE:
                self.again_at_once(operation, Phase.DELETE)
            case _:  # pragma: no cover - KEEP and ASK are the watcher's
                raise BugError(f"verdict {looked.verdict} for {operation.key}")
        self.nudge()

    def note_departures(self, observed: ObservedDomain) -> None:
        """Wake what waits for what apps that a whole scan does not show any more have left."""
        if self.gates.note_departures(self.lane, observed, self.control.now()):
            self.nudge()

    def _failed_after_acceptance(self, operation: Operation, row: ObservedApp, error: CloudError) -> None:
        """Handle an app that the service accepted and that ended Failed, with the error of its FailureReason."""
        if not operation.ours:
            operation.counts_as_failure = operation.was_unseen and isinstance(error, Rejected)
            self.end(operation, Outcome.FAILED, trouble_of(error))
            return
        now = self.control.now()
        if operation.phase in OBSERVING and is_since(operation, row):
            operation.doubt_until = float("-inf")  # the last create was carried out, and this came of it
        operation.prior = row
        if now < operation.doubt_until:  # it was no answer to the last create: two looks tell whether that one comes
            self.observe_on(operation)
            return
        operation.ours = False  # what was ours has failed; what stands there next may be somebody else's
        operation.counts_as_failure = isinstance(error, Rejected)
        gate: Gate | None = None
        if isinstance(error, QuotaExceeded):
            operation.sent_at = now  # the refusal is news, however long ago the create was sent
            gate = self.gates.refuse(operation, error, now)
        operation.phase = Phase.CREATE
        self._decide(operation, error, gate, now)

    def _timed_out(self, operation: Operation) -> None:
        """End an operation whose time to settle is up, or that nobody waits for any more."""
        if operation.has_failed:
            self.end(operation, Outcome.FAILED, REASON_UNREAD)
            return
        timeout_s, control = self.settings.execution.settle_timeout, self.control
        why = still_pending(operation, timeout_s, control.cause, self.stopped, control.signal)
        self.end(operation, Outcome.STILL_PENDING, why)

    # The ends.

    def end(self, operation: Waiting, outcome: Outcome, trouble: Trouble | None = None) -> None:
        """Write down how an operation ended, and give back a place that it held."""
        if isinstance(operation, OwnerOperation):
            self.owners.end(operation, outcome, trouble)
            return
        self.gates.leave(operation, self.control.now(), accepted=False)
        self.ledger.end(operation, outcome, after_fallbacks(operation, trouble))
        if operation.change.action is Action.DELETE:
            self.owners.settle_dependents(operation.key, outcome, trouble)

    def left_over(self, operation: Waiting, gate: Gate | None = None) -> None:
        """End an operation that no call is made for any more."""
        if isinstance(operation, OwnerOperation):
            self.owners.left_over(operation, gate)
        elif operation.phase in (Phase.SETTLE_CREATE, Phase.SETTLE_DELETE):
            self._timed_out(operation)
        else:
            full = None if gate is None else trouble_of(gate.error)
            self.end(operation, *unmade_end(operation, self.control.cause, self.stopped, full))

    def drop_waiting(self) -> None:
        """End everything that waits for a call."""
        self.gates.count_waiting()
        for operation, gate in self.ready.drain():
            self.left_over(operation, gate)

    def drop_awaited(self, *, unknown: bool) -> None:
        """End what is awaited, of unknown outcomes only where `unknown`; owners first, since apps may wait for them."""
        watchers: tuple[OwnerWatcher | Watcher, ...] = (*self.owners.watchers.values(), *self.watchers.values())
        for watcher in watchers:
            for operation in watcher.drop(unknown=unknown):
                self.left_over(operation)

    def bug(self, operation: Waiting, bug: BaseException) -> None:
        """End an operation whose handling failed in a way that cannot happen."""
        self.on_bug(bug)
        if operation.phase is not Phase.ENDED:
            operation.cut_off = operation.attempts > 0
            self.end(operation, Outcome.FAILED, bug_trouble(bug))

    def sweep_gates(self, now: float) -> None:
        """End what waits at gates that let nothing through any more, or let it try its next instance type."""
        for operation, error in self.gates.turned_away(now):
            if not error.facts.never_fits:
                self.end(operation, Outcome.PARKED, trouble_of(error))
            elif operation.has_fallback and not operation.is_delete and not isinstance(operation, OwnerOperation):
                self._fall_back(operation, error)
            else:
                self.end(operation, Outcome.FAILED, trouble_of(error))

    # The steps.

    def _decide(self, operation: Operation, error: CloudError, gate: Gate | None, now: float) -> None:
        self.carry_out(operation, decide(operation, error, now, self.settings.backoffs, self.draw()), error, now, gate)

    def carry_out(
        self, operation: Operation, decision: Decision, error: CloudError, now: float, gate: Gate | None = None
    ) -> None:
        """Do what was decided about `error`; `gate` is that of the quota that refused."""
        match decision:
            case Again(delay_s):
                self._again(operation, error, delay_s, now)
            case Park(full):
                self._park(operation, full, gate)
            case FallBack():
                self._fall_back(operation, self.gates.end_if_never(gate, error))
            case Look():
                operation.unknown_at = now
                self.watch(operation, Phase.LOOK)
            case ObserveFirst():
                self.observe_first(operation, error, now)
            case Gone():
                self.delete_settled(operation)
            case StopLane(trouble):
                self.stop_lane(trouble)
                self.left_over(operation)
            case End(outcome, trouble):
                told = self.gates.end_if_never(gate, error)
                self.end(operation, outcome, trouble if told is error else trouble_of(told))
            case _:  # pragma: no cover - there are no others
                raise BugError(f"{decision} for {operation.key}")

    def _park(self, operation: Operation, error: CloudError, gate: Gate | None) -> None:
        if gate is None:  # a call that makes nothing waits at none
            self.end(operation, Outcome.FAILED, trouble_of(error))
        elif self.is_over:
            self.left_over(operation, gate)
        else:
            self.ready.wait_at(gate, operation)

    def _again(self, operation: Operation, error: CloudError, delay_s: float, now: float) -> None:
        if operation.phase is Phase.LOOK:
            operation.phase = Phase.CREATE
        code, attempts = error.service_code or error.code, operation.attempts
        self.emit(AppRetried(operation.key, attempts, round(delay_s, 3), code, error.message, error.request_id))
        if self.is_over:
            self.left_over(operation)
        else:
            self.ready.push_later(operation, now + delay_s)

    def _fall_back(self, operation: Operation, error: CloudError) -> None:
        before = operation.instance_type
        operation.refused.append((before, trouble_of(error)))
        operation.choice += 1
        operation.forgive("capacity", "limit")
        self.emit(AppFellBack(operation.key, before, operation.instance_type, error.service_code or error.code))
        self.again_at_once(operation, Phase.CREATE)

    def _settle_create(self, operation: Operation, now: float) -> None:
        if not self.wait:
            self.end(operation, good_end(operation))
            return
        operation.accepted_at = now
        operation.absent_since = None
        operation.has_failed = False
        operation.settle_until = now + self.settings.execution.settle_timeout
        self.watch(operation, Phase.SETTLE_CREATE)

    def again_at_once(self, operation: Operation, phase: Phase) -> None:
        """Make `phase` the next call of an operation, as soon as its turn comes."""
        operation.phase = phase
        operation.absent_since = None
        if self.is_over:
            self.left_over(operation)
        elif (end := self.owners.end_without(operation)) is not None:
            self.end(operation, *end)
        else:
            self.ready.push(operation)

    def watch(self, operation: Operation, phase: Phase) -> None:
        """Hand an operation to its watcher; when the run is over, only unknown outcomes are still looked up."""
        operation.phase = phase
        if phase is Phase.SETTLE_DELETE or phase in AWAITING:
            operation.accepted_at = self.control.now()
            operation.absent_since = None
            operation.settle_until = operation.accepted_at + self.settings.execution.settle_timeout
        if self.is_over and (phase not in OBSERVING or not self.may_look_up):
            self.left_over(operation)
        else:
            self.watchers[operation.key.domain].watch(operation)

    def stop_lane(self, trouble: Trouble) -> None:
        """Make no more calls in this lane; what is in flight ends by itself."""
        if self.stopped is None:
            self.stopped = trouble
            self.emit(LaneStopped(self.lane, trouble.code, trouble.message, trouble.hint))
            self.drop_waiting()
            self.drop_awaited(unknown=True)
