"""What of a journal machines share: out of one, packed, read back, and into another one; and what is no such thing."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from engine.adapters.state import journal_reader, shared_rows
from engine.adapters.state.journal_schema import SCHEMA_VERSION, open_for_reading, open_for_writing
from engine.adapters.state.shared_documents import FORMAT, Document, packed, unpacked
from engine.adapters.state.shared_rows import COLUMNS, Part
from engine.adapters.state.state_dir import StateDir
from engine.core.change import Action
from engine.core.errors import StateError
from engine.core.identity import USER, Lane, Owner
from engine.core.limits import STATE_OUTCOME_KEPT_MAX_SECONDS
from engine.core.outcome import Outcome, OwnerResult
from engine.core.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.adapters.state.conftest import MakeKey, MakeResult, OpenJournal

HERE, ELSEWHERE = Lane("111122223333", "eu-west-1"), Lane("444455556666", "eu-west-1")
PART = Part(HERE, frozenset({"research"}), frozenset({"d-here"}))
NOW = 1_000.0
NAME = "lanes/l/memory.json.gz"


def nights(open_journal: OpenJournal, make_result: MakeResult, make_key: MakeKey) -> None:
    """Leave something in every table, of this lane and of another one."""
    failed = make_result("bob", Outcome.FAILED, Trouble("Failed", "its script ended 1", "look"))
    first = open_journal("r1")
    first.conclude(make_result("alice"), "s1", 200.0, once=True, counts_as_failure=False)
    first.conclude(failed, "s1", 201.0, once=False, counts_as_failure=True)
    first.conclude(
        make_result("carol"), "s1", 202.0, once=False, counts_as_failure=False, replaced_at=190.0, unseen_at=195.0
    )
    elsewhere = make_result("dave")
    first.conclude(
        replace(elsewhere, key=elsewhere.key._replace(domain="other")), "s1", 203.0, once=True, counts_as_failure=False
    )
    first.note_rate(HERE, 7.5)
    first.note_rate(ELSEWHERE, 3.5)
    first.note_domain_size("d-here", 3)
    first.note_domain_size("d-elsewhere", 9)
    first.note_shape(f"{HERE}/0123456789abcdef", 151.0, runs=True)
    first.note_shape(f"{ELSEWHERE}/0123456789abcdef", 152.0, runs=True)
    first.note_owners_compared("d-here", 150.0)
    first.finish("incomplete", 3, 210.0)
    second = open_journal("r2", started=300.0)
    second.intend(make_key("erin"), "CreateApp", "s1", 301.0)
    second.owe_assignment(Owner("research", USER, "erin"), 302.0)
    assert asyncio.run(
        second.intend_durably(Owner("research", USER, "alice"), "UpdateUserProfile", "", 303.0, before='{"x": 1}')
    )
    second.conclude_owner(
        OwnerResult(Owner("research", USER, "bob"), Action.CREATE, Outcome.CREATED, 1, 1.0, "a"), 304.0
    )
    second.conclude(failed, "s1", 305.0, once=False, counts_as_failure=True)
    second.keep_marks(make_key("bob"), "0c 5e")
    second.keep_part("words", "{}")
    second.finish("incomplete", 3, 310.0)


def carried(state: StateDir, target: StateDir, *, runs: Sequence[str] = ()) -> None:
    """Take what belongs to the lane, or to runs, out of one folder and into another."""
    reading = open_for_reading(state)
    assert reading is not None
    with closing(reading):
        found = [shared_rows.run_rows(reading, run) for run in runs]
        found = found or [shared_rows.memories(reading, "ml", [PART], NOW)[HERE]]
    documents = [unpacked(NAME, packed(Document(rows))) for rows in found]
    with closing(open_for_writing(target).connection) as writing:
        shared_rows.put_in(writing, [(NAME, one.columns, one.rows) for one in documents])


@pytest.fixture
def target(tmp_path: Path) -> StateDir:
    return StateDir.open(tmp_path / "elsewhere")


def test_a_memory_tells_the_next_run_all_that_the_journal_itself_would(
    state: StateDir, target: StateDir, open_journal: OpenJournal, make_result: MakeResult, make_key: MakeKey
) -> None:
    nights(open_journal, make_result, make_key)
    carried(state, target)
    before, after = (journal_reader.read_memory(where, "ml") for where in (state, target))
    assert before.once_done - after.once_done == {make_key("dave")._replace(domain="other")}
    assert after == replace(
        before,
        once_done=after.once_done,
        last_rates={HERE: 7.5},
        domain_sizes={"d-here": 3},
        shapes={f"{HERE}/0123456789abcdef": True},
    )
    assert {key.owner: count for key, (count, _) in after.failures.items()} == {"bob": 2}
    assert {str(key) for key in after.unfinished} == {str(make_key("erin")), "research/user/alice"}
    assert after.unassigned == {Owner("research", USER, "erin")}
    assert set(after.replaced) == set(after.unseen) == {make_key("carol")}
    assert journal_reader.last_failures(target, "ml") == journal_reader.last_failures(state, "ml")
    for read in (journal_reader.last_seen, journal_reader.settle_seconds):
        assert make_key("dave") not in read(target, "ml")
    seen = journal_reader.last_seen(target, "ml")
    assert {key.owner: one.run_id for key, one in seen.items()} == {"alice": "r1", "carol": "r1"}
    assert journal_reader.settle_seconds(target, "ml") == {("JupyterServer", "system"): (2.5, 2.5)}


def test_of_each_app_the_newest_of_what_is_asked_for_is_remembered_and_nothing_that_is_too_old(
    state: StateDir, target: StateDir, open_journal: OpenJournal, make_result: MakeResult
) -> None:
    for number, (outcome, at) in enumerate(
        [(Outcome.CREATED, NOW - 3.0), (Outcome.UNCHANGED, NOW - 2.0), (Outcome.PARKED, NOW - 1.0)]
    ):
        journal = open_journal(f"r{number}")
        journal.conclude(make_result(outcome=outcome), "s1", at, once=False, counts_as_failure=False)
        old = NOW - STATE_OUTCOME_KEPT_MAX_SECONDS - 1.0
        journal.conclude(make_result("old"), "s1", old, once=False, counts_as_failure=False)
        journal.finish("converged", 0, at)
    carried(state, target)
    with closing(open_for_writing(target).connection) as connection:
        kept = connection.execute("SELECT outcome, at FROM outcomes ORDER BY at").fetchall()
    assert kept == [("created", NOW - 3.0), ("unchanged", NOW - 2.0)]


def test_an_app_that_nobody_waited_for_is_forgotten_with_the_run_that_made_it(
    state: StateDir, target: StateDir, open_journal: OpenJournal, make_result: MakeResult
) -> None:
    journal = open_journal("r1")
    journal.conclude(make_result(), "s1", 5.0, once=False, counts_as_failure=False, unseen_at=4.0)
    journal.finish("converged", 0, 6.0)
    with closing(open_for_writing(state).connection) as connection:
        connection.execute("DELETE FROM runs")
    carried(state, target)
    assert journal_reader.read_memory(target, "ml").unseen == {}


def test_a_run_is_read_elsewhere_as_where_it_was_written(
    state: StateDir, target: StateDir, open_journal: OpenJournal, make_result: MakeResult, make_key: MakeKey
) -> None:
    nights(open_journal, make_result, make_key)
    carried(state, target, runs=["r2", "r1"])
    for run_id in ("r2", "r1"):
        assert journal_reader.run(target, run_id) == journal_reader.run(state, run_id)
    assert journal_reader.run_trail(target, "r2") == journal_reader.run_trail(state, "r2")


def test_runs_are_put_in_as_they_began_each_with_its_end_where_a_record_has_it(target: StateDir) -> None:
    def run(run_id: str, started: float, ended: float | None) -> Document:
        row = [run_id, "ml", "0.1.0", started, started, ended, "", 0, 1, "", "", ""]
        return Document({"runs": [row]})

    records = [run("b", 1.0, None), run("a", 2.0, 5.0), run("b", 1.0, 4.0), run("a", 2.0, None)]
    with closing(open_for_writing(target).connection) as connection:
        shared_rows.put_in(connection, [(NAME, one.columns, one.rows) for one in records])
        assert connection.execute("SELECT run_id, ended FROM runs ORDER BY id").fetchall() == [("b", 4.0), ("a", 5.0)]


def test_every_table_of_a_journal_is_shared(state: StateDir, open_journal: OpenJournal) -> None:
    open_journal().finish("converged", 0, 1.0)
    with closing(open_for_writing(state).connection) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        columns = {
            table: {
                "run_id" if row[1] == "run" else row[1] for row in connection.execute(f"PRAGMA table_info({table})")
            }
            for table in COLUMNS
        }
    assert tables - {"sqlite_sequence"} == set(COLUMNS)
    columns["runs"] -= {"id"}
    assert {table: set(names) for table, names in COLUMNS.items()} == columns


@pytest.mark.parametrize(
    "change",
    [
        {"rows": {"streaks": [["k"]]}},
        {"columns": {"streaks": ["key", "nothing"]}, "rows": {"streaks": [["k", 1]]}},
        {"columns": {"streaks": ["key"]}, "rows": {"streaks": [[{"a": 1}]]}},
        {"columns": {"streaks": ["key"]}, "rows": {"streaks": [["k"]]}},
        {"rows": {"streaks": [["k", "ml", "s", 10**30, None]]}},
    ],
)
def test_rows_that_no_run_writes_are_refused_with_the_name_of_their_object(
    target: StateDir, change: dict[str, Any]
) -> None:
    document = Document(**{"columns": COLUMNS, **change})
    with closing(open_for_writing(target).connection) as connection:
        with pytest.raises(ValueError, match=r"The object lanes/l/memory\.json\.gz ha?o?l?d?s"):
            shared_rows.put_in(connection, [(NAME, document.columns, document.rows)])
        assert not connection.execute("SELECT count(*) FROM streaks").fetchone()[0]


def content(**changed: Any) -> dict[str, Any]:
    whole = {
        "format": FORMAT, "form": SCHEMA_VERSION, "writer": "w", "count": 1, "epoch": 1,
        "names": [], "ids": [], "quotas": {}, "columns": {}, "rows": {},
    }  # fmt: skip
    return {**whole, **changed}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", gzip.compress(b"{"), gzip.compress(b"[]"), gzip.compress(b"{}"), gzip.compress(b"{}")[:-4],
        gzip.compress(orjson.dumps(content(rows={"nothing": []}))),
        gzip.compress(orjson.dumps(content(rows={"runs": []}))),
        gzip.compress(orjson.dumps(content(columns={"runs": []}, rows={"runs": [1]}))),
        gzip.compress(orjson.dumps(content(rows=[]))),
        gzip.compress(orjson.dumps(content(count="x"))),
        gzip.compress(orjson.dumps(content(names=5))),
    ],
    ids=range(12),
)  # fmt: skip
def test_an_object_that_is_no_document_is_an_error_that_names_it(data: bytes) -> None:
    with pytest.raises(StateError, match=r"The object lanes/l/memory\.json\.gz cannot be read"):
        unpacked(NAME, data)


@pytest.mark.parametrize("change", [{"format": FORMAT + 1}, {"form": SCHEMA_VERSION + 1}])
def test_an_object_of_a_newer_appfleet_is_not_read(change: dict[str, int]) -> None:
    with pytest.raises(StateError, match="written by a newer appfleet"):
        unpacked(NAME, gzip.compress(orjson.dumps(content(**change))))


def test_an_object_that_unfolds_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.adapters.state.shared_documents.OBJECT_UNPACKED_MAX_BYTES", 100)
    with pytest.raises(StateError, match="holds more than 100 bytes"):
        unpacked(NAME, gzip.compress(b" " * 10_000))
