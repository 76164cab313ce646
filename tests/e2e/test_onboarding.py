"""A team from a list of names to running apps in one command, and out again, as processes before a simulator."""

from __future__ import annotations

import signal
import tomllib
from typing import TYPE_CHECKING

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.world.faults import FaultKind
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, POLICY, QUICK, Place, fault, people, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.simulator.world.world import World
    from tests.e2e.harness import Ran

PEOPLE = 40
FLEET = f"""schema = 1
name = "e2e"
include = ["teams/*.toml"]
[domains.research]
id = "{DOMAIN_ID}"
region = "eu-west-1"
account = "{ACCOUNT}"
[apps.canvas]
type = "Canvas"
[apps.lab]
type = "JupyterLab"
instance_type = "ml.t3.medium"
[apps.gpu]
type = "JupyterLab"
instance_type = "ml.g5.xlarge"
"""
CREATES = POLICY + "[owners]\ncreate = true\n"
QUICK_OWNERS = QUICK + "profile_pending = 0.05\nspace_pending = 0.05\nprofile_deleting = 0.05\nspace_deleting = 0.05\n"
ALL_ARGS = ("onboard", "vision", "--members-file", "people.csv", "--app", "canvas", "--app", "lab", "--yes")


def make_domain(world: World) -> None:
    from engine.simulator.service import owner_operations

    owner_operations.add_domain(world, DOMAIN_ID, "eu-west-1", ACCOUNT, name="research")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Place]:
    """Yield a fleet that may make owners, a list of forty names, and a domain with nobody in it."""
    made = Place(tmp_path)
    make_domain(made.world)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(CREATES)
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "people.csv").write_text("\ufeffName;Mail\n" + "".join(f"{name};x\n" for name in people(PEOPLE)))
    made.scenario(QUICK_OWNERS)
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made


def report_of(ran: Ran) -> dict[str, object]:
    assert ran.out, ran.err
    return ran.report


def counted(place: Place) -> tuple[int, int, int]:
    """Count profiles and spaces in service, and apps in service."""

    def count(world: World) -> tuple[int, int, int]:
        domain = world.domains[DOMAIN_ID]
        served = [app for app in world.apps.values() if app.status == "InService"]
        profiles = [one for one in domain.profiles.values() if one.status == "InService"]
        spaces = [one for one in domain.spaces.values() if one.status == "InService"]
        return len(profiles), len(spaces), len(served)

    return place.within(count)


def test_a_list_of_forty_names_becomes_running_apps_and_the_second_run_only_lists(empty: Place) -> None:
    empty.hasty = False
    ran = empty.run(*ALL_ARGS, APPFLEET_LOG_LEVEL="debug")
    assert ran.code == 0, ran.out + ran.err
    assert counted(empty) == (40, 40, 80)
    calls = empty.calls()
    assert [calls[name]["ok"] for name in ("CreateUserProfile", "CreateSpace", "CreateApp")] == [40, 40, 80]
    assert "ThrottlingException" not in str(calls)
    ends = [line for line in ran.out.splitlines() if line.startswith("u0")]
    assert len(ends) == 40
    assert all("Canvas default: created" in line and f"in space {line[:4]}-lab" in line for line in ends)

    settled = {event["key"]: event["ts"] for event in ran.events("owner.settled")}
    started = {event["key"]: event["ts"] for event in ran.events("app.create_started")}
    spaces = {e["key"]: e["ts"] for e in ran.events("owner.call_started") if e["operation"] == "CreateSpace"}
    assert len(settled) == 80
    for name in people(PEOPLE):
        assert spaces[f"research/space/{name}-lab"] >= settled[f"research/user/{name}"]
        assert started[f"research/space/{name}-lab/JupyterLab/default"] >= settled[f"research/space/{name}-lab"]
        assert started[f"research/user/{name}/Canvas/default"] >= settled[f"research/user/{name}"]

    tags = empty.within(lambda world: dict(world.domains[DOMAIN_ID].spaces["u000-lab"].tags))
    assert tags == {"appfleet:managed-by": "e2e"}
    document = tomllib.loads((empty.folder / "teams" / "vision.toml").read_text())
    assert document["domains"]["research"]["teams"]["vision"]["members"] == people(PEOPLE)

    page = empty.run("report")
    assert page.code == 0, page.err
    assert "40 user profiles and 40 spaces created" in page.out

    empty.forget_calls()
    again = empty.run(*ALL_ARGS)
    assert again.code == 0, again.out
    assert set(empty.calls()) <= {"ListApps", "GetCallerIdentity"}


