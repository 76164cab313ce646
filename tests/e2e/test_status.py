"""`status` over loopback: a line a team, then what is not well, with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.harness import QUICK, fleet_text, lab_of, people

if TYPE_CHECKING:
    from tests.e2e.harness import Place

OURS = {"appfleet:fleet": "e2e"}
THEIRS = {"appfleet:fleet": "another-fleet"}


def test_who_asks_in_the_morning_sees_what_is_not_well(place: Place) -> None:
    names = people(6)
    place.write(fleet_text(names, lab='instance_type = "ml.t3.medium"\nexpires = 2999-01-01'))
    place.put_app(lab_of("u000"), tags=OURS)
    place.put_app(lab_of("u001"), "ml.m5.large", OURS)
    place.put_app(lab_of("u002"), tags=OURS)
    place.within(lambda world: world.set_app_status(world.apps[place.identity(lab_of("u002"))], "Failed"))
    place.within(lambda world: setattr(world.apps[place.identity(lab_of("u002"))], "failure_reason", "no capacity"))
    place.put_app("research/user/u000/KernelGateway/theirs", "ml.t3.medium", THEIRS)
    ran = place.run("status", "--expiring-within", "400000d")
    assert ran.code == 0
    assert "vision         6           1        3        1         0       1            0         6" in ran.out
    assert f"Failed (1 app): apply makes them again\n  {lab_of('u002')}  no capacity" in ran.out
    assert "Missing (3 apps): apply makes them" in ran.out
    assert f"  {lab_of('u001')}  differs in instance_type" in ran.out
    assert "Expiring within 400,000 days (6 apps):" in ran.out
    assert "Of other fleets: research/user/u000/KernelGateway/theirs (another-fleet)" in ran.out
    assert "5 not as they should be" in ran.out
    assert place.only_looked()


def test_it_says_what_the_last_run_came_to(place: Place) -> None:
    names = people(3)
    place.write(fleet_text(names))
    quota = '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.t3.medium"\nvalue = 2\n'
    place.scenario(QUICK + quota)
    assert place.apply().code == 3
    shown = json.loads(place.run("status", "--format", "json").out)
    (missing,) = [row for row in shown["apps"] if row["condition"] == "missing"]
    assert missing["why"].startswith("parked in run ")
    assert shown["teams"][0]["conditions"] == {"in_service": 2, "missing": 1}
    assert "| <code>vision</code> | 3 | 2 | 1 |" in place.run("status", "--format", "markdown").out


def test_many_apps_are_folded_and_all_unfolds_them(place: Place) -> None:
    place.write(fleet_text(people(40)))
    folded = place.run("status").out
    assert "and 30 more" in folded
    assert "Each app has a line with --all." in folded
    assert lab_of("u039") not in folded
    assert lab_of("u039") in place.run("status", "--all").out
    assert place.run("status", "--team", "nobody").code == 0


def test_a_duration_that_is_none_is_refused(place: Place) -> None:
    place.write(fleet_text(people(1)))
    ran = place.run("status", "--expiring-within", "soon")
    assert ran.code == 64
    assert "--expiring-within" in ran.err
