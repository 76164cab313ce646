"""Waves of replaces and people at work, by the command line: what a plan says, what a run skips, and exit codes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import POLICY, QUICK, fleet_text, lab_of, people

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

FIVE = people(5)
WAVES = '[safety]\nreplace = "on-drift"\nreplace_wave = 2\nspare_active = "1h"\ndestroy_floor = 100\n'


@pytest.fixture
def drifted(place: Place) -> Place:
    """Return five labs of this fleet that should run on another type; somebody works in the first."""
    place.write(fleet_text(FIVE))
    place.scenario(QUICK)
    assert place.apply().code == 0
    place.write(fleet_text(FIVE, lab='instance_type = "ml.m5.large"'), POLICY + WAVES)

    def works(world: World) -> None:
        app = world.apps[place.identity(lab_of(FIVE[0]))]
        app.created_at -= 150.0  # so that no health check is a moment ago
        app.used_until = world.now + 86_400.0

    place.within(works)
    return place


def test_a_plan_replaces_one_wave_and_names_who_waits_and_who_is_spared(drifted: Place) -> None:
    report = drifted.run("plan", "--format", "json").report
    going = [change["key"] for change in report["changes"]]
    assert len(going) == 2
    waiting = [row for row in report["drift"] if row["reason"] == "next_wave"]
    assert [(row["action"], row["differs"]) for row in waiting] == [("none", ["instance_type"])] * 3
    said = {finding["rule"]: finding["message"] for finding in report["findings"]}
    assert said["replace_wave"].startswith("wave 1 of 3: 2 of 5 replaces; 3 apps for the next runs: ")
    assert said["spare_active"].startswith("not known whether a user was active in the last 1h in 2 apps")
    text = drifted.run("plan").out
    assert "wave 1 of 3: 2 of 5 replaces" in text
    assert "replaced by one of the next runs; instance_type ml.t3.medium -> ml.m5.large" in text
    assert "waves of replaces" in text


def test_runs_take_one_wave_after_the_other_and_skip_who_works(drifted: Place) -> None:
    first, second, third = drifted.apply(), drifted.apply(), drifted.apply()
    assert (first.code, first.report["summary"]) == (0, {"replaced": 2, "unchanged": 3})
    assert (second.code, second.report["summary"]) == (0, {"replaced": 2, "unchanged": 3})
    assert (third.code, third.report["summary"]) == (3, {"skipped": 1, "unchanged": 4})
    (app,) = [one for one in third.report["apps"] if one["outcome"] == "skipped"]
    assert (app["key"], app["error"]["code"]) == (lab_of(FIVE[0]), "active")
    assert "not deleted: its user was active in the last 1h" in third.err
    assert any(one["rule"] == "spare_active" and lab_of(FIVE[0]) in one["message"] for one in third.report["findings"])
    (event,) = third.events("app.skipped")
    assert (event["key"], event["code"]) == (lab_of(FIVE[0]), "active")


def test_a_saved_plan_replaces_those_that_it_shows_and_no_others(drifted: Place) -> None:
    drifted.run("plan", "--out", "plan.json")
    going = [change["key"] for change in drifted.run("plan", "--format", "json").report["changes"]]

    def by_hand(world: World) -> None:
        app = world.apps[drifted.identity(going[0])]
        app.spec = replace(app.spec, instance_type="ml.m5.large")

    drifted.within(by_hand)  # so that another app would have its place in a new plan
    ran = drifted.run("apply", "plan.json", "--format", "json")
    assert (ran.code, ran.report["summary"]) == (0, {"replaced": 1, "unchanged": 4}), ran.err
    assert ran.outcomes()[going[1]] == "replaced"


def test_with_replace_key_the_named_apps_are_the_wave(drifted: Place) -> None:
    named = [word for who in FIVE[1:4] for word in ("--replace", lab_of(who))]
    ran = drifted.apply(*named)
    assert (ran.code, ran.report["summary"]) == (0, {"replaced": 3, "unchanged": 2})
    assert {key for key, outcome in ran.outcomes().items() if outcome == "replaced"} == set(map(lab_of, FIVE[1:4]))
