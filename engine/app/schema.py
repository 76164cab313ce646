"""`schema`: the JSON Schema of each kind of file, printed, or written where editors find it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.config.editor_schemas import SCHEMAS_FOLDER, SchemaOf, schema_line
from engine.render.json_text import json_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SCHEMAS_FOLDER", "SchemaOf", "line_for", "schema_text", "write_schemas"]


def schema_text(kind: SchemaOf) -> str:
    """Return the schema of a kind of file."""
    from engine.config.fleet import fleet_schema
    from engine.config.policy import policy_schema

    made = {
        SchemaOf.FLEET: fleet_schema.fleet_schema,
        SchemaOf.INCLUDED: fleet_schema.included_schema,
        SchemaOf.POLICY: policy_schema.policy_schema,
    }
    return json_text(made[kind]())


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write the schema of every kind of file into `folder`, over those of an earlier version. Raises UsageError."""
    from engine.app.named_file import put_file

    paths = []
    for kind in SchemaOf:
        paths.append(folder / kind.file_name)
        put_file(paths[-1], schema_text(kind), _check, replace=True)
    return tuple(paths)


def _check(made: Path) -> None:
    json.loads(made.read_text(encoding="utf-8"))


def line_for(kind: SchemaOf, folder: Path, inside: str) -> str:
    """Return what a new file `inside` the fleet's `folder` begins with: nothing where the schema is not there."""
    return schema_line(kind, inside) if (folder / SCHEMAS_FOLDER / kind.file_name).is_file() else ""
