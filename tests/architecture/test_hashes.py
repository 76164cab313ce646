"""The hashed pins are those of constraints/pinned.txt, complete, and name no index."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from tools.hash_pins import BUILD, HASHED, HEADS, PINNED, ROOT, hashed, out_of_step, pins, requirement

if TYPE_CHECKING:
    from pathlib import Path

FILES = pytest.mark.parametrize("path", list(HEADS), ids=lambda path: path.name)


@FILES
def test_hashed_and_pinned_are_in_step(path: Path) -> None:
    """They name the same versions, whatever pip resolved from them."""
    assert out_of_step(path) == []
    assert hashed(path.read_text()).keys() <= pins(PINNED.read_text())


@FILES
def test_every_package_has_at_least_one_whole_hash(path: Path) -> None:
    found = hashed(path.read_text())
    assert len(found) > {HASHED: 30, BUILD: 3}[path]
    for pin, hashes in found.items():
        assert hashes, pin
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), pin


@FILES
def test_the_file_holds_pins_and_hashes_and_nothing_else(path: Path) -> None:
    """So it names no index either: pip uses the one that it is set up with."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    pin_or_hash = re.compile(r"[a-z0-9-]+==\S+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    odd = [line for line in lines if not pin_or_hash.fullmatch(line)]
    assert odd == []


@pytest.mark.parametrize("name", ["aioboto3", "aiobotocore"])
def test_what_is_overridden_is_pinned_exactly(name: str) -> None:
    """The transport overrides their insides, so that another version may verify nothing."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (exact,) = [line for line in wanted if line.startswith(f"{name}==")]
    assert requirement(*exact.split("==")) in pins((ROOT / "constraints" / "pinned.txt").read_text())


def test_known_holes_are_below_the_minimum() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert any(line.startswith("orjson>=3.11.6,") for line in wanted)
    assert any(re.fullmatch(r"aiohttp>=3\.14\.\d+,<3\.15", line) for line in wanted)
