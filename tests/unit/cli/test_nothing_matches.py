"""What a user names and nothing is called: 64 with the nearest name, never a success with nothing done."""

from __future__ import annotations

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
policies = []
include = ["teams/*.toml"]
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
[apps.canvas]
type = "Canvas"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
[domains.empty]
id = "d-000000000000"
region = "eu-west-1"
[domains.research.teams.vision]
members = ["pia", "bo"]
user_apps = ["canvas"]
[domains.research.teams.vision.spaces]
"{member}-lab" = { apps = ["lab"] }
[domains.research.teams.watchers]
members = ["pia"]
"""
LAB = "research/space/pia-lab/JupyterLab/default"
CANVAS = "research/user/pia/Canvas/default"


@pytest.fixture(autouse=True)
def _fleet(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)


@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes"), ("apply", "--dry-run"), ("status",)])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--team", "visoin"), 'no team matches "visoin". Did you mean vision?'),
        (("--team", "Vision"), 'no team matches "Vision". Did you mean vision? Upper and lower case count'),
        (("--domain", "reserach"), 'no domain matches "reserach". Did you mean research?'),
        (("--user", "pai"), 'no user profile matches "pai". Did you mean pia?'),
        (("--user", "PIA"), 'no user profile matches "PIA". Did you mean pia? Upper and lower case count'),
        (("--space", "pia"), 'no space matches "pia". Did you mean pia-lab?'),
        (("--space", "x*"), 'no space matches "x*". There are: bo-lab, pia-lab'),
        (("--app-type", "JupyterLap"), 'no app type matches "JupyterLap". Did you mean JupyterLab?'),
        (("--key", LAB.replace("pia", "pai")), f"matches no declared or existing app. Did you mean {LAB}?"),
        (("--key", LAB.replace("space", "user")), f"matches no declared or existing app. Did you mean {LAB}?"),
        (("--key", CANVAS.replace("pia", "Pia")), f"matches no declared or existing app. Did you mean {CANVAS}?"),
        (("--key", CANVAS.replace("research", "reserch")), 'no domain matches "reserch". Did you mean research?'),
        (("--team", "vision", "--team", "visoin"), 'no team matches "visoin"'),
        (("--team", "vision", "--space", "nobody"), 'no space matches "nobody"'),
        (("--domain", "empty", "--user", "pia"), "no app matches all of --domain empty --user pia"),
    ],
)
def test_a_selector_that_matches_nothing_is_refused(
    run: Run, command: tuple[str, ...], given: tuple[str, ...], said: str
) -> None:
    ran = run(*command, "--simulate", *given)
    assert ran.code == 64, ran
    assert said in ran.err


@pytest.mark.parametrize(
    "given",
    [
        ("--team", "vision"),
        ("--team", "watchers"),  # its people's apps are counted under their first team
        ("--domain", "empty"),
        ("--domain", "*"),
        ("--user", "p*"),
        ("--space", "*-lab"),
        ("--app-type", "Canvas"),
        ("--key", LAB),
        ("--user", "pia", "--space", "bo-lab"),
    ],
)
def test_a_selector_that_matches_something_declared_passes(run: Run, given: tuple[str, ...]) -> None:
    assert run("plan", "--simulate", *given).code == 0


def test_a_selector_that_matches_an_app_that_nobody_declares_passes(run: Run, tmp_path: Path) -> None:
    assert run("apply", "--yes", "--no-wait", "--simulate", "--user", "pia", "--user", "bo").code == 0
    (tmp_path / "fleet.toml").write_text(FLEET.replace('["pia", "bo"]', '["pia"]'))
    for given in (("--user", "bo"), ("--key", CANVAS.replace("pia", "bo"))):
        ran = run("status", "--simulate", *given)
        assert ran.code == 0, ran
    assert run("explain", CANVAS.replace("pia", "bo"), "--simulate").code == 0
    assert run("plan", "--simulate", "--prune", "--user", "bo").code == 0


@pytest.mark.parametrize("flag", ["--replace", "--allow-destructive"])
@pytest.mark.parametrize("command", [("plan",), ("apply", "--yes")])
def test_a_key_of_a_flag_that_names_nothing_is_refused(run: Run, command: tuple[str, ...], flag: str) -> None:
    ran = run(*command, "--simulate", flag, CANVAS.replace("pia", "pai"))
    assert ran.code == 64
    assert f"{flag} {CANVAS.replace('pia', 'pai')} matches no declared or existing app. Did you mean" in ran.err


def test_a_key_with_a_typo_is_not_explained_away(run: Run) -> None:
    ran = run("explain", CANVAS.replace("Canvas", "Canvsa"), "--simulate")
    assert (ran.code, ran.out) == (64, "")
    assert f"Did you mean {CANVAS}?" in ran.err


def test_a_user_profile_in_another_case_is_explained_as_declared(run: Run) -> None:
    ran = run("explain", CANVAS.replace("pia", "PIA"), "--simulate")
    assert (ran.code, CANVAS in ran.out, "create the app" in ran.out) == (0, True, True), ran


def test_a_run_with_a_typo_has_the_nearest_one(run: Run) -> None:
    assert run("apply", "--yes", "--no-wait", "--simulate", "--user", "pia").code == 0
    name = run("history").out.split("\n")[1].split()[0]
    wrong = name[:-1] + ("0" if name[-1] != "0" else "1")
    # To undo a run with a similar name would delete what another one made.
    for command, has_guess in ((("report", wrong), True), (("onboard", "--undo", wrong, "--yes"), False)):
        ran = run(*command)
        assert (ran.code, f"Did you mean {name}?" in ran.err) == (64, has_guess), ran
    assert run("apply", "--yes", "--no-wait", "--simulate", "--user", "pia").code == 0
    assert "runs begin with 20. Type more of it: 20" in run("report", "20").err


def test_a_team_with_a_typo_has_the_nearest_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "offboarded").mkdir()
    (tmp_path / "offboarded" / "speech.toml").write_text("")
    assert "Did you mean vision?" in run("offboard", "visoin", "--yes", "--simulate").err
    assert "Did you mean speech?" in run("offboard", "speach", "--yes", "--simulate").err
    for given in (("--like", "visoin"), ("--app", "lba")):
        ran = run("onboard", "new", "--domain", "research", "--members", "zoe", *given, "--yes", "--simulate")
        assert (ran.code, "Did you mean" in ran.err) == (64, True)
    assert not (tmp_path / "teams").exists()
