"""What one row of a complete look, or its absence, means for an operation that is awaited: of an app or of an owner.

Data in, one verdict out. A look says something about an operation only if it began after the call that is asked about;
the watchers see to that. A listing may lag, so a row of the generation that was there before our create is never taken
for the new one, whatever it says, nor the tombstone of an earlier app for the end of the one that is deleted; and where
looks lag (`Kind`), what is missing is not gone until two of them have missed it. What a listing does not show is a
hint: `needs_asking` names the verdicts that a question about that very name has to confirm.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from engine.core.limits import (
    ABSENT_TWICE_SECONDS,
    CLOCK_SKEW_MAX_SECONDS,
    GENERATION_TOLERANCE_SECONDS,
    STALE_ROW_MAX_SECONDS,
)
from engine.core.observed import PASSING, AppStatus
from engine.executor.operation import DELETING, OBSERVING, Operation, Phase, R, Seen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.errors import CloudError
    from engine.core.settings import Observe
    from engine.executor.operation import AnyOperation

Awaited: TypeAlias = "Operation[Any, R]"


class Verdict(Enum):
    """What to do about an awaited operation."""

    KEEP = auto()  # look again
    IN_SERVICE = auto()
    FAILED = auto()
    REMOVED = auto()  # somebody deleted it while we waited
    ADOPT = auto()  # it stands there as declared, and is not ours
    OURS = auto()  # the unknown create was carried out
    CONFLICT = auto()  # it stands there and is something else
    WAIT_DELETING = auto()
    CREATE = auto()  # the way is free
    RESEND = auto()  # two scans show that the call was not carried out
    TRY_LATER = auto()  # the service says "in use" and lists nothing
    DELETING = auto()  # the unknown delete was carried out
    DELETED = auto()
    DELETE = auto()  # it is not Pending any more, so it can be deleted
    ASK = auto()  # the row may be of an earlier generation: DescribeApp tells
    TIMED_OUT = auto()  # no look says this or the next: the watcher does, when it has waited long enough
    NEVER_SETTLED = auto()


@dataclass(frozen=True, slots=True)
class Scan:
    """When a scan began and ended, on the loop's clock in seconds.

    `clock_ahead_s` is how far the wall clock is known to be ahead of the service's.
    """

    began_at: float
    ended_at: float
    clock_ahead_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look showed of one operation, or that its time is up. It is awaited no longer.

    `error` is why what Failed did, where that was read.
    """

    operation: AnyOperation
    verdict: Verdict
    row: Any = None  # of the kind that the operation is of
    error: CloudError | None = None


_DELETE_FAILED: Final = "Delete_Failed"
_UPDATE_FAILED: Final = frozenset({AppStatus.FAILED, "Update_Failed"})
_STAYED: Final = frozenset({AppStatus.FAILED, _DELETE_FAILED})  # what is left of a delete that was not carried out
_AFTER_CREATE: Final = frozenset({Phase.LOOK, Phase.OBSERVE_CREATE})
_AFTER_DELETE: Final = DELETING | {Phase.AWAIT_DELETING}
_OF_ABSENCE: Final = frozenset({Verdict.REMOVED, Verdict.TRY_LATER, Verdict.CREATE, Verdict.DELETING, Verdict.DELETED})
_SETTLED: Final[Mapping[str, Verdict]] = {
    AppStatus.IN_SERVICE: Verdict.IN_SERVICE,
    AppStatus.FAILED: Verdict.FAILED,
    AppStatus.DELETING: Verdict.REMOVED,
    AppStatus.DELETED: Verdict.REMOVED,
}


def judge(  # noqa: PLR0911 - one case for each of the phases in which something is awaited
    operation: Awaited[R], row: R | None, scan: Scan, observe: Observe
) -> Verdict:
    """Return the verdict for `operation`, whose row in `scan` is `row`; notes on it what has to be remembered."""
    if operation.phase in OBSERVING and scan.began_at < operation.unknown_at + observe.first_after:
        return Verdict.KEEP
    if row is not None and says_nothing(operation, row):
        row = None
    if row is not None:
        operation.absent_since = None
    match operation.phase:
        case Phase.SETTLE_CREATE:
            return _settling(operation, row, scan)
        case Phase.LOOK | Phase.OBSERVE_CREATE:
            return _looked_up(operation, row, scan, observe)
        case Phase.AWAIT_DELETING:
            return _awaited_deleting(operation, row, scan)
        case Phase.AWAIT_PENDING:
            return _awaited_pending(operation, row, scan)
        case Phase.SETTLE_DELETE | Phase.OBSERVE_DELETE:
            return _deleted(operation, row, scan, observe)
        case Phase.SETTLE_UPDATE | Phase.OBSERVE_UPDATE:
            return _updated(operation, row, scan, observe)
        case _:  # pragma: no cover - the watchers await no other phase
            raise AssertionError(operation.phase)


