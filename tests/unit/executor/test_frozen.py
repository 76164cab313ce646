"""A run that runs into a freeze: the clock is asked just before each delete."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.core.calendars import Calendar
from engine.core.desired import AppSpec, Mode
from engine.core.settings import Safety
from engine.core.windows import parse_freeze
from engine.simulator.service import app_operations
from tests.fleets import an_app
from tests.unit.executor.test_app_run import code_of, run
from tests.unit.executor.test_listing_lag import CANVAS_ID
from tests.unit.executor.test_owner_run import CANVAS_A, CANVAS_B, EPOCH, NoteBook, Stage, outcomes

BEGINS = datetime.fromtimestamp(EPOCH, UTC).replace(second=0) + timedelta(minutes=2)


def freeze_of(begins: datetime, minutes: int) -> Calendar:
    ends = begins + timedelta(minutes=minutes)
    return Calendar((parse_freeze(f"{begins:%a %H:%M}-{ends:%a %H:%M}"),), UTC, "UTC")


@pytest.fixture
def stage() -> Stage:
    """Return an app of ours that shall be absent, one to be made, and a freeze that is about to begin."""
    made = Stage()
    made.profile("alice")
    made.profile("bob")
    made.fleet = replace(
        made.fleet, apps=(replace(an_app(CANVAS_A, None), mode=Mode.ABSENT), an_app(CANVAS_B, None)), owners=()
    )
    made.settings = replace(made.settings, safety=Safety(freeze=(freeze_of(BEGINS, 60),)))
    app_operations.place_app(
        made.world, made.domain, CANVAS_ID, "alice", AppSpec(), {"appfleet:fleet": "ml"}, "InService"
    )
    return made


def in_freeze(stage: Stage) -> None:
    stage.time = BEGINS.timestamp() - EPOCH + 1.0


def test_in_a_freeze_a_delete_is_skipped_before_anything_is_read_and_creates_go_on(stage: Stage) -> None:
    in_freeze(stage)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "skipped", CANVAS_B: "created"}
    assert (code_of(report, CANVAS_A), report.exit_code) == ("frozen", 3)
    error = next(app.error for app in report.apps if app.error is not None)
    assert (
        error.message
        == f"not deleted: nothing is deleted or replaced until {BEGINS + timedelta(hours=1):%a %F %H:%M} UTC"
    )
    assert error.hint == "Run again after that. To lift it, edit freeze in [safety]"
    assert "DeleteApp" not in report.calls


def test_a_replace_is_skipped_with_the_old_app_untouched(stage: Stage) -> None:
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, "ml.t3.large"),))
    in_freeze(stage)
    report = run(stage, replace_on_drift=True)
    assert (outcomes(report), code_of(report, CANVAS_A)) == ({CANVAS_A: "skipped"}, "frozen")
    assert stage.world.apps[CANVAS_ID].status == "InService"


def test_before_and_after_a_freeze_a_delete_is_sent(stage: Stage) -> None:
    assert outcomes(run(stage)) == {CANVAS_A: "deleted", CANVAS_B: "created"}


def test_a_freeze_that_begins_between_the_look_and_the_call_holds_the_call_back(stage: Stage) -> None:
    """The intent is durable already when the window opens."""
    late = {"s": 0.0}

    def slow_disk() -> None:
        late["s"] = 240.0

    stage.journal = NoteBook(on_delete=slow_disk)
    made = stage.do

    def do(work: Any) -> Any:
        async def with_clock(fleet_run: Any) -> Any:
            right = fleet_run.wall
            fleet_run.wall = lambda: right() + late["s"]
            return await work(fleet_run)

        return made(with_clock)

    stage.do = do  # type: ignore[method-assign]
    report = run(stage)
    assert (outcomes(report)[CANVAS_A], code_of(report, CANVAS_A)) == ("skipped", "frozen")
    assert "DeleteApp" not in report.calls
    assert stage.world.apps[CANVAS_ID].status == "InService"
