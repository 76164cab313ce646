"""A delete rests on what was read just before it, also when the process was stopped in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.since_boot import since_boot
from engine.core.desired import AppSpec, Mode
from engine.core.errors import Unreachable
from engine.core.limits import LOOK_BEFORE_CHANGE_MAX_SECONDS, LOOKS_BEFORE_CHANGE_MAX_COUNT
from engine.core.settings import Backoff, Backoffs
from engine.executor.fresh import sent_while_fresh
from engine.ports.leaving import check_before_leaving
from engine.simulator.faces.memory_face import MemoryCloud
from engine.simulator.service import app_operations
from tests.fleets import an_app
from tests.unit.executor.test_app_run import code_of, run
from tests.unit.executor.test_listing_lag import CANVAS_ID
from tests.unit.executor.test_owner_run import ALICE, CANVAS_A, Stage, outcomes, owners_of

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = {"appfleet:fleet": "ml"}
STOPPED_SECONDS = LOOK_BEFORE_CHANGE_MAX_SECONDS + 1.0


@pytest.fixture
def stage() -> Stage:
    """Return an app of ours that shall be absent."""
    made = Stage()
    made.profile("alice", tags={"appfleet:managed-by": "ml"})
    made.fleet = replace(made.fleet, apps=(replace(an_app(CANVAS_A, None), mode=Mode.ABSENT),), owners=())
    app_operations.place_app(made.world, made.domain, CANVAS_ID, "alice", AppSpec(), dict(OURS), "InService")
    return made


def stopped_after(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, operation: str, times: int, meanwhile: Callable[[], None]
) -> None:
    """Let the process be stopped `times` times just after `operation` was answered, while others go on."""
    slept = {"s": 0.0, "left": times}
    right, made = getattr(MemoryCloud, operation), stage.do

    async def call(cloud: MemoryCloud, *asked: Any) -> Any:
        answer = await right(cloud, *asked)
        if slept["left"] and stage.run is not None and stage.run.since_boot is not None:
            slept["left"] -= 1
            slept["s"] += STOPPED_SECONDS
            meanwhile()
        return answer

    def do(work: Any) -> Any:
        async def with_clock(fleet_run: Any) -> Any:
            right_apply = fleet_run.apply

            async def apply(*asked: Any, **more: Any) -> Any:
                fleet_run.since_boot = lambda: fleet_run.control.now() + slept["s"]
                return await right_apply(*asked, **more)

            monkeypatch.setattr(type(fleet_run), "apply", lambda _, *asked, **more: apply(*asked, **more))
            return await work(fleet_run)

        return made(with_clock)

    monkeypatch.setattr(MemoryCloud, operation, call)
    monkeypatch.setattr(stage, "do", do)


def made_again(stage: Stage) -> Callable[[], None]:
    """Let another machine replace the app."""

    def make() -> None:
        stage.world.advance(stage.world.now + 3.0)
        stage.world.set_app_status(stage.world.apps[CANVAS_ID], "Deleted")
        app_operations.place_app(stage.world, stage.domain, CANVAS_ID, "alice", AppSpec(), dict(OURS), "InService")

    return make


@pytest.mark.parametrize("operation", ["describe_app", "list_tags"])
def test_an_app_that_was_made_again_while_the_process_was_stopped_is_not_deleted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """Row 44."""
    stopped_after(stage, monkeypatch, operation, 1, made_again(stage))
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "skipped"}
    assert code_of(report, CANVAS_A) == "changed_since_plan"
    assert "DeleteApp" not in report.calls
    assert stage.world.apps[CANVAS_ID].status == "InService"


def test_after_a_stop_the_same_app_is_read_again_and_deleted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_after(stage, monkeypatch, "list_tags", LOOKS_BEFORE_CHANGE_MAX_COUNT - 1, lambda: None)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "deleted"}
    assert report.calls["DeleteApp"] == {"ok": 1}


def test_where_every_read_is_old_nothing_is_deleted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.settings = replace(stage.settings, backoffs=Backoffs(transient=Backoff(1.0, 4.0, 2.0, 20.0)))
    stopped_after(stage, monkeypatch, "list_tags", 999, lambda: None)
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "failed"}
    assert "between the look and the change" in str(report.apps[0].error)
    assert "DeleteApp" not in report.calls


def test_an_owner_is_read_again_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    stage.profile("alice", tags={"appfleet:managed-by": "ml"})
    stage.fleet = replace(stage.fleet, apps=(), owners=tuple(one for one in stage.fleet.owners if one.owner == ALICE))

    def again() -> None:
        stage.world.drop_owner(stage.domain.profiles["alice"])
        stage.world.advance(stage.world.now + 3.0)
        stage.profile("alice", tags={"appfleet:managed-by": "ml"})

    stopped_after(stage, monkeypatch, "list_tags", 1, again)
    report = stage.let_go()
    assert owners_of(report)[ALICE].value == "skipped"
    assert "DeleteUserProfile" not in report.calls


def test_an_adoption_looks_again_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another fleet has tagged the app while the process was stopped."""
    stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
    app = stage.world.apps[CANVAS_ID]
    app.tags.clear()

    def theirs() -> None:
        app.tags["appfleet:fleet"] = "another"

    stopped_after(stage, monkeypatch, "list_tags", 1, theirs)
    assert outcomes(run(stage, adopt=True)) == {CANVAS_A: "skipped"}
    assert app.tags == {"appfleet:fleet": "another"}