def test_after_a_kill_half_way_the_same_command_goes_on(empty: Place) -> None:
    empty.scenario(QUICK_OWNERS + "[request_limits.CreateSpace]\nrate = 20\nburst = 1\n")
    with empty.start(*ALL_ARGS) as running:
        until(lambda: empty.calls().get("CreateSpace", {}).get("ok", 0) > 10, "spaces are being made")
        running.signal(signal.SIGKILL)
        running.end()
    assert counted(empty)[2] < 80
    ran = empty.run(*ALL_ARGS)
    assert ran.code == 0, ran.out + ran.err
    assert counted(empty) == (40, 40, 80)
    assert empty.calls()["CreateApp"]["ok"] == 80


@pytest.mark.slow
def test_a_tenth_of_the_calls_failing_keeps_nobody_out(empty: Place) -> None:
    """However long it takes: on a busy machine a create that was lost twice is not settled within 20 s."""
    patient = CREATES.replace('give_up_after = "20s"', 'give_up_after = "1h"')
    assert patient != CREATES
    (empty.folder / "policies" / "execution.toml").write_text(patient)
    faults = fault("reset-after", "Create*", probability=0.05) + fault("unavailable", "*", probability=0.05)
    empty.scenario(QUICK_OWNERS + faults)
    ran = empty.run(*ALL_ARGS)
    assert ran.code == 0, ran.out + ran.err
    assert counted(empty) == (40, 40, 80)


def test_a_quota_for_half_is_given_by_priority_and_the_rest_is_parked_and_named(empty: Place) -> None:
    rules = "[[priority]]\nmatch = 'owner >= \"u020\"'\nweight = 10\n"
    (empty.folder / "policies" / "rules.toml").write_text(rules)
    empty.scenario(QUICK_OWNERS + '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.g5.xlarge"\nvalue = 20\n')
    args = ("onboard", "vision", "--members-file", "people.csv", "--app", "gpu", "--yes", "--format", "json")
    ran = empty.run(*args)
    assert ran.code == 3, ran.out + ran.err
    outcomes = ran.outcomes()
    first = {key for key, outcome in outcomes.items() if outcome == "created"}
    assert first == {f"research/space/u0{number}-gpu/JupyterLab/default" for number in range(20, 40)}
    assert sum(outcome == "parked" for outcome in outcomes.values()) == 20


def test_without_leave_to_make_owners_each_missing_one_is_named_with_what_to_set(empty: Place) -> None:
    (empty.folder / "policies" / "execution.toml").write_text(POLICY)
    ran = empty.run("onboard", "vision", "--members", "ann,bob", "--app", "lab", "--yes", "--format", "json")
    assert ran.code == 3, ran.out + ran.err
    findings = report_of(ran)["findings"]
    assert {finding["key"] for finding in findings} == {"research/space/ann-lab", "research/space/bob-lab"}  # type: ignore[attr-defined]
    assert "[owners] create = true" in ran.out
    assert set(ran.outcomes().values()) == {"skipped"}
    assert not any(name.startswith("Create") for name in empty.calls())


def test_undo_takes_back_what_a_run_made_and_nothing_else(empty: Place) -> None:
    first = empty.run("onboard", "vision", "--members", "ann,bob", "--app", "lab", "--yes", "--format", "json")
    assert first.code == 0, first.err
    empty.put_app("research/user/ann/Canvas/default", "")
    covering = ("--yes", "--allow-destructive", "research/*=5")  # all but the profile with the other app
    undone = empty.run("onboard", "--undo", str(report_of(first)["run_id"]), *covering, "--format", "json")
    assert undone.code == 3, undone.out + undone.err
    assert {key: end for key, end in undone.outcomes().items() if end != "unchanged"} == {
        "research/space/ann-lab/JupyterLab/default": "deleted",
        "research/space/bob-lab/JupyterLab/default": "deleted",
    }
    assert empty.status_of("research/user/ann/Canvas/default") == "InService"
    assert counted(empty) == (1, 0, 1)
    unknown = empty.run("onboard", "--undo", "no-such-run", "--yes")
    assert unknown.code == 64


