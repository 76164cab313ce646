"""However a fleet is damaged, it is read or refused in our own words: no other exception leaves the loader."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.config.fleet.fleet_file import load_fleet
from engine.core.errors import ConfigError
from engine.core.text import is_safe

if TYPE_CHECKING:
    from engine.core.diagnostics import Diagnostic

ROOT = Path(__file__).parents[4]
PIECES = (b"", b"\x00", b"\x1b[2J", b"[", b"]", b"{", b"}", b'"', b"'", b"=", b"\n", b"#", b",", b"\xff", b"7", b"apps")


def _damage(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data))
        until = at + chance.choice((0, 1, 1, 5, 200))
        data = data[:at] + chance.choice(PIECES) + data[until:] or b"#"
    return data


def _diagnostics(file: Path) -> tuple[Diagnostic, ...]:
    try:
        return load_fleet(file).warnings
    except ConfigError as refused:
        return refused.diagnostics


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_fleet_is_read_or_refused(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    shutil.copytree(ROOT / "teams", tmp_path / "teams")
    names = ["fleet.toml", *(f"teams/{file.name}" for file in (ROOT / "teams").iterdir())]
    for _ in range(25):
        name = chance.choice(sorted(names))
        shutil.copy(ROOT / "fleet.toml", tmp_path / "fleet.toml")
        whole = (ROOT / name).read_bytes()
        (tmp_path / name).write_bytes(_damage(whole, chance))
        for diagnostic in _diagnostics(tmp_path / "fleet.toml"):
            assert diagnostic.hint
            assert is_safe(diagnostic.render())
        (tmp_path / name).write_bytes(whole)
