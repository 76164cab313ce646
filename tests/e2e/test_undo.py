"""A run taken back as a process before a simulator: its apps, spaces and profiles go, its updates are put back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from engine.simulator.faces.thread_runner import SimulatorThread
from engine.simulator.service import owner_operations
from engine.simulator.world.faults import FaultKind
from tests.e2e.harness import DOMAIN_ID, Place, fault, lab_of, people
from tests.e2e.test_onboarding import CREATES, FLEET, QUICK_OWNERS, counted, make_domain
from tests.e2e.test_owners_kept import fleet_of, idle_of, made, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.simulator.world.world import World
    from tests.e2e.harness import Ran

PEOPLE = people(5)
EVERYTHING = 15  # an app, a space and a profile for each of them


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Yield a fleet that may make owners, and a domain with one person whom no run made."""
    made = Place(tmp_path)
    make_domain(made.world)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "execution.toml").write_text(CREATES)
    (tmp_path / "fleet.toml").write_text(FLEET)
    made.scenario(QUICK_OWNERS)

    def settle(world: World) -> None:
        owner_operations.create_profile(world, world.domains[DOMAIN_ID], "zoe", at_once=True)

    made.within(settle)
    with SimulatorThread(made.world) as simulator:
        made.simulator = simulator
        made.url = simulator.url
        yield made


