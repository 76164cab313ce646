"""What a plan wants of the quotas, beside what is in use and what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.core.identity import QuotaBucket
from engine.core.plan import Fits, QuotaLine
from engine.core.planner import plan_fleet
from engine.core.quota_fit import RUNNING_APPS, LaneQuotas, QuotaValue, quota_fit, reserved_fit, wanted_buckets
from engine.core.quota_text import increase_command, quota_name
from engine.core.reserved import TrainingPlan
from tests.fleets import CANVAS, KERNEL, LAB, LANE, a_fleet, a_row, an_app, observe, options

if TYPE_CHECKING:
    from engine.core.quota_fit import QuotaFit

NAME = quota_name("JupyterLab", "ml.t3.medium")
BUCKET = QuotaBucket(*LANE, "JupyterLab", "ml.t3.medium")
LANES = {"research": LANE}
BOB = "research/space/bob-lab/JupyterLab/default"
ZOE = "research/space/zoe-lab/JupyterLab/default"


def fit_of(*rows: Any, value: int | None, sees_all: bool = True, apps: tuple[Any, ...] = (), **more: Any) -> QuotaFit:
    fleet = a_fleet(*(apps or (an_app(LAB), an_app(BOB))))
    observed = observe(*rows)
    made = plan_fleet(fleet, observed, options(**more))
    values = {} if value is None else {NAME: QuotaValue("L-1", value)}
    return quota_fit(made, observed, LANES, {LANE: LaneQuotas(values, sees_all)})


@pytest.mark.parametrize(
    ("value", "sees_all", "fits", "used", "room"),
    [
        (3, True, Fits.YES, 1, {BUCKET: 2}),
        (2, True, Fits.NO, 1, {BUCKET: 1}),
        (0, True, Fits.NO, 1, {BUCKET: -1}),
        (3, False, Fits.UNKNOWN, None, {}),
        (2, False, Fits.NO, None, {BUCKET: 1}),
        (None, True, Fits.UNKNOWN, 1, {}),
    ],
)
def test_two_more_labs_beside_one_that_is_there(
    value: int | None, sees_all: bool, fits: Fits, used: int | None, room: dict[QuotaBucket, int]
) -> None:
    found = fit_of(a_row(ZOE), value=value, sees_all=sees_all)
    (line,) = found.lines
    assert (line.bucket, line.quota, line.value, line.used, line.wanted, line.fits) == (
        str(BUCKET), NAME, value, used, 2, fits,
    )  # fmt: skip
    assert line.code == ("" if value is None else "L-1")
    assert found.room == room


def test_one_more_is_judged_by_itself() -> None:
    assert fit_of(a_row(ZOE), value=2).one_more == {BUCKET: Fits.YES}
    assert fit_of(a_row(ZOE), value=1).one_more == {BUCKET: Fits.NO}


def test_what_is_dead_uses_nothing_and_what_starts_or_goes_does() -> None:
    rows = (a_row(ZOE, "Deleting"), a_row(BOB, "Failed"), a_row("research/space/y/JupyterLab/default", "Pending"))
    assert fit_of(*rows, value=10).lines[0].used == 2


def test_what_the_plan_deletes_frees_its_place() -> None:
    apps = (an_app(LAB), an_app(BOB, mode="absent"))
    found = fit_of(a_row(BOB), value=1, apps=apps)
    assert (found.lines[0].used, found.lines[0].fits) == (1, Fits.YES)


def test_kernels_on_system_use_the_quota_of_what_the_service_makes_of_it() -> None:
    made = plan_fleet(a_fleet(an_app(KERNEL, "system")), observe(), options())
    assert list(wanted_buckets(made, LANES)) == [QuotaBucket(*LANE, "KernelGateway", "ml.t3.medium")]


def test_apps_without_a_quota_deletes_and_lanes_that_cannot_be_reached_have_no_line() -> None:
    fleet = a_fleet(an_app(CANVAS, None), an_app(LAB, mode="absent"), an_app("lab/space/x/JupyterLab/default"))
    observed = observe(a_row(LAB), a_row("lab/space/y/JupyterLab/default"))
    made = plan_fleet(fleet, observed, options())
    assert quota_fit(made, observed, LANES, {}).lines == ()


def test_without_an_answer_everything_is_unknown() -> None:
    observed = observe()
    made = plan_fleet(a_fleet(an_app(LAB)), observed, options())
    found = quota_fit(made, observed, LANES, {})
    assert [(line.value, line.used, line.fits) for line in found.lines] == [(None, None, Fits.UNKNOWN)]


def test_a_code_that_the_service_told_is_in_the_command() -> None:
    told = increase_command("some quota", region="eu-west-1", used=1, waiting=2, code="L-ABC123")
    assert "--quota-code L-ABC123 --desired-value 3 --region eu-west-1" in told
    assert "--quota-code" not in increase_command("some quota", code="L-1; rm")


def test_what_the_whole_account_has_in_use_counts_where_it_was_listed() -> None:
    plan = plan_fleet(a_fleet(an_app(LAB)), observe(), options())
    other = QuotaBucket("444455556666", "eu-west-1", "JupyterLab", "ml.t3.medium")
    elsewhere = LaneQuotas({NAME: QuotaValue("L-1", 5)}, sees_all=True, used={BUCKET: 5, other: 7})
    (line,) = quota_fit(plan, observe(a_row(ZOE)), LANES, {LANE: elsewhere}).lines
    assert (line.used, line.fits) == (5, Fits.NO)


@pytest.mark.parametrize(("value", "told"), [(1, True), (2, False)])
def test_the_quota_of_all_running_apps_is_told_where_it_is_too_small(value: int, *, told: bool) -> None:
    plan = plan_fleet(a_fleet(an_app(LAB)), observe(), options())
    quotas = LaneQuotas({RUNNING_APPS: QuotaValue("L-4E39DDC4", value)}, sees_all=True)
    found = quota_fit(plan, observe(a_row(ZOE)), LANES, {LANE: quotas}).lines
    assert [line.quota for line in found] == [NAME, *([RUNNING_APPS] if told else [])]
    unseen = LaneQuotas({RUNNING_APPS: QuotaValue("L-4E39DDC4", 1)})
    assert quota_fit(plan, observe(a_row(ZOE)), LANES, {LANE: unseen}).lines[-1].used is None


G5, G4, G6 = (f"ml.{kind}.xlarge" for kind in ("g5", "g4dn", "g6"))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({G5: 0, G4: 0, G6: 0}, {G5: 2, G4: 2, G6: 2}),
        ({G5: 0, G4: 5, G6: 0}, {G5: 2, G4: 2}),
        ({G5: 0, G6: 0}, {G5: 2, G4: 2}),  # what is not known may have room
        ({G5: 1, G4: 0, G6: 0}, {G5: 2}),  # a full quota is waited for
        ({}, {G5: 2}),
    ],
)
def test_an_app_whose_quota_is_0_is_wanted_of_each_fallback_that_a_run_would_try(
    values: dict[str, int], wanted: dict[str, int]
) -> None:
    apps = tuple(an_app(key, G5, fallback=(G4, G6)) for key in (LAB, BOB))
    made, observed = plan_fleet(a_fleet(*apps), observe(), options()), observe()
    quotas = {quota_name("JupyterLab", kind): QuotaValue("L-1", value) for kind, value in values.items()}
    quotas[RUNNING_APPS] = QuotaValue("L-2", 2)  # two apps are two, however many types are tried
    found = quota_fit(made, observed, LANES, {LANE: LaneQuotas(quotas, sees_all=True)})
    assert {line.bucket.rpartition("/")[2]: line.wanted for line in found.lines} == wanted
    for line in found.lines:
        kind = line.bucket.rpartition("/")[2]
        fits = Fits.UNKNOWN if kind not in values else Fits.NO if values[kind] < 2 else Fits.YES
        assert (line.value, line.fits) == (values.get(kind), fits)


def test_a_fallback_without_a_quota_of_its_kind_ends_the_row() -> None:
    made = plan_fleet(a_fleet(an_app(LAB, G5, fallback=("", G6))), observe(), options())
    quotas = {quota_name("JupyterLab", G5): QuotaValue("L-1", 0)}
    found = quota_fit(made, observe(), LANES, {LANE: LaneQuotas(quotas, sees_all=True)})
    assert [line.bucket.rpartition("/")[2] for line in found.lines] == [G5]


def test_a_lane_of_which_nothing_is_known_tries_no_fallback() -> None:
    made = plan_fleet(a_fleet(an_app(LAB, G5, fallback=(G4,))), observe(), options())
    assert [line.wanted for line in quota_fit(made, observe(), LANES, {}).lines] == [1]


PLAN = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
ON_PLAN = QuotaBucket(*LANE, "", "", PLAN)
EDITOR = "research/space/zoe-ed/CodeEditor/default"


def on_plan(*rows: Any, found: TrainingPlan | None, **more: Any) -> QuotaFit:
    apps = [an_app(key, "ml.p5.48xlarge", training_plan_arn=PLAN) for key in (LAB, EDITOR)]
    made = plan_fleet(a_fleet(*apps, an_app(BOB)), observe(*rows), options(**more))
    return reserved_fit(made, LANES, {} if found is None else {PLAN: found})


@pytest.mark.parametrize(
    ("total", "available", "fits", "used", "room"),
    [
        (4, 2, Fits.YES, 2, {ON_PLAN: 2}),
        (4, 1, Fits.NO, 3, {ON_PLAN: 1}),
        (0, 0, Fits.NO, 0, {ON_PLAN: -1}),
        (None, 1, Fits.NO, None, {ON_PLAN: 1}),
        (4, None, Fits.UNKNOWN, None, {}),
    ],
)
def test_apps_of_both_types_share_the_free_instances_of_their_training_plan(
    total: int | None, available: int | None, fits: Fits, used: int | None, room: dict[QuotaBucket, int]
) -> None:
    found = on_plan(found=TrainingPlan(PLAN, "Active", total, available, 0.0, 86_400.0))
    (line,) = found.lines
    assert line == QuotaLine(str(ON_PLAN), "", total, used, 2, fits, period="1970-01-01 00:00 to 1970-01-02 00:00 UTC")
    assert found.room == room


def test_a_training_plan_that_was_not_read_is_unknown() -> None:
    (line,) = on_plan(found=None).lines
    assert (line.value, line.used, line.wanted, line.fits, line.period) == (None, None, 2, Fits.UNKNOWN, "")


def test_a_replace_on_one_plan_needs_no_more_room_than_it_frees() -> None:
    row = a_row(LAB, instance_type="ml.p5.4xlarge", training_plan_arn=PLAN)
    found = on_plan(row, found=TrainingPlan(PLAN, "Active", 1, 0), replace_on_drift=True)
    assert (found.lines[0].wanted, found.lines[0].fits, found.room) == (2, Fits.NO, {ON_PLAN: 1})
    assert found.one_more == {ON_PLAN: Fits.NO}


def test_an_app_on_a_plan_counts_against_no_quota_but_that_of_all_apps() -> None:
    made = plan_fleet(a_fleet(an_app(LAB, training_plan_arn=PLAN)), observe(), options())
    rows = observe(a_row(ZOE, training_plan_arn=PLAN), a_row(BOB))
    values = {NAME: QuotaValue("L-1", 1), RUNNING_APPS: QuotaValue("L-4E39DDC4", 2)}
    found = quota_fit(made, rows, LANES, {LANE: LaneQuotas(values, sees_all=True)})
    assert [(line.quota, line.used, line.wanted) for line in found.lines] == [(RUNNING_APPS, 2, 1)]
