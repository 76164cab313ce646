"""`status`: the plan of one look, with what the journal and the service can say of apps that are not well.

Nothing is changed. What cannot be learnt is left out: a status must come also where the journal or a reason cannot.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.app.history import last_failures, run_of, runs
from engine.app.idle_spaces import look_at_spaces
from engine.app.loading import moment, read
from engine.app.loading import now as time_now
from engine.app.looking import looking
from engine.app.plan import maintenance_at, planned
from engine.core.decision import Guard
from engine.core.errors import CloudError, StateError
from engine.core.facts import TAGS_RULE
from engine.core.hours import HoursAt
from engine.core.limits import JOURNAL_REFUSALS_MAX_COUNT, STATUS_REASONS_MAX_COUNT
from engine.core.outcome import Outcome
from engine.core.planner import HALF_REPLACED
from engine.core.status import StatusView, failed_keys, status_of
from engine.core.status_facts import LastSeen, StatusFacts
from engine.core.trouble import Trouble, domain_trouble
from engine.executor.kinds.failures import read_reason
from engine.executor.lost_lanes import lost_domains

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.core.identity import AppKey
    from engine.core.idle_spaces import IdleSpaces
    from engine.core.observed import ObservedFleet
    from engine.executor.fleet_run import FleetRun
    from engine.ports.events import Emit
    from engine.ports.history import AppRecord, RunRecord

_OF_EARLIER_RUNS: Final = frozenset(
    {HALF_REPLACED, Guard.CONVERGENCE.value, TAGS_RULE}
)  # findings that a look at rows cannot give
_DAY_SECONDS: Final = 86_400.0
_TOLD: Final = frozenset({Outcome.FAILED.value, Outcome.PARKED.value, Outcome.STILL_PENDING.value})


async def looked_at(
    options: AppOptions,
    loaded: Loaded,
    parts: Joined,
    *,
    now: datetime,
    today: date,
    expiring_within_s: float,
    idle_days: int | None,
) -> StatusView:
    """Observe, and sum up. Raises as `planned` does."""
    whole = await planned(options, loaded, parts)
    made, observed = whole.plan, whole.facts.observed
    reasons = await failure_reasons(parts.run, failed_keys(made))
    spaces: IdleSpaces | None = None
    errors: dict[str, Trouble] = {}
    if idle_days is not None:
        spaces, errors = await look_at_spaces(
            loaded, parts, observed, options.selectors, now=now.timestamp(), idle_days=idle_days
        )
    errors |= _unlisted(parts.run, observed)
    memory = parts.run.memory
    facts = StatusFacts(
        today=today,
        now=now.timestamp(),
        expiring_within_days=int(expiring_within_s // _DAY_SECONDS),
        slow_after_s=loaded.settings.execution.settle_timeout,
        reasons=reasons,
        failed_runs={key: count for key, (count, _) in memory.failures.items()},
        last=_last_seen(parts, loaded.fleet.name),
        is_new=memory.is_new,
        findings=(*loaded.file_findings, *(one for one in made.findings if one.rule in _OF_EARLIER_RUNS)),
        maintenance=maintenance_at(now, loaded, memory),
        hours=HoursAt.of(loaded.fleet.hours, moment(options)),
    )
    view = status_of(made, observed, facts, tuple(error for _, error in sorted(errors.items())))
    view = view.with_owners(whole.owners) if options.request.owners else view
    return replace(view, idle_spaces=spaces)


def _unlisted(run: FleetRun, observed: ObservedFleet) -> dict[str, Trouble]:
    """Say of each domain that could not be listed, or not be asked any more, why."""
    domains = {**observed.domains, **lost_domains(run, observed).domains}
    return {name: domain_trouble(name, domain.error) for name, domain in domains.items() if domain.error is not None}


async def failure_reasons(run: FleetRun, keys: Sequence[AppKey]) -> Mapping[AppKey, str]:
    """Ask why the first few of `keys` failed: one DescribeApp each. Raises StoppedError when the run is stopped."""
    reasons: dict[AppKey, str] = {}
    for key in keys[:STATUS_REASONS_MAX_COUNT]:
        with suppress(CloudError):
            reasons[key] = await read_reason(run.reach(key.domain), key)
    return reasons


def _last_seen(parts: Joined, fleet: str) -> Mapping[AppKey, LastSeen]:
    """Return what the newest run of the fleet said of apps that did not end well, and of others their last failure."""
    seen: dict[AppKey, LastSeen] = {}
    with suppress(StateError):
        for key, failure in last_failures(parts.state, fleet).items():
            seen[key] = LastSeen(failure.run_id, _words(failure.outcome), failure.message, failure.started)
        known = runs(parts.state, fleet=fleet, limit=JOURNAL_REFUSALS_MAX_COUNT + 1)
        for newest in [run for run in known if run.began][:1]:  # the others did not get as far as any app
            detail = run_of(parts.state, newest.run_id)
            for app in () if detail is None else detail.apps:
                if app.outcome in _TOLD:
                    seen[app.key] = _last_of(app, newest)
    return seen


def _last_of(app: AppRecord, run: RunRecord) -> LastSeen:
    return LastSeen(run.run_id, _words(app.outcome), app.error_message, run.started, app.error_hint)


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


async def status(options: AppOptions, emit: Emit, expiring_within_s: float, idle_days: int | None = None) -> StatusView:
    """Observe, and return what is there beside what is desired, with what will expire within so many seconds.

    With `idle_days`, also the spaces that have had no app for so many days.
    """
    day = moment(options).date()
    loaded = read(options, day)
    options = replace(options, whole_domains=idle_days is not None)  # any app that is not seen would make a space idle
    asked = partial(looked_at, now=time_now(), today=day, expiring_within_s=expiring_within_s, idle_days=idle_days)
    return await looking(options, loaded, emit, asked)
