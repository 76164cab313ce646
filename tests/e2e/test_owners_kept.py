"""User profiles and spaces kept as declared, as processes before a simulator: reported, updated, remembered."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.world.faults import FaultKind
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, POLICY, QUICK, Place, fault, fleet_text, people, until
from tests.e2e.test_onboarding import make_domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engine.simulator.world.world import World

PEOPLE = 100
CHANGED = 30
LOOKS = {"GetCallerIdentity", "ListApps"}
OWNERS = POLICY + "[owners]\ncreate = true\n"
UPDATES = OWNERS + "update = true\n"
QUICK_OWNERS = QUICK + "".join(
    f"{owner}_{what} = 0.02\n" for owner in ("profile", "space") for what in ("pending", "updating", "deleting")
)


def fleet_of(
    count: int, idle: Sequence[int] = (), ebs: Sequence[int] = (), lab: str = 'instance_type = "ml.t3.medium"'
) -> str:
    """Return a fleet of one team; `idle` and `ebs` are of the spaces of its first people."""
    names = people(count)
    tables = [
        f"[domains.research.spaces.{name}-lab]\n{key} = {value}\n"
        for key, values in (("idle_minutes", idle), ("ebs_gb", ebs))
        for name, value in zip(names, values, strict=False)
    ]
    return fleet_text(names, more="".join(tables), lab=lab)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Yield a folder without a fleet yet, and a domain with nobody in it."""
    made = Place(tmp_path)
    make_domain(made.world)
    (tmp_path / "policies").mkdir()
    made.scenario(QUICK_OWNERS)
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made


def write(place: Place, fleet: str, policy: str = UPDATES) -> None:
    """Write the files, and leave the world alone."""
    (place.folder / "policies" / "execution.toml").write_text(policy)
    (place.folder / "fleet.toml").write_text(fleet)


def made(place: Place, fleet: str, policy: str = UPDATES) -> None:
    """Make everything of a fleet."""
    write(place, fleet, policy)
    ran = place.apply()
    assert ran.code == 0, ran.err
    place.forget_calls()


def idle_of(place: Place, space: str) -> int | None:
    """Return the idle time of a space in the world."""

    def look(world: World) -> int | None:
        settings = world.domains[DOMAIN_ID].spaces[space].settings.get("JupyterLabAppSettings", {})
        found: int | None = (
            settings.get("AppLifecycleManagement", {}).get("IdleSettings", {}).get("IdleTimeoutInMinutes")
        )
        return found

    return place.within(look)


def plan_of(place: Place, *arguments: str) -> dict[str, Any]:
    return place.run("plan", "--format", "json", *arguments).report


def updates(plan: dict[str, Any]) -> list[str]:
    return [one["name"] for one in plan["owners"] if one["action"] == "update"]


def test_thirty_changed_fields_of_two_hundred_owners_are_thirty_calls_and_then_none(place: Place) -> None:
    made(place, fleet_of(PEOPLE))
    place.apply()
    idle_calls = place.calls()
    assert set(idle_calls) == LOOKS, "what was just made is not looked at again, and an idle run lists its apps alone"
    write(place, fleet_of(PEOPLE, idle=[90] * CHANGED))
    place.forget_calls()
    place.apply()
    assert place.calls() == idle_calls, "a night that is not due costs what it did before"

    assert "not compared with the fleet file. To compare them: add --owners" in place.run("plan").out
    plan = plan_of(place, "--owners")
    assert updates(plan) == [f"{name}-lab" for name in people(CHANGED)]
    assert plan["owners"][0]["differs"] == [{"field": "idle_minutes", "declared": 90, "observed": None}]
    text = place.run("plan", "--owners").out
    assert "update 30 spaces in domain research: idle_minutes unset → 90" in text
    assert "calls: UpdateSpace 30" in text
    assert place.run("plan", "--owners", "--detailed-exitcode").code == 2
    place.forget_calls()
    ran = place.apply("--owners")
    assert ran.code == 0, ran.err
    assert place.calls()["UpdateSpace"] == {"ok": CHANGED}
    (planned,) = ran.events("plan.computed")
    assert (planned["owners_update"], planned["owners_drift"]) == (CHANGED, 0)
    assert ran.report["owners"][0]["outcome"] == "updated"
    assert idle_of(place, "u000-lab") == 90
    assert updates(plan_of(place, "--owners")) == []
    assert place.run("plan", "--owners").out.endswith("\nNothing to do.\n")


