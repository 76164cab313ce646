"""A package named engine that is not ours: `appfleet` names it and works all the same, or says why it cannot."""

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


def version(
    *, path: Path, cwd: Path, argument: str = "--version", before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the console script's own function, with `path` before the installed packages."""
    command = f"{before}import sys, appfleet; sys.exit(appfleet.main())"
    return subprocess.run(
        [sys.executable, "-P", "-c", command, argument],
        cwd=cwd, env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"},
        capture_output=True, text=True, check=False, timeout=PROCESS_MAX_SECONDS,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["engine/__init__.py", "engine.py", "engine/__init__.py with a cli"])
def test_the_command_works_beside_another_package_of_that_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / name.partition(" ")[0]
    file.parent.mkdir(exist_ok=True)
    file.write_text("raise RuntimeError('somebody else')\n")
    if "cli" in name:
        (tmp_path / "engine" / "cli").mkdir()
    (tmp_path / "fleet.toml").write_text('schema = 1\nname = "x"\n')
    ran = version(path=tmp_path, cwd=tmp_path, argument="validate")
    assert ran.returncode == 0, ran.stderr
    note = f"appfleet: note: Python finds another package named engine first: {file}. appfleet uses its own\n"
    assert ran.stderr.startswith(note)


def test_python_m_works_in_a_folder_that_has_another_one(tmp_path: Path) -> None:
    """There Python looks in the working directory first."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("name = 'somebody else'\n")
    ran = subprocess.run(
        [sys.executable, "-m", "appfleet", "--version"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=PROCESS_MAX_SECONDS,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("appfleet ")


def test_one_that_is_imported_already_is_named(tmp_path: Path) -> None:
    """By a sitecustomize, or by a program that calls the entry: what it has imported is left alone."""
    file = tmp_path / "engine.py"
    file.touch()
    ran = version(path=tmp_path, cwd=tmp_path, before="import engine; ")
    assert (ran.returncode, ran.stdout) == (64, "")
    assert ran.stderr == (
        f"appfleet: error AF101: another Python package named engine hides appfleet's own: {file}. "
        "Take its folder off PYTHONPATH, or run: python -I -m appfleet\n"
    )


def test_a_program_that_uses_the_library_is_told_which_one_it_found(tmp_path: Path) -> None:
    file = tmp_path / "engine.py"
    file.touch()
    ran = version(path=tmp_path, cwd=tmp_path, before="from appfleet import AppKey; ")
    assert ran.returncode == 1
    assert ran.stderr.endswith(
        f"ImportError: another Python package named engine hides appfleet's own: {file}. Take its folder off sys.path\n"
    )


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
