"""Windows as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from engine.core.windows import DAY_MINUTES, WEEK_MINUTES, Span, WindowFault, overlap, parse_freeze, parse_window

_MON_8 = 8 * 60


def test_a_window_of_each_day_has_one_span_per_day() -> None:
    window = parse_window("Mon-Wed,Sat 08:00-19:00 Europe/Berlin")
    assert window.zone == "Europe/Berlin"
    assert window.spans == tuple(Span(day * DAY_MINUTES + _MON_8, day * DAY_MINUTES + 19 * 60) for day in (0, 1, 2, 5))


def test_a_range_of_days_may_pass_the_end_of_the_week() -> None:
    assert [span.start // DAY_MINUTES for span in parse_window("Sat-Mon 00:00-24:00").spans] == [5, 6, 0]


def test_an_end_before_the_start_is_on_the_next_day() -> None:
    assert parse_window("Sun 22:00-06:00").spans == (Span(WEEK_MINUTES - 120, WEEK_MINUTES + 360),)


def test_a_window_across_days_may_pass_the_end_of_the_week() -> None:
    assert parse_window("Fri 16:00-Mon 06:00").spans == (Span(4 * DAY_MINUTES + 960, WEEK_MINUTES + 360),)
    assert parse_window("Mon 06:00-Fri 16:00").spans == (Span(360, 4 * DAY_MINUTES + 960),)
    assert parse_window("Mon 08:00-Mon 07:00").spans == (Span(480, WEEK_MINUTES + 420),)


def test_days_of_the_calendar_are_for_freeze_alone() -> None:
    assert parse_freeze("2026-12-20/2027-01-03").dates == (date(2026, 12, 20), date(2027, 1, 3))
    assert parse_freeze("2026-12-20/2027-01-03 Europe/Berlin").zone == "Europe/Berlin"
    assert parse_freeze("Fri 16:00-Mon 06:00 America/Argentina/Buenos_Aires").spans
    with pytest.raises(WindowFault, match="is not a window of a week"):
        parse_window("2026-12-20/2027-01-03")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a window"),
        ("08:00-19:00", "is not a window"),
        ("Mon-Fri", "is not a window"),
        ("mon-fri 08:00-19:00", "is not a window"),
        ("Mon-Fri 8:00-19:00", "is not a window"),
        ("Mon-Fri 24:00-19:00", "is not a window"),
        ("Mon-Fri 08:00-24:01", "is not a window"),
        ("Mon-Fri 08:00-19:00 Europe/Berlin ", "is not a window"),
        ("Mon-Wed-Fri 08:00-19:00", "has a range of three days"),
        ("Mon-Wed,Tue 08:00-19:00", "names Tue twice"),
        ("Mon 08:00-08:00", "ends where it starts"),
        ("Mon 08:00-Mon 08:00", "ends where it starts"),
        ("\x1b[31m", r"\\u001b"),
    ],
)
def test_what_is_not_a_window_is_named(text: str, message: str) -> None:
    with pytest.raises(WindowFault, match=message) as fault:
        parse_window(text)
    assert str(fault.value) == f"{fault.value.message}. {fault.value.hint}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-12-20/2026-12-32", "a day that does not exist"),
        ("2026-12-20/2026-12-19", "ends before it starts"),
        ("1969-12-31/2026-12-19", "too far away"),
        ("2026-12-20/9999-12-31", "too far away"),
        ("2026-12-20/", "does not name two days"),
        ("Friday", "is not a window"),
    ],
)
def test_what_is_not_a_freeze_is_named(text: str, message: str) -> None:
    with pytest.raises(WindowFault, match=message):
        parse_freeze(text)


def test_windows_that_share_a_minute_overlap_also_over_the_end_of_the_week() -> None:
    early, late = parse_window("Mon-Fri 08:00-12:00"), parse_window("Mon-Fri 12:00-19:00")
    assert overlap([early, late]) is None
    assert overlap([late, early, parse_window("Wed 11:59-12:00")]) == (early, parse_window("Wed 11:59-12:00"))
    night, monday = parse_window("Sun 22:00-06:00"), parse_window("Mon 05:00-07:00")
    assert overlap([night, monday]) == (night, monday)
    twice = parse_window("Mon,Tue 08:00-07:59")
    assert overlap([twice]) is None
    assert overlap([parse_window("Mon,Tue 00:00-24:00")]) is None
