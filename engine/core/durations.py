"""Lengths of time as people write them, such as `90s` or `1.5h`."""

from __future__ import annotations

import re
from typing import Final

from engine.core import settings
from engine.core.text import SHOWN_VALUE_MAX_CHARS, clean

DURATION_HINT: Final = 'Write a number and a unit (ms, s, m, h or d), such as "90s" or "1.5h"'
_UNITS: Final = {"ms": 0.001, "s": settings.SECOND, "m": settings.MINUTE, "h": settings.HOUR, "d": settings.DAY}
_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
DURATION_PATTERN: Final = f"^{_DURATION.pattern}$"


def parse_duration(text: str) -> float:
    """Read `1s`, `1.5h` or `250ms` into seconds.

    Raises ValueError, with a message for people, when it is not a number with one of the units ms s m h d.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f'"{clean(text, SHOWN_VALUE_MAX_CHARS)}" is not a duration. {DURATION_HINT}')
    return float(found[1]) * _UNITS[found[2]]


def format_duration(seconds: float) -> str:
    """Return the written form in the largest unit that needs no fraction, `20m` for 1200 seconds."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _UNITS[unit] and (seconds / _UNITS[unit]).is_integer():
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    milliseconds = f"{seconds / _UNITS['ms']:.6f}".rstrip("0").rstrip(".")
    return f"{milliseconds}ms"