def onboarded(place: Place) -> str:
    """Onboard five people, and return the run that did it."""
    ran = place.run("onboard", "vision", "--members", ",".join(PEOPLE), "--app", "lab", "--yes", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert counted(place) == (6, 5, 5)
    place.forget_calls()
    return str(ran.report["run_id"])


def undo(place: Place, run_id: str, allowed: int, *more: str) -> Ran:
    cover = ("--allow-destructive", f"research/*={allowed}") if allowed else ()
    return place.run("onboard", "--undo", run_id, "--yes", *cover, "--format", "json", *more)


def owners_of(ran: Ran) -> dict[str, str]:
    return {entry["owner"]: entry["outcome"] for entry in ran.report["owners"]}


def said(ran: Ran) -> dict[str, str]:
    """Return what the findings of a run say of each key."""
    return {finding["key"]: finding["message"] for finding in ran.report["findings"]}


def test_undo_leaves_the_domain_as_it_was_before_the_run(place: Place) -> None:
    run_id = onboarded(place)
    ran = undo(place, run_id, EVERYTHING)
    assert ran.code == 0, ran.out + ran.err
    assert counted(place) == (1, 0, 0)
    assert set(owners_of(ran).values()) == {"deleted"}
    gone = {event["key"]: event["ts"] for event in ran.events("app.deleted")}
    spaces, profiles = ({e["key"]: e["ts"] for e in ran.events("owner.call_started") if e["operation"] == name}
                        for name in ("DeleteSpace", "DeleteUserProfile"))  # fmt: skip
    ended = {event["key"]: event["ts"] for event in ran.events("owner.settled")}
    for name in PEOPLE:
        space = f"research/space/{name}-lab"
        assert gone[lab_of(name)] <= spaces[space]
        assert ended[space] <= profiles[f"research/user/{name}"]
    again = undo(place, run_id, 0)
    assert (again.code, again.report["owners"]) == (0, []), again.out


def test_with_yes_every_profile_and_space_must_be_covered_and_the_message_speaks_of_volumes(place: Place) -> None:
    run_id = onboarded(place)
    bare = undo(place, run_id, 0)
    assert bare.code == 4
    assert "5 user profiles, 5 spaces and 5 apps would be deleted, volumes included" in bare.err
    assert f"--allow-destructive 'research/*={EVERYTHING}'" in bare.err
    assert "type the run's name" in bare.err
    assert place.only_looked()
    assert undo(place, run_id, EVERYTHING - 1).code == 4
    assert counted(place) == (6, 5, 5)


def test_a_space_in_which_a_person_opened_an_app_stays_with_its_profile(place: Place) -> None:
    run_id = onboarded(place)
    theirs = f"research/space/{PEOPLE[0]}-lab/JupyterLab/mine"
    place.put_app(theirs)
    ran = undo(place, run_id, EVERYTHING - 2)
    assert ran.code == 3, ran.out + ran.err
    assert counted(place) == (2, 1, 1)
    assert place.status_of(theirs) == "InService"
    told = said(ran)
    assert "an app that this plan does not delete lives in it" in told[f"research/space/{PEOPLE[0]}-lab"]
    assert f"the space {PEOPLE[0]}-lab that belongs to it stays" in told[f"research/user/{PEOPLE[0]}"]


def test_a_profile_with_another_space_that_stays_is_left(place: Place) -> None:
    run_id = onboarded(place)

    def open_space(world: World) -> None:
        domain = world.domains[DOMAIN_ID]
        owner_operations.create_space(
            world, domain, "own", owner=PEOPLE[0], sharing="Private", settings={"AppType": "JupyterLab"}, at_once=True
        )

    place.within(open_space)
    ran = undo(place, run_id, EVERYTHING - 1)
    assert ran.code == 3, ran.out + ran.err
    assert counted(place) == (2, 1, 0)
    assert "the space own that belongs to it stays" in said(ran)[f"research/user/{PEOPLE[0]}"]


def test_a_changed_tag_keeps_a_space_and_its_profile(place: Place) -> None:
    run_id = onboarded(place)

    def retag(world: World) -> None:
        world.domains[DOMAIN_ID].spaces[f"{PEOPLE[0]}-lab"].tags["appfleet:managed-by"] = "others"

    place.within(retag)
    ran = undo(place, run_id, EVERYTHING - 2)
    assert ran.code == 3, ran.out + ran.err
    assert counted(place) == (2, 1, 0)
    assert "names the fleet 'others'" in said(ran)[f"research/space/{PEOPLE[0]}-lab"]


def test_what_a_later_run_made_again_is_left_although_no_clock_tells_the_two_apart(place: Place) -> None:
    run_id = onboarded(place)
    assert undo(place, run_id, EVERYTHING).code == 0
    assert place.run("apply", "--yes").code == 0
    assert counted(place) == (6, 5, 5)
    place.forget_calls()
    ran = undo(place, run_id, 0)
    assert ran.code == 0, ran.out + ran.err
    assert place.only_looked()
    told = said(ran)
    assert len(told) == EVERYTHING
    assert all(f"not made by run {run_id}" in message for message in told.values())


def test_what_was_made_long_after_the_run_is_not_what_the_run_made(place: Place) -> None:
    run_id = onboarded(place)

    def age(world: World) -> None:
        world.domains[DOMAIN_ID].profiles[PEOPLE[0]].created_at = time.time() + 1_000

    place.within(age)
    ran = undo(place, run_id, EVERYTHING - 1)
    assert ran.code == 0, ran.out + ran.err
    assert counted(place) == (2, 0, 0)
    assert f"the one there was not made by run {run_id}" in said(ran)[f"research/user/{PEOPLE[0]}"]


# Updates.


@pytest.fixture
def updated(place: Place) -> tuple[Place, str]:
    """Return a place where a run changed the idle time of two spaces and set one of a third, and that run."""
    made(place, fleet_of(3, idle=[60, 60]))
    write(place, fleet_of(3, idle=[90, 90, 90]))
    ran = place.apply("--owners")
    assert ran.code == 0, ran.err
    assert set(owners_of(ran).values()) == {"updated"}
    place.forget_calls()
    return place, str(ran.report["run_id"])


def test_an_update_is_put_back_where_it_can_be(updated: tuple[Place, str]) -> None:
    place, run_id = updated
    ran = undo(place, run_id, 0)
    assert ran.code == 0, ran.out + ran.err
    assert owners_of(ran) == {"research/space/u000-lab": "updated", "research/space/u001-lab": "updated"}
    assert [idle_of(place, f"{name}-lab") for name in people(3)] == [60, 60, 90]
    message = said(ran)["research/space/u002-lab"]
    assert message == "not put back: idle_minutes is 90 and was unset: no call can unset it"
    assert place.calls()["UpdateSpace"] == {"ok": 2}
    assert counted(place) == (4, 3, 3)
    back = undo(place, str(ran.report["run_id"]), 0)
    assert back.code == 0, back.err
    assert [idle_of(place, f"{name}-lab") for name in people(3)] == [90, 90, 90]


def test_a_field_that_somebody_changed_since_is_named_and_left(updated: tuple[Place, str]) -> None:
    place, run_id = updated

    def change(world: World) -> None:
        settings: Any = world.domains[DOMAIN_ID].spaces["u000-lab"].settings["JupyterLabAppSettings"]
        settings["AppLifecycleManagement"]["IdleSettings"]["IdleTimeoutInMinutes"] = 120

    place.within(change)
    ran = undo(place, run_id, 0)
    assert ran.code == 0, ran.out + ran.err
    assert [idle_of(place, f"{name}-lab") for name in people(2)] == [120, 60]
    assert "it was changed since the run, which set 90" in said(ran)["research/space/u000-lab"]


def test_a_volume_that_grew_is_named(place: Place) -> None:
    gone = 'instance_type = "ml.t3.medium"\nmode = "absent"'
    made(place, fleet_of(1, ebs=[10]))
    write(place, fleet_of(1, ebs=[20], lab=gone))
    ran = place.apply("--owners")
    assert ran.code == 0, ran.err
    undone = undo(place, str(ran.report["run_id"]), 0)
    assert undone.code == 0, undone.out
    assert said(undone)["research/space/u000-lab"] == "not put back: ebs_gb is 20 and was 10: a volume never shrinks"
    assert "UpdateSpace" not in place.calls() or place.calls()["UpdateSpace"] == {"ok": 1}


def test_an_update_whose_tag_cannot_be_read_is_no_good_end(updated: tuple[Place, str]) -> None:
    place, run_id = updated
    place.scenario(QUICK_OWNERS + fault(FaultKind.ACCESS_DENIED, "ListTags"))
    ran = undo(place, run_id, 0)
    assert ran.code == 3, ran.out + ran.err
    assert "UpdateSpace" not in place.calls()
    assert "3 user profiles or spaces not put back" in ran.err
