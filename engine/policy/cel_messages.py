"""What the CEL library says about an expression, said for people, with what to type instead.

Not here: calling the library (`cel`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.core.limits import EXPRESSION_NESTING_MAX_DEPTH, MACRO_MAX_ITEMS
from engine.core.nearest import nearest
from engine.core.text import clean
from engine.policy.cel_text import tokens
from engine.policy.facts import APP_TYPES, GROUP_TYPES

FUNCTIONS: Final = frozenset(
    {
        "all",
        "bool",
        "bytes",
        "charAt",
        "contains",
        "double",
        "duration",
        "endsWith",
        "exists",
        "exists_one",
        "filter",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getFullYear",
        "getMonth",
        "has",
        "indexOf",
        "int",
        "join",
        "lastIndexOf",
        "lowerAscii",
        "map",
        "matches",
        "orValue",
        "size",
        "split",
        "startsWith",
        "string",
        "substring",
        "timestamp",
        "trim",
        "type",
        "uint",
        "upperAscii",
    }
)
_ERROR: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'")
_MISSING_KEY: Final = re.compile(r'Key not found in map : "?([^"]*)"?')
_TOO_DEEP: Final = ("recursion limit", "recursion depth")
_EXPECTING: Final = re.compile(r" expecting .*")
_WORD_OPERATORS: Final = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}

_TYPES_HINT: Final = "Compare values of one type: text in quotes, numbers without"
_NUMBERS_HINT: Final = (
    "Both sides must be of one type: write 3.0, not 3, beside hourly_usd, and double(count) beside both"
)
_SYNTAX_HINT: Final = "Expressions are CEL: ==, !=, &&, ||, !, in, and text in quotes"
_CLOCK_HINT: Final = 'There is no clock in expressions, so that a verdict stays the same. Use expires != ""'
REGEX_HINT: Final = "Regular expressions are RE2: no look-ahead, no look-behind, no back-references"
USE_COUNTS_HINT: Final = "Use count, hourly_usd, by_app_type, by_instance_type or by_owner"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with an expression. `line` and `column` count from 1; 0 where neither is known."""

    line: int
    column: int
    message: str
    hint: str

    def text(self) -> str:
        """Return the message with its place."""
        return f"{self.message} (line {self.line}, column {self.column})" if self.line else self.message


def flaws_in(said: str, expression: str, names: Mapping[str, str]) -> tuple[Flaw, ...]:
    """Turn the library's text about `expression` into flaws: at least one, each place once."""
    found: dict[tuple[int, int], Flaw] = {}
    for match in _ERROR.finditer(said):
        if found and ("Syntax error" in said or "*error*" in match[3]):
            break  # what follows from the first slip only hides it
        line, column = max(int(match[1]), 0), max(int(match[2]), 0)
        message, hint = _explain(match[3], expression, (line, column), names)
        found.setdefault((line, column), Flaw(line, column if line else 0, message, hint))
    if not found:
        message, hint = _explain(said, expression, (0, 0), names)
        return (Flaw(0, 0, message, hint),)
    return tuple(found.values())


def _explain(said: str, expression: str, at: tuple[int, int], names: Mapping[str, str]) -> tuple[str, str]:
    if any(fragment in said for fragment in _TOO_DEEP):
        return (
            f"the expression is nested more than {EXPRESSION_NESTING_MAX_DEPTH} levels deep",
            "Split it into several rules; a long list of values is written with in [...]",
        )
    undeclared = _UNDECLARED.search(said)
    if undeclared is not None:
        return _unknown(undeclared[1], _char_at(expression, at) == "(", names)
    overload = _OVERLOAD.search(said)
    if overload is not None:
        return _no_overload(overload[1], overload[2])
    if "Syntax error" in said:
        return _syntax(said, expression)
    return clean(said.removesuffix(" [INVALID_ARGUMENT]")), _SYNTAX_HINT


def _unknown(name: str, is_function: bool, names: Mapping[str, str]) -> tuple[str, str]:
    if is_function:
        if name == "now":
            return "there is no function now", _CLOCK_HINT
        close = nearest(name, FUNCTIONS)
        return f"there is no function {clean(name)}", f"Did you mean {close}?" if close else _SYNTAX_HINT
    head = name.split(".", maxsplit=1)[0]
    message = f"there is no name {clean(head)} here"
    if head in _WORD_OPERATORS:
        return message, f"Write {_WORD_OPERATORS[head]}"
    if head in GROUP_TYPES:
        return message, "It is known in the scopes owner, team, domain and fleet"
    if head in APP_TYPES:
        return message, f"It is known in the scope app; here each of apps has it: apps.all(a, a.{head} == …)"
    return message, hint_for_name(head, names)


def hint_for_name(name: str, names: Iterable[str] = APP_TYPES) -> str:
    """Return the nearest known name, or all of them."""
    close = nearest(name, names)
    return f"Did you mean {close}?" if close else f"Known names: {', '.join(names)}"


def _no_overload(function: str, arguments: str) -> tuple[str, str]:
    is_operator = function.startswith(("_", "!", "-", "@"))
    operator = function.replace("_", "").removeprefix("@") if is_operator else f"{function}()"
    numeric = "double" in arguments and ("int" in arguments or "uint" in arguments)
    return f"{operator} does not take {clean(arguments)}", _NUMBERS_HINT if numeric else _TYPES_HINT


def _syntax(said: str, expression: str) -> tuple[str, str]:
    text = _EXPECTING.sub("", said.partition("Syntax error: ")[2])
    for word in tokens(expression):
        if word.kind == "name" and word.written in _WORD_OPERATORS:
            return f'"{word.written}" is not an operator in CEL', f"Use {_WORD_OPERATORS[word.written]}"
    if "error at: '=" in text:
        return "= does not compare in CEL", "Use =="
    if "<EOF>" in text and "mismatched" in text:
        return "the expression ends too early", "Close every bracket and quote, and end with a value"
    return f"this cannot be read: {clean(text)}", _SYNTAX_HINT


def _char_at(expression: str, at: tuple[int, int]) -> str:
    line, column = at
    lines = expression.split("\n")
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return text[column - 1] if 0 < column <= len(text) else ""


def failure_text(said: str) -> str:
    """Say why an expression failed while it ran."""
    missing = _MISSING_KEY.search(said)
    if missing is not None:
        key = clean(missing[1])
        return f'there is no key "{key}"; ask for it first: "{key}" in …'
    if "Iteration budget" in said:
        return f"it goes through more than {MACRO_MAX_ITEMS:,} items. {USE_COUNTS_HINT}"
    if "regular expression" in said:
        return f"{clean(said)}. {REGEX_HINT}"
    return clean(said)
