"""The members of a team from a table that a spreadsheet or an identity provider wrote.

Not here: which column holds the people (`people_file`), or what the members get (`expand`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.config.fleet.people_file import Row, TableProblem, name_of, read_people_by, sign_in_fault
from engine.config.reading.files import InputFile
from engine.config.reading.problems import Code, Problems, show_value
from engine.config.reading.toml_document import decode
from engine.config.service.fields import NAME_HINT
from engine.config.service.service_model import is_name
from engine.core.desired import Source
from engine.core.limits import FLEET_OWNERS_MAX_COUNT

__all__ = ["Group", "MemberSource", "read_members"]


@dataclass(frozen=True, slots=True)
class MemberSource(Source):
    """Where a member stands in a table, how the name is written there, and how the member signs in, or nothing.

    `is_guessed`: the table does not say so, and an address in it was taken.
    """

    text: str = ""
    sso_identity: str = ""
    is_guessed: bool = True


class Group(NamedTuple):
    """The people whose lines say the same in certain columns: each with the first line, and all these lines."""

    members: dict[str, MemberSource]
    lines: tuple[int, ...]


def read_members(item: InputFile, titles: Sequence[str], problems: Problems) -> dict[tuple[str, ...], Group] | None:
    """Return the people of a table by the cells of these columns.

    Without columns all of them are under `()`. None when a line is wrong, which is then noted in `problems`.
    """
    text = decode(item, problems)
    if text is None:
        return None
    try:
        groups = read_people_by(text, titles)
    except TableProblem as problem:
        problems.of_file(Code.SYNTAX, item.shown, problem.line, problem.message, problem.hint)
        return None
    taken = {cells: _members_of(rows, item, problems) for cells, rows in groups.items()}
    found = {
        cells: Group(members, tuple(row.line for row in groups[cells]))
        for cells, members in taken.items()
        if members is not None
    }
    return found if len(found) == len(taken) else None


def _members_of(rows: Sequence[Row], item: InputFile, problems: Problems) -> dict[str, MemberSource] | None:
    members: dict[str, MemberSource] = {}
    is_valid = True
    for row in rows:
        is_valid = _take(row, item.shown, members, problems) and is_valid
        if problems.is_full:
            return None
        if len(members) > FLEET_OWNERS_MAX_COUNT:
            message = f"the file names more than {FLEET_OWNERS_MAX_COUNT:,} members"
            problems.of_file(Code.LIMIT, item.shown, row.line, message, "Split it into several fleets")
            return None
    return members if is_valid else None


def _take(row: Row, file: str, members: dict[str, MemberSource], problems: Problems) -> bool:
    """Add one row; return False when it is wrong. Warn about a name that is listed twice."""
    if not row.text:
        problems.of_file(Code.NAME, file, row.line, "the first cell is empty", "Put the user profile's name there")
        return False
    name = name_of(row.text)
    if not is_name(name):
        message = f"{show_value(row.text)} is not a valid name"
        problems.of_file(Code.NAME, file, row.line, message, NAME_HINT)
        return False
    if (fault := sign_in_fault(row.sso_identity)) is not None:
        problems.of_file(Code.VALUE, file, row.line, *fault)
        return False
    first = members.get(name)
    if first is None:
        members[name] = MemberSource(file, row.line, row.text, row.sso_identity, row.is_guessed)
        return True
    if first.text == row.text:
        if not problems.has_all_warnings:  # a table may say one name a hundred thousand times
            message = f"{show_value(row.text)} appears twice (first in line {first.line})"
            problems.warn_of_file(Code.CONFLICT, file, row.line, message, "Remove one of the two lines")
        return True
    message = f"{show_value(row.text)} and {show_value(first.text)} (line {first.line}) become one name, {name}"
    problems.of_file(Code.CONFLICT, file, row.line, message, "Give one of them another user profile name")
    return False
