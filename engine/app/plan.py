"""From the files and the listings to a plan: what every command that looks does.

Observing, reading whose an app is where that matters, planning, and holding the plan against the guardrails.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.app.history import settle_seconds
from engine.app.late_failures import count_late_failures
from engine.app.loading import keys_named, read, today
from engine.app.looking import looking
from engine.app.missing_domains import with_missing_domains_explained
from engine.app.owners import with_declared_owners
from engine.app.ownership import told_ownership, unread_tags, why_not_prune, with_ownership
from engine.app.quotas import quotas_of
from engine.core.desired import Mode
from engine.core.errors import StateError
from engine.core.forecast import ForecastInputs, forecast_of
from engine.core.grouping import grouped_findings
from engine.core.limits import FINDING_KEYS_LOGGED_MAX_COUNT
from engine.core.plan_options import PlanOptions
from engine.core.planner import plan_fleet
from engine.core.quota_fit import NO_FIT
from engine.core.selection import require_fleet, require_found
from engine.policy.cost import cost_of
from engine.ports.events import PlanComputed, RuleFired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.app.teams.overlay import Preparation
    from engine.core.desired import DesiredApp, DesiredFleet
    from engine.core.observed import ObservedFleet
    from engine.core.plan import Plan
    from engine.core.quota_fit import QuotaFit
    from engine.executor.fleet_run import FleetRun
    from engine.ports.events import Emit
    from engine.ports.journal import Memory


async def planned(
    options: AppOptions,
    loaded: Loaded,
    parts: Joined,
    preparation: Preparation | None = None,
    *,
    running: bool = False,
) -> tuple[Plan, ObservedFleet]:
    """Observe what the selectors reach, read whose it is where that matters, plan, and check the guardrails.

    A plan that is `running` and idle costs its listings of apps and nothing more. Raises UsageError for a selector or a
    key that matches nothing declared or observed.
    """
    fleet = loaded.fleet
    sizes = parts.run.memory.domain_sizes
    owners = {}
    for domain in fleet.domains:
        rows = sizes.get(domain.domain_id)
        pages = None if rows is None else max(1, -(-rows // 100))
        reached = options.selectors.owners_to_list(fleet, domain.name, domain_pages=pages)
        if reached != ():
            # What lets go is held against the whole domain: a share of what was looked for says nothing.
            owners[domain.name] = None if preparation is not None and preparation.lets_go else reached
    in_doubt_at = create_in_doubt_at(fleet, parts.run.memory, lets_go=preparation is not None and preparation.lets_go)
    observed = await with_missing_domains_explained(
        await parts.run.observe(owners, create_in_doubt_at=in_doubt_at), parts
    )
    if preparation is None:
        require_found(options.selectors, keys_named(options, loaded), fleet, observed)
    await count_late_failures(parts.run, fleet, observed)
    asked = _plan_options(options, loaded, parts)
    made, observed, asked = await _owned(parts.run, fleet, observed, asked, running=running)
    require_fleet(options.request.from_fleet, fleet, observed)
    # Nothing but listings of apps is called for a plan that will not run; its findings are made once it is whole.
    too_far = preparation is None and bool(loaded.guardrails(made, observed, options.request.allow_destructive))
    made = replace(made, denied=made.denied or too_far)
    fit, unknown = (NO_FIT, ()) if made.denied else await quotas_of(made, observed, options, parts)
    if fit.lines:
        asked = replace(asked, quotas=fit.lines, bucket_room=fit.one_more, findings=(*asked.findings, *unknown))
        whole = made.complete
        made = plan_fleet(fleet, observed, asked)  # a replace is refused where its new bucket is full
        made = replace(made, complete=whole)
    if not made.denied:
        made = await with_declared_owners(made, loaded, parts)
    if preparation is not None:
        made = await preparation.plan(made, observed, parts)
    if unread := unread_tags(parts.run):
        made = replace(made, findings=tuple(sorted((*made.findings, *unread))))
    guarded = loaded.guardrails(made, observed, options.request.allow_destructive)
    if guarded:
        made = replace(made, findings=tuple(sorted((*made.findings, *guarded))), denied=True)
    if made.changes:
        made = replace(
            made,
            cost=cost_of(made, fleet.domains, loaded.policies.admission.prices),
            forecast=forecast_of(made.changes, made.owners, _forecast_inputs(loaded, parts, observed, fit)),
        )
    _tell(parts.run, made)
    return made, observed


def create_in_doubt_at(fleet: DesiredFleet, memory: Memory, *, lets_go: bool) -> float | None:
    """Return when the last create was sent that may still make what shall not be there; None where there is none.

    A command that lets go waits for every one, since profiles and spaces go with their apps.
    """
    unwanted = {app.key for app in fleet.apps if app.mode is Mode.ABSENT}
    return max(
        (
            left.at
            for key, left in memory.unfinished.items()
            if left.in_doubt and left.operation.startswith("Create") and (lets_go or key in unwanted)
        ),
        default=None,
    )


async def _owned(
    run: FleetRun, fleet: DesiredFleet, observed: ObservedFleet, asked: PlanOptions, *, running: bool
) -> tuple[Plan, ObservedFleet, PlanOptions]:
    """Plan with whose the apps are, where that decides something or is told; give what it rests on as well."""
    observed = await with_ownership(run, fleet, observed, asked)
    made = plan_fleet(fleet, observed, asked)
    if made.changes or not running:
        told = await told_ownership(run, fleet, observed, asked, running=running)
        if told is not observed:
            observed, made = told, plan_fleet(fleet, told, asked)
    if refusal := await why_not_prune(run, made):
        asked = replace(asked, prune_refusal=refusal)
        made = replace(plan_fleet(fleet, observed, asked), complete=False)
    return made, observed, asked


def _tell(run: FleetRun, made: Plan) -> None:
    counts = made.summary
    run.emit(
        PlanComputed(
            made.fingerprint,
            counts["create"],
            counts["delete"],
            counts["delete_then_create"],
            counts["none"],
            counts["unmanaged"],
            counts["denied"],
            made.complete,
        )
    )
    for rule, enforcement, message, source, keys in grouped_findings(made.findings):
        named = keys[:FINDING_KEYS_LOGGED_MAX_COUNT]
        run.emit(RuleFired(rule, enforcement, keys[0] if keys else "", message, source, len(keys), named))


def _forecast_inputs(loaded: Loaded, parts: Joined, observed: ObservedFleet, fit: QuotaFit) -> ForecastInputs:
    """Gather what a forecast rests on. A journal that cannot be read costs the durations, and nothing else."""
    memory, settings = parts.run.memory, loaded.settings
    durations: Mapping[tuple[str, str], tuple[float, ...]] = {}
    with suppress(StateError):
        durations = settle_seconds(parts.state, loaded.fleet.name)
    return ForecastInputs(
        lanes={name: link.lane for name, link in parts.run.links.items()},
        execution=settings.execution,
        limit_give_up_s=settings.backoffs.limit.give_up_after,
        learnt_rates=memory.last_rates,
        durations=durations,
        room=fit.room,
        rows={name: len(domain.apps) for name, domain in observed.domains.items()},
    )


def _plan_options(options: AppOptions, loaded: Loaded, parts: Joined) -> PlanOptions:
    made_at = datetime.now(UTC)
    memory = parts.run.memory
    return PlanOptions(
        made_at=iso(made_at),
        today=made_at.date(),
        safety=loaded.settings.safety,
        request=options.request,
        allow_destructive=loaded.allowed_keys(options.request.allow_destructive),
        once_done=memory.once_done,
        half_replaced=memory.half_replaced,
        replaced_at=loaded.replaced_at(memory),
        quarantined=loaded.quarantined(memory),
        denied_keys=loaded.admitted.denied_keys,
        run_denied=loaded.admitted.run_denied,
        findings=loaded.findings,
        lanes=parts.plan_lanes,
        domain_lanes={name: link.lane for name, link in parts.run.links.items()},
        version=parts.version,
    )


def iso(moment: datetime) -> str:
    """Return a time in UTC as it stands in documents, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


async def plan(options: AppOptions, emit: Emit) -> Plan:
    """Observe, and give the plan. No lock is taken; only a simulated world and the quotas of the day are written.

    A signal ends it at once as KeyboardInterrupt, with everything closed; so it does `dry_run` and `status`.
    """
    loaded = read(options, today())
    made, _ = await looking(options, loaded, emit, planned)
    return made


async def dry_run(options: AppOptions, emit: Emit) -> tuple[Plan, Callable[[DesiredApp], float]]:
    """Observe, and give the plan with the weights by which a run would order it."""
    loaded = read(options, today())
    made, _ = await looking(options, loaded, emit, planned)
    return made, loaded.weight
