"""The one place that writes a file which a user named: `--out`, `--metrics-file`, `--log-file`, a team's file.

What the name stands for decides how it is written:

- nothing, or a regular file: replaced whole in one step, and its mode, owner and group are kept;
- a file with other names (hard links): written in place, so that all its names show the new content, and only after
  the disk has room for it;
- a link: what it leads to is written by these rules, and the link stays;
- a pipe, a terminal or another character device, or this process's own descriptor (/dev/stdout): written to;
- a folder, a disk or a socket: refused.

Not here: files of the state folder (`state_dir`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from engine.config.reading.regular_file import path_problem
from engine.core.limits import LINKS_FOLLOWED_MAX_COUNT, NAMED_PIPE_STALL_MAX_SECONDS

FILE_MODE: Final = 0o600
UNFINISHED: Final = ".appfleet-"  # what the name of a file begins with that is not in its place yet
_PIPE_PIECE_BYTES: Final = 4_096  # what a pipe that is ready takes without a wait: PIPE_BUF of Linux
_ROOT_UID: Final = 0
# O_NONBLOCK: a pipe that nobody reads is an error and not a wait. O_NOCTTY: a terminal does not become ours.
_STREAM_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_REFUSED_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISBLK, "a disk (a block device)"),
    (stat.S_ISSOCK, "a socket"),
)


class NamedFileError(OSError):
    """A file that a user named and that cannot be written. Its text says why, for people."""


def writing_problem(path: Path) -> str:
    """Return why nothing can be written to `path`; empty when nothing speaks against it. Changes nothing."""
    try:
        _check(path)
    except NamedFileError as error:
        return str(error)
    return ""


def write_named(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Write `data` to what the user named; `mode` is that of a new file.

    Raises NamedFileError. A regular file that was there is then as it was.
    """
    put_named(path, data, lambda _: None, mode=mode)


def open_to_append(path: Path, mode: int = FILE_MODE) -> int:
    """Open what the user named for appending, and return its descriptor; `mode` is that of a new file.

    Raises NamedFileError. A pipe that nobody reads is an error and not a wait.
    """
    with _explained():
        _check(path)
        number = _own_descriptor(path)
        if number is not None:
            return os.dup(number)
        return os.open(_target(path), os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | _STREAM_FLAGS, mode)


def reopened(path: Path) -> Callable[[int], int | None]:
    """Return what opens `path` again for appending once its name stands for another file than the given descriptor.

    So a log goes on in the new file after a rotation renamed the old one. Pipes and devices are left as they are.
    """

    def look(descriptor: int) -> int | None:
        try:
            held = os.fstat(descriptor)
            if not stat.S_ISREG(held.st_mode) or _own_descriptor(path) is not None:
                return None
            found = path.stat() if path.exists() else None
            if found is not None and (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino):
                return None
            return open_to_append(path)
        except OSError:  # what cannot be opened now is looked at again; until then the old file takes the lines
            return None

    return look


def put_named(
    path: Path, data: bytes, prove: Callable[[Path], None], *, mode: int = FILE_MODE, is_new: bool = False
) -> None:
    """Write `data` beside its place, let `prove` look at that file, and only then put it in place.

    With `is_new` nothing may have the name by then, or FileExistsError is raised. What is no regular file is written
    to without a proof. Raises NamedFileError, and whatever `prove` raises; nothing is changed then.
    """
    with _explained():
        found = _check(path)
        if found is not None and not _is_plain(path, found):
            _stream(path, data)
            return
    target = _target(path)
    with _explained():
        made = _make_beside(target, data, mode, found)
    try:
        prove(made)
        with _explained():
            if is_new:
                os.link(made, target)
            elif found is not None and found.st_nlink > 1:
                _overwrite(target, data)
            else:
                made.replace(target)
            _sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            made.unlink()


