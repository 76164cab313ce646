"""The objects of a shared state that hold rows of a journal: packed JSON, read back as if a stranger had written it.

Not here: which rows those are (`shared_rows`), or when they are written (`lane_memories`).
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from engine.adapters.state.journal_schema import SCHEMA_VERSION
from engine.adapters.state.shared_rows import COLUMNS, Rows
from engine.core.errors import StateError
from engine.core.limits import OBJECT_UNPACKED_MAX_BYTES

FORMAT: Final = 1
_LEVEL: Final = 3  # twice as fast as the usual one, and a tenth larger
DAMAGED_HINT: Final = (
    "Restore an earlier version of the object. If there is none, delete it: then `once`, quarantine and what was not "
    "finished are forgotten for that account and region"
)
_NEWER_HINT: Final = "Let every machine that shares this --state-dir run the same version of appfleet"


@dataclass(frozen=True, slots=True)
class Document:
    """Rows, and who wrote them: `writer` and `count` tell one write from every other.

    `epoch` is that of the lease under which a memory was written, 0 of anything else. `names` and `ids` are the domains
    that it speaks of. `quotas` are the quotas of the day as the cache keeps them.
    """

    rows: Rows
    writer: str = ""
    count: int = 0
    epoch: int = 0
    names: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    quotas: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Sequence[str]] = field(default_factory=lambda: COLUMNS)


def packed(document: Document) -> bytes:
    """Return the bytes of an object."""
    content = {
        "format": FORMAT,
        "form": SCHEMA_VERSION,
        "writer": document.writer,
        "count": document.count,
        "epoch": document.epoch,
        "names": document.names,
        "ids": document.ids,
        "quotas": document.quotas,
        "columns": {table: COLUMNS[table] for table in document.rows},
        "rows": document.rows,
    }
    return gzip.compress(orjson.dumps(content), _LEVEL, mtime=0)


def unpacked(name: str, data: bytes) -> Document:
    """Read an object of that name. Raises StateError for what `packed` does not write, and what a newer one does."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            text = file.read(OBJECT_UNPACKED_MAX_BYTES + 1)
        if len(text) > OBJECT_UNPACKED_MAX_BYTES:
            raise StateError(
                f"The object {name} holds more than {OBJECT_UNPACKED_MAX_BYTES:,} bytes", hint=DAMAGED_HINT
            )
        found = orjson.loads(text)
        if found["format"] > FORMAT or found["form"] > SCHEMA_VERSION:
            raise StateError(f"The object {name} was written by a newer appfleet", hint=_NEWER_HINT)
        return _document(found)
    except (ValueError, TypeError, KeyError, OSError, EOFError, zlib.error) as error:
        raise StateError(f"The object {name} cannot be read: {_why(error)}", hint=DAMAGED_HINT) from None


def _why(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else "it is not what appfleet writes"


def _document(found: Mapping[str, Any]) -> Document:
    rows, columns, quotas = found["rows"], found["columns"], found["quotas"]
    if not isinstance(rows, dict) or not isinstance(quotas, dict) or not set(rows) <= set(COLUMNS) & set(columns):
        raise ValueError("it holds what no run writes")
    if not all(isinstance(row, list) for table in rows.values() for row in table):
        raise ValueError("its rows are not lists")
    return Document(
        rows=rows,
        writer=str(found["writer"]),
        count=int(found["count"]),
        epoch=int(found["epoch"]),
        names=tuple(map(str, found["names"])),
        ids=tuple(map(str, found["ids"])),
        quotas=quotas,
        columns=columns,
    )
