"""How an app is, in one word: every row of the table of conditions, and what is summed up of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engine.core.change import Action, Change, Reason
from engine.core.desired import Mode
from engine.core.hours import HoursAt, hours_lines
from engine.core.identity import USER, Owner
from engine.core.maintenance import Maintenance
from engine.core.observed import ObservedDomain, ObservedFleet, Ownership
from engine.core.owner_status import OwnerCondition, OwnerLine
from engine.core.plan import Plan
from engine.core.status import Condition, StatusView, failed_keys, status_of
from engine.core.status_facts import LastSeen, StatusFacts
from engine.core.trouble import Trouble
from tests.fleets import CANVAS, LAB, TODAY, a_row, an_app, hours_of, key_of

NOW = 10_000.0
FACTS = StatusFacts(TODAY, NOW, 14, 600.0)


def view(*changes: Change, observed: ObservedFleet | None = None, **facts: Any) -> StatusView:
    told = {"today": TODAY, "now": NOW, "expiring_within_days": 14, "slow_after_s": 600.0, **facts}
    return status_of(Plan("ml", "now", changes), observed or ObservedFleet({}), StatusFacts(**told))


def change(reason: Reason, status: str = "", *, differs: tuple[str, ...] = (), **app: Any) -> Change:
    row = a_row(LAB, status) if status else None
    if row is not None and status == "Pending":
        row = replace(row, created_at=NOW - 900.0)
    return Change(key_of(LAB), Action.NONE, reason, row, an_app(LAB, **app), differs)


@pytest.mark.parametrize(
    ("made", "condition"),
    [
        (change(Reason.IN_SYNC, "InService"), Condition.IN_SERVICE),
        (change(Reason.DRIFT, "InService", differs=("instance_type",)), Condition.DRIFTED),
        (change(Reason.PENDING, "Pending"), Condition.STARTING),
        (change(Reason.MAINTENANCE, "Pending"), Condition.MAINTENANCE),
        (change(Reason.DELETING, "Deleting"), Condition.STOPPING),
        (change(Reason.ABSENT), Condition.MISSING),
        (change(Reason.ABSENT, "Deleted"), Condition.MISSING),
        (change(Reason.FAILED, "Failed"), Condition.FAILED),
        (change(Reason.QUARANTINED, "Failed"), Condition.QUARANTINED),
        (change(Reason.DOMAIN_UNLISTED), Condition.UNKNOWN),
        (change(Reason.UNKNOWN_STATUS, "Exploded"), Condition.UNKNOWN),
        (change(Reason.DECLARED_ABSENT, "InService", mode=Mode.ABSENT), Condition.UNWANTED),
        (change(Reason.NOT_OWNED, "InService", mode=Mode.ABSENT), Condition.UNWANTED),
        (change(Reason.EXPIRED, "InService"), Condition.UNWANTED),
        (change(Reason.GONE, mode=Mode.ABSENT), Condition.DONE),
        (change(Reason.GONE), Condition.DONE),
        (change(Reason.OUTSIDE_HOURS), Condition.OUTSIDE_HOURS),
        (change(Reason.OUTSIDE_HOURS, "Failed"), Condition.OUTSIDE_HOURS),
        (change(Reason.OUTSIDE_HOURS, "Pending"), Condition.STARTING),
        (change(Reason.OUTSIDE_HOURS, "Deleting"), Condition.STOPPING),
        (change(Reason.OUTSIDE_HOURS, "InService"), Condition.UNWANTED),
        (change(Reason.KEPT, "InService"), Condition.IN_SERVICE),
        (change(Reason.DONE_ONCE), Condition.DONE),
        (change(Reason.DONE_ONCE, "InService"), Condition.IN_SERVICE),
        (change(Reason.OWNER_MISSING), Condition.MISSING),
        (replace(change(Reason.ORPHANED, "InService"), after=None), Condition.ORPHANED),
        (replace(change(Reason.NOT_DECLARED, "InService"), after=None), Condition.ORPHANED),
        (replace(change(Reason.GONE, "Deleting"), after=None), Condition.UNWANTED),
    ],
)
def test_each_app_has_its_condition(made: Change, condition: Condition) -> None:
    (row,) = view(made).rows
    assert row.condition is condition


def test_a_failed_app_has_the_services_reason_before_that_of_the_journal() -> None:
    last = {key_of(LAB): LastSeen("r1", "failed", "the script failed")}
    failed = change(Reason.FAILED, "Failed")
    assert view(failed, last=last).rows[0].why == "failed in run r1: the script failed"
    assert view(failed, last=last, reasons={key_of(LAB): "no capacity"}).rows[0].why == "no capacity"
    assert view(failed).rows[0].why == ""


def test_a_quarantined_app_says_how_often_and_why() -> None:
    last = {key_of(LAB): LastSeen("r1", "failed", "the script failed")}
    rows = view(change(Reason.QUARANTINED, "Failed"), failed_runs={key_of(LAB): 3}, last=last).rows
    assert rows[0].why == "failed in 3 runs in a row; failed in run r1: the script failed"
    assert view(change(Reason.QUARANTINED, "Failed")).rows[0].why == "failed in 0 runs in a row"
    dated = {key_of(LAB): LastSeen("r1", "failed", "", 0.0)}
    rows = view(change(Reason.QUARANTINED, "Failed"), failed_runs={key_of(LAB): 1}, last=dated).rows
    assert rows[0].why == "failed in 1 run in a row; failed in run r1 of 1970-01-01 00:00 UTC"


def test_what_was_parked_in_the_last_run_says_so_while_it_is_missing() -> None:
    last = {key_of(LAB): LastSeen("r1", "parked", "the quota is full")}
    assert view(change(Reason.ABSENT), last=last).rows[0].why == "parked in run r1: the quota is full"
    silent = {key_of(LAB): LastSeen("r1", "still pending", "")}
    assert view(change(Reason.ABSENT), last=silent).rows[0].why == "still pending in run r1"


def test_what_starts_for_long_says_for_how_long() -> None:
    assert view(change(Reason.PENDING, "Pending")).rows[0].why == "for 15 minutes"
    assert view(change(Reason.PENDING, "Pending"), slow_after_s=1_000.0).rows[0].why == ""


def test_what_is_in_maintenance_says_since_when_whatever_the_planners_reason_is() -> None:
    old = Maintenance(NOW)
    for reason in (Reason.MAINTENANCE, Reason.DONE_ONCE):
        (row,) = view(change(reason, "Pending"), maintenance=old).rows
        assert (row.condition, row.why) == (Condition.MAINTENANCE, "Pending again since it was made 20,781 days ago")
    (new,) = view(change(Reason.DONE_ONCE, "Pending"), maintenance=Maintenance(NOW - 900.0)).rows
    assert new.condition is Condition.STARTING
    (going,) = view(replace(change(Reason.ORPHANED, "Pending"), after=None), maintenance=old).rows
    assert going.condition is Condition.ORPHANED


@pytest.mark.parametrize(("days", "told"), [(-1, None), (0, 0), (14, 14), (15, None)])
def test_what_expires_soon_is_counted_in_days(days: int, told: int | None) -> None:
    made = change(Reason.IN_SYNC, "InService", expires=TODAY + timedelta(days=days))
    found = view(made)
    assert found.rows[0].expires_in_days == told
    assert len(found.expiring) == (told is not None)


def test_what_must_not_be_there_does_not_expire_soon() -> None:
    made = change(Reason.GONE, mode=Mode.ABSENT, expires=date(2026, 11, 25))
    assert view(made).rows[0].expires_in_days is None
    assert view(change(Reason.EXPIRED, "InService", expires=TODAY)).rows[0].expires_in_days is None


def test_a_team_is_summed_up_and_undeclared_apps_are_in_none() -> None:
    canvas = Change(key_of(CANVAS), Action.CREATE, Reason.ABSENT, None, an_app(CANVAS, None, team="a"))
    lab = change(Reason.IN_SYNC, "InService", team="a", expires=TODAY)
    orphan = replace(change(Reason.ORPHANED, "InService"), after=None)
    (team,) = view(lab, canvas, orphan).teams
    assert team.to_json() == {
        "domain": "research",
        "team": "a",
        "declared": 2,
        "conditions": {"in_service": 1, "missing": 1},
        "expiring": 1,
    }


def test_live_apps_of_other_fleets_are_named() -> None:
    row = a_row(CANVAS, ownership=Ownership.FOREIGN, foreign_fleet="others")
    dead = a_row(LAB, "Deleted", ownership=Ownership.FOREIGN, foreign_fleet="others")
    observed = ObservedFleet({"research": ObservedDomain("research", 0.0, {row.key: row, dead.key: dead})})
    assert view(observed=observed).foreign == ((key_of(CANVAS), "others"),)


def test_the_failed_keys_are_those_of_declared_apps_as_they_are_spelled_there() -> None:
    failed = change(Reason.FAILED, "Failed")
    plan = Plan("ml", "now", (failed, change(Reason.IN_SYNC, "InService"), change(Reason.ABSENT)))
    assert failed_keys(plan) == (key_of(LAB),)


def test_a_domain_that_was_not_listed_makes_it_incomplete() -> None:
    told = StatusFacts(TODAY, NOW, 14, 600.0)
    assert not status_of(Plan("ml", "now", ()), ObservedFleet({}), told, (Trouble("AF407", "denied"),)).complete
    assert view().complete
    assert view().to_json()["teams"] == []


def test_an_app_outside_its_hours_says_when_it_is_back_and_why_it_runs() -> None:
    hours = "Mon-Fri 08:00-19:00 Europe/Berlin"
    at = HoursAt.of((hours_of(hours),), datetime(2026, 12, 4, 20, tzinfo=UTC))
    assert view(change(Reason.OUTSIDE_HOURS, hours=hours), hours=at).rows[0].why == "outside its hours, back Mon 08:00"
    kept = change(Reason.KEPT, "InService", hours=hours)
    assert kept.before is not None
    kept = replace(kept, before=replace(kept.before, keep_until="2026-12-04T22:00:00Z"))
    assert view(kept, hours=at).rows[0].why == (
        "outside its hours, back Mon 08:00, its tag appfleet:keep-until keeps it until 2026-12-04 22:00 UTC"
    )
    assert view(replace(change(Reason.KEPT), after=None)).rows[0].why == ""
    assert view(change(Reason.KEPT, hours=hours), hours=at).rows[0].why == "outside its hours, back Mon 08:00"


def test_drift_is_that_of_apps_and_of_profiles_and_spaces_that_were_compared() -> None:
    assert not view(change(Reason.IN_SYNC, "InService")).has_drifted
    assert view(change(Reason.DRIFT, "InService", differs=("instance_type",))).has_drifted
    owner = Owner("research", USER, "alice")
    rows = tuple(OwnerLine(owner, condition) for condition in (OwnerCondition.AS_DECLARED, OwnerCondition.DIFFERS))
    assert not view().with_owners(rows[:1]).has_drifted
    assert view().with_owners(rows).has_drifted


def test_hours_and_the_time_that_was_asked_for_are_in_the_document_where_there_are_any() -> None:
    assert not {"hours", "at"} & view().to_json().keys()
    (line,) = hours_lines({hours_of("Mon 08:00-19:00 UTC"): 1}, HoursAt())
    shown = status_of(Plan("ml", "now", (), hours=(line,), at="then"), ObservedFleet({}), FACTS).to_json()
    assert (shown["hours"], shown["at"]) == ([line.to_json()], "then")
