"""The one writer of TOML: laid out for people, and read back before anybody gets it.

The toml package lays out the tables; strings and lists are written here, since it writes some of them otherwise than
they read. Not here: what stands in a document, or its place on a disk (`app.named_file`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import toml

from engine.core.errors import BugError

_LINE_MAX_CHARS: Final = 100
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_NOT_AS_IN_JSON: Final = re.compile("[\x7f\ud800-\udfff]")


def toml_text(head: str, document: Mapping[str, Any], parts: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return `head`, each line of it a comment, and the document: `parts` of it, in their order, where they are given.

    Raises BugError where it reads back otherwise than it was meant.
    """
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    text = f"{comment}\n" + "\n".join(map(_tables, parts or (document,)))
    if tomllib.loads(text) != document:
        raise BugError("what was to be written as TOML reads back otherwise")
    return text


def toml_key(name: str) -> str:
    """Return a key as TOML, in quotes where it needs them."""
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)


def toml_value(value: object) -> str:
    """Return a value as TOML; a table in one line. Text that TOML cannot hold is one that tomllib refuses."""
    return str(_encoder().dump_value(value))


def _encoder() -> Any:
    """Return the toml package's writer with our own functions for strings, lists and tables inside lists."""
    encoder = toml.TomlEncoder()
    encoder.dump_funcs[str] = _string
    encoder.dump_funcs[list] = encoder.dump_funcs[tuple] = lambda items: _list([toml_value(item) for item in items])
    encoder.dump_funcs[dict] = _inline
    return encoder


def _tables(part: Mapping[str, Any]) -> str:
    return str(toml.dumps(_with_tuples(part), encoder=_encoder())).strip("\n") + "\n"


def _with_tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    """Turn lists into tuples: the package would give each table in a list four lines, and takes no mixed list."""
    return {
        key: tuple(value) if isinstance(value, list) else _with_tuples(value) if isinstance(value, dict) else value
        for key, value in table.items()
    }


def _string(text: str) -> str:
    """Write as JSON does, which TOML reads alike, but for DEL and for halves of pairs."""
    return _NOT_AS_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _inline(table: Mapping[str, Any]) -> str:
    return f"{{ {', '.join(f'{toml_key(key)} = {toml_value(item)}' for key, item in table.items())} }}"


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
