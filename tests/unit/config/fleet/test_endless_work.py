"""Small files that ask for endless work are refused before the work is done, by what they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.config.fleet import people, people_file, shared_members, team_pairs
from engine.config.fleet.fleet_file import load_fleet
from engine.config.fleet.members_file import read_members
from engine.config.reading.files import InputFile
from engine.config.reading.problems import Problems
from engine.core.errors import ConfigError
from engine.core.limits import PROBLEMS_KEPT_MAX_COUNT

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 'schema = 1\nname = "x"\n[domains.d]\nid = "d-abcd1234efgh"\nregion = "eu-west-1"\n'


def lay(folder: Path, *, teams: int, members: int, apps: int, broken: bool = False, own_tables: bool = False) -> Path:
    (folder / "people.csv").write_text("".join(f"u{number}\n" for number in range(members)))
    definitions = "".join(f'[apps.a{n}]\ntype = "KernelGateway"\nname = "a{n}"\n' for n in range(0 if broken else apps))
    entries = ", ".join(f'"a{n}"' for n in range(apps))
    tables = "".join(
        f'[domains.d.teams.t{n}]\nmembers_file = "people.csv"\nuser_apps = [{entries}]\ntags = {{ a{n} = "b" }}\n'
        for n in range(teams)
    )
    own = "".join(f'[domains.d.users.u{n}]\ntags = {{ b = "c" }}\n' for n in range(members if own_tables else 0))
    path = folder / "fleet.toml"
    path.write_text(HEAD + tables + definitions + own)
    return path


@pytest.mark.parametrize(
    ("teams", "members", "apps", "broken"),
    [(100, 1_000, 100, False), (1_000, 1_000, 100, False), (200, 200_000, 1, False), (1, 200_000, 5_000, True)],
)
def test_what_teams_ask_for_is_counted_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teams: int, members: int, apps: int, broken: bool
) -> None:
    reads: list[object] = []

    def read(*asked: Any) -> Any:
        reads.append(asked)
        return read_members(*asked)

    monkeypatch.setattr(shared_members, "read_members", read)
    monkeypatch.setattr("engine.config.fleet.expand._DomainExpansion.run", lambda _: pytest.fail("the work was begun"))
    path = lay(tmp_path, teams=teams, members=members, apps=apps, broken=broken)
    with pytest.raises(ConfigError) as refused:
        load_fleet(path)
    assert len(reads) == 1
    if broken:  # as many problems as are kept were found before
        assert len(refused.value.diagnostics) == PROBLEMS_KEPT_MAX_COUNT
        return
    (told,) = refused.value.diagnostics
    assert f"the teams give {teams * members * (apps + 1):,} pairs of a member and an app or space" in told.message
    assert told.line > 0
    assert "split the fleet" in told.hint


def test_what_is_allowed_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lay(tmp_path, teams=3, members=4, apps=2)
    monkeypatch.setattr(team_pairs, "TEAM_PAIRS_MAX_COUNT", 36)
    assert len(load_fleet(path).fleet.apps) == 8
    monkeypatch.setattr(team_pairs, "TEAM_PAIRS_MAX_COUNT", 35)
    with pytest.raises(ConfigError, match="1 problem"):
        load_fleet(path)


def test_teams_of_one_person_are_compared_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lay(tmp_path, teams=8, members=5, apps=1, own_tables=True)
    assert len(load_fleet(path).fleet.apps) == 5
    monkeypatch.setattr(people, "TEAM_COMPARISONS_MAX_COUNT", 100)
    with pytest.raises(ConfigError) as refused:
        load_fleet(path)
    assert "so many teams that they cannot be compared (8 here)" in refused.value.diagnostics[0].message


@pytest.mark.parametrize("line", ["\n", "a\r", "a\n", "a_b\n"])
def test_a_table_of_very_many_lines_is_refused_before_it_is_read(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_file, "PEOPLE_LINES_MAX_COUNT", 100)
    assert isinstance(people_file.read_people("user\n" + "u\n" * 99), tuple)
    monkeypatch.setattr("csv.reader", lambda *_, **__: pytest.fail("the table was read"))
    with pytest.raises(people_file.TableProblem) as refused:
        people_file.read_people(line * 101)
    assert refused.value.message == "the table has 101 lines, more than 100"
    assert refused.value.hint


def test_problems_of_a_table_stop_at_their_bound() -> None:
    problems = Problems()
    item = InputFile("p.csv", "p.csv", b"user\n" + b"a_b\n" * 5_000, "")
    assert read_members(item, (), problems) is None
    assert len(problems.errors) == PROBLEMS_KEPT_MAX_COUNT


def test_a_name_said_again_and_again_costs_no_more_warnings_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []

    def show(value: object) -> str:
        shown.append(value)
        return str(value)

    monkeypatch.setattr("engine.config.fleet.members_file.show_value", show)
    problems = Problems()
    item = InputFile("p.csv", "p.csv", b"user\n" + b"ann\n" * 5_000, "")
    assert list((read_members(item, (), problems) or {})[()].members) == ["ann"]
    assert len(problems.warnings) == PROBLEMS_KEPT_MAX_COUNT == len(shown)
