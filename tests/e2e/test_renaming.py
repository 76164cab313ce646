"""A fleet that gets another name: its apps are named as the old one's, and moved when that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import DOMAIN_ID, QUICK, fault, fleet_text, lab_of, people

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

NAMES = people(3)
OLD = {"appfleet:fleet": "old name"}
MOVE = ("--adopt", "--from-fleet", "old name")


@pytest.fixture
def renamed(place: Place) -> Place:
    """Three labs that stand there as the old name's."""
    place.write(fleet_text(NAMES))
    for name in NAMES:
        place.put_app(lab_of(name), tags=OLD)
    return place


def tags_of(place: Place, name: str) -> dict[str, str]:
    return place.within(lambda world: dict(world.apps[place.identity(lab_of(name))].tags))


@pytest.mark.parametrize(
    "command",
    [
        ("plan",),
        ("plan", "--format", "json"),
        ("plan", "--format", "markdown"),
        ("status",),
        ("status", "--format", "json"),
    ],
)
def test_declared_apps_of_another_fleet_are_named_with_the_way_to_move_them(
    renamed: Place, command: tuple[str, ...]
) -> None:
    ran = renamed.run(*command)
    assert ran.code == 0
    shown = " ".join(ran.out.replace("&#x27;", "'").replace("&#39;", "'").split())
    assert "the fleet 'old name' owns 3 apps that this fleet declares" in shown
    assert "--adopt --from-fleet 'old name'" in shown
    assert renamed.only_looked()


def test_a_run_that_has_nothing_to_do_still_costs_its_listings(renamed: Place) -> None:
    assert renamed.apply().code == 0
    assert set(renamed.calls()) == {"ListApps", "GetCallerIdentity"}


def test_they_are_moved_and_nothing_else_is_done_and_the_next_plan_is_quiet(renamed: Place) -> None:
    plan = renamed.run("plan", *MOVE, "--format", "json").report
    assert [(change["action"], change["reason"]) for change in plan["changes"]] == [("adopt", "from_fleet")] * 3
    ran = renamed.apply(*MOVE)
    assert ran.code == 0
    assert {app["outcome"] for app in ran.report["apps"]} == {"adopted"}
    assert all(tags_of(renamed, name)["appfleet:fleet"] == "e2e" for name in NAMES)
    assert {"CreateApp", "DeleteApp"}.isdisjoint(renamed.calls())
    quiet = renamed.run("plan", "--format", "json").report
    assert quiet["changes"] == []
    assert quiet["findings"] == []


MANAGED = "appfleet:managed-by"


def give_spaces(place: Place, *fleets: str) -> None:
    """Let each of these fleets manage one space."""

    def tag(world: World) -> None:
        for name, fleet in zip(NAMES, fleets, strict=True):
            world.domains[DOMAIN_ID].spaces[f"{name}-lab"].tags[MANAGED] = fleet

    place.within(tag)


def managers_of(place: Place) -> list[str]:
    return place.within(lambda world: [world.domains[DOMAIN_ID].spaces[f"{one}-lab"].tags[MANAGED] for one in NAMES])


def test_people_and_spaces_of_the_old_name_move_with_the_apps_and_those_of_others_stay(renamed: Place) -> None:
    give_spaces(renamed, "old name", "others", "old name")
    assert "managed-by" not in renamed.run("plan").out
    plan = renamed.run("plan", *MOVE)
    assert "* adopt 2 spaces in domain research: the fleet of --from-fleet made them: u000-lab, u002-lab" in plan.out
    assert "2 spaces to adopt." in plan.out
    assert "calls: AddTags 5" in plan.out
    moving = renamed.run("plan", *MOVE, "--format", "json").report["owners"]
    assert [(one["name"], one["action"], one["reason"]) for one in moving] == [
        ("u000-lab", "adopt", "from_fleet"),
        ("u002-lab", "adopt", "from_fleet"),
    ]
    assert renamed.run("apply", "--dry-run", *MOVE).out.count("AddTags research/space/") == 5
    ran = renamed.apply(*MOVE)
    assert ran.code == 0, ran.err
    assert {one["owner"]: one["outcome"] for one in ran.report["owners"]} == {
        "research/space/u000-lab": "adopted",
        "research/space/u002-lab": "adopted",
    }
    assert managers_of(renamed) == ["e2e", "others", "e2e"]
    assert renamed.calls()["AddTags"] == {"ok": 5}
    quiet = renamed.run("plan", *MOVE, "--format", "json").report
    assert (quiet["changes"], quiet["owners"]) == ([], [])
    again = renamed.run("onboard", "--undo", str(ran.report["run_id"]), "--yes")
    assert managers_of(renamed) == ["e2e", "others", "e2e"], again.out


