"""Windows of time as people write them, such as `Mon-Fri 08:00-19:00 Europe/Berlin` and `2026-12-20/2027-01-03`.

Times are those of a clock on the wall, in whole minutes; the zone is a name. Not here: which instants they are
(`calendars`), and where a zone comes from (`config.service.zones`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations, pairwise
from typing import Final, NamedTuple

from engine.core.limits import CALENDAR_FIRST_YEAR, CALENDAR_LAST_YEAR
from engine.core.text import SHOWN_VALUE_MAX_CHARS, clean

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES
WINDOW_HINT: Final = (
    'Write days and times, such as "Mon-Fri 08:00-19:00", or from a day to another: "Fri 16:00-Mon 06:00"'
)
DATES_HINT: Final = 'Write the first and the last day, such as "2026-12-20/2027-01-03"'

_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_START: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_END: Final = rf"{_START}|24:00"
_ZONE: Final = r"(?: (?P<zone>[A-Za-z][A-Za-z0-9_+/-]{0,63}))?"
_DAILY: Final = rf"(?P<days>{_DAY}(?:[-,]{_DAY})*) (?P<start>{_START})-(?P<end>{_END})"
_ACROSS: Final = rf"(?P<first>{_DAY}) (?P<from>{_START})-(?P<last>{_DAY}) (?P<to>{_END})"
_DATES: Final = r"(?P<first>[0-9]{4}-[0-9]{2}-[0-9]{2})/(?P<last>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_DAILY_FORM: Final = re.compile(_DAILY + _ZONE)
_ACROSS_FORM: Final = re.compile(_ACROSS + _ZONE)
_DATES_FORM: Final = re.compile(_DATES + _ZONE)


class WindowFault(ValueError):
    """A text that is not a window; `message` and `hint` are for people."""

    def __init__(self, message: str, hint: str = WINDOW_HINT) -> None:
        """Keep both parts."""
        super().__init__(f"{message}. {hint}")
        self.message = message
        self.hint = hint


class Span(NamedTuple):
    """Minutes of a week from Monday 00:00, `start` included and `end` not; `end` may lie in the next week."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """One window as written: spans of each week, or days of the calendar; `zone` is empty where none is written."""

    text: str
    spans: tuple[Span, ...] = ()
    dates: tuple[date, date] | None = None
    zone: str = ""


def parse_window(text: str) -> Window:
    """Read `Mon-Fri 08:00-19:00 [ZONE]` or `Fri 16:00-Mon 06:00 [ZONE]`; raises WindowFault."""
    if found := _DAILY_FORM.fullmatch(text):
        start, end = _minutes(found["start"]), _minutes(found["end"])
        starts = (day * DAY_MINUTES for day in _days(text, found["days"]))
        spans = tuple(_span(text, day + start, day + end, DAY_MINUTES) for day in starts)
    elif found := _ACROSS_FORM.fullmatch(text):
        first, last = (DAYS.index(found[name]) * DAY_MINUTES for name in ("first", "last"))
        spans = (_span(text, first + _minutes(found["from"]), last + _minutes(found["to"]), WEEK_MINUTES),)
    else:
        raise WindowFault(f"{_shown(text)} is not a window of a week")
    return Window(text, spans, None, found["zone"] or "")


def parse_freeze(text: str) -> Window:
    """Read a window of each week, or days of the calendar, `2026-12-20/2027-01-03 [ZONE]`; raises WindowFault."""
    found = _DATES_FORM.fullmatch(text)
    if found is None:
        if "/" in text.split(" ", maxsplit=1)[0]:
            raise WindowFault(f"{_shown(text)} does not name two days", DATES_HINT)
        return parse_window(text)
    try:
        first, last = date.fromisoformat(found["first"]), date.fromisoformat(found["last"])
    except ValueError:
        raise WindowFault(f"{_shown(text)} names a day that does not exist", DATES_HINT) from None
    if not CALENDAR_FIRST_YEAR <= first.year <= last.year <= CALENDAR_LAST_YEAR and first <= last:
        hint = f"Name days from {CALENDAR_FIRST_YEAR} to {CALENDAR_LAST_YEAR}"
        raise WindowFault(f"{_shown(text)} is too far away", hint)
    if last < first:
        raise WindowFault(f"{_shown(text)} ends before it starts", DATES_HINT)
    return Window(text, (), (first, last), found["zone"] or "")


def overlap(windows: Iterable[Window]) -> tuple[Window, Window] | None:
    """Return two windows of a week that share a minute, or one twice where it overlaps itself; None where none do."""
    parts = [(part, window) for window in windows for span in window.spans for part in in_one_week(span)]
    parts.sort(key=lambda one: one[0])
    for (one, first), (other, second) in pairwise(parts):
        if other.start < one.end:
            return first, second
    return None


def in_one_week(span: Span) -> Iterator[Span]:
    """Yield the parts of a span that lie in one week each, both counted from its Monday."""
    yield Span(span.start, min(span.end, WEEK_MINUTES))
    if span.end > WEEK_MINUTES:
        yield Span(0, span.end - WEEK_MINUTES)


def _days(text: str, written: str) -> list[int]:
    """Return the days that `Mon-Thu,Sat` names; a range may pass the end of the week."""
    found: list[int] = []
    for part in written.split(","):
        first, *rest = (DAYS.index(name) for name in part.split("-"))
        if len(rest) > 1:
            raise WindowFault(f"{_shown(text)} has a range of three days")
        last = rest[0] if rest else first
        found += [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    for one, other in combinations(found, 2):
        if one == other:
            raise WindowFault(f"{_shown(text)} names {DAYS[one]} twice", "Name each day once")
    return found


def _span(text: str, start: int, end: int, repeats: int) -> Span:
    """Return one span; an end before its start is one day, or one week, later."""
    if start == end:
        hint = 'For a whole day write 00:00-24:00, such as "Sat 00:00-24:00"'
        raise WindowFault(f"{_shown(text)} ends where it starts", hint)
    return Span(start, end if end > start else end + repeats)


def _minutes(written: str) -> int:
    return int(written[:2]) * 60 + int(written[3:])


def _shown(text: str) -> str:
    return f'"{clean(text, SHOWN_VALUE_MAX_CHARS)}"'
