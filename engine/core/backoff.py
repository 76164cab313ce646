"""Back-off as arithmetic: numbers in, seconds out. The jitter is passed in, so there is no randomness here."""

from __future__ import annotations

from typing import Final

from engine.core.settings import Backoff

# factor ** attempt overflows long after the ceiling is reached; no attempt count above this changes a result.
_EXPONENT_MAX: Final = 64


def ceiling_s(backoff: Backoff, failures: int) -> float:
    """Return the longest delay after `failures` failures in a row (1 or more), in seconds."""
    exponent = min(max(failures, 1) - 1, _EXPONENT_MAX)
    return min(backoff.max, backoff.initial * backoff.factor**exponent)


def delay_s(backoff: Backoff, failures: int, jitter: float) -> float:
    """Return the delay with full jitter: anywhere between nothing and the ceiling.

    `jitter` lies in [0, 1). Full jitter spreads callers that failed together over the whole interval.
    """
    return ceiling_s(backoff, failures) * jitter
