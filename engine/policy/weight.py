"""What a plan weighs in each domain against the limits of `[safety]`: counts that add up, whoever counted them.

A domain is counted in one place, so the sums over domains are the same bytes however many processes planned them. Not
here: the limits themselves (`guardrails`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.core.change import MAKING, Action, Change, Reason
from engine.core.desired import DesiredApp, DesiredDomain
from engine.core.plan import Plan
from engine.core.text import clean
from engine.policy.prices import PriceBook


class Weight(NamedTuple):
    """What is planned in one domain, or in several. `owned` counts observed apps of this fleet.

    `deleted`, `replaced` (apps), `owners_deleted` and `updated` (profiles and spaces) hold keys. `usd` is what
    the creates and replaces add an hour at most, of those that have a price; `unpriced` counts the others by type.
    `stopped` counts apps whose hours are over: they are not among the `deleted`.
    """

    deleted: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    owners_deleted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    created: int = 0
    owned: int = 0
    usd: float = 0.0
    unpriced: Mapping[str, int] = MappingProxyType({})
    stopped: int = 0

    @property
    def destroys(self) -> tuple[str, ...]:
        """The keys of the apps that are deleted or replaced, sorted."""
        return tuple(sorted((*self.deleted, *self.replaced)))

    @property
    def destroyed(self) -> tuple[str, ...]:
        """The keys of all that goes: of apps, then of profiles and spaces."""
        return (*self.destroys, *self.owners_deleted)

    @property
    def changes(self) -> bool:
        """Whether anything is planned that a limit speaks of."""
        return bool(self.deleted or self.replaced or self.updated or self.created or self.stopped)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**self._asdict(), "unpriced": dict(self.unpriced)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Weight:
        """Read what `to_json` wrote. Raises KeyError, TypeError and ValueError for anything else."""
        deleted, replaced, owners_deleted, updated = (
            tuple(map(str, found[name])) for name in ("deleted", "replaced", "owners_deleted", "updated")
        )
        unpriced = {str(kind): int(count) for kind, count in found["unpriced"].items()}
        counts = (int(found["created"]), int(found["owned"]), float(found["usd"]))
        return cls(deleted, replaced, owners_deleted, updated, *counts, unpriced, int(found["stopped"]))


def sum_of(weights: Iterable[Weight]) -> Weight:
    """Return several domains as one, in the order in which they are given."""
    lists = _Lists()
    created = owned = 0
    for one in weights:
        lists.deleted += one.deleted
        lists.replaced += one.replaced
        lists.owners_deleted += one.owners_deleted
        lists.updated += one.updated
        lists.usd.append(one.usd)
        lists.unpriced.update(one.unpriced)
        lists.stopped += one.stopped
        created += one.created
        owned += one.owned
    return lists.weight(created, owned)


def weights_of(
    plan: Plan, domains: Iterable[DesiredDomain], owned: Mapping[str, int], prices: PriceBook | None
) -> dict[str, Weight]:
    """Return what a plan weighs in each domain that it changes or in which apps are owned, sorted by name.

    Without `prices` no cost is counted.
    """
    regions = {domain.name: domain.region for domain in domains}
    lists: defaultdict[str, _Lists] = defaultdict(_Lists)
    created: Counter[str] = Counter()
    for change in plan.changes:
        name = change.key.domain
        into = lists[name]
        if change.action is Action.CREATE:
            created[name] += 1
        into.destroy(change)
        if prices is not None and change.action in MAKING and change.after is not None:
            usd = _added(change, change.after, regions[name], prices)
            if usd == math.inf:
                into.unpriced[_unpriced_type(change.after, regions[name], prices)] += 1
            else:
                into.usd.append(usd)
    for one in plan.owners:
        if one.action is Action.DELETE:
            lists[one.owner.domain].owners_deleted.append(str(one.owner))
        elif one.action is Action.UPDATE:
            lists[one.owner.domain].updated.append(str(one.owner))
    return {name: lists[name].weight(created[name], owned.get(name, 0)) for name in sorted({*lists, *owned})}


@dataclass(slots=True)
class _Lists:
    """What is gathered of a weight."""

    deleted: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    owners_deleted: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    usd: list[float] = field(default_factory=list)
    unpriced: Counter[str] = field(default_factory=Counter)
    stopped: int = 0

    def destroy(self, change: Change) -> None:
        """Count what is deleted or replaced."""
        if change.reason is Reason.OUTSIDE_HOURS:
            self.stopped += 1
        elif change.action is Action.DELETE:
            self.deleted.append(str(change.key))
        elif change.action is Action.DELETE_THEN_CREATE:
            self.replaced.append(str(change.key))

    def weight(self, created: int, owned: int) -> Weight:
        return Weight(
            tuple(self.deleted),
            tuple(self.replaced),
            tuple(self.owners_deleted),
            tuple(self.updated),
            created,
            owned,
            math.fsum(self.usd),
            dict(sorted(self.unpriced.items())),
            self.stopped,
        )


def _added(change: Change, app: DesiredApp, region: str, prices: PriceBook) -> float:
    """Return USD per hour that a create or a replace adds at most; a replace is not counted below nothing."""
    usd = prices.dearest(region, app)
    if change.before is None or change.action is not Action.DELETE_THEN_CREATE:
        return usd
    old = prices.price_of(region, change.key.app_type, change.before.spec)
    return max(usd - (old or 0.0), 0.0)


def _unpriced_type(app: DesiredApp, region: str, prices: PriceBook) -> str:
    types = (app.spec.instance_type or "", *app.fallback)
    missing = next(kind for kind in types if prices.price(region, app.key.app_type, kind) is None)
    return clean(missing) or f"{app.key.app_type} without an instance type"
