"""Files that a user names: whether one can be written, one written whole, and one that is proved first.

What is proved is written beside its place, read back, checked, and then put there. A power cut leaves either what was
there or the whole new file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from engine.config.reading.regular_file import path_problem
from engine.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["path_problem", "put_file", "why_not_written", "writing_problem"]

_MODE: Final = 0o644
_OWN_MODE: Final = 0o600


def writing_problem(path: Path) -> str:
    """Return why nothing can be written to `path`; empty when nothing speaks against it. Changes nothing."""
    from engine.adapters import named_file

    return named_file.writing_problem(path)


def why_not_written(path: Path, text: str, mode: int = _OWN_MODE) -> str:
    """Write `text` to `path`; return why that could not be done, or empty. `mode` is that of a new file."""
    from engine.adapters.named_file import NamedFileError, write_named

    try:
        write_named(path, text.encode(), mode)
    except NamedFileError as error:
        return str(error)
    return ""


def put_file(path: Path, text: str, check: Callable[[Path], None], *, replace: bool = False) -> None:
    """Write `text` under a name of its own, let `check` look at that file, and only then give it the name `path`.

    With `replace` a file of that name gives way. Raises UsageError where the file cannot be written or, without
    `replace`, is there by then, and whatever `check` raises.
    """
    from engine.adapters.named_file import NamedFileError, put_named

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(f"{path} cannot be written: {why}", hint="Give write access to that folder") from None
    try:
        put_named(path, text.encode(), check, mode=_MODE, is_new=not replace)
    except FileExistsError:
        raise UsageError(f"{path} was created meanwhile", hint="Run the command again") from None
    except NamedFileError as error:
        raise UsageError(f"{path} cannot be written: {error}", hint="Name a file that this user may write") from None
