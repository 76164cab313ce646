"""A loop that comes late to its work is told of."""

from __future__ import annotations

import asyncio

from engine.adapters.log.loop_watch import LoopWatch
from engine.ports.events import Event, LoopWasLate
from tests.simulation.virtual_loop import VirtualLoop


def test_a_loop_that_comes_late_is_told() -> None:
    """Row 55: the lag is an event, with how long it was."""
    loop, events = VirtualLoop(), list[Event]()

    async def night() -> None:
        await asyncio.sleep(2.5)
        loop.start_at(loop.time() + 3.0)  # time passes in which nothing ran
        await asyncio.sleep(5.0)

    with LoopWatch(loop, events.append):
        loop.run_until_complete(night())
    loop.close()
    assert events == [LoopWasLate(2.5)]


def test_a_watch_that_is_over_looks_no_more() -> None:
    loop, events = VirtualLoop(), list[Event]()
    with LoopWatch(loop, events.append):
        pass
    loop.start_at(100.0)
    loop.run_until_complete(_nothing())
    loop.close()
    assert events == []


async def _nothing() -> None:
    """Let the loop turn once."""
