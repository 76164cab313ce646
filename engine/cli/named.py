"""Paths that a user gives: refused before anything is called, where no file can have that name or be written there."""

from __future__ import annotations

from pathlib import Path

import typer

from engine.config.reading.regular_file import path_problem
from engine.core.errors import UsageError
from engine.core.limits import NAME_SHOWN_MAX_CHARS
from engine.core.text import clean


def path_of(text: str | Path) -> Path:
    """Return `text` as a path. Raises BadParameter, which names the flag, for a name that no disk takes."""
    message, hint = path_problem(str(text))
    if message:
        raise typer.BadParameter(f"{clean(str(text), NAME_SHOWN_MAX_CHARS)!r} {message}. {hint}")
    return Path(text)


def check_writable(path: Path | None, flag: str) -> None:
    """Raise UsageError when nothing can be written to `path`."""
    from engine.adapters.named_file import writing_problem

    if path is not None and (why := writing_problem(path)):
        raise UsageError(f"{flag} {path} cannot be written: {why}", hint="Name a file that this user may write")