def test_without_update_every_difference_is_named_and_nothing_is_called(place: Place) -> None:
    made(place, fleet_of(3), OWNERS)
    write(place, fleet_of(3, idle=[90, 90, 120]), OWNERS)
    ran = place.apply("--owners")
    assert ran.code == 0
    assert place.only_looked()
    plan = plan_of(place, "--owners")
    assert [(one["key"], one["action"], one["reason"]) for one in plan["owners"]] == [
        (f"research/space/{name}-lab", "none", "owner_drift") for name in people(3)
    ]
    text = place.run("plan", "--owners").out
    assert "2 spaces in domain research: idle_minutes unset → 90: u000-lab, u001-lab" in text
    assert "1 space in domain research: idle_minutes unset → 120: u002-lab" in text
    markdown = place.run("plan", "--owners", "--format", "markdown").out
    assert "User profiles and spaces that differ" in markdown


def test_a_volume_grows_once_in_six_hours_and_never_shrinks(place: Place) -> None:
    gone = 'instance_type = "ml.t3.medium"\nmode = "absent"'
    made(place, fleet_of(1, ebs=[10]))
    write(place, fleet_of(1, ebs=[20], lab=gone))
    ran = place.apply("--owners")
    assert ran.code == 0, "the volume grows once the app in its space has gone"
    assert [one["outcome"] for one in ran.report["owners"]] == ["updated"]
    write(place, fleet_of(1, ebs=[30], lab=gone))
    ran = place.apply("--owners")
    assert ran.code == 0
    (owner,) = ran.report["owners"]
    assert owner["outcome"] == "unchanged"
    assert "6 hours" in owner["error"]["message"]
    size = "settings = { SpaceStorageSettings = { EbsStorageSettings = { EbsVolumeSizeInGb = 40 } } }\n"
    write(place, fleet_of(1, idle=[90], lab=gone) + size)
    ran = place.apply("--owners")
    assert ran.code == 0, "what else differs does not wait for the volume"
    (owner,) = ran.report["owners"]
    assert owner["outcome"] == "updated"
    assert "6 hours" in owner["error"]["message"]
    assert idle_of(place, "u000-lab") == 90
    write(place, fleet_of(1, ebs=[5], lab=gone))
    place.forget_calls()
    ran = place.apply("--owners")
    assert ran.code == 0
    assert place.only_looked()
    assert "a volume never shrinks" in ran.out


def test_a_volume_is_not_changed_under_a_running_app_and_that_is_said(place: Place) -> None:
    made(place, fleet_of(1, ebs=[10]))
    write(place, fleet_of(1, ebs=[20]))
    ran = place.apply("--owners")
    assert ran.code == 0, "the next run after the app has stopped updates it"
    (owner,) = ran.report["owners"]
    assert (owner["outcome"], owner["error"]["code"]) == ("unchanged", "AF415")
    assert (
        "its volume is not changed while it is in use by app JupyterLab/default (InService)"
        in owner["error"]["message"]
    )
    replaced = place.apply("--owners", "--replace", "research/space/u000-lab/JupyterLab/default")
    assert replaced.code == 0, replaced.err
    assert [one["outcome"] for one in replaced.report["owners"]] == ["updated"]
    assert [one["outcome"] for one in replaced.report["apps"]] == ["replaced"]
    assert place.within(lambda world: world.domains[DOMAIN_ID].spaces["u000-lab"].ebs_gb) == 20


def test_two_hundred_spaces_that_are_there_do_not_hold_the_first_create_back(place: Place) -> None:
    """At 5 reads a second, one DescribeSpace each kept a new team waiting for 40 s."""
    names = people(200)
    place.write(fleet_text(names), OWNERS.replace("read_rate = 200", "read_rate = 5"))
    planned = place.run("plan", "--team", "vision")
    assert "The settings of 190 user profiles and spaces were not compared with the fleet file" in planned.out
    place.forget_calls()
    ran = place.apply("--team", "vision")
    assert ran.code == 0, ran.err
    calls = place.calls()
    assert (calls["DescribeSpace"], calls["CreateApp"]) == ({"ok": 10}, {"ok": 200})


