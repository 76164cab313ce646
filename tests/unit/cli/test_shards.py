"""`--shard`, `gate` and `gather`: planned in parts, judged as a whole, applied in parts, and one result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.architecture.test_schemas import check
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
    (tmp_path / "plan.json").write_text(fleet("plan", "--simulate", "--shard", "0/2", "--format", "json").out)
    ran = fleet("apply", "--simulate=quick.toml", str(tmp_path / "plan.json"))
    assert ran.code == 64
    assert "shard 0/2 cannot be applied alone" in ran.err
    assert fleet("apply", "--dry-run", "--simulate=quick.toml", "--shard", "0/2").code == 0


@pytest.fixture
def small(fleet: Run, tmp_path: Path) -> Run:
    """Return the fleet without the rule that its team breaks."""
    (tmp_path / "policies" / "rules.toml").write_text(POLICY.replace("3", "6"))
    return fleet


def in_shards(run: Run, count: int, *words: str) -> list[Ran]:
    """Run a command for each shard, each with a state folder of its own, as machines have."""
    return [
        run(*words, "--simulate=quick.toml", "--shard", f"{i}/{count}", "--state-dir", f"state-{count}-{i}")
        for i in range(count)
    ]


def planned(run: Run, count: int, name: str, *words: str) -> Ran:
    """Plan every shard into a folder, and return what gate says of them."""
    assert {ran.code for ran in in_shards(run, count, "plan", "--out", name, *words)} == {0}
    return run("gate", "--shards", str(count), name, "--format", "json")


def test_gate_comes_to_the_same_for_any_number_of_shards(small: Run) -> None:
    said = [planned(small, count, f"plans-{count}") for count in (1, 2, 7)]
    assert [ran.code for ran in said] == [0, 0, 0]
    assert len({ran.out for ran in said}) == 1
    assert json.loads(said[0].out)["summary"] == {"create": 6, "delete_then_create": 0, "delete": 0}


def test_gate_denies_what_only_all_shards_together_break(fleet: Run) -> None:
    said = [planned(fleet, count, f"plans-{count}") for count in (1, 2, 3)]
    assert [ran.code for ran in said] == [4, 4, 4]
    assert len({ran.out for ran in said}) == 1
    (finding,) = json.loads(said[0].out)["findings"]
    assert (finding["rule"], finding["message"][:12]) == ("team-size", "team vision:")
    text = fleet("gate", "--shards", "2", "plans-2")
    assert "Denied: nothing was approved. Change the files or the flags, then plan every shard again" in text.out
    ran = fleet("apply", "--shard", "0/2", "plans-2", "--simulate=quick.toml")
    assert ran.code == 1
    assert "plans-2 has no approved plans" in ran.err


def test_limits_hold_for_all_shards_together(small: Run, tmp_path: Path) -> None:
    (tmp_path / "policies" / "safety.toml").write_text("[safety]\ncreate_max = 5\n")
    ran = planned(small, 3, "plans")
    assert ran.code == 4
    (finding,) = json.loads(ran.out)["findings"]
    check("gate", json.loads(ran.out))
    assert finding["message"].startswith("all domains together: 6 apps would be created, more than the 5")


def test_what_was_approved_is_applied_in_shards_and_gathered(small: Run, tmp_path: Path) -> None:
    approved = planned(small, 2, "plans")
    assert approved.code == 0
    check("gate", json.loads(approved.out))
    ran = small("gate", "--shards", "2", "plans", "--detailed-exitcode")
    assert ran.code == 2
    assert "To apply each shard: appfleet apply --shard I/2 plans" in ran.out
    # As many shards as there are machines tonight: plans are kept by account and region.
    done = in_shards(small, 3, "apply", "plans", "--format", "json")
    assert [ran.code for ran in done] == [0, 0, 0]
    assert [json.loads(ran.out)["summary"] for ran in done] == [{"created": 2}] * 3
    assert not any("appfleet gate judges" in ran.out for ran in done)
    whole = small("gather", "plans", "--format", "json")
    assert whole.code == 0
    document = json.loads(whole.out)
    assert document["summary"] == {"created": 6}
    assert [line["lane"] for line in document["lanes"]] == [f"{number:012}/eu-west-1" for number in (1, 2, 3)]
    assert document["unwell"] == []
    check("gather", document)
    assert json.loads((tmp_path / "plans" / "report.json").read_text()) == document
    assert "3 accounts and regions; 6 created." in small("gather", "plans").out


def test_a_lost_shard_is_named_and_can_be_run_again(small: Run) -> None:
    assert planned(small, 3, "plans").code == 0
    assert small("apply", "--shard", "0/3", "plans", "--simulate=quick.toml", "--state-dir", "zero").code == 0
    ran = small("gather", "plans", "--format", "json")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert document["summary"] == {"created": 2, "skipped": 4}
    check("gather", document)
    assert document["lost"] == [f"{number:012}/eu-west-1" for number in (2, 3)]
    assert {row["error"]["code"] for row in document["unwell"]} == {"shard_lost"}
    assert "no shard reported on 000000000002/eu-west-1" in small("gather", "plans").out
    in_shards(small, 3, "apply", "plans")
    assert small("gather", "plans").code == 0


def test_a_shard_without_a_plan_keeps_the_gate_shut(small: Run) -> None:
    ran = small("gate", "--shards", "3", "plans")
    assert ran.code == 1
    assert "there is no folder plans" in ran.err
    assert "Plan every shard first: appfleet plan --shard I/N --out plans" in ran.err
    first = ("--simulate=quick.toml", "--shard", "0/3", "--state-dir", "zero")
    assert small("plan", "--out", "plans", *first).code == 0
    ran = small("gate", "--shards", "3", "plans")
    assert ran.code == 1
    assert "plans has no plan of 2 of 3 shards: 1/3, 2/3" in ran.err
    assert "Run: appfleet plan --shard 1/3 --out plans" in ran.err
    ran = small("gate", "--shards", "4", "plans")
    assert ran.code == 1
    assert "plans was not planned in 4 shards, but in 3" in ran.err
    assert "Run: appfleet gate --shards 3 plans" in ran.err


def test_a_shard_that_is_planned_again_must_come_to_the_same(small: Run, tmp_path: Path) -> None:
    assert planned(small, 2, "plans").code == 0
    assert planned(small, 2, "plans").code == 0
    fleet_file = tmp_path / "fleet.toml"
    fleet_file.write_text(fleet_file.read_text().replace('"bob"', '"bert"'))
    ran = in_shards(small, 2, "plan", "--out", "plans")[0]
    assert ran.code == 1
    assert "plans already holds another plan of account" in ran.err
    ran = in_shards(small, 2, "apply", "plans")[0]
    assert ran.code == 1
    assert "the saved plan is stale: files have changed since: fleet.toml is changed" in ran.err


def test_gate_refuses_other_policies_than_those_of_the_plans(small: Run, tmp_path: Path) -> None:
    assert planned(small, 2, "plans").code == 0
    (tmp_path / "policies" / "more.toml").write_text("[safety]\ndestroy_max = 500\n")
    ran = small("gate", "--shards", "2", "plans")
    assert ran.code == 1
    assert "planned with other policies than those of fleet.toml" in ran.err


def test_an_old_approval_is_refused(small: Run) -> None:
    assert planned(small, 1, "plans").code == 0
    ran = small("apply", "--shard", "0/1", "plans", "--simulate=quick.toml", "--plan-age-max", "0s")
    assert ran.code == 1
    assert "older than" in ran.err


def test_flags_beside_an_approved_plan_are_refused(small: Run) -> None:
    assert planned(small, 1, "plans").code == 0
    ran = small("apply", "--shard", "0/1", "plans", "--prune", "--simulate=quick.toml")
    assert ran.code == 64
    assert "--prune: the saved plan plans was made with its own flags" in ran.err


def test_a_group_that_a_skip_rule_denies_is_left_out_of_every_shard(fleet: Run, tmp_path: Path) -> None:
    (tmp_path / "policies" / "rules.toml").write_text(POLICY.replace("mandatory", "skip"))
    assert planned(fleet, 3, "plans").code == 0
    done = in_shards(fleet, 3, "apply", "plans", "--format", "json")
    assert [json.loads(ran.out)["summary"] for ran in done] == [{"denied": 2}] * 3


def test_a_shard_that_could_not_begin_says_why(small: Run, tmp_path: Path) -> None:
    assert planned(small, 1, "plans", "--domain", "red").code == 0
    (tmp_path / "file").write_text("")
    assert small("apply", "--shard", "0/1", "plans", "--simulate=quick.toml", "--state-dir", "file").code == 1
    document = json.loads(small("gather", "plans", "--format", "json").out)
    assert (document["exit_code"], document["lost"]) == (1, [])
    assert {line["error"]["code"] for line in document["lanes"] if line["summary"]} == {"AF502"}
    assert document["summary"] == {"skipped": 2}
