"""What the service refuses, loses or cannot give: each trouble ends where it belongs, and nothing is made twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.simulator.scenario.changes import AppRef, DeleteForeignApp
from tests.e2e.harness import DOMAIN_ID, QUICK, fault, fleet_text, lab_of, people, until

if TYPE_CHECKING:
    from tests.e2e.harness import Place

BIG = "ml.g5.xlarge"
SMALL = "ml.g4dn.xlarge"
GPU_TEAM = f"""
[domains.research.teams.gpu]
members = ["g000", "g001", "g002"]
spaces = {{ "{{member}}-gpu" = {{ apps = ["gpu"] }} }}
[apps.gpu]
type = "JupyterLab"
instance_type = "{BIG}"
"""


def gpu_of(number: int) -> str:
    return f"research/space/g00{number}-gpu/JupyterLab/default"


def quota(instance_type: str, value: int) -> str:
    return f'[[quota]]\napp_type = "JupyterLab"\ninstance_type = "{instance_type}"\nvalue = {value}\n'


def test_one_full_quota_beside_another_that_is_free(place: Place) -> None:
    """Row 3: one bucket waits and is probed by one call at a time; the others are done meanwhile."""
    place.write(fleet_text(people(8), more=GPU_TEAM))
    place.scenario(QUICK + quota(BIG, 1))
    ran = place.apply("--no-wait")
    assert ran.code == 3
    assert ran.report["summary"] == {"created": 9, "parked": 2}
    assert {key for key, outcome in ran.outcomes().items() if outcome == "parked"} < {gpu_of(n) for n in range(3)}
    assert all(BIG in event["bucket"] for event in ran.events("bucket.parked"))
    assert not any(event["ok"] for event in ran.events("bucket.probed"))
    assert ran.events("bucket.ended")
    assert place.stats()["create_for_live_key"] == 0


def test_a_quota_of_zero_ends_at_once_with_its_name_and_how_to_ask_for_more(place: Place) -> None:
    """Row 4: a limit of zero never clears by waiting."""
    place.write(fleet_text(people(2), more=GPU_TEAM))
    place.scenario(QUICK + quota(BIG, 0))
    ran = place.apply("--no-wait")
    assert ran.code == 3
    assert ran.report["summary"] == {"created": 2, "failed": 3}
    troubles = [app["error"] for app in ran.report["apps"] if app["outcome"] == "failed"]
    assert all(trouble["code"] == "ResourceLimitExceeded" for trouble in troubles)
    assert all(f"Studio JupyterLab Apps running on {BIG} instance" in trouble["message"] for trouble in troubles)
    assert all("aws service-quotas" in trouble["hint"] for trouble in troubles)
    assert ran.events("bucket.probed") == []


def test_the_fallback_list_is_walked_for_a_quota_of_zero_and_for_want_of_machines(place: Place) -> None:
    """Row 32: no capacity and no quota lead to the next instance type, each named in the report."""
    lab = f'instance_type = "{BIG}"\nfallback = ["ml.p3.2xlarge", "{SMALL}"]'
    place.write(fleet_text(people(2), lab=lab))
    place.scenario(QUICK + quota(BIG, 0) + '[[failure]]\nreason = "capacity"\ninstance_type = "ml.p3.2xlarge"\n')
    ran = place.apply()
    assert ran.code == 0, ran.out
    assert [app["instance_type"] for app in ran.report["apps"]] == [SMALL, SMALL]
    fell = [(event["from_type"], event["to_type"]) for event in ran.events("app.fell_back")]
    assert sorted(fell) == sorted([(BIG, "ml.p3.2xlarge"), ("ml.p3.2xlarge", SMALL)] * 2)
    again = place.run("plan", "--detailed-exitcode")
    assert again.code == 0, "a fallback type is what was asked for"


def test_want_of_machines_without_another_type_ends_with_the_reason(place: Place) -> None:
    """Row 32: no capacity is tried again for as long as [backoff.capacity] says, and then told as it is."""
    place.write(fleet_text(people(1)))
    place.scenario(QUICK + '[[failure]]\nreason = "capacity"\n')
    ran = place.apply()
    assert ran.code == 3
    (app,) = ran.report["apps"]
    assert app["outcome"] == "failed"
    assert "EC2InsufficientCapacityError" in app["error"]["message"]
    assert app["attempts"] >= 1


@pytest.mark.parametrize("code", ["ValidationException", "ResourceLimitExceeded"])
def test_a_create_that_is_refused_for_want_of_machines_walks_the_fallback_list(place: Place, code: str) -> None:
    """Row 32: the service may say so at once, under a code of something else."""
    place.write(fleet_text(people(1), lab=f'instance_type = "{BIG}"\nfallback = ["{SMALL}"]'))
    words = f"EC2InsufficientCapacityError: We currently do not have sufficient {BIG} capacity"
    error = f'kind = "error"\noperation = "CreateApp"\ncode = "{code}"\nmessage = "{words}"\nmax_count = 1\n'
    place.scenario(f"{QUICK}[[fault]]\n{error}")
    ran = place.apply()
    assert ran.code == 0, ran.out
    assert [app["instance_type"] for app in ran.report["apps"]] == [SMALL]
    assert [event["to_type"] for event in ran.events("app.fell_back")] == [SMALL]


def test_lost_answers_are_looked_up_and_nothing_is_made_twice(place: Place) -> None:
    """Rows 11, 14 and 15: a reset, a 5xx and an unreadable answer after a create may all mean that it was made."""
    kinds = ("reset-after", "internal-error-after", "garbage-after", "empty-after", "reset-before", "unavailable")
    place.write(fleet_text(people(12)))
    place.scenario(QUICK + "".join(fault(kind, "CreateApp", max_count=1) for kind in kinds))
    ran = place.apply("--no-wait")
    assert ran.code == 0, ran.out
    summary = ran.report["summary"]
    assert summary.get("created", 0) + summary.get("adopted", 0) == 12
    assert len(ran.events("app.outcome_unknown")) >= 5
    assert place.stats()["create_for_live_key"] == 0
    assert all(place.status_of(lab_of(person)) in {"Pending", "InService"} for person in people(12))


def test_a_storm_of_throttling_slows_the_lane_and_fails_nothing(place: Place) -> None:
    """Rows 1 and 2: throttled calls are sent again at a lower rate, reads and writes apart."""
    place.write(fleet_text(people(12)))
    place.scenario(QUICK + fault("throttle", "CreateApp", max_count=6) + fault("throttle", "ListApps", max_count=2))
    ran = place.apply("--no-wait")
    assert (ran.code, ran.report["summary"]) == (0, {"created": 12})
    assert ran.report["calls"]["CreateApp"] == {"ok": 12, "throttled": 6}
    assert ran.report["calls"]["ListApps"]["throttled"] == 2
    throttled = {event["operation"] for event in ran.events("lane.throttled")}
    assert throttled == {"CreateApp", "ListApps"}


def test_what_another_hand_made_meanwhile_is_adopted_when_equal_and_a_conflict_when_not(place: Place) -> None:
    """Row 8: ResourceInUse is settled by looking; what is different is told, and left alone (row 44: two hosts)."""

    def in_use(message: str) -> str:
        return fault("error", "CreateApp", code="ResourceInUse", message=message)

    place.write(fleet_text(people(2)))
    place.scenario(QUICK + fault("missing-rows", "ListApps", max_count=1) + in_use("App already exists"))
    place.put_app(lab_of("u001"), "ml.m5.large")
    # The first listing leaves that app out, as a listing that lags behind would.
    ran = place.apply("--key", lab_of("u001"))
    assert ran.code == 3
    (app,) = ran.report["apps"]
    assert (app["outcome"], app["error"]["code"]) == ("failed", "conflict")
    assert place.status_of(lab_of("u001")) == "InService"
    assert "DeleteApp" not in place.calls()
    place.put_app(lab_of("u000"))
    place.scenario(QUICK + fault("missing-rows", "ListApps", max_count=1) + in_use("App exists already"))
    equal = place.apply("--key", lab_of("u000"))
    assert (equal.code, equal.report["summary"]) == (0, {"adopted": 1}), equal.out


def test_rows_that_come_twice_change_nothing(place: Place) -> None:
    """Row 27: a row that is shown twice is one app."""
    assert place.apply("--no-wait").code == 0
    place.scenario(QUICK + fault("duplicate-rows", "ListApps"))
    ran = place.apply("--no-wait")
    assert (ran.code, ran.report["summary"]) == (0, {"unchanged": 4})


def test_what_somebody_deletes_during_the_run_is_told_and_not_fought_over(place: Place) -> None:
    """Row 33: an app that a person deletes while it starts is made again by the next run only."""
    place.write(fleet_text(people(1)))
    place.scenario(QUICK.replace("app_pending = 0.05", "app_pending = 3600"))
    with place.start("apply", "--yes", "--format", "json") as running:
        until(lambda: '"app.created"' in running.log_text(), "the app was accepted")
        delete = DeleteForeignApp(AppRef(DOMAIN_ID, "space", "u000-lab", "JupyterLab", "default"))
        place.within(delete.apply)
        ran = running.end()
    assert ran.code == 3
    (app,) = ran.report["apps"]
    assert (app["outcome"], app["error"]["code"]) == ("failed", "removed_during_run")
    assert place.calls()["CreateApp"] == {"ok": 1}
