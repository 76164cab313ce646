"""An update of a profile or a space: what it is sent for, what follows from each answer and look, and its words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.core import errors
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.errors import BugError
from engine.core.identity import SPACE, USER, Owner
from engine.core.observed import ObservedOwner
from engine.core.outcome import Outcome
from engine.core.owner_settings import differences
from engine.core.settings import Settings
from engine.executor import course
from engine.executor.cause import Cause
from engine.executor.judge import Scan, Verdict, judge
from engine.executor.kinds.owners import OwnerOperation
from engine.executor.operation import Phase
from engine.executor.retry import after_error
from engine.executor.step import Call, End, Refused, Step
from engine.executor.troubles import (
    failed,
    never_settled,
    not_durable,
    occupied,
    removed,
    still_pending,
)
from tests.fleets import LANE, SOURCE
from tests.unit.executor.parts import an_operation

LAB = Owner("research", SPACE, "alice-lab")
DECLARED = DesiredOwner(LAB, SOURCE, owner_user="alice", app_type="JupyterLab", idle_minutes=120, ebs_gb=20)
NOW = 10_000.0
SETTINGS = Settings()


def there(idle: int = 60, ebs: int = 20, status: str = "InService", **more: Any) -> ObservedOwner:
    settings = {
        "JupyterLabAppSettings": {"AppLifecycleManagement": {"IdleSettings": {"IdleTimeoutInMinutes": idle}}},
        "SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": ebs}},
    }
    return ObservedOwner(LAB, status, 1_000.0, **{"settings": settings, "ebs_gb": ebs, **more})


def update(phase: Phase = Phase.UPDATE, before: ObservedOwner | None = None) -> OwnerOperation:
    row = before or there()
    change = OwnerChange(LAB, Action.UPDATE, OwnerReason.OWNER_DRIFT, row, DECLARED, differs=differences(DECLARED, row))
    return OwnerOperation(0, change, LANE, phase)


def look(operation: OwnerOperation, row: ObservedOwner | None, at: float = NOW) -> Verdict:
    return judge(operation, row, Scan(at, at + 1.0), SETTINGS.observe)


@pytest.mark.parametrize(
    ("row", "how"),
    [
        (None, "it no longer exists"),
        (there(status="Deleting"), "it is being deleted"),
        (there(status="Failed"), "it has Failed"),
        (replace(there(), created_at=5_000.0), "it was made again since the plan"),
    ],
)
def test_what_is_not_what_the_plan_saw_is_not_updated(row: ObservedOwner | None, how: str) -> None:
    step = course.before_update(update(), row)
    assert isinstance(step, End)
    assert step.outcome is Outcome.SKIPPED
    assert step.trouble is not None
    assert step.trouble.message == f"space alice-lab was not updated: {how}"


def test_what_is_changing_is_waited_for_and_what_is_as_declared_needs_nothing() -> None:
    step = course.before_update(update(), there(status="Updating"))
    assert isinstance(step, Refused)
    assert "space alice-lab is Updating, so it cannot be updated yet" in step.error.message
    assert course.before_update(update(), there()) is None
    assert course.before_update(update(), there(120)) == End(Outcome.UNCHANGED)
    sent = update()
    sent.attempts = 1
    assert course.before_update(sent, there(120)) == End(Outcome.UPDATED)


def test_what_an_update_takes_away_is_kept_and_a_delete_takes_nothing_away() -> None:
    kept = json.loads(update().before_settings)
    assert kept == {"before": {"idle_minutes": 60}, "after": {"idle_minutes": 120}}
    gone = OwnerOperation(0, OwnerChange(LAB, Action.DELETE, OwnerReason.OFFBOARDED, there()), LANE, Phase.DELETE)
    assert gone.before_settings == ""
    assert update().update_call == "UpdateSpace"
    profile = replace(update().change, owner=Owner("research", USER, "alice"))
    assert OwnerOperation(0, profile, LANE, Phase.UPDATE).update_call == "UpdateUserProfile"


def test_a_volume_in_use_is_left_out_and_the_rest_is_sent() -> None:
    both = update(before=there(60, 10))
    assert refused(both) == Call(Phase.UPDATE)
    assert both.is_as_updated(there(120, 10)), "the volume stays as it is"
    alone = refused(update(before=there(120, 10)))
    assert isinstance(alone, End)
    assert alone.trouble is not None
    assert "its volume is not changed while it is in use by app JupyterLab/default (InService)" in alone.trouble.message


def test_of_a_space_whose_rest_is_refused_as_well_it_is_not_said_that_its_volume_alone_is_left() -> None:
    both = update(before=there(60, 10))
    assert refused(both) == Call(Phase.UPDATE)
    again = refused(both)
    assert isinstance(again, End)
    assert again.trouble is not None
    assert again.outcome is Outcome.UNCHANGED
    assert again.trouble.message == "it is not changed while it is in use by app JupyterLab/default (InService)"


def refused(operation: OwnerOperation) -> Step:
    """Return what follows when the service does not update a space because of an app in it."""
    in_use = errors.InUse("in use", operation="UpdateSpace")
    inside = occupied(operation, ["app JupyterLab/default (InService)"], in_use)
    return after_error(operation, inside, NOW, SETTINGS, 0.5)


def test_a_look_settles_an_update_by_what_it_shows() -> None:
    young = update(Phase.SETTLE_UPDATE)
    young.accepted_at = NOW - 1.0
    assert look(young, there(status="Updating")) is Verdict.KEEP
    assert look(young, there(120)) is Verdict.IN_SERVICE
    assert look(young, there()) is Verdict.KEEP, "it need not show yet"
    assert look(young, there(settings=None)) is Verdict.ASK, "a listing does not tell"
    assert look(young, there(status="Update_Failed")) is Verdict.FAILED
    assert look(young, there(status="Deleting")) is Verdict.REMOVED
    assert look(young, None) is Verdict.REMOVED
    assert look(young, replace(there(), created_at=5_000.0)) is Verdict.REMOVED
    assert look(young, there(), NOW + 600.0) is Verdict.NEVER_SETTLED


def test_an_update_that_had_failed_before_is_not_taken_for_the_end_of_this_one_too_early() -> None:
    again = update(Phase.SETTLE_UPDATE, before=there(120, status="Update_Failed"))
    again.accepted_at = NOW - 1.0
    assert [one.field for one in again.change.differs] == ["status"]
    assert look(again, there(120, status="Update_Failed")) is Verdict.KEEP
    assert look(again, there(120, status="Update_Failed"), NOW + 600.0) is Verdict.FAILED
    assert look(again, there(120)) is Verdict.IN_SERVICE
    lost = update(Phase.OBSERVE_UPDATE, before=there(120, status="Update_Failed"))
    assert look(lost, there(120, status="Update_Failed")) is Verdict.KEEP
    assert look(lost, there(120, status="Update_Failed"), NOW + 60.0) is Verdict.RESEND


def test_each_end_of_an_update_has_words_of_its_own() -> None:
    operation = update(Phase.SETTLE_UPDATE)
    reason = there(status="Update_Failed", failure_reason="no such role")
    assert "the update of space alice-lab ended Update_Failed: no such role" in failed(operation, reason).message
    assert "ended Failed" in failed(operation, None).message
    assert "was deleted while its update was under way" in removed(operation).message
    assert "UpdateSpace was accepted, and space alice-lab does not show it" in never_settled(operation).message
    lost = update(Phase.OBSERVE_UPDATE)
    assert never_settled(lost).message == "no listing shows whether UpdateSpace was carried out"
    assert not_durable(update()).message.startswith("not updated: the intent could not be written")
    pending = still_pending(operation, 60.0, Cause.DEADLINE)
    assert pending.message == "not updated at the run's deadline"
    assert "SageMaker continues to update it" in pending.hint
    over = course.left_over(update(), course.Over(Cause.INTERRUPTED), 60.0)
    assert over.outcome is Outcome.INTERRUPTED
    reading = update()
    reading.reading = True
    denied = after_error(reading, errors.AccessDenied("no"), NOW, SETTINGS, 0.5)
    assert isinstance(denied, End)
    assert denied.trouble is not None
    assert denied.trouble.message == "not updated: it could not be read again just before (no)"


def test_many_that_run_in_it_are_counted() -> None:
    error = errors.InUse("in use", operation="UpdateSpace")
    assert "in use by a, b, c and 2 more" in occupied(update(), ["a", "b", "c", "d", "e"], error).message


def test_an_app_has_no_update() -> None:
    app = an_operation()
    assert (app.before_settings, app.is_as_updated(None), app.does_without(never_settled(app))) == ("", None, False)  # type: ignore[arg-type]
    with pytest.raises(BugError):
        _ = app.update_call
    with pytest.raises(BugError):
        app.amend(None, "d-1")  # type: ignore[arg-type]
