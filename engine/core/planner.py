"""From what is desired and what is observed to a plan: every decision, sorted, with what must be said about it.

Pure: the same input gives the same bytes, in whatever order it comes. Not here: what to do about one app
(`decision`), whether the plan as a whole goes too far (`policy`), the order of calls (`stages`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from engine.core.change import Action, Change, Reason
from engine.core.decision import Guard, decide_declared, decide_undeclared, drifted_fields, ownership_matters
from engine.core.desired import AppSpec, DesiredApp, DesiredFleet, Mode
from engine.core.errors import BugError
from engine.core.finding import ADOPTION, LISTING, UNPRUNED, Finding
from engine.core.hours import HOURS_RULE, hours_lines, why_kept
from engine.core.identity import USER, AppKey, folded, twin_of
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.maintenance import maintenance_finding
from engine.core.observed import AppStatus, ObservedApp, ObservedDomain, ObservedFleet, Ownership, precedence
from engine.core.ownership import READ_TAGS, UNREAD, Whose, WhoseAre, not_owned, way_to_move
from engine.core.plan import Plan, in_order
from engine.core.plan_options import PlanOptions
from engine.core.selectors import Selectors
from engine.core.text import clean, count_of, listed
from engine.core.trouble import domain_troubles, of_domain

__all__ = ["Joined", "PlanOptions", "join", "needs_ownership", "plan_fleet", "plan_of"]

# The words of a finding's `enforcement`: that app alone is left out, or it is only said.
_SKIPPED: Final = "skip"
_SAID: Final = "advisory"

HALF_REPLACED: Final = "half_replaced"  # the rule of a finding

_BY_KEY: Final = attrgetter("key")


@dataclass(slots=True)
class Joined:
    """The selected declared apps beside their rows, and the selected rows that nobody declares."""

    desired: DesiredFleet
    observed: ObservedFleet
    declared: list[tuple[DesiredApp, ObservedApp | None]] = field(default_factory=list)
    unlisted: list[DesiredApp] = field(default_factory=list)
    undeclared: list[ObservedApp] = field(default_factory=list)


_OUTSIDE: Final = frozenset({Reason.OUTSIDE_HOURS, Reason.KEPT})
# Why an app is not replaced although its key was named: what is not wanted now is not made again.
_NOT_WANTED: Final = {
    Reason.OUTSIDE_HOURS: "it is outside its hours, and outside them it is stopped",
    Reason.KEPT: "it is outside its hours, and its tag keeps it as it is",
    Reason.DECLARED_ABSENT: "its mode is absent, so it is deleted",
    Reason.EXPIRED: "it has expired, so it is deleted",
    Reason.GONE: "it is declared as absent or has expired, and is gone",
}
# Wanted, and not awaited although it may be Pending.
_LEFT_PENDING: Final = frozenset({Reason.MAINTENANCE, Reason.DONE_ONCE})
# What is declared so that it shall not be there.
_UNWANTED: Final = frozenset({Reason.UNMANAGED, Reason.NOT_OWNED, Reason.GONE, Reason.EXPIRED, Reason.DECLARED_ABSENT})


def plan_fleet(desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions) -> Plan:
    """Return the plan of what is desired and what is observed."""
    return plan_of(join(desired, observed, options.selectors), options)


def plan_of(joined: Joined, options: PlanOptions) -> Plan:
    """Decide about every selected app of the fleet, and every selected observed one that it does not declare.

    A domain that could not be listed (or was not observed) has its apps left alone, each with its reason, and makes
    the plan incomplete. Ownership that was not read counts as not ours: nothing is deleted or replaced on it.
    """
    desired = joined.desired
    prune = _prunes(desired, options)
    findings = list(options.findings)
    changes: list[Change] = []
    for app, row in joined.declared:
        differs = drifted_fields(app, row, options)
        ownership = Ownership.UNREAD if row is None else row.ownership
        action, reason, refused_by = decide_declared(app, row, ownership, differs, options)
        change = Change(app.key, action, reason, row, app, differs)
        changes.append(change)
        if refused_by is not None:
            findings.append(_refusal(change, app, refused_by, options.request.selectors))
    changes += (Change(app.key, Action.NONE, Reason.DOMAIN_UNLISTED, after=app) for app in joined.unlisted)
    unmanaged: Counter[str] = Counter()
    for row in joined.undeclared:
        action, reason, _ = decide_undeclared(row, row.ownership, prune=prune)
        if reason is Reason.UNMANAGED:
            unmanaged[row.key.domain] += 1
        else:
            changes.append(Change(row.key, action, reason, row))
    changes.sort(key=_BY_KEY)
    findings += _findings(options, joined, changes)
    findings += _maintenance(options, changes)
    findings += _outside_hours(options, changes)
    findings += _claims(options, joined, changes, {finding.key for finding in findings})
    return Plan(
        fleet=desired.name,
        made_at=options.made_at,
        decisions=tuple(changes),
        unmanaged=unmanaged.total(),
        unmanaged_in=tuple(sorted(unmanaged.items())),
        complete=joined.observed.complete and not joined.unlisted,
        denied=options.run_denied,
        lanes=tuple(sorted(options.lanes)),
        inputs=tuple(sorted(desired.inputs)),
        selectors=options.selectors.pairs(),
        options=options.pairs(),
        findings=tuple(sorted(set(findings))),
        quotas=in_order(options.quotas),
        version=options.version,
        hours=hours_lines(Counter(app.hours for app, _ in joined.declared if app.hours is not None), options.hours),
        at=options.at,
        errors=domain_troubles({name: one.error for name, one in joined.observed.domains.items() if one.error}),
        domain_lanes=tuple(sorted(options.domain_lanes.items())),
    )


def needs_ownership(joined: Joined, options: PlanOptions) -> WhoseAre:
    """Name the apps whose ownership was not read and must be before a plan is carried out.

    It asks the planner's own decisions whether the answer would change what is done, so a plan made after these were
    read never misses one, and a night in which nothing undeclared stands there reads none.
    """
    prune = _prunes(joined.desired, options)
    undeclared = [row for row in joined.undeclared if row.ownership is Ownership.UNREAD and row.status.is_alive]
    decisive = {row.key for row in undeclared if ownership_matters(None, row, options, prune=prune)}
    telling = sorted(row.key for row in undeclared if row.key not in decisive)
    unread = [(app, row) for app, row in joined.declared if row is not None and row.ownership is Ownership.UNREAD]
    claims = {app.key: row.key for app, row in unread if row.status.is_alive}
    decisive |= {row.key for app, row in unread if ownership_matters(app, row, options, prune=prune)}
    claimed = tuple(sorted(key for key in claims.values() if key not in decisive))
    return WhoseAre(tuple(sorted(decisive)), tuple(telling), claimed)


def _prunes(desired: DesiredFleet, options: PlanOptions) -> bool:
    return options.wants_prune and not (desired.prune_refusal or options.prune_refusal)


def join(desired: DesiredFleet, observed: ObservedFleet, selectors: Selectors) -> Joined:
    """Put the selected declared apps beside what was observed. Raises BugError for a key that is declared twice."""
    joined = Joined(desired, observed)
    declared = {app.key: app for app in desired.apps}
    if len(declared) != len(desired.apps):
        raise BugError("the fleet declares an app key twice")
    rows, undeclared = _rows_by_declared_key(desired, observed, declared)
    selects = selectors.selects
    everything = selectors.is_empty
    for app in desired.apps:
        if not (everything or selects(app)):
            continue
        domain = observed.domains.get(app.key.domain)
        if domain is None or domain.error is not None:
            joined.unlisted.append(app)
        else:
            joined.declared.append((app, rows[app.key.domain].get(app.key)))
    joined.undeclared = [
        row
        for row in undeclared
        if row.status not in (AppStatus.DELETED, AppStatus.FAILED) and selectors.selects_observed(row.key)
    ]
    return joined


def _rows_by_declared_key(
    desired: DesiredFleet, observed: ObservedFleet, declared: Mapping[AppKey, DesiredApp]
) -> tuple[dict[str, Mapping[AppKey, ObservedApp]], list[ObservedApp]]:
    """Return the rows of each listed domain by the key as it is declared, and the rows that nobody declares.

    The service takes a user profile's name in any case, so a row may be spelled in another way than the fleet.
    """
    by_domain: dict[str, Mapping[AppKey, ObservedApp]] = {}
    undeclared: list[ObservedApp] = []
    spelled: dict[AppKey, AppKey] | None = None
    for domain in _listed(desired, observed):
        by_domain[domain.name] = domain.apps
        others = [row for key, row in domain.apps.items() if key not in declared]
        if any(row.key.owner_kind == USER for row in others):
            if spelled is None:  # made only now, since most fleets and domains spell their users alike
                spelled = {folded(key): key for key in declared if key.owner_kind == USER}
            respelled = [row for row in others if folded(row.key) in spelled]
            others = [row for row in others if folded(row.key) not in spelled]
            if respelled:
                best = {spelled[folded(row.key)]: row for row in sorted(respelled, key=precedence)}
                by_domain[domain.name] = best | dict(domain.apps)
        undeclared += others
    return by_domain, undeclared


def _listed(desired: DesiredFleet, observed: ObservedFleet) -> Iterator[ObservedDomain]:
    """Yield the domains that the fleet declares and that were listed to the end."""
    for declared in desired.domains:
        domain = observed.domains.get(declared.name)
        if domain is not None and domain.error is None:
            yield domain


def _findings(options: PlanOptions, joined: Joined, changes: list[Change]) -> Iterator[Finding]:
    """Say what the plan leaves out although it was asked for, and what nobody asks for any more."""
    desired, observed = joined.desired, joined.observed
    for name, apps in sorted(Counter(app.key.domain for app in joined.unlisted).items()):
        yield _unlisted_finding(name, apps, observed)
    orphans = [change.key for change in changes if change.reason is Reason.ORPHANED]
    why_not = desired.prune_refusal or options.prune_refusal
    if options.wants_prune and why_not:
        yield Finding("prune", _SKIPPED, "", clean(f"nothing is pruned: {why_not}"))
    if orphans:
        way_out = "" if options.wants_prune else ". --prune deletes them"
        yield Finding("orphaned", _SAID, "", clean(_orphans_message(orphans) + way_out))
    owed = [change.key for change in changes if change.action is Action.CREATE and change.key in options.half_replaced]
    if owed:
        yield Finding(HALF_REPLACED, _SAID, "", clean(_owed_message(owed)))
    prune = _prunes(desired, options)
    unclear = sorted(row.key for row in joined.undeclared if ownership_matters(None, row, options, prune=prune))
    twins = [key for key in unclear if twin_of(key) in observed.domains[key.domain].apps]
    if twins:
        yield Finding("prune", _SKIPPED, "", clean(_twins_message(twins)))
    unread = sorted(set(unclear).difference(twins))
    if unread:
        yield Finding(UNPRUNED, _SKIPPED, "", clean(_unread_message(unread)))
    others = sorted((row.key, row.foreign_fleet) for row in joined.undeclared if row.ownership is Ownership.FOREIGN)
    if others:
        yield Finding("foreign", _SAID, "", clean(_foreign_message(others)))
    yield from _not_replaced(options, joined, changes)


def _not_replaced(options: PlanOptions, joined: Joined, changes: list[Change]) -> Iterator[Finding]:
    """Name each key that a replace was asked for and that gets none, and say why."""
    asked = set(options.request.replace_keys)
    if not asked:
        return
    domains = {domain.name for domain in joined.desired.domains}  # of a shard, its own: another one knows the rest
    for key in sorted(asked.difference(app.key for app, _ in joined.declared)):
        if key.domain not in domains:
            continue
        message = "not replaced: no declared app of this key is selected and could be listed. The plan prints the keys"
        yield Finding("replace", _SKIPPED, str(key), message)
    for change in changes:
        why = _NOT_WANTED.get(change.reason) if change.key in asked else None
        if why is not None:
            yield Finding("replace", _SKIPPED, str(change.key), f"not replaced: {why}")


def _maintenance(options: PlanOptions, changes: list[Change]) -> list[Finding]:
    """Say which wanted apps the service maintains: nobody waits for them."""
    alone = [change for change in changes if change.reason in _LEFT_PENDING]
    kept = [(change.key, change.before) for change in alone if change.before is not None]
    maintained = [(key, row) for key, row in kept if options.maintenance.holds(key, row)]
    return [maintenance_finding(maintained, options.today)] if maintained else []


def _outside_hours(options: PlanOptions, changes: list[Change]) -> Iterator[Finding]:
    """Say which apps run outside their hours and are not stopped, and why."""
    outside = [change for change in changes if change.reason in _OUTSIDE and change.action is Action.NONE]
    running = [(change.key, change.before) for change in outside if change.before is not None]
    others = [key for key, row in running if row.status is AppStatus.IN_SERVICE and row.ownership is not Ownership.OURS]
    if others:
        named = listed(others, ORPHANS_NAMED_MAX_COUNT)
        message = (
            f"{count_of(len(others), 'app')} in service outside their hours and not stopped, since no tag of theirs "
            f"shows that this fleet owns them: {named}. apply --adopt takes over what nobody owns"
        )
        yield Finding(HOURS_RULE, _SAID, "", clean(message))
    for change in outside:
        if change.reason is Reason.KEPT and change.before is not None:
            why = why_kept(change.before.keep_until, options.hours.instant)
            yield Finding(HOURS_RULE, _SAID, str(change.key), clean(f"not stopped outside its hours: {why}"))


def _claims(options: PlanOptions, joined: Joined, changes: list[Change], said: set[str]) -> Iterator[Finding]:
    """Say which declared apps another fleet owns, and may prune; what is not wanted, or `said` already, is left out."""
    moving = {change.key for change in changes if change.reason is Reason.FROM_FLEET}
    silent = moving | {change.key for change in changes if change.reason in _UNWANTED}
    by_fleet: dict[str, list[AppKey]] = {}
    for app, row in joined.declared:
        claimed = row is not None and row.ownership is Ownership.FOREIGN and row.status.is_alive
        if row is not None and claimed and app.key not in silent and str(app.key) not in said:
            by_fleet.setdefault(row.foreign_fleet, []).append(app.key)
    for fleet, keys in sorted(by_fleet.items()):
        yield Finding("claimed", _SAID, "", clean(_claimed_message(fleet, sorted(keys), options.request.selectors)))
    if options.request.adopt and options.request.from_fleet and not moving:
        message = (
            f"no declared app that is listed and in service is owned by the fleet {options.request.from_fleet!r}: "
            "all are moved, or that was not its name"
        )
        yield Finding(ADOPTION, _SAID, "", clean(message))


def _claimed_message(fleet: str, keys: list[AppKey], selectors: Selectors) -> str:
    named = listed(keys, ORPHANS_NAMED_MAX_COUNT)
    owns = f"the fleet {fleet!r} owns {count_of(len(keys), 'app')} that this fleet declares: {named}"
    return f"{owns}. {way_to_move(fleet, selectors)}"


def _unlisted_finding(name: str, apps: int, observed: ObservedFleet) -> Finding:
    domain = observed.domains.get(name)
    why = "it was not listed" if domain is None or domain.error is None else str(domain.error).rstrip(".")
    return Finding(LISTING, _SKIPPED, name, of_domain(name, f"{count_of(apps, 'app')} left alone: {why}"))


def _orphans_message(orphans: list[AppKey]) -> str:
    named = listed(orphans, ORPHANS_NAMED_MAX_COUNT)
    return f"{count_of(len(orphans), 'app')} of this fleet no longer declared: {named}"


def _owed_message(owed: list[AppKey]) -> str:
    named = listed(owed, ORPHANS_NAMED_MAX_COUNT)
    return f"{count_of(len(owed), 'app')} deleted by an earlier run to be replaced and not created again yet: {named}"


def _unread_message(keys: list[AppKey]) -> str:
    named = listed(keys, ORPHANS_NAMED_MAX_COUNT)
    return f"{count_of(len(keys), 'app')} not pruned, since it could not be read who owns them: {named}. {READ_TAGS}"


def _twins_message(keys: list[AppKey]) -> str:
    named = listed(keys, ORPHANS_NAMED_MAX_COUNT)
    return (
        f"{count_of(len(keys), 'app')} not pruned, since apps of a user profile and of a space have one ARN: {named}. "
        "If it is not wanted, delete it in the SageMaker console"
    )


def _foreign_message(others: list[tuple[AppKey, str]]) -> str:
    named = listed([f"{key} ({fleet})" for key, fleet in others], ORPHANS_NAMED_MAX_COUNT)
    return f"{count_of(len(others), 'app')} of other fleets left alone: {named}"


def _refusal(change: Change, app: DesiredApp, guard: Guard, selectors: Selectors) -> Finding:
    verb = "adopted" if guard is Guard.ADOPTION else "deleted" if app.mode is Mode.ABSENT else "replaced"
    if guard is Guard.QUOTA:
        why = "its quota has no room for the new app, so the old one would be lost"
        way_out = "Raise the quota, or free a place in it"
    elif guard is Guard.CONVERGENCE:
        why = f"a replace with the same spec did not clear its drift ({_differences(change, app)})"
        way_out = f"Declare what the service reports, or leave the field out. Replace it anyway: --replace {change.key}"
    else:
        row = change.before
        found = UNREAD if row is None else Whose(row.ownership, row.foreign_fleet)
        why, way_out = not_owned(found, verb, change.key, selectors)
    return Finding(guard.value, _SKIPPED, str(change.key), clean(f"not {verb}: {why}. {way_out}"))


def _differences(change: Change, app: DesiredApp) -> str:
    seen = AppSpec() if change.before is None else change.before.spec
    return ", ".join(
        f"{name}: declared {getattr(app.spec, name)}, reported {getattr(seen, name) or 'nothing'}"
        for name in change.differs
    )
