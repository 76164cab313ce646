"""What a run began and did not end, as the journal keeps it for the next run, and the last replaces of drifted apps.

A row of `unfinished` appears with the intent of a call and goes with the outcome that settles it, each in the same
transaction. Not here: when it is committed (`journal_writer`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from engine.adapters.state.journal_owners import owner_or_none
from engine.adapters.state.journal_values import form_of, key_or_none, moment
from engine.core.identity import AppKey, Owner
from engine.core.limits import DOUBT_KEPT_MAX_SECONDS
from engine.ports.journal import Replaced, Unfinished

UNFINISHED_SINCE: Final = 4  # the form of the journal that has these tables
UNFINISHED_TABLES: Final = (
    """CREATE TABLE unfinished (
        fleet TEXT NOT NULL, key TEXT NOT NULL, operation TEXT NOT NULL, at REAL NOT NULL, in_doubt INTEGER NOT NULL,
        owed INTEGER NOT NULL, PRIMARY KEY (fleet, key)) WITHOUT ROWID""",
    """CREATE TABLE replaced (
        fleet TEXT NOT NULL, key TEXT NOT NULL, spec_hash TEXT NOT NULL, made_at REAL NOT NULL,
        PRIMARY KEY (fleet, key)) WITHOUT ROWID""",
)
_CHANGING: Final = ("Create", "Delete", "Update")  # a tag that is added twice harms nobody

# A call may follow another one of the same app: the later one is in doubt, and what is owed stays owed.
_BEGIN: Final = """
    INSERT INTO unfinished (fleet, key, operation, at, in_doubt, owed)
    SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), 1,
           json_extract(value, '$[3]') FROM json_each(?) WHERE true
    ON CONFLICT (fleet, key) DO UPDATE SET operation = excluded.operation, at = excluded.at, in_doubt = 1,
        owed = max(unfinished.owed, excluded.owed)"""
_SETTLE: Final = "DELETE FROM unfinished WHERE fleet = ? AND key IN (SELECT value FROM json_each(?))"
_LEAVE: Final = "UPDATE unfinished SET in_doubt = ?, owed = ? WHERE fleet = ? AND key = ?"
_REPLACED: Final = "INSERT OR REPLACE INTO replaced VALUES (?, ?, ?, ?)"
# A call that nobody has heard of for a day is not on its way any more; an app that is owed stays owed.
_FORGET: Final = "UPDATE unfinished SET in_doubt = 0 WHERE fleet = ? AND at < ?"
_FORGET_SETTLED: Final = "DELETE FROM unfinished WHERE fleet = ? AND NOT in_doubt AND NOT owed"


def begin(connection: sqlite3.Connection, fleet: str, intents: Sequence[tuple[str, str, float, bool]]) -> None:
    """Note calls that are about to be sent, each as key, operation, epoch seconds, owed; raises sqlite3.Error."""
    rows = [[key, operation, at, int(owed)] for key, operation, at, owed in intents if operation.startswith(_CHANGING)]
    if rows:
        connection.execute(_BEGIN, (fleet, json.dumps(rows)))


def settle(connection: sqlite3.Connection, fleet: str, ended: Sequence[tuple[str, bool, bool]]) -> None:
    """Note ends, each as key, whether it is in doubt, whether it is owed; raises sqlite3.Error."""
    settled = [key for key, in_doubt, owed in ended if not (in_doubt or owed)]
    connection.execute(_SETTLE, (fleet, json.dumps(settled)))
    left = [(int(in_doubt), int(owed), fleet, key) for key, in_doubt, owed in ended if in_doubt or owed]
    connection.executemany(_LEAVE, left)


def note_replaced(connection: sqlite3.Connection, fleet: str, key: str, spec_hash: str, made_at: float) -> None:
    """Remember the last replace of an app because of drift; raises sqlite3.Error."""
    connection.execute(_REPLACED, (fleet, key, spec_hash, made_at))


def forget_old(connection: sqlite3.Connection, fleet: str, now: float) -> None:
    """Drop doubts about calls that cannot be on their way any more; `now` is epoch seconds. Raises sqlite3.Error."""
    connection.execute(_FORGET, (fleet, now - DOUBT_KEPT_MAX_SECONDS))
    connection.execute(_FORGET_SETTLED, (fleet,))


def unfinished_of(connection: sqlite3.Connection, fleet: str) -> dict[AppKey | Owner, Unfinished]:
    """Return what is not ended; nothing from a journal of an earlier form. Raises sqlite3.Error, ValueError."""
    if form_of(connection) < UNFINISHED_SINCE:
        return {}
    rows = connection.execute("SELECT key, operation, at, in_doubt, owed FROM unfinished WHERE fleet = ?", (fleet,))
    return {
        key: Unfinished(str(operation), moment(at), bool(in_doubt), bool(owed))
        for text, operation, at, in_doubt, owed in rows
        if (key := _key(text)) is not None
    }


def replaced_of(connection: sqlite3.Connection, fleet: str) -> dict[AppKey, Replaced]:
    """Return the last replace of each app that had drifted. Raises sqlite3.Error, ValueError."""
    if form_of(connection) < UNFINISHED_SINCE:
        return {}
    rows = connection.execute("SELECT key, spec_hash, made_at FROM replaced WHERE fleet = ?", (fleet,))
    return {
        key: Replaced(str(spec_hash), moment(made_at))
        for text, spec_hash, made_at in rows
        if isinstance(key := _key(text), AppKey)
    }


def _key(text: str) -> AppKey | Owner | None:
    return key_or_none(text) or owner_or_none(text)
