"""A table of people that a spreadsheet or an identity provider wrote: who stands in it, and how they sign in.

The first line says which column holds the people, where it is a header. A first line that may be a header or a person
is refused: a header taken for a person would be an app that runs, and costs, for nobody. Not here: reading the file,
or what the people get.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from engine.config.fleet.titles import ADDRESS_WORDS, HEADER_WORDS, SSO_WORD, is_other_title, title_word
from engine.config.reading.problems import nearest, show_value
from engine.config.reading.toml_document import CONFLICT_MARKER
from engine.config.service.service_model import SSO_VALUE_MAX_CHARS, is_name
from engine.core.limits import PEOPLE_LINES_MAX_COUNT
from engine.core.text import clean

DELIMITERS: Final = (",", ";", "\t")
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9]+")
_DOTS: Final = re.compile(r"\.+")
_NAME_THE_COLUMN: Final = "Call the column of the people username, or put the line username above the first person"


class Row(NamedTuple):
    """One person: the line, the cell as it was written, and the address or name that they sign in with, or nothing.

    `is_guessed`: no column is called sso_identity, so an address was taken.
    """

    line: int
    text: str
    sso_identity: str
    is_guessed: bool = True


class TableProblem(Exception):
    """What is wrong with the table, at a line, and what to do."""

    def __init__(self, line: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


class Line(NamedTuple):
    """One line of a table that is not blank: its number in the file, and its cells without blanks around them."""

    number: int
    cells: tuple[str, ...]

    def cell(self, column: int) -> str:
        """Return a cell; an empty text where the line ends before it."""
        return self.cells[column] if column < len(self.cells) else ""


def name_of(text: str) -> str:
    """Return the user profile's name of a person: an address stands for what is before its @, a dot for a hyphen."""
    local, at, _ = text.partition("@")
    pattern = _NOT_IN_NAMES if at else _DOTS
    return pattern.sub("-", local).strip("-") if at or "." in text else text


def sign_in_fault(text: str) -> tuple[str, str] | None:
    """Return what is wrong with a user name of the identity provider, and what to do; None where nothing is."""
    if len(text) <= SSO_VALUE_MAX_CHARS and text.isprintable():
        return None
    message = f"{show_value(text)} is not a user name of the identity provider"
    return message, f"Use at most {SSO_VALUE_MAX_CHARS} printable characters"


def read_people(text: str) -> tuple[Row, ...]:
    """Return the people of a table in the order of its lines; raises TableProblem. Blank lines are passed over."""
    lines = lines_of(text)
    return _People(lines).rows if lines else ()


def read_people_by(text: str, titles: Sequence[str]) -> dict[tuple[str, ...], tuple[Row, ...]]:
    """Return the people of a table by what stands in the columns of those titles; raises TableProblem."""
    lines = lines_of(text)
    if not lines:
        return {}
    people = _People(lines)
    columns = [people.column(title) for title in titles]
    found: dict[tuple[str, ...], list[Row]] = {}
    for line, row in zip(people.lines, people.rows, strict=True):
        found.setdefault(tuple(line.cell(column) for column in columns), []).append(row)
    return {cells: tuple(rows) for cells, rows in found.items()}


