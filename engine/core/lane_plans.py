"""A plan cut into plans of single lanes, and lanes put together again: what several processes plan and carry out.

The plan of a lane does not depend on which other lanes were planned beside it, so neither does its fingerprint. Not
here: which lanes a shard has (`shards`), what holds for all of them together (`policy.gate`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from engine.core.desired import DesiredDomain
from engine.core.identity import Lane
from engine.core.plan import Plan
from engine.core.selectors import SHARD
from engine.core.shards import account_named


def lanes_of(domains: Iterable[DesiredDomain]) -> dict[str, Lane]:
    """Return the lane of each domain by its name, as the files have it: also of one that cannot be reached."""
    return {one.name: Lane(account_named(one.account, one.role_arn), one.region) for one in domains}


def lane_plans(plan: Plan, lanes: Mapping[str, Lane]) -> dict[Lane, Plan]:
    """Return the part of a plan that each lane has, sorted. `lanes` names the lane of each domain.

    What is said of the whole plan is left out: findings without a key, errors, cost, forecast, calendars and shard.
    """
    decisions, owners, drift, findings = (
        _by_lane(items, domain_of, lanes)
        for items, domain_of in (
            (plan.decisions, lambda change: change.key.domain),
            (plan.owners, lambda one: one.owner.domain),
            (plan.owner_drift, lambda one: one.owner.domain),
            (plan.findings, lambda finding: finding.key.partition("/")[0]),
        )
    )
    unmanaged: Counter[Lane] = Counter()
    for name, count in plan.unmanaged_in:
        unmanaged[lanes[name]] += count
    rest = tuple(pair for pair in plan.selectors if pair[0] != SHARD)
    return {
        lane: replace(
            plan,
            decisions=tuple(decisions[lane]),
            unmanaged=unmanaged[lane],
            unmanaged_in=(),
            lanes=tuple(one for one in plan.lanes if (one.account, one.region) == lane),
            selectors=rest,
            findings=tuple(findings[lane]),
            quotas=tuple(line for line in plan.quotas if line.bucket.startswith(f"{lane}/")),
            owners=tuple(owners[lane]),
            owner_drift=tuple(drift[lane]),
            cost=None,
            forecast=None,
            hours=(),
            errors=(),
            domain_lanes=tuple(pair for pair in plan.domain_lanes if pair[1] == lane),
        )
        for lane in sorted(set(lanes.values()))
    }


def _by_lane(
    items: Iterable[Any], domain_of: Callable[[Any], str], lanes: Mapping[str, Lane]
) -> defaultdict[Lane, list[Any]]:
    """Return `items` by their lane, in their order, without those of no domain."""
    found: defaultdict[Lane, list[Any]] = defaultdict(list)
    for item in items:
        lane = lanes.get(domain_of(item))
        if lane is not None:
            found[lane].append(item)
    return found


def joined_plan(plans: Iterable[Plan]) -> Plan:
    """Return the plans of one or more lanes of a fleet as one plan, made when the first of them was."""
    parts = sorted(plans, key=lambda plan: (plan.made_at, plan.lanes))
    return replace(
        parts[0],
        decisions=tuple(sorted((change for part in parts for change in part.decisions), key=lambda one: one.key)),
        unmanaged=sum(part.unmanaged for part in parts),
        lanes=tuple(sorted({lane for part in parts for lane in part.lanes})),
        findings=tuple(sorted({finding for part in parts for finding in part.findings})),
        quotas=tuple(sorted({line for part in parts for line in part.quotas}, key=lambda one: (one.bucket, one.quota))),
        owners=tuple(one for part in parts for one in part.owners),
        owner_drift=tuple(one for part in parts for one in part.owner_drift),
        more_none=sum(part.more_none for part in parts),
        more_denied=sum(part.more_denied for part in parts),
        more_unknown=sum(part.more_unknown for part in parts),
        domain_lanes=tuple(sorted({pair for part in parts for pair in part.domain_lanes})),
    )
