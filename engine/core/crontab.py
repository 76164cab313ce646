"""The times at which a fleet's hours begin and end, as lines of a crontab in UTC.

Most crons know no time zone. So each time is written as all the times in UTC that it is within a year: where daylight
saving moves a change by an hour there are two lines, and the run that comes early or late has nothing to do.

Pure. Not here: the command that a line runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from engine.core.hours import Hours

_YEAR: Final = timedelta(days=366)


class CronLine(NamedTuple):
    """One time of days, in UTC. `days` are those of cron, Sunday 0; `hours` are the texts of those that change then."""

    hour: int
    minute: int
    days: tuple[int, ...]
    hours: tuple[str, ...]

    @property
    def schedule(self) -> str:
        """Return the five fields of a crontab."""
        days = "*" if len(self.days) == 7 else ",".join(_ranges(self.days))
        return f"{self.minute} {self.hour} * * {days}"


def cron_lines(hours: Iterable[Hours], start: datetime) -> tuple[CronLine, ...]:
    """Return the lines that the year from `start` needs, by time of the day; none where nothing ever changes."""
    days: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    texts: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for one in hours:
        for change in _changes(one, start):
            days[change.hour, change.minute].add(change.isoweekday() % 7)
            texts[change.hour, change.minute].add(one.text)
    times = sorted(days)
    return tuple(CronLine(*time, tuple(sorted(days[time])), tuple(sorted(texts[time]))) for time in times)


def _changes(hours: Hours, start: datetime) -> Iterator[datetime]:
    change = hours.calendar.next_change(start)
    while change is not None and change < start + _YEAR:
        yield change
        change = hours.calendar.next_change(change)


def _ranges(days: tuple[int, ...]) -> Iterator[str]:
    """Yield `1-5` for days in a row, and single days as they are."""
    first = last = days[0]
    for day in (*days[1:], 99):
        if day == last + 1:
            last = day
            continue
        yield f"{first}-{last}" if last > first + 1 else f"{first},{last}" if last > first else f"{first}"
        first = last = day
