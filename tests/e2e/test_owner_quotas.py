"""The account's quotas of user profiles and spaces, in plans that make some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service import owner_operations
from engine.simulator.world.faults import FaultKind
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, OTHER_DOMAIN_ID, POLICY, QUICK, Place, fault, fleet_text, people

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROFILES = "Maximum number of Studio user profiles allowed per account"
SPACES = "Maximum number of Studio spaces allowed per account"
OTHERS = 120  # more than a page
QUICK_OWNERS = QUICK + "profile_pending = 0.05\nspace_pending = 0.05\n"


@pytest.fixture
def newcomers(tmp_path: Path) -> Iterator[Place]:
    """Yield a fleet of three people, of whom the first has a profile and no space, in an account with many others."""
    made, names = Place(tmp_path), people(OTHERS, "other")
    for domain_id in (DOMAIN_ID, OTHER_DOMAIN_ID):
        owner_operations.add_domain(made.world, domain_id, "eu-west-1", ACCOUNT)
    owner_operations.create_profile(made.world, made.world.domains[DOMAIN_ID], "u000", at_once=True)
    other = made.world.domains[OTHER_DOMAIN_ID]
    for name in names:
        owner_operations.create_profile(made.world, other, name, at_once=True)
    owner_operations.create_space(made.world, other, "theirs", owner=names[0], sharing="Private", at_once=True)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(POLICY + "[owners]\ncreate = true\n")
    (tmp_path / "fleet.toml").write_text(fleet_text(people(3)))
    made.scenario(QUICK_OWNERS)
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made


def of_owners(place: Place, *arguments: str) -> dict[str, tuple[object, ...]]:
    """Return what the plan says of the two quotas: value, used, wanted, fits and code, by bucket."""
    lines = place.run("plan", "--format", "json", *arguments).report["quotas"]
    return {
        line["bucket"]: (line["value"], line["used"], line["wanted"], line["fits"], line["code"])
        for line in lines
        if line["quota"] in {PROFILES, SPACES}
    }


def test_a_plan_that_makes_owners_says_whether_the_account_has_room_for_them(newcomers: Place) -> None:
    newcomers.scenario(f"{QUICK_OWNERS}[quotas]\nuser_profiles = {OTHERS + 2}\nspaces = 50\n")
    assert of_owners(newcomers) == {
        f"{ACCOUNT}/eu-west-1/user profiles": (OTHERS + 2, OTHERS + 1, 2, "no", "L-AC46C40F"),
        f"{ACCOUNT}/eu-west-1/spaces": (50, 1, 3, "yes", "L-8E5333B4"),
    }
    assert newcomers.only_looked()
    text = newcomers.run("plan").out
    assert "121 of 122 used  2 wanted  does not fit" in text
    assert f"{PROFILES} (L-AC46C40F)" in text
    assert "--quota-code L-AC46C40F --desired-value 123 --region eu-west-1" in text
    markdown = newcomers.run("plan", "--format", "markdown").out
    assert "111122223333/eu-west-1/user profiles" in markdown
    assert "--quota-code L-AC46C40F --desired-value 123" in markdown


def test_selectors_narrow_what_is_wanted_and_not_what_is_counted(newcomers: Place) -> None:
    assert of_owners(newcomers, "--space", "u000-lab") == {
        f"{ACCOUNT}/eu-west-1/spaces": (100_000, 1, 1, "yes", "L-8E5333B4"),
    }
    assert "ListUserProfiles" not in newcomers.calls()


def test_a_plan_that_makes_no_owner_asks_for_no_room(place: Place) -> None:
    assert of_owners(place) == {}
    assert "ListUserProfiles" not in place.calls()
    assert place.calls()["ListSpaces"]["ok"] == 1, "whether they are there"


@pytest.mark.parametrize(
    ("denied", "known"),
    [("ListServiceQuotas", (None, None, "unknown", "")), ("ListSpaces", (100_000, None, "unknown", "L-8E5333B4"))],
)
def test_what_cannot_be_read_is_unknown_and_holds_nothing_back(
    newcomers: Place, denied: str, known: tuple[object, ...]
) -> None:
    newcomers.scenario(QUICK_OWNERS + fault(FaultKind.ACCESS_DENIED, denied))
    report = newcomers.run("plan", "--space", "u000-lab", "--format", "json").report
    (line,) = [line for line in report["quotas"] if line["quota"] == SPACES]
    assert (line["value"], line["used"], line["fits"], line["code"]) == known
    (finding,) = [one for one in report["findings"] if one["rule"] == "quotas"]
    assert denied in finding["message"]
    assert report["applyable"]


def test_a_run_that_makes_owners_asks_as_well_and_the_next_one_does_not(newcomers: Place) -> None:
    assert newcomers.apply().code == 0
    assert newcomers.calls()["ListSpaces"]["ok"] >= 1
    newcomers.forget_calls()
    assert newcomers.apply().code == 0
    assert set(newcomers.calls()) == {"ListApps", "GetCallerIdentity"}
