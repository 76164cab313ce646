"""`--shard`: a plan of some accounts and regions, which says so, and which cannot be applied alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

DOMAIN = """
[domains.NAME]
id = "d-NAME"
region = "eu-west-1"
account = "ACCOUNT"
[domains.NAME.teams.vision]
members = ["alice", "bob"]
user_apps = ["canvas"]
"""
POLICY = """
[[rule]]
id = "team-size"
enforcement = "mandatory"
scope = "team"
check = "count <= 3"
"""
DOMAINS = ("blue", "green", "red")


@pytest.fixture
def fleet(run: Run, tmp_path: Path) -> Run:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.toml").write_text(POLICY)
    (tmp_path / "quick.toml").write_text(QUICK)
    domains = [
        DOMAIN.replace("NAME", name).replace("ACCOUNT", f"{number:012}") for number, name in enumerate(DOMAINS, 1)
    ]
    head = 'schema = 1\nname = "wide"\n[apps.canvas]\ntype = "Canvas"\n'
    (tmp_path / "fleet.toml").write_text(head + "".join(domains))
    return run


def test_the_shards_of_a_plan_are_the_plan(fleet: Run) -> None:
    whole = json.loads(fleet("plan", "--simulate", "--format", "json").out)
    shards = [json.loads(fleet("plan", "--simulate", "--format", "json", "--shard", f"{i}/2").out) for i in range(2)]
    keys = sorted(change["key"] for one in shards for change in one["changes"])
    assert keys == [change["key"] for change in whole["changes"]]
    assert [one["selectors"] for one in shards] == [{"shard": ["0/2"]}, {"shard": ["1/2"]}]
    assert whole["applyable"] is False  # six people in the team
    assert [one["applyable"] for one in shards] == [True, True]


def test_a_shard_says_what_it_is_and_what_is_left_to_the_gate(fleet: Run) -> None:
    ran = fleet("plan", "--simulate", "--shard", "0/2")
    assert ran.code == 0
    assert "--shard 0/2" in ran.out
    assert "appfleet gate judges the limits of [safety] for all domains together and the rules" in ran.out
    assert "(team-size)" in ran.out


def test_a_shard_without_a_lane_has_nothing_to_do(fleet: Run) -> None:
    ran = fleet("plan", "--simulate", "--shard", "6/7", "--detailed-exitcode")
    assert ran.code == 0


def test_selectors_work_beside_a_shard_also_where_it_has_nothing_of_theirs(fleet: Run) -> None:
    plans = [
        json.loads(fleet("plan", "--simulate", "--format", "json", "--shard", f"{i}/3", "--domain", "red").out)
        for i in range(3)
    ]
    assert [len(plan["changes"]) for plan in plans] == [0, 0, 2]
    assert fleet("plan", "--simulate", "--shard", "0/3", "--user", "alice", "--domain", "red").code == 0
    ran = fleet("plan", "--simulate", "--shard", "0/3", "--domain", "reed")
    assert ran.code == 64
    assert "Did you mean red?" in ran.err


def test_the_variable_of_an_environment_names_the_shard(fleet: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPFLEET_SHARD", "1/3")
    assert "--shard 1/3" in fleet("plan", "--simulate").out
    monkeypatch.setenv("APPFLEET_SHARD", "3/3")
    ran = fleet("plan", "--simulate")
    assert ran.code == 64
    assert "there is no shard 3 of 3. Shards count from 0, so the last one is 2/3" in ran.err


def test_a_shard_is_not_applied_alone(fleet: Run, tmp_path: Path) -> None:
    ran = fleet("apply", "--yes", "--simulate=quick.toml", "--shard", "0/2")
    assert ran.code == 64
    assert "shard 0/2 cannot be applied alone" in ran.err
    assert fleet("plan", "--simulate=quick.toml", "--shard", "0/2", "--out", str(tmp_path / "plan.json")).code == 0
    ran = fleet("apply", "--simulate=quick.toml", str(tmp_path / "plan.json"))
    assert ran.code == 64
    assert "shard 0/2 cannot be applied alone" in ran.err
    assert fleet("apply", "--dry-run", "--simulate=quick.toml", "--shard", "0/2").code == 0
