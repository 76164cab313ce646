"""What a journal holds is checked as if a stranger had written it, and a damaged one ends in no error of Python."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from engine.adapters.state import journal_values as values
from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.journal_reader import read_memory
from engine.adapters.state.state_dir import JOURNAL_NAME, StateDir
from engine.adapters.state.timeline_reader import past_runs, run_story
from engine.core.errors import StateError
from tools.report_sample import FLEET, STARTED, write_nights

NUMBERS = (-1.0, -math.inf, math.inf, 1e300, "1", b"1", None)
DAMAGE = (
    "PRAGMA user_version = -1",
    *(
        "INSERT INTO rates VALUES ('1', 'r', RATE, 1.0)".replace("RATE", rate)
        for rate in ("0", "1e-300", "-5", "9e999", "'fast'")
    ),
    "INSERT INTO domain_sizes VALUES ('d', -1, 1.0)",
    "INSERT INTO domain_sizes VALUES ('d', 9e18, 1.0)",
    "UPDATE runs SET ended = NULL, alive_at = 9e999",
    "UPDATE runs SET ended = NULL, alive_at = -1",
    "INSERT INTO streaks VALUES ('ml-platform', 'research/user/a/Canvas/default', 'h', -3, 1)",
    "INSERT INTO streaks VALUES ('ml-platform', 'research/user/a/Canvas/default', x'00', 3, 1)",
)
SHOWN = ("started", "alive_at", "ended")


@pytest.fixture
def nights(state: StateDir) -> StateDir:
    write_nights(state, 6)
    return state


def harm(state: StateDir, statement: str, *more: Any) -> None:
    with closing(sqlite3.connect(state.path / JOURNAL_NAME, isolation_level=None)) as connection:
        connection.execute(statement, more)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_memory_is_put_aside_and_the_next_run_says_so(nights: StateDir, damage: str) -> None:
    harm(nights, damage)
    with pytest.raises(StateError, match=r"holds what no run writes|is damaged") as refused:
        read_memory(nights, FLEET)
    assert "to start fresh" in refused.value.hint
    journal = SqliteJournal.open(nights, RunHeader("new", FLEET, "1", STARTED), wall=lambda: STARTED)
    journal.close()
    assert journal.memory.is_new
    assert any("was damaged" in note and "start fresh" in note for note in journal.notes)
    assert (nights.path / "journal.corrupt-1.sqlite").exists()


@pytest.mark.parametrize("column", SHOWN)
@pytest.mark.parametrize("value", [math.inf, -1.0, 1e300, "yesterday", b"\x00"])
def test_a_run_at_a_time_that_no_clock_shows_is_told_and_not_shown(nights: StateDir, column: str, value: Any) -> None:
    harm(nights, "UPDATE runs SET COLUMN = ?".replace("COLUMN", column), value)
    for read in (lambda: past_runs(nights, fleet=None, limit=9), lambda: run_story(nights, run_id=None, fleet=None)):
        with pytest.raises(StateError, match="holds what no run writes"):
            read()


@pytest.mark.parametrize("column", ["seconds", "attempts", "arn", "error_message", "at"])
def test_an_app_with_a_column_of_another_kind_is_told(nights: StateDir, column: str) -> None:
    harm(nights, "UPDATE outcomes SET COLUMN = x'00ff'".replace("COLUMN", column))
    with pytest.raises(StateError, match="holds what no run writes"):
        run_story(nights, run_id=None, fleet=None)


@pytest.mark.parametrize("value", NUMBERS)
def test_what_is_no_number_of_a_journal_is_refused(value: Any) -> None:
    for read in (values.moment, values.duration, values.rate, values.count):
        with pytest.raises(ValueError, match="a journal holds"):
            read(value)


def test_what_is_a_value_of_a_journal_is_taken() -> None:
    assert (values.moment(STARTED), values.duration(0), values.rate(0.01), values.count(0)) == (STARTED, 0.0, 0.01, 0)
    assert (values.moment_or_none(None), values.text(None), values.text("x")) == (None, "", "x")
    assert values.key_or_none("nonsense") is None
    for wrong in (1, "x" * 10_001, b"x"):
        with pytest.raises(ValueError, match="a journal holds"):
            values.text(wrong)


def test_a_journal_that_is_all_right_is_read(nights: StateDir) -> None:
    assert len(past_runs(nights, fleet=None, limit=9)) == 2
    assert run_story(nights, run_id=None, fleet=None) is not None