def needs_asking(operation: Awaited[R], verdict: Verdict, row: R | None) -> bool:
    """Whether the name itself is asked about before `verdict` is believed: it rests on what a listing does not show."""
    if verdict is Verdict.RESEND:
        return operation.phase is Phase.OBSERVE_CREATE
    return verdict is Verdict.ASK or (says_nothing(operation, row) and verdict in _OF_ABSENCE)


def believe(operation: Awaited[R], row: R | None) -> None:
    """Await the generation of `row` from now on, even if it is older than our call."""
    if row is None:  # pragma: no cover - what is adopted or ours has a row
        raise AssertionError(operation.key)
    operation.sent_wall = min(operation.sent_wall, row.created_at)


def is_since(operation: Awaited[R], row: R | None) -> bool:
    """Whether `row` was made after the last create was sent, by our clock."""
    return row is not None and row.created_at >= operation.sent_wall - GENERATION_TOLERANCE_SECONDS


def forget_tombstone(operation: Awaited[R]) -> None:
    """Note that the app was shown alive: it is not what was Failed or Deleted before, however close in time."""
    if operation.prior is not None and not stands(operation, operation.prior):
        operation.prior = None


def may_lag(operation: Awaited[R], scan: Scan) -> bool:
    """Whether what was accepted is so young that nothing need show it yet."""
    return scan.began_at - operation.accepted_at < STALE_ROW_MAX_SECONDS


def is_generation(row: Seen, of: Seen | None) -> bool:
    """Whether two rows of one key are the same app or owner, and not one that was made again under its name."""
    return of is not None and abs(row.created_at - of.created_at) < GENERATION_TOLERANCE_SECONDS


def stands(operation: Awaited[R], row: R) -> bool:
    """Whether a row holds its name. What we do not know the status of does."""
    return row.status != AppStatus.DELETED and (operation.kind.failed_stands or row.status != AppStatus.FAILED)


def says_nothing(operation: Awaited[R], row: R | None) -> bool:
    """Whether a row is none, or one of what was there before what is asked about."""
    past = _is_past if operation.phase in _AFTER_CREATE else _is_older
    return row is None or past(operation, row)


def _is_past(operation: Awaited[R], row: R) -> bool:
    """Whether a row that looks alive is of the generation that is known to be gone, or was seen to be going."""
    prior = operation.prior
    if prior is None or not stands(operation, row):
        return False
    if not is_generation(row, prior):
        return row.created_at < prior.created_at  # what was there even before that
    came_back = prior.status == AppStatus.DELETING and row.status not in (AppStatus.DELETING, *_STAYED)
    return operation.deleted or came_back or not stands(operation, prior)


def _is_older(operation: Awaited[R], row: R) -> bool:
    """Whether a row is of what was there before that whose end is awaited: of that one it tells nothing."""
    awaited = operation.prior if operation.phase is Phase.AWAIT_DELETING else operation.before
    if awaited is None or operation.phase not in _AFTER_DELETE:
        return False
    return row.created_at < awaited.created_at and not is_generation(row, awaited)


def _settling(operation: Awaited[R], row: R | None, scan: Scan) -> Verdict:
    if row is None:
        return Verdict.REMOVED if missed_twice(operation, scan) else Verdict.KEEP
    if is_generation(row, operation.prior):
        return Verdict.KEEP if may_lag(operation, scan) else Verdict.ASK
    verdict = _SETTLED.get(row.status, Verdict.KEEP)
    # Made before our create was sent, by our clock, which may be wrong.
    earlier = row.created_at < operation.sent_wall - scan.clock_ahead_s - GENERATION_TOLERANCE_SECONDS
    return Verdict.ASK if operation.kind.lags and earlier and verdict is not Verdict.KEEP else verdict


def _looked_up(operation: Awaited[R], row: R | None, scan: Scan, observe: Observe) -> Verdict:
    if row is not None and stands(operation, row):
        return _standing(operation, row)
    if operation.phase is Phase.LOOK:
        return Verdict.TRY_LATER
    # Nothing is alive. Even a tombstone that may be ours does not say that ours will not come: somebody else's app of
    # that name may have failed just before, and clocks differ. So two scans have to pass whatever it is.
    verdict = cleared(operation, scan, observe)
    if verdict is Verdict.RESEND and row is not None and _may_be_ours(operation, row) and operation.may_make(row):
        return Verdict.FAILED if row.status == AppStatus.FAILED else Verdict.REMOVED
    return verdict


