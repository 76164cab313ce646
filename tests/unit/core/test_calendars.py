"""Calendars at instants: daylight saving both ways, closed days, midnight, the end of a week."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.calendars import Calendar, is_inside_any, next_change_of
from engine.core.windows import parse_freeze

BERLIN = "Europe/Berlin"


def a_calendar(*windows: str, zone: str = BERLIN, closed: tuple[date, ...] = ()) -> Calendar:
    return Calendar(tuple(parse_freeze(one) for one in windows), ZoneInfo(zone), zone, frozenset(closed))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def changes(calendar: Calendar, start: str, count: int) -> list[str]:
    found, at = [], utc(start)
    for _ in range(count):
        change = calendar.next_change(at)
        if change is None:
            found.append("never")
            break
        found.append(f"{change:%a %d %H:%M}")
        at = change
    return found


OFFICE = a_calendar("Mon-Thu 08:00-19:00", "Fri 08:00-16:00")


def test_a_start_is_inside_and_an_end_is_not() -> None:
    assert not OFFICE.is_inside(utc("2026-11-30T06:59:59"))
    assert OFFICE.is_inside(utc("2026-11-30T07:00:00"))
    assert OFFICE.is_inside(utc("2026-11-30T17:59:59"))
    assert not OFFICE.is_inside(utc("2026-11-30T18:00:00"))


def test_the_next_change_of_a_friday_evening_is_monday_morning() -> None:
    assert changes(OFFICE, "2026-12-04T14:00", 3) == ["Fri 04 15:00", "Mon 07 07:00", "Mon 07 18:00"]


def test_closed_days_have_no_hours_however_many_stand_in_a_row() -> None:
    closed = tuple(date(2026, 12, 5) + timedelta(days=7 * week) for week in range(30))
    saturdays = a_calendar("Sat 10:00-12:00", closed=closed)
    assert saturdays.next_change(utc("2026-12-01T00:00")) == utc("2027-07-03T08:00")
    christmas = a_calendar("Mon-Sun 22:00-06:00", closed=(date(2026, 12, 25),))
    assert changes(christmas, "2026-12-24T12:00", 4) == ["Thu 24 21:00", "Thu 24 23:00", "Fri 25 23:00", "Sat 26 05:00"]


def test_always_changes_at_closed_days_alone() -> None:
    assert a_calendar("Mon-Sun 00:00-24:00").next_change(utc("2026-12-01T00:00")) is None
    closed = a_calendar("Mon-Sun 00:00-24:00", closed=(date(2030, 1, 1),))
    assert changes(closed, "2026-12-01T00:00", 3) == ["Mon 31 23:00", "Tue 01 23:00", "never"]


def test_days_of_the_calendar_are_whole_and_both_inside() -> None:
    freeze = a_calendar("2026-12-20/2027-01-03")
    assert changes(freeze, "2026-11-01T00:00", 3) == ["Sat 19 23:00", "Sun 03 23:00", "never"]
    assert freeze.is_inside(utc("2026-12-24T12:00"))


def test_the_hour_that_comes_twice_is_opened_and_closed_once() -> None:
    """Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC."""
    night = "2026-10-24T12:00"
    assert changes(a_calendar("Sun 01:00-02:30"), night, 2) == ["Sat 24 23:00", "Sun 25 01:30"]
    assert changes(a_calendar("Sun 02:30-04:00"), night, 2) == ["Sun 25 00:30", "Sun 25 03:00"]
    assert changes(a_calendar("Sun 02:15-02:30", "Sun 02:30-02:45"), night, 2) == ["Sun 25 00:15", "Sun 25 01:45"]


def test_the_hour_that_never_comes_is_its_end() -> None:
    """Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC."""
    night = "2026-03-28T12:00"
    assert changes(a_calendar("Sun 01:00-02:30"), night, 2) == ["Sun 29 00:00", "Sun 29 01:00"]
    assert changes(a_calendar("Sun 02:30-04:00"), night, 2) == ["Sun 29 01:00", "Sun 29 02:00"]
    assert changes(a_calendar("Sun 02:00-03:00"), night, 2) == ["Sun 05 00:00", "Sun 05 01:00"]


def test_a_clock_that_is_turned_at_midnight() -> None:
    """Santiago, 4 April 2026: Sunday's 00:00 becomes Saturday's 23:00; 5 September: Sunday's 00:00 becomes 01:00."""
    saturday = a_calendar("Sat 20:00-23:30", zone="America/Santiago")
    assert changes(saturday, "2026-04-04T12:00", 2) == ["Sat 04 23:00", "Sun 05 03:30"]
    sunday = a_calendar("Sun 00:00-24:00", zone="America/Santiago")
    assert changes(sunday, "2026-04-04T12:00", 2) == ["Sun 05 04:00", "Mon 06 04:00"]
    assert changes(sunday, "2026-09-05T12:00", 2) == ["Sun 06 04:00", "Mon 07 03:00"]


