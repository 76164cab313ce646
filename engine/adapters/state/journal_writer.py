"""The one writer of a journal: a thread that commits what has gathered.

The loop's side appends a tuple and goes on; nothing of SQLite runs there. A batch is handed to SQLite as one JSON
text a table, so the thread gives up the interpreter's lock for the whole of a statement: with a statement a row it
would have to win the lock back for each row from a loop that is busy, and fall behind.

Nothing here raises to the caller. What could not be written is said in `broken`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from engine.adapters.state import journal_unfinished as unfinished
from engine.adapters.state import journal_unseen as unseen
from engine.adapters.state.journal_end import End
from engine.adapters.state.journal_entries import (
    DONE_ONCE,
    AppMarks,
    Conclusion,
    DomainSize,
    Entry,
    Intent,
    Rate,
    SeenFailed,
)
from engine.adapters.state.journal_owners import OwnerConclusion, SingleRow, note_before
from engine.adapters.state.journal_schema import explain, is_passing
from engine.core.limits import (
    JOURNAL_ALIVE_SECONDS,
    JOURNAL_GATHER_SECONDS,
    JOURNAL_PENDING_MAX_ROWS,
    JOURNAL_RETRY_SECONDS,
)
from engine.core.text import clean

_TOO_LATE: Final = "the journal was closed before the last entries came"
_TOO_MANY: Final = (
    f"more than {JOURNAL_PENDING_MAX_ROWS:,} entries waited for the journal, so the later ones were dropped"
)

_INTENTS: Final = """
    INSERT INTO intents (run, key, operation, spec_hash, at)
    SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]')
    FROM json_each(?)"""
_OUTCOMES: Final = """
    INSERT OR REPLACE INTO outcomes (run, key, spec_hash, action, outcome, attempts, seconds, instance_type, arn,
        error_code, error_message, error_hint, at, once, counts_as_failure, settled)
    SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]'),
           json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
           json_extract(value, '$[9]'), json_extract(value, '$[10]'), json_extract(value, '$[11]'),
           json_extract(value, '$[12]'), json_extract(value, '$[13]'), json_extract(value, '$[14]')
    FROM json_each(?)"""
_ONCE: Final = """
    INSERT OR IGNORE INTO once_done (fleet, key, at)
    SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)"""
# Outcomes that neither end nor count (skipped, parked, interrupted) leave a streak alone, unless the spec changed.
_END_STREAKS: Final = """
    DELETE FROM streaks WHERE fleet = ? AND EXISTS (
        SELECT 1 FROM outcomes WHERE outcomes.run = ? AND outcomes.key = streaks.key AND (
            outcomes.settled OR (outcomes.spec_hash <> '' AND outcomes.spec_hash <> streaks.spec_hash)))"""
_MARKS: Final = """
    INSERT OR REPLACE INTO app_timelines (run, key, marks)
    SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)"""
_RATE: Final = "INSERT OR REPLACE INTO rates (account, region, rate, at) VALUES (?, ?, ?, ?)"
_SIZE: Final = "INSERT OR REPLACE INTO domain_sizes (domain_id, apps, at) VALUES (?, ?, ?)"
_ALIVE: Final = "UPDATE runs SET alive_at = max(alive_at, ?) WHERE id = ?"


class JournalWriter:
    """Owns the connection from `start` on. `run` is the row of `runs` that everything belongs to.

    `wall` gives epoch seconds for the sign of life; `path` is the database, watched for being taken away.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, fleet: str, run: int, *, wall: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._path = path
        self._fleet = fleet
        self._run = run
        self._wall = wall
        self._inode = _inode(path)
        self._entries: deque[Entry] = deque()
        self._kept: list[Entry] = []
        self._waiters: list[Callable[[bool], None]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._stopping = False
        self._ended = False
        self._gone = False  # for good: nothing more will be written
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._main, name="appfleet-journal", daemon=True)
        self.broken = ""

    def start(self) -> None:
        """Hand the connection to the thread."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Queue the entry, to be written with what else has gathered."""
        if self._gone:
            self._break(_TOO_LATE)
            return
        if len(self._entries) >= JOURNAL_PENDING_MAX_ROWS:
            self._break(_TOO_MANY)
            return
        self._entries.append(entry)
        if not self._wake.is_set():
            self._wake.set()

    def put_if_room(self, entry: Entry) -> bool:
        """Queue the entry unless that crowds out something that matters more; return whether it will be written."""
        if self._gone or len(self._entries) >= JOURNAL_PENDING_MAX_ROWS // 2:
            return False
        self.put(entry)
        return True

    def put_durably(self, entry: Entry, done: Callable[[bool], None]) -> None:
        """Write the entry at once; `done` is called from the thread, True when it is on the disk."""
        with self._lock:
            if not self._gone and not self._stopping:
                self._entries.append(entry)
                self._waiters.append(done)
                self._urgent.set()
                self._wake.set()
                return
        self._break(_TOO_LATE)
        done(False)

    def stop(self, timeout_s: float) -> bool:
        """Write what is left, check the log into the database and close; False when that took too long."""
        with self._lock:
            self._stopping = True
        self._urgent.set()
        self._wake.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._break(f"the journal was not written to its end within {timeout_s:g} s")
            return False
        return True

    def _main(self) -> None:
        try:
            while not self._stopping:
                self._wake.wait(JOURNAL_ALIVE_SECONDS)
                self._urgent.wait(JOURNAL_GATHER_SECONDS)
                self._wake.clear()
                self._urgent.clear()
                self._write_gathered()
            self._retry_at = 0.0
            self._write_gathered()
        finally:
            self._close()

    def _write_gathered(self) -> None:
        with self._lock:
            waiters, self._waiters = self._waiters, []
            # A waiter is added after its entry, so each waiter's entry is among these.
            fresh = [self._entries.popleft() for _ in range(len(self._entries))]
        written = False
        try:
            written = self._write([*self._kept, *fresh], durably=bool(waiters) or self._stopping)
        except Exception as error:  # noqa: BLE001 - a journal must never take a run down, whatever is wrong with it
            self._give_up(f"{self._path} could not be written: {clean(repr(error))}")
        finally:
            for done in waiters:
                done(written)

    def _write(self, entries: list[Entry], *, durably: bool) -> bool:
        """Return whether all of `entries` is written; keep them for later where that may help."""
        if self._gone:
            return False
        if self._ended and not entries:
            return True  # no sign of life after the end
        if self._kept and time.monotonic() < self._retry_at and not durably:
            self._keep(entries)
            return False
        if _inode(self._path) != self._inode:
            self._give_up(f"{self._path} was removed or replaced while the run was going on")
            return False
        try:
            self._commit(entries, durably=durably)
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            why = f"{self._path} could not be written: {explain(error)}"
            if is_passing(error):
                self._break(why)
                self._keep(entries)
                self._retry_at = time.monotonic() + JOURNAL_RETRY_SECONDS
            else:
                self._give_up(why)
            return False
        self._kept = []
        self._ended = self._ended or any(isinstance(entry, End) for entry in entries)
        return True

    def _commit(self, entries: list[Entry], *, durably: bool) -> None:
        execute = self._connection.execute
        # In WAL mode FULL syncs the log before COMMIT returns, with all that was committed into it before.
        execute(f"PRAGMA synchronous = {'FULL' if durably else 'NORMAL'}")
        execute("BEGIN IMMEDIATE")
        now = self._wall()
        execute(_ALIVE, (now, self._run))
        intents = [entry for entry in entries if isinstance(entry, Intent)]
        if intents:
            self._commit_intents(intents)
        self._commit_seen(entries)  # before what becomes of these apps in this run
        conclusions = [entry for entry in entries if isinstance(entry, Conclusion)]
        if conclusions:
            self._commit_conclusions(conclusions)
        marks = [(clean(str(entry.key)), entry.marks) for entry in entries if isinstance(entry, AppMarks)]
        if marks:
            execute(_MARKS, (self._run, _json(marks)))
        for entry in entries:
            if isinstance(entry, SingleRow):
                execute(*entry.statement(self._run))
                if isinstance(entry, OwnerConclusion):
                    ended = (clean(str(entry.result.owner)), entry.in_doubt, False)
                    unfinished.settle(self._connection, self._fleet, [ended])
            elif isinstance(entry, Rate):
                execute(_RATE, (clean(entry.lane.account), clean(entry.lane.region), entry.calls_per_second, now))
            elif isinstance(entry, DomainSize):
                execute(_SIZE, (clean(entry.domain_id), entry.apps, now))
        execute("COMMIT")

    def _commit_intents(self, intents: list[Intent]) -> None:
        rows = [entry.row() for entry in intents]
        self._connection.execute(_INTENTS, (self._run, _json(rows)))
        begun = [(clean(str(entry.key)), entry.operation, entry.at, entry.owed) for entry in intents]
        unfinished.begin(self._connection, self._fleet, begun)
        updates = [(clean(str(entry.key)), entry.before) for entry in intents if entry.before]
        note_before(self._connection, self._run, updates)

    def _commit_seen(self, entries: list[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, SeenFailed):
                unseen.note_failed(self._connection, self._fleet, entry)

    def _commit_conclusions(self, conclusions: list[Conclusion]) -> None:
        execute = self._connection.execute
        rows = [entry.row() for entry in conclusions]
        execute(_OUTCOMES, (self._run, _json(rows)))
        done = [
            (row[0], entry.at)
            for entry, row in zip(conclusions, rows, strict=True)
            if entry.once and entry.result.outcome in DONE_ONCE
        ]
        if done:
            execute(_ONCE, (self._fleet, _json(done)))
        failures = [row[:2] for entry, row in zip(conclusions, rows, strict=True) if entry.counts_as_failure]
        if failures:
            execute(unseen.COUNT, (self._fleet, self._run, _json(failures)))
        execute(_END_STREAKS, (self._fleet, self._run))
        ended = [(str(row[0]), entry.in_doubt, entry.owed) for entry, row in zip(conclusions, rows, strict=True)]
        unfinished.settle(self._connection, self._fleet, ended)
        unseen.settle(self._connection, self._fleet, self._run, conclusions)
        for entry in conclusions:
            if entry.replaced_at:
                key, spec_hash = clean(str(entry.result.key)), clean(entry.spec_hash)
                unfinished.note_replaced(self._connection, self._fleet, key, spec_hash, entry.replaced_at)

    def _keep(self, entries: list[Entry]) -> None:
        self._kept = entries[:JOURNAL_PENDING_MAX_ROWS]
        if len(self._kept) < len(entries):
            self._break(_TOO_MANY)

    def _break(self, why: str) -> None:
        """Say why, once: the first reason is the one that helps."""
        if not self.broken:
            self.broken = why

    def _give_up(self, why: str) -> None:
        self._break(why)
        with self._lock:
            self._gone = True
            waiters, self._waiters = self._waiters, []
            self._entries.clear()
        self._kept = []
        for done in waiters:
            done(False)

    def _close(self) -> None:
        with self._lock:
            self._gone = True
        with contextlib.suppress(sqlite3.Error):
            if not self.broken:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()


def _json(rows: Iterable[Any]) -> str:
    return orjson.dumps(list(rows)).decode()


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino
