"""The journal of one run: what is written for the next one, and what earlier ones left.

It is never the truth about the cloud, so nothing of it may stop a run: a journal that cannot be opened or written
gives an empty memory and a reason in `broken`, and every write after that is a quiet no-op. Only a file that is
unsafe to use (a link, somebody else's) raises. Not here: reading history (`journal_reader`).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from engine.adapters.state import journal_unseen
from engine.adapters.state.journal_end import End, Start
from engine.adapters.state.journal_entries import AppMarks, Conclusion, DomainSize, Intent, Part, Rate, SeenFailed
from engine.adapters.state.journal_owners import OwedAssignment, OwnerConclusion, OwnerLook
from engine.adapters.state.journal_reader import memory_of, read_memory
from engine.adapters.state.journal_schema import (
    JournalUnusable,
    Opened,
    explain,
    is_corruption,
    open_beside,
    open_for_writing,
    start_afresh,
)
from engine.adapters.state.journal_shapes import SeenShape, forget_shapes
from engine.adapters.state.journal_unfinished import forget_old
from engine.adapters.state.journal_writer import JournalWriter
from engine.adapters.state.state_dir import JOURNAL_NAME, StateDir
from engine.core.errors import StateError
from engine.core.identity import AppKey, Lane, Owner
from engine.core.limits import JOURNAL_FINISH_MAX_SECONDS, JOURNAL_REFUSALS_MAX_COUNT, JOURNAL_RUNS_MAX_COUNT
from engine.core.outcome import AppResult, OwnerResult
from engine.core.text import clean
from engine.core.trouble import Trouble
from engine.ports.journal import NOTHING_REMEMBERED, Memory


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What is known of a run when it begins; `started` is epoch seconds."""

    run_id: str
    fleet: str
    version: str
    started: float


