"""The planner's laws: what holds for every fleet, every listing and every option."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.core.calendars import Calendar
from engine.core.change import Action, Reason
from engine.core.desired import AppSpec, DesiredApp, DesiredFleet
from engine.core.drift import differing_fields
from engine.core.freeze import in_freeze
from engine.core.identity import USER, Owner, folded
from engine.core.observed import AppStatus, ObservedApp, ObservedDomain, ObservedFleet, Ownership, newest_by_key
from engine.core.plan_json import plan_from_json
from engine.core.planner import join, needs_ownership, plan_fleet
from engine.core.stages import ordered_steps
from engine.core.windows import parse_freeze
from tests.fleets import SOURCE, a_fleet, a_row
from tests.projection import projected
from tests.property.strategies import (
    desired_fleets,
    listed_specs,
    observed_fleets,
    plan_options,
    shuffled,
    without_what_asks_anew,
)

if TYPE_CHECKING:
    from engine.core.plan import Plan
    from engine.core.plan_options import PlanOptions

IN_SERVICE = AppStatus.IN_SERVICE
# The plans are of 2026-11-24T01:00:00Z.
NOW_FROZEN, LATER_FROZEN = (
    Calendar((parse_freeze(days),), ZoneInfo("UTC"), "UTC")
    for days in ("2026-11-23/2026-11-24", "2026-11-25/2026-11-30")
)
DESTRUCTIVE = (Action.DELETE, Action.DELETE_THEN_CREATE)

given_all = given(desired_fleets(), observed_fleets(), plan_options())


@given(desired_fleets(), observed_fleets(), plan_options(), st.integers())
def test_order_of_file_and_listing_does_not_matter(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions, seed: int
) -> None:
    order = Random(seed)
    apps = tuple(sorted(desired.apps, key=lambda _: order.random()))
    mixed = replace(desired, apps=apps, domains=desired.domains[::-1], inputs=desired.inputs[::-1])

    one = plan_fleet(desired, observed, options)
    other = plan_fleet(mixed, shuffled(observed, order), options)

    assert other == one
    assert other.fingerprint == one.fingerprint
    assert json.dumps(other.to_json()) == json.dumps(one.to_json())
    here, there = (join(*one, options.selectors) for one in ((desired, observed), (mixed, shuffled(observed, order))))
    assert needs_ownership(there, options) == needs_ownership(here, options)


@given(observed_fleets(), plan_options())
def test_a_state_against_itself_plans_nothing(observed: ObservedFleet, options: PlanOptions) -> None:
    """A fleet that declares what is in service, as it is, has nothing to do, unless something is forced."""
    world = ObservedFleet(
        {
            name: replace(domain, apps={row.key: row for row in domain.apps.values() if row.status is IN_SERVICE})
            for name, domain in observed.domains.items()
        }
    )
    rows = [row for domain in world.domains.values() for row in domain.apps.values()]
    fleet = a_fleet(*(DesiredApp(row.key, row.spec, SOURCE) for row in rows))

    plan = plan_fleet(fleet, world, without_what_asks_anew(options))

    assert plan.changes == ()
    assert plan.drift == ()


@given_all
def test_planning_again_after_the_plan_ran_plans_nothing(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)

    again = plan_fleet(desired, projected(observed, plan), without_what_asks_anew(options))

    assert again.changes == ()


@given_all
def test_at_most_one_decision_a_key_and_all_sorted(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)

    decided = [change.key for change in plan.decisions]
    assert decided == sorted(set(decided))
    assert {change.key for change in plan.changes} <= set(decided)
    assert [step.rank for step in ordered_steps(plan)] == list(range(len(plan.changes)))


@given_all
def test_every_selected_declared_app_is_decided_and_nothing_unselected_is(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)

    declared = {app.key for app in desired.apps}
    selected = {app.key for app in desired.apps if options.selectors.selects(app)}
    assert {change.key for change in plan.decisions if change.after is not None} == selected
    for change in plan.decisions:
        if change.after is None:
            assert change.key not in declared
            assert options.selectors.selects_observed(change.key)


@given_all
def test_nothing_is_deleted_or_replaced_without_ownership(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    """The one exception is a declared absence that names the key, and never what another fleet owns."""
    for change in plan_fleet(desired, observed, options).changes:
        if change.action not in DESTRUCTIVE:
            continue
        assert change.before is not None
        if change.before.ownership is not Ownership.OURS:
            assert change.reason is Reason.DECLARED_ABSENT
            assert change.key in options.allow_destructive
            assert change.before.ownership is not Ownership.FOREIGN


@given_all
def test_only_live_apps_of_known_status_are_deleted(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    """Row 17."""
    for change in plan_fleet(desired, observed, options).changes:
        if change.action in DESTRUCTIVE:
            assert change.before is not None
            assert change.before.status in (AppStatus.PENDING, AppStatus.IN_SERVICE)
        if change.action is Action.DELETE_THEN_CREATE:
            assert change.before is not None
            assert change.before.status is AppStatus.IN_SERVICE


@given_all
def test_no_alive_key_is_created(desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions) -> None:
    """Deleting is the one living status that a create follows: after it has settled."""
    alive = {
        folded(row.key): row.status
        for domain in observed.domains.values()
        for row in domain.apps.values()
        if row.status.is_alive
    }
    for change in plan_fleet(desired, observed, options).changes:
        if change.action is Action.CREATE:
            status = AppStatus.DELETED if change.before is None else change.before.status
            assert not status.is_alive or (status is AppStatus.DELETING and change.reason is Reason.DELETING)
            if change.key.owner_kind == "space":
                assert alive.get(change.key, status) is status


@given_all
def test_replaced_only_where_a_declared_field_differs_or_the_key_is_forced(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    for change in plan_fleet(desired, observed, options).changes:
        if change.action is Action.DELETE_THEN_CREATE:
            assert change.after is not None
            assert change.before is not None
            if change.key in options.request.replace_keys:
                assert change.reason is Reason.FORCED
            else:
                assert options.request.replace_on_drift or options.safety.replace_on_drift
                assert change.differs == differing_fields(change.after, change.before.spec) != ()


@given_all
def test_undeclared_apps_are_deleted_only_by_prune(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    declared = {folded(app.key) for app in desired.apps}
    refused = desired.prune_refusal or options.prune_refusal
    for change in plan_fleet(desired, observed, options).changes:
        if folded(change.key) not in declared:
            assert change.action is Action.DELETE
            assert options.request.prune or options.safety.prune
            assert not refused


@given_all
def test_a_domain_that_was_not_listed_is_left_alone(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    """Row 37."""
    plan = plan_fleet(desired, observed, options)

    for change in plan.decisions:
        domain = observed.domains.get(change.key.domain)
        unlisted = domain is None or domain.error is not None
        assert (change.reason is Reason.DOMAIN_UNLISTED) is unlisted
        if unlisted:
            assert change.action is Action.NONE
            assert not plan.complete


@given_all
def test_denied_and_quarantined_apps_are_never_made(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    for change in plan_fleet(desired, observed, options).changes:
        if change.action is not Action.DELETE:
            assert change.key not in options.denied_keys
            assert options.request.retry_quarantined or change.key not in options.quarantined


@given(
    desired_fleets(),
    observed_fleets(),
    plan_options(),
    st.sampled_from((Ownership.OURS, Ownership.FOREIGN, Ownership.NOBODY)),
)
def test_ownership_that_need_not_be_read_changes_nothing_that_is_done(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions, whose: Ownership
) -> None:
    """needs_ownership and the planner never disagree: whosever the unread rest is, the plan is the same."""
    needed = set(needs_ownership(join(desired, observed, options.selectors), options).decisive)
    revealed = ObservedFleet(
        {
            name: replace(
                domain,
                apps={key: row if key in needed else _revealed(row, whose) for key, row in domain.apps.items()},
            )
            for name, domain in observed.domains.items()
        }
    )

    done = _done(plan_fleet(desired, observed, options))
    assert _done(plan_fleet(desired, revealed, options)) == done
    by_key = {row.key: row for domain in observed.domains.values() for row in domain.apps.values()}
    for key in needed:
        assert by_key[key].ownership is Ownership.UNREAD
        assert by_key[key].status.is_alive


def _revealed(row: ObservedApp, whose: Ownership) -> ObservedApp:
    if row.ownership is Ownership.UNREAD and row.status.is_alive:
        return replace(row, ownership=whose)
    return row


def _done(plan: Plan) -> list[tuple[object, ...]]:
    return [(change.key, change.action) for change in plan.changes]


@given_all
def test_json_round_trip_keeps_the_document_and_the_fingerprint(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)
    document = plan.to_json()

    read = plan_from_json(json.loads(json.dumps(document)))

    assert read.fingerprint == plan.fingerprint
    assert read.to_json() == document
    assert _done(read) == _done(plan)
    assert read.applyable is plan.applyable


@given_all
def test_fingerprint_depends_on_what_is_done_and_on_the_inputs_alone(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)

    assert replace(plan, made_at="2027-01-01T00:00:00Z", findings=(), unmanaged=99).fingerprint == plan.fingerprint
    assert replace(plan, inputs=(("fleet.toml", "c" * 64),)).fingerprint != plan.fingerprint
    if plan.changes:
        assert replace(plan, decisions=plan.decisions[:0]).fingerprint != plan.fingerprint


@given_all
def test_the_summary_counts_every_decision_of_a_declared_app_once(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)

    counted = plan.summary
    undeclared = [change for change in plan.decisions if change.after is None]
    assert sum(counted.values()) - plan.unmanaged == len(plan.decisions) - len(
        [change for change in undeclared if change.action is Action.NONE]
    )


@given(st.lists(st.tuples(st.sampled_from(AppStatus), st.sampled_from((1.0, 2.0)), listed_specs)), st.integers())
def test_newest_by_key_is_a_live_row_then_the_newest_in_any_order(
    drawn: list[tuple[AppStatus, float, AppSpec]], seed: int
) -> None:
    rows = [replace(a_row(), status=status, created_at=at, spec=spec) for status, at, spec in drawn]
    kept = newest_by_key(rows)

    order = Random(seed)
    assert newest_by_key(sorted(rows, key=lambda _: order.random())) == kept
    assert newest_by_key(reversed(rows)) == kept
    for row in rows:
        winner = kept[row.key]
        assert (winner.status.is_alive, winner.created_at) >= (row.status.is_alive, row.created_at)


@given(desired_fleets(), observed_fleets(), plan_options())
def test_a_filtered_listing_shows_all_that_the_plan_can_speak_of(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    """Listing only the owners that the selectors name gives the plan of the whole listing."""
    named = {
        domain.name: options.selectors.owners_to_list(desired, domain.name, domain_pages=100)
        for domain in desired.domains
    }
    partial = ObservedFleet({name: _only(domain, named[name]) for name, domain in observed.domains.items()})

    whole_plan = plan_fleet(desired, observed, options)
    plan = plan_fleet(desired, partial, options)

    assert plan.fingerprint == whole_plan.fingerprint
    assert plan.unmanaged == whole_plan.unmanaged


def _only(domain: ObservedDomain, owners: tuple[Owner, ...] | None) -> ObservedDomain:
    """Keep the rows of `owners`, as a service that takes user names in any case does."""
    if owners is None:
        return domain
    wanted = {_folded_owner(owner) for owner in owners}
    rows = {key: row for key, row in domain.apps.items() if _folded_owner(key.owner_key) in wanted}
    return replace(domain, apps=rows, scanned_whole=False)


def _folded_owner(owner: Owner) -> Owner:
    return owner._replace(name=owner.name.casefold()) if owner.kind == USER else owner


@given_all
def test_hours_stop_what_is_owned_and_in_service_and_nothing_else(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)
    for change in plan.changes:
        outside = change.after is not None and options.hours.is_outside(change.after.hours)
        assert change.reason is not Reason.OUTSIDE_HOURS or outside
        if outside and change.reason not in (Reason.EXPIRED, Reason.DECLARED_ABSENT):
            assert change.action is Action.DELETE
            assert change.before is not None
            assert (change.before.ownership, change.before.status) == (Ownership.OURS, IN_SERVICE)
            assert change.before.keep_until in ("", "2026-11-24T00:30:00Z")


@given_all
def test_inside_their_hours_apps_are_planned_as_if_they_had_none(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    inside = replace(options, hours=replace(options.hours, closed=frozenset()))
    without = replace(desired, apps=tuple(replace(app, hours=None) for app in desired.apps))
    plan, plain = plan_fleet(desired, observed, inside), plan_fleet(without, observed, inside)
    assert plan.fingerprint == plain.fingerprint
    assert [(one.key, one.action, one.reason, one.differs) for one in plan.decisions] == [
        (one.key, one.action, one.reason, one.differs) for one in plain.decisions
    ]
    assert plan.findings == plain.findings


@given_all
def test_a_freeze_holds_all_that_destroys_and_nothing_else(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)
    frozen = in_freeze(plan, replace(options, safety=replace(options.safety, freeze=(NOW_FROZEN, LATER_FROZEN))))
    assert not any(change.action in DESTRUCTIVE for change in frozen.changes)
    for before, after in zip(plan.decisions, frozen.decisions, strict=True):
        if before.action in DESTRUCTIVE:
            assert after == replace(before, action=Action.NONE, reason=Reason.FROZEN)
        else:
            assert after == before
    assert (frozen.owners, frozen.quotas, frozen.denied) == (plan.owners, plan.quotas, plan.denied)


@given_all
def test_outside_a_freeze_the_plan_is_the_one_without_it(
    desired: DesiredFleet, observed: ObservedFleet, options: PlanOptions
) -> None:
    plan = plan_fleet(desired, observed, options)
    assert in_freeze(plan, replace(options, safety=replace(options.safety, freeze=(LATER_FROZEN,)))) == plan
