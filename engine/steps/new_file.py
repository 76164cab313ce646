"""A file that is proved before it has its name: written beside its place, read back, checked, and then put there.

A power cut leaves either what was there or the whole new file.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.core.errors import BugError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_MODE: Final = 0o644


def toml_text(head: str, document: Mapping[str, Any]) -> str:
    """Give `document` as TOML below `head`. Raises BugError where it reads back otherwise than it was meant."""
    import toml

    text: str = head + toml.dumps(document)
    if tomllib.loads(text) != document:
        raise BugError("what was to be written as TOML reads back otherwise")
    return text


def put_file(path: Path, text: str, check: Callable[[Path], None], *, replace: bool = False) -> None:
    """Write `text` under a name of its own, let `check` look at that file, and only then give it the name `path`.

    With `replace` a file of that name gives way. Raises UsageError where the file cannot be written or, without
    `replace`, is there by then, and whatever `check` raises.
    """
    with _reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, made = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".new", dir=path.parent)
    try:
        with _reported(path):
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(opened.fileno())
            Path(made).chmod(_MODE)
        check(Path(made))
        with _reported(path):
            if replace:
                Path(made).replace(path)
            else:
                _link(made, path)
    finally:
        Path(made).unlink(missing_ok=True)


def _link(made: str, path: Path) -> None:
    try:
        os.link(made, path)
    except FileExistsError:
        raise UsageError(f"{path} was made meanwhile", hint="Run the command again") from None


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(f"{path} cannot be written: {why}", hint="Give write access to that folder") from None
