"""What became of user profiles and spaces, as the journal keeps it: the entry, its row, and how it is read back.

Not here: when it is committed (`journal_writer`), or the tables (`journal_schema`).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from engine.adapters.state import journal_values as values
from engine.core.change import Action
from engine.core.identity import OWNER_KINDS, Owner
from engine.core.limits import JOURNAL_DURATIONS_MAX_COUNT
from engine.core.outcome import OwnerResult
from engine.core.text import clean
from engine.core.trouble import Trouble
from engine.core.undoing import Updated
from engine.ports.history import OwnerRecord

OWNER_UPDATES_SINCE: Final = 7  # the form of the journal that knows of updates
# What an update took away and set, as JSON of fields; and when all owners of a domain were compared last.
OWNER_UPDATE_TABLES: Final = (
    "CREATE TABLE owner_updates (run INTEGER, key TEXT, before TEXT, PRIMARY KEY (run, key)) WITHOUT ROWID",
    """CREATE TABLE owner_looks (
        fleet TEXT NOT NULL, domain_id TEXT NOT NULL, at REAL, PRIMARY KEY (fleet, domain_id)) WITHOUT ROWID""",
)
_UPDATED: Final = "INSERT OR IGNORE INTO owner_updates VALUES (?, ?, ?)"  # the first of a run knows what was there
_LOOKED: Final = "INSERT OR REPLACE INTO owner_looks SELECT fleet, ?, ? FROM runs WHERE id = ?"
_ASSIGN: Final = "CreateApplicationAssignment"
_ASSIGNMENT: Final = "/assignment"
_OWED: Final = "INSERT OR REPLACE INTO unfinished SELECT fleet, ?, ?, ?, 0, 1 FROM runs WHERE id = ?"
_NOT_OWED: Final = "DELETE FROM unfinished WHERE key = ? AND fleet = (SELECT fleet FROM runs WHERE id = ?)"
_CODE_MAX_CHARS: Final = 80
OWNERS_SINCE: Final = 3  # the form of the journal that has owners
_OWNER_PARTS: Final = 3
_READ: Final = (values.text, values.text, values.count, values.duration, *[values.text] * 4, values.moment)
_SECONDS: Final = (
    "SELECT key, action, seconds FROM owner_outcomes JOIN runs ON runs.id = owner_outcomes.run "
    "WHERE runs.fleet = ? AND outcome IN ('created', 'updated', 'deleted') AND attempts = 1 AND seconds > 0 "
    "ORDER BY runs.id DESC, owner_outcomes.at DESC LIMIT ?"
)
_OUTCOME: Final = "INSERT OR REPLACE INTO owner_outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SingleRow:
    """An entry that comes seldom enough to be written with a statement of its own."""

    __slots__ = ()

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it for the run of that number."""
        raise NotImplementedError  # pragma: no cover - each kind has its own


@dataclass(frozen=True, slots=True)
class OwnerConclusion(SingleRow):
    """What became of one user profile or space; `at` is epoch seconds, and `in_doubt` that of `Unfinished`."""

    result: OwnerResult
    at: float
    in_doubt: bool = False

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it."""
        result = self.result
        return _OUTCOME, (
            run,
            clean(str(result.owner)),
            result.action.value,
            result.outcome.value,
            result.attempts,
            result.seconds,
            clean(result.arn),
            *error_row(result.error),
            self.at,
        )


@dataclass(frozen=True, slots=True)
class OwnerLook(SingleRow):
    """All owners of a domain were compared, at epoch seconds."""

    domain_id: str
    at: float

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it."""
        return _LOOKED, (clean(self.domain_id), self.at, run)


