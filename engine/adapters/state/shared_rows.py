"""Rows of a journal as they are shared: out of the journal of one run, and into that of another one elsewhere.

A shared state keeps a *memory* for each lane, which the run that holds the lane writes again and again, and one record
for each run. Both are rows of the journal's own tables, so what reads a journal reads them. Rows name runs by their
run id, since their numbers differ from file to file.

Not here: the objects that rows are kept in (`shared_documents`), when they are written (`lane_memories`).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.core.identity import Lane
from engine.core.limits import STATE_OUTCOME_KEPT_MAX_SECONDS
from engine.core.outcome import GOOD_OUTCOMES, Outcome
from engine.core.shape import lane_of

Row = list[Any]
Rows = Mapping[str, list[Row]]

RUNS: Final = "runs"
_RUN: Final = "run_id"  # in the place of `run`, which is a number

# The columns of each table, as rows are shared.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    RUNS: (
        _RUN, "fleet", "version", "started", "alive_at", "ended", "result", "exit_code", "began", "error_code",
        "error_message", "error_hint",
    ),
    "once_done": ("key", "fleet", "at"),
    "streaks": ("key", "fleet", "spec_hash", "failures", _RUN),
    "unfinished": ("key", "fleet", "operation", "at", "in_doubt", "owed"),
    "replaced": ("key", "fleet", "spec_hash", "made_at"),
    "unseen": ("key", "fleet", "spec_hash", _RUN, "at"),
    "rates": ("account", "region", "rate", "at"),
    "domain_sizes": ("domain_id", "apps", "at"),
    "owner_looks": ("domain_id", "fleet", "at"),
    "shapes": ("shape", "fleet", "at", "runs"),
    "outcomes": (
        "key", _RUN, "spec_hash", "action", "outcome", "attempts", "seconds", "instance_type", "arn", "error_code",
        "error_message", "error_hint", "at", "once", "counts_as_failure", "settled",
    ),
    "owner_outcomes": (
        "key", _RUN, "action", "outcome", "attempts", "seconds", "arn", "error_code", "error_message", "error_hint",
        "at",
    ),
    "owner_updates": ("key", _RUN, "before"),
    "intents": ("key", _RUN, "operation", "spec_hash", "at"),
    "app_timelines": ("key", _RUN, "marks"),
    "timelines": (_RUN, "part", "data"),
}  # fmt: skip
_BY_KEY: Final = ("once_done", "streaks", "unfinished", "replaced", "unseen")
_BY_ID: Final = ("domain_sizes", "owner_looks")
_OF_RUN: Final = ("outcomes", "owner_outcomes", "owner_updates", "intents", "app_timelines", "timelines")
_NAMING_RUNS: Final = ("streaks", "unseen", "outcomes")
_RUN_ID: Final = "(SELECT run_id FROM runs WHERE id = {table}.run)"

_SEEN: Final = ", ".join(f"'{outcome.value}'" for outcome in sorted((*GOOD_OUTCOMES, Outcome.STILL_PENDING)))
# Of past outcomes: those that failures in a row count; the last of each app that saw it; and the last create of each
# whose first call was taken, which says how long one takes.
_COUNTED: Final = (
    "EXISTS (SELECT 1 FROM streaks WHERE streaks.fleet = :fleet AND streaks.key = outcomes.key "
    "AND streaks.run = outcomes.run)"
)
_OF_FLEET: Final = "outcomes.at > :since AND run IN (SELECT id FROM runs WHERE fleet = :fleet)"
_TELLING: Final = (
    _COUNTED,
    f"{_OF_FLEET} AND outcome IN ({_SEEN}) GROUP BY key HAVING run = max(run)",
    f"{_OF_FLEET} AND outcome = 'created' AND attempts = 1 AND seconds > 0 GROUP BY key HAVING run = max(run)",
)


@dataclass(frozen=True, slots=True)
class Part:
    """What belongs to one lane: its domains, by name and by id."""

    lane: Lane
    names: frozenset[str]
    ids: frozenset[str]


def memories(connection: sqlite3.Connection, fleet: str, parts: Iterable[Part], now: float) -> dict[Lane, Rows]:
    """Return what the next run of each lane must know; `now` is epoch seconds. Raises sqlite3.Error."""
    parts = tuple(parts)
    named = {name: part.lane for part in parts for name in part.names}
    by_id = {one: part.lane for part in parts for one in part.ids}
    found: dict[Lane, defaultdict[str, list[Row]]] = {part.lane: defaultdict(list) for part in parts}
    for table, rows in _remembered(connection, fleet, now):
        for row in rows:
            if table == "rates":
                lane: Lane | None = Lane(row[0], row[1])
            elif table == "shapes":
                lane = lane_of(str(row[0]))
            else:
                lane = by_id.get(row[0]) if table in _BY_ID else named.get(str(row[0]).partition("/")[0])
            if lane is not None and lane in found:
                found[lane][table].append(row)
    runs = _rows(connection, RUNS, "true ORDER BY id")
    last = connection.execute("SELECT run_id FROM runs WHERE fleet = ? AND began ORDER BY id DESC", (fleet,)).fetchone()
    for tables in found.values():
        wanted = {row[COLUMNS[table].index(_RUN)] for table in _NAMING_RUNS for row in tables[table]}
        wanted.update(last or ())
        tables[RUNS] = [row for row in runs if row[0] in wanted]
    return {lane: {table: rows for table, rows in tables.items() if rows} for lane, tables in found.items()}


def run_rows(connection: sqlite3.Connection, run_id: str) -> Rows:
    """Return all that is kept of one run. Raises sqlite3.Error."""
    rows = {RUNS: _rows(connection, RUNS, "run_id = :run_id", run_id=run_id)}
    for table in _OF_RUN:
        rows[table] = _rows(connection, table, "run = (SELECT id FROM runs WHERE run_id = :run_id)", run_id=run_id)
    return {table: found for table, found in rows.items() if found}


def put_in(connection: sqlite3.Connection, documents: Iterable[tuple[str, Mapping[str, Sequence[str]], Rows]]) -> None:
    """Add rows to a journal, each document with a name and the columns of its tables; runs as they began.

    Raises sqlite3.Error, and ValueError with the document's name for what no run writes.
    """
    documents = tuple(documents)
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        runs: dict[str, tuple[str, Sequence[str], Row]] = {}
        for name, columns, rows in documents:
            for row in rows.get(RUNS, ()):
                known = runs.get(str(row[:1]))  # of two records of a run, the one that has its end speaks for it
                if known is None or _of_run(known[1], known[2])["ended"] is None:
                    runs[str(row[:1])] = (name, columns[RUNS], row)
        for name, of_runs, row in sorted(runs.values(), key=lambda run: _began(run[1], run[2])):
            _insert(connection, name, RUNS, of_runs, [row])
        for name, columns, rows in documents:
            for table, found in rows.items():
                if table != RUNS:
                    _insert(connection, name, table, columns[table], found)


def _of_run(columns: Sequence[str], row: Row) -> defaultdict[str, Any]:
    return defaultdict(lambda: None, zip(columns, row, strict=False))


def _began(columns: Sequence[str], row: Row) -> tuple[float, str]:
    """Return what runs are sorted by: two of one second have names in any order."""
    run = _of_run(columns, row)
    return (run["started"] if isinstance(run["started"], float | int) else 0.0), str(run[_RUN])


def ended_uncleanly(rows: Rows) -> bool:
    """Return whether the run that wrote a memory never wrote its own end."""
    return bool(rows.get(RUNS)) and rows[RUNS][-1][COLUMNS[RUNS].index("ended")] is None


def _remembered(connection: sqlite3.Connection, fleet: str, now: float) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of all lanes, table by table."""
    for table in _BY_KEY:
        rows = _rows(connection, table, "fleet = :fleet", fleet=fleet)
        yield table, [row for row in rows if table != "unseen" or row[COLUMNS[table].index(_RUN)] is not None]
    yield "domain_sizes", _rows(connection, "domain_sizes", "true")
    yield "owner_looks", _rows(connection, "owner_looks", "fleet = :fleet", fleet=fleet)
    yield "rates", _rows(connection, "rates", "true")
    yield "shapes", _rows(connection, "shapes", "fleet = :fleet", fleet=fleet)
    since = now - STATE_OUTCOME_KEPT_MAX_SECONDS
    told = {
        (row[0], row[1]): row
        for where in _TELLING
        for row in _rows(connection, "outcomes", where, fleet=fleet, since=since)
    }
    yield "outcomes", list(told.values())


def _rows(connection: sqlite3.Connection, table: str, where: str, **values: Any) -> list[Row]:
    columns = (_RUN_ID.format(table=table) if name == _RUN and table != RUNS else name for name in COLUMNS[table])
    found = connection.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", values)  # noqa: S608 - from here
    return [list(row) for row in found]


def _insert(
    connection: sqlite3.Connection, document: str, table: str, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    if not set(columns) <= set(COLUMNS[table]) or any(len(row) != len(columns) for row in rows):
        raise ValueError(f"The object {document} has columns of {table} that no run writes")
    by_run = table != RUNS
    how = "INSERT OR REPLACE" if by_run else "INSERT OR IGNORE"  # a run has one number, whatever names it
    names = ("run" if by_run and name == _RUN else name for name in columns)
    places = ("(SELECT id FROM runs WHERE run_id = ?)" if by_run and name == _RUN else "?" for name in columns)
    statement = f"{how} INTO {table} ({', '.join(names)}) VALUES ({', '.join(places)})"
    try:
        connection.executemany(statement, rows)
    except (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError) as error:
        raise ValueError(f"The object {document} holds rows of {table} that no run writes: {error}") from None
