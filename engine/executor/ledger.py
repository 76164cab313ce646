"""The ledger: each operation ends here, once. It makes the result, tells it as an event and notes it in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import BugError
from engine.core.outcome import GOOD_OUTCOMES, AppResult, Outcome, OwnerResult
from engine.core.trouble import Trouble
from engine.executor.operation import Phase
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
    OwnerNotUpdated,
    OwnerSettled,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.executor.operation import AnyOperation
    from engine.ports.events import Emit
    from engine.ports.journal import Journal

NOTHING: Final = Trouble("", "")


class Ledger:
    """The outcomes of one run. `now` is the loop's clock, `wall` epoch seconds.

    `on_empty` is told of the last end, `on_owner` of that of each owner.
    """

    def __init__(
        self,
        open_count: int,
        emit: Emit,
        journal: Journal,
        now: Callable[[], float],
        wall: Callable[[], float],
        on_empty: Callable[[], None],
        on_owner: Callable[[OwnerResult], None] = lambda _: None,
    ) -> None:
        self._emit = emit
        self._journal = journal
        self._now = now
        self._wall = wall
        self._on_empty = on_empty
        self._on_owner = on_owner
        self.open_count = open_count
        self.results: list[AppResult | OwnerResult] = []

    def end(self, operation: AnyOperation, outcome: Outcome, trouble: Trouble | None = None) -> None:
        """Write down how `operation` ended. Raises BugError for one that had ended before."""
        if operation.phase is Phase.ENDED:
            raise BugError(f"{operation.key} ended twice, the second time as {outcome.value}")
        now = self._now()
        seconds = 0.0 if operation.first_call_at is None else now - operation.first_call_at
        result = operation.ended(outcome, round(seconds, 3), trouble)
        operation.remember(result, self._journal, now, self._wall())
        operation.phase = Phase.ENDED
        self.results.append(result)
        self._closed_one()
        event = _owner_event(result) if isinstance(result, OwnerResult) else _event(result, result.error or NOTHING)
        if event is not None:
            self._emit(event)
        if isinstance(result, OwnerResult):
            self._on_owner(result)

    def _closed_one(self) -> None:
        self.open_count -= 1
        if self.open_count == 0:
            self._on_empty()


def _owner_event(result: OwnerResult) -> Event:
    if result.error is None:
        return OwnerSettled(result.owner, result.outcome.value, result.seconds)
    error = result.error
    event = OwnerNotUpdated if result.outcome in GOOD_OUTCOMES else OwnerFailed
    return event(result.owner, result.outcome.value, error.code, error.message, error.hint)


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
        case _ if result.outcome is Outcome.UNCHANGED and trouble is NOTHING:
            return None
        case _:
            return AppSkipped(result.key, trouble.code, trouble.message, trouble.hint)
