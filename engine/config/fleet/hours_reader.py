"""`[calendars.NAME]` and every `hours` of a fleet: names and windows become calendars, or problems at their lines.

Imported by a fleet that has either, and by no other: time zones cost `validate` more than all the rest of a small one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from engine.config.fleet.fleet_models import CalendarTable
from engine.config.fleet.written import CalendarDef, WrittenHours
from engine.config.reading.model_errors import check_table
from engine.config.reading.problems import Code, Place, Problems, nearest, show_value
from engine.config.service.zones import zone_named
from engine.core.calendars import Calendar
from engine.core.hours import CLEARED, Hours
from engine.core.limits import (
    CALENDAR_CLOSED_MAX_COUNT,
    CALENDAR_FIRST_YEAR,
    CALENDAR_LAST_YEAR,
    CALENDAR_WINDOWS_MAX_COUNT,
)
from engine.core.windows import Window, WindowFault, overlap, parse_window

T = TypeVar("T")

_EXAMPLE: Final = "Mon-Fri 08:00-19:00 Europe/Berlin"
_FIRST, _LAST = CALENDAR_FIRST_YEAR, CALENDAR_LAST_YEAR


def read_hours(
    calendars: Mapping[str, CalendarDef], written: list[WrittenHours], problems: Problems, *, is_complete: bool
) -> dict[str, Hours]:
    """Return the hours of every text that the fleet writes.

    Every calendar is checked, used or not. Unless `is_complete`, a file that could not be read may hold a calendar.
    """
    reader = _Reader(problems)
    found = {name: reader.calendar(one) for name, one in sorted(calendars.items())}
    hours: dict[str, Hours] = {}
    for text, place in written:
        if text == CLEARED or text in hours:
            continue
        if " " not in text and text not in calendars:
            if is_complete:
                hint = nearest(text, calendars) or f'Add [calendars.{text}], or write a window: "{_EXAMPLE}"'
                problems.error(Code.REFERENCE, place, f"there is no calendar {show_value(text)}", hint)
            continue
        calendar = found[text] if text in calendars else reader.in_place(text, place)
        if calendar is not None:
            hours[text] = Hours(text, calendar)
    return hours


@dataclass(slots=True)
class _Reader:
    """Makes calendars, and notes what is wrong with them."""

    problems: Problems

    def calendar(self, written: CalendarDef) -> Calendar | None:
        """Return the calendar of a table; None where it is wrong, which is noted."""
        table, place = check_table(CalendarTable, written.data, written.place, self.problems), written.place
        if table is None:
            return None
        windows = [self._noted(_weekly, text, place.at("hours", at)) for at, text in enumerate(table.hours)]
        zone = self._noted(zone_named, table.zone, place.at("zone"))
        known = tuple(window for window in windows if window is not None)
        is_bounded = self._bounded(table, place)  # asked in any case, so that every problem is noted
        if zone is None or not is_bounded or len(known) < len(windows) or not self._apart(known, place.at("hours")):
            return None
        return Calendar(known, zone, table.zone, frozenset(table.closed))

    def in_place(self, text: str, place: Place) -> Calendar | None:
        """Return the calendar of one window with its zone; None where it is wrong, which is noted."""
        calendar = self._noted(_zoned, text, place)
        return calendar if calendar is not None and self._apart(calendar.windows, place) else None

    def _noted(self, read: Callable[[str], T], text: str, place: Place) -> T | None:
        try:
            return read(text)
        except WindowFault as fault:
            self.problems.error(Code.VALUE, place, fault.message, fault.hint)
            return None

    def _bounded(self, table: CalendarTable, place: Place) -> bool:
        """Whether there are hours, and no more and no farther days than a calendar takes; noted where not so."""
        faults: list[tuple[Code, Place, str, str]] = []
        if not table.hours:
            hint = (
                'Write at least one window, such as "Mon-Fri 08:00-19:00". To stop an app permanently: mode = "absent"'
            )
            faults.append((Code.VALUE, place.at("hours"), "these hours never occur", hint))
        bounds = (
            ("hours", len(table.hours), CALENDAR_WINDOWS_MAX_COUNT, "Make two calendars of it"),
            ("closed", len(table.closed), CALENDAR_CLOSED_MAX_COUNT, "Remove the days that have passed"),
        )
        faults += [
            (Code.LIMIT, place.at(key), f"{count:,} entries are more than {most}", hint)
            for key, count, most, hint in bounds
            if count > most
        ]
        faults += [
            (Code.VALUE, place.at("closed", at), f"{day} is too far away", f"Name days from {_FIRST} to {_LAST}")
            for at, day in enumerate(table.closed)
            if not _FIRST <= day.year <= _LAST
        ]
        for fault in faults:
            self.problems.error(*fault)
        return not faults

    def _apart(self, windows: Sequence[Window], place: Place) -> bool:
        """Whether no two windows share a minute; noted where they do."""
        both = overlap(windows)
        if both is None:
            return True
        first, second = both
        said = "overlaps itself" if first is second else f"overlaps {show_value(second.text)}"
        hint = "Merge the two windows, or let one end where the other starts"
        self.problems.error(Code.CONFLICT, place, f"{show_value(first.text)} {said}", hint)
        return False


def _weekly(text: str) -> Window:
    window = parse_window(text)
    if window.zone:
        raise WindowFault(f"{show_value(text)} names a time zone", "Set zone for the whole calendar instead")
    return window


def _zoned(text: str) -> Calendar:
    window = parse_window(text)
    if not window.zone:
        raise WindowFault(f"{show_value(text)} names no time zone", f'Write it behind the times: "{_EXAMPLE}"')
    return Calendar((window,), zone_named(window.zone), window.zone)
