"""What became of user profiles and spaces: written, read back, forgotten with its run, and absent in older journals."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.adapters.state import journal as journal_module
from engine.adapters.state import journal_schema
from engine.adapters.state.journal_reader import owner_seconds, run, runs
from engine.core.change import Action
from engine.core.identity import SPACE, USER, Owner
from engine.core.outcome import Outcome, OwnerResult
from engine.core.trouble import Trouble

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from engine.adapters.state.state_dir import StateDir
    from tests.unit.adapters.state.conftest import OpenJournal

ALICE = Owner("research", USER, "alice")
LAB = Owner("research", SPACE, "alice-lab")
MADE = OwnerResult(ALICE, Action.CREATE, Outcome.CREATED, 1, 2.5, "arn:alice")
FULL = OwnerResult(LAB, Action.CREATE, Outcome.PARKED, 3, 9.0, "", Trouble("quota" * 40, "full\x1b[31m", "ask"))


def make_form_2(folder: Path) -> None:
    """Write a journal as form 2 was, with one run in it that made a profile."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        for table in (*journal_schema.TABLES, *journal_schema.TIMELINE_TABLES):
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {journal_schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 2")
        connection.execute(
            "INSERT INTO runs (run_id, fleet, version, started, alive_at, ended, result, exit_code) "
            "VALUES ('old', 'ml', '0.0.1', 1.0, 2.0, 2.0, 'converged', 0)"
        )
        connection.execute("INSERT INTO intents VALUES (1, 'research/user/alice', 'CreateUserProfile', '', 1.0)")


def test_outcomes_of_owners_are_read_back_sorted_and_clean(open_journal: OpenJournal, state: StateDir) -> None:
    journal = open_journal("r1", "ml")
    for owner in (ALICE, LAB):
        journal.intend(owner, "Create", "", 1.0)
    journal.conclude_owner(MADE, 3.0)
    journal.conclude_owner(FULL, 4.0)
    journal.close()
    assert journal.broken == ""
    detail = run(state, "r1")
    assert detail is not None
    lab, alice = detail.owners
    assert (alice.owner, alice.action, alice.outcome, alice.attempts, alice.seconds) == (
        ALICE, "create", "created", 1, 2.5,
    )  # fmt: skip
    assert (alice.arn, alice.error_code, alice.error_message, alice.error_hint, alice.at) == (
        "arn:alice",
        "",
        "",
        "",
        3.0,
    )
    assert (lab.owner, lab.outcome, lab.error_hint) == (LAB, "parked", "ask")
    assert len(lab.error_code) <= 80
    assert "\x1b" not in lab.error_message
    assert detail.unknown_owners == ()
    assert detail.run.owners == {"created": 1, "parked": 1}
    assert detail.apps == ()


def test_an_owner_that_a_run_did_not_conclude_is_unknown(open_journal: OpenJournal, state: StateDir) -> None:
    journal = open_journal("r1", "ml")
    for owner in (ALICE, LAB):
        journal.intend(owner, "Create", "", 1.0)
    journal.conclude_owner(MADE, 3.0)
    journal.close()
    detail = run(state, "r1")
    assert detail is not None
    assert detail.unknown_owners == (LAB,)
    assert detail.open_intents == ()


def test_owners_are_forgotten_with_their_run(
    open_journal: OpenJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "JOURNAL_RUNS_MAX_COUNT", 1)
    for name in ("r1", "r2"):
        journal = open_journal(name, "ml")
        journal.conclude_owner(MADE, 3.0)
        journal.finish("converged", 0, 4.0)
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM owner_outcomes").fetchone() == (1,)


def test_a_journal_of_form_2_is_read_as_it_is(state: StateDir, folder: Path) -> None:
    make_form_2(folder)
    detail = run(state, "old")
    assert detail is not None
    assert (detail.owners, detail.unknown_owners, detail.run.owners) == ((), (), {})


def test_a_journal_of_form_2_is_brought_up_by_the_next_run(
    open_journal: OpenJournal, state: StateDir, folder: Path
) -> None:
    make_form_2(folder)
    journal = open_journal("new", "ml")
    assert not journal.memory.is_new
    journal.conclude_owner(MADE, 3.0)
    journal.finish("converged", 0, 4.0)
    assert journal.broken == ""
    assert [(record.run_id, record.owners) for record in runs(state)] == [("new", {"created": 1}), ("old", {})]


def test_a_row_that_is_no_owner_is_left_out(open_journal: OpenJournal, state: StateDir, folder: Path) -> None:
    journal = open_journal("r1", "ml")
    journal.conclude_owner(MADE, 3.0)
    journal.close()
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection, connection:
        connection.execute("INSERT INTO owner_outcomes (run, key) VALUES (1, 'research/team/alice')")
    detail = run(state, "r1")
    assert detail is not None
    assert [record.owner for record in detail.owners] == [ALICE]


def test_what_profiles_and_spaces_took_is_remembered_by_kind_and_action(
    open_journal: OpenJournal, state: StateDir
) -> None:
    for number, seconds in enumerate((2.5, 3.5)):
        journal = open_journal(f"r{number}", "ml")
        journal.conclude_owner(replace(MADE, seconds=seconds), 3.0 + number)
        journal.conclude_owner(replace(MADE, owner=LAB, action=Action.UPDATE, outcome=Outcome.UPDATED), 3.0)
        journal.conclude_owner(replace(MADE, owner=replace_name("bob"), attempts=2), 3.0)
        journal.conclude_owner(replace(FULL, owner=replace_name("eve")), 4.0)
        journal.finish("converged", 0, 5.0 + number)
        journal.close()
    known = owner_seconds(state, "ml")
    assert known == {(USER, Action.CREATE): (3.5, 2.5), (SPACE, Action.UPDATE): (2.5, 2.5)}
    assert owner_seconds(state, "web") == {}


def test_a_journal_without_owners_remembers_nothing_of_them(state: StateDir, folder: Path) -> None:
    make_form_2(folder)
    assert owner_seconds(state, "ml") == {}


def replace_name(name: str) -> Owner:
    return Owner("research", USER, name)
