"""The limit on calls a second: a token bucket for each account, region and operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import Field

from engine.simulator.world.values import Number


class RequestLimit(NamedTuple):
    """`rate` calls a second go through for ever, and `burst` at once after a pause."""

    rate: Annotated[Number, Field(gt=0)]
    burst: Number

    @classmethod
    def of(cls, rate: float, burst: float) -> RequestLimit | None:
        """Return the limit, or None where a rate of 0 lifts it."""
        return cls(rate, burst) if rate > 0 else None


@dataclass(slots=True)
class TokenBucket:
    """The state of one limit. `tokens` were there at `at`, in epoch seconds."""

    limit: RequestLimit
    tokens: float
    at: float

    def take(self, now: float) -> bool:
        """Use a token if there is one."""
        self.refill(now)
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True

    def refill(self, now: float) -> None:
        """Put in what has come since the last look."""
        if now > self.at:
            self.tokens = min(self.limit.burst, self.tokens + (now - self.at) * self.limit.rate)
            self.at = now

    def change(self, limit: RequestLimit, now: float) -> None:
        """Go on under another limit; tokens above its burst are lost."""
        self.refill(now)
        self.limit = limit
        self.tokens = min(self.tokens, limit.burst)
