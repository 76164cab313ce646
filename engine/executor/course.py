"""What follows for an operation from a yes, from a look, or from the end of the run: the next step, as a value.

No I/O and no clock, and nothing is changed but the operation that it is about. What follows from an error is in
`retry`; `lane` acts on the steps. The README of this package has the whole table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from engine.core.activity import Use
from engine.core.change import Action
from engine.core.errors import BugError, QuotaExceeded, Rejected
from engine.core.failure_reasons import INTERNAL_FAILURE, SURROUNDINGS
from engine.core.limits import CALL_LATE_FACTOR, IN_USE_WAIT_SECONDS
from engine.core.observed import PASSING, AppStatus, ObservedApp
from engine.core.outcome import Outcome
from engine.executor.cause import Cause
from engine.executor.judge import Verdict, believe, is_generation, is_since, stands
from engine.executor.operation import OBSERVING, SETTLING, Phase
from engine.executor.step import AT_ONCE, Await, Call, End, Gone, Refused
from engine.executor.trial import Blame, waits_for_canary
from engine.executor.troubles import (
    CANARY_AWAITED,
    DEADLINE,
    INTERRUPTED,
    LEASE_LOST,
    LOCK_LOST,
    REASON_UNREAD,
    STOPPED_BY_BUG,
    changed_since_plan,
    conflict,
    failed,
    in_use,
    in_use_by_somebody,
    never_settled,
    not_ready,
    removed,
    still_pending,
    trouble_of,
)
from engine.ports.events import AppFellBack

if TYPE_CHECKING:
    from engine.core.desired import Tags
    from engine.core.errors import CloudError
    from engine.core.identity import AppKey
    from engine.core.ownership import Whose
    from engine.core.settings import Observe, Settings
    from engine.core.trouble import Trouble
    from engine.executor.judge import Looked
    from engine.executor.operation import AnyOperation, Seen
    from engine.executor.step import Step

_OBSERVED: Final = {
    Phase.CREATE: Phase.OBSERVE_CREATE,
    Phase.DELETE: Phase.OBSERVE_DELETE,
    Phase.UPDATE: Phase.OBSERVE_UPDATE,
}
_NO_UPDATE: Final = {"Deleting": "it is being deleted", "Failed": "it has Failed"}
LATE_LIMIT: Final = "late limit"  # the kind of failure of what was accepted, and failed because a limit is full
MADE_AGAIN: Final = "it was made again since the plan"


@dataclass(frozen=True, slots=True)
class Over:
    """Why no call is made any more: the run's cause and signal, or the trouble that stopped the lane."""

    cause: Cause | None
    lane_stopped: Trouble | None = None
    signal: str = ""


def late_max_s(observe: Observe) -> float:
    """Return for how many seconds a call of unknown outcome may still be carried out, as far as is allowed for."""
    return CALL_LATE_FACTOR * (observe.first_after + observe.second_after)


# What a call came to.


def after_create(operation: AnyOperation, arn: str, now: float, *, wait: bool) -> Step:
    """Return what follows from an accepted create; `wait` says whether the run waits for what was accepted."""
    operation.forgive("throttling", "transient", "limit")
    operation.arn = arn
    operation.ours = True
    told = operation.accepted(operation.create_call, now)
    if wait or operation.kind.always_awaited:
        return Await(Phase.SETTLE_CREATE, told)
    return End(operation.good_end(), told=told)


def after_delete(operation: AnyOperation, now: float) -> Step:
    """Return what follows from an accepted delete."""
    operation.forgive("throttling", "transient")
    return Await(Phase.SETTLE_DELETE, operation.accepted(operation.delete_call, now))


def after_update(operation: AnyOperation, now: float) -> Step:
    """Return what follows from an accepted update."""
    operation.forgive("throttling", "transient")
    return Await(Phase.SETTLE_UPDATE, operation.accepted(operation.update_call, now))


def after_gone(operation: AnyOperation) -> Step:
    """Return what follows once what was to be deleted is gone: the end of a delete, half of a replace."""
    if operation.change.action is Action.DELETE:
        return End(Outcome.DELETED)
    operation.deleted = True
    operation.prior = operation.before
    return Call(Phase.CREATE, created_again_at(operation))


