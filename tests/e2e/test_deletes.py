"""Deletes and replaces: only what this fleet owns, only what the plan said, and only while its trace is durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.harness import QUICK, fault, fleet_text, lab_of, people

if TYPE_CHECKING:
    from tests.e2e.harness import Place

OURS = {"appfleet:fleet": "e2e"}
THEIRS = {"appfleet:fleet": "another-fleet"}
ABSENT = 'mode = "absent"\ninstance_type = "ml.t3.medium"'


def test_declared_absent_deletes_what_is_ours_and_names_what_is_not(place: Place) -> None:
    """Row 34: each app is read again before its delete; what another fleet or a person made is never deleted."""
    place.write(fleet_text(people(3), lab=ABSENT))
    place.put_app(lab_of("u000"), tags=OURS)
    place.put_app(lab_of("u001"), tags=THEIRS)
    place.put_app(lab_of("u002"))
    planned = place.run("plan")
    assert "u001-lab" in planned.out
    ran = place.apply()
    assert ran.code == 3
    assert ran.outcomes() == {lab_of("u000"): "deleted", lab_of("u001"): "skipped", lab_of("u002"): "skipped"}
    refused = {app["key"]: app["error"] for app in ran.report["apps"] if app["error"]}
    assert all(error["code"] == "not_owned" for error in refused.values())
    assert f"--allow-destructive {lab_of('u002')}" in refused[lab_of("u002")]["hint"]
    assert "--allow-destructive" not in refused[lab_of("u001")]["hint"]  # another fleet's
    assert place.calls()["DeleteApp"] == {"ok": 1}
    assert [place.status_of(lab_of(name)) for name in people(3)] == ["Deleted", "InService", "InService"]
    assert place.calls()["DescribeApp"]["ok"] >= 1


def test_prune_deletes_owned_apps_that_nobody_declares_and_no_other(place: Place) -> None:
    """Row 37: without --prune they are counted and named, and nothing is deleted."""
    place.write(fleet_text(people(4)))
    for name, tags in (("u002", OURS), ("u003", THEIRS)):
        place.put_app(lab_of(name), tags=tags)
    place.write(fleet_text(people(2)))
    kept = place.apply("--no-wait")
    assert (kept.code, kept.report["summary"]) == (0, {"created": 2})
    assert "DeleteApp" not in place.calls()
    ran = place.apply("--prune")
    assert ran.outcomes()[lab_of("u002")] == "deleted"
    assert lab_of("u003") not in ran.outcomes()
    assert [place.status_of(lab_of(name)) for name in ("u002", "u003")] == ["Deleted", "InService"]


def test_too_many_deletes_are_refused_whole(place: Place) -> None:
    """Row 37: more than destroy_max is refused with the number, and the flag that allows exactly that many."""
    place.write(fleet_text(people(12), lab=ABSENT))
    for name in people(12):
        place.put_app(lab_of(name), tags=OURS)
    ran = place.apply()
    assert ran.code == 4
    assert any("12" in finding["message"] for finding in ran.report["findings"])
    assert "DeleteApp" not in place.calls()


def test_a_drifted_app_of_ours_is_replaced_on_demand_and_a_persons_is_not(place: Place) -> None:
    """Row 36: delete first, then create; drift alone changes nothing."""
    place.hasty = False
    place.write(fleet_text(people(2)))
    place.put_app(lab_of("u000"), "ml.m5.large", OURS)
    place.put_app(lab_of("u001"), "ml.m5.large")
    seen = place.apply("--no-wait")
    assert "DeleteApp" not in place.calls()
    assert seen.code == 0
    ran = place.apply("--replace")
    assert ran.outcomes()[lab_of("u000")] == "replaced"
    assert place.calls()["DeleteApp"] == {"ok": 1}
    assert place.calls()["CreateApp"] == {"ok": 1}
    kinds = place.within(lambda world: [world.apps[place.identity(lab_of(n))].spec.instance_type for n in people(2)])
    assert kinds == ["ml.t3.medium", "ml.m5.large"]


def test_a_delete_that_is_already_done_is_done(place: Place) -> None:
    """Row 35: "has already been deleted" is what was wanted."""
    place.write(fleet_text(people(1), lab=ABSENT))
    place.put_app(lab_of("u000"), tags=OURS)
    gone = "App has already been deleted or previously failed and was automatically deleted"
    place.scenario(QUICK + fault("error", "DeleteApp", code="ValidationException", message=gone))
    ran = place.apply()
    assert (ran.code, ran.report["summary"]) == (0, {"deleted": 1})


def test_without_a_journal_creates_go_on_and_deletes_are_not_sent(place: Place) -> None:
    """Row 45: a delete whose intent cannot be made durable is not sent; it is said once, and stands in the result."""
    place.write(
        fleet_text(people(1), more='[domains.research.users.zoe]\napps = [{ type = "Canvas", mode = "absent" }]\n')
    )
    canvas = "research/user/zoe/Canvas/default"
    place.put_app(canvas, "", OURS)
    ran = place.apply("--no-wait", "--state-dir", "fleet.toml/state")
    assert ran.code == 3, ran.err
    assert ran.outcomes() == {canvas: "skipped", lab_of("u000"): "created"}
    skipped = next(app["error"] for app in ran.report["apps"] if app["error"])
    assert skipped["code"] == "journal_not_durable"
    assert "DeleteApp" not in place.calls()
    assert len([note for note in ran.report["notes"] if "fleet.toml/state" in note]) == 1
    (place.folder / ".appfleet").write_text("a file where the state folder should be")
    refused = place.apply()
    assert refused.code == 1
    assert "error AF502" in refused.err
