r"""Whether a text has the form that a pattern of a service model asks for, in time that grows with the text alone.

Python's `re` tries every way in which a pattern can be read: a repository's address with one `@` in it takes it longer
than anybody waits. So patterns are compiled by the regular expressions of Rust that pydantic brings, which read a text
once. They know Java's classes (`\p{L}`) as well. What they cannot say, such as a look-ahead, is left to `re`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
# Of ASCII alone, as the service reads them; inside brackets as well.
_CLASSES: Final = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "s": r"[\t\n\x0b\f\r ]",
    "S": r"[^\t\n\x0b\f\r ]",
}


@cache
def form_of(pattern: str) -> Callable[[str], bool] | None:
    """Return what tells whether a whole text fits `pattern`; None for a pattern that nothing here can read."""
    plain = _ESCAPED.sub(lambda found: _CLASSES.get(found[1], found[0]), pattern)
    try:
        return SchemaValidator(core_schema.str_schema(pattern=rf"\A(?:{plain})\z")).isinstance_python
    except SchemaError:
        pass
    try:
        compiled = re.compile(pattern, re.ASCII)
    except re.error:
        return None
    return lambda text: compiled.fullmatch(text) is not None
