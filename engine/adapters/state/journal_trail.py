"""What a run left and what later runs did to it, as far as an undo of the run must know it.

Not here: what became of each app and owner of the run (`journal_reader`, `journal_owners`).
"""

from __future__ import annotations

import sqlite3
from typing import Final

from engine.adapters.state import journal_values as values
from engine.adapters.state.journal_owners import OWNERS_SINCE, before_of, owners_in
from engine.ports.history import RunTrail

_IN_DOUBT: Final = (
    "SELECT DISTINCT key FROM intents WHERE run = ? AND operation LIKE 'Create%' AND NOT EXISTS ("
    "SELECT 1 FROM owner_outcomes WHERE owner_outcomes.run = intents.run AND owner_outcomes.key = intents.key)"
)
_LATER: Final = (
    "JOIN runs ON runs.id = run WHERE run > ? AND runs.fleet = ? "
    "AND action IN ('create', 'delete', 'delete_then_create') "
    "AND outcome IN ('created', 'deleted', 'replaced', 'still_pending')"
)


def trail_of(connection: sqlite3.Connection, run_id: str) -> RunTrail:
    """Return what an undo must know of a run; nothing of one that is not kept. Raises sqlite3.Error, ValueError."""
    run = connection.execute("SELECT id, fleet FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if run is None:
        return RunTrail()
    apps = connection.execute(f"SELECT DISTINCT key FROM outcomes {_LATER}", run)  # noqa: S608
    apps_again = frozenset(key for (text,) in apps if (key := values.key_or_none(text)) is not None)
    if values.form_of(connection) < OWNERS_SINCE:
        return RunTrail(apps_again=apps_again)
    owners = connection.execute(f"SELECT DISTINCT key FROM owner_outcomes {_LATER}", run)  # noqa: S608
    return RunTrail(
        before_of(connection, run[0]),
        owners_in(connection.execute(_IN_DOUBT, run[:1])),
        owners_in(owners),
        apps_again,
    )
