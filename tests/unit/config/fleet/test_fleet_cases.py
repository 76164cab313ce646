"""Each folder of cases/fleet_bad is refused with exactly its diagnostics; fleet_good is read as its JSON says."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from engine.config.fleet.fleet_file import load_fleet
from engine.config.fleet.fleet_schema import FleetFile
from engine.core.errors import ConfigError
from engine.core.text import is_safe
from tests.unit.config.fleet.dumps import dump

CASES = Path(__file__).parents[3] / "cases"


def _folders(kind: str) -> list[Path]:
    return sorted(folder for folder in (CASES / kind).iterdir() if folder.is_dir())


@pytest.mark.parametrize("folder", _folders("fleet_bad"), ids=lambda folder: folder.name)
def test_bad_fleet_is_refused_with_line_key_and_hint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as refused:
        load_fleet(Path("fleet.toml"))
    shown = [diagnostic.render() for diagnostic in refused.value.diagnostics]
    assert shown == (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert all(is_safe(line) for line in shown)
    assert all(diagnostic.hint and diagnostic.code.startswith("AF1") for diagnostic in refused.value.diagnostics)


@pytest.mark.parametrize("folder", _folders("fleet_good"), ids=lambda folder: folder.name)
def test_good_fleet_is_read_as_its_case_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert dump(load_fleet(Path("fleet.toml"))) == expected


@pytest.mark.parametrize("folder", _folders("fleet_good"), ids=lambda folder: folder.name)
def test_the_models_that_editors_learn_from_take_whole_files(folder: Path) -> None:
    """The loader checks tables one by one; the models, and so the schema, take the file at once."""
    text = (folder / "fleet.toml").read_text(encoding="utf-8-sig")
    assert FleetFile.model_validate(tomllib.loads(text)).model_fields_set >= {"schema_", "name"}


def test_there_are_enough_cases() -> None:
    assert len(_folders("fleet_bad")) >= 45
    assert len(_folders("fleet_good")) >= 10
