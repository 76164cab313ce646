"""Whatever happens to the journal, it raises nothing into a run, says what is wrong once, and loses no app."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state import journal_schema, journal_writer
from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.journal_entries import Intent
from engine.adapters.state.journal_reader import read_memory, run, runs
from engine.adapters.state.journal_schema import NEWER_HINT, SCHEMA_VERSION
from engine.adapters.state.state_dir import StateDir
from engine.core.errors import StateError
from engine.core.outcome import Outcome
from tests.unit.adapters.state.conftest import TIMEOUT_S, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.adapters.state.conftest import MakeKey, MakeResult, OpenJournal

HEADER = RunHeader("r10", "ml", "0.1.0", 100.0)


def writer_connection(journal: SqliteJournal) -> sqlite3.Connection:
    assert journal._writer is not None
    return journal._writer._connection


def fill(journal: SqliteJournal) -> None:
    """Forbid the database another page: from then on SQLite really says that the disk is full."""
    writer_connection(journal).execute("PRAGMA max_page_count = 1")


class Failing:
    """A connection whose statements fail, or wait, from now on."""

    def __init__(self, real: sqlite3.Connection, error: Exception | None = None) -> None:
        self.real = real
        self.error = error
        self.go_on = threading.Event()

    def execute(self, *_: object) -> None:
        if self.error is not None:
            raise self.error
        assert self.go_on.wait(TIMEOUT_S)

    def close(self) -> None:
        self.real.close()


def break_connection(journal: SqliteJournal, error: Exception | None = None) -> Failing:
    assert journal._writer is not None
    failing = Failing(journal._writer._connection, error)
    journal._writer._connection = failing  # type: ignore[assignment]
    return failing


class TestAFullDisk:
    async def test_it_is_said_once_and_no_durable_intent_is_promised(
        self, open_journal: OpenJournal, make_key: MakeKey, make_result: MakeResult, folder: Path
    ) -> None:
        """Row 45."""
        journal = open_journal()
        fill(journal)
        for number in range(2_000):
            journal.conclude(make_result(f"u{number}"), "s1", 1.0, once=False, counts_as_failure=False)
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        first = journal.broken
        assert first == (f"{folder / 'journal.sqlite'} could not be written: database or disk is full (SQLITE_FULL)")
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        journal.finish("incomplete", 3, 2.0)
        assert journal.broken == first

    async def test_what_waited_is_written_when_there_is_room_again(
        self, open_journal: OpenJournal, state: StateDir, make_key: MakeKey, make_result: MakeResult
    ) -> None:
        journal = open_journal()
        fill(journal)
        for number in range(2_000):
            journal.conclude(make_result(f"u{number}"), "s1", 1.0, once=False, counts_as_failure=False)
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        writer_connection(journal).execute("PRAGMA max_page_count = 100000")
        assert await journal.intend_durably(make_key("z"), "DeleteApp", "s1", 1.0)
        journal.finish("converged", 0, 2.0)
        assert "disk is full" in journal.broken
        found = run(state, "r1")
        assert found is not None
        assert found.run.summary == {"created": 2_000}
        assert found.run.ended == 2.0

    def test_between_tries_what_comes_waits(
        self,
        open_journal: OpenJournal,
        state: StateDir,
        make_result: MakeResult,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(journal_writer, "JOURNAL_RETRY_SECONDS", 1e9)
        monkeypatch.setattr(journal_writer, "JOURNAL_GATHER_SECONDS", 0.001)
        journal = open_journal()
        writer = journal._writer
        assert writer is not None
        fill(journal)
        for number in range(2_000):
            journal.conclude(make_result(f"u{number}"), "s1", 1.0, once=False, counts_as_failure=False)
        until(lambda: bool(writer._kept))
        journal.note_domain_size("d-1", 5)
        until(lambda: not writer._entries and len(writer._kept) == 2_001)
        writer_connection(journal).execute("PRAGMA max_page_count = 100000")
        journal.finish("converged", 0, 2.0)
        assert read_memory(state, "ml").domain_sizes == {"d-1": 5}

    async def test_what_waits_is_bounded(
        self, open_journal: OpenJournal, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal_writer, "JOURNAL_PENDING_MAX_ROWS", 3)
        journal = open_journal()
        writer = journal._writer
        assert writer is not None
        break_connection(journal, full())
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        for _ in range(5):
            assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        assert len(writer._kept) == 3

    def test_a_journal_that_cannot_keep_up_drops_rather_than_grows(
        self, open_journal: OpenJournal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal_writer, "JOURNAL_PENDING_MAX_ROWS", 3)
        journal = open_journal()
        failing = break_connection(journal)
        writer = journal._writer
        assert writer is not None
        journal.note_domain_size("d-1", 0)
        until(lambda: not writer._entries)
        for number in range(4):
            journal.note_domain_size("d-1", number)
        assert "entries waited for the journal" in journal.broken
        assert len(writer._entries) == 3
        writer._connection = failing.real
        failing.go_on.set()

    def test_a_limit_on_the_size_of_files_stops_no_run(self, folder: Path) -> None:
        """The kernel refuses the write itself: with a real error, in a process of its own."""
        script = """
