"""User profiles and spaces: what was observed of them, and what a plan does about those that its creates need.

A profile or space that the fleet declares and that is missing can be created before its apps; one that is not as
declared is updated in place, or reported. It is never replaced, and apply never deletes one. Not here: what is asked of
the service (`executor.owner_scan`), and letting a team go (`offboarding`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Protocol

from engine.core.change import MAKING, Action, Change, OwnerChange, OwnerReason, Reason
from engine.core.counted import owners_counted
from engine.core.desired import DesiredFleet, DesiredOwner, Mode, holder_of
from engine.core.finding import ADOPTION, OWNERS, SKIP, UNCOMPARED, Finding
from engine.core.identity import SPACE, USER, Owner, owner_word
from engine.core.observed import ObservedOwner, Ownership
from engine.core.owner_settings import APP_SETTINGS, EBS_GB, Difference, default_alone, differences
from engine.core.owner_tagging import tag_findings
from engine.core.ownership import MANAGED_TAG, Whose, why_not_ours
from engine.core.plan import Plan
from engine.core.selectors import Selectors
from engine.core.text import clean, count_of

SSO_MODE: Final = "SSO"
_DETAILS: Final = "appfleet status --owners"
_READ_TAGS: Final = "Run again; if it stays so, allow the caller sagemaker:ListTags"
NO_CALL: Final = {
    USER: "Declare what exists, or delete it with all that is in it so that a run creates it again",
    SPACE: "Declare what exists, or delete it so that a run creates it again. Deleting a space deletes its volume",
}


class HasOwner(Protocol):
    """Anything that is about one owner."""

    @property
    def owner(self) -> Owner:
        """The owner."""


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


def declared_owners(fleet: DesiredFleet, today: date) -> dict[Owner, DesiredOwner]:
    """Return what the fleet declares of each owner; a space has its one app's spec as its default."""
    declared = {one.owner: one for one in fleet.owners}
    for app in fleet.apps:
        one = declared.get(app.key.owner_key)
        if one is None or one.app_type != app.key.app_type or app.key.app_type not in APP_SETTINGS:
            continue
        if app.mode is not Mode.ABSENT and not app.is_expired(today):
            declared[one.owner] = replace(one, default=app.spec)
    return declared


def with_owners(
    plan: Plan,
    declared: Mapping[Owner, DesiredOwner],
    seen: Mapping[Owner, ObservedOwner | None],
    wanted: WantedOwners,
) -> Plan:
    """Return `plan` with what is done about the owners that its creates need, and about those that are compared.

    `seen` holds what was looked at, None for what is missing; an owner that is not in it could not be looked at, and
    its apps are left to the service's own answer. What is missing is created first, or the apps in it are skipped, with
    a finding for each owner.
    """
    made = _Owners(declared, seen, wanted)
    for owner in wanted.needed:
        if owner in seen:
            made.look(owner)
    for owner in sorted(wanted.watched - set(wanted.needed)):
        if owner in seen and owner in declared:
            made.compare(owner)
    made.assign(wanted.unassigned)
    others = [row for owner in made.held if (row := seen[owner]) is not None and row.ownership is not Ownership.OURS]
    if not (made.blocked or made.changes or made.drift or made.held):
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
        Finding(OWNERS, "skip", str(owner), clean(f"{why}; {_apps(skipped[owner])} skipped. {way_out}"))
        for owner, (why, way_out) in made.blocked.items()
        if skipped[owner]
    ]
    findings += [
        Finding(UNCOMPARED, SKIP, str(owner), clean(f"{why}. {way_out}"))
        if made.is_unread(owner)
        else Finding(OWNERS, "advisory", str(owner), clean(f"{why}. {way_out}"))
        for owner, (why, way_out) in (*made.blocked.items(), *made.held.items())
        if not skipped[owner] and (owner in made.held or owner in wanted.watched)
    ]
    findings += tag_findings(others, plan.fleet, Selectors.from_pairs(plan.selectors))
    moves = any(change.action is Action.ADOPT for change in made.changes.values())
    said = (one for one in plan.findings if not (moves and one.rule == ADOPTION and not one.key))
    return replace(
        plan,
        decisions=tuple(decisions),
        owners=tuple(sorted(made.changes.values(), key=owner_order)),
        owner_drift=tuple(sorted(made.drift.values(), key=owner_order)),
        findings=tuple(sorted({*said, *findings})),
    )


def owner_order(change: HasOwner) -> tuple[str, bool, str]:
    """Return the place of an owner among others: by domain, profiles before spaces, by name."""
    return (change.owner.domain, change.owner.kind == SPACE, change.owner.name)