def created_again_at(operation: AnyOperation) -> float:
    """Return when what was deleted may be created: after a lost delete, once that one can come no more.

    A delete names an app and not a generation, so a late one would delete the new app. That the app is gone does
    not say that the call has come: a second one, or somebody else, may have deleted it.
    """
    return operation.doubt_until


def after_lost_answer(operation: AnyOperation, error: CloudError, now: float, settings: Settings) -> Step:
    """Let looks show whether the call was carried out before anything else is sent for its key."""
    _, unknown_s = operation.fail("unknown", now)
    told = operation.lost(error)
    operation.unknown_at = now
    operation.doubt_until = now + late_max_s(settings.observe)
    operation.ours = operation.ours or operation.phase is Phase.CREATE
    operation.phase = _OBSERVED[operation.phase]
    if unknown_s >= settings.backoffs.transient.give_up_after:
        return End(Outcome.FAILED, never_settled(operation), told)
    return Await(operation.phase, told)


def fall_back(operation: AnyOperation, error: CloudError) -> Step:
    """Return the create with the next instance type."""
    before = operation.instance_type
    operation.refused.append((before, trouble_of(error)))
    operation.choice += 1
    operation.forgive("capacity", "limit", LATE_LIMIT)
    code = error.told_code
    key = cast("AppKey", operation.key)  # nothing else has a choice
    return Call(Phase.CREATE, told=AppFellBack(key, before, operation.instance_type, code))


# What the look just before a delete or an update shows.


def before_delete(operation: AnyOperation, row: Seen | None) -> Step | None:
    """Return what keeps a delete from being sent; None where the very thing that the plan saw is there."""
    if row is None:
        return Gone()
    if not is_generation(row, operation.standing):
        return skipped(operation, MADE_AGAIN)
    if not stands(operation, row):
        return Gone()
    if row.status == AppStatus.DELETING:
        operation.forgive("throttling", "transient")
        return Await(Phase.SETTLE_DELETE)
    if row.status == AppStatus.PENDING and not operation.kind.deletes_pending:
        return Await(Phase.AWAIT_PENDING)
    how = operation.changed_since(row)
    return skipped(operation, how) if how else None


def before_update(operation: AnyOperation, row: Seen | None) -> Step | None:
    """Return what keeps an update from being sent; None where the very thing that the plan saw is there to be changed.

    What is changing just now is waited for.
    """
    if row is None:
        return skipped(operation, "it no longer exists")
    if not is_generation(row, operation.standing):
        return skipped(operation, MADE_AGAIN)
    if row.status in _NO_UPDATE:
        return skipped(operation, _NO_UPDATE[row.status])
    if row.status in PASSING:
        return Refused(not_ready(operation, row))
    if not operation.is_as_updated(row):
        return None
    return End(operation.good_end() if operation.attempts else Outcome.UNCHANGED)


def with_tag(operation: AnyOperation, found: Whose) -> Step | None:
    """Return what keeps the call from being sent once its tag was read; None where that says what the plan read."""
    why = operation.why_not_owned(found)
    return skipped(operation, why) if why else None


def still_wanted(operation: AnyOperation, tags: Tags, wall: float) -> Step | None:
    """Return the end of a delete that nobody wants any more; None where it is still to be sent."""
    spared = operation.spared(tags, wall) if operation.is_delete else None
    return None if spared is None else End(Outcome.UNCHANGED, spared)


def while_used(operation: AnyOperation, row: Seen, spare_s: float, wall: float) -> Step | None:
    """Return what keeps a delete from being sent while somebody works in the app; None where nobody is known to.

    `spare_s` is `spare_active` in seconds, 0 where nobody is spared, and `wall` epoch seconds.
    """
    if not (operation.is_delete and spare_s > 0 and isinstance(row, ObservedApp)):
        return None
    if row.activity.use(wall, spare_s) is not Use.ACTIVE:
        return None
    return End(Outcome.SKIPPED, in_use_by_somebody(spare_s))


