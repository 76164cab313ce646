"""What an undo reads of a run: its updates, its creates without an end, and what later runs did to the same things."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.journal_reader import run_trail
from engine.core.change import Action
from engine.core.errors import StateError
from engine.core.identity import SPACE, USER, Owner
from engine.core.outcome import Outcome, OwnerResult
from engine.core.undoing import Updated
from engine.ports.history import RunTrail

if TYPE_CHECKING:
    from engine.adapters.state.journal import SqliteJournal
    from engine.adapters.state.state_dir import StateDir
    from tests.unit.adapters.state.conftest import MakeKey, MakeResult, OpenJournal

ALICE = Owner("research", USER, "alice")
LAB = Owner("research", SPACE, "alice-lab")
KEPT = json.dumps({"before": {"idle_minutes": 60}, "after": {"idle_minutes": 90}})


def update(journal: SqliteJournal, before: str) -> None:
    assert asyncio.run(journal.intend_durably(LAB, "UpdateSpace", "", 1.0, before=before))


def test_an_update_is_read_back_with_what_was_there_and_what_it_set(open_journal: OpenJournal, state: StateDir) -> None:
    journal = open_journal("r1")
    update(journal, KEPT)
    journal.close()
    assert run_trail(state, "r1") == RunTrail({LAB: Updated({"idle_minutes": 60}, {"idle_minutes": 90})})


def test_an_update_that_was_kept_without_what_it_set_says_so(open_journal: OpenJournal, state: StateDir) -> None:
    journal = open_journal("r1")
    update(journal, '{"idle_minutes": 60}')
    journal.close()
    assert run_trail(state, "r1").updated == {LAB: Updated({"idle_minutes": 60}, {})}


@pytest.mark.parametrize("text", ["{", "[]", '{"before": 1, "after": 2}', "[" * 100_000])
def test_what_no_run_writes_is_a_journal_that_cannot_be_read(
    open_journal: OpenJournal, state: StateDir, text: str
) -> None:
    journal = open_journal("r1")
    update(journal, text)
    journal.close()
    with pytest.raises(StateError, match="holds what no run writes"):
        run_trail(state, "r1")


def test_a_create_without_an_end_is_in_doubt_and_an_update_without_one_made_nothing(
    open_journal: OpenJournal, state: StateDir
) -> None:
    journal = open_journal("r1")
    journal.intend(ALICE, "CreateUserProfile", "", 1.0)
    update(journal, KEPT)
    journal.close()
    assert run_trail(state, "r1").in_doubt == (ALICE,)


@pytest.mark.parametrize(
    ("action", "outcome", "again"),
    [
        (Action.CREATE, Outcome.CREATED, True),
        (Action.CREATE, Outcome.STILL_PENDING, True),
        (Action.DELETE, Outcome.DELETED, True),
        (Action.CREATE, Outcome.FAILED, False),
        (Action.UPDATE, Outcome.UPDATED, False),
        (Action.NONE, Outcome.CREATED, False),
    ],
)
def test_what_a_later_run_of_the_fleet_made_or_deleted_is_not_that_of_the_run_any_more(
    open_journal: OpenJournal,
    state: StateDir,
    make_key: MakeKey,
    make_result: MakeResult,
    action: Action,
    outcome: Outcome,
    again: bool,
) -> None:
    for run_id, fleet in (("r1", "ml"), ("r2", "ml"), ("r3", "others")):
        journal = open_journal(run_id, fleet)
        journal.conclude_owner(OwnerResult(LAB, action, outcome, 1, 2.5, "arn:lab"), 3.0)
        result = replace(make_result(outcome=outcome), action=action)
        journal.conclude(result, "s1", 3.0, once=False, counts_as_failure=False)
        journal.close()
    first, last, other = (run_trail(state, run_id) for run_id in ("r1", "r2", "r3"))
    keys = frozenset({make_key()})
    assert first == (RunTrail(again=(LAB,), apps_again=keys) if again else RunTrail())
    assert last == other == RunTrail()


def test_of_a_run_that_is_not_kept_nothing_is_known(open_journal: OpenJournal, state: StateDir) -> None:
    assert run_trail(state, "r1") == RunTrail()
    open_journal("r1").close()
    assert run_trail(state, "r2") == RunTrail()


def test_a_journal_of_the_form_before_owners_knows_of_apps_alone(
    open_journal: OpenJournal, state: StateDir, make_key: MakeKey, make_result: MakeResult
) -> None:
    open_journal("r1").close()
    journal = open_journal("r2")
    journal.conclude(make_result(), "s1", 3.0, once=False, counts_as_failure=False)
    journal.close()
    with closing(sqlite3.connect(state.path / "journal.sqlite")) as connection, connection:
        connection.execute("DROP TABLE owner_outcomes")
        connection.execute("PRAGMA user_version = 2")
    assert run_trail(state, "r1") == RunTrail(apps_again=frozenset({make_key()}))
