"""Runs over the world in memory, in virtual time: full quotas, and what becomes of all that waits for one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.core.desired import AppSpec
from engine.core.identity import parse_app_key
from engine.core.settings import Backoff, Backoffs, Execution
from engine.simulator.service import app_operations
from engine.simulator.world.quotas import RUNNING_APPS, bucket_quota_name
from engine.simulator.world.records import app_id
from tests.fleets import an_app
from tests.unit.executor.test_app_run import run
from tests.unit.executor.test_owner_run import CANVAS_A, CANVAS_B, DOMAIN_ID, Stage, outcomes

if TYPE_CHECKING:
    from engine.core.outcome import ApplyReport
    from engine.simulator.faces.memory_face import SimulatedCall

STRANGERS = app_id(DOMAIN_ID, "user", "zed", "Canvas", "default")
KERNELS = tuple(f"research/user/{name}/KernelGateway/default" for name in ("alice", "bob"))
T3, LARGE = "ml.t3.medium", "ml.t3.large"


@pytest.fixture
def stage() -> Stage:
    """Two apps to make in an account with room for two, one of which a stranger's app takes."""
    made = Stage()
    for name in ("alice", "bob", "zed"):
        made.profile(name)
    made.fleet = replace(made.fleet, apps=(an_app(CANVAS_A, None), an_app(CANVAS_B, None)), owners=())
    app_operations.place_app(made.world, made.domain, STRANGERS, "zed", AppSpec(), {}, "InService")
    made.world.quotas.set(RUNNING_APPS, 2)
    return made


def patience(stage: Stage, limit: Backoff) -> None:
    stage.settings = replace(stage.settings, backoffs=Backoffs(limit=limit))


def told(stage: Stage, name: str) -> list[str]:
    """Name the apps of the events of this name."""
    return [str(event.key) for event in stage.events if event.name == name]


def trouble_of(report: ApplyReport, key: str) -> tuple[str, str, str]:
    (error,) = [app.error for app in report.apps if str(app.key) == key]
    assert error is not None
    return error.code, error.message, error.hint


def test_an_app_whose_quota_has_no_room_for_long_enough_ends_parked_with_what_to_do(stage: Stage) -> None:
    patience(stage, Backoff(5.0, 20.0, 2.0, 60.0))
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "created", CANVAS_B: "parked"}
    assert report.exit_code == 3
    (event,) = [event for event in stage.events if event.name == "app.parked"]
    assert str(event.key) == CANVAS_B
    assert (event.code, event.message, event.hint) == trouble_of(report, CANVAS_B)
    assert event.code == "ResourceLimitExceeded"
    assert "--quota-code L-4E39DDC4 --desired-value 3" in event.hint
    assert 60.0 <= report.seconds < 90.0


def test_an_app_tries_as_soon_as_a_look_shows_that_another_one_has_left_its_quota(stage: Stage) -> None:
    """It was to try again in some minutes; the app of alice, which is starting, is looked at meanwhile."""
    patience(stage, Backoff(300.0, 300.0, 1.0, 1_800.0))
    stage.world.timing = replace(stage.world.timing, app_pending=(60.0, 60.0))
    left_at = 20.0
    stage.at = [(left_at, lambda _: stage.world.set_app_status(stage.world.apps[STRANGERS], "Deleted"))]
    tried_at: list[float] = []

    async def latency(call: SimulatedCall) -> None:
        if call.operation == "CreateApp" and call.phase == "request" and call.app is not None and stage.run is not None:
            tried_at.extend([stage.run.control.now()] if call.app.owner == "bob" else [])

    stage.latency = latency
    assert outcomes(run(stage)) == {CANVAS_A: "created", CANVAS_B: "created"}
    refused_at, accepted_at = tried_at
    assert refused_at < left_at < accepted_at < 60.0


def test_what_waits_for_a_quota_that_shrinks_to_nothing_takes_its_next_instance_type(stage: Stage) -> None:
    """One of them finds out, and the other one, which waits behind it, does not try in vain."""
    patience(stage, Backoff(5.0, 5.0, 1.0, 600.0))
    stage.fleet = replace(stage.fleet, apps=tuple(an_app(key, T3, fallback=[LARGE]) for key in KERNELS))
    quota = bucket_quota_name("KernelGateway", T3)
    of_zed = app_id(DOMAIN_ID, "user", "zed", "KernelGateway", "default")
    app_operations.place_app(stage.world, stage.domain, of_zed, "zed", AppSpec(T3), {}, "InService")
    stage.world.quotas.set(RUNNING_APPS, 9)
    stage.world.quotas.set(quota, 1)
    stage.at = [(3.0, lambda _: stage.world.quotas.set(quota, 0))]
    report = run(stage)
    assert outcomes(report) == dict.fromkeys(KERNELS, "created")
    assert [app.instance_type for app in report.apps] == [LARGE] * 2
    assert sorted(told(stage, "app.fell_back")) == list(KERNELS)
    assert [event.name for event in stage.events].count("bucket.ended") == 1
    assert report.calls["CreateApp"] == {"limit_exceeded": 3, "ok": 2}


def test_what_waits_for_a_quota_that_shrinks_to_nothing_fails_where_it_has_no_other_type(stage: Stage) -> None:
    patience(stage, Backoff(5.0, 5.0, 1.0, 600.0))
    stage.world.quotas.set(RUNNING_APPS, 1)
    stage.at = [(3.0, lambda _: stage.world.quotas.set(RUNNING_APPS, 0))]
    report = run(stage)
    assert outcomes(report) == {CANVAS_A: "failed", CANVAS_B: "failed"}
    assert trouble_of(report, CANVAS_A)[2] == trouble_of(report, CANVAS_B)[2]
    assert "Waiting does not help" in trouble_of(report, CANVAS_A)[2]
    assert report.seconds < 60.0


def test_a_call_whose_turn_comes_after_a_signal_is_not_made(stage: Stage) -> None:
    """It waits for the rate, while the one before it is under way; its place is free for nobody any more."""
    stage.world.quotas.set(RUNNING_APPS, 9)
    stage.settings = replace(stage.settings, execution=replace(Execution(), create_rate=0.5, create_rate_max=0.5))
    begun: list[float] = []

    async def slow(call: SimulatedCall) -> None:
        if call.operation == "CreateApp" and call.phase == "request" and stage.run is not None:
            begun.append(stage.run.control.now())
            await asyncio.sleep(6.0)

    stage.latency = slow
    stage.at = [(1.0, lambda fleet_run: fleet_run.control.interrupt("SIGTERM"))]
    report = run(stage)
    assert len(begun) == 1
    assert outcomes(report) == {CANVAS_A: "still_pending", CANVAS_B: "interrupted"}
    assert report.calls["CreateApp"] == {"ok": 1}
    assert parse_app_key(CANVAS_B) not in {event.key for event in stage.events if event.name == "app.create_started"}
