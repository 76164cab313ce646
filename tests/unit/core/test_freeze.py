"""Freezes: what a plan puts off, until when, and what denies a command that is there to delete."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from engine.core.calendars import Calendar
from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.freeze import freeze_denial, frozen_until, in_freeze
from engine.core.identity import USER, Owner
from engine.core.plan import Plan
from engine.core.settings import Safety
from engine.core.windows import parse_freeze
from tests.fleets import CANVAS, KERNEL, LAB, a_row, an_app, key_of, options

if TYPE_CHECKING:
    from engine.core.plan_options import PlanOptions

BERLIN = "Europe/Berlin"


def calendar(text: str, zone: str = "UTC") -> Calendar:
    return Calendar((parse_freeze(text),), ZoneInfo(zone), zone)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def asked(*freeze: Calendar, when: str = "2026-11-28T12:00:00Z") -> PlanOptions:
    return replace(options(), safety=Safety(freeze=freeze), made_at=when)


WEEKEND = calendar("Fri 16:00-Mon 06:00", BERLIN)
CHANGES = (
    Change(key_of(LAB), Action.DELETE_THEN_CREATE, Reason.DRIFT, a_row(LAB), an_app(LAB, "ml.g5.xlarge")),
    Change(key_of(CANVAS), Action.DELETE, Reason.NOT_DECLARED, a_row(CANVAS)),
    Change(key_of(KERNEL), Action.CREATE, Reason.ABSENT, None, an_app(KERNEL)),
)
PLAN = Plan("f", "2026-11-28T12:00:00Z", CHANGES)


@pytest.mark.parametrize(
    ("freeze", "when", "until"),
    [
        ((), "2026-11-28T12:00:00", ""),
        ((WEEKEND,), "2026-11-27T14:59:59", ""),
        ((WEEKEND,), "2026-11-27T15:00:00", "Mon 2026-11-30 06:00 Europe/Berlin"),
        ((WEEKEND,), "2026-11-30T04:59:59", "Mon 2026-11-30 06:00 Europe/Berlin"),
        ((WEEKEND,), "2026-11-30T05:00:00", ""),
        ((calendar("2026-12-20/2027-01-03"),), "2026-12-20T00:00:00", "Mon 2027-01-04 00:00 UTC"),
        (
            (calendar("2026-11-30/2026-11-30", BERLIN), WEEKEND),
            "2026-11-28T00:00:00",
            "Tue 2026-12-01 00:00 Europe/Berlin",
        ),
        ((calendar("Mon-Sun 00:00-24:00"),), "2026-11-28T00:00:00", "further notice"),
    ],
)
def test_a_freeze_ends_when_no_window_goes_on(freeze: tuple[Calendar, ...], when: str, until: str) -> None:
    assert frozen_until(freeze, at(when)) == until


def test_in_a_freeze_creates_go_on_and_what_destroys_is_put_off_with_the_end_named() -> None:
    plan = in_freeze(PLAN, asked(WEEKEND))
    assert [(change.action, change.reason) for change in plan.decisions] == [
        (Action.NONE, Reason.FROZEN),
        (Action.NONE, Reason.FROZEN),
        (Action.CREATE, Reason.ABSENT),
    ]
    (finding,) = plan.findings
    assert (finding.rule, finding.enforcement) == ("freeze", "advisory")
    assert finding.message == (
        "nothing is deleted or replaced until Mon 2026-11-30 06:00 Europe/Berlin: 1 delete and 1 replace put off: "
        f"{LAB}, {CANVAS}. To lift it, edit freeze in [safety]"
    )


def test_a_plan_outside_of_every_freeze_or_without_deletes_stays_as_it_is() -> None:
    assert in_freeze(PLAN, asked(WEEKEND, when="2026-11-30T12:00:00Z")) is PLAN
    creates = replace(PLAN, decisions=CHANGES[2:])
    assert in_freeze(creates, asked(WEEKEND)) is creates


def test_a_plan_for_another_time_is_frozen_as_it_will_be_then() -> None:
    later = replace(asked(WEEKEND, when="2026-11-25T12:00:00Z"), at="2026-11-28T12:00:00Z")
    assert len(in_freeze(PLAN, later).changes) == 1


def test_a_command_that_is_there_to_delete_is_denied_in_a_freeze() -> None:
    alice = Owner("research", USER, "alice")
    plan = replace(in_freeze(PLAN, asked(WEEKEND)), owners=(OwnerChange(alice, Action.DELETE, OwnerReason.OFFBOARDED),))
    (finding,) = freeze_denial(plan, asked(WEEKEND))
    assert (finding.rule, finding.enforcement) == ("safety.freeze", "mandatory")
    assert finding.message == (
        "2 apps and 1 user profile would be deleted, and nothing is until Mon 2026-11-30 06:00 Europe/Berlin. Run it "
        "again after that. To lift it, edit freeze in [safety]"
    )
    assert freeze_denial(plan, asked(WEEKEND, when="2026-11-30T12:00:00Z")) == ()
    assert freeze_denial(replace(PLAN, decisions=CHANGES[2:]), asked(WEEKEND)) == ()
    (apps,) = freeze_denial(in_freeze(PLAN, asked(WEEKEND)), asked(WEEKEND))
    assert apps.message.startswith("2 apps would be deleted")
    (owners,) = freeze_denial(replace(plan, decisions=()), asked(WEEKEND))
    assert owners.message.startswith("1 user profile would be deleted")
