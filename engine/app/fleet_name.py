"""The name of a fleet, also where its file is broken: metrics and history of a broken file belong to the same fleet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from engine.core.limits import FLEET_FILE_MAX_BYTES, LABEL_MAX_CHARS

if TYPE_CHECKING:
    from pathlib import Path

_NAME_LINE: Final = re.compile(r"""^[ \t]*name[ \t]*=[ \t]*["']([^"'\\\n]+)["']""", re.MULTILINE)


def fleet_name(path: Path) -> str | None:
    """Return the name that a fleet file has, or None where none can be read."""
    import tomllib

    from engine.config.reading.beneath import FileProblem
    from engine.config.reading.regular_file import read_regular

    try:
        text = read_regular(path, str(path), FLEET_FILE_MAX_BYTES).decode(errors="replace")
    except (FileProblem, OSError, ValueError):
        return None
    try:
        name = tomllib.loads(text).get("name")
    except (ValueError, RecursionError):
        # The line that has the name is nearly always whole: what is broken stands elsewhere.
        found = _NAME_LINE.search(text)
        name = found[1] if found is not None else None
    return name if isinstance(name, str) and 0 < len(name) <= LABEL_MAX_CHARS else None
