"""The one switch of a run, on a clock that jumps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from engine.core.trouble import Trouble
from engine.executor.cause import Cause
from engine.executor.control import Control
from tests.simulation.virtual_loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def in_a_loop(work: Callable[[VirtualLoop], Awaitable[None]]) -> None:
    loop = VirtualLoop(None)

    async def main() -> None:
        await work(loop)

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("asked_s", [50.0, 5_000.0])
def test_the_time_in_which_a_person_was_asked_is_not_the_runs(asked_s: float) -> None:
    """However long that was: the deadline is then as far away as at first, and comes by itself."""
    stops: list[Cause] = []

    async def work(loop: VirtualLoop) -> None:
        control = Control(60.0, stops.append)
        loop.start_at(loop.time() + asked_s)  # nothing else runs while the question stands there
        control.restart()
        assert control.started_at == asked_s
        await asyncio.sleep(59.0)
        assert control.may_call()
        assert stops == []
        await control.stopped.wait()
        assert control.now() == pytest.approx(asked_s + 60.0)

    in_a_loop(work)
    assert stops == [Cause.DEADLINE]


def test_a_run_that_was_stopped_before_its_clock_began_again_stays_stopped() -> None:
    async def work(_: VirtualLoop) -> None:
        control = Control(60.0, lambda _: None)
        control.interrupt("SIGTERM")
        control.restart()
        assert not control.may_call()
        assert (control.cause, control.signal) == (Cause.INTERRUPTED, "SIGTERM")

    in_a_loop(work)


def test_a_run_that_lost_its_lock_makes_no_more_calls_and_says_why() -> None:
    """The guard is asked before each call. What it found once holds, and the deadline behind it changes nothing."""
    stops: list[Cause] = []
    found: list[Trouble | None] = [None, Trouble("lock_lost", "the lock was removed")]
    asked: list[float] = []

    async def work(loop: VirtualLoop) -> None:
        control = Control(60.0, stops.append)

        def guard() -> Trouble | None:
            asked.append(loop.time())
            return found[len(asked) - 1]

        control.guard_with(guard)
        assert control.may_call()
        assert control.lost is None
        await asyncio.sleep(5.0)
        assert not control.may_call()
        assert (control.cause, control.lost, control.stopped_at) == (Cause.LOCK_LOST, found[1], 5.0)
        await asyncio.sleep(100.0)
        assert not control.may_call()
        assert asked == [0.0, 5.0]

    in_a_loop(work)
    assert stops == [Cause.LOCK_LOST]


def test_behind_the_deadline_nobody_is_asked_whether_the_lock_is_there() -> None:
    async def work(_: VirtualLoop) -> None:
        control = Control(60.0, lambda _: None)
        control.guard_with(lambda: Trouble("lock_lost", "the lock was removed"))
        control.deadline_at = control.now()
        assert not control.may_call()
        assert (control.cause, control.lost) == (Cause.DEADLINE, None)

    in_a_loop(work)
