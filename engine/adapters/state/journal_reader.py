"""What can be read back from a journal: the memory of a fleet, past runs, and what took how long.

Nothing here changes a file, and nothing here needs the lock.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Final, TypeVar

from engine.adapters.state import journal_values as values
from engine.adapters.state.journal_owners import (
    looks_of,
    owed_assignments,
    owner_counts,
    owner_seconds_of,
    owners_of,
    unknown_owners_of,
)
from engine.adapters.state.journal_schema import END_COLUMNS_SINCE, JournalUnusable, explain, open_for_reading
from engine.adapters.state.journal_shapes import shapes_of
from engine.adapters.state.journal_trail import trail_of
from engine.adapters.state.journal_unfinished import replaced_of, unfinished_of
from engine.adapters.state.journal_unseen import unseen_of
from engine.adapters.state.state_dir import JOURNAL_NAME, StateDir
from engine.core.change import Action
from engine.core.errors import StateError
from engine.core.identity import AppKey, Lane
from engine.core.idle_spaces import SeenInRun
from engine.core.limits import JOURNAL_APPS_READ_MAX_COUNT, JOURNAL_DURATIONS_MAX_COUNT
from engine.core.outcome import GOOD_OUTCOMES, Outcome
from engine.core.shrunk import TABLES
from engine.core.trouble import Trouble
from engine.ports.history import AppRecord, IntentRecord, LastFailure, RunDetail, RunRecord, RunTrail
from engine.ports.journal import NOTHING_REMEMBERED, Memory

T = TypeVar("T")
_GOOD: Final = ", ".join(f"'{outcome.value}'" for outcome in sorted(GOOD_OUTCOMES))

# Where such a run says that an app was there.
_SEEN: Final = ", ".join(f"'{outcome.value}'" for outcome in sorted((*GOOD_OUTCOMES, Outcome.STILL_PENDING)))
_RUN_COLUMNS: Final = "run_id, fleet, version, started, alive_at, ended, result, exit_code, id"
_END_COLUMNS: Final = "error_code, error_message, error_hint, began"
_NO_END_COLUMNS: Final = "'', '', '', 1"  # of a journal of an earlier form
_READ: Final = (values.text, values.text, values.count, values.duration, *[values.text] * 5, values.moment)
_NUMBER_PLACE: Final = 8  # of `id` among the columns


def read_memory(state: StateDir, fleet: str) -> Memory:
    """Read what earlier runs of `fleet` left; an empty memory, marked new, where there is no journal.

    Raises StateError for a journal that is there and cannot be read.
    """
    return read_journal(state, NOTHING_REMEMBERED, lambda connection: memory_of(connection, fleet, is_new=False))


def runs(state: StateDir, *, fleet: str | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
    """Return past runs, the newest first, of one fleet or of all in the folder; raises StateError."""
    return read_journal(state, (), lambda connection: runs_of(connection, fleet, limit))


def run(state: StateDir, run_id: str) -> RunDetail | None:
    """Return one past run with its apps, or None when the journal does not have it; raises StateError."""
    return read_journal(state, None, lambda connection: run_of(connection, run_id))


def run_trail(state: StateDir, run_id: str) -> RunTrail:
    """Return what an undo must know of a run; raises StateError."""
    return read_journal(state, RunTrail(), lambda connection: trail_of(connection, run_id))


def settle_seconds(state: StateDir, fleet: str) -> Mapping[tuple[str, str], tuple[float, ...]]:
    """Return how long created apps took, newest first, by app type and instance type; raises StateError.

    Of those alone whose first call was taken: the others waited for the throttle or a quota, which a plan reckons anew.

    The newest JOURNAL_DURATIONS_MAX_COUNT apps are looked at.
    """
    return read_journal(state, {}, lambda connection: _settle_seconds(connection, fleet))


def owner_seconds(state: StateDir, fleet: str) -> Mapping[tuple[str, Action], tuple[float, ...]]:
    """Return how long profiles and spaces took that one call was made for, by kind and action; raises StateError."""
    return read_journal(state, {}, lambda connection: owner_seconds_of(connection, fleet))


def last_failures(state: StateDir, fleet: str) -> Mapping[AppKey, LastFailure]:
    """Return the run that last counted against each app that failed in a row; raises StateError.

    Apps whose run is no longer kept are left out.
    """
    return read_journal(state, {}, lambda connection: _last_failures(connection, fleet))


def last_seen(state: StateDir, fleet: str) -> Mapping[AppKey, SeenInRun]:
    """Return the last run of those kept in which each app was made, found or deleted; raises StateError."""
    return read_journal(state, {}, lambda connection: _last_seen(connection, fleet))


def memory_of(connection: sqlite3.Connection, fleet: str, *, is_new: bool) -> Memory:
    """Read a fleet's memory over an open connection; raises sqlite3.Error."""
    query = connection.execute
    # A run that never held the lock called nothing: it must not hide the death of the one before it.
    began = "began" if has_ends(connection) else "1"
    last = query(
        f"SELECT ended, alive_at FROM runs WHERE fleet = ? AND {began} ORDER BY id DESC LIMIT 1",  # noqa: S608
        (fleet,),
    ).fetchone()
    return Memory(
        once_done=frozenset(
            key
            for (text,) in query("SELECT key FROM once_done WHERE fleet = ?", (fleet,))
            if (key := values.key_or_none(text)) is not None
        ),
        failures={
            key: (values.count(count), values.text(spec_hash))
            for text, count, spec_hash in query(
                "SELECT key, failures, spec_hash FROM streaks WHERE fleet = ?", (fleet,)
            )
            if (key := values.key_or_none(text)) is not None
        },
        last_rates={
            Lane(values.text(account), values.text(region)): values.rate(rate)
            for account, region, rate in query("SELECT account, region, rate FROM rates")
        },
        unclean_end_at=values.moment(last[1]) if last is not None and last[0] is None else None,
        is_new=is_new,
        domain_sizes={
            values.text(domain): values.count(apps)
            for domain, apps in query("SELECT domain_id, apps FROM domain_sizes")
        },
        unfinished=unfinished_of(connection, fleet),
        replaced=replaced_of(connection, fleet),
        last_failures=_last_failures(connection, fleet),
        unseen=unseen_of(connection, fleet),
        owners_compared=looks_of(connection, fleet),
        unassigned=owed_assignments(connection, fleet),
        shapes=shapes_of(connection, fleet),
        table_rows=_table_rows(connection, fleet),
    )


