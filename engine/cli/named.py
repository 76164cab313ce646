"""Paths that a user gives: refused before anything is called, where no file can have that name or be written there.

A lone `-` is no file anywhere: it is standard output for what writes a document, and refused by every other flag.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from engine.app.named_file import path_problem
from engine.cli.call import DASH
from engine.core.errors import UsageError
from engine.core.limits import NAME_SHOWN_MAX_CHARS
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.bucket_url import BucketUrl

DASH_REFUSED: Final = "'-' is not a file here"
DASH_HINT: Final = "Name a file; for a file of this name, write ./-"
STDOUT: Final = Path(DASH)  # this very object: ./- is an equal path, and a file


def path_of(text: str | Path, dash_hint: str = DASH_HINT) -> Path:
    """Return `text` as a path. Raises BadParameter, which names the flag, for `-` and a name that no disk takes."""
    if text == DASH:
        raise typer.BadParameter(f"{DASH_REFUSED}. {dash_hint}")
    message, hint = path_problem(str(text))
    if message:
        raise typer.BadParameter(f"{clean(str(text), NAME_SHOWN_MAX_CHARS)!r} {message}. {hint}")
    return Path(text)


def path_with_hint(dash_hint: str) -> Callable[[str | Path], Path]:
    """Return a `path_of` that says `dash_hint` of a lone `-`."""
    return partial(path_of, dash_hint=dash_hint)


def plan_place_of(text: str | Path, flag: str, dash_hint: str) -> Path | BucketUrl:
    """Return a file or folder, or an address in a bucket. Raises as `path_of`, and UsageError."""
    from engine.core.bucket_url import parse_bucket_url

    return parse_bucket_url(str(text), flag, "plans/tonight") or path_of(text, dash_hint)


def report_to_of(text: str) -> str:
    """Return what `--report-to` names, as it was typed. Raises as `path_of`, and UsageError."""
    from engine.core.report_place import report_place

    if folder := report_place(text).folder:
        path_of(folder, dash_hint="Name a folder")
    return text


def state_place(text: str) -> str:
    """Return where a state is kept, a folder or an address, as it was typed. Raises as `path_of`, and UsageError."""
    from engine.core.bucket_url import parse_bucket_url

    if parse_bucket_url(text) is None:
        path_of(text, dash_hint="Name a folder")
    return text


def path_or_stdout(text: str | Path) -> Path:
    """Return `text` as `path_of` does, or STDOUT for a lone `-`."""
    return STDOUT if text == DASH else path_of(text)


def check_writable(path: Path | None, flag: str) -> None:
    """Raise UsageError when nothing can be written to `path`."""
    from engine.app.named_file import writing_problem

    if path is not None and (why := writing_problem(path)):
        raise UsageError(f"{flag} {path} cannot be written: {why}", hint="Name a file that this user may write")
