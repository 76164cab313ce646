"""A clock that goes on while the machine sleeps: what was read before a sleep is old after it."""

from __future__ import annotations

import time
from typing import Final

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # only Linux has the first


def since_boot() -> float:
    """Return seconds since the machine was started, sleep included where the system counts it."""
    return time.clock_gettime(_CLOCK)
