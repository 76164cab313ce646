"""The pace: as many calls as were asked for, never more, and no polling while it waits."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING

import pytest

from engine.adapters.pace import ThrottlePace
from engine.core.errors import BugError
from tests.throttle_clock import throttle_on_loop_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.ports.pace import Pace

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def loop_clock() -> Iterator[None]:
    with throttle_on_loop_clock():
        yield


async def grants(pace: Pace, count: int) -> list[float]:
    """Return when each of so many calls was let through, in seconds of the loop."""
    times = []
    for _ in range(count):
        await pace.take()
        times.append(asyncio.get_running_loop().time())
    return times


@pytest.mark.parametrize("rate", [0.1, 0.5, 2, 7.5, 10, 45, 200, 1000])
async def test_the_rate_is_what_was_asked_for(rate: float) -> None:
    calls = 20 * ceil(rate / 20)  # whole windows, of a twentieth of a second or of one call
    times = await grants(ThrottlePace(rate), calls + 1)
    assert 0.995 * rate <= calls / (times[-1] - times[0]) <= 1.001 * rate


@pytest.mark.parametrize("rate", [0.5, 2, 45, 200])
async def test_no_second_holds_more_than_the_rate_and_one_window(rate: float) -> None:
    times = await grants(ThrottlePace(rate), 300)
    window = ceil(rate / 20)
    for first, start in enumerate(times):
        inside = sum(1 for other in times[first:] if other < start + 1.0)
        assert inside <= rate + window


async def test_a_pause_is_not_made_up_for() -> None:
    """What was not used while there was nothing to do is lost, but for one window."""
    pace = ThrottlePace(40)
    await grants(pace, 10)
    await asyncio.sleep(30)
    times = await grants(pace, 42)
    assert times[-1] - times[0] >= 40 / 40 - 0.01


async def test_a_rate_that_rises_is_seen_within_a_quarter_of_a_second() -> None:
    pace = ThrottlePace(0.1)
    await pace.take()
    loop = asyncio.get_running_loop()
    start = loop.time()
    waiting = asyncio.create_task(pace.take())
    await asyncio.sleep(1)
    pace.set_rate(2.0)
    await waiting
    assert loop.time() - start <= 1.25 + 0.01


async def test_a_rate_that_falls_holds_for_the_next_call() -> None:
    pace = ThrottlePace(200)
    await grants(pace, 30)
    pace.set_rate(2)
    times = await grants(pace, 3)
    assert times[1] - times[0] >= 0.49
    assert times[2] - times[1] >= 0.49


async def test_waiting_wakes_once_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = ThrottlePace(8)
    sleeps: list[float] = []
    real = asyncio.sleep

    async def counted(seconds: float) -> None:
        sleeps.append(seconds)
        await real(seconds)

    monkeypatch.setattr(asyncio, "sleep", counted)
    await grants(pace, 81)
    assert len(sleeps) == 80


async def test_a_second_taker_is_a_bug() -> None:
    pace = ThrottlePace(1)
    await pace.take()
    first = asyncio.create_task(pace.take())
    await asyncio.sleep(0)
    with pytest.raises(BugError, match="two at once"):
        await pace.take()
    await first


async def test_a_taker_that_was_cancelled_leaves_the_pace_free() -> None:
    pace = ThrottlePace(0.5)
    await pace.take()
    first = asyncio.create_task(pace.take())
    await asyncio.sleep(0.5)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await pace.take()
    assert asyncio.get_running_loop().time() == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
async def test_a_rate_that_is_none_is_a_bug(rate: float) -> None:
    with pytest.raises(BugError, match="above 0"):
        ThrottlePace(rate)
