"""The retry decision, in one place: one match statement over the class of the error.

It decides and does nothing: the lane carries the decision out. Every wait is bounded by its class's `give_up_after`,
counted from the operation's first failure of that class; there is no count of tries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.backoff import delay_s
from engine.core.errors import (
    AlreadyGone,
    CloudError,
    InUse,
    NoCapacity,
    OutcomeUnknown,
    QuotaExceeded,
    StorageNotReady,
    Throttled,
    Unreachable,
)
from engine.core.outcome import Outcome, Trouble
from engine.executor.operation import Phase

if TYPE_CHECKING:
    from engine.core.settings import Backoff, Backoffs
    from engine.executor.ready import Waiting


@dataclass(frozen=True, slots=True)
class Again:
    """Make the same call again in `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Park:
    """Wait at the gate of the quota that is full."""

    error: QuotaExceeded


@dataclass(frozen=True, slots=True)
class Look:
    """Read what stands under the key."""


@dataclass(frozen=True, slots=True)
class ObserveFirst:
    """Wait for complete scans to show whether it was carried out."""


@dataclass(frozen=True, slots=True)
class FallBack:
    """Try the next instance type."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What was to be deleted is gone."""


@dataclass(frozen=True, slots=True)
class End:
    """The operation is over."""

    outcome: Outcome
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class StopLane:
    """No call of this lane can succeed any more."""

    trouble: Trouble


Decision = Again | Park | Look | ObserveFirst | FallBack | Gone | End | StopLane


def decide(  # noqa: C901, PLR0911 - one match statement that shows the whole policy is the point
    operation: Waiting, error: CloudError, now: float, backoffs: Backoffs, jitter: float
) -> Decision:
    """Say what follows from `error` for `operation`; counts the failure on it.

    `now` is the loop's clock in seconds, `jitter` lies in [0, 1).
    """
    match error:
        case CloudError(ends_lane=True):
            return StopLane(trouble_of(error))
        case Throttled():
            return _again(operation, error, "throttling", backoffs.throttling, now, jitter)
        case QuotaExceeded() if error.facts.never_fits:
            return FallBack() if operation.has_fallback else End(Outcome.FAILED, trouble_of(error))
        case QuotaExceeded():
            return Park(error)
        case NoCapacity() if operation.has_fallback:
            return FallBack()
        case NoCapacity():
            return _again(operation, error, "capacity", backoffs.capacity, now, jitter)
        case AlreadyGone() if operation.phase is Phase.DELETE:
            return Gone()
        case OutcomeUnknown() if operation.phase in (Phase.CREATE, Phase.DELETE) and not operation.reading:
            return ObserveFirst()
        case InUse() if operation.phase is Phase.CREATE:
            return Look()
        case InUse() | StorageNotReady() | Unreachable() | OutcomeUnknown():
            return _again(operation, error, "transient", backoffs.transient, now, jitter)
        case _:
            return End(Outcome.FAILED, _trouble(operation, error))


def _trouble(operation: Waiting, error: CloudError) -> Trouble:
    """Return the report's form of an error; of the look before a delete it says that nothing was deleted."""
    trouble = trouble_of(error)
    if not operation.reading:
        return trouble
    why = f"not deleted: it could not be read again just before ({error.message})"
    return Trouble(trouble.code, why, trouble.hint)


def trouble_of(error: CloudError) -> Trouble:
    """Return the report's form of an error: the service's code where there is one, else ours."""
    return Trouble(error.service_code or error.code, error.message, error.hint)


def _again(
    operation: Waiting, error: CloudError, kind: str, backoff: Backoff, now: float, jitter: float
) -> Again | End:
    failures, failing_s = operation.fail(kind, now)
    if failing_s >= backoff.give_up_after:
        return End(Outcome.FAILED, _trouble(operation, error))
    delay = delay_s(backoff, failures, jitter)
    if error.retry_after_s is not None:
        delay = max(delay, min(error.retry_after_s, backoff.max))
    return Again(delay)
