"""The crontab of a fleet's hours, held against the calendars themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.core.calendars import Calendar
from engine.core.crontab import CronLine, cron_lines
from engine.core.hours import Hours
from engine.core.windows import parse_window
from tests.fleets import hours_of

START = datetime(2026, 12, 1, tzinfo=UTC)


def _runs(lines: tuple[CronLine, ...]) -> set[tuple[int, int, int]]:
    """Return the minutes of a week at which cron runs, read from the five fields as cron reads them."""
    found = set()
    for line in lines:
        minute, hour, _, _, days = line.schedule.split()
        for part in ["0-6"] if days == "*" else days.split(","):
            first, _, last = part.partition("-")
            found |= {(day, int(hour), int(minute)) for day in range(int(first), int(last or first) + 1)}
    return found


@pytest.mark.parametrize(
    "texts",
    [
        ("Mon-Fri 08:00-19:00 Europe/Berlin",),
        ("Mon-Sun 22:00-06:00 America/New_York", "Sat 00:00-24:00 Asia/Kolkata"),
        ("Fri 16:00-Mon 06:00 Australia/Lord_Howe", "Sun 01:00-02:30 Europe/Berlin"),
        ("Mon,Wed,Thu 09:15-17:45 America/Santiago",),
    ],
)
def test_a_run_meets_every_change_of_a_year_to_the_minute(texts: tuple[str, ...]) -> None:
    hours = [hours_of(text) for text in texts]
    runs = _runs(cron_lines(hours, START))
    met = set()
    for one in hours:
        at = one.calendar.next_change(START)
        while at is not None and at < START + timedelta(days=365):
            met.add((at.isoweekday() % 7, at.hour, at.minute))
            at = one.calendar.next_change(at)
    assert met
    assert met <= runs
    assert len(runs) <= len(met) + 1


def test_daylight_saving_takes_a_second_line_and_each_names_its_hours() -> None:
    lines = cron_lines([hours_of("Mon-Fri 08:00-19:00 Europe/Berlin")], START)
    assert [line.schedule for line in lines] == ["0 6 * * 1-5", "0 7 * * 1-5", "0 17 * * 1-5", "0 18 * * 1-5"]
    assert {line.hours for line in lines} == {("Mon-Fri 08:00-19:00 Europe/Berlin",)}


def test_days_are_written_as_cron_reads_them() -> None:
    schedules = [line.schedule for line in cron_lines([hours_of("Mon,Tue,Sun 08:00-09:00 UTC")], START)]
    assert schedules == ["0 8 * * 0-2", "0 9 * * 0-2"]
    schedules = [line.schedule for line in cron_lines([hours_of("Tue,Wed,Sat 08:00-09:00 UTC")], START)]
    assert schedules == ["0 8 * * 2,3,6", "0 9 * * 2,3,6"]
    assert cron_lines([hours_of("Mon-Sun 08:00-09:00 UTC")], START)[0].schedule == "0 8 * * *"


def test_what_never_changes_needs_no_line_and_closed_days_none_of_their_own() -> None:
    assert cron_lines([hours_of("Mon-Sun 00:00-24:00 UTC")], START) == ()
    window = parse_window("Mon-Fri 08:00-19:00")
    closed = Hours("office", Calendar((window,), ZoneInfo("UTC"), "UTC", frozenset({date(2026, 12, 24)})))
    assert [line.schedule for line in cron_lines([closed], START)] == ["0 8 * * 1-5", "0 19 * * 1-5"]
