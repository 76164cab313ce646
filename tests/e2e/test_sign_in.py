"""Identity Center: a team from the export of an identity provider to people who can sign in, over loopback."""

from __future__ import annotations

import csv
import signal
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service import owner_operations
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, Place, fault, until
from tests.e2e.test_onboarding import CREATES, FLEET, PEOPLE, QUICK_OWNERS, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engine.simulator.world.world import World
    from tests.e2e.harness import Ran

ONBOARD = ("onboard", "vision", "--members-file", "people.csv", "--app", "canvas", "--app", "lab", "--yes")
NAMES = [f"person-{number:02}" for number in range(PEOPLE)]
WRITES = {"CreateUserProfile", "CreateSpace", "CreateApp", "CreateApplicationAssignment"}


def address(number: int) -> str:
    return f"person.{number:02}@corp.example"


def entra(number: int) -> dict[str, str]:
    return {
        "userPrincipalName": address(number),
        "displayName": f"Person {number}",
        "surname": f"{number}",
        "id": f"0000-{number}",
        "accountEnabled": "True",
    }


def okta(number: int) -> dict[str, str]:
    return {"login": address(number), "firstName": "Person", "lastName": f"{number}", "status": "ACTIVE"}


def google(number: int) -> dict[str, str]:
    return {
        "First Name [Required]": "Person",
        "Last Name [Required]": f"{number}",
        "Email Address [Required]": address(number),
        "Status [READ ONLY]": "Active",
    }


