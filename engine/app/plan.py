"""From the files and the listings to a plan: what every command that looks does.

List, plan, answer what the plan asks, and plan again until it asks nothing; then compare it with the guardrails.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.app.answers import answers
from engine.app.aside import aside
from engine.app.history import owner_seconds, settle_seconds
from engine.app.late_failures import count_late_failures
from engine.app.loading import keys_named, moment, read, today
from engine.app.looking import looking
from engine.app.missing_domains import with_missing_domains_explained
from engine.app.owner_looks import compared_domains, ended_updates, owners_to_compare, unassigned_owners, uncompared
from engine.core.canaries import with_canaries
from engine.core.change import Action
from engine.core.desired import Mode
from engine.core.draft import Draft
from engine.core.errors import BugError, StateError
from engine.core.facts import Facts
from engine.core.forecast import forecast_of
from engine.core.forecast_inputs import ForecastInputs
from engine.core.freeze import FREEZE_RULE, freeze_denial
from engine.core.grouping import grouped_findings
from engine.core.hours import HoursAt
from engine.core.identity import AppKey, Owner
from engine.core.limits import FINDING_KEYS_LOGGED_MAX_COUNT, MAINTENANCE_MARGIN_SECONDS, PLAN_ROUNDS_MAX_COUNT
from engine.core.maintenance import Maintenance
from engine.core.owner_status import Keeping, OwnerLine, status_lines
from engine.core.ownership import WhoseAre
from engine.core.plan_options import PlanOptions
from engine.core.questions import Purpose, questions_of
from engine.core.selection import require_fleet, require_found
from engine.core.shrunk import shrunk_tables
from engine.executor.lost_lanes import lost_domains
from engine.policy.cost import cost_of
from engine.ports.events import PlanComputed, RuleFired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.app.teams.overlay import Preparation
    from engine.core.desired import DesiredApp, DesiredFleet
    from engine.core.finding import Finding
    from engine.core.observed import ObservedFleet
    from engine.core.plan import Plan
    from engine.core.shape import Shape
    from engine.core.trouble import Trouble
    from engine.executor.fleet_run import FleetRun
    from engine.ports.events import Emit
    from engine.ports.journal import Memory


class Planned(NamedTuple):
    """A whole plan, and what it rests on. `errors` are what planning found wrong and went on without.

    `compared` names the domains of which every declared profile and space was compared. `owners` has a row for each one
    that --owners selects. The users of `not_to_assign` are nobody's business any more,
    and the updates of `ended`, which an earlier run began, are done. `unproven` are shapes, in words, that are
    made and never ran here.
    """

    plan: Plan
    facts: Facts
    errors: tuple[Trouble, ...] = ()
    compared: tuple[str, ...] = ()
    owners: tuple[OwnerLine, ...] = ()
    not_to_assign: tuple[Owner, ...] = ()
    ended: tuple[Owner, ...] = ()
    unproven: tuple[str, ...] = ()


async def planned(
    options: AppOptions,
    loaded: Loaded,
    parts: Joined,
    preparation: Preparation | None = None,
    *,
    running: bool = False,
) -> Planned:
    """Observe what the selectors reach, ask what the plan must know, and check the guardrails.

    A plan that is `running` and idle costs its listings of apps and nothing more. Raises UsageError for a selector or a
    key that matches nothing declared or observed.
    """

    def goes_too_far(made: Plan, observed: ObservedFleet) -> bool:
        # A command that lays something over the plan is judged by the whole of it.
        return preparation is None and bool(_guarded(made, observed, options, loaded))

    observed = await _listed(options, loaded, parts, preparation)
    asked = _plan_options(options, loaded, parts)
    settings = loaded.settings
    owed = unassigned_owners(options, loaded, parts) if preparation is None or not preparation.lets_go else frozenset()
    watched = owners_to_compare(options, loaded, parts, asked) if preparation is None else frozenset()
    first = Draft(
        loaded.fleet,
        Facts(observed),
        asked,
        goes_too_far,
        creates_owners=settings.create_owners,
        updates_owners=settings.update_owners,
        assigns_users=settings.assign_users,
        watched=watched | owed,
        unassigned=owed,
        read_rate=settings.execution.read_rate,
    )
    purpose = Purpose(running) if preparation is None else Purpose(running, preparation.leaving, preparation.restored)
    draft = await in_rounds(first, purpose, options, parts)
    whole = await aside(
        lambda: _whole(draft, options, loaded, parts, preparation, running=running), len(loaded.fleet.apps)
    )
    _tell(parts.run, whole.plan)
    return whole


def _whole(
    draft: Draft,
    options: AppOptions,
    loaded: Loaded,
    parts: Joined,
    preparation: Preparation | None,
    *,
    running: bool,
) -> Planned:
    """Return the plan of a draft that has nothing left to ask, with what the guardrails say and what it costs."""
    made = draft.plan if preparation is None else preparation.over(draft.plan, draft.facts)
    broken = _guarded(made, draft.facts.observed, options, loaded)
    denial = freeze_denial(made, draft.asked) if preparation is not None and preparation.lets_go else ()
    if denial:  # which says all that the finding of what is put off says
        broken = (*broken, *denial)
        made = replace(made, findings=tuple(one for one in made.findings if one.rule != FREEZE_RULE))
    if broken:
        made = replace(made, findings=tuple(sorted((*made.findings, *broken))), denied=True)
    unproven: tuple[Shape, ...] = ()
    if loaded.settings.tolerance.canary:
        made, unproven = with_canaries(made, loaded.tried(parts.run.memory, draft.asked.domain_lanes), loaded.weight)
    if made.changes:
        made = replace(made, cost=cost_of(made, loaded.fleet.domains, loaded.policies.admission.prices))
    if made.has_changes:
        forecast = forecast_of(made.changes, made.owners, _forecast_inputs(loaded, parts, draft))
        made = replace(made, forecast=forecast, uncompared=len(draft.uncompared))
    elif not running and preparation is None:
        made = replace(made, uncompared=uncompared(draft))
    compared = compared_domains(draft, parts.run.memory) if options.selectors.is_empty else ()
    rows = _owner_lines(draft, made) if options.request.owners else ()
    errors = (draft.refusal.trouble,) if draft.refusal else ()
    ended = ended_updates(draft, made, parts.run.memory, parts.run.wall())
    made.fingerprint  # noqa: B018  # worked out here, and kept
    return Planned(made, draft.facts, errors, compared, rows, draft.not_to_assign, ended, tuple(map(str, unproven)))


def _guarded(made: Plan, observed: ObservedFleet, options: AppOptions, loaded: Loaded) -> tuple[Finding, ...]:
    return loaded.guardrails(loaded.weights(made, observed), options.request.allow_destructive)


def _owner_lines(draft: Draft, made: Plan) -> tuple[OwnerLine, ...]:
    declared = (draft.declared[owner] for owner in draft.watched)
    return status_lines(declared, draft.facts.owners, made, Keeping(draft.creates_owners, draft.updates_owners))


async def in_rounds(draft: Draft, purpose: Purpose, options: AppOptions, parts: Joined) -> Draft:
    """Ask and plan until nothing is left to ask; a lane that cannot be asked any more leaves its apps alone.

    Raises UsageError for a fleet of --from-fleet that owns nothing.
    """
    try:
        return await _rounds(draft, purpose, options, parts)
    finally:
        if parts.quotas is not None:
            parts.quotas.save()


async def _rounds(draft: Draft, purpose: Purpose, options: AppOptions, parts: Joined) -> Draft:
    # Ownership, reading on, quotas, owners, their holders, settings, holders of owners that vanished meanwhile, tags,
    # sign-in, assignment, a round without questions, and one to spare.
    for _ in range(PLAN_ROUNDS_MAX_COUNT):
        draft = draft.knowing(Facts(lost_domains(parts.run, draft.facts.observed)))
        questions = await aside(partial(questions_of, draft, purpose), len(draft.fleet.apps))
        if not any(isinstance(question, WhoseAre) for question in questions):
            require_fleet(draft.asked.request.from_fleet, draft.fleet, draft.facts.observed)
        if not questions:
            return draft
        draft = draft.knowing(await answers(questions, draft.facts, options, parts))
    raise BugError(f"a plan still has questions after {PLAN_ROUNDS_MAX_COUNT} rounds")


async def _listed(options: AppOptions, loaded: Loaded, parts: Joined, preparation: Preparation | None) -> ObservedFleet:
    """List what the selectors reach. Raises UsageError for a selector or a key that matches nothing."""
    fleet = loaded.fleet
    lets_go = preparation is not None and preparation.lets_go
    left = set() if preparation is None else {one.owner.domain for one in preparation.leaving}
    sizes = parts.run.memory.domain_sizes
    owners = {}
    for domain in fleet.domains:
        rows = sizes.get(domain.domain_id)
        pages = None if rows is None else max(1, -(-rows // 100))
        reached = options.selectors.owners_to_list(fleet, domain.name, domain_pages=pages)
        if reached != () or domain.name in left:  # who lives in what leaves decides whether it goes
            # What lets go is compared with the whole domain: a share of what was looked for says nothing.
            owners[domain.name] = None if lets_go or options.whole_domains else reached
    in_doubt_at = create_in_doubt_at(fleet, parts.run.memory, lets_go=lets_go)
    observed = await with_missing_domains_explained(
        await parts.run.observe(owners, create_in_doubt_at=in_doubt_at), parts
    )
    if preparation is None:
        require_found(options.selectors, keys_named(options, loaded), fleet, observed)
    await count_late_failures(parts.run, fleet, observed)
    return observed


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


def _tell(run: FleetRun, made: Plan) -> None:
    counts = made.summary
    owners = Counter(change.action for change in made.owners)
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
            owners[Action.CREATE],
            owners[Action.UPDATE],
            owners[Action.DELETE],
            len(made.owner_drift),
        )
    )
    tell_rules(made.findings, run.emit)


def tell_rules(findings: Iterable[Finding], emit: Emit) -> None:
    """Emit what rules, guardrails and checks say, once for all apps that they say the same of."""
    for rule, enforcement, message, source, keys in grouped_findings(findings):
        named = keys[:FINDING_KEYS_LOGGED_MAX_COUNT]
        emit(RuleFired(rule, enforcement, keys[0] if keys else "", message, source, len(keys), named))


def _forecast_inputs(loaded: Loaded, parts: Joined, draft: Draft) -> ForecastInputs:
    """Gather what a forecast rests on. A journal that cannot be read costs the durations, and nothing else."""
    memory, settings = parts.run.memory, loaded.settings
    past: dict[str, Any] = {}
    if parts.simulation is not None:  # what real runs took says nothing of its world
        past = {"typical": parts.simulation.typical, "owner_durations": parts.simulation.owner_durations}
    else:
        with suppress(StateError):
            past["durations"] = settle_seconds(parts.state, loaded.fleet.name)
            past["owner_durations"] = owner_seconds(parts.state, loaded.fleet.name)
    return ForecastInputs(
        lanes=draft.asked.domain_lanes,
        execution=settings.execution,
        limit_give_up_s=settings.backoffs.limit.give_up_after,
        learnt_rates=memory.last_rates,
        **past,
        room=draft.fit.room,
        failures_max=settings.tolerance.failures_max,
        rows={name: len(domain.apps) for name, domain in draft.facts.observed.domains.items()},
    )


def _plan_options(options: AppOptions, loaded: Loaded, parts: Joined) -> PlanOptions:
    made_at = datetime.now(UTC)
    asked_at = options.at or made_at
    memory = parts.run.memory
    return PlanOptions(
        made_at=iso(made_at),
        today=asked_at.date(),
        hours=HoursAt.of(loaded.fleet.hours, asked_at),
        at=iso(options.at) if options.at else "",
        safety=loaded.settings.safety,
        request=options.request,
        allow_destructive=loaded.allowed_keys(options.request.allow_destructive),
        once_done=memory.once_done,
        half_replaced=memory.half_replaced,
        wave=options.wave,
        replaced_at=loaded.replaced_at(memory),
        quarantined=loaded.quarantined(memory),
        denied_keys=loaded.admitted.denied_keys,
        run_denied=loaded.admitted.run_denied,
        findings=(*loaded.findings, *shrunk_tables(memory.table_rows, loaded.table_rows)),
        lanes=parts.plan_lanes,
        domain_lanes={name: link.lane for name, link in parts.run.links.items()},
        version=parts.version,
        maintenance=maintenance_at(made_at, loaded, memory),
    )


def maintenance_at(moment: datetime, loaded: Loaded, memory: Memory) -> Maintenance:
    """Return what tells an app in maintenance at `moment` from a new one."""
    new_s = loaded.settings.execution.settle_timeout + MAINTENANCE_MARGIN_SECONDS
    left = {key for key in memory.unfinished if isinstance(key, AppKey)}
    return Maintenance(moment.timestamp() - new_s, frozenset(left | memory.unseen.keys()))


def iso(moment: datetime) -> str:
    """Return a time in UTC as it stands in documents, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


async def plan(options: AppOptions, emit: Emit) -> Plan:
    """Observe, and give the plan. No lock is taken; only a simulated world and the quotas of the day are written.

    A signal ends it at once as KeyboardInterrupt, with everything closed; so it does `dry_run` and `status`.
    """
    loaded = read(options, moment(options).date())
    return (await looking(options, loaded, emit, planned)).plan


async def dry_run(options: AppOptions, emit: Emit) -> tuple[Plan, Callable[[DesiredApp], float]]:
    """Observe, and give the plan with the weights by which a run would order it."""
    loaded = read(options, today())
    return (await looking(options, loaded, emit, planned)).plan, loaded.weight
