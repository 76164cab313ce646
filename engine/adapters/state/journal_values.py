"""The values of a journal, checked as if a stranger had written them: a kind, and bounds, for each.

Whoever reads a row passes every column through here. Raises ValueError, which makes the journal a damaged one. Not
here: what becomes of a damaged journal (`journal`, `journal_reader`).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from engine.core import identity
from engine.core.limits import DURATION_MAX_SECONDS, JOURNAL_TEXT_MAX_CHARS, KEPT_COUNT_MAX_COUNT, MOMENT_MAX_SECONDS
from engine.core.settings import RATE_PER_SECOND

_KINDS: Final = (int, float)


def moment(value: Any) -> float:
    """Return a time in epoch seconds."""
    return _number(value, 0.0, MOMENT_MAX_SECONDS)


def moment_or_none(value: Any) -> float | None:
    """Return a time in epoch seconds, or None where none was written."""
    return None if value is None else moment(value)


def duration(value: Any) -> float:
    """Return a length of time in seconds."""
    return _number(value, 0.0, DURATION_MAX_SECONDS)


def rate(value: Any) -> float:
    """Return a rate that a run may have learnt, in calls per second."""
    return _number(value, RATE_PER_SECOND.low, RATE_PER_SECOND.high)


def count(value: Any) -> int:
    """Return how many there are of something."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= KEPT_COUNT_MAX_COUNT:
        raise ValueError("a journal holds a value that is not a count")
    return value


def text(value: Any) -> str:
    """Return a text of bounded length; an empty one where none was written."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > JOURNAL_TEXT_MAX_CHARS:
        raise ValueError("a journal holds a value that is not a text, or is too long")
    return value


def key_or_none(value: Any) -> identity.AppKey | None:
    """Return a key, or None for a row that another version wrote in another form."""
    return identity.key_or_none(text(value))


def row(columns: Iterable[Any], kinds: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """Return the columns of a row, each read as its kind."""
    return [read(value) for read, value in zip(kinds, columns, strict=True)]


def form_of(connection: sqlite3.Connection) -> int:
    """Return the form of a journal's tables, 0 where there are none yet; raises sqlite3.Error."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _number(value: Any, least: float, most: float) -> float:
    if not isinstance(value, _KINDS) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("a journal holds a value that is not a number")
    if not least <= value <= most:
        raise ValueError("a journal holds a number that no run writes")
    return float(value)
