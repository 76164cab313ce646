from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

FLEET = """schema = 1
name = "ml"
policies = []
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[domains.research.users.alice]
apps = [{ type = "Canvas" }]
"""


def test_the_policy_is_json_and_what_is_left_out_is_said(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    ran = run("iam-policy")
    assert ran.code == 0
    assert json.loads(ran.out)["Statement"][0]["Sid"] == "LookAround"
    assert "DeleteApp" not in ran.out
    assert "--destroy adds it" in ran.err
    assert "a domain without `account` covers every account" in ran.err


def test_it_can_be_a_terraform_resource_that_allows_deletes(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET.replace('"eu-west-1"', '"eu-west-1"\naccount = "111122223333"'))
    ran = run("iam-policy", "--format", "terraform", "--destroy")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith('resource "aws_iam_policy" "appfleet_ml" {')
    assert '"sagemaker:DeleteApp"' in ran.out
    assert "pricing:" not in ran.out
    assert '"pricing:GetProducts"' in run("iam-policy", "--format", "terraform", "--prices").out


def test_a_read_only_policy_changes_nothing(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET.replace('"eu-west-1"', '"eu-west-1"\naccount = "111122223333"'))
    ran = run("iam-policy", "--read-only")
    assert (ran.code, ran.err) == (0, "")
    actions = {action for statement in json.loads(ran.out)["Statement"] for action in statement["Action"]}
    assert all(action.split(":")[1].startswith(("List", "Describe", "Get")) for action in actions)
    assert {"sagemaker:ListApps", "sagemaker:DescribeApp", "sagemaker:ListTags"} <= actions
    terraform = run("iam-policy", "--read-only", "--format", "terraform").out
    assert terraform.startswith('resource "aws_iam_policy" "appfleet_ml-read-only" {')  # beside the one that applies


def test_a_policy_that_reads_only_and_deletes_is_refused(run: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    ran = run("iam-policy", "--read-only", "--destroy")
    assert ran.code == 64
    assert "--read-only and --destroy exclude each other" in ran.err
    assert "--read-only and --offboard exclude each other" in run("iam-policy", "--read-only", "--offboard").err


def test_before_there_is_a_fleet_file_a_domain_may_be_named(run: Callable[..., Ran]) -> None:
    """What import and plan need there: the account is not known yet."""
    ran = run("iam-policy", "--read-only", "--domain-id", "d-abcd1234efgh", "--region", "eu-west-1")
    assert (ran.code, ran.err) == (0, "")
    actions = {action for statement in json.loads(ran.out)["Statement"] for action in statement["Action"]}
    assert {"sagemaker:ListDomains", "sagemaker:DescribeSpace", "sagemaker:DescribeUserProfile"} <= actions
    assert not any(word in ran.out for word in ("Create", "Update", "Delete", "AddTags"))
    assert "arn:aws:sagemaker:eu-west-1:*:space/d-abcd1234efgh/*" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--domain-id", "d-abcd1234efgh"], "--domain-id only works with --read-only"),
        (["--region", "eu-west-1", "--read-only"], "--region only works with --domain-id"),
        (["--read-only", "--domain-id", "x", "--region", "eu-west-1"], "is not a domain id"),
    ],
)
def test_a_domain_is_named_for_a_policy_that_only_reads(run: Callable[..., Ran], words: list[str], said: str) -> None:
    ran = run("iam-policy", *words)
    assert (ran.code, said in " ".join(ran.err.split())) == (64, True)