@pytest.mark.parametrize("policy", [OWNERS, UPDATES], ids=["create alone", "update too"])
def test_the_default_of_a_space_follows_its_app_before_that_is_made(place: Place, policy: str) -> None:
    made(place, fleet_of(2), policy)

    def default_of(world: World) -> Any:
        return world.domains[DOMAIN_ID].spaces["u000-lab"].settings["JupyterLabAppSettings"]["DefaultResourceSpec"]

    assert place.within(default_of) == {"InstanceType": "ml.t3.medium"}
    write(place, fleet_of(2, lab='instance_type = "ml.m5.large"'), policy + '[safety]\nreplace = "on-drift"\n')
    ran = place.apply()
    assert ran.code == 0, ran.err
    assert place.within(default_of) == {"InstanceType": "ml.m5.large"}
    assert {one["outcome"] for one in ran.report["owners"]} == {"updated"}
    order = [
        event["event"] for event in ran.events() if str(event.get("key", "")).startswith("research/space/u000-lab")
    ]
    assert order.index("app.created") > order.index("owner.settled")
    assert place.apply().report["summary"] == {"unchanged": 2}


def test_nothing_but_the_default_follows_the_app_where_no_policy_updates(place: Place) -> None:
    made(place, fleet_of(2), OWNERS)

    def stop_and_untag(world: World) -> None:
        for app in world.apps.values():
            world.set_app_status(app, "Deleted")
        world.domains[DOMAIN_ID].spaces["u001-lab"].tags.clear()

    place.within(stop_and_untag)
    write(place, fleet_of(2, idle=[90, 90], lab='instance_type = "ml.m5.large"'), OWNERS)
    entries = [(one["name"], one["action"], one["differs"][0]["field"]) for one in plan_of(place)["owners"]]
    assert entries == [
        ("u000-lab", "update", "default.instance_type"),
        ("u000-lab", "none", "idle_minutes"),
        ("u001-lab", "none", "default.instance_type"),
    ]
    place.forget_calls()
    ran = place.apply()
    assert ran.code == 0, ran.err
    assert place.calls()["UpdateSpace"] == {"ok": 1}
    assert [one["owner"] for one in ran.report["owners"]] == ["research/space/u000-lab"]
    assert idle_of(place, "u000-lab") is None
    assert ran.report["summary"] == {"created": 2}


def test_an_update_that_fails_is_told_with_its_reason_and_the_app_is_made_all_the_same(place: Place) -> None:
    made(place, fleet_of(2))
    place.scenario(QUICK_OWNERS + '[[update_failure]]\nowner = "u000-lab"\nreason = "no such role"\n')
    write(place, fleet_of(2, idle=[90, 90]))
    ran = place.apply("--owners")
    assert ran.code == 3
    ends = {one["owner"]: one for one in ran.report["owners"]}
    assert ends["research/space/u001-lab"]["outcome"] == "updated"
    failed = ends["research/space/u000-lab"]
    assert failed["outcome"] == "failed"
    assert "ended Update_Failed: no such role" in failed["error"]["message"]


def test_what_this_fleet_has_not_made_is_left_alone(place: Place) -> None:
    made(place, fleet_of(1))

    def untag(world: World) -> None:
        world.domains[DOMAIN_ID].spaces["u000-lab"].tags.clear()

    place.within(untag)
    write(place, fleet_of(1, idle=[90]))
    ran = place.apply("--owners")
    assert ran.code == 0
    assert place.only_looked()
    assert "it has no tag appfleet:managed-by" in ran.out
    assert "add-tags --region eu-west-1 --resource-arn arn:aws:sagemaker:eu-west-1:111122223333:space/" in ran.out


def test_a_lost_update_is_looked_up_before_it_is_sent_again(place: Place) -> None:
    made(place, fleet_of(1))
    place.scenario(QUICK_OWNERS + fault(FaultKind.RESET_AFTER, "UpdateSpace", max_count=1))
    write(place, fleet_of(1, idle=[90]))
    ran = place.apply("--owners", "--log-level", "debug")
    assert ran.code == 0, ran.err
    assert [event["operation"] for event in ran.events("owner.call_started")] == ["UpdateSpace"]
    assert [one["outcome"] for one in ran.report["owners"]] == ["updated"]


