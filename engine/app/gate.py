"""The shards of one plan: planned each by itself, judged together, and approved once.

Not here: carrying out what was approved (`shard_run`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.app.loading import read, today
from engine.app.looking import looking
from engine.app.plan import planned
from engine.app.plan_place import opened_place
from engine.config.fleet.fleet_file import find_policies
from engine.config.policy.policy_file import load_policies
from engine.core.errors import BugError, StalePlanError, UsageError
from engine.core.finding import GUARDRAIL
from engine.core.lane_plans import lane_plans, lanes_of
from engine.core.request import Request
from engine.core.selectors import SHARD
from engine.policy.gate import RECORD_FORMAT, Circumstances, ShardRecord, Verdict, judge
from engine.policy.guardrails import parse_allowance
from engine.policy.rules import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.plan_place import PlanPlace
    from engine.core.bucket_url import BucketUrl
    from engine.core.identity import Lane
    from engine.core.observed import ObservedFleet
    from engine.core.plan import Plan
    from engine.core.shards import Shard
    from engine.ports.events import Emit

__all__ = ["Index", "Verdict", "approved_index", "gate", "plan_shard", "record_of", "request_of"]


async def plan_shard(options: AppOptions, out: Path | BucketUrl, emit: Emit) -> Plan:
    """Plan one shard, write the plans of its lanes and what it says of itself to `out`, and return the plan.

    Raises AppfleetError, also where `out` holds another plan of it.
    """
    shard = options.selectors.shard
    if shard is None:
        raise BugError("there is no shard to plan")
    loaded = read(options, today())
    whole = await looking(options, loaded, emit, planned)
    made, lanes = whole.plan, lanes_of(loaded.fleet.domains)
    plans = lane_plans(made, lanes)
    record = record_of(shard, made, plans, loaded, whole.facts.observed)
    async with opened_place(options, out, makes=True) as place:
        await place.save_shard(record, plans)
    return made


def record_of(
    shard: Shard, made: Plan, plans: Mapping[Lane, Plan], loaded: Loaded, observed: ObservedFleet
) -> ShardRecord:
    """Return what a shard says of its plan."""
    return ShardRecord(
        shard=shard,
        made_at=made.made_at,
        about=Circumstances(
            made.fleet,
            made.version,
            dict(made.inputs),
            dict(loaded.policies.inputs),
            tuple(pair for pair in made.selectors if pair[0] != SHARD),
            made.options,
        ),
        complete=made.complete,
        denied=loaded.admitted.run_denied,
        findings=tuple(one for one in made.findings if one.rule != SHARD and not one.rule.startswith(GUARDRAIL)),
        lanes={str(lane): plan.fingerprint for lane, plan in plans.items()},
        weights=loaded.weights(made, observed),
        groups=loaded.admitted.groups,
    )


async def gate(options: AppOptions, plans: Path | BucketUrl, count: int) -> Verdict:
    """Judge the plans of all `count` shards together, and write down what may be applied unless it is denied.

    Nothing is called. Raises AppfleetError: a shard without a plan, shards of several plans, other policies.
    """
    async with opened_place(options, plans) as place:
        verdict = _judged(options, await place.records(count))
        if not verdict.denied:
            await place.put_index(_index_document(verdict, count))
    return verdict


def _judged(options: AppOptions, records: Sequence[ShardRecord]) -> Verdict:
    """Judge what shards wrote by the policies of the fleet file. Raises AppfleetError."""
    folder, files = find_policies(options.fleet_file)
    policies = load_policies(files, folder, options.policies)
    about = records[0].about
    if dict(policies.inputs) != dict(about.policies):
        raise StalePlanError(
            f"the shards were planned with other policies than those of {options.fleet_file}",
            hint="Run gate over the same files, or plan every shard again under a new name",
        )
    allowed = tuple(map(parse_allowance, request_of(about).allow_destructive))
    safety, above = policies.settings.safety, policies.of_organization
    return judge(records, policies.admission, safety, allowed, policies.sources, above)


@dataclass(frozen=True, slots=True)
class Index:
    """What the gate approved: the fingerprint of each lane, and groups whose apps are left out."""

    about: Circumstances
    made_at: str
    fingerprint: str
    lanes: Mapping[str, str]
    denied_groups: tuple[tuple[Scope, str], ...]


def _index_document(verdict: Verdict, count: int) -> dict[str, Any]:
    return {
        "format_version": RECORD_FORMAT,
        "shards": count,
        "made_at": verdict.made_at,
        "about": verdict.about.to_json(),
        "fingerprint": verdict.fingerprint,
        "lanes": dict(verdict.lanes),
        "denied_groups": [[scope.value, name] for scope, name in verdict.denied_groups],
    }


async def approved_index(place: PlanPlace) -> Index:
    """Return what was approved. Raises StalePlanError where nothing was."""
    found = await place.index()
    if found is None:
        raise StalePlanError(
            f"{place.shown} has no approved plans",
            hint=f"Run, when every shard is planned: appfleet gate --shards N {place.shown}",
        )
    try:
        return Index(
            Circumstances.from_json(found["about"]),
            str(found["made_at"]),
            str(found["fingerprint"]),
            {str(lane): str(fingerprint) for lane, fingerprint in found["lanes"].items()},
            tuple((Scope(scope), str(name)) for scope, name in found["denied_groups"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StalePlanError(f"{place.shown}/index.json was not written by gate", hint="Run gate again") from None


def request_of(about: Circumstances) -> Request:
    """Return what the shards were asked for. Raises StalePlanError for what no plan writes."""
    try:
        return Request.from_pairs(about.options, about.selectors)
    except (KeyError, UsageError) as error:
        raise StalePlanError(f"the plans name what no plan has: {error}", hint="Plan every shard again") from None
