"""The one switch of a run, on a clock that jumps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

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
