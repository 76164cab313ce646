"""Whatever the fleet: any number of shards come to one plan, one fingerprint and one verdict."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.desired import DesiredDomain, DesiredFleet
from engine.core.lane_plans import joined_plan, lane_plans, lanes_of
from engine.core.observed import ObservedDomain, ObservedFleet
from engine.core.plan_json import plan_from_json
from engine.core.planner import plan_fleet
from engine.core.settings import Safety
from engine.core.shards import Shard, divided
from engine.policy.gate import Circumstances, ShardRecord, Verdict, judge
from engine.policy.weight import weights_of
from tests.fleets import SOURCE, TODAY, a_row, an_app, options
from tests.unit.policy.helpers import a_rule, admission

if TYPE_CHECKING:
    from engine.core.plan import Plan
    from engine.policy.admission import Admission

COUNTS = (1, 2, 7, 16)
TYPES = ("ml.t3.medium", "ml.g5.xlarge", None)
NAMES = tuple(f"d{number}" for number in range(8))
keys = st.builds("{}/user/u{}/KernelGateway/default".format, st.sampled_from(NAMES), st.integers(0, 4))
RULES = (
    a_rule("size", "count <= 4", scope="team", enforcement="mandatory"),
    a_rule("few", "count <= 9", scope="fleet", enforcement="skip"),
    a_rule("dear", "hourly_usd < 3.0", scope="team", enforcement="advisory"),
    a_rule("names", "apps.all(a, a.priced)", scope="fleet", enforcement="advisory"),
    a_rule("domain", "count <= 3", scope="domain", enforcement="advisory"),
)
World = tuple[DesiredFleet, ObservedFleet]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a fleet of eight domains in few accounts, and what is there: apps of ours, declared and not."""
    accounts = [draw(st.integers(1, 5)) for _ in NAMES]
    domains = tuple(
        DesiredDomain(name, f"d-{name}", "eu-west-1", SOURCE, f"{account:012}")
        for name, account in zip(NAMES, accounts, strict=True)
    )
    declared = sorted(draw(st.sets(keys, max_size=14)))
    apps = tuple(
        an_app(key, draw(st.sampled_from(TYPES)), team=draw(st.sampled_from(("", "red", "blue")))) for key in declared
    )
    there = {key: a_row(key) for key in draw(st.sets(keys, max_size=14))}
    rows = {
        name: ObservedDomain(name, 0.0, {row.key: row for row in there.values() if row.key.domain == name})
        for name in NAMES
    }
    return DesiredFleet("wide", domains, apps, (), (("fleet.toml", "a" * 64),)), ObservedFleet(rows)


def in_shards(world: World, count: int, policy: Admission, safety: Safety) -> tuple[Verdict, list[Plan]]:
    """Plan a world in so many shards as if each were alone, and judge what they wrote."""
    fleet, observed = world
    sizes = dict.fromkeys(lanes_of(fleet.domains).values(), 0)
    for app in fleet.apps:
        sizes[lanes_of(fleet.domains)[app.key.domain]] += 1
    records, plans = [], []
    for index, mine in enumerate(divided(sizes, count)):
        domains = tuple(one for one in fleet.domains if lanes_of([one])[one.name] in mine)
        names = {one.name for one in domains}
        admitted = policy.admit([a for a in fleet.apps if a.key.domain in names], domains, TODAY, of_shard=True)
        part = replace(fleet, domains=domains, apps=admitted.apps)
        seen = ObservedFleet({name: domain for name, domain in observed.domains.items() if name in names})
        made = plan_fleet(part, seen, replace(options(prune=True), findings=admitted.findings))
        cut = lane_plans(made, lanes_of(domains))
        plans += [plan_from_json(json.loads(json.dumps(plan.to_json()))) for plan in cut.values()]
        owned = {name: len(domain.apps) for name, domain in seen.domains.items()}
        record = ShardRecord(
            Shard(index, count),
            made.made_at,
            Circumstances(made.fleet, "1", dict(made.inputs), {}, (), made.options),
            made.complete,
            admitted.run_denied,
            made.findings,
            {str(lane): plan.fingerprint for lane, plan in cut.items()},
            weights_of(made, domains, owned, policy.prices),
            admitted.groups,
        )
        records.append(ShardRecord.from_json(json.loads(json.dumps(record.to_json()))))
    return judge(records, policy, safety), plans


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(0, 8), st.integers(0, 20), st.floats(0, 8))
def test_any_number_of_shards_come_to_the_same(world: World, destroys: int, creates: int, usd: float) -> None:
    policy = admission(*RULES, prices=(("", "ml.t3.medium", 0.1), ("", "ml.g5.xlarge", 1.3)))
    safety = Safety(destroy_max=destroys, create_max=creates, hourly_usd_max=usd)
    verdicts, wholes = zip(*(in_shards(world, count, policy, safety) for count in COUNTS), strict=True)
    assert all(verdict == verdicts[0] for verdict in verdicts)
    assert len({verdict.fingerprint for verdict in verdicts}) == 1
    joined = [joined_plan(plans) for plans in wholes]
    assert all(plan == joined[0] for plan in joined)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(0, 8), st.sampled_from(COUNTS))
def test_destroy_max_holds_over_all_shards(world: World, destroys: int, count: int) -> None:
    verdict, plans = in_shards(world, count, admission(), Safety(destroy_max=destroys, destroy_share_max=1.0))
    deleted = joined_plan(plans).summary["delete"]
    assert verdict.denied is (deleted > destroys)
    said = {finding.rule for finding in verdict.findings if finding.enforcement == "mandatory"}
    assert said == ({"safety.destroy_max"} if deleted > destroys else set())


@settings(max_examples=30, deadline=None)
@given(worlds())
def test_the_plans_of_lanes_are_the_plan(world: World) -> None:
    fleet, observed = world
    whole = plan_fleet(fleet, observed, options(prune=True))
    joined = joined_plan(lane_plans(whole, lanes_of(fleet.domains)).values())
    assert joined.changes == whole.changes
    assert joined.summary == whole.summary
    assert joined.fingerprint == whole.fingerprint