def skipped(operation: AnyOperation, how: str) -> End:
    """Return the end of a change that is not made because what is there is not what the plan saw."""
    return End(Outcome.SKIPPED, changed_since_plan(operation, how))


# What a look shows.


def after_look(  # noqa: C901, PLR0911, PLR0912 - one case a verdict
    looked: Looked, now: float, settings: Settings, *, wait: bool
) -> Step:
    """Return what follows from what a look showed of an operation."""
    operation, row = looked.operation, looked.row
    match looked.verdict:
        case Verdict.IN_SERVICE:
            operation.in_service = True
            return End(operation.good_end(), operation.undone)
        case Verdict.FAILED if not operation.kind.explains:
            return End(Outcome.FAILED, failed(operation, row))
        case Verdict.FAILED if row is not None and looked.error is not None:
            return _failed(operation, row, looked.error, now)
        case Verdict.REMOVED:
            return End(Outcome.FAILED, removed(operation))
        case Verdict.NEVER_SETTLED:
            return End(Outcome.FAILED, never_settled(operation))
        case Verdict.ADOPT | Verdict.OURS:
            return _found(looked, wait=wait)
        case Verdict.CONFLICT:
            return End(Outcome.FAILED, conflict(operation, row))
        case Verdict.WAIT_DELETING:
            operation.prior = row
            return Await(Phase.AWAIT_DELETING)
        case Verdict.CREATE:
            operation.prior = row or operation.prior
            # What was in the way is gone; where a create of ours may be on its way, it is unknown still.
            if operation.ours:
                return Await(Phase.OBSERVE_CREATE)
            return Call(Phase.CREATE, created_again_at(operation))
        case Verdict.RESEND:
            return _sent_again(operation, now, settings)
        case Verdict.TRY_LATER:
            return _name_in_use(operation, now, settings)
        case Verdict.DELETING:
            operation.forgive("throttling", "transient")
            return Await(Phase.SETTLE_DELETE)
        case Verdict.DELETED:
            return Gone()
        case Verdict.DELETE:
            return Call(Phase.DELETE)
        case _:  # pragma: no cover - KEEP and ASK are the watcher's, TIMED_OUT is the lane's
            raise BugError(f"verdict {looked.verdict} for {operation.key}")


def _failed(operation: AnyOperation, row: Seen, error: CloudError, now: float) -> Step:
    """Return what follows for an app that ended Failed, with the error of its FailureReason."""
    blame = _blame(operation, error)
    if not operation.ours:
        operation.blame = blame
        operation.counts_as_failure = operation.was_unseen and isinstance(error, Rejected)
        return End(Outcome.FAILED, trouble_of(error))
    if operation.phase in OBSERVING and is_since(operation, row):
        operation.doubt_until = AT_ONCE  # the last create was carried out, and this came of it
    operation.prior = row
    if now < operation.doubt_until:  # it was no answer to the last create: two looks tell whether that one comes
        operation.has_failed = False
        return Await(Phase.OBSERVE_CREATE)
    operation.ours = False  # what was ours has failed; what stands there next may be somebody else's
    operation.blame = blame
    operation.counts_as_failure = isinstance(error, Rejected)
    error = operation.as_limit(error)
    if isinstance(error, QuotaExceeded):
        operation.sent_at = now  # the refusal is news, however long ago the create was sent
        operation.fail(LATE_LIMIT, now)  # its gate opens for each create that is accepted, and so never gives up
    operation.phase = Phase.CREATE
    return Refused(error)


def _blame(operation: AnyOperation, error: CloudError) -> Blame | None:
    """Return what a FailureReason says of apps like it: nothing, where it is want of machines or a quota."""
    if not isinstance(error, Rejected):
        return None
    own_image = operation.shape is not None and operation.shape.names_image
    if error.service_code in SURROUNDINGS or (error.service_code == INTERNAL_FAILURE and not own_image):
        return Blame.UNSURE
    return Blame.SURE


