"""The judge of owners as it was, for the one commit in which old and new stand side by side.

A look says something only if it began after the call that is asked about; the watcher sees to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.limits import CLOCK_SKEW_MAX_SECONDS, GENERATION_TOLERANCE_SECONDS
from engine.executor.judge import Scan, Verdict
from engine.executor.operation import Phase
from tests.unit.executor.old_app_judge import cleared, may_lag, missed_twice

if TYPE_CHECKING:
    from engine.core.observed import ObservedOwner
    from engine.core.settings import Observe
    from engine.executor.owner_operation import OwnerOperation

DELETE_FAILED: Final = "Delete_Failed"
_AFTER_CREATE: Final = frozenset({Phase.LOOK, Phase.OBSERVE_CREATE})


def judge_owner(  # noqa: PLR0911 - one case a phase
    operation: OwnerOperation, row: ObservedOwner | None, scan: Scan, observe: Observe
) -> Verdict:
    """Give the verdict for `operation`, whose row is `row`; notes on it what has to be remembered."""
    if operation.phase in _AFTER_CREATE and is_stale(operation, row):
        row = None
    match operation.phase:
        case Phase.SETTLE_CREATE:
            return _settling(operation, row, scan)
        case Phase.LOOK:
            return Verdict.TRY_LATER if row is None else _standing(operation, row)
        case Phase.OBSERVE_CREATE:
            if scan.began_at < operation.unknown_at + observe.first_after:
                return Verdict.KEEP
            return cleared(operation, scan, observe) if row is None else _standing(operation, row)
        case Phase.AWAIT_DELETING:
            if row is None:
                return Verdict.CREATE
            return Verdict.KEEP if row.is_deleting or is_stale(operation, row) else _standing(operation, row)
        case Phase.SETTLE_DELETE:
            return _settling_delete(operation, row)
        case Phase.OBSERVE_DELETE:
            return _observed_delete(operation, row, scan, observe)
        case _:  # pragma: no cover - the watcher awaits no other phase
            raise AssertionError(operation.phase)


def is_stale(operation: OwnerOperation, row: ObservedOwner | None) -> bool:
    """Whether a row shows as it was before what was seen going: a listing that lags does, and nothing comes back."""
    prior = operation.prior
    if row is None or prior is None or not prior.is_deleting:
        return False
    return (row.is_in_service or row.is_passing) and is_same(row, prior)


def is_same(row: ObservedOwner, of: ObservedOwner | None) -> bool:
    """Whether two rows of one name are the same owner, and not one that was made again under its name."""
    return of is not None and abs(row.created_at - of.created_at) < GENERATION_TOLERANCE_SECONDS


def _settling(operation: OwnerOperation, row: ObservedOwner | None, scan: Scan) -> Verdict:
    if row is None:
        return Verdict.REMOVED if missed_twice(operation, scan) else Verdict.KEEP
    operation.absent_since = None
    stale = is_same(row, operation.prior) and may_lag(operation, scan)
    if stale and operation.ours and not operation.adopted:
        return Verdict.KEEP  # neither good news nor bad: it is not the one that was accepted
    if row.is_in_service:
        return Verdict.IN_SERVICE
    if row.has_failed:
        return Verdict.FAILED
    return Verdict.REMOVED if row.is_deleting and not stale else Verdict.KEEP


def _standing(operation: OwnerOperation, row: ObservedOwner) -> Verdict:
    """Judge what stands there under the name."""
    if row.is_deleting:
        return Verdict.WAIT_DELETING
    if row.has_failed:
        return Verdict.FAILED
    declared = operation.declared
    other_holder = row.owner_user and row.owner_user.casefold() != (declared.owner_user or "").casefold()
    other_type = row.app_type and declared.app_type is not None and row.app_type != declared.app_type
    if other_holder or other_type:
        return Verdict.CONFLICT
    since_ours = operation.ours and row.created_at >= operation.sent_wall - CLOCK_SKEW_MAX_SECONDS
    return Verdict.OURS if since_ours and not is_same(row, operation.prior) else Verdict.ADOPT


def _settling_delete(operation: OwnerOperation, row: ObservedOwner | None) -> Verdict:
    # Its delete was accepted or seen, and an owner leaves no tombstone: not being there is the end.
    if row is None or not is_same(row, operation.change.before):
        return Verdict.DELETED
    return Verdict.FAILED if row.status == DELETE_FAILED else Verdict.KEEP


def _observed_delete(operation: OwnerOperation, row: ObservedOwner | None, scan: Scan, observe: Observe) -> Verdict:
    if scan.began_at < operation.unknown_at + observe.first_after:
        return Verdict.KEEP
    if row is None:
        return Verdict.DELETING  # settling looks once more before it believes in absence
    if not is_same(row, operation.change.before):
        return Verdict.DELETED
    return Verdict.DELETING if row.is_deleting else cleared(operation, scan, observe)
