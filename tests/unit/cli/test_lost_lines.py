"""Lines of a members file that no team takes: said with their number, and nothing is pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.config.fleet.fleet_file import load_fleet
from engine.core.limits import LOST_LINES_SHOWN_MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

FLEET = """
schema = 1
name = "many"
policies = []
[[domains_from]]
csv = "accounts.csv"
template = "studio"
[templates.studio]
[templates.studio.teams.all]
members_file = { file = "people.csv", where = { domain = "{name}" } }
user_apps = ["canvas"]
[apps.canvas]
type = "Canvas"
"""
ACCOUNTS = "name,id,region,account\nprod-eu,d-abcd1234efgh,eu-west-1,111122223333\n"


def lay(folder: Path, *people: str) -> Path:
    """Write a fleet of one domain, whose people are these lines of a file."""
    (folder / "accounts.csv").write_text(ACCOUNTS)
    (folder / "people.csv").write_text("\n".join(("username,domain", *people)))
    path = folder / "fleet.toml"
    path.write_text(FLEET)
    return path


def test_a_typo_of_a_domain_deletes_nobodys_app(run: Run, tmp_path: Path) -> None:
    lay(tmp_path, "bo,prod-eu", "carol,prod-eu")
    assert run("apply", "--simulate", "--yes").code == 0
    lay(tmp_path, "bo,prod-eu", "carol,prod-ue")
    pruned = run("apply", "--simulate", "--prune", "--yes")
    assert "nothing is pruned: people.csv:3: no team selects this line" in pruned.out
    assert 'its domain is "prod-ue". Did you mean "prod-eu"?' in pruned.out
    lay(tmp_path, "bo,prod-eu", "carol,prod-eu")
    assert "2 apps" in run("status", "--simulate").out
    assert "0 to create, 0 to replace, 0 to delete; 2 unchanged" in run("plan", "--simulate").out


def test_more_values_than_are_shown_are_counted(tmp_path: Path) -> None:
    values = LOST_LINES_SHOWN_MAX_COUNT + 5
    loaded = load_fleet(lay(tmp_path, "bo,prod-eu", *(f"p{number},other-{number}" for number in range(values))))
    assert len(loaded.warnings) == LOST_LINES_SHOWN_MAX_COUNT
    assert loaded.fleet.prune_refusal.endswith(f"people.csv:3: no team selects {values} lines, this one first")


def test_a_hundred_thousand_lines_of_others_cost_one_look(tmp_path: Path) -> None:
    lines = [f"p{number},other" for number in range(100_000)]
    loaded = load_fleet(lay(tmp_path, "bo,prod-eu", *lines))
    (warning,) = loaded.warnings
    assert (warning.line, "(as in 99,999 other lines)" in warning.message) == (3, True)
