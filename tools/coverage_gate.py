"""A pytest plugin that fails the run when coverage is below what the project promises, package by package.

Core, policy and executor stand at 100 % of lines and branches; the whole has a floor. It reads the JSON that
pytest-cov wrote, and speaks before pytest's closing line, so that this line stays the last.

Only the tests of the parts count (COUNTED), without those of whole commands. A drawn night reaches a line by chance,
coverage does not see a command that runs in another process, and a test takes three times as long while lines are
counted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

REPORT: Final = ".coverage.json"
WHOLE_PACKAGES: Final = ("engine/core/", "engine/executor/", "engine/policy/")
FLOOR_PERCENT: Final = 90.0
COUNTED: Final = ("tests/contract/", "tests/unit/")
UNCOUNTED: Final = ("tests/unit/cli/",)
# pytest-cov changes to its own folder to stop counting, and cannot change back to one that is gone.
COUNTED_ANYHOW: Final = ("tests/unit/cli/test_lost_folder.py",)
_SHOWN_MAX_COUNT: Final = 20

_SHORTFALLS: list[str] = []


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """Name what is missing, from coverage's JSON report: one line a file of a whole package, and the total."""
    found: list[str] = []
    for name, file in sorted(report["files"].items()):
        path = name.replace("\\", "/")
        if path.startswith(WHOLE_PACKAGES) and file["summary"]["percent_covered"] < 100:
            lines = ",".join(map(str, file["missing_lines"][:10]))
            branches = ",".join(f"{start}->{end}" for start, end in file.get("missing_branches", [])[:10])
            found.append(f"{path}: lines {lines or 'all run'}; branches {branches or 'all taken'}")
    total = report["totals"]["percent_covered"]
    if total < FLOOR_PERCENT:
        found.append(f"all of engine: {total:.1f} %, at least {FLOOR_PERCENT:.0f} % is asked for")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that do not count: pytest-cov stops counting lines while they run."""
    for item in items:
        counts = item.nodeid.startswith(COUNTED) and not item.nodeid.startswith(UNCOUNTED)
        if not counts and not item.nodeid.startswith(COUNTED_ANYHOW):
            item.add_marker("no_cover")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Judge the report once it is written: in the process that gathered it, and only for a run that went through."""
    if hasattr(session.config, "workerinput") or session.exitstatus != pytest.ExitCode.OK:
        return
    _SHORTFALLS[:] = shortfalls(json.loads(Path(session.config.rootpath, REPORT).read_text(encoding="utf-8")))
    if _SHORTFALLS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what is missing."""
    if _SHORTFALLS:
        terminalreporter.section("coverage is below what the project promises", red=True)
        for line in _SHORTFALLS[:_SHOWN_MAX_COUNT]:
            terminalreporter.write_line(line)
        if len(_SHORTFALLS) > _SHOWN_MAX_COUNT:
            terminalreporter.write_line(f"and {len(_SHORTFALLS) - _SHOWN_MAX_COUNT} more")
