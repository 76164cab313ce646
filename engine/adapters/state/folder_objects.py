"""Objects in a folder: what a bucket is for machines that share no disk, for processes that share one.

An object is one file, put in place whole. Not here: what the objects say (`app.plan_place`).
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING, Final

from engine.adapters.named_file import UNFINISHED, NamedFileError, put_named
from engine.core.errors import StateError
from engine.core.limits import PLAN_FILE_MAX_BYTES
from engine.ports.objects import StoredObject, WriteRefusedError

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER_MODE: Final = 0o700


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
            raise _refused("read", path, os.strerror(error.errno or 0)) from None
        if len(data) > PLAN_FILE_MAX_BYTES:
            raise StateError(f"{path} is larger than {PLAN_FILE_MAX_BYTES:,} bytes", hint="Name another folder")
        return StoredObject(data, _tag(data), modified, time.time())

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        """Write a file where there is none, or, in one step, in place of the version `replaces`.

        Between two processes that replace one version at the same moment the later wins.
        """
        path = self._folder / name
        known = None if replaces is None else await self.get(name)
        if replaces is not None and (known is None or known.tag != replaces):
            raise WriteRefusedError(name)
        try:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise _refused("written", path, os.strerror(error.errno or 0)) from None
        try:
            put_named(path, data, lambda _: None, is_new=replaces is None)
        except FileExistsError:
            raise WriteRefusedError(name) from None
        except NamedFileError as error:
            raise _refused("written", path, str(error)) from None
        return _tag(data)

    async def names(self, under: str) -> tuple[str, ...]:
        """Return the names of all files below `under`, sorted."""
        found = (path for path in self._folder.rglob("*") if path.is_file() and not path.name.startswith(UNFINISHED))
        names = (path.relative_to(self._folder).as_posix() for path in found)
        return tuple(sorted(name for name in names if name.startswith(under)))


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refused(done: str, path: Path, why: str) -> StateError:
    return StateError(f"{path} cannot be {done}: {why}", hint="Name a folder that this user may read and write")