def test_what_cannot_be_read_or_tagged_is_named_and_no_good_end(renamed: Place) -> None:
    give_spaces(renamed, "old name", "old name", "old name")
    renamed.scenario(QUICK + fault("access-denied", "DescribeSpace"))
    unread = renamed.apply(*MOVE)
    assert unread.code == 3, unread.out
    assert managers_of(renamed) == ["old name"] * 3
    assert {one["enforcement"] for one in unread.report["findings"]} == {"skip"}
    renamed.scenario(QUICK + fault("access-denied", "ListTags"))
    assert renamed.apply(*MOVE).code == 3
    renamed.scenario(QUICK + fault("access-denied", "AddTags"))
    denied = renamed.apply(*MOVE)
    assert denied.code == 3
    assert {one["outcome"] for one in denied.report["owners"]} == {"failed"}
    assert managers_of(renamed) == ["old name"] * 3


def test_what_moves_and_differs_is_updated_by_the_next_comparison(place: Place) -> None:
    place.write(
        fleet_text(people(1)) + '[domains.research.users.u000]\nexecution_role = "arn:aws:iam::111122223333:role/new"\n'
    )

    def tag(world: World) -> None:
        world.domains[DOMAIN_ID].profiles["u000"].tags[MANAGED] = "old name"

    place.within(tag)
    (place.folder / "policies" / "owners.toml").write_text("[owners]\nupdate = true\n")
    ran = place.apply(*MOVE)
    assert [(one["owner"], one["outcome"]) for one in ran.report["owners"]] == [("research/user/u000", "adopted")]
    assert "update is off" not in ran.out
    ran = place.apply("--owners")
    assert [(one["owner"], one["outcome"]) for one in ran.report["owners"]] == [("research/user/u000", "updated")]


def test_a_saved_plan_keeps_what_it_moves(renamed: Place) -> None:
    assert renamed.run("plan", *MOVE, "--out", "plan.json").code == 0
    assert renamed.run("apply", "plan.json", "--format", "json").code == 0
    assert all(tags_of(renamed, name)["appfleet:fleet"] == "e2e" for name in NAMES)
    assert renamed.run("apply", "plan.json", "--adopt", "--from-fleet", "x").code == 64


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--from-fleet", "old name"), "--from-fleet only works with --adopt"),
        (("--adopt", "--from-fleet", " "), "--from-fleet names no fleet"),
        (("--adopt", "--from-fleet", "e2e"), "--from-fleet names this fleet itself"),
    ],
)
def test_a_name_that_cannot_mean_anything_is_refused(renamed: Place, flags: tuple[str, ...], why: str) -> None:
    for command in (("plan",), ("apply", "--yes")):
        ran = renamed.run(*command, *flags)
        assert ran.code == 64
        assert why in ran.err
    assert not any(name in renamed.calls() for name in ("AddTags", "CreateApp"))


@pytest.mark.parametrize(
    ("name", "hint"), [("odl name", "Did you mean 'old name'?"), ("ml", "Declared apps are owned by: 'old name'")]
)
def test_a_name_that_owns_nothing_is_refused_with_the_one_that_does(renamed: Place, name: str, hint: str) -> None:
    ran = renamed.run("apply", "--yes", "--adopt", "--from-fleet", name)
    assert ran.code == 64
    assert f"--from-fleet: no declared app is owned by the fleet '{name}'. {hint}" in ran.err
    assert renamed.only_looked()


def test_what_was_moved_before_is_no_error(renamed: Place) -> None:
    """A move that is repeated, or was interrupted after its last app, ends well: nothing is left to move."""
    assert renamed.apply(*MOVE).code == 0
    ran = renamed.run("plan", *MOVE, "--format", "json")
    assert ran.code == 0
    (said,) = ran.report["findings"]
    assert "owned by the fleet 'old name': all are moved, or that was not its name" in said["message"]