def _table_rows(connection: sqlite3.Connection, fleet: str) -> dict[str, int]:
    """Return the rows of each table of domains at the last run that had any."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'timelines'").fetchone():
        return {}  # a journal of the first form
    row = connection.execute(
        "SELECT data FROM timelines JOIN runs ON runs.id = timelines.run WHERE fleet = ? AND part = ? "
        "ORDER BY run DESC LIMIT 1",
        (fleet, TABLES),
    ).fetchone()
    try:
        found = json.loads(row[0]) if row is not None else {}
    except (ValueError, TypeError):
        return {}
    counts = found.items() if isinstance(found, dict) else ()
    return {file: values.count(rows) for file, rows in counts}


def read_journal(state: StateDir, absent: T, read: Callable[[sqlite3.Connection], T]) -> T:
    """Return what `read` makes of the journal, or `absent` where there is none; raises StateError."""
    where = state.path / JOURNAL_NAME
    hint = f"Move {where} away to start fresh; you lose no app"
    try:
        connection = open_for_reading(state)
        if connection is None:
            return absent
        with closing(connection):
            return read(connection)
    except JournalUnusable as error:
        raise StateError(str(error), hint=error.hint or hint) from None
    except sqlite3.Error as error:
        raise StateError(f"{where} could not be read: {explain(error)}", hint=hint) from None
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise StateError(f"{where} holds what no run writes", hint=hint) from None


def runs_of(connection: sqlite3.Connection, fleet: str | None, limit: int) -> tuple[RunRecord, ...]:
    """Return past runs over an open connection, the newest first; raises sqlite3.Error."""
    rows = connection.execute(
        f"SELECT {_columns(connection)} FROM runs "  # noqa: S608
        "WHERE fleet = coalesce(?, fleet) ORDER BY id DESC LIMIT ?",
        (fleet, limit),
    ).fetchall()
    return tuple(_run_record(connection, row) for row in rows)


def run_of(
    connection: sqlite3.Connection, run_id: str, most_apps: int = JOURNAL_APPS_READ_MAX_COUNT
) -> RunDetail | None:
    """Return one past run over an open connection; raises sqlite3.Error.

    Of more apps than `most_apps`, those that ended well are left out first.
    """
    row = connection.execute(
        f"SELECT {_columns(connection)} FROM runs WHERE run_id = ?",  # noqa: S608
        (run_id,),
    ).fetchone()
    if row is None:
        return None
    number = row[_NUMBER_PLACE]
    apps = [
        AppRecord(key, *values.row(columns, _READ))
        for text, *columns in connection.execute(
            "SELECT key, action, outcome, attempts, seconds, instance_type, arn, error_code, error_message, "  # noqa: S608
            f"error_hint, at FROM outcomes WHERE run = ? ORDER BY outcome IN ({_GOOD}), key LIMIT ?",
            (number, most_apps),
        )
        if (key := values.key_or_none(text)) is not None
    ]
    intents = [
        IntentRecord(key, values.text(operation), values.text(spec_hash), values.moment(at))
        for text, operation, spec_hash, at in connection.execute(
            "SELECT key, operation, spec_hash, at FROM intents WHERE run = ? "
            "AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.run = intents.run AND outcomes.key = intents.key) "
            "ORDER BY rowid",
            (number,),
        )
        if (key := values.key_or_none(text)) is not None
    ]
    record = _run_record(connection, row)
    return RunDetail(
        record,
        tuple(sorted(apps, key=lambda app: app.key)),
        tuple(intents),
        owners_of(connection, number),
        unknown_owners_of(connection, number),
        max(sum(record.summary.values()) - most_apps, 0),
    )


def _run_record(connection: sqlite3.Connection, row: tuple[Any, ...]) -> RunRecord:
    run_id, fleet, version, started, alive_at, ended, result, exit_code, number, *end = row
    counted = connection.execute(
        "SELECT outcome, count(*) FROM outcomes WHERE run = ? GROUP BY outcome ORDER BY outcome", (number,)
    )
    return RunRecord(
        values.text(run_id),
        values.text(fleet),
        values.text(version),
        values.moment(started),
        values.moment(alive_at),
        values.moment_or_none(ended),
        values.text(result),
        None if exit_code is None else values.count(exit_code),
        {values.text(outcome): values.count(count) for outcome, count in counted},
        owner_counts(connection, number),
        *_end(*end),
    )


def _end(code: Any, message: Any, hint: Any, began: Any) -> tuple[Trouble | None, bool]:
    """Return why a run did not end well, and whether it ever held the lock."""
    error = Trouble(values.text(code), values.text(message), values.text(hint))
    return (error if error.code or error.message else None), bool(values.count(began))


def has_ends(connection: sqlite3.Connection) -> bool:
    """Return whether the journal keeps why runs ended: one of an earlier form does not."""
    return values.form_of(connection) >= END_COLUMNS_SINCE


def _columns(connection: sqlite3.Connection) -> str:
    return f"{_RUN_COLUMNS}, {_END_COLUMNS if has_ends(connection) else _NO_END_COLUMNS}"


def _settle_seconds(connection: sqlite3.Connection, fleet: str) -> Mapping[tuple[str, str], tuple[float, ...]]:
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    rows = connection.execute(
        "SELECT key, instance_type, seconds FROM outcomes JOIN runs ON runs.id = outcomes.run "
        "WHERE runs.fleet = ? AND outcome = ? AND attempts = 1 AND seconds > 0 "
        "ORDER BY runs.id DESC, outcomes.at DESC LIMIT ?",
        (fleet, Outcome.CREATED.value, JOURNAL_DURATIONS_MAX_COUNT),
    )
    for text, instance_type, seconds in rows:
        key = values.key_or_none(text)
        if key is not None:
            found[key.app_type, values.text(instance_type)].append(values.duration(seconds))
    return {kind: tuple(known) for kind, known in found.items()}


def _last_failures(connection: sqlite3.Connection, fleet: str) -> Mapping[AppKey, LastFailure]:
    rows = connection.execute(
        "SELECT streaks.key, runs.run_id, runs.started, outcomes.error_message FROM streaks "
        "JOIN runs ON runs.id = streaks.run JOIN outcomes ON outcomes.run = streaks.run AND outcomes.key = streaks.key "
        "WHERE streaks.fleet = ?",
        (fleet,),
    )
    return {
        key: LastFailure(values.text(run_id), values.moment(started), Outcome.FAILED.value, values.text(message))
        for text, run_id, started, message in rows
        if (key := values.key_or_none(text)) is not None
    }


def _last_seen(connection: sqlite3.Connection, fleet: str) -> Mapping[AppKey, SeenInRun]:
    rows = connection.execute(
        "SELECT outcomes.key, runs.run_id, max(outcomes.at) FROM outcomes JOIN runs ON runs.id = outcomes.run "  # noqa: S608
        f"WHERE runs.fleet = ? AND outcomes.outcome IN ({_SEEN}) GROUP BY outcomes.key",
        (fleet,),
    )
    return {
        key: SeenInRun(values.text(run_id), values.moment(at))
        for text, run_id, at in rows
        if (key := values.key_or_none(text)) is not None
    }
