"""A freeze, by the command line: what is put off and until when, what goes on, and what is denied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import POLICY, QUICK, fleet_text, lab_of, people

if TYPE_CHECKING:
    from tests.e2e.harness import Place

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)
FREEZE = (
    f'[safety]\nreplace = "on-drift"\nprune = true\ndestroy_floor = 100\nfreeze = ["{TODAY - DAY}/{TODAY + DAY}"]\n'
)
UNTIL = f"{TODAY + 2 * DAY:%a %Y-%m-%d} 00:00 UTC"


@pytest.fixture
def frozen(place: Place) -> Place:
    """Return three labs of this fleet, of which one has drifted and one is not declared any more, and a new one."""
    place.write(fleet_text(people(3)))
    place.scenario(QUICK)
    assert place.apply().code == 0
    place.write(fleet_text([*people(3)[:2], "zoe"], lab='instance_type = "ml.m5.large"'), POLICY + FREEZE)
    return place


def test_in_a_freeze_what_destroys_waits_and_creates_go_on(frozen: Place) -> None:
    report = frozen.run("plan", "--format", "json").report
    assert [(change["key"], change["action"]) for change in report["changes"]] == [(lab_of("zoe"), "create")]
    (finding,) = [one for one in report["findings"] if one["rule"] == "freeze"]
    assert finding["message"] == (
        f"nothing is deleted or replaced until {UNTIL}: 1 delete and 2 replaces put off: "
        f"{lab_of('u000')}, {lab_of('u001')}, {lab_of('u002')}. To lift it, edit freeze in [safety]"
    )
    text = frozen.run("plan").out
    assert f"nothing is deleted or replaced until {UNTIL}" in text
    assert "not deleted or replaced during a freeze; instance_type ml.t3.medium -> ml.m5.large" in text
    ran = frozen.apply()
    assert (ran.code, ran.report["summary"]) == (0, {"created": 1, "unchanged": 2})
    assert "DeleteApp" not in frozen.calls()


def test_a_plan_for_a_time_after_the_freeze_has_everything(frozen: Place) -> None:
    at = f"{TODAY + 3 * DAY}T12:00:00Z"
    summary = frozen.run("plan", "--at", at, "--format", "json").report["summary"]
    assert (summary["create"], summary["delete"], summary["delete_then_create"]) == (1, 1, 2)


def test_no_flag_lifts_a_freeze(frozen: Place) -> None:
    ran = frozen.apply("--replace", lab_of("u000"))
    assert ran.outcomes()[lab_of("u000")] == "unchanged"
    assert "DeleteApp" not in frozen.calls()
