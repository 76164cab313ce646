"""What the journal of a run says that it made, and what a plan then leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.app.teams.undo import undoing
from engine.core.change import Action, Change, Reason
from engine.core.errors import DeniedError, UsageError
from engine.core.facts import Facts
from engine.core.identity import SPACE, USER, Owner
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS, JOURNAL_ALIVE_SECONDS
from engine.core.observed import ObservedOwner, Ownership
from engine.core.plan import Plan
from engine.core.undoing import Span, Updated
from engine.ports.history import AppRecord, IntentRecord, OwnerRecord, RunDetail, RunRecord, RunTrail
from tests.fleets import CANVAS, LAB, a_row, key_of, observe

STARTED, AT = 10_000.0, 10_100.0
ALICE, SPACE_OWNER = Owner("research", USER, "alice"), Owner("research", SPACE, "alice-lab")
RUN = RunRecord("r1", "ml", "1.0", STARTED, AT, AT, "converged", 0, {})


def app(key: str = LAB, **more: Any) -> AppRecord:
    usual = {"action": "create", "outcome": "created", "attempts": 1, "seconds": 5.0, "arn": "arn:x", "error_code": ""}
    texts = {"instance_type": "", "error_message": "", "error_hint": "", "at": AT}
    return AppRecord(key_of(key), **{**usual, **texts, **more})


def owner(of: Owner = ALICE, **more: Any) -> OwnerRecord:
    usual = {"action": "create", "outcome": "created", "attempts": 1, "seconds": 5.0, "arn": "arn:x", "error_code": ""}
    return OwnerRecord(of, **{**usual, "error_message": "", "error_hint": "", "at": AT, **more})


def detail(*records: AppRecord | OwnerRecord, intents: tuple[IntentRecord, ...] = ()) -> RunDetail:
    apps = tuple(one for one in records if isinstance(one, AppRecord))
    return RunDetail(RUN, apps, intents, tuple(one for one in records if isinstance(one, OwnerRecord)))


def a_plan(key: str = LAB, created_at: float = AT) -> Plan:
    row = a_row(key, created_at=created_at)
    return Plan("ml", "2026-11-24T00:00:00Z", (Change(key_of(key), Action.DELETE, Reason.DECLARED_ABSENT, row),))


@pytest.mark.parametrize(
    ("more", "made"),
    [
        ({}, True),
        ({"outcome": "still_pending"}, True),
        ({"outcome": "interrupted"}, True),
        ({"outcome": "interrupted", "attempts": 0, "arn": ""}, False),
        ({"outcome": "failed"}, True),
        ({"outcome": "failed", "arn": ""}, False),
        ({"outcome": "skipped", "attempts": 0, "arn": ""}, False),
        ({"action": "delete", "outcome": "deleted"}, False),
        ({"action": "none"}, False),
    ],
)
def test_an_owner_was_made_where_its_create_was_or_may_have_been_carried_out(more: dict[str, Any], made: bool) -> None:
    found = undoing(detail(app(), owner(**more)), RunTrail(), None)
    assert found.owners.made == ({ALICE: Span(AT - 5, AT)} if made else {})
    assert [one.owner for one in found.leaving] == ([ALICE] if made else [])


def test_what_a_run_left_without_an_end_may_have_been_made_until_its_last_sign() -> None:
    intent = IntentRecord(key_of(LAB), "CreateApp", "s1", AT)
    other = IntentRecord(key_of(CANVAS), "DeleteApp", "s1", AT)
    found = undoing(detail(intents=(intent, other)), RunTrail(in_doubt=(SPACE_OWNER,)), None)
    whole = Span(STARTED, AT + JOURNAL_ALIVE_SECONDS)
    assert (found.apps, found.owners.made) == ({key_of(LAB): whole}, {SPACE_OWNER: whole})


def test_a_run_that_only_updated_can_be_undone_and_one_that_did_nothing_cannot() -> None:
    trail = RunTrail(updated={SPACE_OWNER: Updated({}, {}), ALICE: Updated({}, {})})
    found = undoing(detail(), trail, None)
    assert (found.leaving, found.restored) == ((), (SPACE_OWNER, ALICE))
    with pytest.raises(UsageError, match="run r1 created and updated nothing"):
        undoing(detail(app(outcome="failed")), RunTrail(), None)


@pytest.mark.parametrize(
    ("created_at", "again", "goes"),
    [
        (AT, False, True),
        (AT, True, False),
        (AT + CLOCK_SKEW_MAX_SECONDS + 1, False, False),
        (STARTED - CLOCK_SKEW_MAX_SECONDS - 1, False, False),
    ],
)
def test_an_app_of_another_generation_is_left_alone_and_named(created_at: float, again: bool, goes: bool) -> None:
    trail = RunTrail(apps_again=frozenset({key_of(LAB)} if again else ()))
    made = undoing(detail(app()), trail, None).over(a_plan(created_at=created_at), Facts(observe()))
    assert [change.action for change in made.decisions] == ([Action.DELETE] if goes else [])
    assert [finding.message for finding in made.findings] == (
        [] if goes else ["not deleted: the app there was not made by run r1"]
    )


def test_a_delete_that_is_not_of_the_run_is_as_planned() -> None:
    plan = a_plan(CANVAS)
    assert undoing(detail(app()), RunTrail(), None).over(plan, Facts(observe())) == plan


def test_where_nobody_types_the_name_of_the_run_every_owner_must_be_covered() -> None:
    row = ObservedOwner(ALICE, "InService", AT, ownership=Ownership.OURS)
    facts = Facts(observe(), residents={"research": {ALICE: row}})
    bare = undoing(detail(app(), owner()), RunTrail(), ())
    with pytest.raises(
        DeniedError, match="1 user profile and 1 app would be deleted, and you did not confirm that"
    ) as raised:
        bare.over(a_plan(), facts)
    assert "'research/*=2'" in raised.value.hint
    for allowed in (("research/*=2",), None):
        made = replace(bare, must_be_covered=allowed).over(a_plan(), facts)
        assert [change.owner for change in made.owners] == [ALICE]
