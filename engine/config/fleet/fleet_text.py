"""The text of a fleet document: laid out for people, and read back before anybody gets it.

Not here: what stands in the document (`imported`), or its place on a disk (`steps.importing`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import toml

from engine.core.errors import BugError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE_MAX_CHARS: Final = 100


@dataclass(frozen=True, slots=True)
class _Inline:
    """A table that stands in a list, as its text: the writer would give each four lines and takes no mixed list."""

    text: str


def fleet_text(head: str, document: Mapping[str, Any]) -> str:
    """Give `head`, each line of it a comment, and the document: its own keys, domains, apps, then who has them."""
    encoder = neat_encoder()
    encoder.dump_funcs[_Inline] = lambda table: table.text

    def inlined(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: inlined(item) for key, item in value.items()}
        return [table(item) if isinstance(item, dict) else item for item in value] if isinstance(value, list) else value

    def table(item: Mapping[str, Any]) -> _Inline:
        return _Inline(f"{{ {', '.join(f'{key} = {encoder.dump_value(one)}' for key, one in item.items())} }}")

    def dumped(part: Mapping[str, Any]) -> str:
        return str(toml.dumps(inlined(part), encoder=encoder)).strip("\n") + "\n"

    plain = {key: value for key, value in document.items() if not isinstance(value, dict)}
    parts = [dumped(plain)]
    later = []
    for name, domain in document["domains"].items():
        own = {key: value for key, value in domain.items() if not isinstance(value, dict)}
        parts.append(dumped({"domains": {name: own}}))
        for kind, tables in domain.items():
            if isinstance(tables, dict):
                later += [dumped({"domains": {name: {kind: {one: table}}}}) for one, table in tables.items()]
    parts += [dumped({"apps": {name: app}}) for name, app in document.get("apps", {}).items()]
    text = "".join(f"# {line}\n" for line in head.splitlines()) + "\n" + "\n".join(parts + later)
    if tomllib.loads(text) != document:
        raise BugError("the fleet file reads back otherwise than it was written")
    return text


def neat_encoder() -> Any:
    """Return the writer of the toml package with lists as people write them: `["a", "b"]`."""
    encoder = toml.TomlEncoder()
    encoder.dump_funcs[list] = lambda items: _list([str(encoder.dump_value(item)) for item in items])
    return encoder


def _list(items: list[str]) -> str:
    """Return a list on one line, or where that is too long on several."""
    line = f"[{', '.join(items)}]"
    if len(line) <= _LINE_MAX_CHARS:
        return line
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 2 <= _LINE_MAX_CHARS:
            lines[-1] += f" {item},"
        else:
            lines.append(f"  {item},")
    return "[\n" + "\n".join(lines) + "\n]"
