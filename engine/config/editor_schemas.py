"""Where the JSON Schemas of a fleet's files are, and the line of a file that leads an editor to its own.

Pure. Not here: the schemas (`app.schema`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

SCHEMAS_FOLDER: Final = "schemas"  # beside the fleet file


class SchemaOf(StrEnum):
    """Which kind of file."""

    FLEET = "fleet"
    INCLUDED = "included"
    POLICY = "policy"

    @property
    def file_name(self) -> str:
        """The schema's file, in the folder of schemas."""
        return f"{self.value}.schema.json"


def schema_line(kind: SchemaOf, inside: str) -> str:
    """Return the first line of a file for editors; `inside` is the file's path below the folder of the fleet file."""
    return f"#:schema {'../' * inside.count('/') or './'}{SCHEMAS_FOLDER}/{kind.file_name}\n"
