"""A file that is proved before it has its name: written beside its place, read back, checked, and then put there.

A power cut leaves either what was there or the whole new file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from engine.adapters.named_file import NamedFileError, put_named
from engine.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MODE: Final = 0o644


def put_file(path: Path, text: str, check: Callable[[Path], None], *, replace: bool = False) -> None:
    """Write `text` under a name of its own, let `check` look at that file, and only then give it the name `path`.

    With `replace` a file of that name gives way. Raises UsageError where the file cannot be written or, without
    `replace`, is there by then, and whatever `check` raises.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(f"{path} cannot be written: {why}", hint="Give write access to that folder") from None
    try:
        put_named(path, text.encode(), check, mode=_MODE, is_new=not replace)
    except FileExistsError:
        raise UsageError(f"{path} was made meanwhile", hint="Run the command again") from None
    except NamedFileError as error:
        raise UsageError(f"{path} cannot be written: {error}", hint="Name a file that this user may write") from None
