"""A shard of a fleet: every file is read, and the domains of its lanes alone become people and apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.config.fleet import expand
from engine.config.fleet.fleet_file import load_fleet
from engine.core.errors import ConfigError
from engine.core.shards import Shard

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
schema = 1
name = "wide"
policies = []
[apps.canvas]
type = "Canvas"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
"""


def domain(number: int, people: int, account: str = "") -> str:
    return f"""
[domains.d{number}]
id = "d-{number:012}"
region = "eu-west-1"
account = "{account or f"{number:012}"}"
[domains.d{number}.teams.all]
members = [{", ".join(f'"p{person}"' for person in range(people))}]
user_apps = ["canvas"]
[domains.d{number}.teams.all.spaces]
"{{member}}-lab" = {{ apps = ["lab"] }}
shared = {{ sharing = "Shared", owner = "p0", apps = ["lab"] }}
"""


def lay(folder: Path, *parts: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(HEAD + "".join(parts))
    return path


@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_the_shards_of_a_fleet_are_the_fleet(tmp_path: Path, count: int) -> None:
    path = lay(tmp_path, *(domain(number, 1 + number % 3) for number in range(9)), domain(9, 4, f"{3:012}"))
    whole = load_fleet(path)
    shards = [load_fleet(path, shard=Shard(index, count)) for index in range(count)]
    assert sorted(app.key for one in shards for app in one.fleet.apps) == [app.key for app in whole.fleet.apps]
    assert sorted(each.name for one in shards for each in one.fleet.domains) == list(whole.domains)
    assert {one.domains for one in shards} == {whole.domains}
    assert {one.fleet.inputs for one in shards} == {whole.fleet.inputs}
    of_account = [i for i, one in enumerate(shards) for each in one.fleet.domains if each.account == f"{3:012}"]
    assert len(of_account) == 2
    assert len(set(of_account)) == 1


def test_the_largest_lane_has_a_shard_of_its_own(tmp_path: Path) -> None:
    path = lay(tmp_path, domain(1, 2), domain(2, 9), domain(3, 2), domain(4, 2))
    names = [[each.name for each in load_fleet(path, shard=Shard(i, 2)).fleet.domains] for i in range(2)]
    assert names == [["d2"], ["d1", "d3", "d4"]]


def test_a_bound_of_apps_is_of_the_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lay(tmp_path, domain(1, 2), domain(2, 2))
    monkeypatch.setattr(expand, "FLEET_APPS_MAX_COUNT", 5)
    with pytest.raises(ConfigError):
        load_fleet(path)
    assert len(load_fleet(path, shard=Shard(0, 2)).fleet.apps) == 5


def test_a_role_names_the_account_and_a_domain_that_names_none_is_a_problem(tmp_path: Path) -> None:
    by_role = domain(1, 1).replace(f'account = "{1:012}"', f'role_arn = "arn:aws:iam::{1:012}:role/x"')
    path = lay(tmp_path, by_role, domain(2, 1))
    assert load_fleet(path, shard=Shard(0, 1)).domains == ("d1", "d2")
    path = lay(tmp_path, domain(1, 1).replace(f'account = "{1:012}"', ""), domain(2, 1))
    assert load_fleet(path).domains == ("d1", "d2")
    with pytest.raises(ConfigError) as caught:
        load_fleet(path, shard=Shard(0, 2))
    (problem,) = caught.value.diagnostics
    assert problem.message == "--shard divides a fleet by account and region, and domain d1 names no account"
    assert problem.hint == 'Add account = "…" to the domain, 12 digits'


def test_a_domain_without_a_region_is_one_problem_of_a_shard_too(tmp_path: Path) -> None:
    path = lay(tmp_path, domain(1, 1).replace('region = "eu-west-1"', ""), domain(2, 1))
    with pytest.raises(ConfigError) as caught:
        load_fleet(path, shard=Shard(0, 2))
    assert [problem.message for problem in caught.value.diagnostics] == ["this domain has no region"]