@dataclass(frozen=True, slots=True)
class WantedOwners:
    """Which owners a plan speaks of: those that its creates need, and those that are only compared.

    `create` and `update` say whether a policy lets appfleet make and change them. Those watched that the fleet
    `from_fleet` manages move to this one, as its apps do. `unassigned` are those whose users an earlier run did not
    come to assign.
    """

    needed: tuple[Owner, ...] = ()
    watched: frozenset[Owner] = frozenset()
    create: bool = False
    update: bool = False
    from_fleet: str = ""
    unassigned: frozenset[Owner] = frozenset()

    def moves(self, row: ObservedOwner) -> bool:
        """Whether the fleet whose apps move manages an owner, so that it moves too."""
        return row.ownership is Ownership.FOREIGN and row.managed_by == self.from_fleet and self.from_fleet != ""


class _Owners:
    """The decisions about owners, each made once.

    `blocked` maps those that apps cannot have to (why, way out), and `held` those that are not updated.
    """

    def __init__(
        self,
        declared: Mapping[Owner, DesiredOwner],
        seen: Mapping[Owner, ObservedOwner | None],
        wanted: WantedOwners,
    ) -> None:
        self._declared = declared
        self._seen = seen
        self._needed = frozenset(wanted.needed)
        self._wanted = wanted
        self.changes: dict[Owner, OwnerChange] = {}
        self.drift: dict[Owner, OwnerChange] = {}
        self.blocked: dict[Owner, tuple[str, str]] = {}
        self.held: dict[Owner, tuple[str, str]] = {}

    def is_unread(self, owner: Owner) -> bool:
        """Whether an owner is not updated because nobody could read whose it is."""
        row = self._seen[owner]
        return owner in self.held and row is not None and bool(row.unread_because)

    def look(self, owner: Owner) -> None:
        """Decide about an owner that creates need, and first about the profile that a space to be made belongs to."""
        row = self._seen[owner]
        if row is not None and row.has_failed:
            self.blocked[owner] = (
                f"{owner_word(owner)} is Failed, and appfleet never replaces it",
                "Look at it in the console; once it is deleted, the next run creates it"
                if self._wanted.create
                else "Look at it in the console",
            )
        elif _must_be_made(row):
            self._make(self._declared[owner], row)
        else:
            self.compare(owner)
            if row is not None and row.is_passing and owner not in self.blocked:
                declared = self._declared[owner]
                self.changes[owner] = OwnerChange(owner, Action.NONE, OwnerReason.PENDING, row, declared)

    def compare(self, owner: Owner) -> None:
        """Decide about what is there and is not as declared; what is changing is compared by a later run."""
        row, declared = self._seen[owner], self._declared[owner]
        if row is None or row.is_deleting or row.has_failed:
            return
        if (other := not_the_declared(declared, row)) is not None:
            self.blocked[owner] = other
            return
        self._move(declared, row)
        found = () if row.is_passing else differences(declared, row)
        if not self._wanted.update:
            found = self._without_default(owner, declared, row, found)
        if not found:
            return
        change = OwnerChange(owner, Action.UPDATE, OwnerReason.OWNER_DRIFT, row, declared, differs=found)
        updates = self._wanted.update and bool(change.updates)
        if updates and row.ownership is Ownership.OURS:
            self.changes[owner] = change
        if updates and owner in self.changes:  # the next comparison updates what moves now
            return
        self.drift[owner] = replace(change, action=Action.NONE)
        if updates:
            self.held[owner] = not_ours(row)
        elif not change.updates:
            self.held[owner] = _not_updatable(change)

    def _move(self, declared: DesiredOwner, row: ObservedOwner) -> None:
        """Take over what another fleet manages and moves to this one; say so where nobody can tell."""
        if self._wanted.moves(row):
            self.changes[declared.owner] = OwnerChange(
                declared.owner, Action.ADOPT, OwnerReason.FROM_FLEET, row, declared
            )
        elif self._wanted.from_fleet and row.unread_because:
            self.held[declared.owner] = not_ours(row)

    def assign(self, unassigned: Iterable[Owner]) -> None:
        """Plan the assignment of users whose profiles stand there, made by a run that did not come to it."""
        for owner in unassigned:
            row, declared = self._seen.get(owner), self._declared.get(owner)
            if row is None or declared is None or row.has_failed or row.is_deleting or owner in self.changes:
                continue
            if row.ownership is Ownership.OURS and row.sso_identity:
                after = replace(declared, sso_identity=row.sso_identity, sso_is_guessed=False)
                self.changes[owner] = OwnerChange(owner, Action.NONE, OwnerReason.UNASSIGNED, row, after)

    def _without_default(
        self, owner: Owner, declared: DesiredOwner, row: ObservedOwner, found: tuple[Difference, ...]
    ) -> tuple[Difference, ...]:
        """Return what is only reported where no policy lets appfleet update: no default before its app.

        Setting that default is part of making the app, so that a start from Studio makes the same one. Whose the space
        is may still have to be read.
        """
        if owner not in self._needed or not any(one.is_other_default for one in found):
            return tuple(one for one in found if not one.is_unset_default)
        if row.ownership is Ownership.OURS:
            alone = default_alone(declared)
            follows = differences(alone, row)
            self.changes[owner] = OwnerChange(
                owner, Action.UPDATE, OwnerReason.OWNER_DRIFT, row, alone, differs=follows
            )
            return tuple(one for one in found if one not in follows)
        return tuple(one for one in found if not one.is_unset_default)

    def _make(self, declared: DesiredOwner, row: ObservedOwner | None) -> None:
        owner = declared.owner
        if not self._wanted.create:
            self.blocked[owner] = (
                f"{owner_word(owner)} is {'being deleted' if row is not None else 'missing'}",
                "Create it, or set [owners] create = true in a policy so that appfleet creates it",
            )
            return
        holder = holder_of(declared)
        if holder is not None and holder in self._declared and holder in self._seen:
            if holder not in self.changes and holder not in self.blocked:
                self.look(holder)
            if holder in self.blocked:
                why, way_out = self.blocked[holder]
                self.blocked[owner] = (f"{owner_word(owner)} is missing, and {why}", way_out)
                return
        reason = OwnerReason.ABSENT if row is None else OwnerReason.DELETING
        self.changes[owner] = OwnerChange(owner, Action.CREATE, reason, row, declared)