def table(folder: Path, row_of: Callable[[int], dict[str, str]], *, without: Sequence[str] = ()) -> None:
    """Write the export of an identity provider, as it names its columns."""
    rows = [row_of(number) for number in range(PEOPLE)]
    rows = [{name: value for name, value in row.items() if name not in without} for row in rows]
    with (folder / "people.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Yield a fleet that makes owners and assigns users, and an empty domain of IAM Identity Center."""
    made = Place(tmp_path)
    owner_operations.add_domain(made.world, DOMAIN_ID, "eu-west-1", ACCOUNT, name="research", auth_mode="SSO")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(f"{CREATES}assign = true\n")
    (tmp_path / "fleet.toml").write_text(FLEET)
    made.scenario(QUICK_OWNERS)
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made


def assigned(place: Place) -> list[str]:
    return place.within(lambda world: sorted(world.center.users_of(world.domains[DOMAIN_ID])))


def identities(place: Place) -> dict[str, str]:
    def read(world: World) -> dict[str, str]:
        return {one.name: one.sso_value for one in world.domains[DOMAIN_ID].profiles.values()}

    return place.within(read)


@pytest.mark.parametrize("row_of", [entra, okta, google], ids=lambda row_of: row_of.__name__)
def test_the_export_of_an_identity_provider_becomes_forty_people_who_can_sign_in(
    place: Place, row_of: Callable[[int], dict[str, str]]
) -> None:
    table(place.folder, row_of)
    ran = place.run(*ONBOARD)
    assert ran.code == 0, ran.out + ran.err
    assert counted(place) == (40, 40, 80)
    wanted = dict(zip(NAMES, map(address, range(PEOPLE)), strict=True))
    assert identities(place) == wanted
    assert assigned(place) == sorted(wanted.values())
    assert "Note: 40 users assigned in IAM Identity Center" in ran.out
    calls = place.calls()
    assert [calls[name]["ok"] for name in ("ListInstances", "GetUserId", "CreateApplicationAssignment")] == [1, 40, 40]
    written = tomllib.loads((place.folder / "teams" / "vision.toml").read_text())
    users = written["domains"]["research"]["users"]
    assert {name: table["sso_identity"] for name, table in users.items()} == wanted

    place.forget_calls()
    again = place.run(*ONBOARD)
    assert again.code == 0, again.out
    assert set(place.calls()) <= {"ListApps", "GetCallerIdentity", "DescribeDomain"}


def test_a_later_run_has_the_identities_from_the_written_file(place: Place) -> None:
    table(place.folder, entra)
    place.scenario(QUICK_OWNERS + fault("access-denied", "CreateUserProfile"))
    assert place.run(*ONBOARD).code == 3
    assert (identities(place), assigned(place)) == ({}, [])
    place.scenario(QUICK_OWNERS)
    (place.folder / "people.csv").unlink()
    ran = place.run("apply", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert identities(place)["person-07"] == address(7)
    assert len(assigned(place)) == 40


@pytest.mark.parametrize(
    ("row_of", "without"),
    [
        (entra, ("userPrincipalName",)),
        (okta, ("login",)),
        (google, ("Email Address [Required]",)),
    ],
    ids=["entra", "okta", "google"],
)
def test_the_same_table_without_addresses_is_refused_before_anything_is_made(
    place: Place, row_of: Callable[[int], dict[str, str]], without: Sequence[str]
) -> None:
    table(place.folder, lambda number: {"username": NAMES[number], **row_of(number)}, without=without)
    ran = place.run(*ONBOARD, "--format", "json")
    assert ran.code == 4, ran.out + ran.err
    assert "40 user profiles are to be made without sso_identity" in ran.out
    assert not WRITES & set(place.calls())
    assert "GetUserId" not in place.calls()


def findings(ran: Ran) -> list[str]:
    rows: list[dict[str, Any]] = ran.report["findings"]
    return [row["message"] for row in rows if row["rule"] == "assign"]


def test_what_is_denied_costs_nobody_the_profile_and_the_command_for_each_is_in_the_report(place: Place) -> None:
    table(place.folder, entra)
    place.scenario(QUICK_OWNERS + fault("access-denied", "CreateApplicationAssignment"))
    ran = place.run(*ONBOARD, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert counted(place) == (40, 40, 80)
    assert ran.report["calls"]["CreateApplicationAssignment"] == {"access_denied": 1}
    said = findings(ran)
    assert all(sum(address(number) in message for message in said) == 1 for number in range(PEOPLE))
    assert all("; done" in message for message in said if address(0) in message)
    assert any("Allow sso:CreateApplicationAssignment to the caller" in message for message in said)


def test_a_user_whom_the_identity_store_does_not_have_is_named(place: Place) -> None:
    table(place.folder, entra)
    have = [address(number) for number in range(PEOPLE) if number != 7]
    place.scenario(QUICK_OWNERS + f"[identity_center]\nusers = {have}\nprofiles_need_users = false\n")
    ran = place.run(*ONBOARD, "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert (counted(place), assigned(place)) == ((40, 40, 80), have)
    (message,) = findings(ran)
    assert "the identity store has no user of that name yet" in message
    assert message.count("corp.example") == 1


def test_a_plan_says_how_many_are_assigned_and_only_where_some_are(place: Place) -> None:
    table(place.folder, entra)
    members = 'members_file = "people.csv"\nuser_apps = ["canvas"]\n'
    file = place.folder / "fleet.toml"
    file.write_text(FLEET.replace("[apps.canvas]", f"[domains.research.teams.vision]\n{members}[apps.canvas]"))
    text, page, document = (place.run("plan", "--format", form) for form in ("text", "markdown", "json"))
    assert "40 users assigned in IAM Identity Center" in text.out
    assert "40 user profiles to make; 40 users to assign" in text.out
    assert "40 users assigned in IAM Identity Center" in page.out
    entries = document.report["owners"]
    assert {entry["assigned_to"].split("/")[2][:4] for entry in entries} == {"apl-"}
    assert not WRITES & set(place.calls())
    (place.folder / "policies" / "execution.toml").write_text(CREATES)
    without = place.run("plan", "--format", "json").report
    assert all("assigned_to" not in entry for entry in without["owners"])
    assert any("[owners] assign = true in a policy" in finding["message"] for finding in without["findings"])


def test_a_saved_plan_assigns_as_it_said(place: Place) -> None:
    table(place.folder, okta)
    members = 'members_file = "people.csv"\nuser_apps = ["canvas"]\n'
    file = place.folder / "fleet.toml"
    file.write_text(FLEET.replace("[apps.canvas]", f"[domains.research.teams.vision]\n{members}[apps.canvas]"))
    assert place.run("plan", "--out", "plan.json").code == 0
    ran = place.run("apply", "plan.json", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert len(assigned(place)) == 40


def team_of(place: Place) -> None:
    """Declare the people of the table as a team, without onboarding it."""
    table(place.folder, entra)
    members = 'members_file = "people.csv"\nuser_apps = ["canvas"]\n'
    file = place.folder / "fleet.toml"
    file.write_text(FLEET.replace("[apps.canvas]", f"[domains.research.teams.vision]\n{members}[apps.canvas]"))


def kill_before_assigning(place: Place) -> None:
    """Make the profiles of the team, and kill the run that was to assign their users."""
    team_of(place)
    place.scenario(QUICK_OWNERS + fault("stall-after", "CreateApplicationAssignment"))
    with place.start("apply", "--yes") as running:
        until(lambda: counted(place)[0] == PEOPLE, "every profile is in service")
        running.signal(signal.SIGKILL)
        running.end()
    place.scenario(QUICK_OWNERS)


def test_whom_a_killed_run_did_not_come_to_assign_the_next_one_assigns(place: Place) -> None:
    kill_before_assigning(place)
    plan = place.run("plan").out
    assert "assign the users of 40 user profiles in domain research: " in plan
    assert "40 users to assign" in plan
    assert place.run("plan", "--detailed-exitcode").code == 2
    ran = place.run("apply", "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert assigned(place) == sorted(map(address, range(PEOPLE)))
    assert "40 users assigned in IAM Identity Center" in ran.out
    place.forget_calls()
    assert place.run("apply", "--yes").code == 0
    assert set(place.calls()) == {"GetCallerIdentity", "ListApps"}, "what is done is not asked about again"


def test_a_user_who_comes_to_the_identity_store_later_is_assigned_then(place: Place) -> None:
    team_of(place)
    have = [address(number) for number in range(PEOPLE) if number != 7]
    store = f"[identity_center]\nusers = {have}\nprofiles_need_users = false\n"
    place.scenario(QUICK_OWNERS + store)
    first = place.run("apply", "--yes", "--format", "json")
    assert first.code == 0, first.out + first.err
    assert "The next run tries again" in findings(first)[0]

    def provision(world: World) -> None:
        world.center.users = None  # everybody who is asked for

    place.within(provision)
    assert place.run("apply", "--yes").code == 0
    assert assigned(place) == sorted(map(address, range(PEOPLE)))


def test_what_was_denied_is_said_once_and_left_to_the_command(place: Place) -> None:
    team_of(place)
    place.scenario(QUICK_OWNERS + fault("access-denied", "CreateApplicationAssignment"))
    assert place.run("apply", "--yes").code == 0
    place.scenario(QUICK_OWNERS)
    assert "to assign" not in place.run("plan").out
    assert assigned(place) == []


def test_a_profile_that_somebody_else_made_anew_has_nobody_assigned(place: Place) -> None:
    kill_before_assigning(place)

    def make_anew(world: World) -> None:
        for profile in world.domains[DOMAIN_ID].profiles.values():
            profile.tags.clear()

    place.within(make_anew)
    assert place.run("apply", "--yes").code == 0
    assert assigned(place) == []
    place.forget_calls()
    assert place.run("apply", "--yes").code == 0
    assert set(place.calls()) == {"GetCallerIdentity", "ListApps"}


def test_where_nobody_may_read_how_people_sign_in_it_is_said_that_none_is_assigned(place: Place) -> None:
    team_of(place)
    place.scenario(QUICK_OWNERS + fault("access-denied", "DescribeDomain"))
    for command in (("plan",), ("apply", "--yes")):
        said = place.run(*command).out
        assert "how people sign in to domain research could not be read (DescribeDomain failed with" in said
        assert "appfleet assigns none of their users" in said


def test_a_policy_that_assigns_and_makes_nobody_is_a_warning(place: Place) -> None:
    policy = place.folder / "policies" / "execution.toml"
    policy.write_text(policy.read_text().replace("create = true", "create = false"))
    ran = place.run("validate")
    assert ran.code == 0
    assert "owners.assign: assigns nobody while create is false" in ran.err