import asyncio, resource, sys
from pathlib import Path
from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.state_dir import StateDir
from engine.core.identity import AppKey
async def main():
    with StateDir.open(Path(sys.argv[1])) as state:
        journal = SqliteJournal.open(state, RunHeader("r1", "ml", "0.1.0", 1.0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        key = AppKey("research", "user", "al", "JupyterServer", "default")
        for number in range(20_000):
            journal.intend(key, "CreateApp", "s1", 1.0)
        print(await journal.intend_durably(key, "DeleteApp", "s1", 1.0))
        journal.finish("converged", 0, 2.0)
        print(journal.broken)
asyncio.run(main())
"""
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
        durable, broken = done.stdout.splitlines()
        assert durable == "False"
        assert "journal.sqlite could not be written: " in broken
        assert done.stderr == ""


def full() -> sqlite3.Error:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    error.sqlite_errorname = "SQLITE_FULL"
    return error


class TestWhileItRuns:
    async def test_another_process_that_keeps_the_file_locked_is_waited_for_in_bounds(
        self,
        open_journal: OpenJournal,
        state: StateDir,
        folder: Path,
        make_key: MakeKey,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(journal_schema, "JOURNAL_BUSY_MAX_SECONDS", 0.01)
        journal = open_journal()
        with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
            assert "database is locked (SQLITE_BUSY)" in journal.broken
            other.execute("ROLLBACK")
        journal.finish("converged", 0, 2.0)
        assert runs(state)[0].ended == 2.0

    @pytest.mark.parametrize("replaced", [False, True])
    async def test_a_file_that_is_taken_away_is_noticed(
        self, open_journal: OpenJournal, folder: Path, make_key: MakeKey, make_result: MakeResult, replaced: bool
    ) -> None:
        journal = open_journal()
        (folder / "journal.sqlite").unlink()
        if replaced:
            (folder / "journal.sqlite").touch()
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        assert journal.broken.endswith("journal.sqlite was removed or replaced while the run was going on")
        journal.conclude(make_result(), "s1", 1.0, once=False, counts_as_failure=False)
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        journal.finish("converged", 0, 2.0)
        assert journal.broken.endswith("while the run was going on")

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (sqlite3.OperationalError("disk I/O error"), "could not be written: disk I/O error"),
            (RuntimeError("what\x1b[2J is this"), r"could not be written: RuntimeError('what\x1b[2J is this')"),
        ],
    )
    async def test_any_error_of_the_writer_ends_the_writing_and_not_the_run(
        self, open_journal: OpenJournal, make_key: MakeKey, error: Exception, said: str
    ) -> None:
        journal = open_journal()
        break_connection(journal, error)
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        assert journal.broken.endswith(said)
        assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
        journal.note_domain_size("d-1", 1)
        journal.finish("converged", 0, 2.0)

    def test_an_end_that_takes_too_long_is_not_waited_for(self, open_journal: OpenJournal) -> None:
        journal = open_journal()
        failing = break_connection(journal)
        journal.finish("interrupted", 130, 2.0, timeout_s=0.01)
        assert journal.broken == "the journal was not written to its end within 0.01 s"
        assert journal._writer is not None
        journal._writer._connection = failing.real
        failing.go_on.set()

    def test_waiters_are_told_when_the_writer_gives_up(self, open_journal: OpenJournal, make_key: MakeKey) -> None:
        """Also those that came while the write that failed was under way."""
        journal = open_journal()
        failing = break_connection(journal)
        writer = journal._writer
        assert writer is not None
        answers: list[bool] = []
        entry = Intent(make_key(), "DeleteApp", "s1", 1.0)
        writer.put_durably(entry, answers.append)
        until(lambda: not writer._entries)
        writer.put_durably(entry, answers.append)
        failing.error = sqlite3.OperationalError("disk I/O error")
        failing.go_on.set()
        writer._thread.join(0)
        journal.close()
        assert answers == [False, False]


class TestOpening:
    def begin_and_end(self, open_journal: OpenJournal, make_result: MakeResult) -> None:
        journal = open_journal()
        journal.conclude(make_result(), "s1", 1.0, once=True, counts_as_failure=False)
        journal.finish("converged", 0, 2.0)

    def test_a_folder_that_is_not_there_gives_a_journal_that_writes_nothing(
        self, unprivileged: Path, stack: ExitStack, make_key: MakeKey, make_result: MakeResult
    ) -> None:
        unprivileged.chmod(0o500)
        state = stack.enter_context(StateDir.open(unprivileged / "s"))
        journal = SqliteJournal.open(state, HEADER)
        assert journal.broken == state.problem != ""
        assert journal.memory.is_new
        journal.intend(make_key(), "CreateApp", "s1", 1.0)
        journal.conclude(make_result(), "s1", 1.0, once=False, counts_as_failure=False)
        journal.note_rate(("1", "eu"), 1.0)  # type: ignore[arg-type]
        journal.note_domain_size("d-1", 1)
        journal.finish("converged", 0, 2.0)
        journal.close()

    async def test_a_read_only_folder_is_remembered_from_and_not_written(
        self, unprivileged: Path, make_key: MakeKey, make_result: MakeResult
    ) -> None:
        with StateDir.open(unprivileged / "s") as state:
            journal = SqliteJournal.open(state, HEADER)
            journal.conclude(make_result(), "s1", 1.0, once=True, counts_as_failure=False)
            journal.finish("converged", 0, 2.0)
        (unprivileged / "s" / "journal.sqlite").chmod(0o400)
        (unprivileged / "s").chmod(0o500)
        with StateDir.open(unprivileged / "s") as state:
            journal = SqliteJournal.open(state, HEADER)
            assert "journal.sqlite could not be " in journal.broken
            assert journal.memory.once_done == {make_key()}
            assert not journal.memory.is_new
            assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
            assert [found.run_id for found in runs(state)] == ["r10"]

    def test_a_disk_that_is_full_from_the_start_is_said(self, state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: sqlite3.Connection) -> None:
            raise full()

        monkeypatch.setattr(journal_schema, "_bring_up_to_date", refuse)
        journal = SqliteJournal.open(state, HEADER)
        assert "journal.sqlite could not be opened: database or disk is full (SQLITE_FULL)" in journal.broken
        assert journal.memory.is_new

    def test_tables_are_made_all_or_none(
        self, open_journal: OpenJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(journal_schema, "_TABLES_SINCE", {1: ("CREATE TABLE runs (x)",), 2: ("nonsense",)})
            assert "could not be opened: near" in open_journal().broken
        with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
            assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        again = open_journal()
        assert again.broken == ""
        assert again.memory.is_new

    def test_a_disk_that_cannot_sync_the_folder_is_said(self, state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse() -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(state, "sync", refuse)
        journal = SqliteJournal.open(state, HEADER)
        assert journal.broken.endswith("journal.sqlite could not be opened: Input/output error")

    @pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"])
    def test_links_are_refused(self, state: StateDir, folder: Path, tmp_path: Path, name: str) -> None:
        (folder / name).symlink_to(tmp_path / "target")
        with pytest.raises(StateError, match="is a link, so it is not used"):
            SqliteJournal.open(state, HEADER)
        assert not (tmp_path / "target").exists()

    def test_an_empty_file_is_a_new_journal(self, open_journal: OpenJournal, folder: Path) -> None:
        (folder / "journal.sqlite").touch()
        assert open_journal().memory.is_new

    def test_a_newer_journal_is_left_alone(
        self, open_journal: OpenJournal, state: StateDir, folder: Path, make_result: MakeResult
    ) -> None:
        self.begin_and_end(open_journal, make_result)
        with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        before = (folder / "journal.sqlite").read_bytes()
        journal = open_journal("r2")
        forms = f"its form is {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}"
        assert f"written by a newer appfleet ({forms})" in journal.broken
        assert journal.way_out == NEWER_HINT
        assert (folder / "journal.sqlite").read_bytes() == before
        with pytest.raises(StateError, match="newer appfleet") as refused:
            read_memory(state, "ml")
        assert refused.value.hint == NEWER_HINT

    def test_a_journal_without_tables_cannot_be_read_and_can_be_begun(
        self, open_journal: OpenJournal, state: StateDir, folder: Path
    ) -> None:
        """As a process leaves it that is killed between making the file and its tables."""
        with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        with pytest.raises(StateError, match="holds nothing yet"):
            read_memory(state, "ml")
        assert open_journal().broken == ""

    @pytest.mark.parametrize("kind", ["garbage", "other database", "cut short"])
    def test_a_damaged_journal_is_put_aside_and_a_new_one_begun(
        self, open_journal: OpenJournal, state: StateDir, folder: Path, make_result: MakeResult, kind: str
    ) -> None:
        file = folder / "journal.sqlite"
        if kind == "garbage":
            file.write_bytes(random.Random(7).randbytes(10_000))
        elif kind == "other database":
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("CREATE TABLE mine (x)")
        else:
            self.begin_and_end(open_journal, make_result)
            file.write_bytes(file.read_bytes()[:5_000])
        before = file.read_bytes()
        journal = open_journal("r2")
        assert journal.broken == ""
        assert journal.memory.is_new
        (note,) = journal.notes
        assert f"is kept as {folder / 'journal.corrupt-1.sqlite'}; a new one was started" in note
        assert (folder / "journal.corrupt-1.sqlite").read_bytes() == before
        journal.finish("converged", 0, 3.0)
        assert [found.run_id for found in runs(state)] == ["r2"]

    def test_damage_inside_is_found_after_an_unclean_end(
        self, open_journal: OpenJournal, folder: Path, make_result: MakeResult
    ) -> None:
        journal = open_journal()
        for number in range(500):
            journal.conclude(make_result(f"u{number}"), "s1", 1.0, once=False, counts_as_failure=False)
        journal.close()
        overwrite_last_page(folder / "journal.sqlite")
        second = open_journal("r2")
        assert second.broken == ""
        assert "The journal was damaged (" in second.notes[0]

    def test_damage_that_only_reading_finds_is_put_aside_too(
        self, open_journal: OpenJournal, folder: Path, make_result: MakeResult
    ) -> None:
        self.begin_and_end(open_journal, make_result)
        with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
            (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'streaks'").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        overwrite(folder / "journal.sqlite", (page - 1) * size, size)
        second = open_journal("r2")
        assert second.broken == ""
        assert second.memory.is_new
        assert (folder / "journal.corrupt-1.sqlite").exists()

    def test_a_disk_that_breaks_journals_is_not_filled_with_them(
        self, open_journal: OpenJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal_schema, "JOURNAL_ASIDE_MAX_COUNT", 2)
        for number in range(4):
            (folder / "journal.sqlite").write_bytes(b"garbage %d" % number * 1_000)
            open_journal(f"r{number}").finish("converged", 0, 1.0)
        assert sorted(path.name for path in folder.glob("journal.corrupt*")) == [
            "journal.corrupt-1.sqlite",
            "journal.corrupt-2.sqlite",
        ]
        assert (folder / "journal.corrupt-2.sqlite").read_bytes().startswith(b"garbage 3")

    def test_the_log_of_a_damaged_journal_goes_with_it(self, state: StateDir, folder: Path) -> None:
        """Beside a new database an old log would be read as its own."""
        for side in ("", "-wal", "-shm"):
            (folder / f"journal.sqlite{side}").write_text(f"old{side}")
        assert journal_schema._put_aside(state) == "journal.corrupt-1.sqlite"
        assert {path.name: path.read_text() for path in folder.glob("journal*")} == {
            "journal.corrupt-1.sqlite": "old",
            "journal.corrupt-1.sqlite-wal": "old-wal",
            "journal.corrupt-1.sqlite-shm": "old-shm",
        }

    def test_a_log_whose_journal_was_removed_is_not_read(self, folder: Path) -> None:
        """Somebody removes the database after a run was killed, and leaves what lies beside it."""
        script = (
            "import os, sys, signal; from pathlib import Path; from engine.adapters.state.state_dir import StateDir; "
            "from engine.adapters.state.journal import RunHeader, SqliteJournal; "
            "SqliteJournal.open(StateDir.open(Path(sys.argv[1])), RunHeader('r1', 'ml', '0', 1.0)); "
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run([sys.executable, "-c", script, str(folder)], timeout=TIMEOUT_S, check=False)
        assert (folder / "journal.sqlite-wal").stat().st_size > 0
        (folder / "journal.sqlite").unlink()
        with StateDir.open(folder) as state:
            journal = SqliteJournal.open(state, HEADER)
            journal.finish("converged", 0, 2.0)
            assert journal.broken == ""
            assert journal.memory.is_new
            assert [found.run_id for found in runs(state)] == ["r10"]

    def test_a_disk_that_reads_back_something_else_is_said(
        self, open_journal: OpenJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def always(*_: object, **__: object) -> None:
            raise journal_schema._Corrupt("nonsense")

        monkeypatch.setattr(journal_schema, "_version", always)
        assert open_journal().broken == f"a new journal in {folder} could not be read back: nonsense"

    def test_damage_that_comes_back_at_once_is_said(
        self, open_journal: OpenJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        (folder / "journal.sqlite").write_bytes(b"garbage" * 1_000)
        monkeypatch.setattr(StateDir, "rename", refuse)
        assert open_journal().broken.endswith("could not be opened: No space left on device")

    def test_a_run_whose_beginning_cannot_be_written_remembers_all_the_same(
        self, open_journal: OpenJournal, make_result: MakeResult, make_key: MakeKey
    ) -> None:
        """Here because its id is taken; a disk that fills up at this moment does the same."""
        self.begin_and_end(open_journal, make_result)
        again = open_journal("r1")
        assert "could not be used: UNIQUE constraint failed" in again.broken
        assert again.memory.once_done == {make_key()}

    def test_two_runs_of_one_folder_that_begin_it_at_once_both_write(
        self, open_journal: OpenJournal, state: StateDir
    ) -> None:
        one, other = open_journal("r1", "ml"), open_journal("r2", "web")
        one.note_domain_size("d-1", 1)
        other.note_domain_size("d-2", 2)
        one.finish("converged", 0, 2.0)
        other.finish("converged", 0, 2.0)
        assert (one.broken, other.broken) == ("", "")
        assert read_memory(state, "ml").domain_sizes == {"d-1": 1, "d-2": 2}

    def test_tables_that_another_run_made_meanwhile_are_taken(self, open_journal: OpenJournal, folder: Path) -> None:
        open_journal().finish("converged", 0, 2.0)
        with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
            journal_schema._bring_up_to_date(connection)
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)

    def test_content_that_no_run_writes_is_damage(
        self, open_journal: OpenJournal, state: StateDir, folder: Path, make_result: MakeResult
    ) -> None:
        self.begin_and_end(open_journal, make_result)
        with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
            connection.execute("INSERT INTO rates VALUES ('1', 'eu', 'fast', 0)")
            connection.commit()
        with pytest.raises(StateError, match="holds what no run writes"):
            read_memory(state, "ml")
        journal = open_journal("r2")
        assert journal.broken == ""
        assert "holds what no run writes" in journal.notes[0]

    def test_a_lock_that_is_held_is_no_reason_to_read_past_it(
        self, open_journal: OpenJournal, state: StateDir, make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.begin_and_end(open_journal, make_result)
        modes: list[str] = []

        def locked(_: StateDir, mode: str) -> sqlite3.Connection:
            modes.append(mode)
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error

        monkeypatch.setattr(journal_schema, "_open_in_mode", locked)
        with pytest.raises(StateError, match="database is locked"):
            read_memory(state, "ml")
        assert modes == ["ro"]

    def test_reading_says_what_sqlite_said(
        self, open_journal: OpenJournal, state: StateDir, folder: Path, make_result: MakeResult
    ) -> None:
        self.begin_and_end(open_journal, make_result)
        with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
            connection.execute("DROP TABLE streaks")
        with pytest.raises(StateError, match="could not be read: no such table: streaks"):
            read_memory(state, "ml")

    def test_a_journal_that_may_not_be_read_says_so(self, unprivileged: Path) -> None:
        with StateDir.open(unprivileged / "s") as state:
            SqliteJournal.open(state, HEADER).finish("converged", 0, 2.0)
            (unprivileged / "s" / "journal.sqlite").chmod(0o000)
            with pytest.raises(StateError, match="could not be read: unable to open database file"):
                read_memory(state, "ml")


def overwrite(file: Path, offset: int, size: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(b"\xff" * size)


def overwrite_last_page(file: Path) -> None:
    overwrite(file, file.stat().st_size - 4096, 4096)


KILLED = """
import asyncio, os, random, signal, sys, threading, time
from pathlib import Path
from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.state_dir import StateDir
from engine.core.identity import AppKey
from engine.core.outcome import AppResult, Outcome
from engine.core.plan import Action
number = int(sys.argv[2])
chance = random.Random(number)

def die():
    time.sleep(chance.uniform(0.0, 0.15))
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    state = StateDir.open(Path(sys.argv[1]))
    journal = SqliteJournal.open(state, RunHeader(f"r{number}", "ml", "0.1.0", 100.0 + number))
    assert journal.broken == "", journal.broken
    print("begun", flush=True)
    threading.Thread(target=die).start()
    for count in range(10**9):
        key = AppKey("research", "user", f"u{count}", "JupyterServer", "default")
        journal.intend(key, "CreateApp", "s1", 1.0)
        journal.conclude(AppResult(key, Action.CREATE, Outcome.CREATED), "s1", 1.0, once=False, counts_as_failure=False)
        if chance.random() < 0.2:
            other = key._replace(owner=f"d{count}")
            if await journal.intend_durably(other, "DeleteApp", "s1", 1.0):
                print(other.owner, flush=True)
        elif chance.random() < 0.1:
            await asyncio.sleep(0)

asyncio.run(main())
"""


def test_killed_at_any_moment_it_can_be_read_and_holds_every_durable_intent(folder: Path) -> None:
    """Ten runs on one journal, each killed without warning; the next one needs no repair. Row 42."""
    promised_at_all = 0
    for number in range(10):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(folder), str(number)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert (killed.returncode, killed.stderr) == (-9, "")
        begun, *promised = killed.stdout.splitlines()
        assert begun == "begun"
        promised_at_all += len(promised)
        with StateDir.open(folder) as state:
            memory = read_memory(state, "ml")
            found = run(state, f"r{number}")
        assert memory.unclean_end_at is not None
        assert memory.unclean_end_at >= 100.0 + number
        assert found is not None
        assert found.run.ended is None
        held = {intent.key.owner for intent in found.open_intents}
        assert set(promised) <= held
        assert all(app.outcome == Outcome.CREATED for app in found.apps)
    assert promised_at_all > 0
    with StateDir.open(folder) as state:
        journal = SqliteJournal.open(state, HEADER)
        assert journal.notes == ()
        assert len(runs(state)) == 11
        journal.finish("converged", 0, 2.0)
