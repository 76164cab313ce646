"""Domains that sign in through IAM Identity Center: each new profile needs its user name there."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from engine.simulator.scenario.snapshot import parse_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

FLEET = """
schema = 1
name = "small"
include = ["teams/*.toml"]
[apps.canvas]
type = "Canvas"
[domains.research]
id = "d-abcd1234efgh"
region = "eu-west-1"
"""
TEAM = """
[domains.research.teams.vision]
members_file = "people.csv"
user_apps = ["canvas"]
"""
SCENARIO = """
schema = 1
[[domain]]
id = "d-abcd1234efgh"
region = "eu-west-1"
name = "research"
auth_mode = "SSO"
"""
PEOPLE = "userPrincipalName,displayName\nana.silva@acme.example,Ana\nbo.li@acme.example,Bo\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "owners.toml").write_text("[owners]\ncreate = true\n")
    (tmp_path / "sso.toml").write_text(SCENARIO)
    (tmp_path / "people.csv").write_text(PEOPLE)
    return tmp_path


def new_profiles(ran: Ran) -> dict[str, Any]:
    owners = json.loads(ran.out)["owners"]
    return {one["name"]: one["after"].get("sso_identity") for one in owners if one["kind"] == "user"}


def test_onboarding_writes_the_addresses_and_the_profiles_are_made(run: Run, place: Path) -> None:
    given = ("onboard", "vision", "--members-file", "people.csv", "--app", "canvas", "--yes", "--simulate=sso.toml")
    ran = run(*given)
    assert ran.code == 0, ran
    text = (place / "teams" / "vision.toml").read_text()
    assert 'sso_identity = "ana.silva@acme.example"' in text
    assert run("status", "--simulate=sso.toml").code == 0
    again = run(*given)
    assert (again.code, "exists already with the same content" in again.err) == (0, True), again


def test_a_simulated_onboarding_assigns_the_users_and_the_next_one_finds_them_assigned(run: Run, place: Path) -> None:
    (place / "policies" / "owners.toml").write_text("[owners]\ncreate = true\nassign = true\n")
    given = ("onboard", "vision", "--members-file", "people.csv", "--app", "canvas", "--yes", "--simulate=sso.toml")
    ran = run(*given)
    assert (ran.code, "Note: 2 users assigned in IAM Identity Center" in ran.out) == (0, True), ran
    (kept,) = (place / ".appfleet").glob("*simul*")
    world = parse_world(kept.read_bytes())
    assert world.center.users_of(world.domains["d-abcd1234efgh"]) == ["ana.silva@acme.example", "bo.li@acme.example"]


def test_a_simulated_identity_store_has_the_users_that_the_scenario_names(run: Run, place: Path) -> None:
    (place / "sso.toml").write_text(f'{SCENARIO}[identity_center]\nusers = ["ana.silva@acme.example"]\n')
    given = ("onboard", "vision", "--members-file", "people.csv", "--app", "canvas", "--yes", "--simulate=sso.toml")
    ran = run(*given)
    assert ran.code == 3, ran
    assert "SingleSignOnUserValue [bo.li@acme.example] is not a user of the identity store" in ran.out
    (place / "sso.toml").write_text(f"{SCENARIO}[identity_center]\nusers = [7]\n")
    broken = run("plan", "--simulate=sso.toml")
    assert (broken.code, "identity_center.users" in broken.err) == (64, True), broken


def test_onboarding_a_domain_of_another_kind_writes_none(run: Run, place: Path) -> None:
    ran = run("onboard", "vision", "--members-file", "people.csv", "--app", "canvas", "--yes", "--simulate")
    assert ran.code == 0, ran
    assert "sso_identity" not in (place / "teams" / "vision.toml").read_text()


def test_a_profile_without_a_user_name_denies_the_plan_by_the_name_of_the_key(run: Run, place: Path) -> None:
    for command in (("plan",), ("apply", "--yes")):
        (place / "fleet.toml").write_text(FLEET + TEAM)
        (place / "people.csv").write_text("username\nana\n")
        ran = run(*command, "--simulate=sso.toml", "--format", "json")
        assert ran.code == 4, ran
        (finding,) = (one for one in json.loads(ran.out)["findings"] if one["enforcement"] == "mandatory")
        assert "1 user profile is to be made without sso_identity: ana." in finding["message"]
        assert 'sso_identity = "{member}@example.com" for the team or the domain' in finding["message"]
    calls = json.loads(ran.out)["calls"]
    assert "CreateUserProfile" not in calls


def test_an_onboarding_that_needs_a_line_in_its_file_goes_on_as_an_apply_of_the_team(run: Run, place: Path) -> None:
    ran = run("onboard", "vision", "--members", "ana", "--app", "canvas", "--yes", "--simulate=sso.toml")
    assert ran.code == 4, ran
    assert "then run: appfleet apply --simulate=sso.toml --domain research --team vision\n" in ran.out
    file = place / "teams" / "vision.toml"
    team = "[domains.research.teams.vision]\n"
    file.write_text(file.read_text().replace(team, team + 'sso_identity = "{member}@acme.example"\n'))
    gone_on = run("apply", "--simulate=sso.toml", "--domain", "research", "--team", "vision", "--yes")
    assert gone_on.code == 0, gone_on


@pytest.mark.parametrize(
    ("domain", "team", "table", "people", "expected"),
    [
        ("", "", "", PEOPLE, "ana.silva@acme.example"),
        ("", "", "", "username,sso_identity\nana-silva,S123\n", "S123"),
        ("", '"{member}@team.example"', "", "username\nana-silva\n", "ana-silva@team.example"),
        ('"{member}@domain.example"', "", "", "username\nana-silva\n", "ana-silva@domain.example"),
        ('"{member}@domain.example"', '"{member}@team.example"', "", "ana-silva\n", "ana-silva@team.example"),
        ("", '"{member}@team.example"', "", PEOPLE, "ana.silva@acme.example"),
        ("", '"{member}@team.example"', '"own"', PEOPLE, "own"),
        ("", "", '"{member}@own.example"', "ana-silva\n", "ana-silva@own.example"),
    ],
)
def test_the_nearest_layer_says_how_a_person_signs_in(
    run: Run, place: Path, domain: str, team: str, table: str, people: str, expected: str
) -> None:
    (place / "people.csv").write_text(people)
    text = FLEET + (f"sso_identity = {domain}\n" if domain else "") + TEAM
    text += f"sso_identity = {team}\n" if team else ""
    text += f"[domains.research.users.ana-silva]\nsso_identity = {table}\n" if table else ""
    (place / "fleet.toml").write_text(text)
    ran = run("plan", "--simulate=sso.toml", "--format", "json")
    assert new_profiles(ran)["ana-silva"] == expected


def test_an_address_is_not_sent_to_a_domain_that_takes_none(run: Run, place: Path) -> None:
    (place / "fleet.toml").write_text(FLEET + TEAM)
    ran = run("plan", "--simulate", "--format", "json")
    assert (ran.code, set(new_profiles(ran).values())) == (0, {None})


def test_a_user_name_for_a_domain_that_takes_none_denies_the_plan(run: Run, place: Path) -> None:
    (place / "fleet.toml").write_text(FLEET + TEAM + 'sso_identity = "{member}@team.example"\n')
    (place / "people.csv").write_text("ana\n")
    (place / "iam.toml").write_text((place / "sso.toml").read_text().replace('"SSO"', '"IAM"'))
    ran = run("plan", "--simulate=iam.toml")
    assert (ran.code, "has AuthMode IAM, which takes no sso_identity" in ran.out) == (4, True), ran
    shutil.rmtree(place / ".appfleet")
    assert run("plan", "--simulate").code == 0  # a world for this fleet signs in as the fleet says


def test_two_teams_that_say_different_things_are_an_error_that_names_both(run: Run, place: Path) -> None:
    (place / "people.csv").write_text("ana\n")
    other = TEAM.replace("vision", "watch") + 'sso_identity = "{member}@b.example"\n'
    (place / "fleet.toml").write_text(FLEET + TEAM + 'sso_identity = "{member}@a.example"\n' + other)
    ran = run("validate")
    assert ran.code == 64
    assert 'sso_identity of ana is "{member}@a.example" in fleet.toml:11' in ran.err


def test_a_team_whose_members_would_all_sign_in_as_one_is_refused(run: Run, place: Path) -> None:
    (place / "fleet.toml").write_text(FLEET + TEAM + 'sso_identity = "team@a.example"\n')
    ran = run("validate")
    assert (ran.code, '"team@a.example" is the same for everybody. Write {member} in it' in ran.err) == (64, True)
