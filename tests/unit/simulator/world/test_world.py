"""Time and counts."""

from __future__ import annotations

import pytest

from engine.core.identity import Lane
from engine.simulator.scenario.changes import SetQuota
from engine.simulator.world.faults import Fault, FaultBook, FaultKind, FaultRule
from engine.simulator.world.records import Bucket
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.values import NEVER
from engine.simulator.world.world import Timing, World
from tests.unit.simulator.worlds import (
    ACCOUNT,
    DOMAIN_ID,
    LANE,
    REGION,
    START,
    add_space,
    call,
    create,
    lab_key,
    make_world,
    pass_time,
    statuses,
)


def test_nothing_happens_before_its_time() -> None:
    world = make_world()
    create(world)
    (app,) = world.apps.values()
    assert app.due == START + 2.0
    pass_time(world, 1.999)
    assert statuses(world) == {"default": "Pending"}
    pass_time(world, 0.001)
    assert statuses(world) == {"default": "InService"}
    assert app.due == NEVER


def test_a_clock_that_goes_back_is_a_clock_that_stands() -> None:
    world = make_world()
    create(world)
    pass_time(world, 2.0)
    world.advance(START - 1_000.0)
    assert world.now == START + 2.0
    assert statuses(world) == {"default": "InService"}


def test_what_is_due_at_once_happens_in_the_order_of_its_times() -> None:
    world = make_world()
    app = create(world)
    world.schedule(START + 1.0, SetQuota("early", 1))
    world.schedule(START + 9.0, SetQuota("late", 1))
    pass_time(world, 10.0)
    assert world.quotas.named == {"early": 1, "late": 1}
    assert app.ended_at == NEVER
    assert world.now == START + 10.0


def test_times_between_two_bounds_come_from_the_seed() -> None:
    def dues() -> list[float]:
        world = make_world(timing=Timing(app_pending=(1.0, 9.0)))
        return [create(world, "RSessionGateway", user="alice", name=f"n{n}").due for n in range(5)]

    assert dues() == dues()
    assert len(set(dues())) == 5
    assert all(START + 1.0 <= due <= START + 9.0 for due in dues())


def test_the_world_counts_calls_and_creates() -> None:
    world = make_world()
    app = {"DomainId": DOMAIN_ID, "SpaceName": "alice-lab", "AppType": "JupyterLab", "AppName": "default"}
    call(world, "CreateApp", **app)
    pass_time(world, 1.5)
    for params in (app, {**app, "AppName": 7}, {}):
        with pytest.raises(ServiceError):
            call(world, "CreateApp", **params)
    stats = world.stats_json()
    assert stats["calls"] == {
        "CreateApp": {"ResourceInUse": 1, "SerializationException": 1, "ValidationException": 1, "ok": 1}
    }
    assert (stats["create_first_at"], stats["create_last_at"]) == (START, START + 1.5)
    assert stats["create_per_second"] == {"1800000000": 1, "1800000001": 3}
    assert stats["create_for_live_key"] == 1
    assert stats["create_for_live_key_by_status"] == {"Pending": 1}
    assert stats["create_attempts_by_bucket"] == {
        f"{ACCOUNT}/{REGION}/JupyterLab/ml.t3.medium": {"count": 1, "times": [START]}
    }
    assert stats["apps"] == {"Pending": 1}


def test_a_reset_forgets_counts_and_nothing_else() -> None:
    world = make_world()
    create(world)
    world.note_create(lab_key())
    world.stats.began()
    world.stats.began()
    world.stats.ended()
    world.stats.connected()
    world.stats.reset()
    stats = world.stats_json()
    assert (stats["calls"], stats["create_first_at"], stats["create_for_live_key"]) == ({}, None, 0)
    assert (stats["in_flight"], stats["max_in_flight"], stats["max_connections"]) == (1, 1, 1)
    assert stats["apps"] == {"Pending": 1}
    world.stats.disconnected()
    assert world.stats.connections == 0


def test_a_throttled_create_for_a_live_key_is_counted_too() -> None:
    world = make_world()
    create(world)
    world.note_create(lab_key())
    world.note_create(None)
    assert world.stats.create_for_live_key == {"Pending": 1}
    assert len(world.stats.create_times) == 2


def test_what_waits_for_the_first_create_counts_from_it() -> None:
    world = make_world()
    world.after_first_create.append((5.0, SetQuota("late", 1)))
    pass_time(world, 100.0)
    world.note_create(None)
    pass_time(world, 4.9)
    assert world.quotas.named == {}
    pass_time(world, 0.2)
    assert world.quotas.named == {"late": 1}
    world.note_create(None)
    assert world.scheduled_changes() == []


def test_an_arrangement_that_no_longer_holds_does_nothing() -> None:
    world = make_world()
    app = create(world)
    world.set_due(app, START + 20.0)
    pass_time(world, 10.0)
    assert app.status == "Pending"
    space = world.domains[DOMAIN_ID].spaces["alice-lab"]
    space.status = "Updating"
    world.set_due(space, world.now + 1.0)
    world.set_due(space, world.now + 2.0)
    pass_time(world, 1.0)
    assert space.status == "Updating"
    pass_time(world, 1.0)
    assert space.status == "InService"


def test_owners_are_counted_for_each_lane() -> None:
    world = make_world()
    add_space(world, "more")
    assert world.count_of_owners(LANE, spaces=True) == 2
    assert world.count_of_owners(LANE, spaces=False) == 1
    assert world.count_of_owners(Lane(ACCOUNT, "us-east-1"), spaces=False) == 0


def test_a_world_of_its_own_has_an_account() -> None:
    assert World().account == "000000000000"


def test_a_fault_strikes_within_its_times_and_as_often_as_it_may() -> None:
    world = World()
    rule = FaultRule(Fault(FaultKind.THROTTLE), "Create*", from_at=10.0, until_at=20.0, max_count=2)
    book = FaultBook([rule])
    drawn = [
        book.draw(operation, now, world.rng) is not None
        for operation, now in [("CreateApp", 9.0), ("ListApps", 10.0), ("CreateApp", 10.0), ("CreateSpace", 19.9)]
    ]
    assert drawn == [False, False, True, True]
    assert book.draw("CreateApp", 15.0, world.rng) is None
    assert FaultBook([FaultRule(Fault(FaultKind.THROTTLE), until_at=20.0)]).draw("X", 20.0, world.rng) is None


def test_a_fault_may_be_a_matter_of_chance() -> None:
    world = World()
    book = FaultBook([FaultRule(Fault(FaultKind.RESET_AFTER), probability=0.25)])
    count = sum(book.draw("CreateApp", 0.0, world.rng) is not None for _ in range(400))
    assert 50 < count < 150
    assert book.rules[0].until_at == NEVER


def test_a_bucket_is_freed_once() -> None:
    world = make_world()
    app = create(world)
    bucket = Bucket(ACCOUNT, REGION, "JupyterLab", "ml.t3.medium")
    world.set_app_status(app, "Failed")
    world.set_app_status(app, "Deleted")
    assert (world.bucket_usage[bucket], world.running[ACCOUNT, REGION]) == (0, 0)
