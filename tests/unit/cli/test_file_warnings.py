"""What was asked for and not found is said by every command that reads the files, not by `validate` alone."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

FLEET = """
schema = 1
name = "small"
HEAD
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[apps.lab]
type = "JupyterLab"
instance_type = "TYPE"
[domains.research.users.alice]
[domains.research.spaces.alice-lab]
owner = "alice"
apps = ["lab"]
"""
KEY = "research/space/alice-lab/JupyterLab/default"
RULES = 'policies = ["rulez/*.toml"]'
SAID = 'policies[0]: "rulez/*.toml" matches no file. Did you mean "rules/*.toml"?'


def write(folder: Path, head: str = RULES, instance_type: str = "ml.t3.medium") -> None:
    (folder / "fleet.toml").write_text(FLEET.replace("HEAD", head).replace("TYPE", instance_type))
    (folder / "rules").mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("command", "format_"),
    [
        (command, format_)
        for command in (
            ("plan",),
            ("apply", "--yes", "--no-wait"),
            ("apply", "--dry-run"),
            ("status",),
            ("explain", KEY),
        )
        for format_ in ("text", "json", "markdown")
        if (command[0], format_) != ("explain", "markdown")
    ],
)
def test_a_pattern_of_policies_that_matches_nothing_is_a_finding_everywhere(
    run: Run, tmp_path: Path, command: tuple[str, ...], format_: str
) -> None:
    write(tmp_path)
    ran = run(*command, "--simulate", "--format", format_)
    assert ran.code == 0, ran
    if format_ != "json":
        read = html.unescape(re.sub(r"</?code>|\\(?=[^\w\s])|`", "", ran.out))  # as Markdown is read
        assert SAID in read
        assert "fleet.toml:4" in read
        return
    (finding,) = (one for one in json.loads(ran.out)["findings"] if one["rule"] == "files")
    assert finding == {
        "rule": "files", "enforcement": "advisory", "key": "", "message": SAID, "source": "fleet.toml:4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("head", "instance_type", "said"),
    [
        ("", "ml.t3.medium", 'no policy applies: "policies/*.toml" matches no file, and policies names no other'),
        ('policies = []\ninclude = ["team/*.toml"]', "ml.t3.medium", '"team/*.toml" matches no file'),
        (
            "policies = []",
            "ml.m5.lagre",
            '"ml.m5.lagre" is not an instance type that appfleet knows. Did you mean "ml.m5.large"?',
        ),
        (
            'policies = []\n[domains.research.teams.t]\nmembers_file = "none.csv"',
            "ml.t3.medium",
            "none.csv names nobody",
        ),
    ],
)
def test_every_warning_of_the_files_is_a_finding_of_plan_and_run(
    run: Run, tmp_path: Path, head: str, instance_type: str, said: str
) -> None:
    write(tmp_path, head, instance_type)
    (tmp_path / "none.csv").write_text("username\n")
    assert said in run("validate").err
    for command in (("plan",), ("apply", "--yes", "--no-wait"), ("status",)):
        ran = run(*command, "--simulate")
        assert (ran.code, said in ran.out) == (0, True), ran
    assert said in run("iam-policy").err


def test_an_unknown_instance_type_of_a_remediation_is_warned_about(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "sizes.toml").write_text(
        '[[rule]]\nid = "sizes"\nenforcement = "remediate"\nset = { instance_type = "ml.m5.lagre" }\n'
    )
    ran = run("validate")
    assert 'policies/sizes.toml:4: warning: rule[0].set.instance_type: "ml.m5.lagre" is not an instance type' in ran.err
    assert 'Did you mean "ml.m5.large"?' in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("validate",),
        ("plan", "--simulate"),
        ("apply", "--yes", "--simulate"),
        ("status", "--simulate"),
        ("explain", KEY, "--simulate"),
    ],
)
def test_with_strict_a_warning_is_an_error_and_nothing_is_called(
    run: Run, tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    ran = run(*command, "--strict")
    assert (ran.code, SAID in ran.err, "warning:" in ran.err) == (64, True, False)
    # A run that was refused is in its history, what only looks leaves nothing, and neither made a world.
    made = {path.name for path in (tmp_path / ".appfleet").glob("*")}
    assert made == ({".gitignore", "journal.sqlite"} if command[0] == "apply" else set())
    monkeypatch.setenv("APPFLEET_STRICT", "true")
    assert run(*command).code == 64


def test_policies_that_are_meant_to_be_none_are_not_warned_about(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "policies = []")
    assert run("validate", "--strict").out.endswith("0 policy files; no problems.\n")


def test_many_warnings_are_counted_in_a_plan_and_listed_by_validate(run: Run, tmp_path: Path) -> None:
    users = "".join(
        f'[domains.research.users.u{n}]\napps = [{{ type = "Canvas", instance_type = "ml.new{n}.large" }}]\n'
        for n in range(30)
    )
    (tmp_path / "fleet.toml").write_text(FLEET.replace("HEAD", "policies = []").replace("TYPE", "ml.t3.medium") + users)
    found = [
        one["message"]
        for one in json.loads(run("plan", "--simulate", "--format", "json").out)["findings"]
        if one["rule"] == "files"
    ]
    assert len(found) == 21
    assert "10 more warnings: appfleet validate lists all" in found
    assert run("validate").err.count("is not an instance type that appfleet knows") == 30


def test_a_named_file_that_is_not_there_has_the_nearest_name(run: Run, tmp_path: Path) -> None:
    write(tmp_path, 'policies = ["rules/sizes.tml"]')
    (tmp_path / "rules" / "sizes.toml").write_text("")
    ran = run("validate")
    assert (ran.code, 'Did you mean "rules/sizes.toml"?' in ran.err) == (64, True)


def test_a_team_that_is_onboarded_hears_of_it_too(run: Run, tmp_path: Path) -> None:
    write(tmp_path, RULES + '\ninclude = ["teams/*.toml"]')
    ran = run("onboard", "vision", "--members", "ana", "--app", "lab", "--yes", "--simulate")
    assert SAID in ran.out, ran


EMPTY = ("", "# nothing yet\n", "[safety]\n")


@pytest.mark.parametrize("text", EMPTY)
def test_a_policy_file_that_holds_nothing_is_a_finding(run: Run, tmp_path: Path, text: str) -> None:
    write(tmp_path, 'policies = ["rules/*.toml"]')
    (tmp_path / "rules" / "guards.toml").write_text(text)
    ran = run("plan", "--simulate")
    assert ran.code == 0
    assert "this file holds no rule and no setting. It may have been cut off" in ran.out
    assert "rules/guards.toml:1" in ran.out
    assert run("plan", "--simulate", "--strict").code == 64


@pytest.mark.parametrize("head", ['policies = ["rules/*.toml"]', 'policies = ["rules/guards.test.toml"]'])
def test_a_pattern_of_policies_that_matches_only_tests_is_a_finding(run: Run, tmp_path: Path, head: str) -> None:
    write(tmp_path, head)
    (tmp_path / "rules" / "guards.test.toml").write_text("")
    ran = run("plan", "--simulate")
    assert ran.code == 0
    assert "matches no file but tests of policies (*.test.toml)" in ran.out


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[apps]\n"])
def test_an_included_file_that_declares_nothing_is_a_finding_and_refuses_prune(
    run: Run, tmp_path: Path, text: str
) -> None:
    write(tmp_path, 'policies = []\ninclude = ["teams/*.toml"]')
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "vision.toml").write_text(text)
    ran = run("plan", "--simulate")
    assert ran.code == 0
    assert "this file declares nothing. It may have been cut off" in ran.out
    assert "teams/vision.toml:1" in ran.out
    pruned = run("apply", "--simulate", "--prune", "--yes", "--no-wait")
    assert "nothing is pruned: fleet.toml:5: teams/vision.toml declares nothing" in pruned.out
