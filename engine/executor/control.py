"""When a run has to stop: asked to, out of time, or told so by a contradiction of its own.

Every call asks `may_call` just before it is made, and every wait of the executor is one of the two waits here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.executor.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.trouble import Trouble


class Control:
    """The one switch of a run. Times are the loop's clock, in seconds."""

    def __init__(self, deadline_s: float, on_stop: Callable[[Cause], None]) -> None:
        """Start the clock: the deadline is `deadline_s` seconds from now, and finite. Needs a running loop."""
        self._loop = asyncio.get_running_loop()
        self.started_at = self._loop.time()
        self.deadline_at = self.started_at + deadline_s
        self._on_stop = on_stop
        self.cause: Cause | None = None
        self.signal = ""
        self.stopped_at = float("inf")
        self._listeners: list[Callable[[], None]] = []
        self.stopped = asyncio.Event()
        self.aborted = asyncio.Event()
        self._deadline_s = deadline_s
        self._guard: Callable[[], Trouble | None] = lambda: None
        self.lost: Trouble | None = None
        # Noticed also while everything waits for a back-off.
        self._alarm = self._loop.call_at(self.deadline_at, self.may_call)

    def restart(self) -> None:
        """Start the clock again: what passed before was a person's time, not the run's."""
        self.started_at = self._loop.time()
        self.deadline_at = self.started_at + self._deadline_s
        self._alarm.cancel()
        self._alarm = self._loop.call_at(self.deadline_at, self.may_call)

    def now(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def may_call(self) -> bool:
        """Whether a new call may be made now; notices the deadline, and what the guard finds."""
        if self.cause is not None:
            return False
        if self.now() >= self.deadline_at:
            self.stop(Cause.DEADLINE)
        elif (lost := self._guard()) is not None:
            self.lost = lost
            self.stop(Cause.LOCK_LOST)
        return self.cause is None

    def guard_with(self, guard: Callable[[], Trouble | None]) -> None:
        """Ask `guard` before each call whether the run still has the right to make one; a trouble says why not."""
        self._guard = guard

    def may_look(self, drain_max_s: float) -> bool:
        """Whether a read that settles an unknown outcome may still be made."""
        self.may_call()
        now = self.now()
        if self.cause is None:
            return True
        if self.aborted.is_set() or self.cause is Cause.DEADLINE:
            return False
        return now < min(self.stopped_at + drain_max_s, self.deadline_at)

    def stop(self, cause: Cause) -> None:
        """Make no new calls; what is in flight ends by itself. The first cause stands."""
        if self.cause is None:
            self.cause = cause
            self.stopped_at = self.now()
            self.stopped.set()
            self._on_stop(cause)
            self._tell()

    def tell(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the run is stopped or aborted from now on; at once when it is already."""
        self._listeners.append(listener)
        if self.cause is not None:
            listener()

    def forget(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners.remove(listener)

    def interrupt(self, signal: str = "") -> None:
        """Handle a signal by its name: the first one stops, a second one aborts."""
        if self.cause is None:
            self.signal = signal
            self.stop(Cause.INTERRUPTED)
        else:
            self.abort()

    def abort(self) -> None:
        """End within a moment, calls in flight included."""
        self.stop(Cause.INTERRUPTED)
        self.aborted.set()
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


async def wait_for(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait until `event` is set, at most `timeout_s` seconds (infinity: without end); whether it is set.

    It lets others run even when there is nothing to wait for, so that no loop around it can hold the whole run up.
    """
    if timeout_s <= 0.0 or event.is_set():
        await asyncio.sleep(0.0)
        return event.is_set()
    try:
        async with asyncio.timeout(None if timeout_s == float("inf") else timeout_s):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
