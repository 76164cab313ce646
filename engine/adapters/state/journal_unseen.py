"""Apps that a run made and did not wait for: whether they got into service shows to the next run alone.

So their outcome neither ends a row of failures nor adds to one; what the next run sees does. Not here: when it is
committed (`journal_writer`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from engine.adapters.state import journal_values as values
from engine.adapters.state.journal_entries import Conclusion, SeenFailed
from engine.core.identity import AppKey
from engine.core.limits import UNSEEN_KEPT_MAX_SECONDS
from engine.core.outcome import Outcome
from engine.core.text import clean
from engine.ports.journal import Unseen

UNSEEN_SINCE: Final = 6  # the form of the journal that has this table
UNSEEN_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS unseen (
        fleet TEXT NOT NULL, key TEXT NOT NULL, spec_hash TEXT NOT NULL, run INTEGER NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (fleet, key)) WITHOUT ROWID""",
)
# One run counts once, whatever is said of a key in it; another spec starts at one.
COUNT: Final = """
    INSERT INTO streaks (fleet, key, spec_hash, failures, run)
    SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]'), 1, ? FROM json_each(?) WHERE true
    ON CONFLICT (fleet, key) DO UPDATE SET
        failures = CASE WHEN excluded.spec_hash = streaks.spec_hash THEN streaks.failures + 1 ELSE 1 END,
        spec_hash = excluded.spec_hash, run = excluded.run
    WHERE streaks.run <> excluded.run"""
_TELLING: Final = frozenset(
    {Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.UNCHANGED, Outcome.DELETED, Outcome.FAILED}
)
_FORGET: Final = "DELETE FROM unseen WHERE fleet = ? AND key IN (SELECT value FROM json_each(?))"
_KEEP: Final = "INSERT OR REPLACE INTO unseen (fleet, key, spec_hash, run, at) VALUES (?, ?, ?, ?, ?)"
_FOUND: Final = "SELECT spec_hash, run FROM unseen WHERE fleet = ? AND key = ?"
_WHY: Final = "UPDATE outcomes SET error_code = ?, error_message = ?, error_hint = ? WHERE run = ? AND key = ?"
_TOO_OLD: Final = "DELETE FROM unseen WHERE fleet = ? AND at < ?"
_ALL: Final = """
    SELECT unseen.key, unseen.spec_hash, unseen.at, runs.run_id, runs.started FROM unseen
    JOIN runs ON runs.id = unseen.run WHERE unseen.fleet = ?"""


def settle(connection: sqlite3.Connection, fleet: str, run: int, ended: Sequence[Conclusion]) -> None:
    """Note ends: of what nobody saw in service, and of what is seen by now. Raises sqlite3.Error."""
    known = [clean(str(one.result.key)) for one in ended if one.result.outcome in _TELLING]
    connection.execute(_FORGET, (fleet, json.dumps(known)))
    rows = [
        (fleet, clean(str(one.result.key)), clean(one.spec_hash), run, one.unseen_at) for one in ended if one.unseen_at
    ]
    connection.executemany(_KEEP, rows)


def note_failed(connection: sqlite3.Connection, fleet: str, seen: SeenFailed) -> None:
    """Count an app that ended Failed against the run that made it, with the reason; raises sqlite3.Error."""
    key = clean(str(seen.key))
    found = connection.execute(_FOUND, (fleet, key)).fetchone()
    if found is None:
        return
    spec_hash, run = found
    if seen.counts:
        connection.execute(COUNT, (fleet, run, json.dumps([[key, spec_hash]])))
    texts = (clean(seen.error.code), clean(seen.error.message), clean(seen.error.hint))
    connection.execute(_WHY, (*texts, run, key))
    connection.execute(_FORGET, (fleet, json.dumps([key])))


def forget_old(connection: sqlite3.Connection, fleet: str, now: float) -> None:
    """Drop apps of which no listing tells any more; `now` is epoch seconds. Raises sqlite3.Error."""
    connection.execute(_TOO_OLD, (fleet, now - UNSEEN_KEPT_MAX_SECONDS))


def unseen_of(connection: sqlite3.Connection, fleet: str) -> dict[AppKey, Unseen]:
    """Return the apps that nobody waited for; nothing from a journal of an earlier form. Raises sqlite3.Error."""
    if values.form_of(connection) < UNSEEN_SINCE:
        return {}
    return {
        key: _unseen(*columns)
        for text, *columns in connection.execute(_ALL, (fleet,))
        if (key := values.key_or_none(text)) is not None
    }


def _unseen(spec_hash: Any, at: Any, run_id: Any, started: Any) -> Unseen:
    return Unseen(values.text(spec_hash), values.moment(at), values.text(run_id), values.moment(started))