def _check(path: Path) -> os.stat_result | None:
    """Return what is at `path`, links followed; None when it is new. Raises NamedFileError when it is refused."""
    message, _ = path_problem(str(path))
    if message:
        raise NamedFileError(f"it {message}")
    with _explained():
        _refuse_foreign_link(path)
        try:
            found = path.stat()
        except FileNotFoundError:
            found = None
        if found is not None and _own_descriptor(path) is None:
            _check_kind(path, found.st_mode)
        if found is None or _is_plain(path, found):
            _check_folder(_target(path).parent)
    return found


def _check_kind(path: Path, mode: int) -> None:
    for is_kind, what in _REFUSED_KINDS:
        if is_kind(mode):
            raise NamedFileError(f"it is {what}")
    if not os.access(path, os.W_OK):
        raise NamedFileError("this user may not write to it")


def _is_plain(path: Path, found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and _own_descriptor(path) is None


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise NamedFileError(f"there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NamedFileError(f"this user may not write to the folder {folder}")


def _refuse_foreign_link(path: Path) -> None:
    """Refuse a link that another user laid: in a shared folder such as /tmp it leads where he wants to have it."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode) and found.st_uid not in {os.geteuid(), _ROOT_UID}:
        raise NamedFileError(f"it is a link that belongs to user {found.st_uid}")


def _target(path: Path) -> Path:
    """Return the name behind all links, so that a link stays and what it leads to is replaced."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _own_descriptor(path: Path) -> int | None:
    """Return the number of this process's descriptor that `path` is a name of, as /dev/stdout or /dev/fd/3 is.

    Such a file is open already, perhaps by others too who go on writing where we end: its content is not replaced.
    """
    for _ in range(LINKS_FOLLOWED_MAX_COUNT):
        folder = os.path.realpath(path.parent)
        if folder in {f"/proc/{os.getpid()}/fd", "/dev/fd"} and path.name.isdigit():
            return int(path.name)
        try:
            path = Path(folder) / path.readlink()
        except OSError:
            return None
    return None


def _make_beside(target: Path, data: bytes, mode: int, found: os.stat_result | None) -> Path:
    """Make the whole file in the folder of `target`, under a short name of its own, and return its path."""
    descriptor, made = tempfile.mkstemp(prefix=UNFINISHED, suffix=".new", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, mode if found is None else stat.S_IMODE(found.st_mode))
            if found is not None and (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):  # only root may give a file away
                    os.fchown(descriptor, found.st_uid, found.st_gid)
            os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(made)  # noqa: PTH108 - a name that mkstemp gave
        raise
    return Path(made)


def _overwrite(target: Path, data: bytes) -> None:
    """Write over a file with several names. What it held is lost only once the disk has room for what is new."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        try:
            _write_at(descriptor, data[size:], size)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        _write_at(descriptor, data[:size], 0)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_at(descriptor: int, data: bytes, at: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, at)
        left, at = left[written:], at + written


def _stream(path: Path, data: bytes) -> None:
    """Write to a pipe or a device, and wait no longer than the bound for a reader that does not read."""
    number = _own_descriptor(path)
    descriptor = os.open(path, _STREAM_FLAGS) if number is None else os.dup(number)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLOUT)
        left = memoryview(data)
        while left:
            if not waiting.poll(NAMED_PIPE_STALL_MAX_SECONDS * 1_000):
                raise NamedFileError(f"nobody read from it for {NAMED_PIPE_STALL_MAX_SECONDS:.0f} s")
            try:
                left = left[os.write(descriptor, left[:_PIPE_PIECE_BYTES]) :]
            except BlockingIOError:  # somebody else filled it between the two calls
                continue
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # the file is there; only a power cut could still take it back
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn an error of the operating system into one whose text is for people."""
    try:
        yield
    except (NamedFileError, FileExistsError):
        raise
    except OSError as error:
        raise NamedFileError(_why(error)) from None


def _why(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return "it is a pipe that nobody reads"
    if error.errno == errno.ELOOP:
        return "its links lead round in a circle"
    if error.errno == errno.EPIPE:
        return "its reader went away"
    return os.strerror(error.errno or errno.EIO)
