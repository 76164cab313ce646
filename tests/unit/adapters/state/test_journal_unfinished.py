"""What a run began and did not end, as the next run finds it in the journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.journal_reader import read_memory
from engine.core.change import Action
from engine.core.identity import SPACE, Owner
from engine.core.limits import DOUBT_KEPT_MAX_SECONDS, UNSEEN_KEPT_MAX_SECONDS
from engine.core.outcome import Outcome, OwnerResult
from engine.core.trouble import Trouble
from engine.ports.history import LastFailure
from engine.ports.journal import Replaced, Unfinished, Unseen

if TYPE_CHECKING:
    from engine.adapters.state.state_dir import StateDir
    from tests.unit.adapters.state.conftest import MakeKey, MakeResult, OpenJournal

SPACE_A = Owner("research", SPACE, "alice-lab")


def test_an_intent_without_an_outcome_is_in_doubt(
    open_journal: OpenJournal, make_key: MakeKey, state: StateDir
) -> None:
    journal = open_journal()
    journal.intend(make_key(), "CreateApp", "s1", 100.0)
    journal.intend(SPACE_A, "CreateSpace", "", 101.0)
    journal.intend(make_key("bob"), "AddTags", "s1", 102.0)
    journal.close()
    memory = read_memory(state, "ml")
    assert memory.unfinished == {
        make_key(): Unfinished("CreateApp", 100.0, in_doubt=True),
        SPACE_A: Unfinished("CreateSpace", 101.0, in_doubt=True),
    }
    assert memory.half_replaced == frozenset()
    assert read_memory(state, "web").unfinished == {}


async def test_a_replace_is_owed_from_its_delete_until_its_outcome_settles_it(
    open_journal: OpenJournal, make_key: MakeKey, make_result: MakeResult, state: StateDir
) -> None:
    journal = open_journal()
    assert await journal.intend_durably(make_key(), "DeleteApp", "s1", 100.0, owed=True)
    assert read_memory(state, "ml").unfinished == {make_key(): Unfinished("DeleteApp", 100.0, in_doubt=True, owed=True)}
    journal.intend(make_key(), "CreateApp", "s1", 120.0)
    journal.conclude(
        make_result(outcome=Outcome.PARKED), "s1", 130.0, once=True, counts_as_failure=False, in_doubt=False, owed=True
    )
    journal.finish("incomplete", 3, 131.0)
    memory = read_memory(state, "ml")
    assert memory.unfinished == {make_key(): Unfinished("CreateApp", 120.0, in_doubt=False, owed=True)}
    assert memory.half_replaced == {make_key()}
    again = open_journal("r2", started=100.0 + 9 * DOUBT_KEPT_MAX_SECONDS)
    assert again.memory.half_replaced == {make_key()}
    again.conclude(make_result(), "s1", 200.0, once=True, counts_as_failure=False)
    again.finish("converged", 0, 201.0)
    assert read_memory(state, "ml").unfinished == {}


def test_an_owner_is_settled_by_its_outcome_and_stays_in_doubt_without_one(
    open_journal: OpenJournal, state: StateDir
) -> None:
    journal = open_journal()
    journal.intend(SPACE_A, "CreateSpace", "", 100.0)
    result = OwnerResult(SPACE_A, Action.CREATE, Outcome.FAILED, 1, 1.0)
    journal.conclude_owner(result, 101.0, in_doubt=True)
    journal.close()
    assert read_memory(state, "ml").unfinished[SPACE_A].in_doubt
    again = open_journal("r2")
    again.conclude_owner(result, 102.0)
    again.close()
    assert read_memory(state, "ml").unfinished == {}


def test_a_call_that_nobody_has_heard_of_for_a_day_is_in_doubt_no_longer(
    open_journal: OpenJournal, make_key: MakeKey
) -> None:
    journal = open_journal()
    journal.intend(make_key(), "CreateApp", "s1", 100.0)
    journal.close()
    assert open_journal("r2", started=100.0 + DOUBT_KEPT_MAX_SECONDS - 1.0).memory.unfinished != {}
    open_journal("r3", started=101.0 + DOUBT_KEPT_MAX_SECONDS).close()
    assert open_journal("r4").memory.unfinished == {}


def test_the_last_replace_because_of_drift_is_remembered(
    open_journal: OpenJournal, make_key: MakeKey, make_result: MakeResult, state: StateDir
) -> None:
    journal = open_journal()
    result = make_result(outcome=Outcome.REPLACED)
    journal.conclude(result, "s1", 130.0, once=False, counts_as_failure=False, replaced_at=120.0)
    journal.close()
    assert read_memory(state, "ml").replaced == {make_key(): Replaced("s1", 120.0)}


TROUBLE = Trouble("Failed", "the script failed", "look at the log")


def test_an_app_that_nobody_waited_for_is_counted_against_the_run_that_made_it_once_it_is_seen_to_have_failed(
    open_journal: OpenJournal, make_key: MakeKey, make_result: MakeResult, state: StateDir
) -> None:
    for number in (1, 2):
        journal = open_journal(f"r{number}", started=100.0 * number)
        if number == 2:
            journal.note_seen_failed(make_key(), TROUBLE, counts=True)
        journal.conclude(make_result(), "s1", 110.0, once=False, counts_as_failure=False, unseen_at=105.0 * number)
        journal.finish("converged", 0, 111.0)
    memory = read_memory(state, "ml")
    assert memory.failures == {make_key(): (1, "s1")}, "the second one is not seen yet, and ended nothing"
    assert memory.last_failures == {make_key(): LastFailure("r1", 100.0, "failed", "the script failed")}
    assert memory.unseen == {make_key(): Unseen("s1", 210.0, "r2", 200.0)}


@pytest.mark.parametrize(
    ("outcome", "is_left"), [(Outcome.STILL_PENDING, True), (Outcome.SKIPPED, True), (Outcome.UNCHANGED, False)]
)
def test_what_says_nothing_of_an_app_leaves_it_unseen(
    open_journal: OpenJournal, make_key: MakeKey, make_result: MakeResult, state: StateDir, outcome: Outcome,
    is_left: bool,
) -> None:  # fmt: skip
    journal = open_journal()
    journal.conclude(make_result(), "s1", 110.0, once=False, counts_as_failure=False, unseen_at=105.0)
    journal.close()
    again = open_journal("r2")
    again.conclude(make_result(outcome=outcome), "s1", 120.0, once=False, counts_as_failure=False)
    again.close()
    assert (make_key() in read_memory(state, "ml").unseen) is is_left


def test_what_does_not_count_and_what_nobody_left_adds_to_no_row(
    open_journal: OpenJournal, make_key: MakeKey, make_result: MakeResult, state: StateDir
) -> None:
    journal = open_journal()
    journal.conclude(make_result(), "s1", 110.0, once=False, counts_as_failure=False, unseen_at=105.0)
    journal.note_seen_failed(make_key("bob"), TROUBLE, counts=True)
    journal.close()
    again = open_journal("r2")
    again.note_seen_failed(make_key(), TROUBLE, counts=False)
    again.close()
    memory = read_memory(state, "ml")
    assert (memory.failures, memory.unseen) == ({}, {})


def test_an_app_that_no_run_has_seen_for_a_month_is_forgotten(
    open_journal: OpenJournal, make_result: MakeResult
) -> None:
    journal = open_journal()
    journal.conclude(make_result(), "s1", 110.0, once=False, counts_as_failure=False, unseen_at=105.0)
    journal.close()
    assert open_journal("r2", started=100.0 + UNSEEN_KEPT_MAX_SECONDS).memory.unseen != {}
    open_journal("r3", started=106.0 + UNSEEN_KEPT_MAX_SECONDS).close()
    assert open_journal("r4").memory.unseen == {}


def test_a_journal_of_form_five_gets_the_table_that_it_lacks(open_journal: OpenJournal, state: StateDir) -> None:
    open_journal().close()
    with closing(sqlite3.connect(state.path / "journal.sqlite")) as connection, connection:
        for table in ("unseen", "owner_updates", "owner_looks"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 5")
    assert read_memory(state, "ml").unseen == {}
    again = open_journal("r2")
    assert (again.broken, again.memory.unseen) == ("", {})


def test_a_journal_of_the_form_before_has_nothing_unfinished(open_journal: OpenJournal, state: StateDir) -> None:
    open_journal().close()
    with closing(sqlite3.connect(state.path / "journal.sqlite")) as connection, connection:
        connection.execute("DROP TABLE unfinished")
        connection.execute("DROP TABLE replaced")
        connection.execute("PRAGMA user_version = 3")
    memory = read_memory(state, "ml")
    assert (memory.unfinished, memory.replaced) == ({}, {})
    assert open_journal("r2").memory.unfinished == {}


@pytest.mark.parametrize("key", ["x", "research/user/alice", "a/b/c/d/e/f"])
def test_a_key_that_no_run_writes_is_left_out_or_is_an_owner(
    open_journal: OpenJournal, state: StateDir, key: str
) -> None:
    open_journal().close()
    with closing(sqlite3.connect(state.path / "journal.sqlite")) as connection, connection:
        connection.execute("INSERT INTO unfinished VALUES ('ml', ?, 'CreateApp', 1.0, 1, 0)", (key,))
        connection.execute("INSERT INTO replaced VALUES ('ml', ?, 's1', 1.0)", (key,))
    memory = read_memory(state, "ml")
    assert [str(one) for one in memory.unfinished] == (["research/user/alice"] if key == "research/user/alice" else [])
    assert memory.replaced == {}
