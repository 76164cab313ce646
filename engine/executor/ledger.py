"""The ledger: each operation ends here, once. It makes the result, tells it as an event and notes it in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.change import Action, Reason
from engine.core.desired import Mode
from engine.core.errors import BugError
from engine.core.outcome import AppResult, Outcome, OwnerResult, Trouble
from engine.executor.control import Cause
from engine.executor.operation import OBSERVING, Phase
from engine.executor.troubles import DEADLINE, INTERRUPTED, LOCK_LOST, STOPPED_BY_BUG, never_settled
from engine.ports.events import (
    AppAdopted,
    AppDeleted,
    AppFailed,
    AppInService,
    AppParked,
    AppSkipped,
    AppStillPending,
    Event,
    OwnerFailed,
    OwnerSettled,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.executor.operation import Operation
    from engine.executor.owner_operation import OwnerOperation
    from engine.executor.ready import Waiting
    from engine.ports.events import Emit
    from engine.ports.journal import Journal

NOTHING: Final = Trouble("", "")
WELL: Final = frozenset({Outcome.CREATED, Outcome.REPLACED})
MADE: Final = frozenset({Outcome.CREATED, Outcome.REPLACED, Outcome.STILL_PENDING})


class Ledger:
    """The outcomes of one run. `now` is the loop's clock, `wall` epoch seconds; `on_empty` is told of the last end."""

    def __init__(
        self,
        open_count: int,
        emit: Emit,
        journal: Journal,
        now: Callable[[], float],
        wall: Callable[[], float],
        on_empty: Callable[[], None],
    ) -> None:
        self._emit = emit
        self._journal = journal
        self._now = now
        self._wall = wall
        self._on_empty = on_empty
        self.open_count = open_count
        self.results: list[AppResult] = []
        self.owner_results: list[OwnerResult] = []

    def end(self, operation: Operation, outcome: Outcome, trouble: Trouble | None = None) -> None:
        """Write down how `operation` ended. Raises BugError for one that had ended before."""
        if operation.phase is Phase.ENDED:
            raise BugError(f"{operation.key} ended twice, the second time as {outcome.value}")
        in_doubt, owed = operation.in_doubt(outcome, self._now()), operation.is_owed()
        operation.phase = Phase.ENDED
        now = self._now()
        seconds = 0.0 if operation.first_call_at is None else now - operation.first_call_at
        result = AppResult(
            key=operation.key,
            action=operation.change.action,
            outcome=outcome,
            attempts=operation.attempts,
            seconds=round(seconds, 3),
            instance_type=operation.instance_type,
            arn=operation.arn,
            error=trouble,
        )
        self.results.append(result)
        app = operation.change.after
        self._journal.conclude(
            result,
            operation.spec_hash,
            self._wall(),
            once=app is not None and app.mode is Mode.ONCE and operation.ours and outcome in MADE,
            counts_as_failure=operation.counts_as_failure and outcome is Outcome.FAILED,
            in_doubt=in_doubt,
            owed=owed,
            replaced_at=operation.sent_wall if outcome is Outcome.REPLACED and _had_drifted(operation) else 0.0,
            unseen_at=operation.sent_wall if outcome in WELL and operation.ours and not operation.in_service else 0.0,
        )
        self._closed_one()
        event = _event(result, trouble or NOTHING)
        if event is not None:
            self._emit(event)

    def end_owner(self, operation: OwnerOperation, outcome: Outcome, trouble: Trouble | None = None) -> None:
        """Write down how an owner's operation ended. Raises BugError for one that had ended before."""
        if operation.phase is Phase.ENDED:
            raise BugError(f"{operation.key} ended twice, the second time as {outcome.value}")
        in_doubt = operation.cut_off or operation.phase in OBSERVING
        operation.phase = Phase.ENDED
        seconds = 0.0 if operation.first_call_at is None else self._now() - operation.first_call_at
        result = OwnerResult(
            operation.key,
            operation.change.action,
            outcome,
            operation.attempts,
            round(seconds, 3),
            operation.arn,
            trouble,
        )
        self.owner_results.append(result)
        self._journal.conclude_owner(result, self._wall(), in_doubt=in_doubt)
        if trouble is None:
            self._emit(OwnerSettled(result.owner, outcome.value, result.seconds))
        else:
            self._emit(OwnerFailed(result.owner, outcome.value, trouble.code, trouble.message, trouble.hint))
        self._closed_one()

    def _closed_one(self) -> None:
        self.open_count -= 1
        if self.open_count == 0:
            self._on_empty()


def _had_drifted(operation: Operation) -> bool:
    return operation.change.reason is Reason.DRIFT


def _event(result: AppResult, trouble: Trouble) -> Event | None:  # noqa: PLR0911 - one case an outcome
    match result.outcome:
        case Outcome.CREATED | Outcome.REPLACED:
            return AppInService(result.key, result.seconds)
        case Outcome.ADOPTED:
            return AppAdopted(result.key)
        case Outcome.DELETED:
            return AppDeleted(result.key, result.seconds)
        case Outcome.FAILED:
            return AppFailed(result.key, trouble.code, trouble.message, trouble.hint)
        case Outcome.PARKED:
            return AppParked(result.key, trouble.code, trouble.message, trouble.hint)
        case Outcome.STILL_PENDING:
            return AppStillPending(result.key, result.seconds, trouble.code, trouble.message, trouble.hint)
        case Outcome.SKIPPED | Outcome.INTERRUPTED | Outcome.DENIED:
            return AppSkipped(result.key, trouble.code, trouble.message, trouble.hint)
        case _:
            return None


def unmade_end(
    operation: Waiting, cause: Cause | None, lane_stopped: Trouble | None, full: Trouble | None
) -> tuple[Outcome, Trouble]:
    """Return the end of an operation that no call is made for any more.

    `cause` is why the run was stopped, `lane_stopped` why its lane was, `full` what is said of the quota it waits for.
    """
    if operation.phase in OBSERVING:
        return Outcome.FAILED, never_settled(operation)
    if full is not None:
        return Outcome.PARKED, full
    if lane_stopped is not None:
        return Outcome.SKIPPED, lane_stopped
    if cause is Cause.INTERRUPTED:
        return Outcome.INTERRUPTED, INTERRUPTED
    return Outcome.SKIPPED, {Cause.DEADLINE: DEADLINE, Cause.LOCK_LOST: LOCK_LOST}.get(
        cause or Cause.BUG, STOPPED_BY_BUG
    )


def good_end(operation: Operation) -> Outcome:
    """Return the outcome of an operation whose app is in service, or was accepted where nobody waits."""
    if operation.change.action is Action.NONE:
        return Outcome.UNCHANGED
    if operation.adopted:
        return Outcome.ADOPTED
    return Outcome.REPLACED if operation.deleted else Outcome.CREATED
