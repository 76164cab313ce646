"""What is said of an owner that did not end well, and of what is skipped because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.identity import AppKey, owner_word
from engine.core.outcome import Outcome, Trouble
from engine.executor.operation import Phase
from engine.executor.troubles import UNKNOWN_CODE

if TYPE_CHECKING:
    from engine.core.errors import CloudError
    from engine.core.identity import Owner
    from engine.core.observed import ObservedOwner
    from engine.executor.owner_operation import OwnerOperation

INHABITANTS_NAMED_MAX_COUNT: Final = 3
_RUN_AGAIN: Final = "Run again: the next run looks at what is there before it does anything"


def failed(operation: OwnerOperation, row: ObservedOwner | None) -> Trouble:
    """Return the trouble of an owner that ended in a status that nothing leads out of."""
    status = "Failed" if row is None else row.status
    return Trouble(
        "owner_failed",
        f"{owner_word(operation.key)} ended {status}",
        "Look at it in the console for the reason; once it is deleted there the next run makes it",
    )


def removed(operation: OwnerOperation) -> Trouble:
    """Return the trouble of an owner that somebody deleted while the run waited for it."""
    return Trouble(
        "removed_during_run",
        f"{owner_word(operation.key)} was accepted, and somebody deleted it before it was in service",
        "It is made again by the next run; find out who deletes it before then",
    )


def conflict(operation: OwnerOperation, row: ObservedOwner | None) -> Trouble:
    """Return the trouble of a name under which something else stands."""
    there = "something else" if row is None else f"owner {row.owner_user or '-'}, app type {row.app_type or '-'}"
    return Trouble(
        "conflict",
        f"{owner_word(operation.key)} exists and is not as declared: {there}",
        "Change the fleet to match it, or choose another name",
    )


def never_settled(operation: OwnerOperation) -> Trouble:
    """Return the trouble of a call whose outcome no look could show."""
    verb = "deleted" if operation.phase is Phase.OBSERVE_DELETE else "made"
    return Trouble(
        UNKNOWN_CODE, f"it could not be found out whether {owner_word(operation.key)} was {verb}", _RUN_AGAIN
    )


def changed_since_plan(operation: OwnerOperation, how: str) -> Trouble:
    """Return the trouble of a delete that was not sent because the owner is not the one that the plan saw."""
    return Trouble(
        "changed_since_plan",
        f"{owner_word(operation.key)} was not deleted: {how}",
        "Check what is there now, then run again",
    )


def inhabited(inside: list[str], error: CloudError) -> Trouble:
    """Return the trouble of an owner that the service does not delete because of what lives in it."""
    named = ", ".join(inside[:INHABITANTS_NAMED_MAX_COUNT])
    more = len(inside) - INHABITANTS_NAMED_MAX_COUNT
    return Trouble(
        error.service_code or error.code,
        f"not deleted: in use by {named}" + (f" and {more} more" if more > 0 else ""),
        "Delete what lives in it, then run the same command again",
    )


def needs(key: AppKey | Owner, outcome: Outcome, trouble: Trouble | None) -> Trouble:
    """Return the trouble of what is skipped because something that it needs did not end well."""
    what = f"app {key}" if isinstance(key, AppKey) else owner_word(key)
    why = f": {trouble.message}" if trouble is not None else ""
    return Trouble(
        "needed_first",
        f"not called, since {what} comes first and ended {outcome.value.replace('_', ' ')}{why}",
        "" if trouble is None else trouble.hint,
    )
