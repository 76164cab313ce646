"""The metrics of a run, written when it ends, whatever it ends with. A file that cannot be written stops no run."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.cli.history import fleet_name
from engine.cli.output import say
from engine.core.errors import AppfleetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.core.outcome import ApplyReport


@contextmanager
def measured(path: Path | None, fleet_file: Path) -> Iterator[Callable[[ApplyReport], None]]:
    """Give what takes the report. A run that raises an error of ours before it has one is measured all the same."""
    reports: list[ApplyReport] = []
    try:
        yield reports.append
    except AppfleetError as error:
        if path is not None and not reports:
            _write(path, fleet_name(fleet_file) or fleet_file.name, None, int(error.exit_code))
        raise
    if path is not None and reports:
        _write(path, reports[-1].fleet, reports[-1], int(reports[-1].exit_code))


def _write(path: Path, fleet: str, report: ApplyReport | None, exit_code: int) -> None:
    from engine.adapters.metrics_file import write_metrics

    try:
        write_metrics(path, fleet, report, exit_code, time.time())
    except OSError as error:
        say(
            f"appfleet: the metrics could not be written to {path}: {error}. "
            "Name a file in a folder that this user may write to"
        )
