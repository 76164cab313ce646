"""The files of the project that its rules are about."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
_SKIPPED: Final = frozenset({".git", ".venv", ".venvs", "__pycache__", "dist", "build", ".appfleet", ".hypothesis"})
_TEXT: Final = frozenset({".py", ".md", ".toml", ".txt", ".csv", ".sh", ".json", ".cfg", ".ini", ".yaml", ".yml", ""})


def engine_modules() -> list[Path]:
    """Return every module of what is installed."""
    return sorted(path for top in ("appfleet", "engine") for path in (ROOT / top).rglob("*.py"))


def own_modules() -> list[Path]:
    """Return every module that is written here, tests and tools too."""
    return sorted(
        path for top in ("appfleet", "engine", "tests", "tools", "benchmarks") for path in (ROOT / top).rglob("*.py")
    )


def own_texts() -> list[Path]:
    """Return every text file that is written here."""
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.suffix in _TEXT
        and path.is_file()
        and not _SKIPPED.intersection(path.relative_to(ROOT).parts)
        and not path.relative_to(ROOT).parts[0].endswith("_cache")
        and not path.name.startswith(".coverage")
    )


def tracked() -> list[str]:
    """Return the name of each file that git tracks and that is there; in an unpacked sdist, of each file in it."""
    if (ROOT / ".git").exists():
        asked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        return [name for name in asked.stdout.split("\0") if name and (ROOT / name).is_file()]
    listed = (Path(folder).relative_to(ROOT) / file for folder, _, files in _walked() for file in files)
    return sorted(str(path) for path in listed)


def _walked() -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.endswith("_cache")]
        yield folder, folders, files


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive that was made here. Python 3.11.2, which Debian 12 has, knows no filter yet."""
    if hasattr(tarfile, "tar_filter"):
        archive.extractall(folder, filter="tar")
    else:
        archive.extractall(folder)  # noqa: S202 - it was made here


def name_of(path: Path) -> str:
    """Return the path from the root on."""
    return str(path.relative_to(ROOT))