@pytest.mark.parametrize("moment", range(2))
def test_a_killed_update_run_is_picked_up_by_the_next_although_no_look_is_due(place: Place, moment: int) -> None:
    made(place, fleet_of(8))
    place.scenario(QUICK_OWNERS + fault(FaultKind.STALL_AFTER, "UpdateSpace", max_count=1 + moment))
    write(place, fleet_of(8, idle=[90] * 8))
    with place.start("apply", "--yes", "--owners") as running:
        until(lambda: "UpdateSpace" in place.calls(), "an update was sent")
        running.signal(signal.SIGKILL)
        running.end()
    place.scenario(QUICK_OWNERS + "\n")
    begun = [name for name in people(8) if idle_of(place, f"{name}-lab") == 90]
    assert begun
    ran = place.apply()
    assert ran.code == 0, ran.err
    assert all(idle_of(place, f"{name}-lab") == 90 for name in begun)
    assert place.apply("--owners").code == 0
    assert all(idle_of(place, f"{name}-lab") == 90 for name in people(8))
    assert json.loads(place.run("plan", "--owners", "--format", "json").out)["owners"] == []


def test_a_status_with_owners_counts_and_groups_them_and_without_costs_no_call_more(place: Place) -> None:
    made(place, fleet_of(5), OWNERS)
    place.run("status")
    assert set(place.calls()) == {*LOOKS, "GetResources"}
    place.forget_calls()

    def break_some(world: World) -> None:
        spaces = world.domains[DOMAIN_ID].spaces
        del spaces["u003-lab"]
        spaces["u004-lab"].status, spaces["u004-lab"].failure_reason = "Update_Failed", "no such role"

    place.within(break_some)
    write(place, fleet_of(5, idle=[90, 90]), OWNERS)
    text = place.run("status", "--owners").out
    assert "User profiles and spaces: 6 as declared, 2 differ, 1 missing, 1 failed" in text
    assert "Differ (2): set [owners] update = true in a policy, or change the settings by hand" in text
    assert "    2 spaces in domain research: idle_minutes unset → 90: u000-lab, u001-lab\n" in text
    assert "    1 space in domain research: u003-lab\n" in text
    assert "    1 space in domain research: Update_Failed (no such role): u004-lab\n" in text
    assert "4 of 10 user profiles and spaces need attention" in text
    assert place.only_looked()
    markdown = place.run("status", "--owners", "--format", "markdown").out
    assert "**User profiles and spaces**: 6 as declared, 2 differ, 1 missing, 1 failed" in markdown
    found = place.run("status", "--owners", "--format", "json").report["owners"]
    assert found["summary"] == {"as_declared": 6, "differs": 2, "missing": 1, "failed": 1}
    conditions = {row["key"]: row["condition"] for row in found["rows"]}
    assert conditions["research/space/u003-lab"] == "missing"
    assert len(found["rows"]) == 10
    one = place.run("status", "--owners", "--space", "u000-lab", "--format", "json").report["owners"]
    assert [row["name"] for row in one["rows"]] == ["u000-lab"]
    assert "owners" not in place.run("status", "--format", "json").report


def test_explain_shows_the_space_of_an_app_beside_its_declaration(place: Place) -> None:
    made(place, fleet_of(2))
    write(place, fleet_of(2, idle=[90, 90]))
    place.forget_calls()
    key = "research/space/u000-lab/JupyterLab/default"
    ran = place.run("explain", key)
    assert ran.code == 0, ran.err
    assert "Space u000-lab: differs (InService)\n  idle_minutes  declared 90  observed unset\n" in ran.out
    assert "A run with --owners updates it" in ran.out
    assert place.only_looked()
    assert place.calls()["DescribeSpace"] == {"ok": 2}, "to compare that one alone, and for its tag"
    assert "DescribeUserProfile" not in place.calls()
    row = place.run("explain", key, "--format", "json").report["owner"]
    assert (row["key"], row["action"], row["condition"]) == ("research/space/u000-lab", "update", "differs")
    write(place, fleet_of(2, idle=[90, 90]), OWNERS)
    assert "appfleet reports it and does not update it" in place.run("explain", key).out


