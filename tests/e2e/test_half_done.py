"""What an earlier run began and did not end is what the next run ends: replaces, and calls of unknown outcome."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.simulator.service import app_operations
from tests.e2e.harness import POLICY, QUICK, fault, fleet_text, lab_of, people, until

if TYPE_CHECKING:
    from engine.core.desired import AppSpec
    from tests.e2e.harness import Place

OURS = {"appfleet:fleet": "e2e"}
ONCE = 'mode = "once"\ninstance_type = "ml.t3.medium"'
KEY = lab_of("u000")
DENIED = QUICK + fault("access-denied", "CreateApp")


@pytest.fixture
def once(place: Place) -> Place:
    """Return a fleet of one app of mode once that this fleet has made and that has drifted since."""
    place.write(fleet_text(people(1), lab=ONCE))
    assert place.apply().report["summary"] == {"created": 1}
    place.write(fleet_text(people(1), lab='mode = "once"\ninstance_type = "ml.m5.large"'))
    place.forget_calls()
    return place


def check_made_again(place: Place, *, why: str) -> None:
    """Plan, status and apply say that the app is created, whatever its mode; after that it is done once more."""
    place.scenario(QUICK)
    planned = place.run("plan", "--format", "json").report
    assert [(one["key"], one["action"], one["reason"]) for one in planned["changes"]] == [(KEY, "create", why)]
    assert any(one["rule"] == "half_replaced" and KEY in one["message"] for one in planned["findings"])
    assert "made before" not in place.run("status", "--all").out
    ran = place.apply()
    assert (ran.code, ran.report["summary"]) == (0, {"created": 1})
    assert place.status_of(KEY) == "InService"
    assert place.stats()["create_for_live_key"] == 0
    after = place.run("plan", "--format", "json").report
    assert (after["changes"], after["summary"]["none"]) == ([], 1)
    assert not any(one["rule"] == "half_replaced" for one in after["findings"])


def test_a_replace_whose_create_was_denied_is_made_by_the_next_run(once: Place) -> None:
    """Row 36."""
    once.scenario(DENIED)
    ran = once.apply("--replace", KEY)
    assert (ran.code, ran.outcomes()) == (3, {KEY: "failed"})
    assert once.status_of(KEY) == "Deleted"
    (app,) = ran.report["apps"]
    assert app["error"]["hint"].startswith("The earlier app was deleted, and the next run creates it. ")
    assert "1 failed of 1 app; 1 deleted and not created again. Such as" in ran.err
    assert once.apply().outcomes() == {KEY: "failed"}  # however many nights it takes
    check_made_again(once, why="absent")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_replace_that_was_cut_off_in_its_delete_is_made_by_the_next_run(once: Place, number: signal.Signals) -> None:
    """Row 42: killed, or ended by two signals, while the DeleteApp has no answer yet."""
    once.scenario(QUICK + fault("stall-after", "DeleteApp"))
    with once.start("apply", "--yes", "--replace", KEY) as running:
        until(lambda: once.calls().get("DeleteApp", {}).get("fault:stall-after", 0) == 1, "its delete hangs")
        running.signal(number)
        if number is signal.SIGINT:
            until(lambda: '"run.interrupted"' in running.log_text(), "the first signal was taken")
            running.signal(number)
        running.end()
    assert once.status_of(KEY) in ("Deleting", "Deleted")
    until(lambda: once.status_of(KEY) == "Deleted", "the delete has settled")
    check_made_again(once, why="absent")


def test_a_replace_whose_new_app_failed_is_made_by_the_next_run(once: Place) -> None:
    once.scenario(QUICK + '[[failure]]\nreason = "the script of the lifecycle configuration failed"\n')
    ran = once.run("apply", "--yes", "--replace", KEY)
    assert "The earlier app was deleted, and the next run creates it. " in " ".join(ran.out.split())
    assert "incomplete; 0 of 1 app changed, 1 deleted and not created again, in " in ran.out
    check_made_again(once, why="failed")


def test_without_the_journal_an_app_of_mode_once_that_is_missing_is_created(once: Place) -> None:
    """What is observed decides alone, so an app that is gone is made."""
    once.scenario(DENIED)
    once.apply("--replace", KEY)
    for file in (once.folder / ".appfleet").glob("journal.sqlite*"):
        file.unlink()
    once.scenario(QUICK)
    assert once.apply().report["summary"] == {"created": 1}


def test_an_app_of_mode_once_that_nobody_waited_for_and_that_failed_is_created_again(place: Place) -> None:
    """With --no-wait it counts as made as soon as it is accepted."""
    place.write(fleet_text(people(1), lab=ONCE))
    place.scenario(QUICK + '[[failure]]\nreason = "the script of the lifecycle configuration failed"\n')
    assert place.apply("--no-wait").report["summary"] == {"created": 1}
    until(lambda: place.status_of(KEY) == "Failed", "it has failed")
    place.scenario(QUICK)
    assert place.apply().report["summary"] == {"created": 1}
    assert place.status_of(KEY) == "InService"
    assert place.apply().report["summary"] == {"unchanged": 1}


def unfinished(place: Place) -> dict[str, tuple[str, int, int]]:
    with closing(sqlite3.connect(place.folder / ".appfleet" / "journal.sqlite")) as connection, connection:
        rows = connection.execute("SELECT key, operation, in_doubt, owed FROM unfinished").fetchall()
    return {key: (operation, in_doubt, owed) for key, operation, in_doubt, owed in rows}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_create_in_doubt_is_looked_up_before_it_is_sent_again(place: Place, number: signal.Signals) -> None:
    """Row 40: killed, or ended by two signals, while CreateApp has no answer: the next run begins by looking."""
    place.write(fleet_text(people(2)))
    place.scenario(QUICK + fault("stall-after", "CreateApp"))
    with place.start("apply", "--yes") as running:
        until(lambda: place.calls().get("CreateApp", {}).get("fault:stall-after", 0) == 2, "two creates hang")
        until(lambda: len(unfinished(place)) == 2, "their intents are on the disk")
        running.signal(number)
        if number is signal.SIGINT:
            until(lambda: '"run.interrupted"' in running.log_text(), "the first signal was taken")
            running.signal(number)
        running.end()
    assert set(unfinished(place).values()) == {("CreateApp", 1, 0)}

    place.scenario(QUICK)
    again = place.apply()
    assert again.code == 0, again.err
    assert place.stats()["create_for_live_key"] == 0
    assert unfinished(place) == {}


def test_a_replace_that_did_not_clear_its_drift_is_not_done_a_second_night(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service reports nothing of a field that was sent. People lose their kernels once, and not each night."""
    right = app_operations.create_app

    def forgetful(world: Any, domain: Any, key: Any, owner: str, spec: AppSpec, tags: Any) -> Any:
        return right(world, domain, key, owner, replace(spec, image_version_alias=None), tags)

    monkeypatch.setattr(app_operations, "create_app", forgetful)
    lab = 'instance_type = "ml.t3.medium"\nimage_version_alias = "2.2.1"'
    place.write(fleet_text(people(1), lab=lab), policy=POLICY + '[safety]\nreplace = "on-drift"\n')
    assert place.apply().report["summary"] == {"created": 1}
    assert place.apply().report["summary"] == {"replaced": 1}
    place.forget_calls()
    third = place.apply()
    assert (third.code, third.report["summary"]) == (0, {"unchanged": 1})
    (finding,) = (one for one in third.report["findings"] if one["rule"] == "convergence")
    assert "image_version_alias: declared 2.2.1, reported nothing" in finding["message"]
    assert "DeleteApp" not in place.calls()
    planned = place.run("plan", "--format", "json").report
    assert [one["rule"] for one in planned["findings"]] == ["convergence"]
    assert [(one["key"], one["differs"]) for one in planned["drift"]] == [(KEY, ["image_version_alias"])]
    assert "did not clear its drift" in place.run("status").out
    place.write(
        fleet_text(people(1), lab=lab.replace("2.2.1", "2.2.2")), policy=POLICY + '[safety]\nreplace = "on-drift"\n'
    )
    assert place.apply().report["summary"] == {"replaced": 1}
    assert place.apply("--replace", KEY).report["summary"] == {"replaced": 1}
