"""What is said of an app that did not end well, where it is not the service that says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import BugError, InUse, Rejected
from engine.core.outcome import Trouble
from engine.core.plan import Change, Reason
from engine.executor.operation import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.errors import AppfleetError
    from engine.core.identity import Lane
    from engine.core.observed import ObservedApp
    from engine.executor.operation import Operation
    from engine.executor.ready import Waiting

UNKNOWN_CODE: Final = "unknown"

REMOVED: Final = Trouble(
    "removed_during_run",
    "it was accepted, and somebody deleted it before it was in service",
    "It is created again by the next run; find out who deletes it before then",
)
CONFLICT_HINT: Final = "Change the fleet to what stands there, or delete the app, or apply with --replace KEY"


def conflict(operation: Operation, row: ObservedApp | None) -> Trouble:
    """Give the trouble of something that stands under the key that is not what is declared."""
    there = "something else" if row is None else f"{row.spec.to_json()}, {row.status_text or row.status.value}"
    return Trouble("conflict", f"{operation.key} stands there and is not as declared: {there}", CONFLICT_HINT)


def never_settled(operation: Waiting) -> Trouble:
    """Give the trouble of a call whose outcome no scan could show."""
    call = "DeleteApp" if operation.phase is Phase.OBSERVE_DELETE else "CreateApp"
    return Trouble(
        UNKNOWN_CODE,
        f"it could not be found out whether {call} was carried out for {operation.key}",
        "Run again: the next run looks at what is there before it does anything",
    )


def still_pending(operation: Operation, timeout_s: float) -> Trouble:
    """Give the trouble of what did not settle within `timeout_s` seconds."""
    what = "gone" if operation.phase is Phase.SETTLE_DELETE else "in service"
    if operation.change.reason is Reason.PENDING:
        what += " (it was Pending before this run)"
    return Trouble(
        "still_pending",
        f"{operation.key} was not {what} when this run stopped waiting (settle_timeout {timeout_s:g}s)",
        "Run again: the next run picks it up where it is",
    )


IN_USE: Final = InUse(
    "the service says that the name is in use and lists no such app",
    hint="Wait a few minutes and run again; the listing may lag behind",
    service_code="ResourceInUse",
    operation="CreateApp",
)
INTERRUPTED: Final = Trouble("interrupted", "the run was interrupted before its call", "Run again to go on")
DEADLINE: Final = Trouble(
    "deadline", "the run's deadline came before its call", "Run again to go on, or give it more time with --deadline"
)
STOPPED_BY_BUG: Final = Trouble(
    "stopped", "the run stopped because of a bug in appfleet", "Report the bug, then run again"
)
BUG_HINT: Final = "Please report it with the log of this run"


def no_reason(operation: Operation) -> Rejected:
    """Give the error of an app that ended Failed without a FailureReason."""
    return Rejected(
        f"{operation.key} ended Failed, and the service gives no reason",
        hint="Look at the domain's CloudWatch log group /aws/sagemaker/studio; a lifecycle script is the usual cause",
        service_code="Failed",
        operation="CreateApp",
    )


def bug_trouble(operation: Waiting, bug: BaseException) -> Trouble:
    """Give the trouble of an operation that our own code failed on."""
    return Trouble(BugError.code, f"a bug in appfleet while it worked on {operation.key}: {bug!r}", BUG_HINT)


def changed_since_plan(operation: Operation, how: str) -> Trouble:
    """Give the trouble of a call that was not made because the app is not the one that the plan saw."""
    call = "adopted" if operation.phase is Phase.ADOPT else "deleted"
    return Trouble(
        "changed_since_plan",
        f"{operation.key} was not {call}: {how}",
        "Run appfleet plan again and look at what stands there now",
    )


def not_tagged(operation: Operation, seen: str) -> Trouble:
    """Return the trouble of an adoption that the service accepted and whose tag does not show."""
    return Trouble(
        "not_tagged",
        f"{operation.key} was not adopted: AddTags was accepted, but {seen}",
        "Run again. If it stays so, set the tag appfleet:fleet by hand or ask AWS support",
    )


NOT_DURABLE: Final = Trouble(
    "journal_not_durable",
    "not deleted: the intent could not be written to the journal, and a delete that leaves no trace is not sent",
    "Make room or give write access in the state folder, then run again",
)

ABORTED: Final = Trouble(
    "interrupted",
    "the run was stopped while its call was under way, so it may have been carried out",
    "Run again: the next run looks at what is there before it does anything",
)


def kept_trouble(  # noqa: PLR0911 - one case a reason
    change: Change, listing_error: AppfleetError | None
) -> Trouble | None:
    """Say why a declared app that the plan leaves alone is not as it should be; None where it is."""
    key = change.key
    match change.reason:
        case Reason.QUARANTINED:
            return Trouble(
                "quarantined",
                f"{key} failed in too many runs in a row with the same spec and is left alone",
                "Change its spec, or apply with --retry-quarantined",
            )
        case Reason.DOMAIN_UNLISTED:
            why = "" if listing_error is None else f": {listing_error.message}"
            return Trouble(
                "domain_unlisted",
                f"domain {key.domain} could not be listed{why}",
                "Mend the domain's error, which is told beside this, then run the same command again",
            )
        case Reason.DENIED:
            return Trouble("denied", f"{key} was denied by a rule", f"See the findings, or: appfleet explain {key}")
        case Reason.OWNER_MISSING:
            return Trouble(
                "owner_missing",
                f"{change.key.owner_key} cannot be used, so {key} was not created",
                "The findings say why, and what to do: [owners] create = true lets appfleet make what is missing",
            )
        case Reason.NOT_OWNED:
            return Trouble(
                "not_owned",
                f"{key} is declared absent, and this fleet does not own what stands there",
                f"If it may be deleted all the same: --allow-destructive {key}",
            )
        case Reason.UNKNOWN_STATUS:
            status = change.before.status_text if change.before is not None else ""
            return Trouble(
                "unknown_status",
                f"{key} has the status {status!r}, which appfleet does not know",
                f"Look at it in the SageMaker console; it is left alone until then: appfleet explain {key}",
            )
        case _:
            return None


def run_errors(
    unlisted: Mapping[str, AppfleetError], stopped: Mapping[Lane, Trouble | None], bug: str
) -> tuple[Trouble, ...]:
    """Give what went wrong for more than one app: domains that could not be listed, lanes that were stopped, a bug."""
    errors = [
        Trouble(getattr(error, "service_code", "") or error.code, f"domain {name}: {error.message}", error.hint)
        for name, error in sorted(unlisted.items())
    ]
    errors += [
        Trouble(why.code, f"lane {lane} was stopped: {why.message}", why.hint)
        for lane, why in sorted(stopped.items())
        if why is not None
    ]
    if bug:
        errors.append(Trouble(BugError.code, f"a bug in appfleet: {bug}", BugError("").hint))
    return tuple(errors)
