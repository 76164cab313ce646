"""What a thousand domains cost: work grows with apps and with domains, never with one times the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.app.loading import Loaded
from engine.config.policy.policy_file import load_policies
from engine.core.planner import plan_fleet
from engine.core.settings import Safety
from engine.core.stages import ordered_steps
from engine.policy.admission import Admitted
from engine.policy.guardrails import check_plan
from engine.policy.prices import PriceBook
from tests.fleets import observe, options
from tests.growth import LINEAR_MAX_FACTOR, grows_by

if TYPE_CHECKING:
    from engine.core.desired import DesiredFleet
    from engine.core.plan import Plan

PRICES = PriceBook((("", "ml.t3.medium", 0.05),))


def _planned(fleet: DesiredFleet) -> Plan:
    names = [domain.name for domain in fleet.domains]
    return plan_fleet(fleet, observe(domains=names), options(domain_lanes={}))


def _loaded(fleet: DesiredFleet) -> Loaded:
    nothing = load_policies((), Path())
    return Loaded(fleet, fleet.apps, nothing, Admitted(fleet.apps, (), frozenset(), run_denied=False), (), Path(), ())


def test_the_measure_finds_work_that_looks_at_every_app_for_each_domain() -> None:
    def quadratic(fleet: DesiredFleet) -> list[int]:
        return [sum(app.key.domain == domain.name for app in fleet.apps) for domain in fleet.domains]

    assert grows_by(lambda fleet: fleet, quadratic) > LINEAR_MAX_FACTOR


def test_the_order_of_the_calls_looks_each_app_s_domain_up_once() -> None:
    def order(given: tuple[Loaded, Plan]) -> None:
        loaded, plan = given
        assert len(ordered_steps(plan, loaded.weight)) == len(plan.changes) > 0

    assert grows_by(lambda fleet: (_loaded(fleet), _planned(fleet)), order) < LINEAR_MAX_FACTOR


def test_guardrails_look_at_each_change_a_fixed_number_of_times() -> None:
    safety = Safety(hourly_usd_max=1_000.0)

    def check(given: tuple[DesiredFleet, Plan]) -> None:
        fleet, plan = given
        assert check_plan(plan, fleet.domains, {}, safety, PRICES) == ()

    assert grows_by(lambda fleet: (fleet, _planned(fleet)), check) < LINEAR_MAX_FACTOR
