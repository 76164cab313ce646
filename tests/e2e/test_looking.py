"""What is listed and shown: idle runs, selectors, several lanes, the plan's header, simulated worlds."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from tests.e2e.harness import ACCOUNT, DOMAIN_ID, OTHER_DOMAIN_ID, POLICY, QUICK, fault, fleet_text, lab_of, people

if TYPE_CHECKING:
    from tests.e2e.harness import Place

CROWD = 120


def crowd(place: Place, count: int = CROWD) -> None:
    """Put apps into the domain that no fleet declares."""
    domain = f'[[domain]]\nid = "{DOMAIN_ID}"\nregion = "eu-west-1"\nusers = {count}\n'
    quotas = "[quotas]\napps_per_bucket = 5000\nrunning_apps = 5000\n"
    place.scenario(QUICK + quotas + domain + '[domain.space_per_user]\napp = true\ninstance_type = "ml.t3.medium"\n')


def test_an_idle_run_lists_once_and_asks_who_calls(place: Place) -> None:
    """Row 30: pages of a hundred, each asked for once, and no call an app."""
    crowd(place)
    assert place.apply("--no-wait").code == 0
    place.forget_calls()
    ran = place.apply()
    assert (ran.code, ran.report["summary"]) == (0, {"unchanged": 4})
    assert place.calls() == {"GetCallerIdentity": {"ok": 1}, "ListApps": {"ok": -(-(CROWD + 4) // 100)}}
    assert ran.report["calls"] == place.calls()


def test_selectors_narrow_what_is_listed(place: Place) -> None:
    """A team of four in a domain of many is listed by owner where that is fewer calls, and only it is planned."""
    place.write(fleet_text(people(4), more='[domains.research.users.zoe]\napps = [{ type = "Canvas" }]\n'))
    crowd(place, 1_200)
    assert place.run("plan", "--format", "json").code == 0  # a plan remembers nothing
    whole = place.calls()["ListApps"]["ok"]
    place.forget_calls()
    ran = place.apply("--no-wait", "--team", "vision")
    assert (ran.code, ran.report["summary"]) == (0, {"created": 4})
    assert whole == 12
    assert place.calls()["ListApps"]["ok"] <= 4 + 1
    place.forget_calls()
    one = place.run("status", "--key", "research/user/zoe/Canvas/default", "--format", "json")
    assert one.code == 0
    assert place.calls()["ListApps"]["ok"] <= 2


def test_several_domains_and_regions_are_one_run(place: Place) -> None:
    """Each account and region is a lane of its own; a selector leaves the other one alone."""
    other = f"""
[domains.other]
id = "{OTHER_DOMAIN_ID}"
region = "us-east-1"
account = "{ACCOUNT}"
[domains.other.users.zoe]
apps = [{{ type = "Canvas" }}]
"""
    place.write(fleet_text(people(2), more=other))
    only = place.run("plan", "--domain", "other", "--format", "json")
    assert [lane["region"] for lane in only.report["lanes"]] == ["us-east-1"]
    assert place.calls()["ListApps"] == {"ok": 1}
    ran = place.apply("--no-wait")
    assert (ran.code, ran.report["summary"]) == (0, {"created": 3})
    assert {key.partition("/")[0] for key in ran.outcomes()} == {"research", "other"}
    assert ran.report["calls"]["GetCallerIdentity"] == {"ok": 1}, "both are the same caller, at the same endpoint"


def test_an_endpoint_that_is_not_aws_stands_in_the_plan_and_in_every_format(place: Place) -> None:
    """Row 53: what the environment redirects to is shown."""
    for arguments in ([], ["--format", "json"], ["--format", "markdown"]):
        ran = place.run("plan", *arguments, AWS_ENDPOINT_URL="", AWS_ENDPOINT_URL_SAGEMAKER=place.url,
                        AWS_ENDPOINT_URL_STS=place.url)  # fmt: skip
        assert ran.code == 0, ran.err
        assert place.url in html.unescape(ran.out)
        assert ACCOUNT in ran.out


def test_status_and_dry_run_change_nothing(place: Place) -> None:
    assert place.apply("--no-wait", "--key", lab_of("u000")).code == 0
    place.forget_calls()
    shown = place.run("status")
    assert shown.code == 0
    assert "u000-lab" in shown.out
    dry = place.run("apply", "--dry-run")
    assert dry.code == 0
    assert "u003-lab" in dry.out
    assert place.only_looked()


def test_a_simulated_world_is_kept_also_when_the_run_fails(place: Place) -> None:
    """No credentials and no endpoint are needed, none that there are is used, and no call leaves the process."""
    (place.folder / "policies" / "execution.toml").write_text(POLICY)
    scenario = place.folder / "full.toml"
    scenario.write_text(QUICK + '[[quota]]\napp_type = "JupyterLab"\ninstance_type = "ml.t3.medium"\nvalue = 1\n')
    first = place.apply("--simulate=full.toml", "--no-wait")
    assert (first.code, first.report["summary"]) == (3, {"created": 1, "parked": 3})
    second = place.run("plan", "--simulate", "--format", "json")
    assert (second.code, second.report["summary"]["create"]) == (0, 3)
    assert place.calls() == {}
    world = (place.folder / ".appfleet" / "simulated-world.json").read_text()
    assert "wJalr" not in world


def test_what_was_not_read_of_the_tags_is_said_in_every_form(place: Place) -> None:
    """An app that nobody declares is there, and the index of tags refuses: asked once, and said wherever a plan is."""
    place.put_app("research/space/u000-lab/CodeEditor/default")
    place.scenario(QUICK + fault("access-denied", "GetResources"))
    said = f"tags in account {ACCOUNT}, region eu-west-1 were not read"
    for command in ("plan", "status"):
        place.forget_calls()
        ran = place.run(command, "--format", "json")
        assert [one["message"] for one in ran.report["findings"] if said in one["message"]], command
        assert sum(place.calls()["GetResources"].values()) == 1
        for form in ("text", "markdown"):
            shown = html.unescape(place.run(command, "--format", form).out)
            assert said in " ".join(shown.replace("`", "").replace("<code>", "").replace("</code>", "").split()), (
                command,
                form,
            )


def test_a_service_of_tags_that_nobody_listens_at_costs_a_plan_no_time(place: Place) -> None:
    place.put_app("research/space/u000-lab/CodeEditor/default")
    ran = place.run("plan", AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API="http://127.0.0.1:9")
    assert ran.code == 0
    assert ran.events("call.retried") == []
    assert "Cannot connect to http://127.0.0.1:9 (connection refused)" in " ".join(ran.out.split())
