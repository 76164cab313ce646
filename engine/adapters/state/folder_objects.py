"""Objects in a folder: what a bucket is for machines that share no disk, for processes that share one.

An object is one file, put in place whole. Not here: what the objects say (`app.plan_place`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from engine.core.errors import StateError
from engine.core.limits import PLAN_FILE_MAX_BYTES
from engine.ports.objects import StoredObject, WriteRefusedError

if TYPE_CHECKING:
    from pathlib import Path

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
_UNFINISHED: Final = ".unfinished-"


class FolderObjects:
    """The files below a folder. Every method raises StateError where CloudError would be raised of a bucket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def get(self, name: str) -> StoredObject | None:
        """Return what a file holds, or None when there is none."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                data = file.read(PLAN_FILE_MAX_BYTES + 1)
                modified = os.fstat(file.fileno()).st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _refused("read", path, error) from None
        if len(data) > PLAN_FILE_MAX_BYTES:
            raise StateError(f"{path} is larger than {PLAN_FILE_MAX_BYTES:,} bytes", hint="Name another folder")
        return StoredObject(data, _tag(data), modified, time.time())

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        """Write a file where there is none, or, in one step, in place of the version `replaces`.

        Between two processes that replace one version at the same moment the later wins.
        """
        path = self._folder / name
        unfinished = path.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
        known = None if replaces is None else await self.get(name)
        if replaces is not None and (known is None or known.tag != replaces):
            raise WriteRefusedError(name)
        try:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if replaces is not None:
                unfinished.replace(path)
            elif not _linked(unfinished, path):
                raise WriteRefusedError(name)
        except OSError as error:
            raise _refused("written", path, error) from None
        finally:
            with suppress(OSError):
                unfinished.unlink()
        return _tag(data)

    async def names(self, under: str) -> tuple[str, ...]:
        """Return the names of all files below `under`, sorted."""
        found = (path for path in self._folder.rglob("*") if path.is_file() and not path.name.startswith(_UNFINISHED))
        names = (path.relative_to(self._folder).as_posix() for path in found)
        return tuple(sorted(name for name in names if name.startswith(under)))


def _linked(unfinished: Path, path: Path) -> bool:
    """Give a file its name; return whether nothing had it."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        return False
    return True


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refused(done: str, path: Path, error: OSError) -> StateError:
    why = os.strerror(error.errno or 0)
    return StateError(f"{path} cannot be {done}: {why}", hint="Name a folder that this user may read and write")
