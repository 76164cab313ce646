"""Tests of policies as files, and the tests of the policies that are shipped."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engine.config.policy.policy_file import load_policies
from engine.config.policy.policy_tests import find_policy_tests, load_policy_tests
from engine.core.desired import Mode
from engine.core.errors import PolicyError
from engine.policy.judge import Verdict
from engine.policy.testing import PolicyTest, run_policy_tests

ROOT = Path(__file__).parents[4]
SHIPPED = [Path("policies/execution.toml"), Path("policies/guardrails.toml")]
SHIPPED_TESTS = load_policy_tests([Path("policies/guardrails.test.toml")], ROOT)


@pytest.mark.parametrize("test", SHIPPED_TESTS, ids=lambda test: test.name)
def test_a_test_of_the_shipped_policies_passes(test: PolicyTest) -> None:
    (result,) = run_policy_tests(load_policies(SHIPPED, ROOT).admission, [test])
    assert result.problems == ()


def test_every_shipped_rule_is_described_and_expected_both_to_say_yes_and_to_say_no() -> None:
    expected = {(rule, verdict) for test in SHIPPED_TESTS for rule, verdict in test.expect.items()}
    for rule in load_policies(SHIPPED, ROOT).rules:
        assert rule.description
        said = {verdict for name, verdict in expected if name == rule.id}
        assert said & {Verdict.DENIED, Verdict.REMEDIATED}, rule.id
        assert said & {Verdict.PASSED, Verdict.EXEMPT, Verdict.NOT_MATCHED} or rule.id == "required-tags", rule.id


def _load(folder: Path, text: str) -> tuple[PolicyTest, ...]:
    (folder / "x.test.toml").write_text(text)
    return load_policy_tests([folder / "x.test.toml"], folder)


def test_apps_are_made_from_what_is_common_and_what_a_test_says(tmp_path: Path) -> None:
    (test,) = _load(
        tmp_path,
        """
today = 2026-11-24
[app]
team = "vision"
ebs_gb = 50
idle_minutes = 120
tags = { a = "1", b = "1" }
[[test]]
name = "one"
today = 2027-01-01
apps = [
  { owner = "eve", type = "Canvas", mode = "once", expires = 2027-02-01, tags = { b = "2" } },
  { owner = "eve-lab", instance_type = "ml.g5.xlarge", fallback = ["ml.m5.large"], copies = 2, sharing = "Shared" },
]
expect = { r = "denied" }
fields = { instance_type = "x", tags = { a = "b" } }
""".replace('instance_type = "x"', 'instance_type = "ml.t3.medium"'),
    )
    assert (test.name, test.today, test.expect) == ("one", date(2027, 1, 1), {"r": Verdict.DENIED})
    assert test.fields == {"instance_type": "ml.t3.medium", "tags": (("a", "b"),)}
    first, second, canvas = test.apps
    assert [str(app.key) for app in (first, second, canvas)] == [
        "research/space/eve-lab/JupyterLab/default-1",
        "research/space/eve-lab/JupyterLab/default-2",
        "research/user/eve/Canvas/default",
    ]
    assert (first.sharing, first.fallback, first.team) == ("Shared", ("ml.m5.large",), "vision")
    assert (first.ebs_gb, first.idle_minutes) == (50, 120)
    assert (canvas.sharing, canvas.mode, canvas.expires) == ("", Mode.ONCE, date(2027, 2, 1))
    assert canvas.spec.tags == (("a", "1"), ("b", "2"))
    assert test.domains[0].region == "eu-west-1"


HEAD = 'today = 2026-11-24\n[[test]]\nname = "t"\n'


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[[test]]\nname = 't'\napp = {}\n", ":1", "today is missing"),
        ("today = 2026-11-24\n", ":1", "test is missing"),
        (f"{HEAD}", ":2", "either app or apps"),
        (f"{HEAD}app = {{}}\napps = [{{}}]\n", ":2", "either app or apps"),
        (f"{HEAD}apps = []\n", ":2", "either app or apps"),
        (f"{HEAD}app = {{ instance = 'x' }}\n", ":4", "there is no such key"),
        (f"{HEAD}app = {{ tags = 'x' }}\n", ":4", "expected a table"),
        (f"{HEAD}app = {{}}\nexpect = {{ r = 'no' }}\n", ":5", "not allowed here"),
        (f"{HEAD}apps = [{{}}, {{}}]\n", ":4", "there are two apps"),
        (f"{HEAD}apps = [{{ copies = 200 }}, {{ owner = 'b' }}]\n", ":4", "more than 200 apps"),
        (f"{HEAD}apps = [{{}}, {{ owner = 'b', region = 'us-west-2' }}]\n", ":4", "two regions"),
        ("today = \n", ":1", "not a TOML value"),
    ],
)
def test_a_wrong_test_file_is_refused_with_its_line(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(PolicyError) as raised:
        _load(tmp_path, text)
    (problem,) = raised.value.diagnostics
    assert message in problem.message
    assert f"x.test.toml{place}:" in problem.render()
    assert problem.hint


def test_a_test_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as raised:
        load_policy_tests([Path("no.test.toml")], tmp_path)
    assert raised.value.diagnostics[0].message == "there is no file no.test.toml"


def test_test_files_are_found_beside_the_policies_and_are_no_policies(tmp_path: Path) -> None:
    for name in ("a.toml", "b.test.toml", "a.test.toml"):
        (tmp_path / name).touch()
    found = find_policy_tests([tmp_path / "a.toml"])
    assert [path.name for path in found] == ["a.test.toml", "b.test.toml"]
