"""Calendars: which instants lie inside the windows of a time zone, and when that changes.

Windows are read on a clock on the wall. Where daylight saving turns that clock back, a window opens the first time that
the clock shows its start and closes the last time that it shows its end, so it never opens twice in one night. Where it
turns the clock forward over a start or an end, that is the moment of the change; what lies wholly in the hour
that never comes has no time that day.

Pure: instants are passed in, aware of their zone, and those returned are in UTC. Not here: text (`windows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import Final, NamedTuple

from engine.core.limits import CALENDAR_CHANGES_MAX_COUNT
from engine.core.windows import DAY_MINUTES, Window, in_one_week

_DAY: Final = timedelta(days=1)
_YEAR: Final = timedelta(days=365)
_SECOND: Final = timedelta(seconds=1)
_WEEK_OF_EDGES_DAYS: Final = 9  # every window of a week opens and closes once in these
_WHOLE: Final = ((0, DAY_MINUTES),)


class Stretch(NamedTuple):
    """A stretch of time, `start` included and `end` not, both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Calendar:
    """The windows of one zone, without the days that are closed; `zone_name` is the zone's IANA name."""

    windows: tuple[Window, ...]
    zone: tzinfo
    zone_name: str
    closed: frozenset[date] = frozenset()

    def is_inside(self, instant: datetime) -> bool:
        """Whether an instant lies inside."""
        day = instant.astimezone(self.zone).date()
        return any(one.start <= instant < one.end for near in (day, day + _DAY) for one in self._of_day(near))

    def next_change(self, instant: datetime) -> datetime | None:
        """Return the first instant after this one at which inside becomes outside or the reverse; None for never."""
        inside = self.is_inside(instant)
        edges = (edge for day in self._days_from(instant.astimezone(self.zone).date()) for edge in self._edges(day))
        return next((edge for edge in edges if edge > instant and self.is_inside(edge) is not inside), None)

    def stretches(self, start: datetime, end: datetime) -> Iterator[Stretch]:
        """Yield, in order and apart from each other, the parts of the time from `start` to `end` that lie inside."""
        day, last = (one.astimezone(self.zone).date() for one in (start, end))
        open_: Stretch | None = None
        while day <= last + _DAY:
            for one in self._of_day(day):
                if open_ is not None and one.start <= open_.end:
                    open_ = Stretch(open_.start, max(open_.end, one.end))
                    continue
                yield from _clipped(open_, start, end)
                open_ = one
            day += _DAY
        yield from _clipped(open_, start, end)

    def share_open(self, start: datetime) -> float:
        """Return which share of the year from `start` lies inside: what part of a month an app of it runs."""
        end = start + _YEAR
        return sum(((one.end - one.start) for one in self.stretches(start, end)), timedelta()) / _YEAR

    @cached_property
    def _weekly(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The minutes inside of each day of a week, from Monday, sorted."""
        days: list[list[tuple[int, int]]] = [[] for _ in range(7)]
        for span in (part for window in self.windows for whole in window.spans for part in in_one_week(whole)):
            for index, day in enumerate(days):
                first = index * DAY_MINUTES
                start, end = max(span.start - first, 0), min(span.end - first, DAY_MINUTES)
                if start < end:
                    day.append((start, end))
        return tuple(tuple(sorted(day)) for day in days)

    @cached_property
    def _dates(self) -> tuple[tuple[date, date], ...]:
        return tuple(window.dates for window in self.windows if window.dates is not None)

    def _of_day(self, day: date) -> Iterator[Stretch]:
        """Yield what lies inside of one day on the wall."""
        if day in self.closed:
            return
        whole = any(first <= day <= last for first, last in self._dates)
        for start, end in _WHOLE if whole else self._weekly[day.weekday()]:
            stretch = Stretch(self._opens(day, start), self._closes(day, end))
            if stretch.start < stretch.end:
                yield stretch

    def _edges(self, day: date) -> Iterator[datetime]:
        yield self._opens(day, 0)
        for one in self._of_day(day):
            yield from one

    def _days_from(self, day: date) -> Iterator[date]:
        """Yield, in order, the days on which the first change after `day` can be."""
        known = {*self.closed, *(one for dates in self._dates for one in dates)}
        days = {one + step * _DAY for one in known if one >= day for step in (0, 1)}
        if any(self._weekly) and any(times != _WHOLE for times in self._weekly):
            days |= {day + step * _DAY for step in range(_WEEK_OF_EDGES_DAYS + 7 * len(self.closed))}
        return iter(sorted(days))

    def _opens(self, day: date, minute: int) -> datetime:
        return _first_shown(_on_wall(day, minute), self.zone)

    def _closes(self, day: date, minute: int) -> datetime:
        wall, midnight = _on_wall(day, minute), self._opens(day, DAY_MINUTES)
        return min(max(_first_shown(wall, self.zone), _last_shown(wall, self.zone)), midnight)


def is_inside_any(calendars: Iterable[Calendar], instant: datetime) -> bool:
    """Whether an instant lies inside of one of these."""
    return any(one.is_inside(instant) for one in calendars)


def next_change_of(calendars: Sequence[Calendar], instant: datetime) -> datetime | None:
    """Return the first instant after this one at which none of them becomes one of them, or one of them none."""
    inside = is_inside_any(calendars, instant)
    at = instant
    for _ in range(CALENDAR_CHANGES_MAX_COUNT):
        edges = [edge for one in calendars if (edge := one.next_change(at)) is not None]
        if not edges:
            break
        at = min(edges)
        if is_inside_any(calendars, at) is not inside:
            return at
    return None


def _clipped(one: Stretch | None, start: datetime, end: datetime) -> Iterator[Stretch]:
    if one is not None and max(one.start, start) < min(one.end, end):
        yield Stretch(max(one.start, start), min(one.end, end))


def _on_wall(day: date, minute: int) -> datetime:
    """Return what the clock on the wall shows at a minute of a day; minute 1440 is the next day's midnight."""
    days, rest = divmod(minute, DAY_MINUTES)
    return datetime.combine(day + days * _DAY, time(rest // 60, rest % 60))


def _first_shown(wall: datetime, zone: tzinfo) -> datetime:
    """Return the first instant at which the clock shows `wall`, or something later where it never shows it."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(instant, zone) == wall:
        return instant
    low, high = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant  # before and after the change
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        low, high = (low, middle) if _wall(middle, zone) >= wall else (middle, high)
    return high


def _last_shown(wall: datetime, zone: tzinfo) -> datetime:
    return wall.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _wall(instant: datetime, zone: tzinfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)
