"""The last resort: an error that nobody foresaw becomes one line for the user and a file for whoever mends it."""

from __future__ import annotations

import os
import time
import traceback
from typing import TYPE_CHECKING, Final

from engine.adapters.state_dir import CRASH_PREFIX
from engine.core.ending import foreseen, leaves
from engine.core.errors import BugError
from engine.core.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.core.errors import AppfleetError

CREDENTIAL_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def known_secrets(environment: Mapping[str, str]) -> list[str]:
    """Give the credentials that stand in the environment."""
    return [environment[name] for name in CREDENTIAL_VARIABLES if environment.get(name)]


def known_or_bug(error: BaseException, state_folder: Path) -> AppfleetError:
    """Return the error of ours that `error` is, or a bug with its traceback put aside."""
    return foreseen(error) or bug_of(error, state_folder)


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
    text = Redactor(known_secrets(os.environ)).text(text)
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