def test_undo_takes_back_what_a_run_sent_and_never_saw(empty: Place) -> None:
    """Two signals while CreateApp has no answer: the app is there all the same, and it goes."""
    empty.scenario(QUICK_OWNERS + fault("stall-after", "CreateApp"))
    with empty.start("onboard", "vision", "--members", "ann", "--app", "lab", "--yes", "--format", "json") as running:
        until(lambda: empty.calls().get("CreateApp", {}).get("fault:stall-after", 0) == 1, "its create hangs")
        running.signal(signal.SIGINT)
        until(lambda: '"run.interrupted"' in running.log_text(), "the first signal was taken")
        running.signal(signal.SIGINT)
        first = running.end()
    empty.scenario(QUICK_OWNERS)
    covering = ("--yes", "--allow-destructive", "research/*=3")
    undone = empty.run("onboard", "--undo", str(report_of(first)["run_id"]), *covering, "--format", "json")
    key = "research/space/ann-lab/JupyterLab/default"
    assert (undone.code, undone.outcomes().get(key)) == (0, "deleted"), undone.out + undone.err
    assert empty.status_of(key) == "Deleted"


def test_a_profile_that_stays_is_no_good_end_and_the_next_command_is_the_same(empty: Place) -> None:
    """Somebody opened an app by hand: neither the run that meets it nor the next one says that all is done."""
    assert empty.run("onboard", "vision", "--members", "ann", "--app", "lab", "--yes").code == 0
    (empty.folder / "offboarded").mkdir()
    (empty.folder / "teams" / "vision.toml").rename(empty.folder / "offboarded" / "vision.toml")
    empty.put_app("research/user/ann/Canvas/default", "")
    typed = "appfleet offboard vision --owners --yes"  # what it allows is used up, and would be refused
    for more in ("--allow-destructive *=2", ""):
        ran = empty.run(*typed.split()[1:], *more.split())
        assert ran.code == 3, ran.out + ran.err
        assert "user profile ann is not deleted: an app that this plan does not delete lives in it" in ran.out
        assert f"Next: fix the problems above (finished apps are kept), then run: {typed}\n" in ran.out
        assert "1 user profile or space not deleted" in ran.err


@pytest.mark.parametrize("listing", ["ListSpaces", "ListUserProfiles"])
def test_what_a_listing_leaves_out_goes_with_its_team_all_the_same(empty: Place, listing: str) -> None:
    """Listings lag behind what was made just now."""
    assert empty.run("onboard", "vision", "--members", "ann", "--app", "lab", "--yes").code == 0
    (empty.folder / "offboarded").mkdir()
    (empty.folder / "teams" / "vision.toml").rename(empty.folder / "offboarded" / "vision.toml")
    empty.scenario(QUICK_OWNERS + fault("missing-rows", listing))
    ran = empty.run("offboard", "vision", "--owners", "--yes", "--allow-destructive", "*=3")
    assert ran.code == 0, ran.out + ran.err
    assert counted(empty) == (0, 0, 0)