def is_anothers(declared: DesiredOwner, row: ObservedOwner) -> bool:
    """Whether a space belongs to another user than the fleet says; the service takes a name in any case."""
    wanted = declared.owner_user
    return bool(wanted and row.owner_user and row.owner_user.casefold() != wanted.casefold())


def not_the_declared(declared: DesiredOwner, row: ObservedOwner) -> tuple[str, str] | None:
    """Return why a space is not the one that is declared, and the way out; None where it is.

    An app in somebody else's space is that person's, and a space takes apps of its one type alone.
    """
    space = owner_word(declared.owner)
    wanted_type = declared.app_type
    if is_anothers(declared, row):
        return (
            f"{space} belongs to {row.owner_user}, and the fleet declares it as {declared.owner_user}'s",
            f"Choose another name for the space, or declare owner = {json.dumps(row.owner_user)}",
        )
    if wanted_type and row.app_type and row.app_type != wanted_type:
        return (
            f"{space} is a space for {row.app_type}, and the fleet declares {wanted_type} in it",
            "Choose another name for the space, or declare an app of its type",
        )
    return None


def not_ours(row: ObservedOwner) -> tuple[str, str]:
    """Return why a profile or space is not updated, and the way out."""
    word = owner_word(row.owner)
    if row.unread_because:
        return f"{word} is not updated: its tags could not be read ({row.unread_because})", _READ_TAGS
    why = why_not_ours(MANAGED_TAG, Whose(row.ownership, row.managed_by))
    return f"{word} is not updated: {why}", f"Change it by hand, or let this fleet manage it by its tag {MANAGED_TAG}"


def _not_updatable(change: OwnerChange) -> tuple[str, str]:
    """Return why no update takes a difference away, and the way out."""
    said = ", ".join(f"{one.field}: declared {one.declared}, observed {one.observed}" for one in change.differs)
    why = "a volume never shrinks" if {one.field for one in change.differs} == {EBS_GB} else "no API call changes it"
    return f"{owner_word(change.owner)} is not as declared, and {why} ({said})", NO_CALL[change.owner.kind]


def _must_be_made(row: ObservedOwner | None) -> bool:
    return row is None or row.is_deleting


def drift_notes(plan: Plan) -> tuple[str, ...]:
    """Return what a run says of owners that differ and that nothing updates; a finding says it of all others."""
    if plan.denied or not (owners := [change.owner for change in unexplained_drift(plan)]):
        return ()
    differ = f"{owners_counted(owners)} {'differs' if len(owners) == 1 else 'differ'}"
    return (f"{differ} from the fleet file. [owners] update is off, so nothing is changed. Details: {_DETAILS}",)


def unexplained_drift(plan: Plan) -> tuple[OwnerChange, ...]:
    """Return the owners that differ and of which no finding says why they are not updated."""
    explained = {finding.key for finding in plan.findings if finding.rule in (OWNERS, UNCOMPARED)}
    return tuple(change for change in plan.owner_drift if str(change.owner) not in explained)


def domains_with_new_profiles(plan: Plan) -> tuple[str, ...]:
    """Name the domains in which the plan makes user profiles, or assigns the users of some, sorted."""
    assigned = (change for change in plan.owners if change.reason is OwnerReason.UNASSIGNED)
    return tuple(sorted({change.owner.domain for change in (*new_profiles(plan.owners), *assigned)}))


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
            "profile that the API makes is not assigned to the domain's application there, so its user gets "
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
