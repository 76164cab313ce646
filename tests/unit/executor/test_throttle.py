"""The adaptive throttle: doubling, one cut a burst, and a limit that is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.limits import RATE_FLOOR_PER_SECOND
from engine.executor.throttle import AdaptiveRate


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
