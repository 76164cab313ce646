"""Our own limit on calls a second, by asyncio-throttle, taken by one dispatcher.

The library counts calls in a sliding window and polls until one leaves it. A window of a twentieth of a second, or of
one call where that is longer, keeps bursts small and lets fractional rates work; and the poll is timed to the moment at
which the window has room, so that waiting costs next to nothing. Taken by many at once it would poll for each of them
and lose their order, hence one taker.

Not here: how the rate moves (`executor.throttle`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import ceil
from typing import Final

from asyncio_throttle.throttler import Throttler

from engine.core.errors import BugError
from engine.core.settings import RATE_PER_SECOND

_WINDOWS_PER_SECOND: Final = 20
_POLL_MIN_SECONDS: Final = 0.001
_POLL_MAX_SECONDS: Final = 0.25  # so that a rate that rose is seen soon
_LATENESS_MAX_SECONDS: Final = 0.002  # what may be caught up; more would be a burst after a pause
_WINDOW_EDGE_SECONDS: Final = 0.00001  # the library lets a call leave the window after its time, not at it
_GRANTS_KEPT_COUNT: Final = ceil(RATE_PER_SECOND.high / _WINDOWS_PER_SECOND)


class ThrottlePace:
    """`ports.pace.Pace` over one Throttler. Made inside a running loop; time is the loop's.

    A timer fires up to a millisecond or two late, and windows that began late would add that up to several percent.
    So each grant has the moment at which it was due, windows count from those moments, and the library's period is
    shortened by what the oldest grant came late.
    """

    def __init__(self, calls_per_second: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._throttler = Throttler(1)
        self._due: deque[float] = deque(maxlen=_GRANTS_KEPT_COUNT)
        self._granted: deque[float] = deque(maxlen=_GRANTS_KEPT_COUNT)
        self._is_taking = False
        self._limit = 1
        self._period_seconds = 1.0
        self.set_rate(calls_per_second)

    def set_rate(self, calls_per_second: float) -> None:
        """Change the rate for the calls to come. `calls_per_second` is above 0; fractions are allowed."""
        if not 0 < calls_per_second < float("inf"):
            raise BugError(f"a pace of {calls_per_second} calls per second is not possible; it must be above 0")
        self._limit = min(ceil(calls_per_second / _WINDOWS_PER_SECOND), _GRANTS_KEPT_COUNT)
        self._period_seconds = self._limit / calls_per_second
        self._throttler.rate_limit = self._limit
        self._throttler.period = self._period_seconds

    async def take(self) -> None:
        """Wait for the right to make one call. Raises BugError for a second taker at the same time."""
        if self._is_taking:
            raise BugError("a pace is taken by two at once")
        self._is_taking = True
        try:
            self._aim()
            await self._throttler.acquire()  # type: ignore[no-untyped-call]  # the library has no types
        finally:
            self._is_taking = False
        now = self._loop.time()
        room_at = self._room_at()
        self._due.append(now if room_at is None else max(room_at, now - _LATENESS_MAX_SECONDS))
        self._granted.append(now)

    def _room_at(self) -> float | None:
        """Return when the window has room for one more call, or None when it has had room all along."""
        return None if len(self._due) < self._limit else self._due[-self._limit] + self._period_seconds

    def _aim(self) -> None:
        """Set the library's period and its poll, so that a whole number of polls ends when the window has room."""
        room_at = self._room_at()
        if room_at is None:
            self._throttler.period, self._throttler.retry_interval = self._period_seconds, _POLL_MIN_SECONDS
            return
        self._throttler.period = room_at - self._granted[-self._limit]
        wait = room_at + _WINDOW_EDGE_SECONDS - self._loop.time()
        self._throttler.retry_interval = max(_POLL_MIN_SECONDS, wait / max(1, ceil(wait / _POLL_MAX_SECONDS)))