@dataclass(frozen=True, slots=True)
class OwedAssignment(SingleRow):
    """The user of a profile that is made has to be assigned, from `at` on (epoch seconds); 0: not any more.

    It is a row of `unfinished` under a key of its own, which no app and no owner has.
    """

    owner: Owner
    at: float

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it."""
        key = clean(f"{self.owner}{_ASSIGNMENT}")
        return (_OWED, (key, _ASSIGN, self.at, run)) if self.at else (_NOT_OWED, (key, run))


def owed_assignments(connection: sqlite3.Connection, fleet: str) -> frozenset[Owner]:
    """Return the profiles whose users have to be assigned. Raises sqlite3.Error, ValueError."""
    if values.form_of(connection) < OWNER_UPDATES_SINCE:
        return frozenset()
    rows = connection.execute("SELECT key FROM unfinished WHERE fleet = ? AND operation = ?", (fleet, _ASSIGN))
    owners = (owner_or_none(values.text(key).removesuffix(_ASSIGNMENT)) for (key,) in rows)
    return frozenset(owner for owner in owners if owner is not None)


def note_before(connection: sqlite3.Connection, run: int, updates: Iterable[tuple[str, str]]) -> None:
    """Keep what updates take away, each as key and JSON; raises sqlite3.Error."""
    connection.executemany(_UPDATED, [(run, key, before) for key, before in updates])


def looks_of(connection: sqlite3.Connection, fleet: str) -> dict[str, float]:
    """Return when all owners of each domain were compared last, by its id. Raises sqlite3.Error, ValueError."""
    if values.form_of(connection) < OWNER_UPDATES_SINCE:
        return {}
    rows = connection.execute("SELECT domain_id, at FROM owner_looks WHERE fleet = ?", (fleet,))
    return {values.text(domain_id): values.moment(at) for domain_id, at in rows}


def before_of(connection: sqlite3.Connection, run: int) -> dict[Owner, Updated]:
    """Return the fields that the updates of a run changed, by owner. Raises sqlite3.Error, ValueError."""
    if values.form_of(connection) < OWNER_UPDATES_SINCE:
        return {}
    rows = connection.execute("SELECT key, before FROM owner_updates WHERE run = ?", (run,))
    return {owner: _updated(before) for key, before in rows if (owner := owner_or_none(key)) is not None}


def _updated(text: str) -> Updated:
    """Read what an update changed. One that was written before the journal kept what is set has no `after`."""
    kept = orjson.loads(values.text(text))
    before, after = (kept["before"], kept["after"]) if kept.keys() == {"before", "after"} else (kept, {})
    return Updated(dict(before), dict(after))


def owners_in(rows: Iterable[tuple[Any, ...]]) -> tuple[Owner, ...]:
    """Return the owners of rows of one column, sorted, without what is something else. Raises ValueError."""
    return tuple(sorted(owner for (text,) in rows if (owner := owner_or_none(text)) is not None))


def error_row(error: Trouble | None) -> tuple[str, str, str]:
    """Return the columns that say why something did not end well."""
    return ("", "", "") if error is None else (clean(error.code, 80), clean(error.message), clean(error.hint))


def owners_of(connection: sqlite3.Connection, run: int) -> tuple[OwnerRecord, ...]:
    """Return the owners of the run of that number, sorted; none in an older journal. Raises sqlite3.Error."""
    if values.form_of(connection) < OWNERS_SINCE:
        return ()
    rows = connection.execute(
        "SELECT key, action, outcome, attempts, seconds, arn, error_code, error_message, error_hint, at "
        "FROM owner_outcomes WHERE run = ?",
        (run,),
    )
    found = [
        OwnerRecord(owner, *values.row(columns, _READ))
        for text, *columns in rows
        if (owner := owner_or_none(text)) is not None
    ]
    return tuple(sorted(found, key=lambda record: record.owner))


def unknown_owners_of(connection: sqlite3.Connection, run: int) -> tuple[Owner, ...]:
    """Return the owners that the run meant to make or delete and of which it wrote no outcome; raises sqlite3.Error."""
    if values.form_of(connection) < OWNERS_SINCE:
        return ()
    rows = connection.execute(
        "SELECT DISTINCT key FROM intents WHERE run = ? AND NOT EXISTS ("
        "SELECT 1 FROM owner_outcomes WHERE owner_outcomes.run = intents.run AND owner_outcomes.key = intents.key)",
        (run,),
    )
    return owners_in(rows)


def owner_counts(connection: sqlite3.Connection, run: int) -> dict[str, int]:
    """Count the owners of the run of that number by outcome; raises sqlite3.Error."""
    if values.form_of(connection) < OWNERS_SINCE:
        return {}
    counted = connection.execute(
        "SELECT outcome, count(*) FROM owner_outcomes WHERE run = ? GROUP BY outcome ORDER BY outcome", (run,)
    )
    return {values.text(outcome): values.count(count) for outcome, count in counted}


def owner_seconds_of(connection: sqlite3.Connection, fleet: str) -> dict[tuple[str, Action], tuple[float, ...]]:
    """Read how long profiles and spaces took that one call was made for, newest first; raises sqlite3.Error."""
    if values.form_of(connection) < OWNERS_SINCE:
        return {}
    found: defaultdict[tuple[str, Action], list[float]] = defaultdict(list)
    rows = connection.execute(_SECONDS, (fleet, JOURNAL_DURATIONS_MAX_COUNT))
    for text, action, seconds in rows:
        owner = owner_or_none(text)
        if owner is not None and action in set(Action):
            found[owner.kind, Action(action)].append(values.duration(seconds))
    return {kind: tuple(known) for kind, known in found.items()}


def owner_or_none(text: str) -> Owner | None:
    """Read an owner back, or give None for a row of something else."""
    parts = values.text(text).split("/")
    if len(parts) != _OWNER_PARTS or parts[1] not in OWNER_KINDS or not all(parts):
        return None
    domain, kind, name = parts
    return Owner(domain, OWNER_KINDS[OWNER_KINDS.index(kind)], name)
