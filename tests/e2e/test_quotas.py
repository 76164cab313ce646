"""Quotas in the plan: what is asked, what is kept, and that nothing which goes wrong here holds anything back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.core.desired import AppSpec
from engine.simulator.service import app_operations, owner_operations
from engine.simulator.world.faults import FaultKind
from engine.simulator.world.records import app_id
from tests.e2e.harness import ACCOUNT, OTHER_DOMAIN_ID, fault, lab_of

if TYPE_CHECKING:
    from engine.simulator.world.world import World
    from tests.e2e.harness import Place

NAME = "Studio JupyterLab Apps running on ml.t3.medium instances"
FULL = '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.t3.medium"\nvalue = 3\n'


def test_a_quota_that_is_too_small_is_told_with_the_command_that_raises_it(place: Place) -> None:
    place.scenario("schema = 1\n" + FULL)
    place.put_app("research/space/zoe-lab/JupyterLab/default")
    (line,) = place.run("plan", "--format", "json").report["quotas"]
    assert line == {
        "bucket": f"{ACCOUNT}/eu-west-1/JupyterLab/ml.t3.medium",
        "quota": NAME,
        "value": 3,
        "used": 1,
        "wanted": 4,
        "fits": "no",
        "code": "L-71FAF417",
    }
    text = place.run("plan").out
    assert "1 of 3 used  4 wanted  does not fit" in text
    assert f"{NAME} (L-71FAF417)" in text
    assert "--quota-code L-71FAF417 --desired-value 5 --region eu-west-1" in text
    forecast = place.run("plan", "--format", "json").report["forecast"]
    assert forecast["parked"] == 2


def test_a_days_answers_are_used_again_and_an_idle_night_asks_nothing(place: Place) -> None:
    assert place.apply().code == 0
    assert place.calls()["ListServiceQuotas"]["ok"] > 1
    place.forget_calls()
    assert place.apply().code == 0
    assert set(place.calls()) == {"ListApps", "GetCallerIdentity"}
    place.within(lambda world: world.stats.reset())
    place.within(lambda world: app_operations.delete_app(world, place.identity(lab_of("u001"))))
    report = place.run("plan", "--format", "json").report
    assert "ListServiceQuotas" not in place.calls()
    place.run("plan", "--refresh-quotas")
    assert report["quotas"][0]["value"] == 1_000
    assert place.calls()["ListServiceQuotas"]["ok"] > 1


def elsewhere(place: Place) -> None:
    """Let the account have another domain, with an app of the same bucket in it."""

    def add(world: World) -> None:
        domain = owner_operations.add_domain(world, OTHER_DOMAIN_ID, "eu-west-1", ACCOUNT)
        owner_operations.create_profile(world, domain, "zed", at_once=True)
        settings = {"AppType": "JupyterLab"}
        owner_operations.create_space(
            world, domain, "zed-lab", owner="zed", sharing="Private", settings=settings, tags={}, at_once=True
        )
        identity = app_id(OTHER_DOMAIN_ID, "space", "zed-lab", "JupyterLab", "default")
        spec = AppSpec(instance_type="ml.t3.medium")
        app_operations.place_app(world, domain, identity, "zed-lab", spec, {}, "InService")

    place.within(add)


def test_use_is_counted_over_all_domains_of_the_account(place: Place) -> None:
    elsewhere(place)
    place.put_app("research/space/zoe-lab/JupyterLab/default")
    (line,) = place.run("plan", "--format", "json").report["quotas"]
    assert (line["value"], line["used"], line["fits"]) == (1_000, 2, "yes")
    place.forget_calls()
    assert place.apply().code == 0
    place.forget_calls()
    assert place.apply().code == 0
    assert set(place.calls()) == {"ListApps", "GetCallerIdentity"}
    assert place.calls()["ListApps"]["ok"] == 1


def test_a_selected_team_is_held_against_the_whole_account(place: Place) -> None:
    place.put_app("research/space/zoe-lab/JupyterLab/default")
    (line,) = place.run("plan", "--space", "u000-lab", "--format", "json").report["quotas"]
    assert (line["used"], line["wanted"], line["fits"]) == (1, 1, "yes")


def test_the_quota_of_all_running_apps_is_told_where_it_is_too_small(place: Place) -> None:
    place.scenario("schema = 1\n[quotas]\nrunning_apps = 3\n")
    whole = place.run("plan", "--format", "json").report["quotas"][-1]
    assert whole == {
        "bucket": f"{ACCOUNT}/eu-west-1/all apps",
        "quota": "Maximum number of running Studio apps allowed per account",
        "value": 3,
        "used": 0,
        "wanted": 4,
        "fits": "no",
        "code": "L-4E39DDC4",
    }
    assert "--quota-code L-4E39DDC4 --desired-value 4" in place.run("plan").out


def test_without_permission_quotas_are_unknown_and_nothing_is_held_back(place: Place) -> None:
    place.scenario("schema = 1\n" + fault(FaultKind.ACCESS_DENIED, "ListServiceQuotas"))
    report = place.run("plan", "--format", "json").report
    (line,) = report["quotas"]
    assert (line["value"], line["fits"]) == (None, "unknown")
    (finding,) = report["findings"]
    assert (finding["rule"], finding["enforcement"]) == ("quotas", "advisory")
    assert "This does not hold back any app" in finding["message"]
    assert place.apply().code == 0


def test_a_cache_that_is_broken_is_as_good_as_none(place: Place) -> None:
    place.run("plan", "--format", "json")
    state = place.folder / ".appfleet"
    state.mkdir(mode=0o700, exist_ok=True)
    for broken in ("{", json.dumps({"version": 2, "lanes": {f"{ACCOUNT}/eu-west-1 {place.url}": {"at": "x"}}})):
        (state / "journal.quotas.json").write_text(broken)
        assert place.run("plan", "--format", "json").report["quotas"][0]["value"] == 1_000


def test_all_quotas_are_listed_in_one_account_of_a_region_and_the_others_are_asked_by_code(place: Place) -> None:
    accounts = [f"{number:012}" for number in (1, 2, 3)]
    domains = "".join(
        f'[domains.d{account[-1]}]\nid = "d-{account}"\nregion = "eu-west-1"\naccount = "{account}"\n'
        f'role_arn = "arn:aws:iam::{account}:role/appfleet"\n'
        f'[domains.d{account[-1]}.users.zoe]\n[domains.d{account[-1]}.spaces.zoe-lab]\nowner = "zoe"\napps = ["lab"]\n'
        for account in accounts
    )
    lab = '[apps.lab]\ntype = "JupyterLab"\ninstance_type = "ml.t3.medium"\n'
    place.write(f'schema = 1\nname = "e2e"\n{lab}{domains}')
    place.forget_calls()
    lines = place.run("plan", "--format", "json").report["quotas"]
    asked = place.calls()["ListServiceQuotas"]["ok"]
    assert [(line["value"], line["code"], line["fits"]) for line in lines] == [(1_000, "L-71FAF417", "yes")] * 3
    place.forget_calls()
    place.run("plan", "--domain", "d2")
    whole = place.calls()["ListServiceQuotas"]["ok"]
    assert whole > 5
    assert asked == whole + 2 * 2, "the quota of the type and that of all running apps, in two accounts"
