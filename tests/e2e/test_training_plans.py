"""Apps on training plans: sent, planned, compared, imported, parked behind a full plan, left alone where it ended."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.state_dir import StateDir
from engine.adapters.state.timeline_reader import run_story
from engine.core.desired import AppSpec
from engine.core.identity import parse_app_key
from engine.simulator.service import app_operations
from engine.simulator.world.faults import FaultKind
from tests.e2e.harness import ACCOUNT, DOMAIN_ID, QUICK, fault, fleet_text, lab_of, people
from tests.models import older_model, write_model
from tests.tables import unpadded

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

ARN = f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:training-plan/p5-week-50"
P5 = "ml.p5.48xlarge"
BUCKET = f"{ACCOUNT}/eu-west-1/training-plan/p5-week-50"
ON_PLAN = f'instance_type = "{P5}"\ntraining_plan_arn = "{ARN}"'
THREE = fleet_text(people(3), lab=ON_PLAN)


def reserved(more: str = "", *, total: int = 4, arn: str = ARN, instance_type: str = P5) -> str:
    """Return a scenario with one training plan."""
    head = f'{QUICK}[[training_plan]]\narn = "{arn}"\ninstance_type = "{instance_type}"\ntotal = {total}\n'
    return head + more


def specs(place: Place) -> dict[str, dict[str, Any]]:
    """Return what the service shows of each live app, by owner."""
    return place.within(lambda world: {app.owner: app.spec.to_json() for app in world.apps.values() if app.is_alive})


def put_on_plan(place: Place, person: str, arn: str | None = ARN) -> None:
    """Put a lab into the world that somebody opened by hand."""

    def put(world: World) -> None:
        key = place.identity(lab_of(person))
        spec = AppSpec(instance_type=P5, training_plan_arn=arn)
        app_operations.place_app(world, world.domains[DOMAIN_ID], key, key.owner, spec, {}, "InService")

    place.within(put)


def test_apps_are_made_on_their_plan_which_is_asked_about_once(place: Place) -> None:
    place.write(THREE)
    place.scenario(reserved())
    ran = place.apply()
    assert (ran.code, set(ran.outcomes().values())) == (0, {"created"}), ran.err
    assert specs(place) == {f"{who}-lab": {"instance_type": P5, "training_plan_arn": ARN} for who in people(3)}
    assert place.calls()["DescribeTrainingPlan"] == {"ok": 1}
    place.forget_calls()
    assert place.apply().code == 0
    assert set(place.calls()) == {"ListApps", "GetCallerIdentity"}, "an idle night asks about no plan"


def test_the_plan_shows_its_room_its_time_and_what_will_wait(place: Place) -> None:
    place.write(THREE)
    place.scenario(reserved("available = 2\nends = 86400\n"))
    report = place.run("plan", "--format", "json").report
    (line,) = report["quotas"]
    period = line.pop("period")
    assert line == {
        "bucket": BUCKET, "quota": "", "value": 4, "used": 2, "wanted": 3, "fits": "no", "code": "",
    }  # fmt: skip
    assert period.endswith(" UTC")
    assert (report["forecast"]["parked"], report["forecast"]["critical"]) == (1, BUCKET)
    text = place.run("plan").out
    assert f"{BUCKET}  2 of 4 used  3 wanted  does not fit\n      reserved from {period}\n" in text
    assert "missing; on training plan p5-week-50" in text
    markdown = place.run("plan", "--format", "markdown").out
    assert f"| {BUCKET} (reserved from {period}) | 2 of 4 | 3 | does not fit |" in unpadded(markdown)


def test_what_a_plan_has_reserved_adds_nothing_to_the_bill(place: Place) -> None:
    """A guardrail on cost would keep every app off the plan that is paid already."""
    place.write(THREE)
    place.scenario(reserved())
    (place.folder / "policies" / "cost.toml").write_text(f'[safety]\nhourly_usd_max = 1.0\n[prices]\n"{P5}" = 98.0\n')
    plan = place.run("plan", "--format", "json")
    assert (plan.code, plan.report["cost"]["hourly_usd"]) == (0, 0.0)
    assert place.apply().code == 0
    assert place.run("report", "--out", "r.html").code == 0
    assert "USD per hour" not in (place.folder / "r.html").read_text()


def test_a_space_that_cannot_be_used_leaves_the_plan_of_the_others_shown(place: Place) -> None:
    def take(world: World) -> None:
        world.domains[DOMAIN_ID].spaces["u000-lab"].owner = "u001"

    place.write(THREE)
    place.scenario(reserved())
    place.within(take)
    (line,) = place.run("plan", "--format", "json").report["quotas"]
    assert (line["bucket"], line["value"], line["wanted"], line["fits"]) == (BUCKET, 4, 2, "yes")


def test_a_full_plan_parks_its_own_apps_until_one_leaves_and_the_others_are_made(place: Place) -> None:
    others = '[domains.research.spaces.own]\nowner = "u000"\napps = [{ use = "lab", training_plan_arn = "None" }]\n'
    place.write(fleet_text(people(3), lab=ON_PLAN, more=others))
    place.scenario(reserved(total=2))
    ran = place.apply()
    outcomes = ran.outcomes()
    assert ran.code == 3
    assert outcomes["research/space/own/JupyterLab/default"] == "created"
    assert sorted(outcomes[lab_of(who)] for who in people(3)) == ["created", "created", "parked"]
    (parked,) = [app for app in ran.report["apps"] if app["outcome"] == "parked"]
    assert "has no available instances: 2 of 2 are in use" in parked["error"]["message"]
    assert "delete apps that run on training plan p5-week-50" in parked["error"]["hint"]
    assert {event["bucket"] for event in ran.events("bucket.parked")} == {BUCKET}
    with StateDir.open(place.folder / ".appfleet", create=False) as state:
        story = run_story(state, run_id=None, fleet="e2e")
    assert story is not None
    assert story.timeline.words is not None
    assert story.timeline.words.reserved == {parse_app_key(lab_of(who)): BUCKET for who in people(3)}
    place.within(lambda world: world.training_plans[ARN].__setattr__("total", 3))
    assert place.apply().code == 0


def test_want_of_capacity_parks_the_plan_too(place: Place) -> None:
    place.write(THREE)
    place.scenario(reserved("full_is_refused = false\n", total=2))
    ran = place.apply()
    assert sorted(ran.outcomes().values()) == ["created", "created", "parked"]
    assert {event["bucket"] for event in ran.events("bucket.parked")} == {BUCKET}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("starts = -7200\nends = -3600\n", "training plan p5-week-50 ended on "),
        ("starts = 3600\n", "training plan p5-week-50 is Scheduled and starts on "),
        ('status = "Failed"\n', "training plan p5-week-50 is Failed; "),
        ('target_resources = ["training-job"]\n', "is for training-job, and not for Studio apps; "),
    ],
)
def test_apps_of_a_plan_that_cannot_run_them_are_not_sent_and_said_once(place: Place, more: str, said: str) -> None:
    place.write(THREE)
    place.scenario(reserved(more))
    ran = place.apply()
    assert (ran.code, set(ran.outcomes().values())) == (3, {"skipped"})
    assert "CreateApp" not in place.calls()
    (finding,) = [one for one in ran.report["findings"] if one["rule"] == "training_plan"]
    assert (finding["enforcement"], said in finding["message"]) == ("skip", True), finding
    assert "3 apps that need it are skipped" in finding["message"]
    text = place.run("plan").out
    assert "its training plan cannot be used (3)" in text
    assert "Nothing to do" not in text
    explained = place.run("explain", lab_of("u000")).out
    assert "leave the app alone: its training plan cannot be used" in explained
    assert said.split(" is ", maxsplit=1)[0] in explained
    assert f"a create needs room in the quota bucket {BUCKET}" in explained
    status = place.run("status").out
    assert said in status
    assert "apply does not create" in status
    assert "apply creates" not in status


def test_an_instance_type_that_the_plan_does_not_reserve_is_said(place: Place) -> None:
    place.write(THREE)
    place.scenario(reserved(instance_type="ml.p4d.24xlarge"))
    (finding,) = place.run("plan", "--format", "json").report["findings"]
    assert "reserves ml.p4d.24xlarge, and not ml.p5.48xlarge; 3 apps" in finding["message"]


def test_a_plan_that_does_not_exist_is_one_clear_finding(place: Place) -> None:
    place.write(THREE)
    place.within(lambda world: world.training_plans.clear())
    ran = place.apply()
    assert (ran.code, "CreateApp" in place.calls()) == (3, False)
    (finding,) = [one for one in ran.report["findings"] if one["rule"] == "training_plan"]
    assert finding["message"] == (
        f"training plan p5-week-50 does not exist in account {ACCOUNT}, region eu-west-1; "
        "3 apps that need it are skipped. Check training_plan_arn in the fleet file"
    )


@pytest.mark.parametrize("kind", [FaultKind.ACCESS_DENIED, FaultKind.EMPTY_AFTER])
def test_a_plan_that_cannot_be_read_holds_nothing_back(place: Place, kind: FaultKind) -> None:
    place.write(THREE)
    place.scenario(reserved() + fault(kind, "DescribeTrainingPlan"))
    report = place.run("plan", "--format", "json").report
    (finding,) = report["findings"]
    assert (finding["rule"], finding["enforcement"]) == ("training_plan", "advisory")
    assert "training plan p5-week-50 was not read: " in finding["message"]
    assert (report["quotas"][0]["fits"], report["summary"]["create"]) == ("unknown", 3)


def test_an_older_model_of_the_user_is_named_in_place_of_what_it_lacks(place: Place) -> None:
    models = place.folder / "models"
    write_model(models, older_model())
    place.write(THREE)
    place.scenario(reserved())
    ran = place.run("apply", "--yes", "--format", "json", AWS_DATA_PATH=str(models))
    assert ran.code == 3, ran.err
    (finding,) = ran.report["findings"]
    assert "the service model that is in use is older than training plans" in finding["message"]
    for app in ran.report["apps"]:
        assert 'Unknown parameter in ResourceSpec: "TrainingPlanArn"' in app["error"]["message"]


def test_drift_is_compared_where_it_is_declared_and_none_detaches(place: Place) -> None:
    place.write(fleet_text(people(2), lab=f'instance_type = "{P5}"'))
    place.scenario(reserved())
    for person in people(2):
        put_on_plan(place, person)
    assert place.run("plan", "--format", "json").report["drift"] == []
    place.write(fleet_text(people(2), lab=f'instance_type = "{P5}"\ntraining_plan_arn = "None"'))
    drift = place.run("plan", "--format", "json").report["drift"]
    assert [one["differs"] for one in drift] == [["training_plan_arn"], ["training_plan_arn"]]
    assert place.apply("--adopt").code == 0
    ran = place.apply("--replace")
    assert set(ran.outcomes().values()) == {"replaced"}, ran.out
    assert specs(place) == {f"{who}-lab": {"instance_type": P5} for who in people(2)}
    sent = place.run("plan", "--format", "json").report
    assert sent["summary"]["none"] == 2


def test_a_saved_plan_keeps_it_and_runs(place: Place) -> None:
    place.write(THREE)
    place.scenario(reserved("ends = 86400\n"))
    place.run("plan", "--out", "plan.json")
    saved = json.loads((place.folder / "plan.json").read_text())
    assert {one["after"]["training_plan_arn"] for one in saved["changes"]} == {ARN}
    assert place.apply("plan.json").code == 0


def test_an_import_says_it_and_plans_to_nothing(place: Place) -> None:
    place.write(THREE)
    place.scenario(reserved())
    for person in people(2):
        put_on_plan(place, person)
    asked = ("import", "--domain-id", DOMAIN_ID, "--region", "eu-west-1", "--out", "imported.toml")
    assert place.run(*asked).code == 0
    document = tomllib.loads((place.folder / "imported.toml").read_text())
    assert [app["training_plan_arn"] for app in document["apps"].values()] == [ARN]


def test_rules_see_and_set_it(place: Place) -> None:
    rules = f"""[[rule]]
