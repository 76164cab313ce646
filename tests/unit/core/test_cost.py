from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from engine.core.change import Action
from engine.core.cost import CostLine, PlanCost, cost_from_json
from engine.core.desired import AppSpec
from engine.core.hours import HoursAt
from engine.core.observed import Ownership
from engine.core.planner import plan_fleet
from engine.core.settings import STORAGE_PRICE
from engine.policy.cost import cost_of
from engine.policy.prices import PriceBook
from tests.fleets import CANVAS, KERNEL, LAB, a_fleet, a_row, an_app, hours_of, key_of, observe, options

PRICES = PriceBook([("", "ml.t3.medium", 0.05), ("eu-west-1", "ml.g5.xlarge", 1.4)])
GPU = "research/space/gpu-lab/JupyterLab/default"
BOB = "research/user/bob/KernelGateway/one"


def test_creates_add_deletes_take_away_and_a_replace_is_the_difference() -> None:
    fleet = a_fleet(
        an_app(LAB, team="vision"),
        an_app(GPU, "ml.g5.xlarge", team="vision"),
        an_app(KERNEL, mode="absent", team="speech"),
        an_app(CANVAS, None),
        an_app(BOB, team="speech"),
    )
    made = plan_fleet(fleet, observe(a_row(GPU), a_row(KERNEL)), options(replace_on_drift=True))
    cost = cost_of(made, fleet.domains, PRICES)
    assert cost == PlanCost((CostLine("speech", 0.0, 2), CostLine("vision", 1.4, 2)), (key_of(CANVAS),))
    assert cost is not None
    assert cost.to_json() == {
        "hourly_usd": 1.4,
        "monthly_usd": 1022.0,
        "teams": [
            {"team": "speech", "hourly_usd": 0.0, "monthly_usd": 0.0, "apps": 2},
            {"team": "vision", "hourly_usd": 1.4, "monthly_usd": 1022.0, "apps": 2},
        ],
        "unpriced": [CANVAS],
    }
    assert cost_from_json(cost.to_json()) == cost


def test_a_plan_that_only_adopts_says_nothing_of_cost() -> None:
    fleet = a_fleet(an_app(LAB))
    row = a_row(LAB, ownership=Ownership.NOBODY)
    made = plan_fleet(fleet, observe(row), options(adopt=True))
    assert [change.action for change in made.changes] == [Action.ADOPT]
    assert cost_of(made, fleet.domains, PRICES) is None


@pytest.mark.parametrize("prices", [PRICES, PriceBook([("", "ml.t3.medium", 0.05)])])
def test_an_app_on_a_training_plan_adds_nothing_whatever_its_type_costs(prices: PriceBook) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:111122223333:training-plan/p5"
    on_plan = AppSpec(instance_type="ml.g5.xlarge", training_plan_arn=arn)
    app = replace(an_app(GPU), spec=on_plan)
    fleet = a_fleet(app, an_app(LAB))
    cost = cost_of(plan_fleet(fleet, observe(), options()), fleet.domains, prices)
    assert cost is not None
    assert (cost.hourly_usd, cost.unpriced) == (0.05, ())
    assert prices.dearest("eu-west-1", app) == 0.0
    leaving = plan_fleet(a_fleet(), observe(replace(a_row(GPU), spec=on_plan)), options(prune=True))
    assert cost_of(leaving, fleet.domains, prices) == PlanCost((CostLine("", 0.0, 1),))
    detached = replace(app, spec=replace(on_plan, training_plan_arn="None"))
    assert PRICES.dearest("eu-west-1", detached) == 1.4


def test_a_delete_of_what_has_no_price_is_named() -> None:
    fleet = a_fleet(an_app(LAB, mode="absent"), an_app(KERNEL))
    made = plan_fleet(fleet, observe(a_row(LAB, instance_type="ml.x9.large")), options())
    cost = cost_of(made, fleet.domains, PRICES)
    assert cost is not None
    assert (cost.unpriced, cost.hourly_usd) == ((key_of(LAB),), 0.05)


def test_an_undeclared_app_that_goes_saves_money_for_no_team() -> None:
    fleet = a_fleet()
    made = plan_fleet(fleet, observe(a_row(LAB)), options(prune=True))
    assert cost_of(made, fleet.domains, PRICES) == PlanCost((CostLine("", -0.05, 1),))


@pytest.mark.parametrize("prices", [PriceBook([]), PRICES])
def test_where_there_is_nothing_to_say_nothing_is_said(prices: PriceBook) -> None:
    fleet = a_fleet(an_app(CANVAS, None))
    assert cost_of(plan_fleet(fleet, observe(), options()), fleet.domains, prices) is None
    assert cost_from_json(None) is None


def test_storage_has_a_price_of_its_region_or_of_all_or_none() -> None:
    book = PriceBook([("", STORAGE_PRICE, 0.11), ("eu-west-1", STORAGE_PRICE, 0.12)])
    assert (book.storage("eu-west-1"), book.storage("us-east-1")) == (0.12, 0.11)
    assert PRICES.storage("eu-west-1") is None


OFFICE = "Mon-Fri 08:00-19:00 Europe/Berlin"
TUESDAY = "2026-12-01T12:00:00+00:00"


def test_a_month_of_an_app_with_hours_is_their_share_of_a_year() -> None:
    fleet = a_fleet(an_app(LAB, hours=OFFICE, team="vision"), an_app(BOB, hours=OFFICE), an_app(KERNEL))
    at = options(hours=HoursAt.of((hours_of(OFFICE),), datetime.fromisoformat(TUESDAY)))
    cost = cost_of(plan_fleet(fleet, observe(), at), fleet.domains, PRICES)
    assert cost is not None
    share = 261 * 11 / 8760  # 24 November 2026 to 23 November 2027 has 261 days of work
    assert cost.lines[1].monthly_usd == pytest.approx(0.05 * 730 * share, rel=1e-3)
    assert cost.lines[0].monthly_usd == pytest.approx(0.05 * 730 * (1 + share), rel=1e-3)
    assert cost.monthly_usd == pytest.approx(sum(line.monthly_usd for line in cost.lines))
    assert cost.has_hours
    assert cost_from_json(cost.to_json()) == cost


def test_a_stop_at_the_end_of_the_hours_changes_no_month() -> None:
    fleet = a_fleet(an_app(LAB, hours=OFFICE))
    made = plan_fleet(fleet, observe(a_row(LAB)), options(hours=HoursAt(closed=frozenset({OFFICE}))))
    cost = cost_of(made, fleet.domains, PRICES)
    assert cost is not None
    assert (cost.hourly_usd, cost.monthly_usd) == (-0.05, 0.0)
