"""Hours of apps at an instant, and the tag that keeps an app."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.core.hours import HoursAt, hours_lines, parse_instant, why_kept
from tests.fleets import hours_of

OFFICE = hours_of("Mon-Fri 08:00-19:00 Europe/Berlin")
ALWAYS = hours_of("Mon-Sun 00:00-24:00 UTC")
FRIDAY_NIGHT = datetime(2026, 12, 4, 20, tzinfo=UTC)


def test_an_app_without_hours_is_never_outside_them() -> None:
    at = HoursAt.of((OFFICE, ALWAYS), FRIDAY_NIGHT)
    assert [at.is_outside(hours) for hours in (None, ALWAYS, OFFICE)] == [False, False, True]


def test_it_is_back_on_the_calendars_own_clock() -> None:
    at = HoursAt.of((OFFICE,), FRIDAY_NIGHT)
    assert at.back(OFFICE) == "back Mon 08:00"
    assert at.back(ALWAYS) == ""
    assert OFFICE.local(datetime(2026, 12, 14, 7, tzinfo=UTC), FRIDAY_NIGHT) == "2026-12-14 08:00"


def test_each_calendar_has_a_line_with_its_apps_and_its_next_change() -> None:
    office, always = hours_lines({ALWAYS: 3, OFFICE: 2}, HoursAt.of((OFFICE, ALWAYS), FRIDAY_NIGHT))
    assert office.to_json() == {
        "hours": "Mon-Fri 08:00-19:00 Europe/Berlin",
        "zone": "Europe/Berlin",
        "open": False,
        "apps": 2,
        "change": "2026-12-07T07:00:00Z",
        "local": "Mon 08:00",
    }
    assert (always.is_open, always.change, always.local) == (True, "", "")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-04T20:00:00Z", "2026-12-04T20:00:00+00:00"),
        ("2026-12-04t21:00:00.25+01:00", "2026-12-04T20:00:00.250000+00:00"),
        ("2026-12-04 20:00:00z", "2026-12-04T20:00:00+00:00"),
    ],
)
def test_an_instant_is_read_in_utc(text: str, utc: str) -> None:
    found = parse_instant(text)
    assert found is not None
    assert found.isoformat() == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-12-04",
        "2026-12-04T20:00:00",
        "2026-12-04T20:00Z",
        "2026-13-04T20:00:00Z",
        "2026-12-04T20:00:00+99:00",
        "1969-12-04T20:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "\N{FULLWIDTH DIGIT TWO}026-12-04T20:00:00Z",
    ],
)
def test_what_is_not_an_rfc_3339_time_is_none(text: str) -> None:
    assert parse_instant(text) is None


def test_a_tag_keeps_an_app_until_its_time_and_what_is_not_a_time_keeps_it_and_is_named() -> None:
    assert why_kept("", FRIDAY_NIGHT) == ""
    assert why_kept("2026-12-04T21:00:00+01:00", FRIDAY_NIGHT) == ""
    later = "its tag appfleet:keep-until keeps it until 2026-12-04 20:01 UTC"
    assert why_kept("2026-12-04T21:01:00+01:00", FRIDAY_NIGHT) == later
    assert 'is "to\\u001bmorrow", which is not an RFC 3339 time' in why_kept("to\x1bmorrow", FRIDAY_NIGHT)
