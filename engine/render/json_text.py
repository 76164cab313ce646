"""Any document of ours as JSON text: indented, in the order in which it was made, plain ASCII.

ASCII, because a script's locale must not decide whether a result can be written. The standard library's own writer of
indented JSON takes three times as long, which is 15 s where a result names a million apps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, Final

_INDENT: Final = "  "
_encode: Final = json.JSONEncoder(ensure_ascii=True, allow_nan=False).encode  # of what has nothing inside it


def json_text(document: Mapping[str, Any]) -> str:
    """Return `document` as JSON, ending in a line break. NaN and infinities are refused: no parser takes them.

    Rows of a list of the document may be objects with a `to_json`. Each is written before the next one is made into
    plain values, so that a document of a hundred thousand rows takes the memory of its text.
    """
    pieces: list[str] = []
    before = "{\n  "
    for name, value in document.items():
        pieces += (before, encode_basestring_ascii(name), ": ")
        if isinstance(value, list | tuple) and value:
            between = "[\n    "
            for row in value:
                pieces += (between, _text(row, "\n    "))
                between = ",\n    "
            pieces.append("\n  ]")
        else:
            pieces.append(_text(value, "\n  "))
        before = ",\n  "
    pieces.append("\n}\n" if pieces else "{}\n")
    return "".join(pieces)


def _text(value: Any, line: str) -> str:
    """Return one value; `line` is the line break and the indentation of where it stands."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    inner = line + _INDENT
    if isinstance(value, dict) and value:
        members = [f"{encode_basestring_ascii(name)}: {_text(item, inner)}" for name, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(members)}{line}}}"
    if isinstance(value, list | tuple) and value:
        return f"[{inner}{f',{inner}'.join([_text(item, inner) for item in value])}{line}]"
    if value is None or isinstance(value, int | float | dict | list | tuple):
        return _encode(value)
    return _text(value.to_json(), line)
