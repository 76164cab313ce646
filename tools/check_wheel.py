"""Do what a new user does, outside the repository and on a bare virtual environment, and time each step.

    python -m tools.check_wheel [--part]

The sdist is unpacked and makes the wheel. appfleet is installed from the wheel, and from the unpacked sdist as README
says. Then: the commands of README and docs/ that need no account (with the sdist those of README), `python -m appfleet`
beside somebody else's package named engine, and the program of docs/library.md, which mypy checks against what is
installed. A part of the tests runs in the unpacked sdist. `--part` takes the wheel, README and mypy alone, for CI.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.architecture.files import unpack
from tests.architecture.test_readme import Block, blocks, matches
from tools.hash_pins import PINNED, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

STEP_MAX_SECONDS: Final = 600
DATA: Final = ("README.md", "docs", "fleet.toml", "policies", "scenarios", "teams")
_KEPT: Final = ("PIP_", "SSL_", "LANG", "LC_", "TMPDIR", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
SDIST_TESTS: Final = ("tests/unit/config/fleet", "tests/cases", "tests/architecture/test_documents.py")


class FailedError(Exception):
    """A step that did not end as it should."""


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Say how long a step took."""
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:7.1f} s  {name}", flush=True)


def run(*command: str | Path, cwd: Path, expected: int = 0, **variables: str) -> str:
    """Run a command in a clean environment and return what it wrote to standard output."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    environment = {**kept, "PATH": "/usr/bin:/bin", "HOME": str(cwd), "AWS_EC2_METADATA_DISABLED": "true", **variables}
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=STEP_MAX_SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if ran.returncode != expected:
        words = " ".join(map(str, command))
        raise FailedError(f"$ {words}\nended with {ran.returncode}, expected {expected}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, unpack it, build the wheel in it; return the unpacked folder and the wheel."""
    hatchling = (sys.executable, "-m", "hatchling", "build", "-d", folder / "dist", "-t")
    run(*hatchling, "sdist", cwd=ROOT)
    (archive,) = (folder / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        unpack(opened, folder)
    unpacked = folder / archive.name.removesuffix(".tar.gz")
    run(*hatchling, "wheel", cwd=unpacked)
    (wheel,) = (folder / "dist").glob("*.whl")
    return unpacked, wheel


def install(venv: Path, what: Path) -> None:
    """Make a virtual environment and install `what` into it, as README says."""
    run(sys.executable, "-m", "venv", venv, cwd=venv.parent)
    run(venv / "bin" / "pip", "install", "--quiet", "-c", PINNED, what, cwd=venv.parent)


def command_blocks(block: Block, workplace: Path, path: str) -> None:
    """Run the commands of a block, and compare what they print with what is shown."""
    for index, (command, shown) in enumerate(block.steps):
        expected = block.exit_code if index == len(block.steps) - 1 else 0
        with timed(f"$ {' '.join(command.split())}"):
            printed = run("/bin/bash", "-c", command, cwd=workplace, expected=expected, PATH=path)
        if "output" in block.mark and not matches(shown, printed.splitlines()):
            raise FailedError(f"$ {command}\nprinted something else than {block.document} shows:\n{printed}")


def documents(folder: Path, path: str, wanted: list[Block]) -> None:
    """Run the blocks, each in a new folder with what is not code."""
    for number, block in enumerate(wanted):
        workplace = folder / f"workplace-{number}"
        workplace.mkdir()
        for name in DATA:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, workplace / name)
        print(f"{block.document}, block {block.number}")
        command_blocks(block, workplace, path)


def beside_another_engine(folder: Path, venv: Path) -> None:
    """Run it where Python finds another package of that name first."""
    place = folder / "theirs"
    (place / "engine").mkdir(parents=True)
    (place / "engine" / "__init__.py").write_text("raise SystemExit('somebody else')\n")
    said = run(venv / "bin" / "python", "-m", "appfleet", "--version", cwd=place, PYTHONPATH=str(place))
    if not said.startswith("appfleet "):
        raise FailedError(f"python -m appfleet printed {said!r}")


def library(folder: Path, venv: Path, *, is_part: bool) -> None:
    """Check the program of docs/library.md with mypy against what is installed, and run it."""
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), re.DOTALL)
    if found is None:
        raise FailedError("docs/library.md has no program")
    place = folder / "client"
    place.mkdir()
    (place / "client.py").write_text(found[1])
    (place / "wrong.py").write_text("import appfleet\n\nappfleet.no_such_name\nappfleet.AppOptions(fleet_file=1)\n")
    for name in ("fleet.toml", "teams", "policies"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, place / name)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", venv / "bin" / "python")
    with timed("mypy --strict client.py"):
        run(*mypy, "client.py", cwd=place)
    wrong = run(*mypy, "wrong.py", cwd=place, expected=1)
    if len(re.findall(r"\[(?:attr-defined|arg-type)\]", wrong)) != 2:
        raise FailedError(f"mypy does not see the types of what is installed:\n{wrong}")
    if not is_part:
        with timed("python client.py"):
            run(venv / "bin" / "python", "client.py", cwd=place)


def check(folder: Path, what: Path, wanted: list[Block], *, is_part: bool) -> None:
    """Install from one source and do all that a user would."""
    folder.mkdir()
    venv = folder / "venv"
    with timed(f"a virtual environment, and pip install from the {folder.name}"):
        install(venv, what)
    if not (venv / "share" / "man" / "man1" / "appfleet.1").is_file():
        raise FailedError("the manual page is not installed")
    documents(folder, f"{venv / 'bin'}:/usr/bin:/bin", wanted)
    beside_another_engine(folder, venv)
    library(folder, venv, is_part=is_part)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="store_true")
    is_part = parser.parse_args().part
    everything = [block for block in blocks() if block.runs and not block.in_account]
    readme = [block for block in everything if block.document == "README.md"]
    with tempfile.TemporaryDirectory(prefix="appfleet-user-") as name, timed("all"):
        folder = Path(name)
        try:
            with timed("the sdist, and the wheel from it"):
                unpacked, wheel = build(folder)
            check(folder / "wheel", wheel, readme if is_part else everything, is_part=is_part)
            if not is_part:
                check(folder / "sdist", unpacked, readme, is_part=is_part)
                with timed(f"in the sdist: {' '.join(SDIST_TESTS)}"):
                    pytest = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SDIST_TESTS)
                    run(*pytest, cwd=unpacked, PYTHONPATH=str(unpacked))
        except FailedError as failed:
            print(failed, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
