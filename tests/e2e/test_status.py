"""`status` over loopback: a line a team, then what is not well, with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.harness import POLICY, QUICK, fleet_text, lab_of, people
from tests.tables import unpadded

if TYPE_CHECKING:
    from tests.e2e.harness import Place

OURS = {"appfleet:fleet": "e2e"}
THEIRS = {"appfleet:fleet": "another-fleet"}
SPACE_OF_FIRST = "u000-lab"


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
    assert "TEAM    DECLARED  IN SERVICE  MISSING  DRIFTED  FAILED  EXPIRING" in ran.out
    assert "vision         6           1        3        1       1         6" in ran.out
    assert f"Failed (1 app): apply creates them again\n  {lab_of('u002')}  no capacity" in ran.out
    assert "Missing (3 apps): apply creates them" in ran.out
    assert f"  {lab_of('u001')}  differs in instance_type" in ran.out
    assert "Expiring within 400,000 days (6 apps):" in ran.out
    assert "Of other fleets: research/user/u000/KernelGateway/theirs (another-fleet)" in ran.out
    assert "5 need attention" in ran.out
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
    assert "| `vision` | 3 | 2 | 1 |" in unpadded(place.run("status", "--format", "markdown").out)


def test_apps_that_wait_for_one_quota_are_one_paragraph_with_the_command_that_raises_it(place: Place) -> None:
    place.write(fleet_text(people(4), lab='instance_type = "ml.g5.xlarge"'))
    place.scenario(QUICK + '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.g5.xlarge"\nvalue = 1\n')
    assert place.apply().code == 3
    command = "--quota-code L-988CE6C5 --desired-value 4 --region eu-west-1"
    text = place.run("status").out
    assert text.count("parked in run ") == 1
    assert [line.strip().partition("--quota")[0] for line in text.splitlines() if line.endswith(command)] == [
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
    ]
    markdown = place.run("status", "--format", "markdown").out
    assert markdown.count("parked in run ") == 1
    assert f"{command}`" in markdown
    shown = json.loads(place.run("status", "--format", "json").out)
    assert all(row["hint"].endswith(command) for row in shown["apps"] if row["condition"] == "missing")


def test_many_apps_are_folded_and_all_unfolds_them(place: Place) -> None:
    place.write(fleet_text(people(40)))
    folded = place.run("status").out
    assert "and 30 more" in folded
    assert "--all shows every app." in folded
    assert lab_of("u039") not in folded
    assert lab_of("u039") in place.run("status", "--all").out
    assert place.run("status", "--team", "nobody").code == 64


def test_a_duration_that_is_none_is_refused(place: Place) -> None:
    place.write(fleet_text(people(1)))
    ran = place.run("status", "--expiring-within", "soon")
    assert ran.code == 64
    assert "--expiring-within" in ran.err


def test_a_quarantined_app_says_since_when_and_why_also_after_a_run_that_left_it_alone(place: Place) -> None:
    place.write(fleet_text(people(2)), policy=POLICY + "[safety]\nquarantine_after = 1\n")
    place.scenario(QUICK + f'[[failure]]\nreason = "the script failed"\nowner = "{SPACE_OF_FIRST}"\n')
    failing = place.apply()
    assert place.apply().code == 3
    shown = json.loads(place.run("status", "--format", "json").out)
    (row,) = [row for row in shown["apps"] if row["condition"] == "quarantined"]
    assert shown["quarantine_known"]
    assert row["why"].startswith(f"failed in 1 run in a row; failed in run {failing.report['run_id']} of 2")
    assert "the script failed" in row["why"]
    assert "Quarantined (1 app): change the spec, or apply with --retry-quarantined" in place.run("status").out


def test_a_domain_that_is_not_listed_ends_it_with_1_and_its_apps_are_not_known(place: Place) -> None:
    place.write(fleet_text(people(2)))
    place.scenario(QUICK + '[[fault]]\noperation = "ListApps"\nkind = "access-denied"\n')
    ran = place.run("status")
    assert ran.code == 1
    assert "Not known (2 apps)" in ran.out
    assert "sagemaker:ListApps" in ran.out
    assert "not all could be listed" in ran.out
    assert "No run history found here, so quarantine and past reasons are unknown." in ran.out
