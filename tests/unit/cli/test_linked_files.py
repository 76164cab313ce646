"""Links in a fleet's folder, as Kubernetes lays out a ConfigMap and as people make them, through the commands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

FLEET = """
schema = 1
name = "linked"
POLICIES
include = ["teams/*.toml"]
[apps.canvas]
type = "Canvas"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
"""
TEAM = """
[domains.research.teams.vision]
members_file = "vision.csv"
user_apps = ["canvas"]
"""
DENIES = """
[[rule]]
id = "no-canvas"
description = "No Canvas"
enforcement = "mandatory"
check = 'app_type != "Canvas"'
message = "Canvas is not allowed"
"""
DENIES_TEST = """
today = 2026-11-29
[[test]]
name = "canvas is refused"
app = { type = "Canvas" }
expect = { no-canvas = "denied" }
"""


def files(policies: str = "") -> dict[str, str]:
    return {
        "fleet.toml": FLEET.replace("POLICIES", policies),
        "teams/vision.toml": TEAM,
        "teams/vision.csv": "user\nana\nbo\n",
        "policies/rules.toml": DENIES,
        "policies/rules.test.toml": DENIES_TEST,
    }


def as_config_map(root: Path, texts: Mapping[str, str], version: str = "..2026_11_29_01_15_00.1") -> None:
    """Lay files out as the kubelet does: the first part of each name a link into `..data`, itself a link."""
    for name, text in texts.items():
        path = root / version / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "..data_tmp").symlink_to(version)
    (root / "..data_tmp").rename(root / "..data")
    for name in {name.split("/")[0] for name in texts}:
        if not os.path.lexists(root / name):
            (root / name).symlink_to(f"..data/{name}")


@pytest.mark.parametrize(
    "policies",
    ["", 'policies = ["policies/rules.toml"]', 'policies = ["**/rules.toml"]', 'policies = ["polic*/*.toml"]'],
)
def test_a_config_map_is_read_and_its_rules_hold(run: Run, tmp_path: Path, policies: str) -> None:
    as_config_map(tmp_path / "fleet", files(policies))
    ran = run("-f", str(tmp_path / "fleet" / "fleet.toml"), "apply", "--yes", "--simulate", "--state-dir", "state")
    assert ran.code == 4, ran
    assert "Canvas is not allowed" in ran.out
    ran = run("-f", str(tmp_path / "fleet" / "fleet.toml"), "validate", "--policy-tests")
    assert "2 apps, 2 users, 0 spaces, 1 domain; 1 policy file" in ran.out
    assert "Policy tests: 1 passed, 0 failed." in ran.out


def test_a_config_map_of_the_recipe_is_one_flat_folder(run: Run, tmp_path: Path) -> None:
    flat = {"fleet.toml": files('policies = ["rules.toml"]')["fleet.toml"], "rules.toml": DENIES}
    as_config_map(tmp_path, {**flat, "vision.toml": TEAM, "vision.csv": "ana\n"})
    text = (tmp_path / "fleet.toml").read_text().replace("teams/*.toml", "vision.toml")
    (tmp_path / "..data" / "fleet.toml").write_text(text)
    ran = run("validate")
    assert (ran.code, "1 policy file" in ran.out) == (4, True)


def test_a_config_map_that_was_updated_is_read_as_it_is_now(run: Run, tmp_path: Path) -> None:
    as_config_map(tmp_path, files())
    as_config_map(tmp_path, {**files(), "teams/vision.csv": "ana\nbo\ncy\n"}, "..2026_11_30_01_15_00.2")
    assert "3 apps, 3 users" in run("validate").out


def test_the_plan_of_a_config_map_names_its_files_without_the_version(run: Run, tmp_path: Path) -> None:
    """An update that changes nothing leaves the fingerprint as it was."""
    as_config_map(tmp_path, files("policies = []"))
    first = run("plan", "--simulate", "--format", "json").out
    as_config_map(tmp_path, files("policies = []"), "..2026_11_30_01_15_00.2")
    second = run("plan", "--simulate", "--format", "json").out
    assert "..2026" not in first
    assert [line for line in first.splitlines() if "fingerprint" in line] == [
        line for line in second.splitlines() if "fingerprint" in line
    ]


def test_a_fleet_file_that_is_a_link_is_read_beside_its_target(run: Run, tmp_path: Path) -> None:
    for name, text in files().items():
        path = tmp_path / "srv" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "fleet.toml").symlink_to(tmp_path / "srv" / "fleet.toml")
    direct, linked = (run("-f", str(tmp_path / home / "fleet.toml"), "validate") for home in ("srv", "etc"))
    assert (direct.code, linked.code) == (4, 4)
    assert "1 policy file" in linked.out
    ran = run("-f", "etc/fleet.toml", "apply", "--yes", "--simulate", "--state-dir", "state")
    assert ran.code == 4


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("policies/rules.toml", "/etc/hostname", "policies/rules.toml is a link to /etc/hostname, outside the fleet"),
        ("teams/vision.toml", "../../x.toml", "teams/vision.toml is a link to ../../x.toml, outside the fleet"),
        ("teams/vision.csv", "../../people.csv", "teams/vision.csv is a link to ../../people.csv, outside the fleet"),
        ("policies/rules.test.toml", "/etc/hostname", "policies/rules.test.toml is a link to /etc/hostname, outside"),
        ("teams/vision.csv", "vision.csv", "teams/vision.csv is a link that leads in a circle"),
        ("teams/vision.csv", "gone.csv", "teams/vision.csv is a link to gone.csv, and there is no such file"),
        ("fleet.toml", "gone.toml", "fleet.toml is a link to gone.toml, and there is no such file"),
        ("fleet.toml", "fleet.toml", "fleet.toml is a link to fleet.toml, and that leads nowhere"),
    ],
)
def test_a_link_that_cannot_be_followed_is_refused_by_name(
    run: Run, tmp_path: Path, name: str, target: str, said: str
) -> None:
    home = tmp_path / "fleet"
    for written, text in files().items():
        (home / written).parent.mkdir(parents=True, exist_ok=True)
        (home / written).write_text(text)
    (home / name).unlink()
    (home / name).symlink_to(target)
    ran = run("-f", str(home / "fleet.toml"), "validate", "--policy-tests")
    assert (ran.code, ran.out) == (64, "")
    assert said in ran.err