def test_a_run_says_what_differs_and_what_it_could_not_update_yet(place: Place) -> None:
    made(place, fleet_of(2, ebs=[10, 10]), OWNERS)
    write(place, fleet_of(2, ebs=[20, 20]), OWNERS)
    text = place.run("apply", "--yes", "--owners").out
    assert "Note: 2 spaces differ from the fleet file. [owners] update is off" in text
    assert "Nothing to apply, but 2 spaces differ." in place.run("plan", "--owners").out
    write(place, fleet_of(2, ebs=[20, 20]))
    dry = place.run("apply", "--dry-run", "--owners").out
    assert "  1  UpdateSpace research/space/u000-lab\n  2  UpdateSpace research/space/u001-lab\n" in dry
    ran = place.run("apply", "--yes", "--owners")
    assert ran.code == 0, ran.err
    assert "  2 spaces in domain research: u000-lab, u001-lab: its volume is not changed while it is in use" in ran.out
    assert [event["level"] for event in ran.events("owner.not_updated")] == ["warning"] * 2
    assert ran.events("owner.failed") == []


@pytest.mark.parametrize("operation", ["DescribeUserProfile", "DescribeSpace"])
def test_what_cannot_be_read_is_no_all_clear_and_keeps_the_other_kind_from_nothing(
    place: Place, operation: str
) -> None:
    made(place, fleet_of(5))
    role = f'execution_role = "arn:aws:iam::{ACCOUNT}:role/new"\n'
    users = "".join(f"[domains.research.users.{name}]\n{role}" for name in people(5))
    write(place, fleet_of(5, idle=[90] * 5) + users)
    place.scenario(QUICK_OWNERS + fault(FaultKind.ACCESS_DENIED, operation))
    plan = place.run("plan", "--owners")
    assert "Nothing to do" not in plan.out
    unread_kind = "user profiles" if operation == "DescribeUserProfile" else "spaces"
    assert "was not compared with the fleet file: " + operation in plan.out
    assert f"allow the caller sagemaker:{operation}" in plan.out
    unread, read = ("user/", "space/") if operation == "DescribeUserProfile" else ("space/", "user/")
    ran = place.apply("--owners")
    assert ran.code == 3
    assert "5 user profiles or spaces could not be read and kept as declared" in ran.err
    assert {one["owner"].split("/", 1)[1][: len(read)] for one in ran.report["owners"]} == {read}
    assert {one["outcome"] for one in ran.report["owners"]} == {"updated"}
    keys = [one["key"] for one in ran.report["findings"] if one["rule"] == "uncompared"]
    assert len(keys) == 5
    assert all(key.startswith(f"research/{unread}") for key in keys)
    write(place, fleet_of(5, idle=[90] * 5) + users, OWNERS)
    assert place.apply("--owners").code == 0, "where nothing is updated it is reported alone"
    text = place.run("plan", "--owners").out
    assert f"Whether 5 {unread_kind} are as declared is not known: see the findings." in text


def test_tags_that_cannot_be_read_leave_an_update_undone_and_that_is_no_good_end(place: Place) -> None:
    made(place, fleet_of(2))
    write(place, fleet_of(2, idle=[90, 90]))
    place.scenario(QUICK_OWNERS + fault(FaultKind.ACCESS_DENIED, "ListTags"))
    ran = place.apply("--owners")
    assert ran.code == 3
    assert "2 user profiles or spaces could not be read and kept as declared" in ran.err
    assert "allow the caller sagemaker:ListTags" in ran.out
    assert "sagemaker:DescribeApp" not in ran.out


def test_what_a_killed_run_updated_is_looked_up_once_and_then_costs_no_call_more(place: Place) -> None:
    made(place, fleet_of(2))
    place.scenario(QUICK_OWNERS + fault(FaultKind.STALL_AFTER, "UpdateSpace"))
    write(place, fleet_of(2, idle=[90, 90]))
    with place.start("apply", "--yes", "--owners") as running:
        until(lambda: idle_of(place, "u000-lab") == idle_of(place, "u001-lab") == 90, "both updates were carried out")
        running.signal(signal.SIGKILL)
        running.end()
    place.scenario(QUICK_OWNERS)
    assert place.apply().code == 0
    with contextlib.closing(sqlite3.connect(place.folder / ".appfleet" / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE unfinished SET at = at - 600")  # nothing is under way any more
    ran = place.apply()
    assert {one["owner"]: one["outcome"] for one in ran.report["owners"]} == {
        f"research/space/{name}-lab": "unchanged" for name in people(2)
    }
    place.forget_calls()
    assert place.apply().code == 0
    assert set(place.calls()) == LOOKS
