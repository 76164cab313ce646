"""The table of the executor's README, made by the code that it speaks of: phase, what came, next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from engine.core import errors
from engine.core.activity import Activity
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.identity import SPACE, Owner
from engine.core.observed import AppStatus, ObservedOwner, Ownership
from engine.core.ownership import Whose
from engine.core.settings import Settings
from engine.executor import course
from engine.executor.cause import Cause
from engine.executor.judge import Looked, Scan, Verdict, judge
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.operation import Phase
from engine.executor.retry import after_error
from engine.executor.step import Await, Call, End, Gone, Park, Refused, StopLane
from engine.executor.troubles import trouble_of
from tests.fleets import LANE, SOURCE, a_row
from tests.unit.executor.parts import an_operation, full

if TYPE_CHECKING:
    from engine.executor.operation import AnyOperation
    from engine.executor.step import Step

NOW: Final = 10_000.0
SETTINGS: Final = Settings()
TIMEOUT_S: Final = SETTINGS.execution.settle_timeout
NAME: Final = Owner("research", SPACE, "alice-lab")
P = Phase


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    phase: str
    came: str
    next: str

    def __str__(self) -> str:
        return f"| {self.phase} | {self.came} | {self.next} |"


def app(phase: Phase, action: Action = Action.CREATE, **known: Any) -> AnyOperation:
    before = None if action is Action.CREATE else a_row(created_at=1_000.0)
    operation = an_operation(phase=phase, action=action, before=before)
    operation.sent_wall = NOW
    for name, value in known.items():
        setattr(operation, name, value)
    return operation


def space(phase: Phase, action: Action = Action.CREATE) -> AnyOperation:
    declared = DesiredOwner(NAME, SOURCE, owner_user="alice", app_type="JupyterLab", idle_minutes=120)
    operation = OwnerOperation(0, OwnerChange(NAME, action, OwnerReason.ABSENT, _space(), declared), LANE, phase)
    operation.sent_wall = NOW
    return operation


def _space(status: str = "InService", created_at: float = 1_000.0) -> ObservedOwner:
    return ObservedOwner(NAME, status, created_at)


def said(operation: AnyOperation, step: Step) -> str:  # noqa: PLR0911 - one case a step
    """Say what a step is, in the words of the table."""
    match step:
        case Call(phase, at):
            return f"Call {phase.name}" + (" later" if at > NOW else "")
        case Await(phase):
            return f"Await {phase.name}"
        case End(outcome):
            return f"End {outcome.value.replace('_', ' ')}"
        case Gone():
            return said(operation, course.after_gone(operation))
        case Park():
            return "Park"
        case StopLane():
            return "StopLane"
        case Refused(met):
            return error(operation, met)


def error(operation: AnyOperation, met: errors.CloudError) -> str:
    return said(operation, after_error(operation, met, NOW, SETTINGS, 0.5))


def look(operation: AnyOperation, *rows: Any, reason: errors.CloudError | None = None) -> str:
    """Show an operation one look after the other, a minute apart; what follows from the last."""
    verdict = Verdict.KEEP
    for number, row in enumerate(rows):
        began_at = NOW + 60.0 * (number + 1)
        verdict = judge(operation, row, Scan(began_at, began_at + 1.0), SETTINGS.observe)
    if verdict is Verdict.KEEP:
        return "look again"
    looked = Looked(operation, verdict, rows[-1], reason)
    return said(operation, course.after_look(looked, NOW, SETTINGS, wait=True))


def before(operation: AnyOperation, row: Any) -> str:
    step = course.before_delete(operation, row)
    return "DeleteApp, or the delete of its kind" if step is None else said(operation, step)


def tag(operation: AnyOperation, ownership: Ownership) -> str:
    step = course.with_tag(operation, Whose(ownership, "others"))
    return "the delete is sent" if step is None else said(operation, step)


def used(operation: AnyOperation) -> str:
    row = replace(a_row(), activity=Activity(NOW - 60.0, NOW - 300.0))
    step = course.while_used(operation, row, 3_600.0, NOW)
    return "the delete is sent" if step is None else said(operation, step)


def over(operation: AnyOperation, cause: Cause) -> str:
    return said(operation, course.left_over(operation, course.Over(cause), TIMEOUT_S))


def rows() -> list[Row]:
    """Return the table, each next step worked out by the code."""
    return [Row(*line) for line in (*_calls(), *_deletes(), *_updates(), *_looks(), *_ends())]


def _calls() -> list[tuple[str, str, str]]:
    replaced = app(P.DELETE, Action.DELETE_THEN_CREATE)
    unwaited, create = app(P.CREATE), app(P.CREATE)
    return [
        ("CREATE", "yes", said(create, course.after_create(create, "arn", NOW, wait=True))),
        ("CREATE", "yes, where nobody waits", said(unwaited, course.after_create(unwaited, "arn", NOW, wait=False))),
        ("CREATE", "the name is in use", error(app(P.CREATE), errors.InUse("x"))),
        ("CREATE", "no answer, or one that says nothing", error(app(P.CREATE), errors.OutcomeUnknown("x"))),
        ("CREATE", "its quota is full", error(app(P.CREATE), full())),
        ("CREATE", "the same of what was accepted, for longer than `give_up_after`", error(_late(), full())),
        ("CREATE", "its quota is less than one app", error(app(P.CREATE), full(value=0))),
        ("CREATE", "the same, with another instance type to try", error(_with_fallback(), full(value=0))),
        ("CREATE", "no capacity", error(app(P.CREATE), errors.NoCapacity("x"))),
        ("CREATE", "no capacity, with another instance type to try", error(_with_fallback(), errors.NoCapacity("x"))),
        ("CREATE, as every call", "throttled", error(app(P.CREATE), errors.Throttled("x"))),
        (
            "CREATE, as every call",
            "unreachable, or storage that is not ready",
            error(app(P.CREATE), errors.Unreachable("x")),
        ),
        (
            "CREATE, as every call",
            "the same for longer than `give_up_after`",
            error(_out_of_patience(), errors.Unreachable("x")),
        ),
        ("CREATE, as every call", "denied, or rejected", error(app(P.CREATE), errors.AccessDenied("x"))),
        (
            "CREATE, as every call",
            "credentials or a certificate that fail",
            error(app(P.CREATE), errors.CredentialsFailed("x")),
        ),
        ("DELETE", "yes", said(replaced, course.after_delete(replaced, NOW))),
        (
            "DELETE",
            "no answer, or one that says nothing",
            error(app(P.DELETE, Action.DELETE), errors.OutcomeUnknown("")),
        ),
        ("DELETE", "gone already", error(app(P.DELETE, Action.DELETE), errors.AlreadyGone("x"))),
        (
            "DELETE",
            "gone already, of a replace",
            error(app(P.DELETE, Action.DELETE_THEN_CREATE), errors.AlreadyGone("x")),
        ),
    ]


def _with_fallback() -> AnyOperation:
    return an_operation(fallback=("ml.t3.large",))


def _out_of_patience() -> AnyOperation:
    return app(P.CREATE, failing_since={"transient": NOW - SETTINGS.backoffs.transient.give_up_after})


def _late() -> AnyOperation:
    return app(P.CREATE, failing_since={course.LATE_LIMIT: NOW - SETTINGS.backoffs.limit.give_up_after})


def _deletes() -> list[tuple[str, str, str]]:
    def delete() -> AnyOperation:
        return app(P.DELETE, Action.DELETE)

    other_fields = replace(a_row(created_at=1_000.0), spec=replace(a_row().spec, instance_type="ml.t3.large"))
    where = "DELETE, the look before"
    return [
        (where, "not there", before(delete(), None)),
        (where, "Failed, of an app: its name is free", before(delete(), a_row(status="Failed", created_at=1_000.0))),
        (where, "another generation", before(delete(), a_row(created_at=5_000.0))),
        (where, "other fields, of an app", before(delete(), other_fields)),
        (
            where,
            "a status that nobody knows, of an app",
            before(delete(), a_row(status="Exploded", created_at=1_000.0)),
        ),
        (where, "Pending, of an app", before(delete(), a_row(status="Pending", created_at=1_000.0))),
        (where, "Deleting", before(delete(), a_row(status="Deleting", created_at=1_000.0))),
        (where, "its tag is another fleet's by now", tag(delete(), Ownership.FOREIGN)),
        (where, "an app in which somebody works, with `spare_active`", used(delete())),
        (where, "what the plan saw, with the tag that it saw", tag(delete(), Ownership.OURS)),
    ]


def _updates() -> list[tuple[str, str, str]]:
    def of(phase: Phase = P.UPDATE, **known: Any) -> AnyOperation:
        operation = space(phase, Action.UPDATE)
        for name, value in known.items():
            setattr(operation, name, value)
        return operation

    def shown(idle_minutes: int, status: str = "InService", created_at: float = 1_000.0) -> ObservedOwner:
        idle = {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": idle_minutes}}}
        return replace(_space(status, created_at), settings={"JupyterLabAppSettings": idle})

    def looked(row: ObservedOwner | None) -> str:
        operation = of()
        step = course.before_update(operation, row)
        return "the update is sent, if its tag is ours" if step is None else said(operation, step)

    where, then = "UPDATE, the look before", of()
    accepted = of(P.SETTLE_UPDATE, accepted_at=NOW)
    return [
        ("UPDATE", "yes", said(then, course.after_update(then, NOW))),
        ("UPDATE", "no answer, or one that says nothing", error(of(), errors.OutcomeUnknown("x"))),
        ("UPDATE", "an app runs in it, and the service waits for its stop", error(of(), errors.Occupied("x"))),
        (where, "not there", looked(None)),
        (where, "another generation", looked(shown(60, created_at=5_000.0))),
        (where, "Pending or Updating", looked(shown(60, "Updating"))),
        (where, "as declared by now", looked(shown(120))),
        (where, "what the plan saw", looked(shown(60))),
        ("OBSERVE_UPDATE", "as declared", look(of(P.OBSERVE_UPDATE), shown(120))),
        ("OBSERVE_UPDATE", "two looks show it unchanged", look(of(P.OBSERVE_UPDATE), shown(60), shown(60))),
        ("SETTLE_UPDATE", "InService, as declared", look(accepted, shown(120))),
        ("SETTLE_UPDATE", "Update_Failed", look(of(P.SETTLE_UPDATE), shown(60, "Update_Failed"))),
        ("SETTLE_UPDATE", "unchanged, a minute after it was accepted", look(of(P.SETTLE_UPDATE), shown(60))),
        ("SETTLE_UPDATE", "Deleting, or not there", look(of(P.SETTLE_UPDATE), shown(60, "Deleting"))),
    ]


def _looks() -> list[tuple[str, str, str]]:
    made, old = NOW + 1.0, 1_000.0
    new, gone = a_row(created_at=made), a_row(status="Deleting", created_at=made)
    other = a_row(created_at=made, instance_type="ml.m5.large")
    failed = a_row(status="Failed", created_at=made)
    pending = a_row(status="Pending", created_at=old)
    rejected, scarce = errors.Rejected("x"), errors.NoCapacity("x")
    return [
        ("LOOK", "as declared", look(app(P.LOOK), new)),
        ("LOOK", "not as declared", look(app(P.LOOK), other)),
        ("LOOK", "Deleting", look(app(P.LOOK), gone)),
        ("LOOK", "not there", look(app(P.LOOK), None)),
        ("LOOK", "not there, and it may be ours", look(app(P.LOOK, ours=True), None)),
        ("OBSERVE_CREATE", "there, as declared", look(app(P.OBSERVE_CREATE, ours=True), new)),
        ("OBSERVE_CREATE", "two complete looks do not show it", look(app(P.OBSERVE_CREATE, ours=True), None, None)),
        (
            "OBSERVE_DELETE",
            "Deleting",
            look(app(P.OBSERVE_DELETE, Action.DELETE), a_row(status="Deleting", created_at=old)),
        ),
        ("OBSERVE_DELETE", "not there, twice", look(app(P.OBSERVE_DELETE, Action.DELETE), None, None)),
        (
            "OBSERVE_DELETE",
            "two complete looks show it unchanged",
            look(app(P.OBSERVE_DELETE, Action.DELETE), *_twice()),
        ),
        ("SETTLE_CREATE", "InService", look(app(P.SETTLE_CREATE, ours=True), new)),
        (
            "SETTLE_CREATE",
            "Failed, of an app, for good",
            look(app(P.SETTLE_CREATE, ours=True), failed, reason=rejected),
        ),
        (
            "SETTLE_CREATE",
            "Failed, of an app, for want of machines",
            look(app(P.SETTLE_CREATE, ours=True), failed, reason=scarce),
        ),
        ("SETTLE_CREATE", "Failed, of an owner", look(space(P.SETTLE_CREATE), _space("Failed", made))),
        ("SETTLE_CREATE", "Deleting, or missed by two looks", look(app(P.SETTLE_CREATE, ours=True), gone)),
        ("SETTLE_DELETE", "not there (twice, of an app)", look(app(P.SETTLE_DELETE, Action.DELETE), None, None)),
        ("SETTLE_DELETE", "the same, of a replace", look(app(P.SETTLE_DELETE, Action.DELETE_THEN_CREATE), None, None)),
        ("AWAIT_DELETING", "not there (twice, of an app)", look(app(P.AWAIT_DELETING), None, None)),
        ("AWAIT_PENDING", "still Pending", look(app(P.AWAIT_PENDING, Action.DELETE, change=_of(pending)), pending)),
        ("AWAIT_PENDING", "InService or Failed", look(app(P.AWAIT_PENDING, Action.DELETE), a_row(created_at=old))),
    ]


def _of(row: Any) -> Any:
    return an_operation(phase=P.AWAIT_PENDING, action=Action.DELETE, before=row).change


def _twice() -> tuple[Any, Any]:
    row = a_row(created_at=1_000.0)
    assert row.status is AppStatus.IN_SERVICE
    return row, row


def _ends() -> list[tuple[str, str, str]]:
    waiting = app(P.CREATE)
    full_quota = course.left_over(waiting, course.Over(Cause.DEADLINE), TIMEOUT_S, trouble_of(full()))
    return [
        ("a call, not made yet", "a signal", over(app(P.CREATE), Cause.INTERRUPTED)),
        ("a call, not made yet", "the deadline, a lost lock, or a bug", over(app(P.CREATE), Cause.DEADLINE)),
        ("a call that waits for a full quota", "any of these", said(waiting, full_quota)),
        ("SETTLE_…", "any of these, or `settle_timeout`", over(app(P.SETTLE_CREATE, ours=True), Cause.DEADLINE)),
        ("OBSERVE_…", "any of these, but not the first signal", over(app(P.OBSERVE_CREATE, ours=True), Cause.DEADLINE)),
    ]
