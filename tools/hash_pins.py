"""Write constraints/hashed.txt and build.txt: the pins of what runs and of what builds appfleet, each with its hashes.

    python tools/hash_pins.py [--check]

pip resolves the requirements within constraints/pinned.txt for each platform below, from the index that pip is set up
with, and installs nothing. The files name no index: `pip install --require-hashes -r constraints/hashed.txt` uses
yours, and refuses what is not the archive that was hashed. `--check` says whether the pins and the files are in step,
without a network.
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

ROOT: Final = Path(__file__).resolve().parent.parent
PINNED: Final = ROOT / "constraints" / "pinned.txt"
HASHED: Final = ROOT / "constraints" / "hashed.txt"
BUILD: Final = ROOT / "constraints" / "build.txt"
PYTHONS: Final = ("3.11", "3.12", "3.13")
PLATFORMS: Final = {
    "Linux on x86-64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "Linux on ARM": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "macOS on Apple silicon": ("macosx_11_0_arm64", "macosx_12_0_arm64", "macosx_14_0_arm64"),
}
HEADS: Final = {
    HASHED: """\
# What appfleet runs on, with the hashes of every archive: pip install --require-hashes -r constraints/hashed.txt
# Then: pip install --no-deps WHEEL. Written by tools/hash_pins.py from constraints/pinned.txt.
# For CPython 3.11 to 3.13 on Linux (x86-64, ARM) and macOS (Apple silicon).
""",
    BUILD: """\
# What builds appfleet's wheel, with the hashes of every archive: pip install --require-hashes -r constraints/build.txt
# Then: pip wheel --no-deps --no-build-isolation . Written by tools/hash_pins.py from constraints/pinned.txt.
""",
}

Hashes = dict[str, set[str]]  # by name==version, in lower case and with hyphens


def requirement(name: str, version: str) -> str:
    """Return a pin as both files write it, whatever the case and the hyphens of the name."""
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def pins(text: str) -> set[str]:
    """Return the pins of constraints/pinned.txt."""
    pairs = (line.split("==") for line in text.split() if "==" in line)
    return {requirement(name, version) for name, version in pairs}


def hashed(text: str) -> Hashes:
    """Return the pins of a file with hashes, each with its hashes."""
    found: Hashes = {}
    for entry in text.replace("\\\n", " ").splitlines():
        words = entry.split()
        if words and not words[0].startswith("#"):
            name, version = words[0].split("==")
            found[requirement(name, version)] = {word.removeprefix("--hash=") for word in words[1:]}
    return found


def requirements(path: Path) -> list[str]:
    """Return what pyproject.toml asks for at run time, or to build appfleet, as one of the files has it."""
    document: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted: list[str] = document["project"]["dependencies"] if path == HASHED else document["build-system"]["requires"]
    return wanted


def resolved(wanted: list[str], python: str, platforms: tuple[str, ...]) -> Hashes:
    """Ask pip which archives it would install on a platform."""
    with tempfile.TemporaryDirectory() as target:
        ran = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "--dry-run",
                    "--quiet",
                    "--ignore-installed",
                    "--report",
                    "-",
                ),
                *("--only-binary", ":all:", "--python-version", python, "--target", target, "-c", str(PINNED)),
                *(word for platform in platforms for word in ("--platform", platform)),
                *wanted,
            ],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    found: Hashes = {}
    for one in json.loads(ran.stdout)["install"]:
        name = requirement(one["metadata"]["name"], one["metadata"]["version"])
        found[name] = {f"sha256:{one['download_info']['archive_info']['hashes']['sha256']}"}
    return found


def write(path: Path) -> None:
    whole: Hashes = {}
    for where, platforms in PLATFORMS.items():
        for python in PYTHONS:
            found = resolved(requirements(path), python, platforms)
            print(f"{path.name}: {where}, Python {python}: {len(found)} packages")
            for name, hashes in found.items():
                whole.setdefault(name, set()).update(hashes)
    blocks = (
        " \\\n".join([name, *(f"    --hash={value}" for value in sorted(hashes))])
        for name, hashes in sorted(whole.items())
    )
    path.write_text(HEADS[path] + "\n".join(blocks) + "\n")


def out_of_step(path: Path) -> list[str]:
    """Return what the pins and a file with hashes do not agree on, in words; nothing when they are in step."""
    pinned, found = pins(PINNED.read_text()), hashed(path.read_text())
    wanted = {re.split(r"[<>=!~\[ ]", line, maxsplit=1)[0].lower() for line in requirements(path)}
    names = {pin.split("==")[0] for pin in found}
    return [
        *(f"{pin} is hashed and not pinned" for pin in sorted(found.keys() - pinned)),
        *(f"{name} is required and not hashed" for name in sorted(wanted - names)),
        *(f"{pin} has no hash" for pin, hashes in sorted(found.items()) if not hashes),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        for path in HEADS:
            write(path)
    problems = [problem for path in HEADS for problem in out_of_step(path)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
