"""What appfleet keeps between runs and reads back: a stranger, a bad disk or another version may have written it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.journal_reader import last_failures, read_memory, run, runs, settle_seconds
from engine.adapters.state.state_dir import JOURNAL_NAME, StateDir
from engine.adapters.state.timeline_reader import past_runs, run_story
from engine.core.errors import StateError
from engine.executor.throttle import AdaptiveRate
from engine.render.history_text import history_json, history_text
from engine.render.report.html import report_html
from tests.fuzz.targets import Target, shown
from tools.report_sample import FLEET, NIGHTS, STARTED, write_nights

if TYPE_CHECKING:
    from collections.abc import Iterable

APPS: Final = 12
_TABLES: Final = (
    "runs", "intents", "outcomes", "once_done", "streaks", "rates", "domain_sizes", "app_timelines", "timelines",
    "owner_outcomes", "unfinished", "replaced",
)  # fmt: skip


class _Kept(Target):
    """A state folder with two nights in its journal."""

    def __init__(self) -> None:
        super().__init__()
        with StateDir.open(self.folder / "made") as state:
            write_nights(state, APPS)
        with contextlib.closing(sqlite3.connect(self.folder / "made" / JOURNAL_NAME)) as connection:
            connection.execute(
                "INSERT INTO streaks SELECT ?, key, 'hash', 3, run FROM outcomes ORDER BY run DESC LIMIT 3", (FLEET,)
            )
            connection.execute("INSERT INTO rates VALUES ('111122223333', 'eu-west-1', 7.5, 1.0)")
            connection.execute("INSERT INTO domain_sizes VALUES ('d-abcd1234efgh', 40, 1.0)")
            connection.execute("INSERT INTO once_done SELECT ?, key, 1.0 FROM outcomes LIMIT 2", (FLEET,))
            connection.execute(
                "INSERT INTO unfinished SELECT ?, key, 'CreateApp', 1.0, 1, 1 FROM outcomes LIMIT 2", (FLEET,)
            )
            connection.execute("INSERT INTO replaced SELECT ?, key, 'hash', 1.0 FROM outcomes LIMIT 2", (FLEET,))
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")
        self.good = (self.folder / "made" / JOURNAL_NAME).read_bytes()

    def _read_back(self, journal: bytes) -> str:
        """Put the journal in place and read all of it, as every command does."""
        place = self.folder / "state"
        with StateDir.open(place) as state:
            for path in place.glob("journal*"):
                path.unlink()
            (place / JOURNAL_NAME).write_bytes(journal)
            seen = [_tried(read, state) for read in (_memory, _history, _report)]
            opened = SqliteJournal.open(state, RunHeader("new", FLEET, "0.1.0", STARTED), wall=lambda: STARTED)
            _use(opened.memory)
            opened.close()
        return "; ".join(seen)


def _tried(read: Any, state: StateDir) -> str:
    try:
        return str(read(state))
    except StateError as error:
        return str(error).replace(str(state.path), "")


def _memory(state: StateDir) -> str:
    memory = read_memory(state, FLEET)
    _use(memory)
    last_failures(state, FLEET)
    for seconds in settle_seconds(state, FLEET).values():
        assert all(0 < one < float("inf") for one in seconds)
    return "remembered"


def _use(memory: Any) -> None:
    """Use what is remembered as a run does."""
    for rate in memory.last_rates.values():
        assert AdaptiveRate(rate, 20.0, limit_is_known=True).rate > 0
    for count, _ in memory.failures.values():
        assert 0 <= count < 2**31
    for size in memory.domain_sizes.values():
        assert 0 <= size < 2**31
    assert memory.unclean_end_at is None or 0 <= memory.unclean_end_at < 2**40


def _history(state: StateDir) -> str:
    runs(state)
    found = past_runs(state, fleet=None, limit=50)
    shown(history_text(found).replace("\n", ""))
    json.dumps(history_json(found), allow_nan=False)
    return f"{len(found)} runs"


def _report(state: StateDir) -> str:
    story = run_story(state, run_id=None, fleet=None)
    run(state, NIGHTS[0])
    if story is None:
        return "no run"
    return f"{len(report_html(story, command='appfleet apply', history=past_runs(state, fleet=None, limit=20))) > 0}"


class JournalTarget(_Kept):
    """Changes to the rows of a journal: a list of `[table, row, column, value]`, and of pragmas."""

    name = "journal"
    is_json = True

    def seeds(self) -> Iterable[bytes]:
        """Yield a change of every column of every table, and of the numbers that say what the file is."""
        with contextlib.closing(sqlite3.connect(self.folder / "made" / JOURNAL_NAME)) as connection:
            for table in _TABLES:
                for column in _columns(connection, table):
                    value = connection.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone()  # noqa: S608 - as below
                    yield json.dumps([[table, 0, column, None if value is None else value[0]]]).encode()
        yield b'[["user_version", 3], ["application_id", 1634758758]]'
        yield b'[["runs", 0, "started", 1.0], ["rates", 0, "rate", -5.0], ["runs", 1, "alive_at", Infinity]]'

    def run(self, data: bytes) -> str:
        """Change the rows, and read everything back."""
        try:
            changes = json.loads(data)
        except (ValueError, RecursionError):
            return "no changes"
        path = self.folder / "changed.sqlite"
        path.write_bytes(self.good)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for change in changes if isinstance(changes, list) else ():
                with contextlib.suppress(sqlite3.Error, ValueError, TypeError, LookupError, OverflowError):
                    _change(connection, change)
            connection.commit()
        return self._read_back(path.read_bytes())


def _change(connection: sqlite3.Connection, change: Any) -> None:
    name, *rest = change
    if name in ("user_version", "application_id"):
        connection.execute(f"PRAGMA {name} = {int(rest[0])}")
        return
    row, column, value = rest
    if name not in _TABLES or not str(column).isidentifier():
        return
    if isinstance(value, (list, dict)):
        value = json.dumps(value)
    keys = _columns(connection, name, " WHERE pk > 0") or ["rowid"]
    # The names are those of our own tables, or plain words; a wrong one is an error of SQLite that is passed over.
    rows = connection.execute(f"SELECT {', '.join(keys)} FROM {name}").fetchall()  # noqa: S608
    if rows:
        where = " AND ".join(f"{key} IS ?" for key in keys)
        found = rows[int(row) % len(rows)]
        connection.execute(f"UPDATE {name} SET {column} = ? WHERE {where}", (value, *found))  # noqa: S608


def _columns(connection: sqlite3.Connection, table: str, which: str = "") -> list[str]:
    query = f"SELECT name FROM pragma_table_info('{table}'){which}"  # noqa: S608 - one of our own tables
    return [str(name) for (name,) in connection.execute(query)]


class JournalBytesTarget(_Kept):
    """The bytes of a journal."""

    name = "journal-bytes"

    def seeds(self) -> Iterable[bytes]:
        """Yield a good journal, cut so that the change of a few bytes has room."""
        yield self.good

    def run(self, data: bytes) -> str:
        """Read it back."""
        return self._read_back(data)
