"""Times that are only known roughly, in words. Not here: exact durations (`render.layout`)."""

from __future__ import annotations

_IN_SECONDS_BELOW = 100
_IN_MINUTES_BELOW = 100


def rough(seconds: float) -> str:
    """Return a time as `8 s`, `3 min` or `2 h 10 min`: no finer than anybody can know it."""
    whole = max(round(seconds), 1)
    if whole < _IN_SECONDS_BELOW:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < _IN_MINUTES_BELOW:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest // 10 * 10} min" if rest >= 10 else f"{hours} h"