id = "reserved"
enforcement = "remediate"
match = 'owner == "u000-lab"'
set = {{ training_plan_arn = "{ARN}", instance_type = "{P5}" }}
[[rule]]
id = "no-free-p5"
enforcement = "skip"
check = '!(instance_family == "p5" && training_plan_arn in ["", "None"])'
message = "{{owner}} must run on a training plan"
"""
    place.write(fleet_text(people(2), lab=f'instance_type = "{P5}"'), rules=rules)
    place.scenario(reserved())
    ran = place.apply()
    assert ran.outcomes() == {lab_of("u000"): "created", lab_of("u001"): "denied"}
    assert specs(place)["u000-lab"]["training_plan_arn"] == ARN


def test_the_policy_for_iam_reads_the_plans_that_the_fleet_names(place: Place) -> None:
    place.write(THREE)
    for flags in ((), ("--read-only",)):
        document = place.run("iam-policy", *flags).report
        (statement,) = [one for one in document["Statement"] if one["Sid"] == "TrainingPlans"]
        assert (statement["Action"], statement["Resource"]) == (["sagemaker:DescribeTrainingPlan"], [ARN])
    place.write(fleet_text(people(1)))
    assert "DescribeTrainingPlan" not in place.run("iam-policy").out


def test_a_simulated_account_has_the_plans_that_the_fleet_names(place: Place) -> None:
    place.write(THREE)
    ran = place.run("plan", "--simulate", "--format", "json")
    assert [line["fits"] for line in ran.report["quotas"]] == ["yes"]
