"""What follows from the facts that are known so far: the plan, part by part, each worked out when it is first needed.

A draft that knows more keeps every part that nothing new concerns, so a large fleet is not planned again for an answer
about one profile. Not here: the decisions themselves (`planner`, `owners`, `quota_fit`, `sso`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Final

from engine.core.change import Action
from engine.core.desired import DesiredFleet, DesiredOwner
from engine.core.facts import Facts, Refusal
from engine.core.finding import Finding
from engine.core.freeze import in_freeze
from engine.core.identity import Owner
from engine.core.observed import ObservedFleet, ObservedOwner, Ownership
from engine.core.owner_choice import compared_first, unlike_the_last
from engine.core.owner_quotas import owner_lines
from engine.core.owner_reading import unread_findings
from engine.core.owner_settings import needs_describing
from engine.core.owners import (
    WantedOwners,
    declared_owners,
    domains_with_new_profiles,
    owners_needed,
    with_owners,
)
from engine.core.ownership import WhoseAre
from engine.core.plan import Plan, in_order
from engine.core.plan_options import PlanOptions
from engine.core.planner import Joined, join, needs_ownership, plan_of
from engine.core.quota_fit import NO_FIT, QuotaFit, quota_fit, reserved_fit
from engine.core.reserved import without_unusable
from engine.core.settings import Execution
from engine.core.sso import SignIn, with_sign_in
from engine.core.waves import in_wave, with_activity_reported

# The parts that cost something, with the facts that each rests on.
_RESTS_ON: Final[dict[str, set[str]]] = {
    "joined": {"observed"},
    "unread": {"listed"},
    "apps": {"observed", "tagged"},
    "due": {"observed", "tagged", "training_plans"},
    "able": {"observed", "tagged", "training_plans"},
    "refused": {"observed", "tagged", "training_plans"},
    "fit": {"observed", "tagged", "training_plans", "quotas"},
    "fitted": {"observed", "tagged", "training_plans", "quotas"},
    "needed": {"observed", "tagged", "training_plans", "quotas"},
    "owned": {"observed", "tagged", "training_plans", "quotas", "owners"},
    "declared": set(),
}


@dataclass(frozen=True)
class Draft:
    """A plan of `fleet` as far as `facts` go. `goes_too_far` is what the guardrails say of the plan of its apps.

    `creates_owners`: missing profiles and spaces are made. `updates_owners`: those that differ are updated in place.
    `assigns_users`: the users of new profiles are assigned to their domain's application. `watched` owners are compared
    although nothing is created in them. The users of `unassigned`, which are among them, are still to be assigned.
    `read_rate` is how many calls a second each lane reads with.
    """

    fleet: DesiredFleet
    facts: Facts
    asked: PlanOptions
    goes_too_far: Callable[[Plan, ObservedFleet], bool] = lambda _, __: False
    creates_owners: bool = False
    assigns_users: bool = False
    updates_owners: bool = False
    watched: frozenset[Owner] = frozenset()
    unassigned: frozenset[Owner] = frozenset()
    read_rate: float = Execution().read_rate

    def knowing(self, more: Facts) -> Draft:
        """Return the draft that knows `more`."""
        draft = replace(self, facts=self.facts | more)
        before, now = self.facts, draft.facts
        new = {one.name for one in fields(now) if getattr(before, one.name) is not getattr(now, one.name)}
        new |= {"listed"} if more.observed.domains else set()
        vars(draft).update(
            {part: vars(self)[part] for part, facts in _RESTS_ON.items() if part in vars(self) and not facts & new}
        )
        return draft

    @cached_property
    def joined(self) -> Joined:
        """What is desired beside what is observed."""
        return join(self.fleet, self.facts.observed, self.asked.selectors)

    @cached_property
    def unread(self) -> WhoseAre:
        """The apps whose ownership the listings leave open; `facts.ownership` says which were asked about since."""
        return needs_ownership(self.joined, self.asked)

    @cached_property
    def apps(self) -> Plan:
        """The plan of apps, as if every quota had room and every owner were there."""
        return plan_of(self.joined, self._options)

    @cached_property
    def due(self) -> Plan:
        """The plan of apps without those whose training plan cannot run them; all replaces that are due are in it."""
        return self._without_unusable(self.apps)

    @cached_property
    def able(self) -> Plan:
        """The plan of apps with the replaces of one wave."""
        return self._in_wave(self.due)

    @cached_property
    def refused(self) -> bool:
        """Whether the plan will not run, whatever else is asked."""
        return self.able.denied or self.goes_too_far(self.able, self.facts.observed)

    @cached_property
    def fit(self) -> QuotaFit:
        """How the plan of apps fits the quotas and the training plans, where those were read."""
        return self._fit_of(self.able)

    def _fit_of(self, plan: Plan) -> QuotaFit:
        facts, lanes = self.facts, self.asked.domain_lanes
        fit = quota_fit(plan, facts.observed, lanes, facts.quotas) if facts.quotas else NO_FIT
        read = {arn: found for arn, found in facts.plans_read.items() if found is not None}
        return fit | reserved_fit(plan, lanes, read) if facts.training_plans else fit

    @cached_property
    def fitted(self) -> Plan:
        """The plan of apps with its quotas: a replace is refused where its new bucket is full."""
        fit, able = self.fit, self.able
        if not fit.lines:
            return able
        if any(change.action is Action.DELETE_THEN_CREATE for change in able.changes):
            room = fit.one_more if able.decisions is self.due.decisions else self._fit_of(self.due).one_more
            options = replace(self._options, quotas=fit.lines, bucket_room=room)
            return self._in_wave(self._without_unusable(plan_of(self.joined, options)))
        return replace(able, quotas=in_order(fit.lines))  # room decides about replaces alone

    @cached_property
    def needed(self) -> tuple[Owner, ...]:
        """The declared owners that what is made needs."""
        return owners_needed(self.fitted, self.fleet)

    @cached_property
    def owned(self) -> Plan:
        """The plan with what is done about the owners that were looked at."""
        seen = self.facts.owners_seen
        from_fleet = self.asked.request.from_fleet
        keeping = (self.creates_owners, self.updates_owners, from_fleet)
        wanted = WantedOwners(self.needed, self.watched, *keeping, self.unassigned)
        return with_owners(self.fitted, self.declared, seen, wanted) if seen else self.fitted

    @cached_property
    def declared(self) -> dict[Owner, DesiredOwner]:
        """What the fleet declares of each owner."""
        return declared_owners(self.fleet, self.asked.today)

    @property
    def undescribed(self) -> tuple[Owner, ...]:
        """The owners to be compared of which a listing alone was read, and that declare more than it shows, or failed.

        Of those that creates need, and that no policy updates, only some are compared, others each day.
        """
        needed = self.needed if self.updates_owners else self._compared_first
        return tuple(owner for owner in sorted({*needed, *self.watched}) if self._is_undescribed(owner))

    @property
    def uncompared(self) -> tuple[Owner, ...]:
        """The owners that creates need and that are not compared, so that these need not wait."""
        return () if self.updates_owners else tuple(owner for owner in self.needed if self._is_undescribed(owner))

    def _is_undescribed(self, owner: Owner) -> bool:
        row, declared = self.facts.owners.get(owner), self.declared.get(owner)
        return (
            isinstance(row, ObservedOwner)
            and declared is not None
            and row.settings is None
            and not row.unread_because
            and not row.is_deleting
            and (needs_describing(declared) or (row.is_unwell and owner in self.watched))
        )

    @cached_property
    def _compared_first(self) -> frozenset[Owner]:
        """Those that creates need and that are compared before these: chosen once a listing has shown them."""
        seen, declared = self.facts.owners_seen, self.declared
        there = (owner for owner in self.needed if seen.get(owner) is not None and needs_describing(declared[owner]))
        urgent = unlike_the_last(self.fitted.changes)
        return compared_first(there, urgent, self.asked.domain_lanes, self.read_rate, self.asked.today.toordinal())

    @property
    def unclaimed(self) -> tuple[Owner, ...]:
        """The owners that would be updated, and of which nobody has read yet whose they are."""
        needed = frozenset(self.needed)
        left = self.watched if self.asked.request.from_fleet else self.unassigned
        seen = self.facts.owners_seen
        rows = ((owner, seen.get(owner)) for owner in sorted(left))
        moved = (owner for owner, row in rows if row is not None and _is_open(row))
        differ = (
            change.owner
            for change in self.owned.owner_drift
            if (self.updates_owners or (change.owner in needed and any(one.is_default for one in change.differs)))
            and change.before is not None
            and _is_open(change.before)
            and any(one.can_be_updated for one in change.differs)
        )
        return tuple(dict.fromkeys((*differ, *moved)))

    @property
    def plan(self) -> Plan:
        """The whole plan. It is complete when everything was listed, and answered, that it rests on."""
        made, facts = self.owned, self.facts
        if domains := domains_with_new_profiles(made):
            modes, applications = facts.auth_modes, facts.applications
            told = {name: SignIn(modes.get(name, ""), applications.get(name)) for name in domains}
            made = with_sign_in(made, told, self.unassigned)
        if made.quotas and made.decisions is not self.fitted.decisions:  # what is skipped wants no place
            made = replace(made, quotas=in_order(self._fit_of(made).lines))
        if lines := owner_lines(made, self.asked.domain_lanes, facts.owner_rooms) if facts.owner_rooms else ():
            made = replace(made, quotas=in_order((*made.quotas, *lines)))
        complete = made.complete and not self.refusal and facts.residents_known
        findings = {*made.findings, *facts.findings, *self._unread_owners}
        return replace(made, complete=complete, findings=tuple(sorted(findings)))

    @property
    def _unread_owners(self) -> tuple[Finding, ...]:
        """What is said of owners to be compared that could not be read, where their domain could be listed."""
        domains = self.facts.observed.domains
        listed = {name for name, domain in domains.items() if domain.error is None}
        owners = (owner for owner in {*self.needed, *self.watched} if owner.domain in listed)
        meant = self.updates_owners or self.asked.request.from_fleet != ""
        return unread_findings(owners, self.facts.owners, meant=meant)

    def _without_unusable(self, plan: Plan) -> Plan:
        return without_unusable(plan, self.facts.plans_read, self.asked.domain_lanes, self.asked.now)

    def _in_wave(self, plan: Plan) -> Plan:
        return with_activity_reported(in_wave(in_freeze(plan, self.asked), self.asked), self.asked)

    @property
    def not_to_assign(self) -> tuple[Owner, ...]:
        """Those whose users are not to be assigned any more: they are gone, or not this fleet's."""
        seen = self.facts.owners_seen
        others = (Ownership.NOBODY, Ownership.FOREIGN)
        rows = ((owner, seen[owner]) for owner in sorted(self.unassigned & seen.keys()))
        return tuple(owner for owner, row in rows if row is None or row.ownership in others)

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing is pruned that would be, None where nothing speaks against it."""
        return self.facts.refusal(self.fleet.name)

    @property
    def _options(self) -> PlanOptions:
        return replace(self.asked, prune_refusal=str(self.refusal)) if self.refusal else self.asked


def _is_open(row: ObservedOwner) -> bool:
    return row.ownership is Ownership.UNREAD and not row.unread_because and not row.is_deleting
