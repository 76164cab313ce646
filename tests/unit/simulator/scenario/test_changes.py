"""What happens by itself: limits that change, and another administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter

from engine.simulator.scenario import changes
from engine.simulator.scenario.changes import AppRef, SavedChange
from engine.simulator.world.faults import FailureRule
from engine.simulator.world.quotas import bucket_quota_name
from engine.simulator.world.request_limit import RequestLimit
from tests.unit.simulator.worlds import DOMAIN_ID, create, make_world, pass_time, statuses

if TYPE_CHECKING:
    from engine.simulator.world.world import Change

CANVAS = AppRef(DOMAIN_ID, "user", "Alice", "Canvas", "default")
ALL: list[Change] = [
    changes.SetQuota("A", 3, "111122223333", "eu-west-1"),
    changes.SetRequestLimit("CreateApp", 5.0, 10.0),
    changes.SetFailures((FailureRule("capacity", instance_type="ml.p5.*", probability=0.5),)),
    changes.SetTrainingPlan("arn:plan", 4, 2, "Active"),
    changes.CreateForeignApp(CANVAS, "system", (("who", "other"),)),
    changes.DeleteForeignApp(CANVAS),
    changes.FailApp(CANVAS, "why"),
]


@pytest.mark.parametrize("change", ALL, ids=lambda change: str(change.kind))
def test_a_change_survives_being_saved(change: Change) -> None:
    adapter: TypeAdapter[Change] = TypeAdapter(SavedChange)
    assert adapter.validate_json(adapter.dump_json(change), strict=True) == change


def test_limits_change() -> None:
    world = make_world()
    changes.SetQuota("A", 3).apply(world)
    changes.SetRequestLimit("CreateApp", 5.0, 10.0).apply(world)
    changes.SetFailures((FailureRule("internal"),)).apply(world)
    assert world.quotas.value("1", "x", "A") == 3
    assert world.request_limits == {"CreateApp": RequestLimit(5.0, 10.0)}
    assert world.failures == [FailureRule("internal")]
    changes.SetRequestLimit("CreateApp", 0.0).apply(world)
    assert world.request_limits == {"CreateApp": None}


def test_another_administrator_makes_and_deletes_apps() -> None:
    world = make_world()
    changes.CreateForeignApp(CANVAS, tags=(("who", "other"),)).apply(world)
    app = world.apps[CANVAS.key()]
    assert (app.status, app.tags) == ("Pending", {"who": "other"})
    changes.DeleteForeignApp(CANVAS).apply(world)
    changes.DeleteForeignApp(CANVAS).apply(world)
    assert statuses(world) == {"default": "Deleting"}
    pass_time(world, 3.0)
    assert statuses(world) == {"default": "Deleted"}
    changes.DeleteForeignApp(CANVAS).apply(world)
    assert statuses(world) == {"default": "Deleted"}


def test_what_the_service_would_refuse_another_administrator_does_not_happen() -> None:
    world = make_world()
    world.quotas.set(bucket_quota_name("Canvas", "system"), 0)
    changes.CreateForeignApp(CANVAS).apply(world)
    changes.CreateForeignApp(AppRef("d-gone", "user", "alice", "Canvas", "default")).apply(world)
    changes.DeleteForeignApp(CANVAS).apply(world)
    changes.FailApp(CANVAS).apply(world)
    assert statuses(world) == {}


def test_a_live_app_fails_by_itself() -> None:
    world = make_world()
    app = create(world)
    reference = AppRef(DOMAIN_ID, "space", "alice-lab", "JupyterLab", "default")
    changes.FailApp(reference, "maintenance").apply(world)
    changes.FailApp(reference, "again").apply(world)
    assert (app.status, app.failure_reason) == ("Failed", "maintenance")
    pass_time(world, 10.0)
    assert app.status == "Failed"