def test_stretches_are_joined_and_cut_to_what_was_asked() -> None:
    nights = a_calendar("Mon-Sun 22:00-06:00")
    found = list(nights.stretches(utc("2026-12-01T00:00"), utc("2026-12-02T23:00")))
    assert [(f"{one.start:%d %H}", f"{one.end:%d %H}") for one in found] == [
        ("01 00", "01 05"),
        ("01 21", "02 05"),
        ("02 21", "02 23"),
    ]
    assert list(nights.stretches(utc("2026-12-01T10:00"), utc("2026-12-01T11:00"))) == []


def test_the_share_that_is_open_is_that_of_a_year_with_its_closed_days() -> None:
    start = utc("2027-01-01T00:00")
    assert a_calendar("Mon-Sun 00:00-24:00").share_open(start) == 1.0
    assert a_calendar("Mon-Sun 06:00-18:00", zone="UTC").share_open(start) == pytest.approx(0.5)
    closed = tuple(date(2027, 2, 1) + timedelta(days=day) for day in range(73))
    assert a_calendar("Mon-Sun 06:00-18:00", zone="UTC", closed=closed).share_open(start) == pytest.approx(0.4)


def test_several_calendars_change_together() -> None:
    both = (a_calendar("Fri 16:00-Mon 06:00"), a_calendar("2026-12-05/2026-12-08"))
    assert is_inside_any(both, utc("2026-12-08T12:00"))
    assert next_change_of(both, utc("2026-12-05T12:00")) == utc("2026-12-08T23:00")
    assert next_change_of((), utc("2026-12-05T12:00")) is None
    always = (a_calendar("Mon-Fri 00:00-24:00"), a_calendar("Sat-Sun 00:00-24:00"))
    assert next_change_of(always, utc("2026-12-05T12:00")) is None


ZONES = (
    BERLIN,
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Atlantic/Azores",
    "UTC",
)
minutes = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02d}:{quarter % 4 * 15:02d}")
day_names = st.sampled_from(("Mon", "Sat", "Sun", "Fri-Mon", "Mon-Fri", "Mon-Sun"))

INSTANTS = st.integers(0, 260 * 86_400).map(
    lambda seconds: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    start, end = draw(st.tuples(minutes, minutes).filter(lambda pair: pair[0] != pair[1]))
    closed = draw(st.sets(st.dates(date(2026, 3, 1), date(2026, 4, 15)), max_size=4))
    return a_calendar(f"{draw(day_names)} {start}-{end}", zone=draw(st.sampled_from(ZONES)), closed=tuple(closed))


@given(calendars(), INSTANTS)
@settings(max_examples=150, deadline=None)
def test_nothing_changes_before_the_next_change(calendar: Calendar, at: datetime) -> None:
    change = calendar.next_change(at)
    if change is None:
        assert calendar.windows[0].spans
        return
    inside = calendar.is_inside(at)
    assert change > at
    assert calendar.is_inside(change) is not inside
    span = change - at
    assert all(calendar.is_inside(at + span * part / 40) is inside for part in range(40))
    assert calendar.is_inside(change - timedelta(microseconds=1)) is inside


@given(calendars(), INSTANTS)
@settings(max_examples=100, deadline=None)
def test_stretches_hold_what_is_inside(calendar: Calendar, at: datetime) -> None:
    end = at + timedelta(days=3)
    stretches = list(calendar.stretches(at, end))
    assert all(one.end < other.start for one, other in pairwise(stretches))
    for part in range(60):
        instant = at + (end - at) * part / 60
        assert calendar.is_inside(instant) is any(one.start <= instant < one.end for one in stretches)


@pytest.mark.parametrize("zone", ZONES)
def test_on_days_without_a_turned_clock_the_wall_decides(zone: str) -> None:
    calendar = a_calendar("Mon-Fri 09:15-17:45", zone=zone)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    for step in range(7 * 48):
        at = start + timedelta(minutes=30 * step)
        wall = at.astimezone(ZoneInfo(zone))
        assert calendar.is_inside(at) is (wall.weekday() < 5 and (9, 15) <= (wall.hour, wall.minute) < (17, 45))
