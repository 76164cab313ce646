"""The text of a fleet document: its own keys, then domains, then apps, then who has them.

Not here: what stands in the document (`imported`), how TOML is written (`toml_text`), or its place on a disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.config.toml_text import toml_text


def fleet_text(head: str, document: Mapping[str, Any]) -> str:
    """Return `head`, each line of it a comment, and the document. Raises BugError where it reads back otherwise."""
    parts: list[dict[str, Any]] = [_own(document)]
    if "defaults" in document:
        parts.append({"defaults": document["defaults"]})
    later = []
    for name, domain in document["domains"].items():
        parts.append({"domains": {name: _own(domain)}})
        for kind, tables in domain.items():
            if isinstance(tables, dict):
                later += [{"domains": {name: {kind: {one: table}}}} for one, table in tables.items()]
    parts += [{"apps": {name: app}} for name, app in document.get("apps", {}).items()]
    return toml_text(head, document, parts + later)


def _own(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if not isinstance(value, dict)}
