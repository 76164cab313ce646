"""Which files below a folder a pattern finds: `teams/*.toml`, `teams/**/*.toml`.

Folders are entered through `beneath` alone, so that a pattern never looks outside. A file that can be reached under
several names is found once. A name that begins with two dots is Kubernetes' own, of the folder that its links lead to,
and no wildcard finds it. Not here: reading what was found.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from engine.config.reading.beneath import FOLDER_FLAGS, FileProblem, OutsideProblem, open_beneath
from engine.config.reading.problems import show_value
from engine.core.limits import PATTERN_ENTRIES_MAX_COUNT
from engine.core.nearest import nearest as nearest_name

_WILDCARDS: Final = frozenset("*?[")
_ANY_DEPTH: Final = "**"
_OF_KUBERNETES: Final = ".."


def has_wildcards(pattern: str) -> bool:
    """Whether a pattern is more than a name."""
    return not _WILDCARDS.isdisjoint(pattern)


def find_files(folder: Path, pattern: str, max_files: int) -> tuple[str, ...]:
    """Return the files that `pattern` finds, as sorted paths below `folder`; raises FileProblem.

    Where several names lead to one file, the one that is no link is given, else the first.
    """
    search = _Search(folder, max_files)
    found = search.run(PurePosixPath(pattern).parts)
    best: dict[str, tuple[bool, str]] = {}
    for inside, real in found:
        candidate = (inside != real, inside)
        best[real] = min(best.get(real, candidate), candidate)
    return tuple(sorted(inside for _, inside in best.values()))


def nearest_pattern(folder: Path, pattern: str) -> str:
    """Return `Did you mean "policies/*.toml"?` where the first part that is not there is nearly one that is."""
    parts = PurePosixPath(pattern).parts
    for place, part in enumerate(parts):
        below = folder.joinpath(*parts[:place])
        if has_wildcards(part) or not below.is_dir():
            return ""
        if not (below / part).exists():
            is_last = place == len(parts) - 1
            try:
                known = [entry.name for entry in os.scandir(below) if is_last or entry.is_dir()]
            except OSError:
                return ""
            guess = nearest_name(part, known)
            return (
                f"Did you mean {show_value('/'.join((*parts[:place], guess, *parts[place + 1 :])))}?" if guess else ""
            )
    return ""


@dataclass(slots=True)
class _Search:
    """One pattern on its way through the folders."""

    folder: Path
    max_files: int
    _seen: int = 0
    _found: list[tuple[str, str]] = field(default_factory=list)  # (name, name without links)

    def run(self, parts: tuple[str, ...]) -> list[tuple[str, str]]:
        self._enter("", parts, frozenset())
        return self._found

    def _enter(self, inside: str, parts: tuple[str, ...], above: frozenset[str]) -> None:
        """Look for `parts` in one folder; `above` holds the real folders on the way, against circles of links."""
        part, rest = parts[0], parts[1:]
        if part == _ANY_DEPTH:
            self._any_depth(inside, rest, above)
            return
        if not has_wildcards(part):
            below = f"{inside}/{part}" if inside else part
            if rest:
                self._refuse_broken(below)
                self._enter(below, rest, above)
            elif os.path.lexists(self.folder / below):
                self._keep(below)
            return
        matches = re.compile(fnmatch.translate(part)).match
        for name, may_be_folder in self._entries(inside)[1]:
            if not matches(name) or name.startswith(_OF_KUBERNETES):
                continue
            below = f"{inside}/{name}" if inside else name
            if not rest:
                self._keep(below)
            elif may_be_folder:
                self._enter(below, rest, above)

    def _any_depth(self, inside: str, rest: tuple[str, ...], above: frozenset[str]) -> None:
        real, entries = self._entries(inside)
        if real in above:
            return
        above |= {real}
        if rest:
            self._enter(inside, rest, above)
        for name, may_be_folder in entries:
            below = f"{inside}/{name}" if inside else name
            if name.startswith(_OF_KUBERNETES):
                continue
            if may_be_folder:
                self._any_depth(below, rest, above)
            if not rest:
                self._keep(below)

    def _refuse_broken(self, inside: str) -> None:
        """Refuse a folder that the pattern names and that is a link to nothing: it is not an empty folder."""
        path = self.folder / inside
        if path.is_symlink() and not path.exists():
            os.close(open_beneath(self.folder, inside, FOLDER_FLAGS).descriptor)

    def _entries(self, inside: str) -> tuple[str, list[tuple[str, bool]]]:
        """List a folder: its real path, and each name with whether it may be a folder. Empty for what is none."""
        try:
            opened = open_beneath(self.folder, inside, FOLDER_FLAGS)
        except OutsideProblem:
            raise
        except FileProblem as problem:
            if (self.folder / inside).is_dir():
                raise FileProblem(problem.message, problem.hint) from problem
            return inside, []
        try:
            with os.scandir(opened.descriptor) as listed:
                entries = [(entry.name, entry.is_dir(follow_symlinks=False) or entry.is_symlink()) for entry in listed]
        finally:
            os.close(opened.descriptor)
        self._seen += len(entries)
        if self._seen > PATTERN_ENTRIES_MAX_COUNT:
            raise FileProblem(
                f"the pattern looks at more than {PATTERN_ENTRIES_MAX_COUNT:,} files and folders",
                "Write a narrower pattern",
            )
        return opened.real, sorted(entries)

    def _keep(self, inside: str) -> None:
        """Keep what is not a folder. A link that leads out is kept: reading it says so by name."""
        real = inside
        try:
            opened = open_beneath(self.folder, inside, os.O_RDONLY | os.O_NONBLOCK)
        except FileProblem:
            pass
        else:
            real = opened.real
            is_folder = stat.S_ISDIR(os.fstat(opened.descriptor).st_mode)
            os.close(opened.descriptor)
            if is_folder:
                return
        self._found.append((inside, real))
        if len(self._found) > self.max_files:
            raise FileProblem(f"the pattern matches more than {self.max_files} files", "Write a narrower pattern")
