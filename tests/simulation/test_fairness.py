"""Who gets the places of a quota that is far too small: the heavier first, then team after team."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from engine.core.settings import Backoff
from engine.core.stages import ordered_steps
from engine.simulator.scenario.changes import SetQuota
from engine.simulator.world.quotas import bucket_quota_name
from tests.simulation.fleet_maker import Kind
from tests.simulation.night import Night
from tests.simulation.scenario import Scenario, kind_of, make_scenario
from tests.throttle_clock import throttle_on_loop_clock

NAME: Final = bucket_quota_name("JupyterLab", "ml.g5.xlarge")
SCARCE: Final = [seed for seed in range(400) if kind_of(seed) is Kind.SCARCE][:25]


def _played(scenario: Scenario) -> Night:
    """Play the scarce night's one run."""
    night = Night(scenario)
    try:
        with throttle_on_loop_clock():
            night.play_disturbed()
    finally:
        night.lock.close()
    assert not night.watch.violations
    return night


def _created(scenario: Scenario) -> list[str]:
    """Play the scarce night's one run; the owners of what was made, in the order of their making."""
    night = _played(scenario)
    made = sorted((app for apps in night.watch.made.values() for app in apps), key=lambda app: app.seq)
    return [app.owner for app in made]


@pytest.mark.parametrize("seed", SCARCE)
def test_places_go_to_the_heavier_and_then_to_each_team_in_turn(seed: int) -> None:
    scenario = make_scenario(seed)
    scenario.world.quotas.set(NAME, 3)
    scenario.world.schedule(scenario.world.now + 120.0, SetQuota(NAME, 7))
    patience = replace(scenario.settings.backoffs, limit=Backoff(2.0, 10.0, 2.0, 600.0))
    scenario.settings = replace(scenario.settings, backoffs=patience)
    night = _played(scenario)
    assert night.plan is not None
    wanted = [step.change.key.owner for step in ordered_steps(night.plan, scenario.weight)]
    made = sorted((app for apps in night.watch.made.values() for app in apps), key=lambda app: app.seq)
    assert [app.owner for app in made] == wanted[: len(made)]
    assert len(made) == min(7, len(wanted))


@pytest.mark.parametrize("seed", SCARCE[:10])
def test_teams_of_one_weight_get_as_many_places_as_each_other(seed: int) -> None:
    scenario = make_scenario(seed)
    scenario.weights.clear()
    scenario.world.quotas.set(NAME, 6)
    teams = {app.key.owner: app.team for app in scenario.fleet.apps}
    owners = _created(scenario)
    places = {team: sum(teams[owner] == team for owner in owners) for team in set(teams.values())}
    sizes = {team: sum(other == team for other in teams.values()) for team in places}
    hungry = [team for team in places if sizes[team] > places[team]]
    assert max((places[team] for team in hungry), default=0) - min((places[team] for team in hungry), default=0) <= 1
