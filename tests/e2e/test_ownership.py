"""Whose an app is: another fleet's is never touched, the index of tags only narrows, and --adopt takes over."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import POLICY, QUICK, fault, fleet_text, lab_of, people

if TYPE_CHECKING:
    from tests.e2e.harness import Place

OURS = {"appfleet:fleet": "e2e"}
THEIRS = {"appfleet:fleet": "another-fleet"}
MANY = 30  # more than are read one by one
LIMITS = "[safety]\ndestroy_max = 50\ndestroy_share_max = 1.0\n"


def populate(place: Place) -> None:
    """Thirty apps of ours, thirty of another fleet and thirty of nobody's; five of ours stay declared."""
    names = people(3 * MANY)
    place.write(fleet_text(names), POLICY + LIMITS)
    for number, name in enumerate(names):
        place.put_app(lab_of(name), tags=(OURS, THEIRS, {})[number // MANY])
    place.write(fleet_text(names[:5]), POLICY + LIMITS)


def test_prune_beside_another_fleets_apps_touches_none_of_them(place: Place) -> None:
    populate(place)
    planned = place.run("plan", "--prune")
    assert f"{MANY} apps of other fleets left alone" in planned.out
    assert f"{lab_of('u030')} (another-fleet)" in planned.out
    place.forget_calls()
    ran = place.apply("--prune")
    assert (ran.code, ran.report["summary"]) == (0, {"unchanged": 5, "deleted": MANY - 5})
    statuses = [place.status_of(lab_of(name)) for name in people(3 * MANY)]
    assert statuses == ["InService"] * 5 + ["Deleted"] * (MANY - 5) + ["InService"] * 2 * MANY
    calls = place.calls()
    # One page for the apps and one for their owners; then a look each at what the index calls ours, and one more just
    # before its delete.
    assert calls["GetResources"] == {"ok": 2}
    assert calls["ListTags"] == {"ok": 2 * (MANY - 5)}


def test_without_the_index_each_candidate_is_asked_itself(place: Place) -> None:
    populate(place)
    place.scenario(QUICK + fault("access-denied", "GetResources"))
    ran = place.apply("--prune")
    assert (ran.code, ran.report["summary"]) == (0, {"unchanged": 5, "deleted": MANY - 5})
    assert [event["code"] for event in ran.events("lane.tag_index_unread")] == ["AccessDeniedException"]


def test_a_profile_with_the_fleets_tag_prunes_nothing_and_is_an_error(place: Place) -> None:
    populate(place)
    place.within(lambda world: world.domains["d-abcd1234efgh"].profiles["u000"].tags.update(OURS))
    planned = place.run("plan", "--prune")
    assert planned.code == 1
    assert "user-profile/d-abcd1234efgh/u000 carries appfleet:fleet" in planned.out
    ran = place.apply("--prune")
    assert (ran.code, ran.report["summary"]) == (1, {"unchanged": 5})
    assert [error["code"] for error in ran.report["errors"]] == ["tagged_owner"]
    assert "DeleteApp" not in place.calls()


def test_adopting_fifty_apps_makes_them_replaceable(place: Place) -> None:
    names = people(52)
    place.write(fleet_text(names), POLICY + LIMITS)
    for name in names[:50]:
        place.put_app(lab_of(name), "ml.m5.large")
    place.put_app(lab_of("u050"), "ml.m5.large", THEIRS)
    place.put_app(lab_of("u051"), "ml.m5.large", OURS)
    planned = place.run("plan", "--adopt")
    assert "50 to adopt" in planned.out
    assert "another-fleet" in planned.out
    ran = place.apply("--adopt")
    assert (ran.code, ran.report["summary"]) == (3, {"adopted": 50, "unchanged": 1, "skipped": 1})
    (left,) = [app for app in ran.report["apps"] if app["outcome"] == "skipped"]
    assert (left["key"], left["error"]["code"]) == (lab_of("u050"), "not_owned")
    assert left["error"]["message"] == "not adopted: its tag appfleet:fleet names the fleet 'another-fleet'"
    tags = place.within(lambda world: [world.apps[place.identity(lab_of(name))].tags for name in names])
    assert tags == [OURS] * 50 + [THEIRS, OURS]
    assert place.calls()["AddTags"] == {"ok": 50}
    assert place.apply("--adopt").report["summary"] == {"unchanged": 51, "skipped": 1}
    place.write(fleet_text(names), POLICY + LIMITS + "replace_wave = 100\n")
    replaced = place.apply("--replace", "--allow-destructive", "research/*=51")
    assert replaced.report["summary"] == {"replaced": 51, "unchanged": 1}
    assert "50" in place.run("history").out


def test_an_adoption_that_meets_trouble_is_done_once(place: Place) -> None:
    names = people(6)
    place.write(fleet_text(names))
    for name in names:
        place.put_app(lab_of(name))
    trouble = fault("reset-after", "AddTags", max_count=2) + fault("throttle", "AddTags", max_count=2)
    place.scenario(QUICK + trouble)
    ran = place.apply("--adopt")
    assert (ran.code, ran.report["summary"]) == (0, {"adopted": 6})
    tags = place.within(lambda world: [world.apps[place.identity(lab_of(name))].tags for name in names])
    assert tags == [OURS] * 6


def test_a_plan_that_deletes_forty_percent_passes_with_the_flag_that_its_refusal_names(place: Place) -> None:
    names = people(20)
    place.write(fleet_text(names))
    for name in names:
        place.put_app(lab_of(name), tags=OURS)
    place.write(fleet_text(names[:12]))
    refused = place.apply("--prune")
    assert refused.code == 4
    messages = [finding["message"] for finding in refused.report["findings"]]
    (message,) = [text for text in messages if "--allow-destructive" in text]
    assert "8" in message
    assert "20" in message
    assert not {"DeleteApp", "CreateApp"} & place.calls().keys()
    found = re.search(r"--allow-destructive \S+", message)
    assert found is not None
    ran = place.apply("--prune", *shlex.split(found.group().rstrip(".,:;")))
    assert (ran.code, ran.report["summary"]) == (0, {"unchanged": 12, "deleted": 8})


def test_a_run_with_something_to_do_names_another_fleets_apps_and_an_idle_one_only_lists(place: Place) -> None:
    place.write(fleet_text(people(2)))
    place.put_app("research/user/stranger/JupyterLab/default", tags=THEIRS)
    ran = place.apply()
    assert (ran.code, ran.report["summary"]["created"]) == (0, 2)
    assert place.calls()["GetResources"] == {"ok": 1}
    assert any("1 app of other fleets left alone" in event["message"] for event in ran.events("rule.fired"))
    place.forget_calls()
    assert place.apply().report["summary"] == {"unchanged": 2}
    assert place.calls().keys() == {"GetCallerIdentity", "ListApps"}


def expire(place: Place) -> None:
    """Let the credentials be refused from the first read of tags on."""
    place.scenario(QUICK + fault("expired-credentials", "ListTags"))


@pytest.mark.parametrize("asked", [("--adopt",), ("--prune",), ("--replace", lab_of("u000")), ("absent",)])
def test_credentials_that_expire_while_tags_are_read_are_the_error_of_the_run(
    place: Place, asked: tuple[str, ...]
) -> None:
    """Whatever is left to do, and in every channel."""
    for name in people(4):
        place.put_app(lab_of(name), tags={} if asked == ("--adopt",) else OURS)
    place.write(fleet_text(people(3), lab='mode = "absent"') if asked == ("absent",) else fleet_text(people(3)))
    flags = () if asked == ("absent",) else asked
    expire(place)
    planned = place.run("plan", *flags, "--format", "json")
    assert (planned.code, planned.report["complete"]) == (1, False)
    assert "appfleet: plan failed (exit code 1): domain research: " in planned.err
    assert "ExpiredTokenException" in planned.err
    assert "expired" in planned.events("run.finished")[0]["message"]
    ran = place.apply(*flags)
    assert (ran.code, ran.report["result"]) == (1, "failed")
    assert [error["code"] for error in ran.report["errors"]] == ["ExpiredTokenException"]
    assert ran.report["summary"] == {"skipped": 3}
    assert "expired" in ran.err
    (finished,) = ran.events("run.finished")
    assert (finished["level"], finished["code"]) == ("error", "ExpiredTokenException")
    markdown = place.run("apply", "--yes", "--format", "markdown", *flags)
    assert (markdown.code, "ExpiredTokenException" in markdown.out) == (1, True)
    assert place.run("history", "--format", "json").out.count("ExpiredTokenException") >= 1
    assert place.only_looked()


def test_an_adoption_whose_tags_may_not_be_read_is_not_done(place: Place) -> None:
    for name in people(4):
        place.put_app(lab_of(name))
    place.scenario(QUICK + fault("access-denied", "ListTags"))
    ran = place.apply("--adopt")
    assert (ran.code, ran.report["result"], ran.report["summary"]) == (3, "incomplete", {"skipped": 4})
    assert {(app["error"]["code"], app["error"]["message"]) for app in ran.report["apps"]} == {
        ("not_owned", "not adopted: its tags could not be read")
    }
    assert place.only_looked()
    assert place.apply().code == 0  # nothing of it was asked for


def test_a_prune_whose_tags_may_not_be_read_is_not_done(place: Place) -> None:
    for name in people(4):
        place.put_app(lab_of(name), tags=OURS)
    place.write(fleet_text(people(3)))
    place.scenario(QUICK + fault("access-denied", "ListTags") + fault("access-denied", "GetResources"))
    ran = place.apply("--prune")
    assert (ran.code, ran.report["result"], ran.report["summary"]) == (3, "incomplete", {"unchanged": 3})
    said = f"1 app not pruned, since it could not be read who owns them: {lab_of('u003')}"
    assert ran.report["error"]["message"] == said
    assert "sagemaker:ListTags" in ran.report["error"]["hint"]
    assert said in ran.err
    assert [finding["rule"] for finding in ran.report["findings"] if finding["rule"] != "tags"] == ["unpruned"]
    assert said in place.run("history", "--format", "json").out
    assert f"3 of 3 apps are as declared; {said}." in place.run("report", "--out", "-").out
    assert place.only_looked()
    assert place.apply().code == 0  # nothing of it was asked for
