"""The last resort: an error that nobody foresaw becomes one line for the user and a file for whoever mends it."""

from __future__ import annotations

import errno
import os
import time
import traceback
from typing import TYPE_CHECKING, Final

from engine.app.process import CRASH_PREFIX, shortage_of
from engine.core.ending import foreseen, leaves
from engine.core.errors import BugError, UsageError
from engine.core.redact import Redactor, known_secrets
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.core.errors import AppfleetError

# What the system says of a name itself, and not of what we do with it.
_REFUSALS: Final = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR})
_OUR_PACKAGES: Final = frozenset({"engine", "appfleet"})
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def redactor() -> Redactor:
    """Return what takes these credentials out of a text."""
    return Redactor(known_secrets(os.environ))


def known_or_bug(error: BaseException, state_folder: Path, words: Sequence[str] = ()) -> AppfleetError:
    """Return the error of ours that `error` is, or a bug with its traceback put aside.

    `words` are those of the command line: a path that they name and that the system refuses is a wrong flag.
    """
    return (
        foreseen(error)
        or shortage_of(error)
        or _refused_path(error, words)
        or _other_package(error)
        or bug_of(error, state_folder)
    )


def _refused_path(error: BaseException, words: Sequence[str]) -> UsageError | None:
    first = next(leaves(error))
    if not isinstance(first, OSError) or not isinstance(first.filename, str) or first.errno not in _REFUSALS:
        return None
    given = [part for word in words for part in (word, word.partition("=")[2]) if part]
    if not any(part in first.filename for part in given if len(part) > 1 and not part.startswith("-")):
        return None
    return UsageError(
        f"{first.filename}: {first.strerror or type(first).__name__}", hint="Name a file or folder that can be used"
    )


def _other_package(error: BaseException) -> UsageError | None:
    """Return what is wrong with a package of somebody else's that is missing, or that another one hides."""
    first = next(leaves(error))
    if not isinstance(first, ImportError) or not first.name or first.name.partition(".")[0] in _OUR_PACKAGES:
        return None
    if isinstance(first, ModuleNotFoundError):
        message = f"Python does not find the package {clean(first.name)}, which appfleet needs"
    else:
        where = f": {clean(first.path)}" if first.path else ""
        message = f"Python finds another package than the {clean(first.name)} that appfleet needs{where}"
    return UsageError(
        message,
        hint="Take the folder of a package of that name off PYTHONPATH, or run: python -I -m appfleet. If that does "
        "not help, install appfleet again",
    )


def bug_of(error: BaseException, state_folder: Path) -> BugError:
    """Write the traceback of `error` into the state folder, and give the error to show.

    The line names the exception's class and the place alone: its text may hold anything.
    """
    first = next(leaves(error))
    frames = traceback.extract_tb(first.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""  # noqa: PTH119  # text
    where = _keep(error, state_folder)
    return BugError(f"{type(first).__name__}{place}; {where}")


def _keep(error: BaseException, state_folder: Path) -> str:
    """Keep the traceback, without the values of variables and without credentials. Give where, as words."""
    text = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    text = redactor().text(text)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = state_folder / f"{CRASH_PREFIX}{stamp}-{os.getpid()}.txt"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        state_folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        if state_folder.is_symlink():
            return "the traceback was not kept: the state folder is a link"
        fd = os.open(path, flags, _FILE_MODE)
        with os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as problem:
        return f"the traceback could not be kept in {state_folder}: {problem.strerror}"
    return f"the traceback is in {path}"