def _found(looked: Looked, *, wait: bool) -> Step:
    """Return what follows for what stands there, ours or as declared."""
    operation, row = looked.operation, looked.row
    operation.adopted = looked.verdict is Verdict.ADOPT
    if is_since(operation, row):  # else it may be what an earlier call made: the last one may still come
        operation.doubt_until = AT_ONCE
    believe(operation, row)
    operation.forgive("unknown", "transient")
    believed = row is not None and row.status == AppStatus.IN_SERVICE and not operation.kind.lags
    if believed or not (wait or operation.kind.always_awaited):
        return End(operation.good_end())
    return Await(Phase.SETTLE_CREATE)


def _sent_again(operation: AnyOperation, now: float, settings: Settings) -> Step:
    """Return the call again, since two looks have not shown it."""
    unknown_s = now - operation.failing_since.get("unknown", now)
    if unknown_s >= settings.backoffs.transient.give_up_after:
        return End(Outcome.FAILED, never_settled(operation))
    if operation.phase is Phase.OBSERVE_DELETE:
        return Call(Phase.DELETE)
    if operation.phase is Phase.OBSERVE_UPDATE:  # a late one would take back what a second one makes
        return Call(Phase.UPDATE, operation.doubt_until)
    may_be_deleted = not operation.ours  # what is unknown is no create of ours, so it may be a delete of an earlier run
    operation.ours = False
    return Call(Phase.CREATE, created_again_at(operation) if may_be_deleted else AT_ONCE)


def _name_in_use(operation: AnyOperation, now: float, settings: Settings) -> Step:
    """Wait for what holds the name and does not show. A second time, or after a lost create, wait longer.

    Where looks lag, what holds it may be what a create of ours made.
    """
    operation.in_use += 1
    error = in_use(operation)
    may_be_ours = operation.ours or "unknown" in operation.failing_since
    if not operation.kind.lags or (operation.in_use == 1 and not may_be_ours):
        return Refused(error)
    give_up_s = settings.backoffs.transient.give_up_after
    if operation.fail("transient", now)[1] >= give_up_s:
        return End(Outcome.FAILED, trouble_of(error))
    doublings = operation.in_use - 1 if may_be_ours else operation.in_use - 2
    wait_s = min(IN_USE_WAIT_SECONDS * 2**doublings, give_up_s)
    operation.unknown_at, operation.unseen_until = now, now + wait_s
    return Await(Phase.OBSERVE_CREATE, operation.retried(wait_s, error))


# What no call is made for any more.


def left_over(operation: AnyOperation, over: Over, settle_timeout_s: float, full: Trouble | None = None) -> End:
    """Return the end of an operation that no call is made for any more; `full` is the quota that it waits for."""
    if operation.phase in SETTLING:
        return timed_out(operation, over, settle_timeout_s)
    if operation.phase in OBSERVING:
        return End(Outcome.FAILED, never_settled(operation))
    if full is not None:
        return End(Outcome.PARKED, full)
    if over.lane_stopped is not None:
        lost = over.lane_stopped.code == LEASE_LOST.code
        return End(Outcome.INTERRUPTED if lost else Outcome.SKIPPED, over.lane_stopped)
    if over.cause is Cause.INTERRUPTED:
        return End(Outcome.INTERRUPTED, INTERRUPTED)
    late = CANARY_AWAITED if waits_for_canary(operation) else DEADLINE
    why = {Cause.DEADLINE: late, Cause.LOCK_LOST: LOCK_LOST}
    return End(Outcome.SKIPPED, why.get(over.cause or Cause.BUG, STOPPED_BY_BUG))


def timed_out(operation: AnyOperation, over: Over, settle_timeout_s: float, unseen: CloudError | None = None) -> End:
    """Return the end of an operation whose time to settle is up, or that nobody waits for any more.

    `unseen` is why the last look showed nothing.
    """
    if operation.has_failed:
        return End(Outcome.FAILED, REASON_UNREAD)
    why = still_pending(operation, settle_timeout_s, over.cause, over.lane_stopped, over.signal, unseen)
    return End(Outcome.STILL_PENDING, why)
