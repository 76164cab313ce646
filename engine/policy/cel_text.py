"""The words of an expression: enough of CEL's grammar to find names, literals and functions in it.

Not a parser: that is the CEL library's task. What is found here serves hints, bounds, and checks that the
library makes only when an expression runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+ | //[^\n]*)
    | (?P<text>
          [bB]?[rR][bB]?(?:\"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*')
        | [bB]?(?:\"{3}(?:[^\\]|\\.)*?\"{3} | '{3}(?:[^\\]|\\.)*?'{3}
        | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


_MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its kind (`text`, `name` or `other`), how it is written, and where it begins."""

    kind: str
    written: str
    start: int


_END: Final = Token("other", "", 0)


def tokens(expression: str) -> tuple[Token, ...]:
    """Return the words of an expression in order, without spaces and comments."""
    return tuple(
        Token(found.lastgroup or "", found[0], found.start())
        for found in _TOKEN.finditer(expression)
        if found.lastgroup != "space"
    )


def variables(words: tuple[Token, ...]) -> frozenset[str]:
    """Return every name that may stand for a variable: all that do not follow a dot."""
    return frozenset(
        word.written
        for before, word in zip((None, *words), words, strict=False)
        if word.kind == "name" and (before is None or before.written != ".")
    )


def calls_with_literal(words: tuple[Token, ...], functions: frozenset[str]) -> Iterator[tuple[str, Token]]:
    """Yield each call `f("literal")` of one of `functions`: its name and the literal."""
    for name, opening, literal, closing in zip(words, words[1:], words[2:], words[3:], strict=False):
        if name.written in functions and opening.written == "(" and closing.written == ")" and literal.kind == "text":
            yield name.written, literal


def calls(words: tuple[Token, ...]) -> Iterator[Token]:
    """Yield each name that is called as a function."""
    for name, opening in pairwise(words):
        if name.kind == "name" and opening.written == "(":
            yield name


def fields_of_items(words: tuple[Token, ...], list_name: str) -> Iterator[Token]:
    """Yield each field that is selected of an item of a list: `owner` for `apps.all(a, a.owner == "x")`."""
    items = {
        item.written
        for name, dot, macro, opening, item, comma in zip(*(words[start:] for start in range(6)), strict=False)
        if (name.written, dot.written, opening.written, comma.written) == (list_name, ".", "(", ",")
        and macro.written in _MACROS
    }
    for item, dot, selected, after in zip(words, words[1:], words[2:], (*words[3:], _END), strict=False):
        if item.written in items and dot.written == "." and selected.kind == "name" and after.written != "(":
            yield selected


def line_and_column(expression: str, offset: int) -> tuple[int, int]:
    """Return where an offset stands; both count from 1."""
    before = expression[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
