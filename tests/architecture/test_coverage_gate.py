"""The gate that holds coverage to what the project promises."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.architecture.files import ROOT
from tools.coverage_gate import COUNTED, COUNTED_ANYHOW, FLOOR_PERCENT, REPORT, UNCOUNTED, WHOLE_PACKAGES, shortfalls

if TYPE_CHECKING:
    from pathlib import Path

RUN_MAX_SECONDS = 180


def _report(total: float, **files: dict[str, Any]) -> dict[str, Any]:
    return {"files": files, "totals": {"percent_covered": total}}


def _file(percent: float, lines: list[int], branches: list[list[int]]) -> dict[str, Any]:
    return {"summary": {"percent_covered": percent}, "missing_lines": lines, "missing_branches": branches}


def test_a_whole_package_with_a_branch_missing_is_named_with_the_branch() -> None:
    report = _report(99.0, **{"engine/core/plan.py": _file(99.5, [], [[3, 7]]), "engine/cli/x.py": _file(10, [1], [])})
    assert shortfalls(report) == ["engine/core/plan.py: lines all run; branches 3->7"]


def test_a_missing_line_is_named() -> None:
    report = _report(99.0, **{"engine/policy/cel.py": _file(98, [4, 5], [])})
    assert shortfalls(report) == ["engine/policy/cel.py: lines 4,5; branches all taken"]


def test_the_whole_has_a_floor() -> None:
    assert shortfalls(_report(FLOOR_PERCENT - 0.1)) == ["all of engine: 89.9 %, at least 90 % is asked for"]
    assert shortfalls(_report(FLOOR_PERCENT)) == []


def test_the_packages_that_are_promised_whole_are_there() -> None:
    assert all((ROOT / package).is_dir() for package in WHOLE_PACKAGES)


def test_the_gate_fails_a_run_and_leaves_the_last_line_to_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert True\n")
    (tmp_path / REPORT).write_text('{"files": {}, "totals": {"percent_covered": 12.0}}')
    ran = _pytest(tmp_path)
    assert ran.returncode == 1
    assert "all of engine: 12.0 %, at least 90 % is asked for" in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith("1 passed in ")


def test_a_run_that_failed_by_itself_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")
    ran = _pytest(tmp_path)
    assert ran.returncode == 1
    assert "coverage" not in ran.stdout


PART = "def near():\n    return 1\n\n\ndef far():\n    return 2\n"


def test_a_line_that_only_a_test_outside_the_counted_folders_reaches_is_missing(tmp_path: Path) -> None:
    """Both tests run and pass, in a project that has the same folders."""
    for file, text in {
        "engine/__init__.py": "",
        "engine/core/__init__.py": "",
        "engine/core/part.py": PART,
        "tests/unit/test_near.py": _test_of("near", marked=False),
        "tests/contract/test_close.py": _test_of("near", marked=False),
        "tests/e2e/test_far.py": _test_of("far", marked=True),
        "tests/unit/cli/test_farther.py": _test_of("far", marked=True),
    }.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    ran = _pytest(tmp_path, "--cov=engine", "--cov-report=", f"--cov-report=json:{REPORT}", cwd=tmp_path)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "engine/core/part.py: lines 6; branches all taken" in ran.stdout.splitlines()
    assert ran.stdout.splitlines()[-1].startswith("4 passed in ")


def test_the_folders_whose_tests_count_are_there() -> None:
    assert all((ROOT / folder).exists() for folder in (*COUNTED, *UNCOUNTED, *COUNTED_ANYHOW))


def _test_of(function: str, *, marked: bool) -> str:
    return (
        f"from engine.core.part import {function}\n\n\n"
        "def test_it(request):\n"
        f"    assert {function}()\n"
        f"    assert (request.node.get_closest_marker('no_cover') is not None) is {marked}\n"
    )


def _pytest(folder: Path, *more: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tools.coverage_gate", *more]
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [*command, f"--rootdir={folder}", "-c", str(folder / "pytest.ini"), str(folder)],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=RUN_MAX_SECONDS,
        check=False,
    )  # fmt: skip
