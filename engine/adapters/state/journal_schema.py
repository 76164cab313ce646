"""The journal's file: its tables, its version, and how a connection to it is had.

Not here: what a run writes (`journal_writer`) or what is read back (`journal_reader`).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.adapters.state.journal_owners import OWNER_UPDATE_TABLES, OWNER_UPDATES_SINCE
from engine.adapters.state.journal_shapes import SHAPE_TABLES, SHAPES_SINCE
from engine.adapters.state.journal_unfinished import UNFINISHED_TABLES
from engine.adapters.state.journal_unseen import UNSEEN_SINCE, UNSEEN_TABLES
from engine.adapters.state.journal_values import form_of
from engine.adapters.state.state_dir import JOURNAL_NAME, StateDir
from engine.core.limits import JOURNAL_ASIDE_MAX_COUNT, JOURNAL_BUSY_MAX_SECONDS
from engine.core.text import clean

SCHEMA_VERSION: Final = 8
APPLICATION_ID: Final = 0x61_70_70_66  # "appf": tells a journal from any other database
_SIDE_FILES: Final = ("-wal", "-shm")

# `runs.id` orders the runs of a folder: clocks step, numbers do not. `once_done`, `streaks`, `rates` and
# `domain_sizes` hold what must outlive the runs that taught it, so that pruning forgets nothing.
TABLES: Final = (
    """CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, fleet TEXT NOT NULL,
        version TEXT NOT NULL, started REAL NOT NULL, alive_at REAL NOT NULL,
        ended REAL, result TEXT NOT NULL DEFAULT '', exit_code INTEGER)""",
    "CREATE INDEX runs_by_fleet ON runs (fleet, id)",
    "CREATE TABLE intents (run INTEGER NOT NULL, key TEXT NOT NULL, operation TEXT, spec_hash TEXT, at REAL)",
    """CREATE TABLE outcomes (
        run INTEGER NOT NULL, key TEXT NOT NULL, spec_hash TEXT, action TEXT, outcome TEXT, attempts INTEGER,
        seconds REAL, instance_type TEXT, arn TEXT, error_code TEXT, error_message TEXT, error_hint TEXT,
        at REAL, once INTEGER, counts_as_failure INTEGER, settled INTEGER,
        PRIMARY KEY (run, key)) WITHOUT ROWID""",
    """CREATE TABLE once_done (
        fleet TEXT NOT NULL, key TEXT NOT NULL, at REAL, PRIMARY KEY (fleet, key)) WITHOUT ROWID""",
    """CREATE TABLE streaks (
        fleet TEXT NOT NULL, key TEXT NOT NULL, spec_hash TEXT NOT NULL, failures INTEGER NOT NULL, run INTEGER,
        PRIMARY KEY (fleet, key)) WITHOUT ROWID""",
    """CREATE TABLE rates (
        account TEXT NOT NULL, region TEXT NOT NULL, rate REAL NOT NULL, at REAL,
        PRIMARY KEY (account, region)) WITHOUT ROWID""",
    "CREATE TABLE domain_sizes (domain_id TEXT PRIMARY KEY, apps INTEGER NOT NULL, at REAL) WITHOUT ROWID",
)
# Since form 2: how a run went. `marks` are milliseconds with a letter each, `data` is JSON.
TIMELINE_TABLES: Final = (
    "CREATE TABLE app_timelines (run INTEGER, key TEXT, marks TEXT, PRIMARY KEY (run, key)) WITHOUT ROWID",
    "CREATE TABLE timelines (run INTEGER, part TEXT, data TEXT, PRIMARY KEY (run, part)) WITHOUT ROWID",
)
# Since form 3: what became of user profiles and spaces.
OWNER_TABLES: Final = (
    """CREATE TABLE owner_outcomes (
        run INTEGER NOT NULL, key TEXT NOT NULL, action TEXT, outcome TEXT, attempts INTEGER, seconds REAL, arn TEXT,
        error_code TEXT, error_message TEXT, error_hint TEXT, at REAL, PRIMARY KEY (run, key)) WITHOUT ROWID""",
)
# Since form 5: why a run did not end well, and whether it ever held the lock. One that never did called nothing, so it
# says nothing about calls in flight.
END_COLUMNS: Final = (
    "ALTER TABLE runs ADD COLUMN began INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE runs ADD COLUMN error_code TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN error_message TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN error_hint TEXT NOT NULL DEFAULT ''",
)
END_COLUMNS_SINCE: Final = 5
_TABLES_SINCE: Final = {
    1: TABLES,
    2: TIMELINE_TABLES,
    3: OWNER_TABLES,
    4: UNFINISHED_TABLES,
    END_COLUMNS_SINCE: END_COLUMNS,
    UNSEEN_SINCE: UNSEEN_TABLES,
    OWNER_UPDATES_SINCE: OWNER_UPDATE_TABLES,
    SHAPES_SINCE: SHAPE_TABLES,
}


NEWER_HINT: Final = "Upgrade appfleet, or use another state folder with --state-dir DIR"


class JournalUnusable(Exception):
    """The journal cannot be used; its text, one clean line, says why. Never leaves the adapter.

    `hint` is the one thing to do about it, where the usual advice would not help.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class _Corrupt(Exception):
    """The file is not a journal, or not a sound one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that may write. `notes` tell what a reader of the result must know."""

    connection: sqlite3.Connection
    is_new: bool
    notes: tuple[str, ...]


