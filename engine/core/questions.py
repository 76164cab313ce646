"""What a plan must know before it can run: each question a value, and none of them asked twice.

Not here: asking (`app.answers`), what was answered (`facts`), and what follows from it (`draft`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.core.change import Reason
from engine.core.desired import DesiredOwner
from engine.core.draft import Draft
from engine.core.identity import OWNER_KINDS, AppKey, Lane, Owner, OwnerKind, folded_owner
from engine.core.limits import QUOTAS_ASKED_MAX_COUNT
from engine.core.observed import ObservedOwner, Ownership
from engine.core.owner_quotas import OWNER_QUOTAS, wanted_owners
from engine.core.owners import SSO_MODE, domains_with_new_profiles, holders_needed
from engine.core.ownership import WhoseAre
from engine.core.quota_fit import wanted_quotas
from engine.core.reserved import plans_wanted


class CarriesFleetTag(NamedTuple):
    """Whether something besides apps carries the fleet's own tag in a lane, from which these apps would be pruned."""

    lane: Lane
    pruned: tuple[AppKey, ...]


class RoomIn(NamedTuple):
    """The quotas of a lane, and what is in use there; `domain` is one of those in it.

    `codes` are those of the quotas that decide, where they are known and few; without them all are listed.
    """

    lane: Lane
    domain: str
    codes: tuple[str, ...] = ()


class PlansAre(NamedTuple):
    """How these training plans are, by ARN; `domain` is one of those in the lane that has them."""

    lane: Lane
    domain: str
    arns: tuple[str, ...]


class OwnersRoomIn(NamedTuple):
    """The quotas of profiles and spaces in a lane, and how many of these `kinds` the account has there."""

    lane: Lane
    domain: str
    kinds: tuple[OwnerKind, ...]


class AreThere(NamedTuple):
    """Whether these profiles and spaces are there, and how they are."""

    owners: tuple[Owner, ...]


class AreAs(NamedTuple):
    """How these profiles and spaces are set, asked one by one: a listing does not show it."""

    owners: tuple[Owner, ...]


class ManagedBy(NamedTuple):
    """Which fleet manages these profiles and spaces, by their tags."""

    owners: tuple[Owner, ...]


class SignsIn(NamedTuple):
    """How people sign in to a domain."""

    domain: str


@dataclass(frozen=True, slots=True)
class ApplicationOf:
    """The application of a domain in IAM Identity Center, and the identity store that knows its users."""

    domain: str


class ResidentsOf(NamedTuple):
    """Every profile and space of a domain, and of those that leave whose they are."""

    domain: str
    leaving: tuple[Owner, ...] = ()


