"""What follows from a yes, from the look before a delete and from a look, where runs meet it seldom: step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.core import errors
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.identity import SPACE, Owner
from engine.core.observed import ObservedOwner
from engine.core.outcome import Outcome
from engine.core.settings import Settings
from engine.executor.course import LATE_LIMIT, after_look, after_update, before_delete, late_max_s
from engine.executor.judge import Looked, Verdict
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.operation import Phase
from engine.executor.step import AT_ONCE, Await, Call, End, Gone, Refused
from engine.executor.troubles import conflict
from tests.fleets import LANE, SOURCE, a_row
from tests.unit.executor.parts import an_operation, full

if TYPE_CHECKING:
    from engine.executor.kinds.apps import AppOperation

SETTINGS = Settings()
NOW = 10_000.0
SENT_WALL = 1_000_000.0
NAME = Owner("research", SPACE, "alice-lab")


def a_delete(phase: Phase = Phase.DELETE) -> AppOperation:
    return an_operation(phase=phase, action=Action.DELETE, before=a_row(created_at=1_000.0))


def an_owner(phase: Phase, action: Action) -> OwnerOperation:
    row = ObservedOwner(NAME, "InService", 1_000.0)
    declared = DesiredOwner(NAME, SOURCE, owner_user="alice")
    return OwnerOperation(0, OwnerChange(NAME, action, OwnerReason.OWNER_DRIFT, row, declared), LANE, phase)


def test_an_app_that_was_made_again_since_the_plan_is_not_deleted() -> None:
    step = before_delete(a_delete(), a_row(created_at=5_000.0))
    assert isinstance(step, End)
    assert step.outcome is Outcome.SKIPPED
    assert step.trouble is not None
    assert step.trouble.message == "not deleted: it was made again since the plan"


def test_the_name_of_an_app_that_has_failed_is_free_and_a_space_that_has_failed_is_deleted() -> None:
    """Somebody deleted the app meanwhile, or it ended: what was to be reached is reached."""
    for status in ("Failed", "Deleted"):
        assert before_delete(a_delete(), a_row(status=status, created_at=1_000.0)) == Gone()
    assert before_delete(an_owner(Phase.DELETE, Action.DELETE), ObservedOwner(NAME, "Failed", 1_000.0)) is None


def test_a_starting_app_is_deleted_once_it_has_settled_and_a_starting_space_at_once() -> None:
    """The service refuses the delete of an app that is Pending."""
    assert before_delete(a_delete(), a_row(status="Pending", created_at=1_000.0)) == Await(Phase.AWAIT_PENDING)
    settled = Looked(a_delete(Phase.AWAIT_PENDING), Verdict.DELETE, a_row(created_at=1_000.0))
    assert after_look(settled, NOW, SETTINGS, wait=True) == Call(Phase.DELETE)
    space = an_owner(Phase.DELETE, Action.DELETE)
    assert before_delete(space, ObservedOwner(NAME, "Pending", 1_000.0)) is None


def test_an_accepted_update_is_awaited_and_answers_what_had_failed_before() -> None:
    operation = an_owner(Phase.UPDATE, Action.UPDATE)
    operation.attempts = 3
    for kind in ("throttling", "transient", "unknown"):
        operation.fail(kind, NOW - 50.0)
    step = after_update(operation, NOW)
    assert isinstance(step, Await)
    assert step.phase is Phase.SETTLE_UPDATE
    assert step.told is not None
    assert (step.told.name, step.told.operation, step.told.attempt) == ("owner.accepted", "UpdateSpace", 3)  # type: ignore[attr-defined]
    assert set(operation.failing_since) == {"unknown"}, "patience with a lost call is not renewed by another call"


@pytest.mark.parametrize(("made_at", "is_answer"), [(SENT_WALL + 1.0, True), (SENT_WALL - 60.0, False)])
def test_an_app_that_failed_after_a_lost_create_is_its_answer_only_if_it_was_made_since(
    made_at: float, *, is_answer: bool
) -> None:
    """Else an earlier create made it, and the last one may still come: nothing is sent before two looks."""
    operation = an_operation(phase=Phase.OBSERVE_CREATE)
    operation.ours, operation.sent_wall, operation.doubt_until = True, SENT_WALL, NOW + 30.0
    row, reason = a_row(status="Failed", created_at=made_at), errors.NoCapacity("no machine")
    step = after_look(Looked(operation, Verdict.FAILED, row, reason), NOW, SETTINGS, wait=True)
    assert step == (Refused(reason) if is_answer else Await(Phase.OBSERVE_CREATE))
    assert (operation.phase, operation.ours) == ((Phase.CREATE, False) if is_answer else (Phase.OBSERVE_CREATE, True))
    assert operation.prior is row, "what failed is not taken for the next one"


def test_an_app_that_was_accepted_and_failed_because_a_quota_is_full_is_a_fresh_refusal_of_it() -> None:
    """However long ago the create was sent; and patience counts from here, since each accepted create opens a gate."""
    operation = an_operation(phase=Phase.SETTLE_CREATE)
    operation.ours, operation.sent_wall, operation.sent_at = True, SENT_WALL, NOW - 300.0
    row, reason = a_row(status="Failed", created_at=SENT_WALL), full()
    assert after_look(Looked(operation, Verdict.FAILED, row, reason), NOW, SETTINGS, wait=True) == Refused(reason)
    assert (operation.phase, operation.sent_at) == (Phase.CREATE, NOW)
    assert operation.failing_since == {LATE_LIMIT: NOW}
    assert not operation.counts_as_failure, "a full quota says nothing against the app"


def test_a_lost_update_is_sent_again_only_when_the_first_one_can_come_no_more() -> None:
    """A late one would take back what the second one makes."""
    operation = an_owner(Phase.OBSERVE_UPDATE, Action.UPDATE)
    operation.fail("unknown", NOW - 15.0)
    operation.doubt_until = NOW - 15.0 + late_max_s(SETTINGS.observe)
    resend = Looked(operation, Verdict.RESEND, ObservedOwner(NAME, "InService", 1_000.0, settings={}))
    assert after_look(resend, NOW, SETTINGS, wait=True) == Call(Phase.UPDATE, operation.doubt_until)
    assert operation.doubt_until > NOW
    delete = Looked(a_delete(Phase.OBSERVE_DELETE), Verdict.RESEND)
    assert after_look(delete, NOW, SETTINGS, wait=True) == Call(Phase.DELETE, AT_ONCE)


def test_what_stands_in_the_place_of_an_app_is_described_by_its_fields_and_its_status() -> None:
    there = replace(a_row(instance_type="ml.m5.large", image_arn="arn:image"), created_at=5_000.0)
    message = conflict(an_operation(), there).message
    assert message == (
        "the app exists already and is not as declared: instance_type ml.m5.large, image_arn arn:image, InService"
    )
    assert conflict(an_operation(), a_row(status="Exploded", instance_type=None)).message.endswith(
        "not as declared: Exploded"
    ), "the service's own word for a status that nobody knows"
    assert conflict(an_operation(), None).message.endswith("not as declared: something else")