@pytest.mark.parametrize("call", ["delete_app", "add_tags"])
def test_a_change_that_waits_for_credentials_until_its_look_is_old_does_not_leave(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Renewed just then by a command or a service that takes its time; another machine replaces the app meanwhile."""
    right, waited = getattr(MemoryCloud, call), list[float]()

    async def late(cloud: MemoryCloud, *asked: Any) -> Any:
        if not waited:
            waited.append(STOPPED_SECONDS)
            await asyncio.sleep(STOPPED_SECONDS)
            made_again(stage)()
            stage.world.apps[CANVAS_ID].tags["appfleet:fleet"] = "another"
        check_before_leaving()
        return await right(cloud, *asked)

    monkeypatch.setattr(MemoryCloud, call, late)
    if call == "add_tags":
        stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
        stage.world.apps[CANVAS_ID].tags.clear()
    report = run(stage, adopt=call == "add_tags")
    assert outcomes(report) == {CANVAS_A: "skipped"}
    assert code_of(report, CANVAS_A) == "changed_since_plan"
    assert stage.world.apps[CANVAS_ID].status == "InService"
    assert stage.world.apps[CANVAS_ID].tags == {"appfleet:fleet": "another"}


@pytest.mark.parametrize("call", ["delete_app", "add_tags"])
def test_a_change_that_waited_for_credentials_is_made_once_after_a_new_look_at_the_same_app(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    right, sent = getattr(MemoryCloud, call), list[float]()

    async def late(cloud: MemoryCloud, *asked: Any) -> Any:
        if not sent:
            sent.append(0.0)
            await asyncio.sleep(STOPPED_SECONDS)
        check_before_leaving()
        return await right(cloud, *asked)

    monkeypatch.setattr(MemoryCloud, call, late)
    if call == "add_tags":
        stage.fleet = replace(stage.fleet, apps=(an_app(CANVAS_A, None),))
        stage.world.apps[CANVAS_ID].tags.clear()
    report = run(stage, adopt=call == "add_tags")
    assert outcomes(report) == {CANVAS_A: "adopted" if call == "add_tags" else "deleted"}
    operation = "AddTags" if call == "add_tags" else "DeleteApp"
    assert stage.world.stats.to_json()["calls"][operation] == {"ok": 1}


def test_a_request_leaves_while_its_look_is_fresh_and_not_a_moment_later() -> None:
    now, left = [100.0], list[float]()
    with sent_while_fresh(lambda: now[0], 100.0):
        for age_s in (0.0, LOOK_BEFORE_CHANGE_MAX_SECONDS):
            now[0] = 100.0 + age_s
            check_before_leaving()
            left.append(age_s)
        now[0] += 0.001
        with pytest.raises(Unreachable, match=r"more than 5 s passed each time between the look and the change"):
            check_before_leaving()
    check_before_leaving()  # what is sent after it rests on no look
    assert left == [0.0, LOOK_BEFORE_CHANGE_MAX_SECONDS]


def test_the_clock_of_a_machine_goes_on() -> None:
    assert since_boot() <= since_boot()
