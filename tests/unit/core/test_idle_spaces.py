"""Spaces without an app: which they are, since when at the earliest, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.identity import SPACE, Owner
from engine.core.idle_spaces import IdleSpaces, SeenInRun, Sign, SpaceFacts, idle_spaces
from engine.core.observed import ObservedOwner
from tests.fleets import CANVAS, LAB, a_row

DAY = 86_400.0
NOW = 1_000 * DAY
ALICE = Owner("research", SPACE, "alice-lab")


def a_space(name: str = "alice-lab", *, domain: str = "research", age: float = 100.0, **more: Any) -> ObservedOwner:
    told = {"status": "InService", "owner_user": "alice", "ebs_gb": 10, **more}
    return ObservedOwner(Owner(domain, SPACE, name), created_at=NOW - age * DAY, **told)


def found(*spaces: ObservedOwner, apps: tuple[Any, ...] = (), idle_days: int = 30, **facts: Any) -> IdleSpaces:
    return idle_spaces(spaces, apps, SpaceFacts(NOW, **facts), idle_days)


@pytest.mark.parametrize(
    ("status", "days"), [("InService", None), ("Pending", None), ("Deleting", None), ("Exploded", None), (None, 100)]
)
def test_a_space_with_an_app_that_is_alive_is_not_idle(status: str | None, days: int | None) -> None:
    apps = () if status is None else (a_row(LAB, status), a_row(CANVAS))
    rows = found(a_space(), apps=apps).rows
    assert [row.days for row in rows] == ([] if days is None else [days])


@pytest.mark.parametrize("status", ["Deleted", "Failed"])
def test_an_app_that_is_still_listed_although_it_ended_did_so_within_a_day(status: str) -> None:
    old = replace(a_row(LAB, status), created_at=NOW - 50 * DAY)
    assert found(a_space(), apps=(old,), idle_days=2).rows == ()
    (row,) = found(a_space(), apps=(old, a_row(LAB, status)), idle_days=1).rows
    assert (row.sign, row.since, row.days) == (Sign.ENDED, NOW - DAY, 1)
    young = replace(old, created_at=NOW - 3_600.0)
    (row,) = found(a_space(), apps=(young,), idle_days=0).rows
    assert (row.sign, row.since, row.days) == (Sign.ENDED, NOW - 3_600.0, 0)


@pytest.mark.parametrize(
    ("modified", "seen", "sign", "days"),
    [
        (0.0, None, Sign.MADE, 100),
        (NOW - 100 * DAY + 60.0, None, Sign.MADE, 99),
        (NOW - 40 * DAY, None, Sign.CHANGED, 40),
        (NOW - 40 * DAY, 35.0, Sign.RUN, 35),
        (NOW - 40 * DAY, 60.0, Sign.CHANGED, 40),
    ],
)
def test_the_newest_sign_of_use_says_for_how_long_at_most(
    modified: float, seen: float | None, sign: Sign, days: int
) -> None:
    journal = {} if seen is None else {ALICE: SeenInRun("r1", NOW - seen * DAY)}
    (row,) = found(a_space(modified_at=modified), seen=journal).rows
    assert (row.sign, row.days, row.run_id) == (sign, days, "r1" if sign is Sign.RUN else "")


def test_the_bound_is_included_and_a_clock_that_is_behind_makes_no_age_negative() -> None:
    assert [row.days for row in found(a_space(age=30)).rows] == [30]
    assert found(a_space(age=29.9)).rows == ()
    assert [row.days for row in found(a_space(age=-5), idle_days=0).rows] == [0]


def test_what_is_being_deleted_is_left_out_and_what_failed_is_not() -> None:
    spaces = (a_space("a", status="Deleting"), a_space("b", status="Failed"))
    assert [row.space.name for row in found(*spaces).rows] == ["b"]


def test_what_was_kept_longest_and_is_largest_comes_first() -> None:
    spaces = (
        a_space("small", age=50, ebs_gb=5),
        a_space("none", age=400, ebs_gb=0),
        a_space("large", age=40, ebs_gb=500),
        a_space("old", age=300, ebs_gb=5),
        a_space("also-small", age=50, ebs_gb=5),
    )
    shown = found(*spaces)
    assert [row.space.name for row in shown.rows] == ["large", "old", "also-small", "small", "none"]
    assert (shown.gb, shown.monthly_usd, shown.unpriced) == (515, None, 4)


def test_a_volume_costs_its_size_by_the_price_of_its_domain_and_without_a_price_nothing_is_made_up() -> None:
    spaces = (a_space("a"), a_space("b", domain="lab", ebs_gb=3), a_space("c", ebs_gb=0))
    shown = found(*spaces, prices={"research": 0.11}, declared=frozenset({Owner("research", SPACE, "a")}))
    costs = {row.space.name: (row.monthly_usd, row.declared) for row in shown.rows}
    assert costs == {"a": (1.1, True), "b": (None, False), "c": (None, False)}
    assert (shown.monthly_usd, shown.unpriced) == (1.1, 1)


def test_the_document_says_what_the_age_rests_on() -> None:
    shown = found(a_space(sharing="Private", app_type="JupyterLab"), seen={ALICE: SeenInRun("r1", NOW - 50 * DAY)})
    assert shown.to_json() == {
        "idle_days": 30,
        "gb": 10,
        "monthly_usd": None,
        "unpriced": 1,
        "spaces": [
            {
                "space": "research/space/alice-lab",
                "domain": "research",
                "name": "alice-lab",
                "owner": "alice",
                "sharing": "Private",
                "app_type": "JupyterLab",
                "status": "InService",
                "declared": False,
                "gb": 10,
                "monthly_usd": None,
                "days_at_most": 50,
                "last_sign": "run",
                "last_sign_at": "1972-08-08T00:00:00Z",
                "run_id": "r1",
            }
        ],
    }
    assert found(a_space(ebs_gb=0)).rows[0].to_json()["gb"] is None
