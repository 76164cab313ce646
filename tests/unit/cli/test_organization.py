"""`--policies`: an organization's policies in plans, saved plans, shards, explanations and flags."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.cli.call import Call
from engine.cli.context import next_apply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.cli.conftest import Engine, Ran

    Run = Callable[..., Ran]

FLEET = """
schema = 1
name = "small"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
account = "111122223333"
[domains.research.users.alice]
apps = [{ type = "Canvas" }]
"""
KEY = "research/user/alice/Canvas/default"
BOUNDS = """
[execution]
deadline = "1h"
[safety]
prune = false
replace = "never"
create_max = 0
[[rule]]
id = "no-canvas"
enforcement = "advisory"
check = 'app_type != "Canvas"'
message = "Canvas is expensive"
"""
OWN = "[safety]\ncreate_max = 7\nprune = true\n"


@pytest.fixture
def fleet(run: Run, tmp_path: Path) -> Run:
    (tmp_path / "fleet.toml").write_text(FLEET)
    for folder, text in (("policies", OWN), ("above", BOUNDS), ("lax", "[safety]\ncreate_max = 9\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "bounds.toml").write_text(text)
    return run


def test_a_plan_names_the_digest_and_is_held_to_the_bounds(fleet: Run) -> None:
    ran = fleet("--policies", "above", "plan", "--simulate")
    assert ran.code == 4
    assert "Policy  of the organization: 1 file, sha256:" in ran.out
    assert "set create_max to 1 or more. The organization's policies set this limit" in ran.out
    assert "(above/bounds.toml:7)" in ran.out
    assert "safety.create_max: is 7, and the organization's 0 holds (above/bounds.toml:7)" in ran.out
    plan = json.loads(fleet("plan", "--simulate", "--policies=lax", "--format", "json").out)
    assert plan["applyable"] is True
    assert list(plan["inputs"]) == ["fleet.toml", "organization//bounds.toml", "policies/bounds.toml"]
    assert plan["organization"].startswith("sha256:")
    assert "organization" not in json.loads(fleet("plan", "--simulate", "--format", "json").out)


def test_a_saved_plan_is_stale_without_the_policies_that_it_was_made_under(fleet: Run, tmp_path: Path) -> None:
    """Where the folder is does not matter, and what it holds does."""
    assert fleet("--policies", "lax", "plan", "--simulate", "--out", "plan.json").code == 0
    ran = fleet("apply", "--simulate", "plan.json")
    assert ran.code == 1
    assert "organization//bounds.toml is gone" in ran.err
    (tmp_path / "lax").rename(tmp_path / "elsewhere")
    assert fleet("--policies", "elsewhere", "apply", "--simulate", "--no-wait", "plan.json").code == 0


def test_gate_refuses_shards_that_were_planned_under_other_policies(fleet: Run) -> None:
    assert fleet("--policies", "lax", "plan", "--simulate", "--shard", "0/1", "--out", "plans").code == 0
    ran = fleet("gate", "--shards", "1", "plans")
    assert ran.code == 1
    assert "planned with other policies" in ran.err
    assert fleet("--policies", "lax", "gate", "--shards", "1", "plans").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("apply", "--yes", "--prune"), "--prune is not allowed: the organization's policies have prune = false"),
        (("plan", "--replace"), '--replace is not allowed: the organization\'s policies have replace = "never"'),
        (("plan", "--replace", KEY), "--replace is not allowed"),
        (("apply", "--yes", "--deadline", "2h"), "--deadline 2h is longer than the organization's policies allow: 1h"),
    ],
)
def test_no_flag_asks_for_more_than_the_bounds_allow(fleet: Run, words: tuple[str, ...], said: str) -> None:
    ran = fleet(*words, "--simulate", "--policies", "above")
    assert ran.code == 64
    assert said in ran.err
    assert "above/bounds.toml:" in ran.err


def test_flags_within_the_bounds_are_taken(fleet: Run) -> None:
    words = ("plan", "--simulate", "--prune", "--replace", "--policies", "lax")
    assert fleet(*words).code == 0


def test_explain_says_whose_rule_it_is_and_which_values_hold(fleet: Run) -> None:
    ran = fleet("explain", KEY, "--simulate", "--policies", "above")
    assert "no-canvas (advisory, organization, above/bounds.toml:8): denied" in ran.out
    assert "safety.prune: is true, and the organization's false holds" in ran.out
    rules = json.loads(fleet("explain", KEY, "--simulate", "--policies", "above", "--format", "json").out)["rules"]
    assert [rule["organization"] for rule in rules] == [True]


def test_validate_counts_the_files_and_refuses_with_strict_what_does_not_hold(fleet: Run, tmp_path: Path) -> None:
    (tmp_path / "policies" / "own.test.toml").write_text(
        'today = 2026-11-24\n[[test]]\nname = "fits"\napp = { type = "Canvas" }\n'
    )
    ran = fleet("--policies", "above", "validate", "--policy-tests")
    assert ran.code == 0
    assert "2 policy files" in ran.out
    assert "Policy tests: 1 passed, 0 failed." in ran.out  # the organization's rule is not what they are about
    ran = fleet("--policies", "above", "validate", "--strict")
    assert ran.code == 64
    assert "safety.create_max: is 7, and the organization's 0 holds" in ran.err


def test_a_fleet_without_policies_of_its_own_has_those_of_the_organization(fleet: Run, tmp_path: Path) -> None:
    (tmp_path / "policies" / "bounds.toml").unlink()
    assert "no policy applies" in fleet("validate").err
    assert "no policy applies" not in fleet("--policies", "lax", "validate").err


def test_a_folder_that_is_not_there_is_a_usage_error_also_beside_a_broken_fleet(fleet: Run, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("schema = 2\n")
    for command in ("validate", "plan", "status", "iam-policy"):
        ran = fleet(command, "--policies", "gone")
        assert ran.code == 64
        assert "--policies gone does not exist" in ran.err


def test_the_variable_names_folders_as_path_does(
    fleet: Run, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "with blank").mkdir()
    monkeypatch.setenv("APPFLEET_POLICIES", os.pathsep.join(("above", "with blank")))
    assert fleet("plan").code == 0
    folders = (Path("above"), Path("with blank"))
    assert engine.options.policies == folders
    assert Call(()).policies == folders
    assert Call(("--policies", "a", "--policies=b", "plan")).policies == (Path("a"), Path("b"))
    assert "--policies above --policies 'with blank' apply" in next_apply(engine.options)
    monkeypatch.delenv("APPFLEET_POLICIES")
    assert Call(()).policies == ()


def test_a_run_that_ends_early_notifies_whom_the_organization_names(fleet: Run, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    (tmp_path / "lax" / "bounds.toml").write_text(f'[[notify]]\ncommand = ["/bin/sh", "-c", "cat > {told}"]\n')
    (tmp_path / "fleet.toml").write_text("schema = 2\n")
    assert fleet("--policies", "lax", "apply", "--yes", "--simulate").code == 64
    assert json.loads(told.read_text())["result"] == "failed"
