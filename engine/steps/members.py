"""The members of a team to be onboarded, from a flag and from a file that a spreadsheet or an identity provider wrote.

An e-mail address stands for its part before the @, with hyphens where a user profile's name cannot hold a character.
Every name that is wrong, twice there or not to be told from another is named, all in one go.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

from engine.config.beneath import FileProblem
from engine.config.members_file import HEADER_WORDS, delimiter_of
from engine.config.regular_file import read_regular
from engine.config.service_model import is_name
from engine.core.errors import UsageError
from engine.core.limits import DIAGNOSTICS_SHOWN_MAX_COUNT, FLEET_FILE_MAX_BYTES
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9]+")
_HINT: Final = "A user profile's name has letters, digits and hyphens between them, at most 63; name each person once"


def members_of(listed: Iterable[str], file: Path | None) -> tuple[str, ...]:
    """Give the user profile names of `listed` and of the first column of `file`, in their order.

    Raises UsageError that names every duplicate, every pair that differs only in case or is one local part, and every
    name that the service does not take.
    """
    written = [("--members", text.strip()) for text in listed if text.strip()]
    if file is not None:
        written += ((f"{file}:{line}", cell) for line, cell in _first_column(file))
    if not written:
        raise UsageError("no members are named", hint="Give --members alice,bob or --members-file people.csv")
    faults: list[str] = []
    first: dict[str, tuple[str, str]] = {}
    for where, text in written:
        name = _name_of(text)
        if not is_name(name):
            faults.append(f"{where}: {clean(text, 80)!r} is not a name that the service takes")
        elif name.casefold() in first:
            faults.append(_clash(first[name.casefold()], (where, text)))
        else:
            first[name.casefold()] = (where, text)
    if faults:
        shown = "; ".join(faults[:DIAGNOSTICS_SHOWN_MAX_COUNT])
        raise UsageError(f"the members cannot be taken as they are: {shown}", hint=_HINT)
    return tuple(_name_of(text) for _, text in written)


def _clash(first: tuple[str, str], second: tuple[str, str]) -> str:
    (where, text), (_, known) = second, first
    if text == known:
        how = f"is named twice (first in {first[0]})"
    elif "@" in text or "@" in known:
        how = f"and {clean(known, 80)!r} ({first[0]}) come to one name, {_name_of(known)}"
    else:
        how = f"and {clean(known, 80)!r} ({first[0]}) differ only in case, and are one to the service"
    return f"{where}: {clean(text, 80)!r} {how}"


def _name_of(text: str) -> str:
    local, at, _ = text.partition("@")
    return _NOT_IN_NAMES.sub("-", local).strip("-") if at else text


def _first_column(file: Path) -> Iterator[tuple[int, str]]:
    """Give line and first cell of each row with anything in it, but for a header."""
    text = _read(file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    is_first, line = True, 1
    try:
        for row in reader:
            cell = row[0].strip() if row else ""
            if any(other.strip() for other in row):
                if not (is_first and cell.lower() in HEADER_WORDS):
                    yield line, cell
                is_first = False
            line = reader.line_num + 1
    except csv.Error:
        message = f"{file}:{line}: this line is not a row of cells"
        raise UsageError(message, hint="Check its quotes: a quoted cell ends with a quote") from None


def _read(file: Path) -> str:
    try:
        data = read_regular(file, str(file), FLEET_FILE_MAX_BYTES)
    except FileProblem as problem:
        raise UsageError(f"--members-file: {problem.message}", hint=problem.hint) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--members-file {file} is not UTF-8", hint="Save it as CSV UTF-8") from None
