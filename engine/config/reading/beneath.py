"""Opening what lies below one folder, links included, without ever leaving that folder.

A path is walked part by part: each part is opened from the folder before it and is never followed by the system.
Where a part is a link, its target is read and walked in the same way. So what was checked is what is opened, whoever
renames or links something meanwhile. A link may lead up and back, or name the folder absolutely, as long as its target
lies below the folder: Kubernetes lays out a ConfigMap with such links. Not here: what the bytes mean.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from engine.core.limits import LINKS_FOLLOWED_MAX_COUNT

FILE_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK  # a pipe that nobody writes to would make an open wait for ever
FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY
# A folder that may be searched and not listed can still be passed through, where the system knows O_PATH.
_PASS_FLAGS: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
_ALWAYS: Final = os.O_CLOEXEC | os.O_NOFOLLOW


class FileProblem(Exception):
    """A file that cannot be read, said for people: what is wrong and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class TooMuchProblem(FileProblem):
    """The files of a fleet together are too many or too large: said once, and not of each further file."""


class OutsideProblem(FileProblem):
    """A link that leads out of the folder."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open descriptor, and the path below the folder that it has without any link."""

    descriptor: int
    real: str


def open_beneath(folder: Path, inside: str, flags: int) -> Opened:
    """Open `inside` below `folder`; the caller closes the descriptor. Raises FileProblem."""
    try:
        return _Walk(folder, inside).open(flags)
    except _MissingError as missing:
        # Kubernetes replaces its folders while they are read: what one link named a moment ago may be gone.
        if not missing.is_behind_a_link:
            raise missing.problem from missing.error
    try:
        return _Walk(folder, inside).open(flags)
    except _MissingError as missing:
        raise missing.problem from missing.error


class _MissingError(Exception):
    """Something on the way is not there."""

    def __init__(self, problem: FileProblem, error: OSError, *, is_behind_a_link: bool) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.error = error
        self.is_behind_a_link = is_behind_a_link


@dataclass(slots=True)
class _Walk:
    """One path on its way: the folders passed, the parts to come, and how far above the folder a link has led."""

    folder: Path
    inside: str
    _descriptors: list[int] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _to_come: list[str] = field(default_factory=list)  # the next part last
    _above: int = 0
    _links: list[tuple[str, str]] = field(default_factory=list)  # (link, its target), in the order of the walk

    def open(self, flags: int) -> Opened:
        """Walk to the end, and open what stands there."""
        self._to_come = list(reversed(PurePosixPath(self.inside).parts))
        try:
            self._descriptors = [os.open(self.folder, _PASS_FLAGS | os.O_CLOEXEC)]
            opened = self._walk(flags)
        except OSError as error:
            raise self._problem(error) from error
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)
        return Opened(opened, "/".join(self._names))

    def _walk(self, flags: int) -> int:
        while self._to_come:
            part = self._to_come.pop()
            if part == "..":
                self._step_up()
            elif self._above:
                self._step_back(part)
            elif self._to_come:
                descriptor = self._open_or_follow(part, _PASS_FLAGS)
                if descriptor is not None:
                    self._descriptors.append(descriptor)
            else:
                descriptor = self._open_or_follow(part, flags)
                if descriptor is not None:
                    return descriptor
        if self._above:
            raise self._outside()
        return os.open(".", flags | _ALWAYS, dir_fd=self._descriptors[-1])  # a link has led to a folder

    def _open_or_follow(self, part: str, flags: int) -> int | None:
        """Open one part, or put the parts of its target before those to come."""
        try:
            opened = os.open(part, flags | _ALWAYS, dir_fd=self._descriptors[-1])
        except OSError as error:
            target = self._target(part, error)
        else:
            self._names.append(part)
            return opened
        self._links.append(("/".join((*self._names, part)), target))
        if len(self._links) > LINKS_FOLLOWED_MAX_COUNT:
            raise FileProblem(f"{self.inside} is a link that leads in a circle", _PUT_THE_FILE)
        parts = PurePosixPath(target).parts
        if PurePosixPath(target).is_absolute():
            self._go_to_the_top()
            parts = self._from_the_top(target)
        self._to_come += reversed(parts)
        return None

    def _target(self, part: str, error: OSError) -> str:
        """Read the link that could not be opened; what is no link failed for another reason, which is raised."""
        if error.errno not in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
            raise error
        try:
            return os.readlink(part, dir_fd=self._descriptors[-1])
        except OSError:
            raise error from None

    def _step_up(self) -> None:
        if self._names:
            self._names.pop()
            os.close(self._descriptors.pop())
        else:
            self._above += 1

    def _step_back(self, part: str) -> None:
        """Follow one part above the folder: only one that leads back to it is allowed."""
        home = Path(os.path.realpath(self.folder)).parts[1:]
        if self._above > len(home) or home[-self._above] != part:
            raise self._outside()
        self._above -= 1

    def _go_to_the_top(self) -> None:
        while self._names:
            self._step_up()
        self._above = len(Path(os.path.realpath(self.folder)).parts) - 1

    def _from_the_top(self, target: str) -> tuple[str, ...]:
        """Return the parts of an absolute target; one below the folder as the user wrote it is below the real one."""
        written = Path(os.path.abspath(self.folder))  # noqa: PTH100 - Path has none that leaves links alone
        real = Path(os.path.realpath(self.folder))
        pure = PurePosixPath(target)
        return (real / pure.relative_to(written) if pure.is_relative_to(written) else pure).parts[1:]

    def _outside(self) -> OutsideProblem:
        link, target = self._links[-1] if self._links else (self.inside, "..")
        where = "is" if link == self.inside else f"lies behind {link},"
        return OutsideProblem(
            f"{self.inside} {where} a link to {target}, outside the fleet file's folder",
            f"Put the file itself below {self.folder}, or link to one that exists",
        )

    def _problem(self, error: OSError) -> Exception:
        problem = open_problem(error, self.inside)
        if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
            return problem
        if self._links:
            link, target = self._links[-1]
            where = "is" if link == self.inside else f"lies behind {link},"
            problem = FileProblem(f"{self.inside} {where} a link to {target}, and there is no such file", _PUT_THE_FILE)
        return _MissingError(problem, error, is_behind_a_link=bool(self._links))


_PUT_THE_FILE: Final = "Correct the link, or put the file itself there"


def open_problem(error: OSError, name: str) -> FileProblem:
    """Return what to say of a file that could not be opened or read."""
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return FileProblem(f"there is no file {name}", "Correct the path, or run appfleet where the file is")
    if error.errno in {errno.ENXIO, errno.ENODEV}:  # a socket, or a device without a driver
        return FileProblem(f"{name} is not a regular file", "Name a file, not a folder, pipe or device")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return FileProblem(f"{name} may not be read by this user", "Give this user the right to read it")
    if error.errno == errno.ENAMETOOLONG:
        return FileProblem(f"{name[:80]}… is longer than a path may be", "Use a shorter name")
    return FileProblem(f"{name} cannot be read: {os.strerror(error.errno or 0)}", "Check the path and the disk")
