"""`explain`: everything that is known of one app, from its layers to what the planner will do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.app.loading import read, today
from engine.app.looking import looking
from engine.app.plan import planned
from engine.core.buckets import bucket_of
from engine.core.change import Action, Change, Reason
from engine.core.errors import AppfleetError, UsageError
from engine.core.explain import Explanation, RuleLine, origins_of
from engine.core.identity import Lane, folded
from engine.core.nearest import nearest
from engine.core.reserved import RULE as PLANS_RULE
from engine.core.selectors import Selectors

if TYPE_CHECKING:
    from datetime import date

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.core.desired import DesiredApp, DesiredDomain
    from engine.core.finding import Finding
    from engine.core.identity import AppKey
    from engine.core.observed import ObservedFleet
    from engine.core.plan import Plan
    from engine.policy.admission import RuleVerdict
    from engine.ports.events import Emit


def find_app(loaded: Loaded, key: AppKey) -> tuple[DesiredApp | None, DesiredDomain]:
    """Return the declared app of `key`, as it was before the rules changed it, or None; and its domain.

    Raises UsageError for a domain that the fleet does not have, with the nearest one that it has.
    """
    domains = {domain.name: domain for domain in loaded.fleet.domains}
    if key.domain not in domains:
        guess = nearest(key.domain, domains)
        raise UsageError(
            f"{key} names the domain {key.domain}, which the fleet does not have",
            hint=f"Did you mean {guess}?" if guess else f"It has: {', '.join(sorted(domains))}",
        )
    wanted = folded(key)
    return next((app for app in loaded.declared if folded(app.key) == wanted), None), domains[key.domain]


def explained(
    loaded: Loaded,
    key: AppKey,
    today: date,
    made: Plan | None = None,
    observed: ObservedFleet | None = None,
    trouble: str = "",
) -> Explanation:
    """Put together what is known of `key`: from a plan of it alone, or with the `trouble` that kept one away."""
    declared, domain = find_app(loaded, key)
    account = made.lanes[0].account if made is not None and made.lanes else domain.account or "ACCOUNT"
    change = None if made is None or observed is None else _change(made, observed, key)
    if declared is None:
        error = None if observed is None else observed.domains[key.domain].error
        if error is not None:  # nobody knows whether it is there
            change, trouble = None, str(error)
        return Explanation(key, None, (), (), 0.0, (), change, trouble, loaded.file_findings)
    admission = loaded.policies.admission
    app = next(one for one in loaded.fleet.apps if one.key == declared.key)
    verdicts = admission.verdicts(declared, domain, today, loaded.declared, loaded.fleet.domains)
    types = (app.spec.instance_type or "", *app.fallback)
    return Explanation(
        key=declared.key,
        app=app,
        fields=origins_of(app),
        rules=tuple(_line(verdict) for verdict in verdicts),
        weight=loaded.weight(app),
        buckets=tuple(bucket_of(Lane(account, domain.region), app.key.app_type, app.spec, one) for one in types),
        change=change,
        trouble=trouble,
        findings=(*loaded.file_findings, *_of_training_plans(made)),
        hours=() if made is None else made.hours,
    )


def _of_training_plans(made: Plan | None) -> tuple[Finding, ...]:
    """Return what a plan of the app alone says of its training plan."""
    return () if made is None else tuple(finding for finding in made.findings if finding.rule == PLANS_RULE)


def _change(made: Plan, observed: ObservedFleet, key: AppKey) -> Change:
    """Return the planner's decision; an app that nobody declares has one only where it is this fleet's own."""
    wanted = folded(key)
    decided = next((one for one in made.decisions if folded(one.key) == wanted), None)
    if decided is not None:
        return decided
    rows = observed.domains[key.domain].apps
    row = next((row for one, row in rows.items() if folded(one) == wanted), None)
    return Change(key, Action.NONE, Reason.GONE if row is None else Reason.UNMANAGED, before=row)


def _line(verdict: RuleVerdict) -> RuleLine:
    exception = verdict.exception
    return RuleLine(
        rule=verdict.rule.id,
        enforcement=verdict.rule.enforcement.value,
        verdict=verdict.verdict.value,
        message=verdict.message,
        source=verdict.rule.source,
        group=verdict.group,
        seen=verdict.seen,
        exception="" if exception is None else f"{exception.reason}, until {exception.expires} ({exception.source})",
        is_organizations=verdict.rule.is_organizations,
    )


async def explain(options: AppOptions, key: AppKey, emit: Emit) -> Explanation:
    """Return what is known of one app; if nothing can be listed, the reason in place of the planner's decision.

    Raises UsageError for a key that names nothing declared or observed.
    """
    loaded = read(options, today())
    declared, _ = find_app(loaded, key)
    key = key if declared is None else declared.key  # a user profile's name may be typed in any case
    options = options.about(Selectors(keys=(key,)))
    options = replace(options, request=replace(options.request, owners=True))  # the app's own, and no other
    try:
        whole = await looking(options, loaded, emit, planned)
    except UsageError:
        raise
    except AppfleetError as error:
        return explained(loaded, key, today(), trouble=str(error))
    told = explained(loaded, key, today(), whole.plan, whole.facts.observed)
    return replace(told, owner=next(iter(whole.owners), None), unproven=next(iter(whole.unproven), ""))
