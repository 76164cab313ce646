"""Any document of ours as JSON text: indented, in the order in which it was made, plain ASCII.

ASCII, because a script's locale must not decide whether a result can be written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import methodcaller
from typing import Any, Final


def json_text(document: Mapping[str, Any]) -> str:
    """Return `document` as JSON, ending in a line break. NaN and infinities are refused: no parser takes them.

    Rows of a list of the document may be objects with a `to_json`. Each is written before the next one is made into
    plain values, so that a document of a hundred thousand rows takes the memory of its text.
    """
    members = [f"  {_encode(name)}: {_member(value)}" for name, value in document.items()]
    return "{\n" + ",\n".join(members) + "\n}\n" if members else "{}\n"


def _member(value: Any) -> str:
    if isinstance(value, list | tuple) and value:
        return "[\n    " + ",\n    ".join(_encode(row).replace("\n", "\n    ") for row in value) + "\n  ]"
    return _encode(value).replace("\n", "\n  ")


_encode: Final = json.JSONEncoder(indent=2, ensure_ascii=True, allow_nan=False, default=methodcaller("to_json")).encode