Question = (
    WhoseAre
    | CarriesFleetTag
    | RoomIn
    | PlansAre
    | AreThere
    | AreAs
    | ManagedBy
    | SignsIn
    | ApplicationOf
    | OwnersRoomIn
    | ResidentsOf
)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a plan is made for: to be carried out (`running`) or to be read, and to let `leaving` go.

    The updates of `restored` are put back.
    """

    running: bool = False
    leaving: tuple[DesiredOwner, ...] = ()
    restored: tuple[Owner, ...] = ()


def questions_of(draft: Draft, purpose: Purpose) -> tuple[Question, ...]:
    """Return what must be known next; nothing when the plan of `draft` is whole.

    First comes what decides about apps, then what is only said of them and what keeps them from being pruned. A plan
    that is refused asks nothing more of what it would make but with --owners, and an idle one that runs asks only what
    decides.
    """
    decisive, telling, claimed = (
        tuple(key for key in keys if key not in draft.facts.ownership) for keys in draft.unread
    )
    if decisive:
        return (WhoseAre(decisive),)
    if purpose.running:
        claimed = ()  # who reads the plan is told whether another fleet owns what this one declares
        telling = telling if draft.apps.changes else ()
    whose = (WhoseAre((), telling, claimed),) if telling or claimed else ()
    if first := (*whose, *_of_pruning(draft)):
        return first
    rooms = () if draft.refused else (*_of_training_plans(draft), *_of_quotas(draft))
    if then := (*_of_leaving(draft, purpose), *_of_restored(draft, purpose), *rooms):
        return then
    return () if draft.refused and not draft.asked.request.owners else _of_owners(draft)


def _of_pruning(draft: Draft) -> list[Question]:
    lanes: defaultdict[Lane, list[AppKey]] = defaultdict(list)
    for change in draft.apps.changes:
        if change.reason is Reason.NOT_DECLARED:
            lanes[draft.asked.domain_lanes[change.key.domain]].append(change.key)
    return [
        CarriesFleetTag(lane, tuple(keys)) for lane, keys in sorted(lanes.items()) if lane not in draft.facts.tagged
    ]


def _of_training_plans(draft: Draft) -> list[Question]:
    lanes = draft.asked.domain_lanes
    places: dict[Lane, str] = {}
    for name, lane in lanes.items():
        places.setdefault(lane, name)
    return [
        PlansAre(lane, places[lane], unread)
        for lane, arns in plans_wanted(draft.apps, lanes).items()
        if (unread := tuple(arn for arn in arns if arn not in draft.facts.training_plans))
    ]


def _of_quotas(draft: Draft) -> list[Question]:
    """List the quotas of one lane of each region; a code is the same in all of them, so the others are asked by it."""
    lanes, known = draft.asked.domain_lanes, draft.facts.quotas
    if known.keys() >= set(lanes.values()):
        return []
    wanted = wanted_quotas(draft.due, lanes)
    places: dict[Lane, str] = {}
    for name, lane in lanes.items():
        if lane in wanted and lane not in known:
            places.setdefault(lane, name)
    codes: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for lane, quotas in known.items():
        codes[lane.region].update({name: value.code for name, value in quotas.values.items()})
    first: dict[str, RoomIn] = {}
    others: list[RoomIn] = []
    for lane, place in places.items():
        if lane.region not in codes:
            first.setdefault(lane.region, RoomIn(lane, place))
            continue
        names = wanted[lane].union(OWNER_QUOTAS.values() if draft.creates_owners else ())
        found = tuple(sorted(codes[lane.region][name] for name in names & codes[lane.region].keys()))
        others.append(RoomIn(lane, place, found if len(found) <= QUOTAS_ASKED_MAX_COUNT else ()))
    return [*first.values(), *others]


def _of_leaving(draft: Draft, purpose: Purpose) -> list[Question]:
    domains: defaultdict[str, list[Owner]] = defaultdict(list)
    for one in purpose.leaving:
        domains[one.owner.domain].append(one.owner)
    reached = domains.keys() & draft.asked.domain_lanes.keys() - draft.facts.residents.keys()
    return [ResidentsOf(name, tuple(sorted(domains[name], key=folded_owner))) for name in sorted(reached)]


def _of_restored(draft: Draft, purpose: Purpose) -> tuple[Question, ...]:
    """Ask whether they are there, then how they are set, then whose they are."""
    known = draft.facts.owners
    reached = [owner for owner in purpose.restored if owner.domain in draft.asked.domain_lanes]
    if unseen := tuple(owner for owner in reached if owner not in known):
        return (AreThere(unseen),)
    rows = {owner: row for owner in reached if isinstance(row := known[owner], ObservedOwner)}
    open_rows = {owner: row for owner, row in rows.items() if not (row.unread_because or row.is_deleting)}
    if undescribed := tuple(owner for owner, row in open_rows.items() if row.settings is None):
        return (AreAs(undescribed),)
    unclaimed = tuple(owner for owner, row in open_rows.items() if row.ownership is Ownership.UNREAD)
    return (ManagedBy(unclaimed),) if unclaimed else ()


def _of_owners(draft: Draft) -> tuple[Question, ...]:
    """Ask about the owners of what is made and those to compare, about the holders of these, then how they are set.

    Whose they are is asked of those that would be updated. Once it is known which ones will be made, ask how they sign
    in, and whether the account has room for them. Last comes to which application their users are to be assigned.
    """
    facts = draft.facts
    holders = holders_needed(draft.fleet, facts.owners_seen) if draft.creates_owners and facts.owners else ()
    for owners in ((*draft.needed, *sorted(draft.watched - set(draft.needed))), holders):
        if unseen := tuple(owner for owner in owners if owner not in facts.owners):
            return (AreThere(unseen),)
    if undescribed := draft.undescribed:
        return (AreAs(undescribed),)
    if unclaimed := draft.unclaimed:
        return (ManagedBy(unclaimed),)
    domains = domains_with_new_profiles(draft.owned)
    sign_in = (SignsIn(domain) for domain in domains if domain not in facts.auth_modes)
    return (*sign_in, *_of_owners_room(draft)) or _of_assignment(draft, domains)


def _of_assignment(draft: Draft, domains: Sequence[str]) -> tuple[Question, ...]:
    if not draft.assigns_users or draft.plan.denied:
        return ()
    through = [domain for domain in domains if draft.facts.auth_modes[domain] == SSO_MODE]
    return tuple(ApplicationOf(domain) for domain in through if domain not in draft.facts.applications)


def _of_owners_room(draft: Draft) -> list[OwnersRoomIn]:
    lanes = draft.asked.domain_lanes
    wanted = wanted_owners(draft.owned, lanes)
    places: dict[Lane, str] = {}
    for name, lane in lanes.items():
        places.setdefault(lane, name)
    return [
        OwnersRoomIn(lane, places[lane], tuple(kind for kind in OWNER_KINDS if (lane, kind) in wanted))
        for lane in sorted({lane for lane, _ in wanted} - draft.facts.owner_rooms.keys())
    ]
