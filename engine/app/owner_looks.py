"""Which profiles and spaces a plan compares with the file, beyond those that its creates need, and when.

An idle run reads none: all of them are compared once in `[owners] look_every`, and when the user asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.identity import SPACE
from engine.core.limits import CALL_LATE_MAX_SECONDS, OWNERS_LOOKED_MAX_COUNT, STALE_ROW_MAX_SECONDS
from engine.core.owner_settings import declares_settings, needs_describing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.core.desired import DesiredFleet
    from engine.core.draft import Draft
    from engine.core.identity import Owner
    from engine.core.plan import Plan
    from engine.core.plan_options import PlanOptions
    from engine.ports.journal import Memory

# A nightly run begins a little earlier or later than the last one: a look is due a tenth of its time early.
_EARLY_SHARE: Final = 0.9


def owners_to_compare(options: AppOptions, loaded: Loaded, parts: Joined, asked: PlanOptions) -> frozenset[Owner]:
    """Name the declared owners to compare: all with --owners or --from-fleet, those of an unfinished update, those due.

    What a day's look has no room for, the next day's compares. A fleet that was never compared is so at once where
    differences are updated; else its first run begins to count.
    """
    memory, fleet = parts.run.memory, loaded.fleet
    if options.request.owners or options.request.from_fleet:
        return frozenset(one.owner for one in fleet.owners if options.selectors.selects_owner(one))
    updating = {key for key, left in memory.unfinished.items() if left.is_update}
    due = _due(loaded, memory, parts.run.wall()) if options.selectors.is_empty else frozenset()
    if not (updating or due):  # an idle run, as nearly every one is
        return frozenset()
    declared = comparable(fleet)
    looked = sorted(owner for owner in declared if owner.domain in due)
    return declared & updating | set(portion(looked, asked.today.toordinal()))


def unassigned_owners(options: AppOptions, loaded: Loaded, parts: Joined) -> frozenset[Owner]:
    """Name the declared profiles whose users an earlier run did not come to assign, where a policy assigns users."""
    owed = parts.run.memory.unassigned
    if not (owed and loaded.settings.assign_users):
        return frozenset()
    declared = (one for one in loaded.fleet.owners if options.selectors.selects_owner(one))
    return frozenset(one.owner for one in declared if one.owner in owed)


def ended_updates(draft: Draft, made: Plan, memory: Memory, now: float) -> tuple[Owner, ...]:
    """Name the owners whose update an earlier run began and that are as declared, sorted: it need not be sought.

    A call that may still come is sought once more by the next run.
    """
    differ = {change.owner for change in (*made.owners, *made.owner_drift)}
    seen = draft.facts.owners_seen
    late_s = CALL_LATE_MAX_SECONDS + STALE_ROW_MAX_SECONDS
    return tuple(
        owner
        for owner in sorted(draft.watched - differ)
        if (left := memory.unfinished.get(owner)) is not None
        and left.is_update
        and now - left.at > late_s
        and (row := seen.get(owner)) is not None
        and row.settings is not None
        and not row.is_passing
    )


def _due(loaded: Loaded, memory: Memory, now: float) -> frozenset[str]:
    """Name the domains whose last look is long enough ago; a narrow run is no look at the whole."""
    every_s = loaded.settings.owners_look_every * _EARLY_SHARE
    never = float("-inf") if loaded.settings.update_owners else float("inf")
    return frozenset(
        domain.name
        for domain in loaded.fleet.domains
        if now - memory.owners_compared.get(domain.domain_id, never) >= every_s
    )


def comparable(fleet: DesiredFleet) -> frozenset[Owner]:
    """Name the owners of which the fleet declares something that can differ: a profile may be a mere name."""
    return frozenset(one.owner for one in fleet.owners if one.owner.kind == SPACE or needs_describing(one))


def uncompared(draft: Draft) -> int:
    """Count the selected owners whose settings the fleet file declares, and that the draft does not compare."""
    looked = draft.watched.union(draft.needed)
    selectors = draft.asked.selectors
    return sum(
        one.owner not in looked and selectors.selects_owner(one) and declares_settings(one)
        for one in draft.fleet.owners
    )


def portion(owners: list[Owner], day: int) -> Iterable[Owner]:
    """Return as many of `owners` as one look compares, another part each day."""
    if len(owners) <= OWNERS_LOOKED_MAX_COUNT:
        return owners
    first = day * OWNERS_LOOKED_MAX_COUNT % len(owners)
    return [*owners, *owners][first : first + OWNERS_LOOKED_MAX_COUNT]


def compared_domains(draft: Draft, memory: Memory) -> tuple[str, ...]:
    """Name the domains whose next look is due in a whole `look_every`, sorted.

    Of those every declared owner was compared, or is made as declared; or they begin to count, since nothing updates.
    """
    watched: dict[str, set[Owner]] = {}
    for owner in (*draft.watched, *draft.needed):
        watched.setdefault(owner.domain, set()).add(owner)
    new = [one.name for one in draft.fleet.domains if one.domain_id not in memory.owners_compared]
    begins = set() if draft.updates_owners else set(new)
    if not (watched or begins):
        return ()
    declared: dict[str, set[Owner]] = {}
    for owner in comparable(draft.fleet):
        declared.setdefault(owner.domain, set()).add(owner)
    seen = draft.facts.owners_seen
    unread = {owner.domain for owner, row in seen.items() if row is not None and row.unread_because}
    found = begins & declared.keys()
    for name, looked in watched.items():
        whole = declared.get(name, set()) <= looked or len(looked) >= OWNERS_LOOKED_MAX_COUNT
        if name in declared and whole and looked <= seen.keys() and name not in unread:
            found.add(name)
    return tuple(sorted(found))
