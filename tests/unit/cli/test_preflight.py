"""`preflight` and `plan --preflight`, through the SDK over loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

HERE = "arn:aws:sagemaker:eu-west-1:111122223333"
FLEET = f"""
schema = 1
name = "small"
policies = []
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
account = "111122223333"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
image_arn = "{HERE}:image/science"
image_version_alias = "1.2"
lifecycle_config_arn = "{HERE}:studio-lifecycle-config/setup"
[apps.nightly]
type = "KernelGateway"
name = "nightly"
instance_type = "ml.m5.large"
image_version_arn = "{HERE}:image-version/kernels/3"
[domains.research.teams.vision]
members = ["alice", "bob"]
user_apps = ["nightly"]
[domains.research.teams.vision.spaces]
"{{member}}-lab" = {{ apps = ["lab"] }}
[domains.research.users.alice]
execution_role = "arn:aws:iam::111122223333:role/service-role/lab"
"""
TROUBLE = f"""schema = 1
missing = ["{HERE}:image-version/kernels/3", "arn:aws:iam::111122223333:role/service-role/lab"]
[[fault]]
kind = "error"
operation = "DescribeStudioLifecycleConfig"
code = "AccessDeniedException"
message = "User is not authorized to perform: sagemaker:DescribeStudioLifecycleConfig"
"""


@pytest.fixture
def fleet(run: Run, tmp_path: Path) -> Run:
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "trouble.toml").write_text(TROUBLE)
    return run


def test_what_is_all_there_ends_well(fleet: Run) -> None:
    ran = fleet("preflight", "--simulate")
    assert ran.code == 0
    assert "Preflight: 11 checks: 11 fine, 0 faults, 0 not checked." in ran.out


def test_what_is_missing_ends_with_3_and_what_may_not_be_read_fails_nothing(fleet: Run, tmp_path: Path) -> None:
    ran = fleet("preflight", "--simulate=trouble.toml", "--format", "json", "--log-file", "look.jsonl")
    assert ran.code == 3
    found = json.loads(ran.out)
    assert found["summary"] == {"ok": 8, "fault": 2, "not_checked": 1}
    faults = {check["why"]: check["count"] for check in found["checks"] if check["result"] == "fault"}
    assert faults == {
        "execution role lab does not exist in account 111122223333": 2,
        "version 3 of image kernels does not exist in account 111122223333, region eu-west-1": 2,
    }
    last = json.loads((tmp_path / "look.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["exit_code"], last["code"]) == ("run.finished", 3, "preflight")


def test_selectors_narrow_what_is_checked(fleet: Run) -> None:
    ran = fleet("preflight", "--simulate=trouble.toml", "--space", "bob-lab")
    assert ran.code == 0
    assert "0 faults, 1 not checked" in ran.out


def test_a_plan_with_preflight_has_its_findings_and_the_same_fingerprint(fleet: Run) -> None:
    plain = json.loads(fleet("plan", "--simulate=trouble.toml", "--format", "json").out)
    ran = fleet("plan", "--preflight", "--simulate=trouble.toml", "--format", "json")
    assert ran.code == 3
    plan = json.loads(ran.out)
    assert [finding["rule"] for finding in plan["findings"]] == ["preflight", "preflight", "unchecked"]
    assert (plan["fingerprint"], plan["applyable"]) == (plain["fingerprint"], True)
    assert fleet("plan", "--preflight", "--simulate=trouble.toml", "--space", "bob-lab").code == 0


def test_a_mandatory_rule_outranks_a_fault_and_shards_have_no_preflight(fleet: Run, tmp_path: Path) -> None:
    rule = '[[rule]]\nid = "none"\nenforcement = "mandatory"\ncheck = "false"\n'
    (tmp_path / "rules.toml").write_text(rule)
    (tmp_path / "fleet.toml").write_text(FLEET.replace("policies = []", 'policies = ["rules.toml"]'))
    ran = fleet("preflight", "--simulate=trouble.toml")
    assert ran.code == 4
    assert "Rules or guardrails deny the plan: see appfleet plan" in ran.out
    ran = fleet("plan", "--preflight", "--shard", "0/1", "--out", "plans", "--simulate")
    assert ran.code == 64
    assert "--preflight does not work with --shard and --out" in ran.err
    ran = fleet("plan", "--preflight", "--workers", "2")
    assert ran.code == 64
    assert "--preflight does not work with --workers and --scheduler" in ran.err
