"""`validate --policy-tests`: the policies' own tests, told and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

FLEET = """schema = 1
name = "t"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[domains.research.users.alice]
apps = [{ type = "Canvas" }]
"""
RULE = """[[rule]]
id = "small"
enforcement = "mandatory"
match = 'instance_type != ""'
check = 'instance_type == "ml.t3.medium"'
message = "{instance_type} is too large"
"""
TEST = """today = 2026-11-24
[app]
domain = "research"
type = "JupyterLab"
[[test]]
name = "a GPU is too large"
app = {{ instance_type = "ml.g5.xlarge" }}
expect = {{ small = "{verdict}" }}
"""


@pytest.mark.parametrize(("verdict", "code"), [("denied", 0), ("passed", 1)])
def test_a_policy_test_that_fails_is_named_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verdict: str, code: int
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "policies" / "rules.toml").write_text(RULE)
    (tmp_path / "policies" / "rules.test.toml").write_text(TEST.format(verdict=verdict))
    assert main(["-f", str(tmp_path / "fleet.toml"), "validate", "--policy-tests"]) == code
    told = capsys.readouterr().out
    assert f"Policy tests: {1 - code} passed, {code} failed." in told
    assert ("a GPU is too large" in told) is bool(code)


def test_a_policy_test_that_cannot_be_read_is_no_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "policies" / "rules.toml").write_text(RULE)
    (tmp_path / "policies" / "rules.test.toml").write_text(TEST.format(verdict="pased"))
    assert main(["-f", str(tmp_path / "fleet.toml"), "validate", "--policy-tests"]) == 64
    assert "rules.test.toml:" in capsys.readouterr().err
