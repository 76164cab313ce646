"""A folder of pages for a web server: one page per run that is kept, and one over all of them.

Pages of runs that have ended are written once. The page over all runs is written last, so it links to nothing that is
not there. Not here: what the pages show (`render.report`).
"""

from __future__ import annotations

import os
import re
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from engine.app.history import kept_stories
from engine.app.named_file import why_not_written
from engine.app.next_options import command_after
from engine.config.reading.regular_file import ADDRESS
from engine.core.errors import UsageError
from engine.core.limits import RUNS_BESIDE_REPORT_MAX_COUNT, SITE_HEAD_MAX_BYTES, SITE_RUNS_MAX_COUNT
from engine.render.report.html import report_html
from engine.render.report.page import INDEX, page_of
from engine.render.report.site import site_html

if TYPE_CHECKING:
    from pathlib import Path

    from engine.app.options import AppOptions
    from engine.ports.history import PastRun

_MODE: Final = 0o644  # for a web server
_FOLDER_MODE: Final = 0o755
_RUN_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*")  # and nothing that names another folder
_MARK: Final = '<meta name="generator" content="appfleet '


def write_site(options: AppOptions, folder: Path) -> tuple[int, int]:
    """Write the pages of the fleet's runs to a folder; return how many runs there are, and how many pages are new.

    Raises UsageError where there is no run, or the folder cannot be written or holds an index of somebody else's, and
    what reading the runs raises.
    """
    _prepare(folder)
    with kept_stories(options, SITE_RUNS_MAX_COUNT) as (kept, story_of):
        runs = tuple(past for past in kept if _RUN_ID.fullmatch(past.run.run_id))
        if not runs:
            raise UsageError(f"there is no run in {options.state_place}", hint="appfleet apply creates one")
        pages = frozenset(past.run.run_id for past in runs)
        new = 0
        for place, past in enumerate(runs):
            mark, path = _generator(past), folder / page_of(past.run.run_id)
            story = None if _is_written(path, mark, past) else story_of(past.run.run_id)
            if story is not None:
                beside = runs[place : place + RUNS_BESIDE_REPORT_MAX_COUNT]
                command = command_after(options, story)
                _write(path, report_html(story, command=command, history=beside, pages=pages, generator=mark))
                new += 1
        own = version("appfleet")
        _write(folder / INDEX, site_html(runs, written=time.time(), version=own, generator=f"appfleet {own}"))
    return len(runs), new


def _prepare(folder: Path) -> None:
    """Make the folder. Raises UsageError where that fails, and where it is another site's."""
    if ADDRESS.match(str(folder)):
        hint = "Write to a folder, and copy it there: aws s3 sync FOLDER s3://BUCKET/PREFIX"
        raise UsageError(f"--site {folder} is an address, and the pages go to a folder", hint=hint)
    try:
        folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(
            f"--site {folder} cannot be made: {why}", hint="Name a folder that this user may write"
        ) from None
    index = folder / INDEX
    if index.exists() and _MARK not in _head(index):
        raise UsageError(
            f"--site {folder} has an {INDEX} that appfleet did not write",
            hint="Name another folder, or remove that file",
        )


def _generator(past: PastRun) -> str:
    return f"appfleet {version('appfleet')}, {past.run.result}"


def _is_written(path: Path, mark: str, past: PastRun) -> bool:
    """Whether this version has written the page of a run that has ended."""
    return past.run.ended is not None and f'content="{mark}"' in _head(path)


def _head(path: Path) -> str:
    """Return the beginning of a file; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(SITE_HEAD_MAX_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _write(path: Path, page: str) -> None:
    if why := why_not_written(path, page, mode=_MODE):
        raise UsageError(f"{path} cannot be written: {why}", hint="Name a folder that this user may write")
