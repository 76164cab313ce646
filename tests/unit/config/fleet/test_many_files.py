"""A fleet of very many files: each is read once, all of them load, and what is too much is said once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from engine.config.fleet import fleet_file
from engine.config.fleet.fleet_file import load_fleet
from engine.config.reading import beneath, files
from engine.core.errors import ConfigError
from engine.core.limits import FLEET_FILE_MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path

DOMAINS = 1_000


def lay(folder: Path, *, domains: int, own_files: bool) -> Path:
    """Write a fleet with a team in each domain, whose members stand in a file of its own or in one for all."""
    lines = ["schema = 1", 'name = "wide"', "policies = []", "[apps.canvas]", 'type = "Canvas"']
    for number in range(domains):
        file = f"members-{number if own_files else 0}.csv"
        (folder / file).write_text(f"user\nalice\nbob\n{' ' * 100}\n")
        lines += [
            f"[domains.d{number}]",
            f'id = "d-{number:012}"',
            'region = "eu-west-1"',
            f"[domains.d{number}.teams.lab]",
            f'members_file = "{file}"',
            'user_apps = ["canvas"]',
        ]
    path = folder / "fleet.toml"
    path.write_text("\n".join(lines))
    return path


def test_a_thousand_domains_with_a_members_file_each_are_one_fleet(tmp_path: Path) -> None:
    fleet = load_fleet(lay(tmp_path, domains=DOMAINS, own_files=True)).fleet
    assert (len(fleet.domains), len(fleet.inputs), len(fleet.apps)) == (DOMAINS, DOMAINS + 1, 2 * DOMAINS)


def test_a_members_file_of_many_domains_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lay(tmp_path, domains=50, own_files=False)
    opened: list[str] = []

    def count(folder: Any, inside: str, flags: int) -> Any:
        opened.append(inside)
        return beneath.open_beneath(folder, inside, flags)

    monkeypatch.setattr(files, "open_beneath", count)
    fleet = load_fleet(path).fleet
    assert len(fleet.apps) == 100
    assert opened == ["fleet.toml", "members-0.csv"]


def test_a_table_of_people_may_be_larger_than_a_fleet_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lay(tmp_path, domains=2, own_files=False)
    people = "".join(f"u{number},{'x' * 100_000}\n" for number in range(FLEET_FILE_MAX_BYTES // 100_000 + 1))
    (tmp_path / "members-0.csv").write_text(f"user,note\n{people}")
    assert len(load_fleet(path).fleet.apps) == 2 * 51
    monkeypatch.setattr(fleet_file, "TABLE_FILE_MAX_BYTES", 1_000)
    with pytest.raises(ConfigError) as refused:
        load_fleet(path)
    assert "larger than 1,000 bytes" in refused.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("bound", "value", "said"),
    [("max_files", 3, "the fleet has more than 3 files"), ("max_total_bytes", 1_200, "more than 1,200 bytes together")],
)
def test_files_beyond_a_bound_are_one_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, said: str
) -> None:
    path = lay(tmp_path, domains=8, own_files=True)
    bounds: dict[str, Any] = {bound: value}
    monkeypatch.setattr("engine.config.fleet.fleet_file.Folder", lambda folder: files.Folder(folder, **bounds))
    with pytest.raises(ConfigError) as refused:
        load_fleet(path)
    (told,) = refused.value.diagnostics
    assert said in told.message
    assert told.line > 0
    assert os.fspath(tmp_path) in told.file
