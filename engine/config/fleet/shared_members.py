"""The members files of a fleet: each is read once for all teams that name it, and no line of one is lost silently.

A line that no team takes is more often a typo than meant, and its person would lose their apps to a prune. Not here:
how a table is read (`members_file`, `people_file`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.config.fleet.fleet_models import MembersTable
from engine.config.fleet.members_file import Group, read_members
from engine.config.reading.files import InputFile
from engine.config.reading.problems import Code, Place, Problems, nearest, show_value
from engine.core.desired import Source
from engine.core.limits import LOST_LINES_SHOWN_MAX_COUNT
from engine.core.text import count_of

Cells = tuple[str, ...]
_IGNORE: Final = "ignore"
_WAY_OUT: Final = f'remove the line, or set unmatched = "{_IGNORE}" in members_file to allow such lines'


@dataclass(slots=True)
class _Read:
    """One file: for each set of columns its lines by what they say, and which of these a team asked for."""

    shown: str
    by_columns: dict[Cells, Mapping[Cells, Group] | None] = field(default_factory=dict)
    asked: dict[Cells, set[Cells]] = field(default_factory=dict)
    may_lose: bool = False

    def lost(self) -> list[tuple[int, Cells, Cells, int]]:
        """Return (first line, columns, cells, lines) of what no team takes, in the order of the lines."""
        if self.may_lose or None in self.by_columns.values():
            return []
        (columns, first), *others = self.by_columns.items()
        taken = {line for other, groups in others for cells in self.asked[other] for line in _lines_of(groups, cells)}
        found = []
        for cells in (first or {}).keys() - self.asked[columns]:
            lines = [line for line in _lines_of(first, cells) if line not in taken]
            if lines:
                found.append((lines[0], columns, cells, len(lines)))
        return sorted(found)


@dataclass(slots=True)
class MembersFiles:
    """Reads members files. `read` returns a file beside a place, or None where it has noted why.

    `prune_refusals` say why nothing may be pruned; `is_complete` turns False once a file could not be read.
    """

    problems: Problems
    read: Callable[[str, Place], InputFile | None]
    is_complete: bool = True
    prune_refusals: list[str] = field(default_factory=list)
    _files: dict[str, _Read] = field(default_factory=dict)

    def of(self, asked: MembersTable, place: Place) -> Mapping[str, Source]:
        """Return the members that one team takes from a file; none where that cannot be done, which is noted."""
        item = self.read(asked.file, place)
        if item is None:
            return {}
        columns, cells = tuple(asked.where), tuple(asked.where.values())
        file = self._files.setdefault(item.inside, _Read(item.shown))
        file.may_lose = file.may_lose or asked.unmatched == _IGNORE
        file.asked.setdefault(columns, set()).add(cells)
        if columns not in file.by_columns:
            file.by_columns[columns] = read_members(item, columns, self.problems)
        groups = file.by_columns[columns]
        if groups is None:
            self.is_complete = False
            return {}
        members = groups[cells].members if cells in groups else {}
        if not members:
            if not groups:
                if self.problems.first_time("empty", item.inside):
                    hint = "Add one person per line, below a first line that names the columns"
                    self.problems.warning(Code.EMPTY, place, f"{item.shown} names nobody", hint)
                    self.prune_refusals.append(f"{place.source}: {item.shown} names nobody")
                return {}
            whose = f" whose {_said(columns, cells)}" if columns else ""
            message = f"{item.shown} names no member{whose}"
            self.problems.warning(Code.EMPTY, place, message, "Put user profile names into its first column")
            self.prune_refusals.append(f"{place.source}: {message}")
        return members

    def note_lost(self) -> None:
        """Warn of lines that no team takes; call it once every team was read."""
        for file in self._files.values():
            lost = file.lost()
            for line, columns, cells, count in lost[:LOST_LINES_SHOWN_MAX_COUNT]:
                more = f" (as in {count_of(count - 1, 'other line')})" if count > 1 else ""
                message = f"no team selects this line: its {_said(columns, cells)}{more}"
                near = self._nearest(file.asked[columns], cells)
                hint = f"{near} If not, {_WAY_OUT}" if near else _WAY_OUT[0].upper() + _WAY_OUT[1:]
                self.problems.warn_of_file(Code.REFERENCE, file.shown, line, message, hint)
            if lost:
                first, total = lost[0][0], sum(count for *_, count in lost)
                said = "no team selects this line" if total == 1 else f"no team selects {total:,} lines, this one first"
                self.prune_refusals.append(f"{file.shown}:{first}: {said}")

    @staticmethod
    def _nearest(asked: set[Cells], cells: Cells) -> str:
        """Return what was probably meant by the first cell that no team asks for."""
        for at, said in enumerate(cells):
            known = {wanted[at] for wanted in asked}
            if said not in known:
                return nearest(said, known)
        return ""


def _lines_of(groups: Mapping[Cells, Group] | None, cells: Cells) -> Sequence[int]:
    found = (groups or {}).get(cells)
    return found.lines if found is not None else ()


def _said(columns: Cells, cells: Cells) -> str:
    return " and ".join(f"{title} is {show_value(cell)}" for title, cell in zip(columns, cells, strict=True))
