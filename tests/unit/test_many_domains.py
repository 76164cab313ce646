"""What a thousand domains cost: work grows with apps and with domains, never with one times the other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from engine.app.answers import look_at_owners
from engine.app.loading import Loaded
from engine.config.policy.policy_file import load_policies
from engine.core.application import Application
from engine.core.change import Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.draft import Draft
from engine.core.facts import Facts, Unknown
from engine.core.forecast import forecast_of
from engine.core.forecast_inputs import ForecastInputs
from engine.core.observed import ObservedOwner
from engine.core.owner_settings import Difference
from engine.core.plan import Plan
from engine.core.plan_json import plan_from_json
from engine.core.planner import plan_fleet
from engine.core.quota_fit import RUNNING_APPS, LaneQuotas, QuotaValue, quota_fit
from engine.core.quota_text import quota_name
from engine.core.selectors import Selectors
from engine.core.settings import Safety
from engine.core.stages import ordered_steps
from engine.core.stale import why_stale
from engine.executor.begin import Leaving
from engine.policy.admission import Admitted
from engine.policy.prices import PriceBook
from tests.fleets import a_row, observe, options
from tests.growth import LINEAR_MAX_FACTOR, grows_by, lane_of, spread_fleet
from tests.unit.policy.helpers import check_plan

if TYPE_CHECKING:
    from engine.core.desired import DesiredFleet
    from engine.core.identity import Lane, Owner
    from engine.core.observed import ObservedFleet
    from engine.executor.fleet_run import FleetRun

APPLICATION = Application("arn:aws:sso:::application/a", "")
PRICES = PriceBook((("", "ml.t3.medium", 0.05),))


def _lanes(fleet: DesiredFleet) -> dict[str, Lane]:
    return {domain.name: lane_of(domain.name) for domain in fleet.domains}


def _nothing(fleet: DesiredFleet) -> ObservedFleet:
    return observe(domains=[domain.name for domain in fleet.domains])


def _planned(fleet: DesiredFleet) -> Plan:
    return plan_fleet(fleet, _nothing(fleet), options(domain_lanes=_lanes(fleet)))


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


def test_what_is_listed_is_decided_by_each_domain_s_own_apps() -> None:
    teams = Selectors.parse(teams=["p*"])

    def listed(fleet: DesiredFleet) -> None:
        assert all(teams.owners_to_list(fleet, domain.name) for domain in fleet.domains)

    assert grows_by(lambda fleet: fleet, listed) < LINEAR_MAX_FACTOR


def test_quotas_and_use_are_compared_lane_by_lane() -> None:
    quotas = {
        quota_name("JupyterLab", "ml.t3.medium"): QuotaValue("L-1", 1),
        RUNNING_APPS: QuotaValue("L-2", 1),
    }

    def prepare(fleet: DesiredFleet) -> tuple[Plan, ObservedFleet, dict[str, Lane]]:
        return _planned(fleet), _nothing(fleet), _lanes(fleet)

    def fit(given: tuple[Plan, ObservedFleet, dict[str, Lane]]) -> None:
        plan, observed, lanes = given
        known = {lane: LaneQuotas(quotas, sees_all=True, used={}) for lane in lanes.values()}
        assert len(quota_fit(plan, observed, lanes, known).room) == len(lanes)

    # A line and a quota of each lane are work too.
    assert grows_by(prepare, fit) < LINEAR_MAX_FACTOR + 1.0


@pytest.mark.parametrize("mode", ["SSO", "IAM", Unknown("no")])
def test_profiles_and_spaces_to_be_made_are_decided_domain_by_domain(mode: str | Unknown) -> None:
    def prepare(fleet: DesiredFleet) -> Draft:
        facts = Facts(
            _nothing(fleet),
            owners=dict.fromkeys((one.owner for one in fleet.owners), None),
            auth_modes={domain.name: mode for domain in fleet.domains},
            applications={domain.name: APPLICATION for domain in fleet.domains},
        )
        return Draft(fleet, facts, options(domain_lanes=_lanes(fleet)), creates_owners=True)

    def plan(draft: Draft) -> None:
        assert len(draft.plan.owners) == len(draft.fleet.owners)

    assert grows_by(prepare, plan) < LINEAR_MAX_FACTOR


def test_the_forecast_of_many_lanes_looks_at_each_more_coarsely() -> None:
    def prepare(fleet: DesiredFleet) -> tuple[Plan, ForecastInputs]:
        facts = Facts(_nothing(fleet), owners=dict.fromkeys((one.owner for one in fleet.owners), None))
        draft = Draft(fleet, facts, options(domain_lanes=_lanes(fleet)), creates_owners=True)
        return draft.plan, ForecastInputs(_lanes(fleet))

    def forecast(given: tuple[Plan, ForecastInputs]) -> None:
        plan, inputs = given
        assert forecast_of(plan.changes, plan.owners, inputs) is not None

    assert grows_by(prepare, forecast) < LINEAR_MAX_FACTOR


@pytest.mark.parametrize("action", [Action.DELETE, Action.UPDATE])
def test_what_comes_before_the_change_of_an_owner_is_looked_up(action: Action) -> None:
    def prepare(fleet: DesiredFleet) -> Plan:
        gone = [Change(app.key, Action.DELETE, Reason.NOT_DECLARED, before=a_row(str(app.key))) for app in fleet.apps]
        owners = [
            OwnerChange(one.owner, action, OwnerReason.OWNER_DRIFT, ObservedOwner(one.owner, "InService", 1.0))
            for one in fleet.owners
        ]
        return Plan(fleet.name, "2026-11-24T01:00:00Z", tuple(gone), owners=tuple(owners))

    def gather(plan: Plan) -> None:
        leaving = Leaving(plan)
        assert any(leaving.before(change) for change in plan.owners)

    assert grows_by(prepare, gather) < LINEAR_MAX_FACTOR


def test_owners_are_looked_at_domain_by_domain() -> None:
    class Scanner:
        async def look(self, owners: list[Owner]) -> dict[Owner, None]:
            return dict.fromkeys(owners)

    class Run:
        def __init__(self, links: dict[str, Lane]) -> None:
            self.links = links

        def owner_scanner(self, _: str) -> Scanner:
            return Scanner()

    def look(fleet: DesiredFleet) -> None:
        owners = [one.owner for one in fleet.owners]
        found = asyncio.run(look_at_owners(cast("FleetRun", Run(_lanes(fleet))), owners))
        assert found == dict.fromkeys(owners)

    # A task for each domain is beside what each owner costs, so more owners in each show what grows.
    assert grows_by(lambda fleet: fleet, look, apps=4_800) < LINEAR_MAX_FACTOR


def test_a_saved_plan_is_compared_owner_by_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[object] = []
    written = OwnerChange.to_json

    class Counted(dict[str, object]):
        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return super().__eq__(other)

        def __ne__(self, other: object) -> bool:
            return not self == other

        __hash__ = None

    monkeypatch.setattr(OwnerChange, "to_json", lambda change: Counted(written(change)))
    fleet = spread_fleet(10, 40)
    owners = tuple(OwnerChange(one.owner, Action.CREATE, OwnerReason.ABSENT, None, one) for one in fleet.owners)
    plan = Plan(fleet.name, "2026-11-24T01:00:00Z", (), owners=owners)
    assert why_stale(plan, plan) == ""
    assert 0 < len(compared) <= len(owners)


def test_what_differs_of_a_saved_plan_is_told_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = spread_fleet(10, 40)
    differs = (Difference("ebs_gb", 20, 5),)
    owners = tuple(
        OwnerChange(one.owner, Action.NONE, OwnerReason.OWNER_DRIFT, None, one, differs=differs) for one in fleet.owners
    )
    document = Plan(fleet.name, "2026-11-24T01:00:00Z", (), owner_drift=owners).to_json()
    compared: list[object] = []

    def never(_: OwnerChange, other: object) -> bool:
        compared.append(other)
        return False

    monkeypatch.setattr(OwnerChange, "__eq__", never)
    assert len(plan_from_json(document).owner_drift) == len(owners)
    assert len(compared) <= len(owners)
