"""The state folder: opened once, checked, and used through its descriptor.

The folder is 0700 and its files 0600, owned by whoever runs appfleet; links are refused, so nobody can make a run
write elsewhere. A platform may reopen it to its group between two runs (Kubernetes does for `fsGroup`, at every
mount); it is closed again, with every file in it. What is unsafe raises StateError. What merely cannot be written (a
full disk, a read-only mount) does not: `problem` says so and creates go on. Not here: the journal and the lock, which
live in the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
from pathlib import Path
from typing import Final, Self

from engine.core.errors import BugError, StateError
from engine.core.limits import STATE_FILE_MAX_BYTES

STATE_DIR_NAME: Final = ".appfleet"  # beside the fleet file, unless --state-dir names another
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
IGNORE_NAME: Final = ".gitignore"
IGNORE_MARK: Final = b"# Made by appfleet"
IGNORE_TEXT: Final = IGNORE_MARK + b": its journal and locks belong to this machine alone.\n*\n"
JOURNAL_NAME: Final = "journal.sqlite"
CRASH_PREFIX: Final = "crash-"  # a traceback, which may be the first thing that is written into a folder
LOCK_SUFFIX: Final = ".lock"

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_INSIDE_NAME: Final = "appfleet"
_ELSEWHERE: Final = "choose another folder with --state-dir"
_SAFE_OPEN: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_NAMES_SHOWN_MAX_COUNT: Final = 3
# What a file system puts into an empty volume by itself.
_NOT_COUNTED: Final = frozenset({"lost+found"})


class StateDir:
    """An open state folder. `path` is absolute; `problem` says why it cannot be written, or is empty.

    `fd` is the folder's descriptor, or None when the folder is not there and cannot be made.
    """

    def __init__(self, path: Path, fd: int | None, problem: str) -> None:
        self.path = path
        self.fd = fd
        self.problem = problem

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> StateDir:
        """Open the folder, making it when `create` says so and it is not there.

        Raises StateError for a folder that is a link, belongs to somebody else, may be written by everybody, or
        holds files that are not a state folder's. One that is open to its group is closed; without `create` only when
        it is marked as ours, because looking at a folder must not change somebody's project.
        """
        path = path.absolute()
        problem = _make(path) if create else ""
        fd = _open_folder(path)
        if fd is None:
            return cls(path, None, problem or f"the state folder {path} does not exist")
        try:
            _check_folder(path, fd)
            if create and not problem:
                problem = _prepare(path, fd)
            elif _may_group_write(fd) and _is_marked(path, fd):
                with contextlib.suppress(OSError):  # a read-only disk: nobody else can write there through it either
                    _close_to_others(path, fd)
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, problem)

    def close(self) -> None:
        """Close the descriptor; closing twice is harmless."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def has_file(self, name: str) -> bool:
        """Whether a file is there, never opening it; raises StateError for one that is not safe to use.

        A database must not be opened and closed beside SQLite: closing it would drop SQLite's own locks.
        """
        if self.fd is None:
            return False
        try:
            found = os.stat(_plain(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        self._check_file(name, found)
        if found.st_mode & _OTHERS:
            with contextlib.suppress(OSError):  # a read-only disk; the folder itself keeps others out
                os.chmod(name, FILE_MODE, dir_fd=self.fd)
        return True

    def open_file(self, name: str, flags: int) -> int:
        """Return a descriptor of a file in the folder, 0600, never a link, not inherited by other programs.

        Raises OSError as os.open does, and StateError for a file that is not safe to use.
        """
        if self.fd is None:
            raise OSError(errno.ENOENT, self.problem)
        try:
            opened = os.open(_plain(name), flags | _SAFE_OPEN | os.O_NONBLOCK, FILE_MODE, dir_fd=self.fd)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.EMLINK}:
                raise self._unsafe(name, "is a link") from None
            raise
        try:
            found = os.fstat(opened)
            self._check_file(name, found)
            if found.st_mode & _OTHERS:
                with contextlib.suppress(OSError):
                    os.fchmod(opened, FILE_MODE)
        except BaseException:
            os.close(opened)
            raise
        return opened

    def read(self, name: str, max_bytes: int = STATE_FILE_MAX_BYTES) -> bytes | None:
        """Return a file's bytes, or None when it is not there; raises StateError when it cannot be read."""
        try:
            opened = self.open_file(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", name, error) from None
        with os.fdopen(opened, "rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise StateError(
                f"{self.path / name} is larger than {max_bytes:,} bytes", hint="Move the file away and run again"
            )
        return data

    def write_atomically(self, name: str, data: bytes) -> None:
        """Put `data` in place whole, or not at all: a temporary file, synced, renamed, and the folder synced.

        Raises StateError when it cannot be written; the file then is as it was.
        """
        temporary = f".{_plain(name)}.{os.getpid()}.tmp"
        try:
            self.has_file(name)
            self._write_temporary(temporary, data)
            os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            self.sync()
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self.fd)
            raise self._failed("written", name, error) from None

    def rename(self, old: str, new: str) -> None:
        """Rename a file within the folder; raises OSError as os.rename does."""
        os.rename(_plain(old), _plain(new), src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def sync(self) -> None:
        """Make names that were added or changed survive a power cut; raises OSError when that cannot be had."""
        if self.fd is not None:
            os.fsync(self.fd)

    def _write_temporary(self, temporary: str, data: bytes) -> None:
        with contextlib.suppress(OSError):  # left by a process of the same number that was killed
            os.unlink(temporary, dir_fd=self.fd)
        opened = self.open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(opened, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _check_file(self, name: str, found: os.stat_result) -> None:
        if stat.S_ISLNK(found.st_mode):
            raise self._unsafe(name, "is a link")
        if not stat.S_ISREG(found.st_mode):
            raise self._unsafe(name, "is not a regular file")
        if found.st_uid != os.geteuid():
            raise self._unsafe(name, f"belongs to user {found.st_uid}, and this run is user {os.geteuid()}")

    def _unsafe(self, name: str, what: str) -> StateError:
        return StateError(
            f"{self.path / name} {what}, so it is not used", hint=f"Remove it and run again, or {_ELSEWHERE}"
        )

    def _failed(self, verb: str, name: str, error: OSError) -> StateError:
        why = self.problem if self.fd is None else error.strerror
        return StateError(
            f"{self.path / name} could not be {verb}: {why}",
            hint=f"Make the folder writable and leave it some space, or {_ELSEWHERE}",
        )


def _plain(name: str) -> str:
    if not name or "/" in name or "\0" in name or name in {".", ".."}:
        raise BugError(f"{name!r} is not a plain file name")
    return name


def _make(path: Path) -> str:
    """Make the folder; give why it could not be made, or an empty text."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=FOLDER_MODE)
    except OSError as error:
        return f"the state folder {path} could not be made: {error.strerror}"
    return ""


def _open_folder(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE_OPEN)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            what, hint = "is a link, so it is not used", _link_hint(path)
        elif error.errno == errno.ENOTDIR:
            if not os.path.lexists(path):
                # A parent is a file: nothing is unsafe, there is just no folder.
                return None
            what, hint = "is not a folder", f"Move it away, or {_ELSEWHERE}"
        else:
            what, hint = f"cannot be opened: {error.strerror}", f"Check its owner and mode, or {_ELSEWHERE}"
        raise StateError(f"The state folder {path} {what}", hint=hint) from None


def _link_hint(path: Path) -> str:
    """Return what to type in place of a link; systemd lays out `/var/lib/NAME -> private/NAME` for a dynamic user."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a loop was a RuntimeError before Python 3.13
        return f"Its target does not exist. Remove the link, or {_ELSEWHERE}"
    return f"Name the folder itself: --state-dir {shlex.quote(str(target))}"


def _check_folder(path: Path, fd: int) -> None:
    """Raise StateError for a folder that is somebody else's or that everybody may write to."""
    found = os.fstat(fd)
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        raise StateError(
            f"The state folder {path} belongs to user {found.st_uid}, and this run is user {os.geteuid()}",
            hint=_inside_hint(path, fd) or f"Run as its owner, or {_ELSEWHERE}",
        )
    if mode & stat.S_IWOTH:
        raise StateError(
            f"The state folder {path} may be written by others (mode {mode:04o})",
            hint=f"Check that its content is yours, then run: chmod 700 {shlex.quote(str(path))}",
        )


def _inside_hint(path: Path, fd: int) -> str:
    """Return the hint to use a folder inside, where we may make one: the root of a Kubernetes volume is root's."""
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=fd, effective_ids=os.access in os.supports_effective_ids):
        return ""
    return f"A folder inside it works: --state-dir {shlex.quote(str(path / _INSIDE_NAME))}"


def _may_group_write(fd: int) -> bool:
    return bool(os.fstat(fd).st_mode & stat.S_IWGRP)


def _close_to_others(path: Path, fd: int) -> None:
    """Close the folder and every file of ours in it.

    Raises OSError where modes cannot be changed, and StateError where a change does not last and the group may write
    on (network file systems that make up their modes).
    """
    os.fchmod(fd, FOLDER_MODE)
    if _may_group_write(fd):
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        raise StateError(
            f"The state folder {path} may be written by its group (mode {mode:04o}), and its file system does not let "
            "appfleet close it",
            hint=f"Mount it with mode 0700, or {_ELSEWHERE}",
        )
    for name in os.listdir(fd):
        with contextlib.suppress(OSError):  # gone meanwhile; what is used is checked once more when it is opened
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
                os.chmod(name, FILE_MODE, dir_fd=fd)


def _prepare(path: Path, fd: int) -> str:
    """Close the folder to others and mark it as ours; give why it cannot be written, or an empty text."""
    ours = _is_ours(path, fd)
    try:
        if os.fstat(fd).st_mode & (_OTHERS | stat.S_ISGID):  # a folder made in a volume inherits its set-group-id bit
            _close_to_others(path, fd)
        if not ours:
            return _mark(path, fd)
        if not os.access(".", os.W_OK, dir_fd=fd, effective_ids=os.access in os.supports_effective_ids):
            return f"the state folder {path} is read-only"
    except OSError as error:
        return f"the state folder {path} cannot be written: {error.strerror}"
    return ""


def _mark(path: Path, fd: int) -> str:
    """Mark the folder as ours; return why that failed, or an empty text."""
    try:
        StateDir(path, fd, "").write_atomically(IGNORE_NAME, IGNORE_TEXT)
    except StateError as error:
        return error.message
    return ""


def _is_marked(path: Path, fd: int) -> bool:
    """Return whether a run of appfleet made the folder, or used it before."""
    return (StateDir(path, fd, "").read(IGNORE_NAME) or b"").startswith(IGNORE_MARK)


def _is_ours(path: Path, fd: int) -> bool:
    """Whether the folder was used before; raises StateError for one that holds something else.

    Without this, `--state-dir .` would close a project's folder to its group and hide it from git.
    """
    names = sorted(name for name in os.listdir(fd) if name not in _NOT_COUNTED)
    if IGNORE_NAME in names and _is_marked(path, fd):
        return True
    left = [
        name
        for name in names
        if not name.startswith(("journal.", CRASH_PREFIX)) and not name.endswith((LOCK_SUFFIX, ".tmp"))
    ]
    if left:
        shown = ", ".join(left[:_NAMES_SHOWN_MAX_COUNT]) + (", …" if len(left) > _NAMES_SHOWN_MAX_COUNT else "")
        raise StateError(
            f"{path} holds files that are not a state folder's ({shown}), so it is not used as one",
            hint="Name an empty folder, or one that does not exist yet, with --state-dir",
        )
    return False
