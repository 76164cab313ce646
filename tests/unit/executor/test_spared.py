"""`spare_active`: what the look just before a delete shows of somebody at work decides whether the delete is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action
from engine.core.desired import AppSpec, Mode
from engine.core.errors import OutcomeUnknown
from engine.core.settings import Safety
from engine.executor.course import while_used
from engine.executor.operation import Phase
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import app_operations
from engine.simulator.world.world import HEALTH_CHECK_SECONDS
from tests.architecture.course_table import space
from tests.fleets import an_app
from tests.unit.executor.test_app_run import code_of, run
from tests.unit.executor.test_listing_lag import CANVAS_ID
from tests.unit.executor.test_owner_run import CANVAS_A, EPOCH, Stage, outcomes

if TYPE_CHECKING:
    from engine.simulator.faces.memory_face import SimulatedCall
    from engine.simulator.world.records import App

HOUR = 3_600.0


@pytest.fixture
def stage() -> Stage:
    """Return an app of ours that shall be absent, and people who are spared."""
    made = Stage()
    made.profile("alice")
    made.fleet = replace(made.fleet, apps=(replace(an_app(CANVAS_A, None), mode=Mode.ABSENT),), owners=())
    made.settings = replace(made.settings, safety=Safety(spare_active=HOUR))
    app_operations.place_app(
        made.world, made.domain, CANVAS_ID, "alice", AppSpec(), {"appfleet:fleet": "ml"}, "InService"
    )
    made.time = 10 * HEALTH_CHECK_SECONDS + 60.0
    return made


def app_of(stage: Stage) -> App:
    return stage.world.apps[CANVAS_ID]


def test_an_app_in_use_is_skipped_with_a_code_and_tried_by_the_next_run(stage: Stage) -> None:
    app_of(stage).used_until = EPOCH + stage.time + 60.0
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "skipped"}
    assert code_of(report, CANVAS_A) == "active"
    assert report.exit_code == 3
    assert "DeleteApp" not in report.calls
    error = report.apps[0].error
    assert error is not None
    assert error.message == "not deleted: its user was active in the last 1h"
    assert "spare_active in [safety]" in error.hint
    stage.time += 3 * HEALTH_CHECK_SECONDS  # two checks have found nobody
    assert outcomes(run(stage)) == {CANVAS_A: "deleted"}


def test_the_time_of_a_health_check_spares_nobody(stage: Stage) -> None:
    assert outcomes(run(stage)) == {CANVAS_A: "deleted"}


def test_nobody_is_spared_unless_the_policy_says_so(stage: Stage) -> None:
    stage.settings = replace(stage.settings, safety=Safety())
    app_of(stage).used_until = EPOCH + 10 * HOUR
    assert outcomes(run(stage)) == {CANVAS_A: "deleted"}


def test_an_app_in_use_is_not_replaced_and_stays_as_it_is(stage: Stage) -> None:
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, "ml.t3.large"),))
    app_of(stage).used_until = EPOCH + 10 * HOUR
    report = run(stage, replace_on_drift=True)
    assert (outcomes(report), code_of(report, CANVAS_A)) == ({CANVAS_A: "skipped"}, "active")
    assert app_of(stage).status == "InService"
    assert not report.apps[0].gone


def test_who_begins_to_work_between_the_plan_and_the_delete_is_spared(stage: Stage) -> None:
    """The plan saw nobody; what counts is the look just before the call."""
    reads = []

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "DescribeApp" and call.phase == "request":
            reads.append(call)
            if len(reads) > 1:  # the first is the plan's
                app_of(stage).used_until = EPOCH + 10 * HOUR
        await asyncio.sleep(0.01)

    stage.latency = latency
    report = run(stage)
    assert (outcomes(report), code_of(report, CANVAS_A)) == ({CANVAS_A: "skipped"}, "active")


def test_a_lost_delete_of_an_app_in_use_is_not_sent_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer was lost before anything was done: the app is still there, and by then somebody works in it."""
    right = MemoryCloud.delete_app

    async def lost(_: MemoryCloud, *__: Any) -> Any:
        app_of(stage).used_until = EPOCH + 10 * HOUR
        monkeypatch.setattr(MemoryCloud, "delete_app", right)
        raise OutcomeUnknown("no answer", operation="DeleteApp")

    monkeypatch.setattr(MemoryCloud, "delete_app", lost)
    report = run(stage)
    assert (outcomes(report), code_of(report, CANVAS_A)) == ({CANVAS_A: "skipped"}, "active")
    assert app_of(stage).status == "InService"


def test_nobody_works_in_a_space_itself() -> None:
    operation = space(Phase.DELETE, Action.DELETE)
    assert while_used(operation, operation.standing, HOUR, EPOCH) is None