class _People:
    """The lines of a table that hold a person each, without its header, and the people that they hold."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._header = _header(lines)
        self._first = lines[0].number
        self.lines = lines if self._header is None else lines[1:]
        self.rows = self._rows(lines)

    def _rows(self, lines: Sequence[Line]) -> tuple[Row, ...]:
        header = self._header
        if header is None:
            return tuple(Row(line.number, line.cell(0), _address(line.cell(0))) for line in lines)
        words = [title_word(cell) for cell in header.cells]
        people = next((place for place, word in enumerate(words) if word in HEADER_WORDS), 0)
        refuse_second_header(header, lines)
        if SSO_WORD in words:
            identity = words.index(SSO_WORD)
            return tuple(
                Row(line.number, line.cell(people), line.cell(identity), is_guessed=False) for line in self.lines
            )
        columns = [*(words.index(word) for word in ADDRESS_WORDS if word in words), people]
        return tuple(Row(line.number, line.cell(people), _first_address(line, columns)) for line in self.lines)

    def column(self, title: str) -> int:
        """Return the place of the column that is called so; raises TableProblem where there is none."""
        cells = () if self._header is None else self._header.cells
        words = [title_word(cell) for cell in cells]
        if title_word(title) in words:
            return words.index(title_word(title))
        message = f"no column of this table is called {show_value(title)}"
        raise TableProblem(self._first, message, nearest(title, cells) or "Add the column, or correct the name")


def refuse_second_header(header: Line, lines: Sequence[Line]) -> None:
    """Raise TableProblem where the header stands once more, as two tables in one file have it."""
    for line in lines[1:]:
        if line.cells == header.cells:
            message = f"this line repeats the header of line {header.number}"
            raise TableProblem(line.number, message, "Remove it: a table has one header")


def delimiter_of(text: str) -> str:
    """Return the delimiter that the first line with anything on it has most of, outside quotes."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = "".join(first.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def lines_of(text: str, *, with_empty: bool = False) -> list[Line]:
    """Return the lines of a table that are not blank; raises TableProblem.

    `with_empty`: also those that have delimiters and nothing else.
    """
    count = max(text.count("\n"), text.count("\r"))
    if count > PEOPLE_LINES_MAX_COUNT:  # counted first: even blank lines cost time
        message = f"the table has {count:,} lines, more than {PEOPLE_LINES_MAX_COUNT:,}"
        raise TableProblem(PEOPLE_LINES_MAX_COUNT + 1, message, "Remove blank lines, or split it into several files")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    lines: list[Line] = []
    number = 1
    try:
        for row in reader:
            cells = tuple(map(str.strip, row))
            if cells and CONFLICT_MARKER.fullmatch(cells[0]):
                message = f"this is a Git conflict marker ({clean(cells[0], 80)})"
                raise TableProblem(number, message, "Resolve the conflict, and remove the lines that Git wrote")
            if any(cells) or (with_empty and len(cells) > 1):
                lines.append(Line(number, cells))
            number = reader.line_num + 1
    except csv.Error:
        hint = "Check its quotes: a quoted cell ends with a quote"
        raise TableProblem(number, "this line is not a row of cells", hint) from None
    return lines


def _header(lines: Sequence[Line]) -> Line | None:
    """Return the first line where it is a header; raises TableProblem where nobody can tell."""
    first, *others = lines
    words = [title_word(cell) for cell in first.cells]
    if words[0] in HEADER_WORDS or _is_alone_without_address(first, others):
        return first

    def differs(place: int) -> bool:
        return not others or all(title_word(line.cell(place)) != words[place] for line in others)

    is_title = _is_title(first.cell(0), others)
    known = [place for place, word in enumerate(words) if place and word in HEADER_WORDS and differs(place)]
    if known and (is_title or not first.cell(0) or (others and all("@" in line.cell(known[0]) for line in others))):
        return first
    shown = show_value(first.cell(0))
    if is_title:
        raise TableProblem(
            first.number, f"{shown} looks like a header, but not like one of the people's names", _NAME_THE_COLUMN
        )
    for place, word in enumerate(words[1:], start=1):
        if others and (word in HEADER_WORDS or is_other_title(word)) and differs(place):
            message = f"{shown} may be a header or a person: the same line says {show_value(first.cell(place))}"
            raise TableProblem(first.number, message, _NAME_THE_COLUMN)
    if _is_alone_with_capitals(first, others):
        message = f"{shown} may be a header or a person: it alone is written with capital letters"
        raise TableProblem(first.number, message, _NAME_THE_COLUMN)
    if _is_of_another_column(lines):
        message = f"every line begins with {shown}, so the people's names are in another column"
        raise TableProblem(first.number, message, _NAME_THE_COLUMN)
    return None


def _is_of_another_column(lines: Sequence[Line]) -> bool:
    """Whether the first cell is the same in all lines, and another one is different in each."""
    if len(lines) == 1 or len({line.cell(0) for line in lines}) > 1:
        return False
    return any(len({line.cell(place) for line in lines}) == len(lines) for place in range(1, len(lines[0].cells)))


def _is_alone_without_address(first: Line, others: Sequence[Line]) -> bool:
    return bool(others) and "@" not in first.cell(0) and all("@" in line.cell(0) for line in others)


def _is_alone_with_capitals(first: Line, others: Sequence[Line]) -> bool:
    return len(others) > 1 and _has_capitals(first) and not any(map(_has_capitals, others))


def _has_capitals(line: Line) -> bool:
    return line.cell(0) != line.cell(0).lower()


def _is_title(cell: str, others: Sequence[Line]) -> bool:
    """Whether a cell of the first line is no person: a known title, or words above names."""
    if is_other_title(title_word(cell)):
        return True
    has_words = any(sign in cell for sign in " []()")
    return has_words and bool(others) and all(is_name(name_of(line.cell(0))) for line in others)


def _first_address(line: Line, columns: Sequence[int]) -> str:
    return next(filter(None, (_address(line.cell(column)) for column in columns)), "")


def _address(cell: str) -> str:
    return cell if "@" in cell else ""