def _standing(operation: Awaited[R], row: R) -> Verdict:
    """Judge what stands under our key."""
    if row.status == AppStatus.DELETING:
        return Verdict.WAIT_DELETING
    if row.status == AppStatus.FAILED:
        return Verdict.FAILED
    if not operation.is_as_declared(row):
        return Verdict.CONFLICT
    return Verdict.OURS if operation.ours and _may_be_ours(operation, row) else Verdict.ADOPT


def _may_be_ours(operation: Awaited[R], row: R) -> bool:
    """Whether a row is young enough for what our unknown create may have made, and not what was there before."""
    recent = row.created_at >= operation.sent_wall - CLOCK_SKEW_MAX_SECONDS
    return recent and not is_generation(row, operation.prior)


def _awaited_deleting(operation: Awaited[R], row: R | None, scan: Scan) -> Verdict:
    if row is None:
        return Verdict.CREATE if _is_gone(operation, scan) else Verdict.KEEP
    if not stands(operation, row):
        return Verdict.CREATE
    going = is_generation(row, operation.prior) and row.status not in _STAYED
    return Verdict.KEEP if going or row.status == AppStatus.DELETING else _standing(operation, row)


def _awaited_pending(operation: Awaited[R], row: R | None, scan: Scan) -> Verdict:
    if row is None:
        return Verdict.DELETE if missed_twice(operation, scan) else Verdict.KEEP
    pending = row.status == AppStatus.PENDING and is_generation(row, operation.before)
    return Verdict.KEEP if pending else Verdict.DELETE  # whatever it is now: it is read again just before the delete


def _deleted(operation: Awaited[R], row: R | None, scan: Scan, observe: Observe) -> Verdict:
    settles = operation.phase is Phase.SETTLE_DELETE
    if row is None and not settles and not operation.kind.lags:
        return Verdict.DELETING  # settling looks once more before it believes in absence
    if row is None:
        return Verdict.DELETED if _is_gone(operation, scan) else Verdict.KEEP
    if not stands(operation, row) or not is_generation(row, operation.before):
        return Verdict.DELETED
    if settles:
        return Verdict.FAILED if row.status == _DELETE_FAILED else Verdict.KEEP
    return Verdict.DELETING if row.status == AppStatus.DELETING else cleared(operation, scan, observe)


def _updated(  # noqa: PLR0911 - one case a line
    operation: Awaited[R], row: R | None, scan: Scan, observe: Observe
) -> Verdict:
    settles = operation.phase is Phase.SETTLE_UPDATE
    if row is None or row.status == AppStatus.DELETING or not is_generation(row, operation.before):
        return Verdict.REMOVED
    if row.status in PASSING:
        return Verdict.KEEP
    shows = operation.is_as_updated(row)
    if shows is None:  # a listing
        return Verdict.ASK
    failed = row.status in _UPDATE_FAILED
    stood = operation.before is not None and operation.before.status == row.status  # it had failed before our call
    if failed and not stood:
        return Verdict.FAILED
    if shows and not failed:
        return Verdict.IN_SERVICE
    if not settles:
        return cleared(operation, scan, observe)
    if may_lag(operation, scan):
        return Verdict.KEEP
    return Verdict.FAILED if failed else Verdict.NEVER_SETTLED


def cleared(operation: Awaited[R], scan: Scan, observe: Observe) -> Verdict:
    """Count the scans that do not show the call; the second one, begun late enough, clears it."""
    first_ended_at = operation.first_scan_ended_at
    if first_ended_at is not None and scan.began_at < first_ended_at + observe.second_after:
        return Verdict.KEEP
    if first_ended_at is None or scan.began_at < operation.unseen_until:
        operation.first_scan_ended_at = scan.ended_at
        return Verdict.KEEP
    return Verdict.RESEND


def _is_gone(operation: Awaited[R], scan: Scan) -> bool:
    """Whether what is not shown is gone: where looks lag, two of them have to miss it."""
    return not operation.kind.lags or missed_twice(operation, scan)


def missed_twice(operation: Awaited[R], scan: Scan) -> bool:
    """Whether two scans, begun far enough apart, do not show what is awaited."""
    if operation.absent_since is None:
        operation.absent_since = scan.ended_at
        return False
    return scan.began_at >= operation.absent_since + ABSENT_TWICE_SECONDS
