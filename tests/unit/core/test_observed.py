from __future__ import annotations

import pytest

from engine.core.errors import ScanIncomplete
from engine.core.observed import AppStatus, newest_by_key
from tests.fleets import CANVAS, a_row, observe


@pytest.mark.parametrize(
    ("text", "status", "alive"),
    [
        ("Pending", AppStatus.PENDING, True),
        ("InService", AppStatus.IN_SERVICE, True),
        ("Deleting", AppStatus.DELETING, True),
        ("Failed", AppStatus.FAILED, False),
        ("Deleted", AppStatus.DELETED, False),
        ("Exploded", AppStatus.UNKNOWN, True),
        ("unknown", AppStatus.UNKNOWN, True),
        ("inservice", AppStatus.UNKNOWN, True),
        ("", AppStatus.UNKNOWN, True),
    ],
)
def test_statuses_are_read_exactly_and_the_unknown_one_counts_as_alive(
    text: str, status: AppStatus, *, alive: bool
) -> None:
    assert AppStatus.of(text) is status
    assert status.is_alive is alive


def test_a_row_shows_its_spec_its_generation_and_the_services_own_word() -> None:
    assert a_row().to_json() == {"instance_type": "ml.t3.medium", "generation": 1_000.0, "status": "InService"}
    assert a_row(status="Exploded").to_json()["status"] == "Exploded"


def test_a_fleet_is_complete_when_every_domain_was_listed() -> None:
    assert observe().complete
    assert not observe(errors={"lab": ScanIncomplete("page 3 did not come")}).complete


def test_a_live_row_wins_over_a_newer_tombstone() -> None:
    """Row 29."""
    live, tombstone = a_row(created_at=1.0), a_row(status="Deleted", created_at=2.0)
    assert newest_by_key([live, tombstone]) == newest_by_key([tombstone, live]) == {live.key: live}


def test_of_two_generations_the_newer_wins() -> None:
    old, new = a_row(created_at=1.0, status="Failed"), a_row(created_at=2.0, status="Deleted")
    assert newest_by_key([old, new]) == newest_by_key([new, old]) == {new.key: new}


def test_of_one_generation_the_later_state_wins() -> None:
    early, late = a_row(status="Pending"), a_row(status="InService")
    assert newest_by_key([early, late]) == newest_by_key([late, early]) == {late.key: late}


def test_other_keys_are_left_alone() -> None:
    rows = [a_row(), a_row(CANVAS), a_row()]
    assert newest_by_key(rows) == {row.key: row for row in rows[:2]}
