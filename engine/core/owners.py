"""User profiles and spaces: what was observed of them, and what a plan does about those that its creates need.

A profile or space that the fleet declares and that is not there can be made before its apps. It is never replaced, and
apply never deletes one. Not here: what is asked of the service (`executor.owner_scan`), and letting a team go
(`offboarding`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from engine.core.change import MAKING, Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.desired import DesiredFleet, DesiredOwner, holder_of
from engine.core.finding import Finding
from engine.core.identity import SPACE, USER, Owner, owner_word
from engine.core.observed import ObservedOwner
from engine.core.plan import Plan
from engine.core.text import clean, count_of

SSO_MODE: Final = "SSO"


def owners_needed(plan: Plan, fleet: DesiredFleet) -> tuple[Owner, ...]:
    """Name the declared owners that the creates of `plan` need, sorted; none when it creates nothing."""
    wanted = {change.key.owner_key for change in plan.changes if change.action in MAKING}
    if not wanted:
        return ()
    return tuple(sorted(wanted & {declared.owner for declared in fleet.owners}))


def holders_needed(fleet: DesiredFleet, seen: Mapping[Owner, ObservedOwner | None]) -> tuple[Owner, ...]:
    """Name the user profiles that own the spaces which `seen` shows to be missing, sorted, without those seen."""
    missing = {
        holder
        for declared in fleet.owners
        if declared.owner in seen
        and _must_be_made(seen[declared.owner])
        and (holder := holder_of(declared)) is not None
        and holder not in seen
    }
    return tuple(sorted(missing))


def with_owners(plan: Plan, fleet: DesiredFleet, seen: Mapping[Owner, ObservedOwner | None], *, create: bool) -> Plan:
    """Return `plan` with what is done about the owners that its creates need.

    `seen` holds what was looked at, None for what is not there; an owner that is not in it could not be looked at, and
    its apps are left to the service's own answer. With `create` what is missing is made first. Without it, and where
    the owner has failed, the apps in it are skipped, with a finding for each owner.
    """
    made = _Owners(fleet, seen, create=create)
    needed = [key for key in owners_needed(plan, fleet) if key in seen]
    for owner in needed:
        made.look(owner)
    if not made.blocked and not made.changes:
        return plan
    skipped: defaultdict[Owner, int] = defaultdict(int)
    decisions: list[Change] = []
    for change in plan.decisions:
        owner = change.key.owner_key
        if change.action in MAKING and owner in made.blocked:
            skipped[owner] += 1
            decisions.append(replace(change, action=Action.NONE, reason=Reason.OWNER_MISSING))
        else:
            decisions.append(change)
    findings = [
        Finding("owners", "skip", str(owner), clean(f"{why}; {_apps(skipped[owner])} skipped. {way_out}"))
        for owner, (why, way_out) in made.blocked.items()
        if skipped[owner]
    ]
    return replace(
        plan,
        decisions=tuple(decisions),
        owners=tuple(sorted(made.changes.values(), key=owner_order)),
        findings=tuple(sorted({*plan.findings, *findings})),
    )


def owner_order(change: OwnerChange) -> tuple[str, bool, str]:
    """Return the place of an owner among others: by domain, profiles before spaces, by name."""
    return (change.owner.domain, change.owner.kind == SPACE, change.owner.name)


class _Owners:
    """The decisions about owners, each made once. `blocked` maps those that apps cannot have to (why, way out)."""

    def __init__(self, fleet: DesiredFleet, seen: Mapping[Owner, ObservedOwner | None], *, create: bool) -> None:
        self._declared = {declared.owner: declared for declared in fleet.owners}
        self._seen = seen
        self._create = create
        self.changes: dict[Owner, OwnerChange] = {}
        self.blocked: dict[Owner, tuple[str, str]] = {}

    def look(self, owner: Owner) -> None:
        """Decide about one owner, and first about the profile that a space to be made belongs to."""
        row = self._seen[owner]
        declared = self._declared[owner]
        if row is not None and row.has_failed:
            self.blocked[owner] = (
                f"{owner_word(owner)} has Failed, and appfleet never replaces one",
                "Look at it in the console; once it is deleted the next run makes it"
                if self._create
                else "Look at it in the console",
            )
        elif row is not None and not row.is_deleting and (other := _what_differs(declared, row)):
            self.blocked[owner] = other
        elif row is not None and row.is_passing:
            self.changes[owner] = OwnerChange(owner, Action.NONE, OwnerReason.PENDING, row, declared)
        elif _must_be_made(row):
            self._make(declared, row)

    def _make(self, declared: DesiredOwner, row: ObservedOwner | None) -> None:
        owner = declared.owner
        if not self._create:
            self.blocked[owner] = (
                f"{owner_word(owner)} is {'being deleted' if row is not None else 'not there'}",
                "Make it, or set [owners] create = true in a policy so that appfleet makes it",
            )
            return
        holder = holder_of(declared)
        if holder is not None and holder in self._declared and holder in self._seen:
            if holder not in self.changes and holder not in self.blocked:
                self.look(holder)
            if holder in self.blocked:
                why, way_out = self.blocked[holder]
                self.blocked[owner] = (f"{owner_word(owner)} is not there, and {why}", way_out)
                return
        reason = OwnerReason.ABSENT if row is None else OwnerReason.DELETING
        self.changes[owner] = OwnerChange(owner, Action.CREATE, reason, row, declared)


def _what_differs(declared: DesiredOwner, row: ObservedOwner) -> tuple[str, str] | None:
    """Return why a space is not the one that is declared, and the way out; None where it is.

    An app in somebody else's space is that person's, and a space takes apps of its one type alone.
    """
    space = owner_word(declared.owner)
    wanted_user, wanted_type = declared.owner_user, declared.app_type
    if wanted_user and row.owner_user and row.owner_user.casefold() != wanted_user.casefold():
        return (
            f"{space} belongs to {row.owner_user}, and the fleet declares it as {wanted_user}'s",
            f"Choose another name for the space, or declare owner = {json.dumps(row.owner_user)}",
        )
    if wanted_type and row.app_type and row.app_type != wanted_type:
        return (
            f"{space} is a space for {row.app_type}, and the fleet declares {wanted_type} in it",
            "Choose another name for the space, or declare an app of its type",
        )
    return None


def _must_be_made(row: ObservedOwner | None) -> bool:
    return row is None or row.is_deleting


def domains_with_new_profiles(plan: Plan) -> tuple[str, ...]:
    """Name the domains in which the plan makes user profiles, sorted."""
    return tuple(sorted({change.owner.domain for change in new_profiles(plan.owners)}))


def with_sso_warning(plan: Plan, domain: str, auth_mode: str) -> Plan:
    """Add what a reader must know about profiles that are made in a domain of this AuthMode."""
    profiles = sum(1 for change in new_profiles(plan.owners) if change.owner.domain == domain)
    if auth_mode != SSO_MODE or not profiles:
        return plan
    made = count_of(profiles, "user profile")
    finding = Finding(
        "sso",
        "advisory",
        "",
        clean(
            f"domain {domain} signs people in through IAM Identity Center (AuthMode SSO), and {made} will be made: a "
            "profile that the API makes is not assigned to the domain's application there, so its user is answered "
            "Access Denied until an administrator assigns that user or a group in IAM Identity Center, or "
            "[owners] assign = true in a policy lets appfleet assign the users of the profiles that it makes"
        ),
    )
    return replace(plan, findings=tuple(sorted({*plan.findings, finding})))


def new_profiles(changes: Iterable[OwnerChange]) -> Iterable[OwnerChange]:
    """Return those of the changes that make a user profile."""
    return (change for change in changes if change.action is Action.CREATE and change.owner.kind == USER)


def _apps(count: int) -> str:
    return count_of(count, "app that needs it is", "apps that need it are")
