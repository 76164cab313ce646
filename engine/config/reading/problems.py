"""Problems of files, gathered while they are read: nothing is raised until everything was looked at.

Not here: what is wrong (each reader says that) or how it is shown (`core.diagnostics`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic_core import PydanticCustomError

from engine.config.reading.toml_positions import Positions
from engine.core.desired import Source
from engine.core.diagnostics import Diagnostic, Severity, in_order
from engine.core.limits import PROBLEMS_KEPT_MAX_COUNT
from engine.core.text import REDACTED, SHOWN_VALUE_MAX_CHARS, clean

KeyPath = tuple[str | int, ...]

_COMPARED_MAX_COUNT: Final = 500
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_LOGIN: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # in an address: a user name, often with a token


class Code(StrEnum):
    """The rule that a file broke; stable, for people who search for it."""

    FILE = "AF110"
    SYNTAX = "AF111"
    UNKNOWN_KEY = "AF112"
    VALUE = "AF113"
    NAME = "AF114"
    REFERENCE = "AF115"
    CONFLICT = "AF116"
    OWNER = "AF117"
    TAGS = "AF118"
    LIMIT = "AF119"
    EMPTY = "AF120"
    UNKNOWN_TYPE = "AF121"
    DATE = "AF122"


def show_path(path: Sequence[str | int]) -> str:
    """Return `domains.research.users.alice.apps[0]`; a key that TOML would quote is quoted."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            text = part if _BARE_KEY.fullmatch(part) else f'"{clean(part, SHOWN_VALUE_MAX_CHARS)}"'
            shown += f".{text}" if shown else text
    return shown


def show_value(text: str) -> str:
    """Return a short value from a file in quotes, safe to show: without the user and the token of an address."""
    return f'"{clean(_LOGIN.sub(REDACTED, text), SHOWN_VALUE_MAX_CHARS)}"'


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `Did you mean "lab"?`, or nothing when no known word is near.

    Where there are very many known words, only those that begin alike are compared: each comparison is slow.
    """
    known = list(known)
    if len(known) > _COMPARED_MAX_COUNT:
        start = word[:1].lower()
        known = [item for item in known if item[:1].lower() == start][:_COMPARED_MAX_COUNT]
    by_lower = {item.lower(): item for item in sorted(known, reverse=True)}
    close = difflib.get_close_matches(word.lower()[:SHOWN_VALUE_MAX_CHARS], by_lower, n=1, cutoff=0.6)
    return f"Did you mean {show_value(by_lower[close[0]])}?" if close else ""


def one_of(words: Iterable[str]) -> str:
    """Return `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def all_of(words: Iterable[str]) -> str:
    """Return `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


@dataclass(frozen=True, slots=True)
class Place:
    """A key of one file: where a problem is reported. `path` is given from the root of the file."""

    file: str
    positions: Positions
    path: KeyPath = ()

    def at(self, *parts: str | int) -> Place:
        """Return the place of a key below this one."""
        return Place(self.file, self.positions, (*self.path, *parts))

    @property
    def source(self) -> Source:
        """The file and the line, for whatever was made from this key."""
        return Source(self.file, self.positions.line_of(self.path))


class TooMany(Exception):
    """A bound on the whole fleet was passed: noted already, and nothing more can be looked at."""


@dataclass(slots=True)
class Problems:
    """What was found so far. A problem that many members of a team share is kept once.

    Errors and warnings are bounded apart, so that no number of warnings hides an error.
    """

    _errors: list[Diagnostic] = field(default_factory=list)
    _warnings: list[Diagnostic] = field(default_factory=list)
    _once: set[tuple[object, ...]] = field(default_factory=set)

    def error(self, code: Code, place: Place, message: str, hint: str) -> None:
        """Note an error at a key."""
        line = place.positions.line_of(place.path)
        self.take(Diagnostic(code, place.file, line, show_path(place.path), message, hint))

    def warning(self, code: Code, place: Place, message: str, hint: str) -> None:
        """Note a warning at a key."""
        line = place.positions.line_of(place.path)
        self.take(Diagnostic(code, place.file, line, show_path(place.path), message, hint, Severity.WARNING))

    def of_file(self, code: Code, file: str, line: int, message: str, hint: str) -> None:
        """Note an error of a whole file (`line` 0), or of a line that has no key."""
        self.take(Diagnostic(code, file, line, "", message, hint))

    def warn_of_file(self, code: Code, file: str, line: int, message: str, hint: str) -> None:
        """Note a warning of a line that has no key."""
        self.take(Diagnostic(code, file, line, "", message, hint, Severity.WARNING))

    def take(self, diagnostic: Diagnostic) -> None:
        """Note a problem that was found elsewhere."""
        kept = self._errors if diagnostic.severity is Severity.ERROR else self._warnings
        if len(kept) < PROBLEMS_KEPT_MAX_COUNT:
            kept.append(diagnostic)

    def first_time(self, *what: object) -> bool:
        """Whether this is asked for the first time: so one written line gives one problem."""
        if what in self._once:
            return False
        self._once.add(what)
        return True

    @property
    def has_all_warnings(self) -> bool:
        """Whether one more warning would not be kept."""
        return len(self._warnings) >= PROBLEMS_KEPT_MAX_COUNT

    @property
    def is_full(self) -> bool:
        """Whether no further error will be kept, so that looking for more is of no use."""
        return len(self._errors) >= PROBLEMS_KEPT_MAX_COUNT

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """All errors, in order."""
        return in_order(self._errors)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """All warnings, in order."""
        return in_order(self._warnings)


CUSTOM: Final = "appfleet"  # the type of our own errors: their context holds message and hint


def problem(message: str, hint: str) -> PydanticCustomError:
    """Make an error that `model_errors` shows as it is."""
    return PydanticCustomError(CUSTOM, "{message}", {"message": message, "hint": hint})
