"""A package named engine that is not ours: `appfleet` names it, and does not break in the middle of it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.architecture.files import ROOT
from tests.e2e.harness import PROCESS_MAX_SECONDS

if TYPE_CHECKING:
    from pathlib import Path


def version(*, path: Path, cwd: Path, argument: str = "--version") -> subprocess.CompletedProcess[str]:
    """Run the console script's own function, with `path` before the installed packages."""
    command = "import sys, appfleet; sys.exit(appfleet.main())"
    return subprocess.run(
        [sys.executable, "-P", "-c", command, argument],
        cwd=cwd, env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"},
        capture_output=True, text=True, check=False, timeout=PROCESS_MAX_SECONDS,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["engine/__init__.py", "engine.py", "engine/__init__.py with a cli"])
def test_another_package_of_that_name_is_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / name.partition(" ")[0]
    file.parent.mkdir(exist_ok=True)
    file.write_text("raise RuntimeError('somebody else')\n")
    if "cli" in name:
        (tmp_path / "engine" / "cli").mkdir()
    ran = version(path=tmp_path, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (64, "")
    assert ran.stderr.startswith(
        f"appfleet: error AF101: another Python package named engine hides appfleet's own: {file}"
    )
    assert "Take its folder off PYTHONPATH, or run: python -I -m appfleet" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_folder_of_that_name_that_is_no_package_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    ran = version(path=tmp_path, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("appfleet ")


def test_the_console_script_begins_there() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["appfleet"].partition(":")
    assert module == "appfleet"  # nobody else's name
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "Python finds another package than the pydantic that appfleet needs"),
        ("import nothing_of_that_name\n", "Python does not find the package nothing_of_that_name"),
    ],
)
def test_a_package_that_hides_one_that_appfleet_needs_is_no_bug_of_ours(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pydantic.py").write_text(text)
    (tmp_path / "fleet.toml").write_text('schema = 1\nname = "x"\n')
    ran = version(path=tmp_path, cwd=tmp_path, argument="validate")
    assert ran.returncode == 64, ran.stderr
    assert said in ran.stderr
    assert "python -I -m appfleet" in ran.stderr
    assert "bug" not in ran.stderr
    assert not list(tmp_path.glob(".appfleet/crash-*"))
