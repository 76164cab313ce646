"""Which shapes of apps ran, as the journal keeps it: the entry, its row, and how it is read back.

An app that ran under a journal of an earlier form is known by the hash of its spec, in place of the id of a shape.
Not here: when it is committed (`journal_writer`), or what a shape is (`core.shape`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from engine.adapters.state import journal_values as values
from engine.adapters.state.journal_owners import SingleRow
from engine.core.limits import SHAPES_KEPT_MAX_COUNT
from engine.core.text import clean

SHAPES_SINCE: Final = 8  # the form of the journal that has this table
# Created, adopted or found in service and not replaced since: what `outcomes` of an earlier form tells of it.
_RAN: Final = """
    SELECT runs.fleet, outcomes.spec_hash, max(coalesce(outcomes.at, 0)), 1 FROM outcomes
    JOIN runs ON runs.id = outcomes.run
    WHERE outcomes.settled AND outcomes.spec_hash <> '' AND outcomes.action <> 'delete'
    GROUP BY runs.fleet, outcomes.spec_hash"""
SHAPE_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS shapes (
        fleet TEXT NOT NULL, shape TEXT NOT NULL, at REAL NOT NULL, runs INTEGER NOT NULL,
        PRIMARY KEY (fleet, shape)) WITHOUT ROWID""",
    f"INSERT OR IGNORE INTO shapes (fleet, shape, at, runs) {_RAN}",
)
_SEEN: Final = "INSERT OR REPLACE INTO shapes SELECT fleet, ?, ?, ? FROM runs WHERE id = ?"
_FORGET: Final = """
    DELETE FROM shapes WHERE fleet = ? AND shape NOT IN
        (SELECT shape FROM shapes WHERE fleet = ? ORDER BY at DESC, shape LIMIT ?)"""
_ALL: Final = "SELECT shape, runs FROM shapes WHERE fleet = ?"
_ALL_BEFORE: Final = f"SELECT ran.spec_hash, 1 FROM ({_RAN}) AS ran WHERE ran.fleet = ?"  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class SeenShape(SingleRow):
    """Whether an app of a shape was in service, or the one that was tried failed; `at` is epoch seconds."""

    shape: str
    at: float
    runs: bool

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it."""
        return _SEEN, (clean(self.shape), self.at, int(self.runs), run)


def shapes_of(connection: sqlite3.Connection, fleet: str) -> dict[str, bool]:
    """Return of each shape whether it ran; of a journal of an earlier form, specs. Raises sqlite3.Error, ValueError."""
    known = values.form_of(connection) >= SHAPES_SINCE
    rows = connection.execute(_ALL if known else _ALL_BEFORE, (fleet,))
    return {values.text(shape): bool(values.count(runs)) for shape, runs in rows}


def forget_shapes(connection: sqlite3.Connection, fleet: str) -> None:
    """Keep those that were seen last; raises sqlite3.Error."""
    connection.execute(_FORGET, (fleet, fleet, SHAPES_KEPT_MAX_COUNT))
