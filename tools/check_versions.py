"""Run the tests with each other Python that is here, each in a virtual environment of its own.

    python -m tools.check_versions [--part] [-- TEST...]

Pythons are looked for on PATH and among those of pyenv, from 3.11 on. `--part` runs what depends on the version of
Python the most, with the newest one alone: CI does so. Where there is no other Python it says so, and nothing fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.hash_pins import ROOT
from tools.venvs import VENVS, make

OLDEST: Final = (3, 11)
_NAMES: Final = tuple(f"python3.{minor}" for minor in range(OLDEST[1], 20))
_ASK: Final = "import sys, venv; print(*sys.version_info[:3], sep='.')"
_ANSWER_MAX_SECONDS: Final = 60
_INPUTS: Final = ("pyproject.toml", "constraints/pinned.txt", "tools/venvs.py")
_ALL: Final = ("tests/unit", "tests/contract", "tests/property", "tests/compat", "tests/e2e")
# TLS and proxies, files and processes, databases, signals, the executor's tasks; and one command as a whole.
_PART: Final = (
    "tests/unit/adapters/aws/test_tls.py",
    "tests/unit/adapters/aws/test_transport.py",
    "tests/unit/adapters/aws/test_credential_sources.py",
    "tests/unit/adapters/state",
    "tests/unit/adapters/test_signals.py",
    "tests/unit/executor",
    "tests/e2e/test_exit_codes.py",
)


def version_of(python: str) -> str | None:
    """Return the version of an interpreter that can make a virtual environment, or None for anything else."""
    try:
        asked = subprocess.run(
            [python, "-c", _ASK], capture_output=True, text=True, check=True, timeout=_ANSWER_MAX_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def minor_of(version: str) -> tuple[int, int]:
    """Return the version without its last part, to compare."""
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def candidates() -> list[str]:
    """Return what may be a Python: first what PATH has, then what pyenv keeps and does not put there."""
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = filter(None, map(shutil.which, _NAMES))
    return [*on_path, *(str(path) for name in _NAMES for path in sorted(kept.glob(f"3.*/bin/{name}")))]


def others() -> dict[str, str]:
    """Return one Python of each minor version but this one's, by version, the oldest first."""
    found: dict[tuple[int, int], tuple[str, str]] = {}
    for python in candidates():
        version = version_of(python)
        if version is not None and minor_of(version) >= OLDEST:
            found.setdefault(minor_of(version), (version, python))
    found.pop(sys.version_info[:2], None)
    return {version: python for _, (version, python) in sorted(found.items())}


def is_ready(folder: Path) -> bool:
    """Whether the environment was made after what it is made from."""
    stamp = folder / ".installed"
    made = stamp.stat().st_mtime if stamp.exists() else 0.0
    return all((ROOT / name).stat().st_mtime < made for name in _INPUTS)


def check(version: str, python: str, tests: list[str]) -> int:
    """Run `tests` with one Python and return the exit code of pytest."""
    folder = VENVS / version
    if not is_ready(folder):
        make(folder, python, is_newer=False)
        (folder / ".installed").touch()
    print(f"Python {version} ({python})", flush=True)
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-n", "4", "--dist", "worksteal"]
    return subprocess.run([*command, "-p", "no:cacheprovider", *tests], check=False, cwd=ROOT).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="store_true")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    asked = parser.parse_args()
    found = others()
    if not found:
        print(f"No Python but {sys.version_info[0]}.{sys.version_info[1]} is here: no other version was tried.")
        return 0
    if asked.part:
        found = dict([found.popitem()])
    tests = asked.tests or list(_PART if asked.part else _ALL)
    failed = [version for version, python in found.items() if check(version, python, tests) != 0]
    if failed:
        print(f"Tests failed with Python {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
