"""The course of a run before it begins: rates, durations, quotas, calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.canaries import Tried, with_canaries
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.forecast import (
    OWNER_PRIOR_SECONDS,
    forecast_from_json,
    forecast_of,
    sending_s,
)
from engine.core.forecast_inputs import CREATE_PRIOR_SECONDS, ForecastInputs, Typical
from engine.core.identity import SPACE, USER, Owner, QuotaBucket
from engine.core.planner import plan_fleet
from engine.core.settings import Execution
from tests.fleets import KERNEL, LAB, LANE, a_fleet, a_row, an_app, observe, options

if TYPE_CHECKING:
    from engine.core.forecast import Forecast
    from engine.core.identity import OwnerKind
    from engine.core.plan import Plan

KIND = ("JupyterLab", "ml.t3.medium")
BUCKET = QuotaBucket(*LANE, *KIND)


def labs(count: int) -> Plan:
    return plan_fleet(
        a_fleet(*(an_app(f"research/space/s{number:05}/JupyterLab/default") for number in range(count))),
        observe(),
        options(),
    )


def course(plan: Plan, **more: Any) -> Forecast:
    inputs = {"lanes": {"research": LANE}, "learnt_rates": {LANE: 10.0}, "durations": {KIND: (60.0,)}, **more}
    made = forecast_of(plan.changes, plan.owners, ForecastInputs(**inputs))
    assert made is not None
    return made


def test_the_last_call_and_its_app_decide() -> None:
    made = course(labs(100))
    assert made.seconds == pytest.approx(100 / 9.3 + 60.0, abs=0.1)
    assert made.critical == str(BUCKET)
    assert dict(made.calls)["CreateApp"] == 100
    assert (made.rate_is_learnt, made.durations_are_known, made.parked) == (True, True, 0)
    assert list(made.curve) == sorted(made.curve)
    assert made.curve[-1] == made.seconds


def test_what_waits_for_another_one_like_it_takes_one_start_longer() -> None:
    plain, few = course(labs(100)), course(labs(100), failures_max=5)
    assert few.seconds == pytest.approx(plain.seconds + 60.0, abs=0.5)
    assert course(labs(5), failures_max=5).seconds == course(labs(5)).seconds
    plan, _ = with_canaries(labs(2), Tried({"research": LANE}, lambda *_: None), lambda _: 0.0)
    assert course(plan).seconds == pytest.approx(course(labs(2)).seconds + 60.0, abs=0.5)


def test_of_many_apps_the_last_takes_longer_than_the_middle_one() -> None:
    spread = tuple(float(second) for second in range(30, 91))
    few, many = course(labs(1), durations={KIND: spread}), course(labs(100), durations={KIND: spread})
    assert few.seconds == pytest.approx(60.0, abs=1.0)
    assert 80.0 < many.seconds <= 100 / 9.3 + 90.0


def test_samples_that_the_listings_alone_set_apart_count_as_one() -> None:
    near = course(labs(100), durations={KIND: (60.0, 64.0, 71.0)})
    assert near.seconds == pytest.approx(100 / 9.3 + 65.0, abs=0.1)


def test_without_a_past_the_usual_duration_and_the_policys_rate_are_taken() -> None:
    made = course(labs(1), durations={}, learnt_rates={})
    assert CREATE_PRIOR_SECONDS < made.seconds < CREATE_PRIOR_SECONDS + 15.0
    assert (made.rate_is_learnt, made.durations_are_known) == (False, False)


@pytest.mark.parametrize(
    ("count", "seconds"),
    [(2.0 / 0.6931471805599453, 1.0), (18.0 / 0.6931471805599453 + 40.0, 3.3219 + 2.0)],
)
def test_an_unknown_limit_is_sought_by_doubling(count: float, seconds: float) -> None:
    assert sending_s(count, 2.0, 20.0, limit_is_known=False) == pytest.approx(seconds, abs=0.001)


def test_a_rate_that_cannot_grow_is_kept() -> None:
    assert sending_s(40.0, 40.0, 20.0, limit_is_known=False) == 2.0
    assert sending_s(40.0, 4.0, 20.0, limit_is_known=True) == 10.0


def test_what_finds_no_place_is_parked_until_it_gives_up() -> None:
    made = course(labs(10), room={BUCKET: 4}, limit_give_up_s=300.0)
    assert (made.parked, made.hopeless) == (6, 0)
    assert made.seconds == pytest.approx(4 / 9.3 + 300.0, abs=0.1)


def test_a_quota_below_one_app_ends_its_bucket_at_once() -> None:
    made = course(labs(10), room={BUCKET: -1})
    assert (made.parked, made.hopeless) == (10, 10)
    assert made.seconds == pytest.approx(0.0, abs=0.1)
    assert forecast_from_json(made.to_json()) == made


def test_an_app_whose_quota_is_0_takes_its_first_fallback_that_has_room() -> None:
    second, third = QuotaBucket(*LANE, "JupyterLab", "ml.t3.large"), QuotaBucket(*LANE, "JupyterLab", "ml.m5.large")
    plan = plan_fleet(
        a_fleet(an_app(LAB, fallback=("ml.t3.large", "ml.m5.large", "ml.g5.xlarge"))), observe(), options()
    )
    made = course(plan, room={BUCKET: -1, second: -1, third: 1})
    assert (made.parked, made.critical) == (0, str(third))
    assert course(plan, room={BUCKET: 0}).parked == 1, "a full quota is waited for"


def test_the_deadline_ends_everything() -> None:
    assert course(labs(10), execution=Execution(deadline=30.0)).seconds == 30.0


def test_deletes_and_replaces_take_their_time_and_their_calls() -> None:
    plan = plan_fleet(
        a_fleet(an_app(LAB, "ml.t3.large"), an_app(KERNEL, mode="absent")),
        observe(a_row(LAB), a_row(KERNEL)),
        options(replace_on_drift=True),
    )
    made = course(plan)
    calls = dict(made.calls)
    assert (calls["CreateApp"], calls["DeleteApp"]) == (1, 2)
    assert made.seconds == pytest.approx(0.3 + 187.0 + 7.5 + 78.0 + 7.5, abs=0.5)


def test_an_adoption_takes_its_call_and_no_more() -> None:
    plan = plan_fleet(a_fleet(an_app(LAB)), observe(a_row(LAB, ownership="nobody")), options(adopt=True))
    made = course(plan)
    assert dict(made.calls)["AddTags"] == 1
    assert made.seconds == pytest.approx(0.1, abs=0.1)


def test_listings_become_rarer_and_cost_no_more_than_the_owners_that_are_awaited() -> None:
    short, long = course(labs(500), durations={KIND: (20.0,)}), course(labs(500), durations={KIND: (600.0,)})
    assert dict(short.calls)["ListApps"] < dict(long.calls)["ListApps"] <= 5 * (600 / 15 + 20)
    one = dict(course(labs(1), rows={"research": 5_000}).calls)["ListApps"]
    assert one == dict(course(labs(1)).calls)["ListApps"]


def test_a_plan_without_changes_or_without_a_reachable_lane_has_no_course() -> None:
    assert forecast_of(labs(0).changes, (), ForecastInputs({"research": LANE})) is None
    assert forecast_of(labs(1).changes, (), ForecastInputs({})) is None


def test_it_is_read_back() -> None:
    made = course(labs(30), room={BUCKET: 4})
    assert forecast_from_json(made.to_json()) == made
    assert forecast_from_json(None) is None


def test_the_time_left_follows_the_pace_so_far() -> None:
    made = course(labs(100))
    middle = made.curve[4]
    assert made.time_left_s(0.0, 0, 100) == made.seconds
    assert made.time_left_s(5.0, 0, 100) == made.seconds - 5.0
    assert made.time_left_s(middle, 50, 100) == pytest.approx(made.seconds - middle)
    assert made.time_left_s(2 * middle, 50, 100) == pytest.approx(2 * (made.seconds - middle))
    assert made.time_left_s(99.0, 100, 100) == 0.0


def test_owners_that_are_made_are_counted_and_those_that_are_awaited_or_out_of_reach_are_not() -> None:
    def change(domain: str, kind: OwnerKind, name: str, action: Action = Action.CREATE) -> OwnerChange:
        return OwnerChange(Owner(domain, kind, name), action, OwnerReason.ABSENT)

    owners = (
        change("research", USER, "ann"),
        change("research", SPACE, "ann-lab"),
        change("research", SPACE, "bob-lab"),
        change("research", SPACE, "zoe-lab", Action.NONE),
        change("lab", USER, "ann"),
    )
    calls = dict(course(replace(labs(1), owners=owners)).calls)
    assert (calls["CreateUserProfile"], calls["CreateSpace"]) == (1, 2)
    assert "CreateUserProfile" not in dict(course(labs(1)).calls)


def test_a_plan_that_only_updates_has_a_course_too() -> None:
    spaces = tuple(
        OwnerChange(Owner("research", SPACE, f"s{number}"), Action.UPDATE, OwnerReason.OWNER_DRIFT)
        for number in range(30)
    )
    made = course(replace(labs(0), owners=spaces))
    assert dict(made.calls) == {"UpdateSpace": 30}
    assert made.seconds == pytest.approx(30 / 9.3 + OWNER_PRIOR_SECONDS, abs=0.1)
    assert made.critical == f"{LANE}/spaces"
    assert (made.rate_is_learnt, made.parked, made.curve[-1]) == (True, 0, made.seconds)
    profile = OwnerChange(Owner("research", USER, "ann"), Action.UPDATE, OwnerReason.OWNER_DRIFT)
    assert course(replace(labs(0), owners=(profile,))).critical == f"{LANE}/user profiles"
    with_apps = course(replace(labs(10), owners=spaces))
    assert (dict(with_apps.calls)["UpdateSpace"], dict(with_apps.calls)["CreateApp"]) == (30, 10)
    assert with_apps.seconds - course(labs(10)).seconds == pytest.approx(30 / 9.3, abs=0.1), "they share the rate"


def test_apps_wait_for_the_profiles_and_spaces_that_are_made_first() -> None:
    named = (
        Owner("research", USER, "alice"),
        Owner("research", SPACE, "alice-lab"),
        Owner("research", SPACE, "bob-lab"),
    )
    made = tuple(OwnerChange(owner, Action.CREATE, OwnerReason.ABSENT) for owner in named)
    alone, both = course(labs(10)), course(replace(labs(10), owners=made))
    assert both.seconds - alone.seconds == pytest.approx(2 * OWNER_PRIOR_SECONDS + 3 / 9.3, abs=0.2)


def test_kinds_of_apps_that_share_a_training_plan_share_its_room() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
    bucket = QuotaBucket(*LANE, "", "", arn)
    keys = [f"research/space/s{number}/{kind}/default" for kind in ("CodeEditor", "JupyterLab") for number in range(3)]
    apps = [an_app(key, "ml.p5.48xlarge", training_plan_arn=arn) for key in keys]
    plan = plan_fleet(a_fleet(*apps, an_app(KERNEL)), observe(), options())
    made = course(plan, room={bucket: 4}, limit_give_up_s=300.0)
    assert (made.parked, made.hopeless, made.critical) == (2, 0, str(bucket))
    assert course(plan, room={bucket: -1}).hopeless == 6
    assert course(plan).parked == 0


def test_a_simulated_world_says_itself_how_long_things_take() -> None:
    known = Typical(create=(0.5, 1.5), delete=(2.0, 2.0), are_known=True)
    made = course(labs(1), durations={}, typical=known)
    assert made.durations_are_known
    assert made.seconds == pytest.approx(0.1 + 1.0 + 1.5, abs=0.1), "and a listing shows it at the next tick"
    slow = course(labs(1), durations={}, typical=Typical(create=(600.0, 600.0), are_known=True))
    assert slow.seconds == pytest.approx(600.0 + 7.5, abs=0.5)


def test_profiles_and_spaces_take_as_long_as_those_of_past_runs() -> None:
    profile = OwnerChange(Owner("research", USER, "alice"), Action.CREATE, OwnerReason.ABSENT)
    space = OwnerChange(Owner("research", SPACE, "alice-lab"), Action.CREATE, OwnerReason.ABSENT)
    past = {(USER, Action.CREATE): (40.0, 42.0, 400.0), (SPACE, Action.CREATE): (5.0,)}
    plan = replace(labs(1), owners=(profile, space))
    assert course(plan, owner_durations=past).seconds - course(plan).seconds == pytest.approx(
        42.0 + 5.0 - 2 * OWNER_PRIOR_SECONDS, abs=0.1
    )
    alone = replace(labs(0), owners=(profile, space))
    assert course(alone, owner_durations=past).seconds == pytest.approx(47.0 + 2 / 9.3, abs=0.1)


def test_profiles_that_are_taken_over_take_their_call_and_no_more() -> None:
    profile = OwnerChange(Owner("research", USER, "ann"), Action.ADOPT, OwnerReason.OWNER_DRIFT)
    made = course(replace(labs(0), owners=(profile,)))
    assert made.seconds == pytest.approx(1 / 9.3, abs=0.1)
    assert dict(made.calls) == {"AddTags": 1}
