"""The files of the project that its rules are about."""

from __future__ import annotations

from pathlib import Path
from typing import Final

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


def name_of(path: Path) -> str:
    """Return the path from the root on."""
    return str(path.relative_to(ROOT))