class SqliteJournal:
    """The writing side for one run (`ports.journal.Journal`), with the memory that it found.

    `notes` hold what a reader of the result must know although nothing failed, such as that the journal is new.
    `way_out` is the one thing to do where it is broken and the usual advice would not help, or empty. `also_kept` is
    asked of each durable intent once it is on the disk, where it has to be kept elsewhere too.
    """

    def __init__(
        self, memory: Memory, notes: tuple[str, ...], writer: JournalWriter | None, broken: str, way_out: str = ""
    ) -> None:
        self.memory = memory
        self.notes = notes
        self._writer = writer
        self._broken = broken
        self.way_out = way_out
        self.also_kept: Callable[[AppKey | Owner], Awaitable[bool]] | None = None

    @classmethod
    def open(cls, state: StateDir, header: RunHeader, *, wall: Callable[[], float] = time.time) -> SqliteJournal:
        """Read the memory, forget runs that are too old, and write that this run began.

        Blocks on the disk, so it belongs before the loop's work starts; the fleet's lock must be held. `wall` gives
        epoch seconds. Raises StateError for a file that is unsafe to use, and for nothing else.
        """
        try:
            opened = open_for_writing(state)
            try:
                return cls._begun(state, opened, header, wall)
            except (sqlite3.Error, ValueError, TypeError, AttributeError, OverflowError) as error:
                if isinstance(error, sqlite3.Error) and not is_corruption(error):
                    raise
                damage = explain(error) if isinstance(error, sqlite3.Error) else "it holds what no run writes"
            return cls._begun(state, start_afresh(state, damage), header, wall)
        except JournalUnusable as error:
            return cls._without_writer(state, header, str(error), error.hint)
        except sqlite3.Error as error:
            return cls._without_writer(
                state, header, f"{state.path / JOURNAL_NAME} could not be used: {explain(error)}"
            )

    @classmethod
    def _begun(cls, state: StateDir, opened: Opened, header: RunHeader, wall: Callable[[], float]) -> SqliteJournal:
        """Read, begin and start the writer; closes the connection and raises when that fails."""
        try:
            memory = memory_of(opened.connection, header.fleet, is_new=opened.is_new)
            run = _begin(opened.connection, header)
        except BaseException:
            opened.connection.close()
            raise
        writer = JournalWriter(opened.connection, state.path / JOURNAL_NAME, header.fleet, run, wall=wall)
        writer.start()
        return cls(memory, opened.notes, writer, "")

    @classmethod
    def _without_writer(cls, state: StateDir, header: RunHeader, why: str, way_out: str = "") -> SqliteJournal:
        """Return a journal that remembers what it can and writes nothing."""
        try:
            memory = read_memory(state, header.fleet)
        except StateError:
            memory = NOTHING_REMEMBERED
        return cls(memory, (), None, clean(why), way_out)

    @property
    def broken(self) -> str:
        """Why the journal is incomplete, or empty."""
        return self._broken or (clean(self._writer.broken) if self._writer is not None else "")

    def intend(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> None:
        """Note that `operation` will be called; `at` is epoch seconds."""
        if self._writer is not None:
            self._writer.put(Intent(key, operation, spec_hash, at))

    async def intend_durably(
        self, key: AppKey | Owner, operation: str, spec_hash: str, at: float, *, owed: bool = False, before: str = ""
    ) -> bool:
        """Note it and wait until it would survive a power cut; False if it does not."""
        if self._writer is None:
            return False
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def settle(written: bool) -> None:
            if not answer.done():  # the waiting task may have been cancelled meanwhile
                answer.set_result(written)

        def done(written: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(settle, written)

        self._writer.put_durably(Intent(key, operation, spec_hash, at, owed, before), done)
        return await answer and (self.also_kept is None or await self.also_kept(key))

    def conclude(
        self,
        result: AppResult,
        spec_hash: str,
        at: float,
        *,
        once: bool,
        counts_as_failure: bool,
        in_doubt: bool = False,
        owed: bool = False,
        replaced_at: float = 0.0,
        unseen_at: float = 0.0,
    ) -> None:
        """Note an app's outcome, as `ports.journal.Journal` says; `once` says that its mode is once."""
        if self._writer is not None:
            told = (once, counts_as_failure, in_doubt, owed, replaced_at, unseen_at)
            self._writer.put(Conclusion(result, spec_hash, at, *told))

    def note_seen_failed(self, key: AppKey, error: Trouble, *, counts: bool) -> None:
        """Note that an app which an earlier run made and did not wait for has ended Failed."""
        if self._writer is not None:
            self._writer.put(SeenFailed(key, error, counts))

    def conclude_owner(self, result: OwnerResult, at: float, *, in_doubt: bool = False) -> None:
        """Note what became of a user profile or a space; `at` is epoch seconds."""
        if self._writer is not None:
            self._writer.put(OwnerConclusion(result, at, in_doubt))

    def restart(self, at: float) -> None:
        """Restart the run's clock at `at`, in epoch seconds: the time before was spent waiting for a person."""
        if self._writer is not None:
            self._writer.put(Start(at))

    def note_rate(self, lane: Lane, calls_per_second: float) -> None:
        """Remember the last good create rate of a lane."""
        if self._writer is not None:
            self._writer.put(Rate(lane, calls_per_second))

    def note_owners_compared(self, domain_id: str, at: float) -> None:
        """Remember that all owners of a domain were compared, at epoch seconds."""
        if self._writer is not None:
            self._writer.put(OwnerLook(domain_id, at))

    def owe_assignment(self, owner: Owner, at: float) -> None:
        """Remember that the user of a profile which is about to be made has to be assigned, at epoch seconds."""
        if self._writer is not None:
            self._writer.put(OwedAssignment(owner, at))

    def settle_assignment(self, owner: Owner) -> None:
        """Forget that the user of a profile has to be assigned."""
        if self._writer is not None:
            self._writer.put(OwedAssignment(owner, 0.0))

    def note_domain_size(self, domain_id: str, apps: int) -> None:
        """Remember how many rows a complete scan of a domain gave."""
        if self._writer is not None:
            self._writer.put(DomainSize(domain_id, apps))

    def note_shape(self, shape: str, at: float, *, runs: bool) -> None:
        """Remember of a shape, by its id, whether an app of it was in service, at epoch seconds."""
        if self._writer is not None:
            self._writer.put(SeenShape(shape, at, runs))

    def keep_marks(self, key: AppKey, marks: str) -> bool:
        """Keep an app's timeline as text; False when there was no room for it, which is no trouble."""
        return self._writer is not None and self._writer.put_if_room(AppMarks(key, marks))

    def keep_part(self, part: str, data: str) -> bool:
        """Keep a part of the run's timeline, JSON, in place of what was kept of it before."""
        return self._writer is not None and self._writer.put_if_room(Part(part, data))

    def finish(
        self,
        result: str,
        exit_code: int,
        at: float,
        error: Trouble | None = None,
        *,
        clean_end: bool = True,
        timeout_s: float = JOURNAL_FINISH_MAX_SECONDS,
    ) -> None:
        """Write what is left and that the run ended so, then close; `error` says why it did not end well.

        Without `clean_end` only the reason is kept: the next run then waits for calls that may have been in flight.
        Blocks for at most `timeout_s` seconds, usually some milliseconds: call it when the loop's work is over.
        """
        if self._writer is not None:
            self._writer.put(End(result, exit_code, at, error, clean_end))
            self.close(timeout_s=timeout_s)

    def close(self, *, timeout_s: float = JOURNAL_FINISH_MAX_SECONDS) -> None:
        """Write what is left and close without an end, as after a crash of ours; twice is harmless."""
        if self._writer is not None:
            self._writer.stop(timeout_s)


def keep_refusal(state: StateDir, header: RunHeader, end: End) -> bool:
    """Keep the end of a run that never held the lock, for `history` and `report`; whether it could be kept.

    The lock need not be held: one row is added, and nothing that another run works with is changed. A run that is
    there already, since it got as far as its journal, is left as it is. Raises StateError for an unsafe file.
    """
    try:
        connection = open_beside(state)
        if connection is None:
            return False
        with contextlib.closing(connection):
            _keep_refusal(connection, header, end)
    except (sqlite3.Error, OSError):
        return False
    return True


def _keep_refusal(connection: sqlite3.Connection, header: RunHeader, end: End) -> None:
    at, _, *rest = end.row()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT OR IGNORE INTO runs (run_id, fleet, version, started, alive_at, ended, result, exit_code, error_code, "
        "error_message, error_hint, began) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (clean(header.run_id), header.fleet, header.version, header.started, at, at, *rest),
    )
    connection.execute(
        "DELETE FROM runs WHERE NOT began AND fleet = ? AND id NOT IN "
        "(SELECT id FROM runs WHERE NOT began AND fleet = ? ORDER BY id DESC LIMIT ?)",
        (header.fleet, header.fleet, JOURNAL_REFUSALS_MAX_COUNT),
    )
    connection.execute("COMMIT")


def _begin(connection: sqlite3.Connection, header: RunHeader) -> int:
    """Write the run's row and prune, in one transaction; give the row's number."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        run = connection.execute(
            "INSERT INTO runs (run_id, fleet, version, started, alive_at) VALUES (?, ?, ?, ?, ?)",
            (clean(header.run_id), header.fleet, header.version, header.started, header.started),
        ).lastrowid
        _prune(connection, header.fleet)
        forget_old(connection, header.fleet, header.started)
        journal_unseen.forget_old(connection, header.fleet, header.started)
        forget_shapes(connection, header.fleet)
    return int(run or 0)


def _prune(connection: sqlite3.Connection, fleet: str) -> None:
    """Keep the newest runs of the fleet, and the intents of runs that never wrote their end."""
    too_old = connection.execute(
        "SELECT id FROM runs WHERE fleet = ? AND began ORDER BY id DESC LIMIT -1 OFFSET ?",
        (fleet, JOURNAL_RUNS_MAX_COUNT),
    ).fetchall()
    for table, column in (
        ("outcomes", "run"),
        ("owner_outcomes", "run"),
        ("owner_updates", "run"),
        ("app_timelines", "run"),
        ("timelines", "run"),
        ("runs", "id"),
    ):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", too_old)  # noqa: S608 - names from here
    # Every intent of a run that wrote its end has its outcome beside it.
    connection.execute("DELETE FROM intents WHERE run NOT IN (SELECT id FROM runs WHERE ended IS NULL)")
