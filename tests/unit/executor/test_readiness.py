"""What is not in service: waited for while it may still be, and ended with its state where it will not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.outcome import Outcome
from engine.simulator.world.faults import FaultKind
from tests.unit.executor.test_owner_run import ALICE, BOB, CANVAS_B, SPACE_A, Stage, outcomes, owners_of

REFUSAL = "Unable to create App [default] because UserProfile [bob] is not in InService status."


def only_bobs_canvas() -> Stage:
    from dataclasses import replace

    stage = Stage()
    stage.fleet = replace(stage.fleet, apps=stage.fleet.apps[-1:], owners=())
    stage.profile("bob")
    return stage


def messages(report: Any) -> list[str]:
    return [result.error.message for result in (*report.apps, *report.owners) if result.error is not None]


@pytest.mark.parametrize("status", ["Update_Failed", "Delete_Failed", "Failed"])
def test_an_app_in_what_failed_for_good_ends_at_once_with_its_state(status: str) -> None:
    stage = only_bobs_canvas()
    stage.domain.profiles["bob"].status = status
    report = stage.apply()
    assert outcomes(report) == {CANVAS_B: "failed"}
    assert messages(report) == [f"user profile bob is {status}, so nothing can be made in it"]
    assert sum(report.calls["CreateApp"].values()) == 1


def test_an_app_in_a_domain_that_failed_for_good_ends_at_once_with_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failed(*_: object) -> str:
        return "Delete_Failed"

    monkeypatch.setattr("engine.simulator.faces.memory_face.MemoryCloud.domain_status", failed)
    stage = only_bobs_canvas()
    stage.fault(FaultKind.ERROR, "CreateApp", code="ValidationException", message=REFUSAL, count=99)
    report = stage.apply()
    assert messages(report) == ["domain research (d-research) is Delete_Failed, so nothing can be made in it"]
    assert sum(report.calls["CreateApp"].values()) == 1


def test_an_app_in_what_is_still_updating_is_waited_for() -> None:
    stage = only_bobs_canvas()
    stage.domain.profiles["bob"].status = "Updating"
    stage.at = [(20.0, lambda _: setattr(stage.domain.profiles["bob"], "status", "InService"))]
    report = stage.apply()
    assert outcomes(report) == {CANVAS_B: "created"}
    assert any("user profile bob is Updating" in event.message for event in stage.events if event.name == "app.retried")


def test_a_refusal_whose_state_cannot_be_read_is_tried_again() -> None:
    stage = only_bobs_canvas()
    stage.fault(FaultKind.ERROR, "CreateApp", code="ValidationException", message=REFUSAL)
    stage.fault(FaultKind.ACCESS_DENIED, "DescribeUserProfile", count=99)
    assert outcomes(stage.apply()) == {CANVAS_B: "created"}


def test_a_space_whose_person_failed_for_good_ends_at_once_with_the_persons_state() -> None:
    stage = Stage()
    stage.profile("bob")
    stage.profile("alice")
    stage.domain.profiles["alice"].status = "Update_Failed"
    report = stage.apply()
    assert owners_of(report) == {SPACE_A: Outcome.FAILED}
    assert "user profile alice is Update_Failed, so nothing can be made in it" in messages(report)
    assert {ALICE, BOB}.isdisjoint(owners_of(report))


def test_a_refusal_of_what_is_in_service_by_now_is_tried_again() -> None:
    stage = only_bobs_canvas()
    stage.fault(FaultKind.ERROR, "CreateApp", code="ValidationException", message=REFUSAL)
    report = stage.apply()
    assert outcomes(report) == {CANVAS_B: "created"}
    assert report.calls["DescribeDomain"] == {"ok": 1}


def test_a_volume_that_is_not_attached_yet_is_not_looked_into() -> None:
    stage = only_bobs_canvas()
    message = "Unable to create app [default] because storage is not in Available status"
    stage.fault(FaultKind.ERROR, "CreateApp", code="ResourceInUse", message=message)
    report = stage.apply()
    assert outcomes(report) == {CANVAS_B: "created"}
    assert "DescribeDomain" not in report.calls
