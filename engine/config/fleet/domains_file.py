"""The table of domains that a template is filled with: a line a domain, a column a word of the template.

Not here: the template (`templates`), or what a domain's keys may be (`fleet_models`).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from engine.config.fleet.people_file import Line, TableProblem, lines_of, refuse_second_header
from engine.config.reading.problems import one_of, show_value
from engine.config.service.fields import MEMBER

NAME: Final[str] = "name"
OWN_COLUMNS: Final[tuple[str, ...]] = ("id", "region", "account")  # keys of the domain itself, each in its column
FIRST_LINE: Final = "name,id,region,account"
NEEDED_COLUMNS: Final = (NAME, "id")
_TITLE: Final = re.compile(r"[a-z][a-z0-9_]*")
_MEMBER_WORD: Final = MEMBER.strip("{}")


class DomainRow(NamedTuple):
    """One domain: its line, and what stands in each column."""

    line: int
    cells: dict[str, str]


def read_domains(text: str) -> tuple[tuple[str, ...], tuple[DomainRow, ...]]:
    """Return the columns and the rows of a table of domains, none where it has no line; raises TableProblem."""
    lines = lines_of(text, with_empty=True)
    if not lines:
        return (), ()
    header = lines[0]
    columns = _columns(header)
    refuse_second_header(header, lines)
    for line in lines[1:]:
        if len(line.cells) > len(columns) and any(line.cells[len(columns) :]):
            message = f"this line has {len(line.cells)} cells, and the header has {len(columns)}"
            raise TableProblem(line.number, message, "Quote a cell that holds the delimiter")
    rows = (DomainRow(line.number, {name: line.cell(at) for at, name in enumerate(columns)}) for line in lines[1:])
    return columns, tuple(rows)


def _columns(header: Line) -> tuple[str, ...]:
    """Return the titles; raises TableProblem for what cannot be one."""
    columns = tuple(cell.lower() for cell in header.cells)
    for title in columns:
        if not _TITLE.fullmatch(title) or title == _MEMBER_WORD:
            message = f"{show_value(title)} cannot be the title of a column"
            hint = "Use letters, digits and underscores; {member} is for a team's members"
            raise TableProblem(header.number, message, hint)
        if columns.count(title) > 1:
            raise TableProblem(header.number, f"two columns are called {show_value(title)}", "Rename one of the two")
    missing = [title for title in NEEDED_COLUMNS if title not in columns]
    if missing:
        message = f"the first line has no column {one_of(missing)}"
        hint = f"The first line names the columns: {FIRST_LINE}, and any others that the template uses"
        raise TableProblem(header.number, message, hint)
    return columns
