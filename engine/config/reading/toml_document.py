"""One TOML file as values and lines, or as the problem that makes it unreadable.

Values come from `tomllib` alone; `toml_positions` adds the lines. Not here: which keys there may be.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

from engine.config.reading.files import InputFile
from engine.config.reading.problems import Code, Place, Problems
from engine.config.reading.toml_positions import Positions, scan
from engine.core.limits import TOML_NESTING_MAX_DEPTH
from engine.core.text import clean

_AT: Final = re.compile(r"\(at line (\d+), column (\d+)\)|\(at end of document\)")
_PART: Final = r"(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+"
# A key of thousands of dotted parts costs tomllib time that grows with the square of their number.
_DEEP_KEY: Final = re.compile(rf"(?:^|[\[{{,])[ \t]*+(?:{_PART}\.[ \t]*+){{{TOML_NESTING_MAX_DEPTH}}}", re.MULTILINE)

# What tomllib says, and what we say instead: (message, hint). The first fragment that fits wins.
_SAID: Final = (
    ("Cannot overwrite", "this key has a value already", "Write each key once, or rename one of them"),
    ("Cannot declare", "this table is declared twice", "Merge the two tables into one"),
    ("Cannot mutate", "this table was closed where it was written", "Put the key into that table itself"),
    ("Cannot redefine", "this table was defined before in another way", "Merge the two into one table"),
    ("Duplicate inline", "this key is twice in one inline table", "Write each key once"),
    ("Expected '='", "a key must be followed by = and a value", 'Write it as key = "value"'),
    ("Expected ']'", "this table header has no closing bracket", "Write it as [name.of.table]"),
    ("Expected newline", "there is something behind the value", "Put each key on its own line; text needs quotes"),
    ("Invalid value", "this is not a TOML value", 'Text needs quotes: "like this"; true and false are lower-case'),
    ("Unclosed array", "this array has no closing bracket", "Put a comma between items, and close it with ]"),
    ("Unclosed inline", "this inline table has no closing brace", "Close it with }, on the line where it began"),
    ("character '\\n'", "this text has no closing quote on its line", 'Close it; text of several lines has three: """'),
    ("Unterminated string", "this text has no closing quote", "Close it with the quote that opened it"),
    ("Expected \"'", "this text has no closing quote", "Close it with the quote that opened it"),
    ("Unescaped", "a backslash begins no known escape", "Write it twice, or put the text between single quotes"),
    (
        "Illegal character",
        "there is a control character or a line break inside a value",
        "Remove it, or close the quote",
    ),
    ("Found invalid character", "there is a control character here", "Remove it"),
    ("not a Unicode scalar", "an escape names no character", "Correct the escape"),
    ("Invalid initial character", "expected a key here", "Keys are letters, digits, - and _, or are quoted"),
    ("Invalid statement", "expected a key here", "Keys are letters, digits, - and _, or are quoted"),
    ("Invalid date or datetime", "there is no such date", "Write it as 2026-12-31"),
)
# Git's own lines, and no line of TOML or of a table of people.
CONFLICT_MARKER: Final = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?:[ \t].*)?\r?$", re.MULTILINE)
# Signs that look like a space or a quote and are none to TOML.
_SPACES: Final = frozenset({"Zs", "Cf"})
_QUOTES: Final = frozenset("\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb")
_NOT_KNOWN: Final = ("", "this is not TOML", "Compare it with the TOML 1.0 specification")
_NESTING_HINT: Final = f"Keep it below {TOML_NESTING_MAX_DEPTH} levels"


@dataclass(frozen=True, slots=True)
class Document:
    """The values of one file, and where they stand."""

    file: InputFile
    data: dict[str, Any]
    positions: Positions

    @property
    def place(self) -> Place:
        """The root of the file."""
        return Place(self.file.shown, self.positions)


def parse_document(item: InputFile, problems: Problems) -> Document | None:
    """Parse one file; None when it is not UTF-8 or not TOML, which is then noted in `problems`."""
    text = decode(item, problems)
    if text is None:
        return None
    try:
        deep = _DEEP_KEY.search(text)
        if deep is not None:
            line = text.count("\n", 0, deep.end()) + 1
            problems.of_file(Code.LIMIT, item.shown, line, "a key has too many dotted parts", _NESTING_HINT)
            return None
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, message, hint = _conflict_marker(text) or _explain(str(error), text)
        problems.of_file(Code.SYNTAX, item.shown, line, message, hint)
        return None
    except RecursionError:
        problems.of_file(Code.LIMIT, item.shown, 0, "brackets are nested too deeply", _NESTING_HINT)
        return None
    except ValueError as error:  # a number of thousands of digits is refused by int() itself
        problems.of_file(Code.SYNTAX, item.shown, 0, f"a value cannot be read: {error}", "Correct the value")
        return None
    return Document(item, data, scan(text))


def _conflict_marker(text: str) -> tuple[int, str, str] | None:
    """Find the first line that Git writes where it could not merge."""
    found = CONFLICT_MARKER.search(text)
    if found is None:
        return None
    hint = (
        "Resolve the conflict: keep what is right of both sides, and remove the lines with <<<<<<<, ======= and >>>>>>>"
    )
    return (
        text.count("\n", 0, found.start()) + 1,
        f"this is a Git conflict marker ({clean(found[0].strip(), 80)})",
        hint,
    )


def decode(item: InputFile, problems: Problems) -> str | None:
    """Decode UTF-8, with or without a byte order mark; None after noting what it is instead."""
    try:
        return item.data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = item.data.count(b"\n", 0, error.start) + 1
        problems.of_file(
            Code.SYNTAX,
            item.shown,
            line,
            f"byte 0x{item.data[error.start]:02x} is not UTF-8",
            "Save the file with the encoding UTF-8",
        )
        return None


def _explain(said: str, text: str) -> tuple[int, str, str]:
    """Turn tomllib's message into (line, message, hint)."""
    at = _AT.search(said)
    if at is not None and at[1]:
        line, place = int(at[1]), f" (column {at[2]})"
    else:
        line, place = text.rstrip("\n").count("\n") + 1, " (at the end of the file)"
    sign = _sign_at(text, line, int(at[2]) if at is not None and at[2] else 0)
    if sign and unicodedata.category(sign) in _SPACES and not sign.isascii():
        name = unicodedata.name(sign, "a special space").lower()
        return line, f"this is not a plain space but U+{ord(sign):04X} ({name}){place}", "Replace it with a plain space"
    if sign in _QUOTES:
        return line, f"TOML does not accept this typographic quote{place}", 'Replace it with a plain one: "'
    _, message, hint = next((known for known in _SAID if known[0] in said), _NOT_KNOWN)
    return line, message + place, hint


def _sign_at(text: str, line: int, column: int) -> str:
    """Return the character at a place, both counted from 1; empty where there is none."""
    lines = text.replace("\r\n", "\n").split("\n", line)
    written = lines[line - 1] if line <= len(lines) else ""
    return written[column - 1 : column] if column else ""
