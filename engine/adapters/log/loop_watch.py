"""Whether the event loop comes to its work in time.

A loop that is held up (a disk that does not answer, a machine that slept) delays every call and every answer, and
nothing else would tell. Delays and deadlines are measured by the loop's monotonic clock, so they hold all the same.
"""

from __future__ import annotations

import asyncio
from typing import Self

from engine.core.limits import LOOP_LATE_MAX_SECONDS, LOOP_LOOK_SECONDS
from engine.ports.events import Emit, LoopWasLate


class LoopWatch:
    """A context manager: inside it, a look that comes too late is told as an event."""

    def __init__(self, loop: asyncio.AbstractEventLoop, emit: Emit) -> None:
        self._loop = loop
        self._emit = emit
        self._due_at = 0.0
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._arm()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()

    def _arm(self) -> None:
        self._due_at = self._loop.time() + LOOP_LOOK_SECONDS
        self._next = self._loop.call_at(self._due_at, self._look)

    def _look(self) -> None:
        late_s = self._loop.time() - self._due_at
        if late_s > LOOP_LATE_MAX_SECONDS:
            self._emit(LoopWasLate(round(late_s, 3)))
        self._arm()
