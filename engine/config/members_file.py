"""The members of a team from a table that a spreadsheet or an identity provider wrote.

The first column holds user profile names; everything else in the file is none of our business. Not here:
what the members get (`expand`).
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from engine.config.fields import NAME_HINT
from engine.config.problems import Code, show_value
from engine.config.service_model import is_name
from engine.config.toml_document import decode
from engine.core.desired import Source
from engine.core.limits import FLEET_OWNERS_MAX_COUNT

if TYPE_CHECKING:
    from engine.config.files import InputFile
    from engine.config.problems import Problems

HEADER_WORDS: Final = frozenset({"user", "username", "user_profile", "user_profile_name", "name", "member", "profile"})
DELIMITERS: Final = (",", ";", "\t")


def read_members(item: InputFile, problems: Problems) -> dict[str, Source] | None:
    """Give the names of the first column, each with the line where it stands first.

    Blank lines are passed over. None when a line is wrong, which is then noted in `problems`.
    """
    text = decode(item, problems)
    if text is None:
        return None
    members: dict[str, Source] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    is_first = is_valid = True
    line = 1
    try:
        for row in reader:
            cell = row[0].strip() if row else ""
            if any(other.strip() for other in row):
                is_header = is_first and cell.lower() in HEADER_WORDS
                is_first = False
                if not is_header:
                    is_valid = _is_member(cell, item.shown, line, problems) and is_valid
                    members.setdefault(cell, Source(item.shown, line))
            if len(members) > FLEET_OWNERS_MAX_COUNT:
                message = f"the file names more than {FLEET_OWNERS_MAX_COUNT:,} members"
                problems.of_file(Code.LIMIT, item.shown, line, message, "Split it into several fleets")
                return None
            line = reader.line_num + 1
    except csv.Error:
        message = "this line is not a row of cells"
        problems.of_file(Code.SYNTAX, item.shown, line, message, "Check its quotes: a quoted cell ends with a quote")
        return None
    return members if is_valid else None


def _is_member(cell: str, file: str, line: int, problems: Problems) -> bool:
    if not cell:
        problems.of_file(Code.NAME, file, line, "the first cell is empty", "Put the user profile's name there")
        return False
    if not is_name(cell):
        message = f"{show_value(cell)} is not a name that the service takes"
        problems.of_file(Code.NAME, file, line, message, NAME_HINT)
        return False
    return True


def delimiter_of(text: str) -> str:
    """Give the delimiter that the first line with anything on it has most of, outside quotes."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = "".join(first.split('"')[::2])
    return max(DELIMITERS, key=outside.count)
