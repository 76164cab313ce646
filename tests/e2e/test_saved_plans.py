"""Plans that are made in one process and run in another: saved in a file, or approved by their fingerprint."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

from engine.simulator.service import app_operations
from tests.e2e.harness import POLICY, fleet_text, lab_of, people, until

if TYPE_CHECKING:
    from tests.e2e.harness import Place


def test_a_saved_plan_runs_without_a_question_and_once(place: Place) -> None:
    made = place.run("plan", "--out", "plan.json")
    assert made.code == 0, made.err
    assert "To apply this plan: appfleet apply plan.json" in made.out
    path = place.folder / "plan.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["summary"]["create"] == 4
    ran = place.run("apply", "plan.json", "--format", "json")
    assert (ran.code, ran.report["summary"]) == (0, {"created": 4}), ran.err
    again = place.run("apply", "plan.json", "--format", "json")
    assert (again.code, again.report["summary"]) == (0, {"unchanged": 4}), again.err


def test_what_was_made_meanwhile_is_no_reason_to_refuse(place: Place) -> None:
    place.run("plan", "--out", "plan.json")
    place.put_app(lab_of("u001"))
    ran = place.run("apply", "plan.json", "--format", "json")
    assert (ran.code, ran.report["summary"]) == (0, {"created": 3, "unchanged": 1}), ran.err


def test_a_plan_of_other_files_is_refused_and_nothing_is_called(place: Place) -> None:
    place.run("plan", "--out", "plan.json")
    place.write(fleet_text(people(5)))
    place.forget_calls()
    ran = place.run("apply", "plan.json")
    assert ran.code == 1
    assert "error AF302: the saved plan is stale: files have changed since: fleet.toml is changed" in ran.err
    assert "CreateApp" not in place.calls()


def test_a_change_that_nobody_approved_is_refused(place: Place) -> None:
    place.write(fleet_text(people(4), lab='instance_type = "ml.t3.large"'))
    place.put_app(lab_of("u001"), tags={"appfleet:fleet": "e2e"})
    place.put_app(lab_of("u002"), "ml.t3.large", tags={"appfleet:fleet": "e2e"})
    place.run("plan", "--replace", "--out", "plan.json")
    place.within(lambda world: app_operations.delete_app(world, place.identity(lab_of("u002"))))
    until(lambda: place.status_of(lab_of("u002")) in ("Deleting", "Deleted"), "the app goes")
    ran = place.run("apply", "plan.json")
    assert ran.code == 1
    assert f"1 of the changes are not in it as they would be now: create {lab_of('u002')}" in ran.err


def test_an_old_plan_is_refused_unless_more_is_allowed(place: Place) -> None:
    place.run("plan", "--out", "plan.json")
    path = place.folder / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"made_at": "2020-01-01T00:00:00Z"}))
    refused = place.run("apply", "plan.json")
    assert refused.code == 1
    assert "--plan-age-max" in refused.err
    ran = place.run("apply", "plan.json", "--plan-age-max", "100000d", "--format", "json")
    assert ran.code == 0, ran.err


def test_a_fingerprint_approves_one_plan(place: Place) -> None:
    fingerprint = place.run("plan", "--format", "json").report["fingerprint"]
    wrong = place.run("apply", "--checksum", "sha256:0")
    assert wrong.code == 1
    assert fingerprint in wrong.err
    assert place.run("apply", "--checksum", fingerprint).code == 0
    stale = place.run("apply", "--checksum", fingerprint)
    assert stale.code == 1
    assert "AF302" in stale.err


def test_flags_that_a_plan_was_made_with_are_not_given_again(place: Place) -> None:
    place.run("plan", "--team", "vision", "--out", "plan.json")
    ran = place.run("apply", "plan.json", "--team", "vision", "--prune", "--dry-run")
    assert ran.code == 64
    assert "--dry-run, --prune, --team: the saved plan plan.json was made with its own flags" in ran.err


def test_a_place_where_no_plan_can_be_saved_is_refused_before_anything_is_called(place: Place) -> None:
    for out, why in (("nowhere/plan.json", "there is no folder nowhere"), ("policies", "it is a folder")):
        ran = place.run("plan", "--out", out)
        assert ran.code == 64
        assert why in ran.err
    assert place.calls() == {}


def test_cost_and_forecast_stand_in_the_plan_and_the_past_is_used(place: Place) -> None:
    place.write(fleet_text(people(4)), POLICY + '[prices]\n"ml.t3.medium" = 0.05\n')
    first = place.run("plan", "--format", "json").report
    assert first["cost"]["hourly_usd"] == 0.2
    assert first["cost"]["teams"][0]["team"] == "vision"
    assert first["forecast"]["seconds"] > 180
    assert place.apply().code == 0
    place.write(fleet_text(people(5)), POLICY + '[prices]\n"ml.t3.medium" = 0.05\n')
    second = place.run("plan", "--format", "json").report
    assert second["forecast"]["durations_are_known"]
    assert second["forecast"]["seconds"] < 60
    assert "Forecast: about" in place.run("plan").out
