"""A saved plan speaks for what comes to the same or to less, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import DesiredOwner
from engine.core.hours import HoursAt
from engine.core.identity import Owner
from engine.core.plan import PlanLane
from engine.core.planner import plan_fleet
from engine.core.stale import why_stale
from tests.fleets import CANVAS, KERNEL, LAB, LANE, SOURCE, a_fleet, a_row, an_app, hours_of, observe, options

if TYPE_CHECKING:
    from engine.core.plan import Plan

FLEET = a_fleet(an_app(LAB), an_app(CANVAS), an_app(KERNEL, mode="absent"))


def a_plan(*rows: Any, **more: Any) -> Plan:
    return plan_fleet(FLEET, observe(*rows), options(lanes=(PlanLane(*LANE),), version="1.0", **more))


SAVED = a_plan(a_row(KERNEL))
ALICE = OwnerChange(
    Owner("research", "user", "alice"),
    Action.CREATE,
    OwnerReason.ABSENT,
    after=DesiredOwner(Owner("research", "user", "alice"), SOURCE),
)


def test_the_same_plan_at_another_time_is_spoken_for() -> None:
    assert why_stale(SAVED, a_plan(a_row(KERNEL), made_at="2026-11-24T01:30:00Z")) == ""


@pytest.mark.parametrize(
    "rows",
    [
        (a_row(KERNEL), a_row(LAB)),  # somebody made it meanwhile
        (),  # somebody deleted it meanwhile
        (a_row(KERNEL), a_row(CANVAS, "Failed")),  # made for another reason, and the same call
    ],
)
def test_less_to_do_than_was_approved_is_spoken_for(rows: tuple[Any, ...]) -> None:
    assert why_stale(SAVED, a_plan(*rows)) == ""


def test_a_delete_is_approved_for_one_generation() -> None:
    why = why_stale(SAVED, a_plan(a_row(KERNEL, created_at=2_000.0)))
    assert f"1 of the changes are not in it as they would be now: delete {KERNEL} (declared_absent)" in why


def test_a_change_that_was_not_approved_is_named() -> None:
    approved = a_plan(a_row(KERNEL), a_row(LAB), a_row(CANVAS))
    why = why_stale(approved, SAVED)
    assert why.startswith("what is observed has changed: 2 of the changes")
    assert f"create {LAB} (absent)" in why


def test_many_changes_are_named_in_part() -> None:
    fleet = a_fleet(*(an_app(f"research/space/s{number}/JupyterLab/default") for number in range(6)))
    made = plan_fleet(fleet, observe(), options())
    assert why_stale(replace(made, decisions=()), made).endswith(" and 3 more")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fleet": "other"}, "made for the fleet ml-platform, and this file is the fleet other"),
        ({"version": "1.1"}, "made by appfleet 1.0, and this is appfleet 1.1"),
        (
            {"inputs": (("fleet.toml", "c" * 64), ("new.toml", "d" * 64))},
            "fleet.toml is changed; new.toml is new; teams/vision.toml is gone",
        ),
        ({"lanes": (PlanLane("222222222222", "eu-west-1"),)}, "would call 222222222222/eu-west-1"),
        ({"lanes": (PlanLane(*LANE, "http://127.0.0.1:80"),)}, "eu-west-1 at this machine"),
        ({"lanes": (PlanLane(*LANE, "https://proxy.example"),)}, "eu-west-1 at https://proxy.example"),
        ({"owners": (ALICE,)}, "1 user profile not in it as they would be now: create research/user/alice (absent)"),
    ],
)
def test_what_makes_a_plan_stale_is_said(changes: dict[str, Any], told: str) -> None:
    """Row 47."""
    assert told in why_stale(SAVED, replace(SAVED, **changes))


def test_a_plan_without_a_version_or_lanes_says_so() -> None:
    bare = replace(SAVED, version="", lanes=())
    assert "appfleet (unknown)" in why_stale(bare, SAVED)
    assert "it was made for no account" in why_stale(replace(SAVED, lanes=()), SAVED)


def test_simulators_on_this_machine_differ_by_their_port_alone() -> None:
    one, other = (replace(SAVED, lanes=(PlanLane(*LANE, f"http://127.0.0.1:{port}"),)) for port in (1_234, 4_321))
    assert why_stale(one, other) == ""


def test_a_plan_from_before_the_end_of_the_hours_is_stale_where_it_would_stop_something_now() -> None:
    text = "Mon-Fri 08:00-19:00 UTC"
    fleet, hours = a_fleet(an_app(LAB, hours=text), an_app(CANVAS, hours=text)), (hours_of(text),)

    def at(moment: str) -> Plan:
        asked = options(
            lanes=(PlanLane(*LANE),), version="1.0", hours=HoursAt.of(hours, datetime.fromisoformat(moment))
        )
        return plan_fleet(fleet, observe(a_row(LAB)), asked)

    inside, outside = at("2026-11-24T18:55:00+00:00"), at("2026-11-24T19:05:00+00:00")
    assert f"delete {LAB} (outside_hours)" in why_stale(inside, outside)
    assert f"create {CANVAS} (absent)" in why_stale(outside, inside)
    assert why_stale(inside, at("2026-11-24T18:59:00+00:00")) == ""
