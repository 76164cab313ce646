"""What is said of what did not end well, where it is not the service that says it.

A message never holds the app's key: whoever shows it names the apps beside it, so that those that ended alike are one
group and not a line each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.change import CANARY, Change, Reason
from engine.core.desired import Mode
from engine.core.durations import format_duration
from engine.core.errors import BugError, CloudError, InUse, LaneHeldError, Occupied, Rejected
from engine.core.failure_reasons import LIFECYCLE_STREAM, log_of
from engine.core.identity import USER
from engine.core.observed import ObservedOwner
from engine.core.outcome import QUARANTINED
from engine.core.ownership import UNREAD, Whose, not_owned
from engine.core.trouble import Trouble, domain_troubles
from engine.executor.cause import Cause
from engine.executor.operation import UPDATING, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.errors import AppfleetError
    from engine.core.identity import Lane
    from engine.core.outcome import Outcome
    from engine.executor.operation import AnyOperation, Seen
    from engine.ports.history import LastFailure

UNKNOWN_CODE: Final = "unknown"
LANE_HELD_CODE: Final = "lane_held"
CONFLICT: Final = "conflict"
ACTIVE: Final = "active"
INHABITANTS_NAMED_MAX_COUNT: Final = 3

_NEXT_LOOK: Final = "the next comparison updates it: the daily one, or appfleet apply --owners"
REASON_UNREAD: Final = Trouble(
    "Failed",
    "the app ended Failed, and the run ended before the reason was read",
    "appfleet status shows the reason",
)
RUN_AGAIN: Final = "Run again: the next run checks what exists before it does anything"


def trouble_of(error: CloudError) -> Trouble:
    """Return the report's form of an error: the service's code where there is one, else ours."""
    return Trouble(error.told_code, error.message, error.hint)


def failed(operation: AnyOperation, row: Seen | None) -> Trouble:
    """Return the trouble of an owner that ended in a status that nothing leads out of."""
    if operation.phase in UPDATING:
        why = f": {row.failure_reason}" if isinstance(row, ObservedOwner) and row.failure_reason else ""
        return Trouble(
            "owner_failed",
            f"the update of {operation.named} ended {'Failed' if row is None else row.status}{why}",
            f"Fix what the reason names; then {_NEXT_LOOK}",
        )
    return Trouble(
        "owner_failed",
        f"{operation.named} ended {'Failed' if row is None else row.status}",
        "Look at it in the console for the reason; once it is deleted there, the next run creates it",
    )


def removed(operation: AnyOperation) -> Trouble:
    """Return the trouble of what somebody deleted while the run waited for it."""
    if operation.phase in UPDATING:
        return Trouble("removed_during_run", f"{operation.named} was deleted while its update was under way", RUN_AGAIN)
    return Trouble(
        "removed_during_run",
        f"{operation.named or 'it'} was accepted, and somebody deleted it before it was in service",
        "The next run creates it again; find out who deletes it before then",
    )


def not_made_again(trouble: Trouble) -> Trouble:
    """Return the trouble of a replace whose delete is done and whose new app is not there."""
    then = "" if trouble.code == CONFLICT else ", and the next run creates it"
    return Trouble(trouble.code, trouble.message, f"The earlier app was deleted{then}. {trouble.hint}".rstrip())


def conflict(operation: AnyOperation, row: Seen | None) -> Trouble:
    """Return the trouble of a name under which something stands that is not what is declared."""
    there = "something else" if row is None else operation.described(row)
    what = operation.named or "the app"
    return Trouble(CONFLICT, f"{what} exists already and is not as declared: {there}", operation.conflict_hint)


def never_settled(operation: AnyOperation) -> Trouble:
    """Return the trouble of a call whose outcome no look could show."""
    match operation.phase:
        case Phase.SETTLE_UPDATE:
            why = f"{operation.update_call} was accepted, and {operation.named} does not show it"
            return Trouble(UNKNOWN_CODE, why, RUN_AGAIN)
        case Phase.OBSERVE_UPDATE:
            call = operation.update_call
        case Phase.OBSERVE_DELETE:
            call = operation.delete_call
        case _:
            call = operation.create_call
    return Trouble(UNKNOWN_CODE, f"no listing shows whether {call} was carried out", RUN_AGAIN)


_SETTLES: Final = {Phase.SETTLE_DELETE: ("deleted", "delete"), Phase.SETTLE_UPDATE: ("updated", "update")}
_STOPPED_WAITING: Final = {
    Cause.INTERRUPTED: "when the run was interrupted",
    Cause.DEADLINE: "at the run's deadline",
    Cause.LOCK_LOST: "when the run lost its lock",
    Cause.BUG: "when the run stopped",
}


def still_pending(
    operation: AnyOperation,
    timeout_s: float,
    cause: Cause | None,
    lane_stopped: Trouble | None = None,
    signal: str = "",
    unseen: CloudError | None = None,
) -> Trouble:
    """Return the trouble of what was accepted and has not settled.

    The run waited `timeout_s` seconds for it, unless it ended before: for `cause`, or because its lane was
    stopped. `unseen` is why the last look showed nothing, so that it may have settled all the same.
    """
    done, doing = _SETTLES.get(operation.phase, ("in service", "start"))
    if cause is None and lane_stopped is None:
        when = f"within settle_timeout ({timeout_s:g} s)"
    else:
        when = _STOPPED_WAITING[cause or Cause.BUG] + (f" ({signal})" if signal else "")
    before = " (it was Pending before this run)" if operation.change.reason.value == Reason.PENDING.value else ""
    hint = f"SageMaker continues to {doing} it, and the next run picks it up"
    if unseen is not None:
        said = f"not seen to be {done} {when}{before}: the last look failed: {unseen.message}"
        return Trouble("still_pending", said, f"{unseen.hint}. {hint}" if unseen.hint else hint)
    return Trouble("still_pending", f"not {done} {when}{before}", hint)


def in_use(operation: AnyOperation) -> InUse:
    """Return the error of a name that the service says is in use while no look shows what uses it."""
    return InUse(
        "the service says that the name is in use and shows nothing under it",
        hint="Wait a few minutes and run again; the listing may lag behind",
        service_code="ResourceInUse",
        operation=operation.create_call,
    )


INTERRUPTED: Final = Trouble("interrupted", "the run was interrupted before its call", "Run again to continue")
DEADLINE: Final = Trouble(
    "deadline", "the run's deadline came before its call", "Run again to continue, or give it more time with --deadline"
)
CANARY_AWAITED: Final = Trouble(
    CANARY,
    "the run's deadline came before the first app like it was in service, for which it waited",
    DEADLINE.hint,
)
LOCK_LOST: Final = Trouble(
    "lock_lost",
    "the run lost its lock before its call",
    "Find out what removes files from the state folder, then run again",
)
LEASE_LOST: Final = Trouble(
    "lease_lost",
    "the run lost its lease on the account and region, so another run may be working there",
    "Find out why the store of --state-dir could not be reached in time, or what stopped this machine; then run again",
)
STOPPED_BY_BUG: Final = Trouble(
    "stopped", "the run stopped because of a bug in appfleet", "Report the bug, then run again"
)
BUG_HINT: Final = "Please report it with the log of this run"


def no_reason(app: str) -> Rejected:
    """Return the error of an app, `OWNER/TYPE/NAME`, that ended Failed without a FailureReason."""
    return Rejected(
        "the app ended Failed, and the service gives no reason",
        hint=f"A lifecycle script is the usual cause. Look at its output in {log_of(app, LIFECYCLE_STREAM)}",
        service_code="Failed",
        operation="CreateApp",
    )


def bug_trouble(bug: BaseException) -> Trouble:
    """Return the trouble of an operation that our own code failed on."""
    return Trouble(BugError.code, f"a bug in appfleet: {bug!r}", BUG_HINT)


def changed_since_plan(operation: AnyOperation, how: str) -> Trouble:
    """Return the trouble of a call that was not made because what is there is not what the plan saw."""
    call = {Phase.ADOPT: "adopted", Phase.UPDATE: "updated"}.get(operation.phase, "deleted")
    subject = f"{operation.named} was " if operation.named else ""
    return Trouble(
        "changed_since_plan", f"{subject}not {call}: {how}", "Run appfleet plan again to see what has changed"
    )


def not_ready(operation: AnyOperation, row: Seen) -> InUse:
    """Return the error of an update for which it is too early: something else is changing what stands there."""
    return InUse(
        f"{operation.named} is {row.status}, so it cannot be updated yet",
        hint=RUN_AGAIN,
        service_code="ResourceInUse",
        operation=operation.update_call,
    )


def occupied(operation: AnyOperation, inside: list[str], error: CloudError) -> Occupied:
    """Return the error of an owner that the service does not update while something runs in it.

    Once the volume was left out, it was the rest that was refused.
    """
    what = "its volume" if operation.undone is None else "it"
    return Occupied(
        f"{what} is not changed while it is in use by {_named(inside)}",
        hint=f"After it has stopped, {_NEXT_LOOK}",
        service_code=Occupied.code,
        operation=error.operation,
        request_id=error.request_id,
    )


def _named(inside: list[str]) -> str:
    more = len(inside) - INHABITANTS_NAMED_MAX_COUNT
    return ", ".join(inside[:INHABITANTS_NAMED_MAX_COUNT]) + (f" and {more} more" if more > 0 else "")


def inhabited(inside: list[str], error: CloudError) -> Rejected:
    """Return the error of an owner that the service does not delete because of what lives in it."""
    return Rejected(
        f"not deleted: in use by {_named(inside)}",
        hint="Delete what lives in it, then run the same command again",
        service_code=error.told_code,
        operation=error.operation,
        request_id=error.request_id,
    )


def needs(operation: AnyOperation, outcome: Outcome, trouble: Trouble | None) -> Trouble:
    """Return the trouble of what is skipped because something that it needs did not end well."""
    what = operation.named or f"app {operation.key}"
    why = f": {trouble.message}" if trouble is not None else ""
    return Trouble(
        "needed_first",
        f"not called, since {what} comes first and ended {outcome.value.replace('_', ' ')}{why}",
        "" if trouble is None else trouble.hint,
    )


def not_tagged(tag: str, seen: str) -> Trouble:
    """Return the trouble of an adoption that the service accepted and whose tag does not show."""
    return Trouble(
        "not_tagged",
        f"not adopted: AddTags was accepted, but {seen}",
        f"Run again. If it stays so, set the tag {tag} by hand or ask AWS support",
    )


def in_use_by_somebody(spare_s: float) -> Trouble:
    """Return the trouble of a delete that is not sent because somebody works in the app."""
    return Trouble(
        ACTIVE,
        f"not deleted: its user was active in the last {format_duration(spare_s)}",
        "The next run tries again. To delete apps in use as well, lower spare_active in [safety]",
    )


def not_durable(operation: AnyOperation) -> Trouble:
    """Return the trouble of a delete or an update that is not sent because the journal cannot keep its intent."""
    done, call = ("deleted", "a delete") if operation.is_delete else ("updated", "an update")
    return Trouble(
        "journal_not_durable",
        f"not {done}: the intent could not be written to the journal, and {call} that leaves no trace is not sent",
        "Make room or give write access in the state folder, then run again",
    )


ABORTED: Final = Trouble(
    "interrupted",
    "the run was stopped while its call was under way, so it may have been carried out",
    RUN_AGAIN,
)

UNANSWERED: Final = Trouble(
    "unknown",
    "its call was still unanswered when the run ended, so it may have been carried out",
    ABORTED.hint,
)


QUARANTINE: Final = Trouble(
    QUARANTINED,
    "failed in too many runs in a row with the same spec",
    "Change its spec, or apply with --retry-quarantined",
)


def quarantine_of(runs: int, last: LastFailure | None) -> Trouble:
    """Return why an app is left alone: in how many runs it failed, which was the last, and what that one said."""
    message = f"failed in {runs:,} run{'' if runs == 1 else 's'} in a row with the same spec"
    if last is not None:
        said = last.message.rstrip(".")
        message += f", last in run {last.run_id}" + (f": {said}" if said else "")
    return Trouble(QUARANTINED, message, QUARANTINE.hint)


def kept_by_hours(change: Change, opens: Mapping[str, str]) -> Trouble | None:
    """Say of an app that the plan leaves alone that it is outside its hours, and when these open; None for every other.

    All is well with it: it is neither a trouble of the run nor a line of its log.
    """
    hours = None if change.after is None else change.after.hours
    if hours is None or change.reason not in (Reason.OUTSIDE_HOURS, Reason.KEPT):
        return None
    back = opens.get(hours.text)
    return Trouble(change.reason.value, f"outside its hours ({hours.text})" + (f", back {back}" if back else ""))


def kept_trouble(  # noqa: PLR0911 - one case a reason
    change: Change, listing_error: AppfleetError | None, quarantine: Trouble = QUARANTINE, *, adopts: bool = False
) -> Trouble | None:
    """Say why a declared app that the plan leaves alone is not as it should be; None where it is.

    `adopts`: it is an adoption that was refused.
    """
    key = change.key
    owner = "user profile" if key.owner_kind == USER else "space"
    match change.reason:
        case Reason.QUARANTINED:
            return quarantine
        case Reason.DOMAIN_UNLISTED if isinstance(listing_error, LaneHeldError):
            return Trouble(LANE_HELD_CODE, listing_error.message, listing_error.hint)
        case Reason.DOMAIN_UNLISTED:
            why = "" if listing_error is None else " (the error is named with the run)"
            listed = "read" if isinstance(listing_error, CloudError) and listing_error.ends_lane else "listed"
            return Trouble(
                "domain_unlisted",
                f"its domain could not be {listed}{why}",
                "Fix the error of the domain, then run the same command again",
            )
        case Reason.DENIED:
            return Trouble("denied", "denied by a rule", f"See the findings, or run: appfleet explain {key}")
        case Reason.OWNER_MISSING:
            return Trouble(
                "owner_missing",
                f"the {owner} cannot be used, so the app was not created",
                "The finding about it says why, and what to do",
            )
        case Reason.TRAINING_PLAN:
            return Trouble(
                "training_plan",
                "its training plan cannot be used, so the app was not created",
                "See the findings, and training_plan_arn in the fleet file",
            )
        case Reason.NOT_OWNED:
            return _not_owned(change, adopts=adopts)
        case Reason.UNKNOWN_STATUS:
            status = change.before.status_text if change.before is not None else ""
            return Trouble(
                "unknown_status",
                f"it has the status {status!r}, which appfleet does not know",
                f"appfleet leaves it alone. Look at it in the SageMaker console, or run: appfleet explain {key}",
            )
        case _:
            return None


def _not_owned(change: Change, *, adopts: bool) -> Trouble:
    """Return the trouble of an app that is to go, replaced or adopted, by whose its tag says that it is."""
    row, after = change.before, change.after
    to_go = after is not None and after.mode is Mode.ABSENT
    verb = "adopted" if adopts else "deleted" if to_go else "replaced"
    found = UNREAD if row is None else Whose(row.ownership, row.foreign_fleet)
    why, way_out = not_owned(found, verb, change.key)
    return Trouble("not_owned", f"not {verb}: {why}", way_out)


def run_errors(
    unlisted: Mapping[str, AppfleetError], stopped: Mapping[Lane, Trouble | None], lost: Trouble | None, bug: str
) -> tuple[Trouble, ...]:
    """Return what went wrong for more than one app: a lost lock, domains that were not listed, lanes, a bug."""
    errors = [] if lost is None else [lost]
    errors += domain_troubles(unlisted)
    errors += [
        Trouble(why.code, f"no more calls in account {lane.account}, region {lane.region}: {why.message}", why.hint)
        for lane, why in sorted(stopped.items())
        if why is not None
    ]
    if bug:
        errors.append(Trouble(BugError.code, f"a bug in appfleet: {bug}", BugError("").hint))
    return tuple(errors)
