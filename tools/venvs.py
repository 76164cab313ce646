"""Make a virtual environment beside .venv, for the tests alone: with another Python, or with the newest AWS client.

    python -m tools.venvs FOLDER [--python PYTHON] [--newer]
    python -m tools.venvs --update-newer

Everything is pinned by constraints/pinned.txt. With `--newer`, what constraints/newer.txt pins is taken from there, and
aioboto3 is left out, since it allows no other aiobotocore than its own. `--update-newer` asks pip for the newest
aiobotocore and what that needs, installs nothing, and writes what differs into that file.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from tools.hash_pins import PINNED, ROOT, pins, requirement

NEWER: Final = ROOT / "constraints" / "newer.txt"
VENVS: Final = ROOT / ".venvs"
NEWER_MIN: Final = "aiobotocore>=3"
# By name: what the pinned AWS client consists of. The newest aiobotocore brings what it needs of it.
CLIENT: Final = frozenset({"aioboto3", "aiobotocore", "boto3", "botocore", "s3transfer"})
HEAD: Final = """\
# The newest aiobotocore and the newest botocore that it allows: the adapters are tested with these as well
# (make check-newer). What is not here is as in pinned.txt. Written by: python -m tools.venvs --update-newer
"""


def name_of(line: str) -> str:
    """Return the name of a requirement or a pin, in lower case and with hyphens."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~\[ ;]", line, maxsplit=1)[0]).lower()


def requirements(*, is_newer: bool) -> list[str]:
    """Return what pyproject.toml asks for at run time and for tests; without the pinned AWS client for the newest."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    wanted: list[str] = [*project["dependencies"]]
    for line in extras["test"]:  # the project itself is on no index: what it names of its own extras stands for it
        own = re.fullmatch(rf"{project['name']}\[([a-z,]+)\]", line)
        wanted += [line] if own is None else (one for name in own[1].split(",") for one in extras[name])
    if not is_newer:
        return wanted
    return [*(line for line in wanted if name_of(line) not in CLIENT), NEWER_MIN]


def constraints(*, is_newer: bool) -> list[str]:
    """Return the pins: those of constraints/pinned.txt, or those with what constraints/newer.txt pins otherwise."""
    pinned = sorted(pins(PINNED.read_text()))
    if not is_newer:
        return pinned
    newer = sorted(pins(NEWER.read_text()))
    otherwise = CLIENT | {name_of(pin) for pin in newer}
    return [*(pin for pin in pinned if name_of(pin) not in otherwise), *newer]


def pip(*arguments: str, pinned: list[str]) -> str:
    """Run pip with `pinned` as its constraints and return what it wrote."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pinned))
        file.flush()
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, "--quiet", "-c", file.name]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def make(folder: Path, python: str, *, is_newer: bool) -> None:
    """Make the environment in `folder` and install into it. This Python's pip does so; the new one needs none."""
    subprocess.run([python, "-m", "venv", "--clear", "--without-pip", str(folder)], check=True)
    into = ("--python", str(folder / "bin" / "python"), "install", "--no-compile")
    pip(*into, *requirements(is_newer=is_newer), pinned=constraints(is_newer=is_newer))
    pip(*into, "--no-deps", "-e", ".", pinned=[])


def newest() -> list[str]:
    """Return the pins of what the newest aiobotocore needs and constraints/pinned.txt does not have."""
    pinned = [pin for pin in sorted(pins(PINNED.read_text())) if name_of(pin) not in CLIENT]
    report = pip("install", "--dry-run", "--ignore-installed", "--report", "-", NEWER_MIN, pinned=pinned)
    found = (one["metadata"] for one in json.loads(report)["install"])
    return sorted({requirement(one["name"], one["version"]) for one in found}.difference(pinned))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    parser.add_argument("--python", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--newer", action="store_true")
    parser.add_argument("--update-newer", action="store_true")
    asked = parser.parse_args()
    if asked.update_newer:
        NEWER.write_text(HEAD + "".join(f"{pin}\n" for pin in newest()))
    elif asked.folder is None:
        parser.error("name the folder")
    else:
        make(asked.folder, asked.python, is_newer=asked.newer)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
