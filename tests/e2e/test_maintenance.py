"""An app that SageMaker maintains: Pending again long after it was made, and no business of a run."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import POLICY, QUICK, fleet_text, lab_of, people

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

DAY = 86_400.0
PENDING = lab_of("u000")
NEVER = QUICK.replace("app_pending = 0.05", "app_pending = 600000")
HASTY = POLICY.replace("[execution]", '[execution]\nsettle_timeout = "1s"')


def pend(place: Place, days: float) -> None:
    """Let an app that was made so long ago be Pending, for as long as the test lasts."""
    identity = place.identity(PENDING)

    def change(world: World) -> None:
        app = world.apps[identity]
        app.created_at = round(time.time() - days * DAY, 3)
        world.set_app_status(app, "Pending")

    place.within(change)


@pytest.fixture
def maintained(place: Place) -> Place:
    """Return a place in which all runs, and SageMaker maintains one app."""
    place.write(fleet_text(people(2)))
    assert place.apply().code == 0
    place.write(fleet_text(people(2)), policy=HASTY)
    pend(place, 45)
    return place


def test_a_night_does_not_wait_for_it_and_ends_well(maintained: Place) -> None:
    """Row 31."""
    night = maintained.apply()
    assert night.code == 0
    assert night.outcomes() == {PENDING: "unchanged", lab_of("u001"): "unchanged"}
    (finding,) = night.report["findings"]
    assert finding["rule"] == "maintenance"
    assert f"1 app Pending again: {PENDING} (since it was made 45 days ago). SageMaker maintains" in finding["message"]
    assert maintained.status_of(PENDING) == "Pending"


def test_plan_status_and_explain_say_that_it_is_maintained(maintained: Place) -> None:
    plan = maintained.run("plan", "--detailed-exitcode")
    assert plan.code == 0
    assert f"1 app Pending again: {PENDING} (since it was made 45 days ago)" in " ".join(plan.out.split())
    assert "check: maintenance by SageMaker" in plan.out
    assert "(since it was made 45 days ago)" in maintained.run("plan", "--format", "markdown").out
    status = maintained.run("status").out
    assert "In maintenance (1 app): SageMaker maintains or restarts them; apply leaves them alone" in status
    assert f"{PENDING}  Pending again since it was made 45 days ago" in status
    shown = json.loads(maintained.run("status", "--format", "json").out)
    (row,) = [row for row in shown["apps"] if row["key"] == PENDING]
    assert (row["condition"], row["reason"], row["status"]) == ("maintenance", "maintenance", "Pending")
    explained = maintained.run("explain", PENDING).out
    assert "leave the app alone: Pending again long after its creation; SageMaker maintains" in explained
    assert "there now: Pending, made 20" in explained


def test_what_was_made_just_now_is_awaited_whoever_made_it(maintained: Place) -> None:
    pend(maintained, 0)
    night = maintained.apply()
    assert night.code == 3
    assert night.outcomes()[PENDING] == "still_pending"
    assert night.report["findings"] == []


def test_what_an_earlier_run_made_and_never_saw_in_service_is_awaited_however_old_it_is(place: Place) -> None:
    place.write(fleet_text(people(1)), policy=HASTY)
    place.scenario(NEVER)
    assert place.apply("--no-wait").code == 0
    pend(place, 1)
    night = place.apply()
    assert night.code == 3
    assert night.outcomes() == {PENDING: "still_pending"}
