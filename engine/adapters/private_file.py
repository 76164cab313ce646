"""A file for the user, written where he said: whole or not at all, and for nobody else to read.

Not here: files of the state folder (`state_dir`).
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FILE_MODE: Final = 0o600


def write_private(path: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Put `data` in place, mode 0600 unless another is given.

    What stood there before is replaced in one step, a link itself and not its goal.

    Raises OSError, and then nothing of what stood there is changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with contextlib.suppress(FileNotFoundError):  # left by a process of the same number that was killed
            temporary.unlink()
        opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(opened, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(opened)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    with contextlib.suppress(OSError):  # the file is there; only a power cut could still take it back
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
