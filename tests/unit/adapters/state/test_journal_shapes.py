"""Shapes that ran: what a run notes for the next one, and what a journal of an earlier form knows instead."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state import journal_shapes
from engine.adapters.state.journal_reader import read_memory
from engine.core.change import Action
from engine.core.outcome import Outcome

if TYPE_CHECKING:
    from engine.adapters.state.state_dir import StateDir
    from tests.unit.adapters.state.conftest import MakeResult, OpenJournal


def to_form_seven(state: StateDir) -> None:
    with closing(sqlite3.connect(state.path / "journal.sqlite")) as connection, connection:
        connection.execute("DROP TABLE shapes")
        connection.execute("PRAGMA user_version = 7")


def test_the_last_word_about_a_shape_counts(open_journal: OpenJournal, state: StateDir) -> None:
    journal = open_journal()
    assert journal.memory.shapes == {}
    journal.note_shape("aaaa", 101.0, runs=True)
    journal.note_shape("bbbb", 101.0, runs=True)
    journal.note_shape("bbbb", 102.0, runs=False)
    journal.finish("converged", 0, 103.0)
    assert read_memory(state, "ml").shapes == {"aaaa": True, "bbbb": False}
    assert read_memory(state, "other").shapes == {}
    journal.note_shape("cccc", 104.0, runs=True)  # too late
    assert open_journal("r2").memory.shapes == {"aaaa": True, "bbbb": False}


def test_a_journal_that_cannot_be_written_notes_nothing(open_journal: OpenJournal, state: StateDir) -> None:
    open_journal().close()
    (state.path / "journal.sqlite").write_bytes(b"")
    (state.path / "journal.sqlite").chmod(0o600)
    open_journal("r2").note_shape("aaaa", 101.0, runs=True)


def test_only_the_shapes_that_were_seen_last_are_kept(
    open_journal: OpenJournal, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_shapes, "SHAPES_KEPT_MAX_COUNT", 2)
    journal = open_journal()
    for at, shape in enumerate(("old", "newer", "newest")):
        journal.note_shape(shape, 100.0 + at, runs=True)
    journal.finish("converged", 0, 110.0)
    open_journal("r2").close()
    assert read_memory(state, "ml").shapes == {"newer": True, "newest": True}


@pytest.mark.parametrize(
    ("outcome", "action", "runs"),
    [
        (Outcome.CREATED, Action.CREATE, True),
        (Outcome.ADOPTED, Action.CREATE, True),
        (Outcome.UNCHANGED, Action.NONE, True),
        (Outcome.FAILED, Action.CREATE, False),
        (Outcome.SKIPPED, Action.CREATE, False),
        (Outcome.DELETED, Action.DELETE, False),
    ],
)
def test_a_journal_of_the_form_before_knows_the_specs_that_ran(
    open_journal: OpenJournal, state: StateDir, make_result: MakeResult, outcome: Outcome, action: Action, *, runs: bool
) -> None:
    journal = open_journal()
    result = replace(make_result(outcome=outcome), action=action)
    journal.conclude(result, "spec", 101.0, once=False, counts_as_failure=False)
    journal.finish("converged", 0, 102.0)
    to_form_seven(state)
    known = {"spec": True} if runs else {}
    assert read_memory(state, "ml").shapes == known
    assert open_journal("r2").memory.shapes == known
    assert read_memory(state, "ml").shapes == known
