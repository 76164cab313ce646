from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import settings
from engine.core.backoff import ceiling_s, delay_s
from engine.core.settings import Backoff, Backoffs

LIMIT = Backoff(initial=5.0, max=300.0, factor=2.0, give_up_after=1800.0)

backoffs = st.builds(
    Backoff,
    initial=st.floats(settings.BACKOFF_INITIAL_SECONDS.low, settings.BACKOFF_INITIAL_SECONDS.high),
    max=st.floats(settings.BACKOFF_MAX_SECONDS.low, settings.BACKOFF_MAX_SECONDS.high),
    factor=st.floats(settings.BACKOFF_FACTOR.low, settings.BACKOFF_FACTOR.high),
    give_up_after=st.just(0.0),
)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5.0), (2, 10.0), (3, 20.0), (6, 160.0), (7, 300.0), (8, 300.0)])
def test_ceiling_grows_by_the_factor_up_to_the_maximum(failures: int, seconds: float) -> None:
    assert ceiling_s(LIMIT, failures) == seconds


def test_no_failure_yet_counts_as_the_first() -> None:
    assert ceiling_s(LIMIT, 0) == ceiling_s(LIMIT, 1)


def test_jitter_spreads_over_the_whole_interval() -> None:
    assert delay_s(LIMIT, 2, 0.0) == 0.0
    assert delay_s(LIMIT, 2, 0.25) == 2.5


@given(backoffs, st.integers(0, 10**9), st.floats(0.0, 1.0, exclude_max=True))
def test_a_delay_lies_within_its_bounds_after_any_number_of_failures(
    backoff: Backoff, failures: int, jitter: float
) -> None:
    assert 0.0 <= delay_s(backoff, failures, jitter) <= ceiling_s(backoff, failures) <= backoff.max


@given(backoffs, st.integers(1, 1_000))
def test_the_ceiling_never_falls(backoff: Backoff, failures: int) -> None:
    assert ceiling_s(backoff, failures) <= ceiling_s(backoff, failures + 1)


def test_every_default_lies_within_its_bound() -> None:
    for backoff in (one for item in fields(Backoffs) if isinstance(one := getattr(Backoffs(), item.name), Backoff)):
        for value, bound in (
            (backoff.initial, settings.BACKOFF_INITIAL_SECONDS),
            (backoff.max, settings.BACKOFF_MAX_SECONDS),
            (backoff.factor, settings.BACKOFF_FACTOR),
            (backoff.give_up_after, settings.GIVE_UP_AFTER_SECONDS),
        ):
            assert bound.low <= value <= bound.high
