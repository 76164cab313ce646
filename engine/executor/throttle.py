"""The adaptive throttle: how many calls a second a lane may make, learnt from what the service answers.

A lane starts at its configured rate and doubles each second until the service throttles it once; from then on
it falls by a tenth with each burst of throttled calls and climbs back. It knows numbers and times alone: the waiting is
done by `ports.pace`, and the caller says what was the brake.

Two things keep it close to the limit without pushing against it. A throttled call that was sent before the last
cut says nothing new, so a burst is answered once. And the rate at which the last burst came is remembered as the
limit: below it the climb is quick, near it slow, and well above it, when no throttle came, quick again, since then
the limit has been raised.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.core.limits import RATE_FLOOR_PER_SECOND

CUT_FACTOR: Final = 0.9
CLIMB_PER_SECOND_SQUARED: Final = 2.0
CLIMB_SHARE_PER_SECOND: Final = 0.05  # of the limit: a low one is climbed to gently, or it is bumped into
CREEP_SHARE_OF_CLIMB: Final = 0.25
DOUBLING_SECONDS: Final = 1.0
NEAR_LIMIT_LOW: Final = 0.97  # of the limit: from here on the climb is a creep
NEAR_LIMIT_HIGH: Final = 1.03  # of the limit: from here on the limit is taken to have been raised
DELIVERED_WINDOW_SECONDS: Final = 1.0


class AdaptiveRate:
    """The rate of one lane, in calls per second. Times are seconds on any clock that does not run backwards."""

    __slots__ = ("_ceiling", "_cut_at", "_delivered", "_limit", "rate", "throttled")

    def __init__(self, start: float, ceiling: float, *, limit_is_known: bool = False) -> None:
        """Begin at `start`; never go above `ceiling`. `limit_is_known`: an earlier run learnt `start`."""
        self._ceiling = ceiling
        self.rate = max(min(start, ceiling), min(RATE_FLOOR_PER_SECOND, ceiling))
        self._limit: float | None = self.rate if limit_is_known else None
        self._cut_at = float("-inf")
        self._delivered: deque[float] = deque()
        self.throttled = False

    @property
    def learnt(self) -> float | None:
        """The rate to begin with next time, or None while the service has not shown its limit."""
        return self.rate if self.throttled else None

    def granted(self, braked_s: float) -> bool:
        """Grow for `braked_s` seconds in which the throttle alone held calls back; whether the rate moved."""
        if braked_s <= 0.0 or self.rate >= self._ceiling:
            return False
        before = self.rate
        if self._limit is None:
            self.rate *= 2.0 ** (braked_s / DOUBLING_SECONDS)
        else:
            near = NEAR_LIMIT_LOW * self._limit <= self.rate < NEAR_LIMIT_HIGH * self._limit
            climb = min(CLIMB_PER_SECOND_SQUARED, CLIMB_SHARE_PER_SECOND * max(self._limit, self.rate))
            self.rate += (climb * CREEP_SHARE_OF_CLIMB if near else climb) * braked_s
        self.rate = min(self.rate, self._ceiling)
        return self.rate != before

    def accepted(self, now: float) -> None:
        """Note a call that the service did not throttle."""
        self._delivered.append(now)
        self._forget(now)

    def refused(self, sent_at: float, now: float) -> bool:
        """Handle one throttled call; return whether the rate was cut (once per burst)."""
        if sent_at <= self._cut_at:
            return False
        self._forget(now)
        cut = self.rate * CUT_FACTOR
        if self._limit is None:
            # The doubling overshot by up to a half: what came through in the last second is the better guess.
            cut = min(cut, max(self.rate / 2.0, len(self._delivered) / DELIVERED_WINDOW_SECONDS))
            self._limit = cut
        else:
            self._limit = self.rate
        self.rate = max(cut, min(RATE_FLOOR_PER_SECOND, self._ceiling))
        self._cut_at = now
        self.throttled = True
        return True

    def _forget(self, now: float) -> None:
        while self._delivered and self._delivered[0] <= now - DELIVERED_WINDOW_SECONDS:
            self._delivered.popleft()
