"""The judge of apps as it was, for the one commit in which old and new stand side by side.

Data in, one verdict out. A scan says something about an operation only if it began after the call that is asked about;
`settle` sees to that. A listing may lag, so a row of the generation that was there before our create is never taken for
the new app, whatever it says, nor the tombstone of an earlier app for the end of the one that is deleted; and an app
that is missing is not gone until two scans have missed it. What a listing does not show is a hint: `needs_asking` names
the verdicts that DescribeApp has to confirm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.drift import SYSTEM, differing_fields
from engine.core.limits import (
    ABSENT_TWICE_SECONDS,
    CLOCK_SKEW_MAX_SECONDS,
    GENERATION_TOLERANCE_SECONDS,
    STALE_ROW_MAX_SECONDS,
)
from engine.core.observed import AppStatus
from engine.executor.judge import Scan, Verdict
from engine.executor.operation import Phase

if TYPE_CHECKING:
    from engine.core.observed import ObservedApp
    from engine.core.settings import Observe
    from engine.executor.operation import Operation
    from engine.executor.owner_operation import OwnerOperation


def judge(  # noqa: PLR0911 - one case a phase
    operation: Operation, row: ObservedApp | None, scan: Scan, observe: Observe
) -> Verdict:
    """Return the verdict for `operation`, whose row in `scan` is `row`; notes on it what has to be remembered."""
    if _says_nothing(operation, row):
        row = None
    match operation.phase:
        case Phase.SETTLE_CREATE:
            return _settling(operation, row, scan)
        case Phase.LOOK:
            return _looked(operation, row)
        case Phase.OBSERVE_CREATE:
            return _observed_create(operation, row, scan, observe)
        case Phase.AWAIT_DELETING:
            return _awaited_deleting(operation, row, scan)
        case Phase.SETTLE_DELETE:
            return _settling_delete(operation, row, scan)
        case Phase.AWAIT_PENDING:
            return _awaited_pending(operation, row, scan)
        case Phase.OBSERVE_DELETE:
            return _observed_delete(operation, row, scan, observe)
        case _:  # pragma: no cover - the watcher awaits no other phase
            raise AssertionError(operation.phase)


_AFTER_CREATE: Final = frozenset({Phase.LOOK, Phase.OBSERVE_CREATE})
_AFTER_DELETE: Final = frozenset({Phase.AWAIT_DELETING, Phase.SETTLE_DELETE, Phase.OBSERVE_DELETE})
_OF_ABSENCE: Final = frozenset({Verdict.REMOVED, Verdict.TRY_LATER, Verdict.CREATE, Verdict.DELETED})


def needs_asking(operation: Operation, verdict: Verdict, row: ObservedApp | None) -> bool:
    """Whether DescribeApp is asked before `verdict` is believed, since it rests on what a listing does not show."""
    if verdict is Verdict.RESEND:
        return operation.phase is Phase.OBSERVE_CREATE
    return verdict is Verdict.ASK or (_says_nothing(operation, row) and verdict in _OF_ABSENCE)


def believe(operation: Operation, row: ObservedApp | None) -> None:
    """Take the generation of `row` for the one that is awaited from now on, also where it is older than our call."""
    if row is None:  # pragma: no cover - what is adopted or ours has a row
        raise AssertionError(operation.key)
    operation.sent_wall = min(operation.sent_wall, row.created_at)


def is_since(operation: Operation, row: ObservedApp | None) -> bool:
    """Whether `row` was made after the last create was sent, by our clock."""
    return row is not None and row.created_at >= operation.sent_wall - GENERATION_TOLERANCE_SECONDS


def forget_tombstone(operation: Operation) -> None:
    """Note that DescribeApp shows the app alive: it is not what was Failed or Deleted before, however close in time."""
    if operation.prior is not None and not operation.prior.status.is_alive:
        operation.prior = None


def may_lag(operation: Operation | OwnerOperation, scan: Scan) -> bool:
    """Whether what was accepted is so young that nothing need show it yet."""
    return scan.began_at - operation.accepted_at < STALE_ROW_MAX_SECONDS


def _says_nothing(operation: Operation, row: ObservedApp | None) -> bool:
    """Whether a row is none, or one of an app that was there before the one that is asked about."""
    past = _is_past if operation.phase in _AFTER_CREATE else _is_older
    return row is None or past(operation, row)


def _is_past(operation: Operation, row: ObservedApp) -> bool:
    """Whether a row that looks alive is of the generation that is known to be gone, or was seen to be going."""
    prior = operation.prior
    if prior is None or not row.status.is_alive or not is_generation(row, prior):
        return False
    was_going = prior.status is AppStatus.DELETING and row.status is not AppStatus.DELETING
    return operation.deleted or was_going or not prior.status.is_alive


def _is_older(operation: Operation, row: ObservedApp) -> bool:
    """Whether a row is of an app that was there before the one whose end is awaited: of that one it tells nothing."""
    awaited = operation.prior if operation.phase is Phase.AWAIT_DELETING else operation.change.before
    if awaited is None or operation.phase not in _AFTER_DELETE:
        return False
    return row.created_at < awaited.created_at and not is_generation(row, awaited)


def is_generation(row: ObservedApp, of: ObservedApp | None) -> bool:
    """Whether two rows of one key are the same app, and not one that was made again under its name."""
    return of is not None and abs(row.created_at - of.created_at) < GENERATION_TOLERANCE_SECONDS


_SETTLED: Final = {
    AppStatus.IN_SERVICE: Verdict.IN_SERVICE,
    AppStatus.FAILED: Verdict.FAILED,
    AppStatus.DELETING: Verdict.REMOVED,
    AppStatus.DELETED: Verdict.REMOVED,
}


def _settling(operation: Operation, row: ObservedApp | None, scan: Scan) -> Verdict:
    if row is None:
        return Verdict.REMOVED if missed_twice(operation, scan) else Verdict.KEEP
    operation.absent_since = None
    if is_generation(row, operation.prior):
        return Verdict.KEEP if may_lag(operation, scan) else Verdict.ASK
    verdict = _SETTLED.get(row.status, Verdict.KEEP)
    # Made before our create was sent, by our clock, which may be wrong.
    earlier = row.created_at < operation.sent_wall - scan.clock_ahead_s - GENERATION_TOLERANCE_SECONDS
    return Verdict.ASK if earlier and verdict is not Verdict.KEEP else verdict


def _looked(operation: Operation, row: ObservedApp | None) -> Verdict:
    if row is None or not row.status.is_alive:
        return Verdict.TRY_LATER
    if row.status is AppStatus.DELETING:
        return Verdict.WAIT_DELETING
    return _standing(operation, row)


def _standing(operation: Operation, row: ObservedApp) -> Verdict:
    """Judge an app that stands under our key, Pending or InService."""
    if row.status is AppStatus.UNKNOWN or differing_fields(operation.app, row.spec):
        return Verdict.CONFLICT
    since_ours = operation.ours and row.created_at >= operation.sent_wall - CLOCK_SKEW_MAX_SECONDS
    return Verdict.OURS if since_ours and not is_generation(row, operation.prior) else Verdict.ADOPT


def _observed_create(operation: Operation, row: ObservedApp | None, scan: Scan, observe: Observe) -> Verdict:
    if scan.began_at < operation.unknown_at + observe.first_after:
        return Verdict.KEEP
    if row is not None and row.status.is_alive:
        return Verdict.WAIT_DELETING if row.status is AppStatus.DELETING else _standing(operation, row)
    # Nothing is alive. Even a tombstone that may be ours does not say that ours will not come: somebody else's app of
    # that name may have failed just before, and clocks differ. So two scans have to pass whatever it is.
    verdict = cleared(operation, scan, observe)
    if verdict is Verdict.RESEND and row is not None and _is_new(operation, row):
        return Verdict.FAILED if row.status is AppStatus.FAILED else Verdict.REMOVED
    return verdict


def _is_new(operation: Operation, row: ObservedApp) -> bool:
    """Whether a tombstone is of an app that our unknown create may have made."""
    recent = row.created_at >= operation.sent_wall - CLOCK_SKEW_MAX_SECONDS
    asked, shown = operation.instance_type, row.spec.instance_type
    other_type = shown is not None and asked not in ("", SYSTEM, shown)  # the service chooses what these two stand for
    return recent and not other_type and not is_generation(row, operation.prior)


def cleared(operation: Operation | OwnerOperation, scan: Scan, observe: Observe) -> Verdict:
    """Count the scans that do not show the call; the second one, begun late enough, clears it."""
    if operation.first_scan_ended_at is None:
        operation.first_scan_ended_at = scan.ended_at
        return Verdict.KEEP
    if scan.began_at < operation.first_scan_ended_at + observe.second_after:
        return Verdict.KEEP
    if scan.began_at < operation.unseen_until:
        operation.first_scan_ended_at = scan.ended_at
        return Verdict.KEEP
    return Verdict.RESEND


def _awaited_deleting(operation: Operation, row: ObservedApp | None, scan: Scan) -> Verdict:
    if row is None:
        return Verdict.CREATE if missed_twice(operation, scan) else Verdict.KEEP
    operation.absent_since = None
    if not row.status.is_alive:
        return Verdict.CREATE
    if row.status is AppStatus.DELETING or is_generation(row, operation.prior):
        return Verdict.KEEP
    return _standing(operation, row)


def _settling_delete(operation: Operation, row: ObservedApp | None, scan: Scan) -> Verdict:
    if row is None:
        return Verdict.DELETED if missed_twice(operation, scan) else Verdict.KEEP
    operation.absent_since = None
    gone = not row.status.is_alive or not is_generation(row, operation.change.before)
    return Verdict.DELETED if gone else Verdict.KEEP


def _awaited_pending(operation: Operation, row: ObservedApp | None, scan: Scan) -> Verdict:
    if row is not None and row.status is AppStatus.PENDING and is_generation(row, operation.change.before):
        operation.absent_since = None
        return Verdict.KEEP
    if row is None and not missed_twice(operation, scan):
        return Verdict.KEEP
    return Verdict.DELETE  # whatever it is now: it is read again just before the delete


def _observed_delete(operation: Operation, row: ObservedApp | None, scan: Scan, observe: Observe) -> Verdict:
    if scan.began_at < operation.unknown_at + observe.first_after:
        return Verdict.KEEP
    if row is None:
        return Verdict.DELETED if missed_twice(operation, scan) else Verdict.KEEP
    operation.absent_since = None
    if not row.status.is_alive or not is_generation(row, operation.change.before):
        return Verdict.DELETED
    if row.status is AppStatus.DELETING:
        return Verdict.DELETING
    return cleared(operation, scan, observe)


def missed_twice(operation: Operation | OwnerOperation, scan: Scan) -> bool:
    """Whether two scans, begun far enough apart, do not show what is awaited."""
    if operation.absent_since is None:
        operation.absent_since = scan.ended_at
        return False
    return scan.began_at >= operation.absent_since + ABSENT_TWICE_SECONDS
