"""The members of a team to be onboarded, from a flag and from a file that a spreadsheet or an identity provider wrote.

An e-mail address stands for its part before the @, with hyphens where a user profile's name cannot hold a character.
Every name that is wrong, twice there or not to be told from another is named, all in one go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.config.fleet.people_file import Row, TableProblem, name_of, read_people, sign_in_fault
from engine.config.reading.beneath import FileProblem
from engine.config.reading.regular_file import read_regular
from engine.config.service.service_model import is_name
from engine.core.errors import UsageError
from engine.core.limits import DIAGNOSTICS_SHOWN_MAX_COUNT, FLEET_FILE_MAX_BYTES
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_HINT: Final = "A user profile's name has letters, digits and hyphens between them, at most 63; name each person once"


class Members(tuple[str, ...]):  # noqa: SLOT001 - a tuple has no slots beside its items
    """Names of user profiles in their order. `identities` maps those of them whose sign-in name is known to it."""

    identities: Mapping[str, str]


def members_of(listed: Iterable[str], file: Path | None) -> Members:
    """Return the user profile names of `listed` and of the people in `file`, in their order.

    Raises UsageError that names every duplicate, every pair that differs only in case or is one local part, and every
    name that the service does not take.
    """
    written = [("--members", _listed(text.strip())) for text in listed if text.strip()]
    if file is not None:
        written += ((str(file), row) for row in _rows(file))
    if not written:
        raise UsageError("no members are named", hint="Give --members alice,bob or --members-file people.csv")
    faults: list[str] = []
    first: dict[str, tuple[str, Row]] = {}
    for source, row in written:
        if len(faults) >= DIAGNOSTICS_SHOWN_MAX_COUNT:
            break
        name = name_of(row.text)
        if not is_name(name) or name.casefold() in first:
            faults.append(_fault(source, row, first.get(name.casefold())))
        elif (wrong := sign_in_fault(row.sso_identity)) is not None:
            faults.append(f"{_where(source, row)}: {wrong[0]}")
        else:
            first[name.casefold()] = (source, row)
    if faults:
        shown = "; ".join(faults)
        raise UsageError(f"the list of members is not valid: {shown}", hint=_HINT)
    members = Members(name_of(row.text) for _, row in written)
    members.identities = {name_of(row.text): row.sso_identity for _, row in written if row.sso_identity}
    return members


def _listed(text: str) -> Row:
    return Row(0, text, text if "@" in text else "")


def _where(source: str, row: Row) -> str:
    return f"{source}:{row.line}" if row.line else source


def _fault(source: str, row: Row, first: tuple[str, Row] | None) -> str:
    """Say what is wrong with a row: it is no name, or the same one as `first`."""
    where, text = _where(source, row), f"{clean(row.text, 80)!r}"
    if first is None:
        return f"{where}: {text} is not a valid name"
    place, known = _where(*first), first[1].text
    if row.text == known:
        how = f"is named twice (first in {place})"
    elif name_of(row.text) == name_of(known):
        how = f"and {clean(known, 80)!r} ({place}) both become {name_of(known)}"
    else:
        how = f"and {clean(known, 80)!r} ({place}) differ only in case, which the service ignores"
    return f"{where}: {text} {how}"


def _rows(file: Path) -> tuple[Row, ...]:
    try:
        return read_people(_read(file))
    except TableProblem as problem:
        raise UsageError(f"{file}:{problem.line}: {problem.message}", hint=problem.hint) from None


def _read(file: Path) -> str:
    try:
        data = read_regular(file, str(file), FLEET_FILE_MAX_BYTES)
    except FileProblem as problem:
        raise UsageError(f"--members-file: {problem.message}", hint=problem.hint) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--members-file {file} is not UTF-8", hint="Save it as CSV UTF-8") from None
