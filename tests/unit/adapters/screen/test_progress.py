"""The one line that says how far a run is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.adapters.screen.progress import Progress
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.identity import Owner
from engine.core.rough import rough
from engine.ports import events
from tests.fleets import CANVAS, KERNEL, LAB, LANE, key_of
from tests.unit.adapters.runs import Clock, plan_of

STARTED = events.RunStarted("ml-platform", "1", 3)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(lambda _: None, clock=clock, every_s=10.0)


def test_before_the_plan_it_tells_what_was_listed(progress: Progress) -> None:
    assert progress.line() == "0 s: listing"
    progress.emit(events.DomainListed("research", 1_200, 12, 3.0))
    assert progress.line() == "0 s: listing, 1,200 apps so far"


def test_it_counts_what_started_ended_and_failed(progress: Progress, clock: Clock) -> None:
    progress.emit(STARTED)
    for key in (LAB, CANVAS, KERNEL):
        progress.emit(events.AppCreated(key_of(key), 1, 0.1, ""))
    progress.emit(events.AppInService(key_of(LAB), 4.0))
    progress.emit(events.AppFailed(key_of(CANVAS), "c", "m", "h"))
    clock.now += 12
    assert progress.line() == "12 s: 2 of 3 done; 1 starting; 1 failed; about 1 s left"


def test_of_the_shards_of_workers_it_adds_up_the_counts(progress: Progress) -> None:
    progress.emit(events.RunStarted("ml-platform", "1", 50))
    for shard, ended in (("0/2", 5), ("1/2", 7), ("0/2", 9)):
        progress.emit(events.ShardProgressed(shard, ended, 25, 1))
    progress.emit(events.AppFailed(key_of(CANVAS), "c", "m", "h"))  # is in the counts already
    assert progress.line() == "0 s: 16 of 50 done; 2 failed"


def test_it_counts_profiles_and_spaces_however_they_end(progress: Progress) -> None:
    names = [Owner("research", "space", f"{name}-lab") for name in ("a", "b", "c", "d")]
    owners = tuple(OwnerChange(one, Action.UPDATE, OwnerReason.OWNER_DRIFT) for one in names)
    progress.expect(replace(plan_of({}), owners=owners))
    progress.emit(STARTED)
    assert progress.line() == "0 s: 0 of 3 done; 0 of 4 profiles and spaces done"
    progress.emit(events.OwnerSettled(names[0], "updated", 1.0))
    progress.emit(events.OwnerNotUpdated(names[1], "unchanged", "AF415", "in use", ""))
    progress.emit(events.OwnerFailed(names[2], "failed", "x", "no", ""))
    assert progress.line() == "0 s: 0 of 3 done; 3 of 4 profiles and spaces done"


@pytest.mark.parametrize(
    "end",
    [
        events.AppAdopted(key_of(LAB)),
        events.AppDeleted(key_of(LAB), 1.0),
        events.AppParked(key_of(LAB), "c", "m", "h"),
        events.AppStillPending(key_of(LAB), 1.0, "c", "m", "h"),
        events.AppSkipped(key_of(LAB), "c", "m", "h"),
    ],
)
def test_every_end_is_an_end(progress: Progress, end: events.Event) -> None:
    progress.emit(STARTED)
    progress.emit(end)
    assert progress.line() == "0 s: 1 of 3 done"


def test_the_delete_of_a_replace_is_not_its_end(progress: Progress) -> None:
    progress.emit(STARTED)
    progress.emit(events.AppDeleted(key_of(LAB), 1.0))
    progress.emit(events.AppCreateStarted(key_of(LAB), 1, ""))
    assert progress.line() == "0 s: 0 of 3 done"


def test_listings_of_the_run_itself_are_not_counted(progress: Progress) -> None:
    progress.emit(STARTED)
    progress.emit(events.DomainListed("research", 5, 1, 0.1))
    assert progress.line() == "0 s: 0 of 3 done"


def test_parked_buckets_rate_and_throttled_calls_are_told(progress: Progress) -> None:
    progress.emit(STARTED)
    for name in ("c", "b", "a\x1b"):
        progress.emit(events.BucketParked(name, 5.0, 2, "full"))
    progress.emit(events.LaneThrottled(LANE, "CreateApp", 1.8))
    progress.emit(events.LaneRateChanged(LANE, 4.25))
    progress.emit(events.CallAnswered("CreateApp", "throttled", 0.1))
    assert progress.line() == (
        "0 s: 0 of 3 done; 6 waiting for a\\u001b, b and 1 more; 4.2 calls/s allowed; 1 throttled"
    )
    progress.emit(events.BucketReopened("c", 9.0))
    progress.emit(events.BucketEnded("b", 2, "m", "h"))
    assert "2 waiting for a\\u001b;" in progress.line()


def test_it_is_shown_once_in_each_interval(clock: Clock) -> None:
    shown: list[str] = []
    progress = Progress(shown.append, clock=clock, every_s=10.0)
    for seconds in (0, 4, 5, 1, 0, 9, 1):
        clock.now += seconds
        progress.emit(STARTED)
    assert shown == ["10 s: 0 of 3 done", "20 s: 0 of 3 done"]


def test_a_tick_shows_it_where_nothing_happens(clock: Clock) -> None:
    shown: list[str] = []
    progress = Progress(shown.append, clock=clock, every_s=10.0)
    progress.expect(plan_of({LAB: ""}))
    for _ in range(25):
        clock.now += 1
        progress.tick()
    assert shown == ["10 s: listing", "20 s: listing"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1 s"),
        (8.4, "8 s"),
        (99.4, "99 s"),
        (150.0, "2 min"),
        (5_900.0, "98 min"),
        (7_200.0, "2 h"),
        (7_900.0, "2 h 10 min"),
    ],
)
def test_a_time_that_is_known_about_is_told_about(seconds: float, text: str) -> None:
    assert rough(seconds) == text