def test_a_team_goes_in_reverse_order_and_only_when_no_file_declares_it(empty: Place) -> None:
    assert empty.run("onboard", "vision", "--members", "ann,bob", "--app", "lab", "--yes").code == 0
    assert empty.run("onboard", "speech", "--members", "bob", "--app", "canvas", "--yes").code == 0
    refused = empty.run("offboard", "vision", "--owners", "--yes")
    assert refused.code == 64
    assert "teams/vision.toml:" in refused.err
    (empty.folder / "offboarded").mkdir()
    (empty.folder / "teams" / "vision.toml").rename(empty.folder / "offboarded" / "vision.toml")
    bare = empty.run("offboard", "vision", "--owners", "--yes")
    assert bare.code == 4, bare.err
    assert "--allow-destructive 'research/*=5'" in bare.err  # two labs and three owners: bob is in another team
    ran = empty.run(
        "offboard", "vision", "--owners", "--yes", "--allow-destructive", "research/*=5", "--format", "json"
    )
    assert ran.code == 0, ran.out + ran.err
    ended = {entry["owner"]: entry["outcome"] for entry in report_of(ran)["owners"]}  # type: ignore[attr-defined]
    assert ended == {
        "research/user/ann": "deleted",
        "research/space/ann-lab": "deleted",
        "research/space/bob-lab": "deleted",
    }
    assert counted(empty) == (1, 0, 1)


@pytest.fixture
def leaving(empty: Place) -> Place:
    """A team of one person, made, and about to leave."""
    assert empty.run("onboard", "vision", "--members", "ann", "--app", "lab", "--yes").code == 0
    (empty.folder / "offboarded").mkdir()
    (empty.folder / "teams" / "vision.toml").rename(empty.folder / "offboarded" / "vision.toml")
    return empty


def offboard(place: Place, count: int) -> Ran:
    allowed = ("--allow-destructive", f"research/*={count}") if count else ()
    return place.run("offboard", "vision", "--owners", "--yes", *allowed, "--format", "json")


@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.UNAVAILABLE])
def test_a_tag_that_cannot_be_read_at_once_is_asked_for_again_before_a_team_goes(
    leaving: Place, kind: FaultKind
) -> None:
    leaving.scenario(QUICK_OWNERS + fault(kind, "ListTags", max_count=1))
    ran = offboard(leaving, 3)
    assert ran.code == 0, ran.out + ran.err
    assert counted(leaving) == (0, 0, 0)


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"appfleet:managed-by": "others"}, "names the fleet 'others'. Offboard it from that fleet"),
        ({}, "has no tag appfleet:managed-by, so appfleet did not make it"),
    ],
)
def test_a_space_that_somebody_else_tagged_stays_and_it_is_said_whose_it_is(
    leaving: Place, tags: dict[str, str], why: str
) -> None:
    def retag(world: World) -> None:
        world.domains[DOMAIN_ID].spaces["ann-lab"].tags = dict(tags)

    leaving.within(retag)
    ran = offboard(leaving, 1)
    assert counted(leaving) == (1, 1, 0)
    messages = [finding["message"] for finding in ran.report["findings"]]
    assert any("space ann-lab is not deleted" in message and why in message for message in messages), messages
    assert "DeleteSpace" not in leaving.calls()


def test_a_space_whose_tag_may_not_be_read_stays_and_nobody_says_that_appfleet_did_not_make_it(leaving: Place) -> None:
    leaving.scenario(QUICK_OWNERS + fault(FaultKind.ACCESS_DENIED, "ListTags"))
    ran = offboard(leaving, 0)
    messages = [finding["message"] for finding in ran.report["findings"]]
    assert any("could not be read" in message and "sagemaker:ListTags" in message for message in messages), ran.out
    assert "did not make it" not in ran.out
    assert counted(leaving)[:2] == (1, 1)


def test_a_team_does_not_go_in_a_freeze(empty: Place) -> None:
    assert empty.run("onboard", "vision", "--members", "ann", "--app", "lab", "--yes").code == 0
    (empty.folder / "offboarded").mkdir()
    (empty.folder / "teams" / "vision.toml").rename(empty.folder / "offboarded" / "vision.toml")
    freeze = '[safety]\nfreeze = ["2026-01-01/2099-12-31 Europe/Berlin"]\n'
    (empty.folder / "policies" / "freeze.toml").write_text(freeze)
    for more in (("--owners", "--allow-destructive", "*=3"), ()):
        ran = empty.run("offboard", "vision", "--yes", *more)
        assert ran.code == 4, ran.out + ran.err
        assert "would be deleted, and nothing is until Fri 2100-01-01 00:00 Europe/Berlin" in ran.out
        assert "put off" not in ran.out
    assert counted(empty) == (1, 1, 1)
