"""Reading one regular file of a bounded size, whatever its name turns out to be.

A user or a file may name anything: a pipe that nobody writes to, a device without an end, a folder, a name that no disk
takes. All of them end in a `FileProblem`, none in a wait and none in an error of the operating system. Not here: which
files may be read at all (`files`).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from engine.config.reading.beneath import FILE_FLAGS, FileProblem, open_problem
from engine.core.limits import FILE_NAME_MAX_BYTES, PATH_MAX_BYTES

ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # such as s3://: a path has lost the second slash
_CHUNK_BYTES: Final = 1 << 20


def path_problem(path: str) -> tuple[str, str]:
    """Return why no disk takes `path` as a name, and what to do instead; two empty texts when it can be one."""
    if ADDRESS.match(path):
        return "is an address and not a file", "Name a file, and copy it from or to that address"
    if "\0" in path:
        return "has a NUL character in its name", "Choose another name"
    try:
        raw = os.fsencode(path)
    except UnicodeEncodeError:
        return "has a character in its name that cannot be encoded", "Choose another name"
    longest = max(map(len, raw.split(b"/")))
    if longest > FILE_NAME_MAX_BYTES:
        return f"has a name of {longest} bytes, and the limit is {FILE_NAME_MAX_BYTES}", "Choose a shorter name"
    if len(raw) > PATH_MAX_BYTES:
        return f"has a path of {len(raw)} bytes, and the limit is {PATH_MAX_BYTES}", "Choose a shorter path"
    return "", ""


def read_regular(path: Path, name: str, max_bytes: int) -> bytes:
    """Read a regular file of at most `max_bytes`, shown as `name`; raises FileProblem."""
    message, hint = path_problem(str(path))
    if message:
        raise FileProblem(f"{name} {message}", hint)
    try:
        descriptor = os.open(path, FILE_FLAGS | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise open_problem(error, name) from error
    try:
        return read_open(descriptor, name, max_bytes)
    finally:
        os.close(descriptor)


def read_open(descriptor: int, name: str, max_bytes: int) -> bytes:
    """Read what is open already: a regular file of at most `max_bytes`; raises FileProblem."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise FileProblem(f"{name} is not a regular file", "Name a file, not a folder, pipe or device")
    if found.st_size > max_bytes:
        raise _too_large(name, max_bytes)
    try:
        return _read_up_to(descriptor, max_bytes, name)
    except OSError as error:
        raise open_problem(error, name) from error


def _read_up_to(descriptor: int, max_bytes: int, name: str) -> bytes:
    """Read to the end; a file may grow while it is read, so the bound is checked again."""
    chunks: list[bytes] = []
    total = 0
    while True:
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            return b"".join(chunks)
        total += len(chunk)
        if total > max_bytes:
            raise _too_large(name, max_bytes)
        chunks.append(chunk)


def _too_large(name: str, max_bytes: int) -> FileProblem:
    return FileProblem(
        f"{name} is larger than {max_bytes:,} bytes", "Split it: move teams into separate files and include them"
    )