def explain(error: sqlite3.Error) -> str:
    """Say what SQLite said, on one clean line, with its name for it."""
    name = getattr(error, "sqlite_errorname", "")
    return clean(f"{error} ({name})" if name else str(error))


def is_corruption(error: sqlite3.Error) -> bool:
    """Whether the error means that the file itself is damaged."""
    return _primary(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_passing(error: sqlite3.Error) -> bool:
    """Whether the same write may succeed later: space is made, another process lets go.

    An I/O error is not one of them: after a failed sync nobody knows what the disk holds.
    """
    return _primary(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def open_for_writing(state: StateDir) -> Opened:
    """Open the journal, making it when it is not there and putting a damaged one aside.

    Raises JournalUnusable, and StateError when the file is a link or somebody else's.
    """
    if state.fd is None:
        raise JournalUnusable(state.problem)
    try:
        connection, is_new = _open_once(state)
        return Opened(connection, is_new, _new_note(state) if is_new else ())
    except _Corrupt as damage:
        return start_afresh(state, str(damage))
    except (sqlite3.Error, OSError) as error:
        raise _not_opened(state, error) from None


def open_beside(state: StateDir) -> sqlite3.Connection | None:
    """Open the journal to add a row beside a run that may hold the lock; None where it cannot be used.

    A damaged file is left to the run that holds the lock: it may be using it. Raises StateError for a file that is
    unsafe to use, and sqlite3.Error.
    """
    if state.fd is None or state.problem:
        return None
    for side in _SIDE_FILES:
        state.has_file(JOURNAL_NAME + side)
    connection = _connect(state, "rw" if state.has_file(JOURNAL_NAME) else "rwc")
    try:
        state.has_file(JOURNAL_NAME)
        version = _version(connection, state)
        connection.execute("PRAGMA journal_mode = WAL")
        if version < SCHEMA_VERSION:
            _bring_up_to_date(connection)
    except (_Corrupt, JournalUnusable):
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection


def start_afresh(state: StateDir, damage: str) -> Opened:
    """Put a damaged journal aside and open a new one; raises as `open_for_writing` does."""
    try:
        aside = _put_aside(state)
        connection, _ = _open_once(state)
    except _Corrupt as again:  # a new file that reads back wrong: the disk, not the journal
        raise JournalUnusable(f"a new journal in {state.path} could not be read back: {again}") from None
    except (sqlite3.Error, OSError) as error:
        raise _not_opened(state, error) from None
    note = (
        f"The journal was damaged ({damage}) and is kept as {state.path / aside}; a new one was started, so "
        "`once`, quarantine and the learned rates start fresh"
    )
    return Opened(connection, is_new=True, notes=(note,))


def _not_opened(state: StateDir, error: sqlite3.Error | OSError) -> JournalUnusable:
    why = explain(error) if isinstance(error, sqlite3.Error) else error.strerror
    return JournalUnusable(f"{state.path / JOURNAL_NAME} could not be opened: {why}")


def open_for_reading(state: StateDir) -> sqlite3.Connection | None:
    """Open the journal without changing it, or give None when there is none.

    Raises JournalUnusable, and StateError when the file is a link or somebody else's.
    """
    if not _has_content(state):
        return None
    try:
        return _open_readonly(state)
    except _Corrupt as damage:
        raise JournalUnusable(f"{state.path / JOURNAL_NAME} is damaged: {damage}") from None
    except sqlite3.Error as error:
        raise JournalUnusable(f"{state.path / JOURNAL_NAME} could not be read: {explain(error)}") from None


def _open_once(state: StateDir) -> tuple[sqlite3.Connection, bool]:
    """Return a connection and whether its tables were made just now."""
    # Side files are made by SQLite with the mode of the database; a link in their place is refused here.
    for side in _SIDE_FILES:
        state.has_file(JOURNAL_NAME + side)
    connection = _connect(state, "rw" if state.has_file(JOURNAL_NAME) else "rwc")
    with _closed_if_unusable(connection):
        state.has_file(JOURNAL_NAME)  # closes a new file to others before anything is in it
        version = _version(connection, state)  # before anything is written to what may be somebody else's
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")
        if version < SCHEMA_VERSION:
            _bring_up_to_date(connection)
            if version == 0:
                state.sync()
        _require_soundness(connection)
    return connection, version == 0


def _open_readonly(state: StateDir) -> sqlite3.Connection:
    """Open for reading alone, also in a folder where SQLite cannot make its side files."""
    try:
        return _open_in_mode(state, "ro")
    except sqlite3.Error as error:
        # WAL needs a file beside the database even to read. Where none can be made, and no log is left to read,
        # the database alone is the whole truth.
        if _primary(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY} or _has_content(state, "-wal"):
            raise
        return _open_in_mode(state, "ro&immutable=1")


def _open_in_mode(state: StateDir, mode: str) -> sqlite3.Connection:
    connection = _connect(state, mode)
    with _closed_if_unusable(connection):
        if _version(connection, state) == 0:
            raise JournalUnusable(f"{state.path / JOURNAL_NAME} holds nothing yet")
    return connection


@contextlib.contextmanager
def _closed_if_unusable(connection: sqlite3.Connection) -> Iterator[None]:
    """Close the connection when anything fails; what shows that the file is damaged becomes _Corrupt."""
    try:
        yield
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error) and is_corruption(error):
            raise _Corrupt(explain(error)) from None
        if isinstance(error, ValueError):  # SQLite quotes the damaged part, and Python cannot read that as text
            raise _Corrupt("a part of it is not text") from None
        raise


def _connect(state: StateDir, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{(state.path / JOURNAL_NAME).as_uri()}?mode={mode}",
        uri=True,
        timeout=JOURNAL_BUSY_MAX_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _version(connection: sqlite3.Connection, state: StateDir) -> int:
    """Return the version of the tables, 0 where there are none yet; refuses what is not ours or is newer."""
    version = form_of(connection)
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if owner != APPLICATION_ID and (tables or version):
        raise _Corrupt("it is a database of something else")
    if version < 0:
        raise _Corrupt("its form has a number that no appfleet writes")
    if version > SCHEMA_VERSION:
        raise JournalUnusable(
            f"{state.path / JOURNAL_NAME} was written by a newer appfleet (its form is {version}, this one knows "
            f"{SCHEMA_VERSION})",
            NEWER_HINT,
        )
    return version


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables that this form has and the file has not, from what is there. Nothing that is there is changed."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        # Another run of the same folder may have been first.
        found = form_of(connection)
        for form in range(found + 1, SCHEMA_VERSION + 1):
            for table in _TABLES_SINCE[form]:
                connection.execute(table)
        if found < SCHEMA_VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _require_soundness(connection: sqlite3.Connection) -> None:
    """Check the whole file, but only after a run that never wrote its end: it is then that files break."""
    last = connection.execute("SELECT ended FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    if last is not None and last[0] is None:
        verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise _Corrupt(clean(verdict))


def _put_aside(state: StateDir) -> str:
    for number in range(1, JOURNAL_ASIDE_MAX_COUNT + 1):
        name = f"journal.corrupt-{number}.sqlite"
        if state.has_file(name) and number < JOURNAL_ASIDE_MAX_COUNT:
            continue  # the last number is used again: a disk that breaks journals must not fill up with them
        for side in ("", *_SIDE_FILES):
            if side == "" or state.has_file(JOURNAL_NAME + side):
                state.rename(JOURNAL_NAME + side, name + side)
        state.sync()
        return name
    raise AssertionError  # pragma: no cover - the last number always returns


def _has_content(state: StateDir, side: str = "") -> bool:
    name = JOURNAL_NAME + side
    return state.has_file(name) and (state.path / name).stat().st_size > 0


def _new_note(state: StateDir) -> tuple[str, ...]:
    return (f"No run history found; starting a new journal in {state.path / JOURNAL_NAME}",)


def _primary(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; the extended one has it in its low byte."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
