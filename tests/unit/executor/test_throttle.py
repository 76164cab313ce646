"""The adaptive throttle: doubling, one cut a burst, and a limit that is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import AccessDenied, Throttled
from engine.core.limits import RATE_FLOOR_PER_SECOND
from engine.executor.calls import Throttle
from engine.executor.throttle import AdaptiveRate
from tests.fleets import LANE


def test_it_doubles_in_each_second_in_which_it_was_the_brake() -> None:
    rate = AdaptiveRate(2.0, 100.0)
    for _ in range(10):
        assert rate.granted(0.1)
    assert rate.rate == pytest.approx(4.0)
    for _ in range(10):
        rate.granted(0.1)
    assert rate.rate == pytest.approx(8.0)


def test_it_does_not_grow_when_the_queue_was_the_brake() -> None:
    rate = AdaptiveRate(2.0, 100.0)
    assert not rate.granted(0.0)
    assert rate.rate == 2.0


def test_it_never_goes_above_its_ceiling_nor_below_its_floor() -> None:
    rate = AdaptiveRate(2.0, 3.0)
    rate.granted(60.0)
    assert rate.rate == 3.0
    assert not rate.granted(1.0)
    for second in range(1_000):
        rate.refused(second + 0.5, second + 1.0)
    assert rate.rate == RATE_FLOOR_PER_SECOND
    assert AdaptiveRate(0.01, 0.05).rate == 0.05  # a ceiling below the floor is what the user wants


def test_a_burst_of_throttled_calls_cuts_once() -> None:
    """Row 1."""
    rate = AdaptiveRate(10.0, 100.0, limit_is_known=True)
    assert rate.refused(sent_at=1.0, now=1.1)
    cut = rate.rate
    assert not rate.refused(sent_at=1.05, now=1.15)  # sent before the cut: it says nothing new
    assert rate.rate == cut == pytest.approx(9.0)
    assert rate.refused(sent_at=1.2, now=1.3)
    assert rate.rate == pytest.approx(8.1)


def test_the_first_throttle_falls_to_what_came_through_and_at_most_by_half() -> None:
    rate = AdaptiveRate(64.0, 500.0)
    for call in range(40):
        rate.accepted(10.0 + call / 40)
    assert rate.refused(sent_at=10.9, now=11.0)
    assert rate.rate == pytest.approx(39.0, abs=1.0)
    overshot = AdaptiveRate(64.0, 500.0)
    overshot.accepted(1.0)
    overshot.refused(5.0, 5.1)
    assert overshot.rate == 32.0


def test_it_climbs_quickly_below_the_limit_slowly_near_it_and_quickly_well_above() -> None:
    rate = AdaptiveRate(40.0, 500.0, limit_is_known=True)
    rate.refused(1.0, 1.1)
    assert rate.rate == pytest.approx(36.0)
    rate.granted(1.0)
    assert rate.rate == pytest.approx(38.0)
    rate.granted(0.5)
    near = rate.rate
    rate.granted(1.0)
    assert rate.rate - near == pytest.approx(0.5)
    for _ in range(10):
        rate.granted(1.0)
    before = rate.rate
    rate.granted(1.0)
    assert rate.rate - before == pytest.approx(2.0)


def test_it_has_learnt_something_only_once_it_was_throttled() -> None:
    rate = AdaptiveRate(2.0, 100.0)
    rate.granted(3.0)
    assert rate.learnt is None
    rate.refused(1.0, 1.1)
    assert rate.learnt == rate.rate


@given(st.lists(st.tuples(st.sampled_from(["grant", "accept", "refuse"]), st.floats(0.0, 5.0)), max_size=60))
def test_whatever_happens_the_rate_stays_within_its_bounds(steps: list[tuple[str, float]]) -> None:
    rate = AdaptiveRate(2.0, 50.0)
    now = 0.0
    for what, seconds in steps:
        now += seconds
        if what == "grant":
            rate.granted(seconds)
        elif what == "accept":
            rate.accepted(now)
        else:
            rate.refused(now - 0.01, now)
        assert RATE_FLOOR_PER_SECOND <= rate.rate <= 50.0


class NotedPace:
    """A pace that notes the rates that it is set to."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    async def take(self) -> None:
        """Never wait."""

    def set_rate(self, calls_per_second: float) -> None:
        self.rates.append(calls_per_second)


def test_of_the_throttled_calls_of_one_burst_one_alone_slows_the_pace_and_is_told() -> None:
    """Row 1: the others were sent before the cut, and a line for each of a hundred would hide the rest of the log."""
    events: list[Any] = []
    pace = NotedPace()
    throttle = Throttle(LANE, "CreateApp", pace, AdaptiveRate(10.0, 100.0, limit_is_known=True), events.append)
    for sent_at, now in ((1.0, 1.1), (1.05, 1.15), (1.06, 1.2)):
        throttle.answered(Throttled("Rate exceeded"), sent_at, now)
    assert pace.rates == pytest.approx([10.0, 9.0])
    assert [(event.name, event.lane, event.operation, event.rate) for event in events] == [
        ("lane.throttled", LANE, "CreateApp", 9.0)
    ]
    throttle.answered(Throttled("Rate exceeded"), 1.3, 1.4)
    assert pace.rates == pytest.approx([10.0, 9.0, 8.1]), "sent at the new rate, so that one is too high as well"


def test_an_answer_that_is_no_throttling_slows_nothing() -> None:
    events: list[Any] = []
    pace = NotedPace()
    throttle = Throttle(LANE, "CreateApp", pace, AdaptiveRate(10.0, 100.0), events.append)
    for error in (None, AccessDenied("no")):
        throttle.answered(error, 1.0, 1.1)
    assert (pace.rates, events) == ([10.0], [])
