"""What is in maintenance, and what is new."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.maintenance import Maintenance, maintenance_finding, since_made
from engine.core.observed import AppStatus
from tests.fleets import CANVAS, LAB, a_row, key_of

OLD = Maintenance(2_000.0, frozenset({key_of(CANVAS)}))


@pytest.mark.parametrize("status", AppStatus)
def test_only_what_is_pending_can_be_in_maintenance(status: AppStatus) -> None:
    row = replace(a_row(LAB), status=status)
    assert OLD.holds(row.key, row) is (status is AppStatus.PENDING)


def test_what_is_new_or_awaited_or_missing_is_not() -> None:
    pending = a_row(LAB, "Pending")
    assert not OLD.holds(pending.key, replace(pending, created_at=2_000.0))
    assert not OLD.holds(key_of(CANVAS), a_row(CANVAS, "Pending"))
    assert not OLD.holds(pending.key, None)
    assert not Maintenance().holds(pending.key, pending)


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (date(1970, 1, 1), "since it was made today"),
        (date(1970, 1, 2), "since it was made 1 day ago"),
        (date(1973, 1, 1), "since it was made 1,096 days ago"),
        (date(1969, 12, 31), "since it was made today"),
    ],
)
def test_the_age_is_in_days(today: date, words: str) -> None:
    assert since_made(a_row(LAB, "Pending"), today) == words


def test_the_finding_names_the_first_ones_and_counts_all() -> None:
    rows = [(row.key, row) for row in (a_row(f"research/user/u{number:02}/Canvas/default") for number in range(30))]
    message = maintenance_finding(rows, date(1970, 1, 3)).message
    assert message.startswith(
        "30 apps Pending again: research/user/u00/Canvas/default (since it was made 2 days ago), "
    )
    assert f"and {30 - ORPHANS_NAMED_MAX_COUNT} more" in message
