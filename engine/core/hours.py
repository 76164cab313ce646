"""Hours of apps: the calendar that says when an app is wanted, which hours are open, and whether a tag keeps an app.

Pure: the instant is passed in. Not here: the windows (`windows`), what they mean in time (`calendars`), or what is done
about an app outside its hours (`decision`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from engine.core.calendars import Calendar
from engine.core.limits import CALENDAR_FIRST_YEAR, CALENDAR_LAST_YEAR
from engine.core.text import SHOWN_VALUE_MAX_CHARS, clean

CLEARED: Final = "None"  # takes away the hours that a lower layer set
HOURS_RULE: Final = "hours"  # of the findings of a plan
KEEP_UNTIL_TAG: Final = "appfleet:keep-until"
INSTANT_EXAMPLE: Final = "2026-12-31T20:00:00Z"
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_NAMED_MAX: Final = timedelta(days=6)  # a weekday alone is clear for so long


@dataclass(frozen=True, slots=True)
class Hours:
    """When an app is wanted. `text` is as written: the name of a calendar, or a window; one text is one calendar."""

    text: str
    calendar: Calendar = field(hash=False)

    def local(self, instant: datetime, now: datetime) -> str:
        """Return `Mon 08:00` for an instant that is near `now`, else `2027-01-04 08:00`, as the calendar's clock."""
        near = timedelta(0) <= instant - now <= _DAYS_NAMED_MAX
        return f"{instant.astimezone(self.calendar.zone):{'%a %H:%M' if near else '%Y-%m-%d %H:%M'}}"


@dataclass(frozen=True, slots=True)
class HoursAt:
    """Which hours are closed at an instant, by their texts: each calendar is asked once for a whole fleet."""

    instant: datetime = _EPOCH
    closed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, hours: Iterable[Hours], instant: datetime) -> HoursAt:
        """Ask every calendar."""
        return cls(instant, frozenset(one.text for one in hours if not one.calendar.is_inside(instant)))

    def is_outside(self, hours: Hours | None) -> bool:
        """Whether an app with these hours is not wanted now."""
        return hours is not None and hours.text in self.closed

    def back(self, hours: Hours) -> str:
        """Return `back Mon 08:00` for an app that is outside its hours, or an empty text for one that never is back."""
        change = hours.calendar.next_change(self.instant)
        return "" if change is None else f"back {hours.local(change, self.instant)}"


def parse_instant(text: str) -> datetime | None:
    """Read an RFC 3339 time, in UTC; None for what is not one, or is too far away."""
    if _RFC3339.fullmatch(text) is None:
        return None
    try:
        found = datetime.fromisoformat(text.upper())
        return found.astimezone(UTC) if CALENDAR_FIRST_YEAR <= found.year <= CALENDAR_LAST_YEAR else None
    except (ValueError, OverflowError):
        return None


def why_kept(tag: str, instant: datetime) -> str:
    """Say why an app with this value of the tag keep-until is not stopped now; empty where it is, or has no such tag.

    A value that is not a time keeps the app: somebody meant to keep it, and an app that runs on loses nobody's work.
    """
    if not tag:
        return ""
    until = parse_instant(tag)
    if until is None:
        shown = clean(tag, SHOWN_VALUE_MAX_CHARS)
        return f'its tag {KEEP_UNTIL_TAG} is "{shown}", which is not an RFC 3339 time such as {INSTANT_EXAMPLE}'
    return f"its tag {KEEP_UNTIL_TAG} keeps it until {until:%Y-%m-%d %H:%M} UTC" if instant < until else ""


@dataclass(frozen=True, slots=True)
class HoursLine:
    """One calendar beside a plan: how many of the apps that are planned have it, and when it opens or closes next.

    `change` is an ISO 8601 time in UTC and `local` the same on the calendar's clock; both are empty for never.
    """

    hours: str
    zone: str
    is_open: bool
    apps: int
    change: str = ""
    local: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `hours`."""
        shown = asdict(self)
        return {**{name: value for name, value in shown.items() if name != "is_open"}, "open": self.is_open}


def hours_lines(counts: Mapping[Hours, int], at: HoursAt) -> tuple[HoursLine, ...]:
    """Return a line for each of these hours, with the number of its apps, sorted."""
    return tuple(_line(hours, apps, at) for hours, apps in sorted(counts.items(), key=lambda pair: pair[0].text))


def _line(hours: Hours, apps: int, at: HoursAt) -> HoursLine:
    change = hours.calendar.next_change(at.instant)
    told = ("", "") if change is None else (f"{change:%Y-%m-%dT%H:%M:%SZ}", hours.local(change, at.instant))
    return HoursLine(hours.text, hours.calendar.zone_name, hours.text not in at.closed, apps, *told)
