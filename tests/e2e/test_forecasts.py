"""The forecast beside what happened: in the result, the report and the history; and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tests.e2e.harness import DOMAIN_ID, POLICY, QUICK, fleet_text, people
from tools.schemas import SCHEMAS

if TYPE_CHECKING:
    from tests.e2e.harness import Place


def test_the_forecast_is_beside_what_happened_everywhere(place: Place) -> None:
    planned = place.run("plan", "--format", "json").report["forecast"]
    ran = place.apply()
    foreseen = ran.report["forecast"]
    Draft202012Validator(SCHEMAS["apply"]()).validate(ran.report)
    assert foreseen["seconds"] == planned["seconds"]
    assert 0 < foreseen["took_seconds"] <= ran.report["seconds"]
    (run,) = place.run("history", "--format", "json").report["runs"]
    assert run["forecast"] == foreseen
    assert "Forecast" in place.run("history").out
    page = place.run("report").out
    assert "changes took" in page
    assert "(forecast: about 3 min)" in page
    place.write(fleet_text([*people(4), "zoe"]))
    assert "Changes took" in place.run("apply", "--yes").out
    place.write(fleet_text([*people(4), "zoe", "yan"]))
    assert "Changes took" in place.run("apply", "--yes", "--format", "markdown").out


def test_where_nothing_is_awaited_or_changed_there_is_nothing_to_compare(place: Place) -> None:
    assert place.apply("--no-wait").report["forecast"] is None
    place.settle()
    ran = place.apply()
    assert ran.report["forecast"] is None
    (newest, _) = place.run("history", "--format", "json").report["runs"]
    assert newest["forecast"] is None


def test_a_simulated_world_forecasts_by_its_own_times(place: Place) -> None:
    """Not by what real runs took in the same state folder, nor by the usual three minutes."""
    assert place.apply().code == 0
    (place.folder / "slow.toml").write_text(QUICK.replace("app_pending = 0.05", "app_pending = [2.0, 2.5]"))
    ran = place.apply("--simulate=slow.toml")
    foreseen = ran.report["forecast"]
    assert 3.0 < foreseen["seconds"] < 6.0
    assert foreseen["took_seconds"] == pytest.approx(foreseen["seconds"], rel=0.8)


def test_profiles_and_spaces_of_past_runs_teach_the_next_forecast(place: Place) -> None:
    policy = POLICY + "[owners]\ncreate = true\n"
    place.write(fleet_text(people(1)), policy=policy)
    place.scenario(QUICK + "profile_pending = 0.05\nspace_pending = 0.05\n")
    place.within(lambda world: world.domains[DOMAIN_ID].profiles.clear())
    place.within(lambda world: world.domains[DOMAIN_ID].spaces.clear())
    first = place.run("plan", "--format", "json").report["forecast"]
    assert place.apply().code == 0
    fleet = fleet_text(people(2))
    (place.folder / "fleet.toml").write_text(fleet)
    second = place.run("plan", "--format", "json").report["forecast"]
    assert first["seconds"] > 187.0 + 20.0
    assert second["seconds"] < 30.0
