"""The retry decision, in one place: one match statement over the class of the error.

It decides and does nothing: the lane acts on the step. Every wait is bounded by its class's `give_up_after`, counted
from the operation's first failure of that class; there is no count of tries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.backoff import delay_s
from engine.core.errors import (
    AccessDenied,
    AlreadyGone,
    CloudError,
    InUse,
    NoCapacity,
    Occupied,
    OutcomeUnknown,
    QuotaExceeded,
    Rejected,
    StorageNotReady,
    Throttled,
    Unreachable,
)
from engine.core.outcome import Outcome
from engine.core.trouble import Trouble
from engine.executor.course import LATE_LIMIT, after_lost_answer, fall_back
from engine.executor.operation import Phase
from engine.executor.step import Await, Call, End, Gone, Park, StopLane
from engine.executor.trial import Blame
from engine.executor.troubles import trouble_of

if TYPE_CHECKING:
    from engine.core.settings import Backoff, Settings
    from engine.executor.operation import AnyOperation
    from engine.executor.step import Step


_CHANGING: Final = (Phase.CREATE, Phase.DELETE, Phase.UPDATE)


def after_error(  # noqa: C901, PLR0911, PLR0912 - one match statement that shows the whole policy is the point
    operation: AnyOperation, error: CloudError, now: float, settings: Settings, jitter: float
) -> Step:
    """Say what follows from `error` for `operation`; counts the failure on it.

    `now` is the loop's clock in seconds, `jitter` lies in [0, 1).
    """
    backoffs = settings.backoffs
    match error:
        case CloudError(ends_lane=True):
            return StopLane(trouble_of(error))
        case Throttled():
            return _again(operation, error, "throttling", backoffs.throttling, now, jitter)
        case QuotaExceeded() if error.facts.never_fits:
            return fall_back(operation, error) if operation.has_fallback else End(Outcome.FAILED, trouble_of(error))
        case QuotaExceeded() if now - operation.failing_since.get(LATE_LIMIT, now) >= backoffs.limit.give_up_after:
            return End(Outcome.PARKED, trouble_of(error))
        case QuotaExceeded():
            return Park(error)
        case NoCapacity() if operation.has_fallback:
            return fall_back(operation, error)
        case NoCapacity():
            return _again(operation, error, "capacity", backoffs.capacity, now, jitter)
        case AlreadyGone() if operation.is_delete:
            return Gone()
        case OutcomeUnknown() if operation.phase in _CHANGING and not operation.reading:
            return after_lost_answer(operation, error, now, settings)
        case InUse() if operation.phase is Phase.CREATE:
            operation.unknown_at = now
            return Await(Phase.LOOK)
        case Occupied() if operation.phase is Phase.UPDATE:
            undone = trouble_of(error)
            return Call(Phase.UPDATE) if operation.does_without(undone) else End(Outcome.UNCHANGED, undone)
        case InUse() | StorageNotReady() | Unreachable() | OutcomeUnknown():
            return _again(operation, error, "transient", backoffs.transient, now, jitter)
        case _:
            if operation.phase is Phase.CREATE and isinstance(error, Rejected | AccessDenied):
                operation.blame = operation.blame or Blame.UNSURE
            return End(Outcome.FAILED, _trouble(operation, error))


def _trouble(operation: AnyOperation, error: CloudError) -> Trouble:
    """Return the report's form of an error; of the look before a change it says that nothing was changed."""
    trouble = trouble_of(error)
    if not operation.reading:
        return trouble
    done = "deleted" if operation.is_delete else "updated"
    why = f"not {done}: it could not be read again just before ({error.message})"
    return Trouble(trouble.code, why, trouble.hint)


def _again(
    operation: AnyOperation, error: CloudError, kind: str, backoff: Backoff, now: float, jitter: float
) -> Call | End:
    """Return the same call after a delay; a name that is in use and shows nothing has its create called again."""
    failures, failing_s = operation.fail(kind, now)
    if failing_s >= backoff.give_up_after:
        return End(Outcome.FAILED, _trouble(operation, error))
    delay = delay_s(backoff, failures, jitter)
    if error.retry_after_s is not None:
        delay = max(delay, min(error.retry_after_s, backoff.max))
    phase = Phase.CREATE if operation.phase is Phase.LOOK else operation.phase
    return Call(phase, now + delay, operation.retried(delay, error))
