"""What follows from the state of a training plan for the apps that are made on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from engine.core.change import Action, Reason
from engine.core.planner import plan_fleet
from engine.core.reserved import TrainingPlan, plan_word, plans_wanted, without_unusable
from tests.fleets import CANVAS, LAB, LANE, a_fleet, a_row, an_app, observe, options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.plan import Plan

ARN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5-week-50"
P5 = "ml.p5.48xlarge"
BOB = "research/space/bob-lab/JupyterLab/default"
NOW = datetime(2026, 11, 24, 1, tzinfo=UTC).timestamp()
DAY = 86_400.0
GOOD = TrainingPlan(ARN, "Active", 4, 4, NOW - DAY, NOW + DAY, ("studio-apps",), (P5,))
LANES = {"research": LANE}


def planned(*rows: object, instance_type: str = P5, arn: str = ARN, **more: bool) -> Plan:
    apps = [an_app(key, instance_type, training_plan_arn=arn) for key in (LAB, BOB)]
    return plan_fleet(a_fleet(*apps, an_app(CANVAS, None)), observe(*rows), options(**more))  # type: ignore[arg-type]


def judged(known: Mapping[str, TrainingPlan | None], made: Plan | None = None) -> Plan:
    return without_unusable(made or planned(), known, LANES, NOW)


@pytest.mark.parametrize(
    "known",
    [
        {},
        {ARN: GOOD},
        {ARN: replace(GOOD, targets=(), instance_types=(), starts_at=None, ends_at=None)},
        {ARN: replace(GOOD, starts_at=NOW + DAY)},
    ],
)
def test_apps_of_a_plan_that_can_run_them_or_was_not_read_are_made(known: Mapping[str, TrainingPlan | None]) -> None:
    made = planned()
    assert judged(known, made) is made


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "training plan p5-week-50 does not exist in account 111122223333, region eu-west-1;"),
        (replace(GOOD, ends_at=NOW), "training plan p5-week-50 ended on 2026-11-24 01:00 UTC;"),
        (replace(GOOD, status="Expired", ends_at=None), "training plan p5-week-50 ended;"),
        (replace(GOOD, status="Failed"), "training plan p5-week-50 is Failed;"),
        (replace(GOOD, status="Failed", message="no payment"), "is Failed (no payment);"),
        (replace(GOOD, status="Scheduled", starts_at=NOW + DAY), "is Scheduled and starts on 2026-11-25 01:00 UTC;"),
        (replace(GOOD, status="Pending", starts_at=None), "is Pending;"),
        (replace(GOOD, targets=("training-job",)), "is for training-job, and not for Studio apps;"),
        (replace(GOOD, instance_types=("ml.p4d.24xlarge",)), f"reserves ml.p4d.24xlarge, and not {P5};"),
    ],
)
def test_apps_that_their_plan_cannot_run_are_left_alone_with_one_finding(found: TrainingPlan | None, said: str) -> None:
    made = judged({ARN: found})
    decided = {str(change.key): (change.action, change.reason) for change in made.decisions}
    assert decided[LAB] == decided[BOB] == (Action.NONE, Reason.TRAINING_PLAN)
    assert decided[CANVAS] == (Action.CREATE, Reason.ABSENT)
    (finding,) = made.findings
    assert (finding.rule, finding.enforcement, finding.key) == ("training_plan", "skip", "")
    assert said in finding.message
    assert "2 apps that need it are skipped. " in finding.message
    assert not made.denied


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            replace(GOOD, status="Scheduled", starts_at=NOW - 60.0),
            "training plan p5-week-50 is Scheduled, although its start, 2026-11-24 00:59 UTC, has passed. ",
        ),
        (
            replace(GOOD, status="Paused"),
            "training plan p5-week-50 has the status Paused, which appfleet does not know. ",
        ),
    ],
)
def test_a_status_that_need_not_stop_an_app_is_only_said(found: TrainingPlan, said: str) -> None:
    made = judged({ARN: found})
    assert [finding.message for finding in made.findings] == [f"{said}appfleet creates its apps anyway"]
    assert made.summary["create"] == 3


def test_a_replace_onto_a_plan_that_ended_leaves_the_old_app_where_it_is() -> None:
    made = planned(a_row(LAB, instance_type=P5), replace_on_drift=True)
    assert {change.key.owner: change.action for change in made.changes}["alice-lab"] is Action.DELETE_THEN_CREATE
    skipped = judged({ARN: replace(GOOD, status="Expired")}, made)
    assert {str(change.key): change.action for change in skipped.decisions}[LAB] is Action.NONE


def test_an_app_that_runs_on_a_plan_is_left_running() -> None:
    rows = [a_row(key, instance_type=P5, training_plan_arn=ARN) for key in (LAB, BOB)]
    made = judged({ARN: replace(GOOD, status="Expired")}, planned(*rows))
    assert {change.reason for change in made.decisions} == {Reason.IN_SYNC, Reason.ABSENT}
    assert made.findings == ()


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        (ARN.replace("111122223333", "444455556666"), "is of account 444455556666, and the domain of account"),
        (ARN.replace("eu-west-1", "us-east-1"), "is of region us-east-1, and the domain of eu-west-1"),
    ],
)
def test_a_plan_of_another_place_is_not_asked_about_and_cannot_be_used(arn: str, said: str) -> None:
    made = planned(arn=arn)
    assert plans_wanted(made, LANES) == {}
    assert said in judged({arn: GOOD}, made).findings[0].message


def test_each_plan_that_apps_are_made_on_is_asked_about_once() -> None:
    rows = [a_row(key, instance_type=P5, training_plan_arn=ARN) for key in (LAB, BOB)]
    assert plans_wanted(planned(), LANES) == {LANE: (ARN,)}
    assert plans_wanted(planned(), {}) == {}
    assert plans_wanted(planned(*rows), LANES) == {}
    assert plans_wanted(planned(arn="None"), LANES) == {}


def test_the_period_of_a_plan_names_what_is_known_of_it() -> None:
    assert GOOD.period == "2026-11-23 01:00 to 2026-11-25 01:00 UTC"
    assert replace(GOOD, ends_at=None).period == "2026-11-23 01:00 to ? UTC"
    assert replace(GOOD, starts_at=None, ends_at=None).period == ""


def test_what_is_no_arn_is_called_by_what_it_is() -> None:
    assert plan_word("x") == "training plan x"
