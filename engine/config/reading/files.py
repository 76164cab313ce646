"""Reading the files of a fleet: regular files only, below one folder, within bounds, each once.

A fleet file comes from people, and what it includes may come from other people: so no link is followed out
of the folder (`beneath` sees to that), nothing that is not a regular file is read (a pipe would hang the run), and
sizes are checked before a byte is parsed. Not here: what the bytes mean.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from engine.config.reading.beneath import FILE_FLAGS, FileProblem, TooMuchProblem, open_beneath
from engine.config.reading.patterns import find_files, has_wildcards, nearest_pattern
from engine.config.reading.regular_file import path_problem, read_open
from engine.core.limits import FLEET_FILE_MAX_BYTES, FLEET_FILES_MAX_COUNT, FLEET_TOTAL_MAX_BYTES

FLEET_FILE_NAME: Final = "fleet.toml"  # the usual one


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file as it was read: `shown` as the user would type it, `inside` as its path below the folder."""

    shown: str
    inside: str
    data: bytes
    sha256: str


@dataclass(slots=True)
class Folder:
    """The folder of a fleet file. It remembers what it has read, and what that came to in bytes and files."""

    path: Path
    max_file_bytes: int = FLEET_FILE_MAX_BYTES
    max_total_bytes: int = FLEET_TOTAL_MAX_BYTES
    max_files: int = FLEET_FILES_MAX_COUNT
    read_files: dict[str, InputFile] = field(default_factory=dict)
    _by_real_path: dict[str, InputFile] = field(default_factory=dict)
    _total_bytes: int = 0

    def shown(self, inside: str) -> str:
        """Return a path below the folder as the user would type it."""
        return str(self.path / inside)

    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Return every file read so far with its SHA-256, sorted by name."""
        return tuple(sorted((item.inside, item.sha256) for item in self.read_files.values()))

    def read(self, inside: str, max_bytes: int | None = None) -> InputFile:
        """Read a file, once under whatever names it has; raises FileProblem.

        `max_bytes` is the bound of its kind, where that is not the folder's.
        """
        known = self.read_files.get(inside)
        if known is not None:
            return known
        check_inside(inside)
        return self._read(inside, self.max_file_bytes if max_bytes is None else max_bytes)

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return the files that match a pattern, as sorted paths below the folder; raises FileProblem.

        Folders never match. A name without wildcards that is not there is a problem, not an empty match.
        """
        check_inside(pattern)
        if any("**" in part and part != "**" for part in PurePosixPath(pattern).parts):
            raise FileProblem("is not a pattern for files", 'Write ** alone between slashes, such as "teams/**/*.toml"')
        if not has_wildcards(pattern):
            if not os.path.lexists(self.path / pattern):
                hint = nearest_pattern(self.path, pattern) or "Correct the path, or remove it"
                raise FileProblem(f"there is no file {pattern} beside the fleet file", hint)
            return (str(PurePosixPath(pattern)),)
        try:
            return find_files(self.path, pattern, self.max_files)
        except (ValueError, OSError) as error:
            raise FileProblem("is not a pattern for files", 'Write something like "teams/*.toml"') from error

    def _read(self, inside: str, max_bytes: int) -> InputFile:
        if len(self.read_files) >= self.max_files:
            raise TooMuchProblem(f"the fleet has more than {self.max_files:,} files", "Put several teams into one file")
        opened = open_beneath(self.path, inside, FILE_FLAGS)
        try:
            known = self._by_real_path.get(opened.real)
            if known is not None:
                return known
            data = read_open(opened.descriptor, inside, max_bytes)
        finally:
            os.close(opened.descriptor)
        self._total_bytes += len(data)
        if self._total_bytes > self.max_total_bytes:
            raise TooMuchProblem(
                f"the fleet's files hold more than {self.max_total_bytes:,} bytes together",
                "Split it into several fleets",
            )
        item = InputFile(self.shown(inside), inside, data, hashlib.sha256(data).hexdigest())
        self.read_files[inside] = self._by_real_path[opened.real] = item
        return item


def home_of(path: Path) -> Path:
    """Return the path under which a fleet file is read, with the folder that it speaks of.

    A link whose target stays in its folder, as in a ConfigMap, is read where it is; a link to a file elsewhere is read
    beside its target, where its policies and included files are. Raises FileProblem for a link to nothing, and for a
    folder.
    """
    if path.is_dir():
        raise _folder_problem(path)
    if not path.is_symlink():
        return path
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle, as pathlib tells it
        target = path.readlink()
        what = "there is no such file" if isinstance(error, FileNotFoundError) else "that leads nowhere"
        message = f"{path.name} is a link to {target}, and {what}"
        raise FileProblem(message, "Correct the link, or put the file itself there") from error
    return path if real.is_relative_to(path.parent.resolve()) else real


def _folder_problem(folder: Path) -> FileProblem:
    """Return what to say of a folder where the fleet file should be: most likely the file in it is meant."""
    fleet_file = folder / FLEET_FILE_NAME
    hint = f"Name the fleet file in it: -f {shlex.quote(str(fleet_file))}"
    if not fleet_file.is_file():
        hint = f"Name a file; to start a fleet there: appfleet init --out {shlex.quote(str(folder))}"
    return FileProblem(f"{folder} is a folder", hint)


def would_match(inside: str, patterns: Iterable[str]) -> bool:
    """Whether one of `patterns` would find a file `inside`: asked of the very code that will look for it."""
    import tempfile  # noqa: PLC0415 - it takes longer to load than a small fleet takes to read

    with tempfile.TemporaryDirectory(prefix="appfleet-probe-") as folder:
        probe = Path(folder) / inside
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        for pattern in patterns:
            try:
                if inside in Folder(Path(folder)).matching(pattern):
                    return True
            except FileProblem:  # a name that is no pattern, and not this file's
                continue
    return False


def inside_of(parent: PurePosixPath, name: str) -> str:
    """Return a path that a file in `parent` names, as a path below the folder; raises FileProblem."""
    check_inside(name)
    return str(parent / name)


def check_inside(path: str) -> None:
    """Refuse a path or pattern that leaves the folder; raises FileProblem."""
    pure = PurePosixPath(path)
    problem, hint = path_problem(path)
    if problem:
        raise FileProblem(problem, hint)
    if not path:
        raise FileProblem("is not a path", 'Write something like "teams/*.toml"')
    if pure.is_absolute() or ".." in pure.parts or path.startswith("~"):
        raise FileProblem(
            "leads out of the fleet file's folder", "Name files below that folder, with a path relative to it"
        )
