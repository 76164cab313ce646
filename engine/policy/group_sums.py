"""What rules ask of a group of apps, as counts that add up: parts of a group may be counted in several places.

Not here: which apps are in a group (`facts`), what a rule says of it (`admission`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from engine.core.finding import Finding
from engine.policy.rules import Scope

APPS: Final = "apps"
_USD: Final = "hourly_usd"


@dataclass(frozen=True, slots=True)
class GroupSums:
    """What is known of a group, or of a part of it.

    `usd` is what its apps cost an hour by domain. A domain is counted in one place, so the whole is the same number
    however many places there are. `apps` are the variables of each app, where a rule names them.
    """

    name: str
    count: int
    usd: Mapping[str, float]
    by_app_type: Mapping[str, int]
    by_instance_type: Mapping[str, int]
    by_owner: Mapping[str, int]
    apps: tuple[Mapping[str, Any], ...] = ()

    def values(self) -> dict[str, Any]:
        """Return the values of every name of a group's expressions."""
        hourly_usd = math.fsum(self.usd.values())
        return {
            "group": self.name,
            "count": self.count,
            _USD: hourly_usd,
            "priced": hourly_usd != math.inf,
            "by_app_type": dict(self.by_app_type),
            "by_instance_type": dict(self.by_instance_type),
            "by_owner": dict(self.by_owner),
            APPS: list(self.apps),
        }

    @classmethod
    def of_parts(cls, parts: Sequence[GroupSums]) -> GroupSums:
        """Return the parts of one group together."""
        usd: dict[str, float] = {}
        types, kinds, owners = Counter[str](), Counter[str](), Counter[str]()
        for part in parts:
            usd.update(part.usd)
            types.update(part.by_app_type)
            kinds.update(part.by_instance_type)
            owners.update(part.by_owner)
        apps = tuple(app for part in parts for app in part.apps)
        return cls(parts[0].name, sum(part.count for part in parts), usd, types, kinds, owners, apps)


class WideGroup(NamedTuple):
    """A group of a wide scope, or the part of it that a shard has."""

    scope: Scope
    sums: GroupSums

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values; what has no price is null there."""
        sums = self.sums
        return {
            "scope": self.scope.value,
            "group": sums.name,
            "count": sums.count,
            "usd": {name: _finite(usd) for name, usd in sums.usd.items()},
            "by_app_type": dict(sums.by_app_type),
            "by_instance_type": dict(sums.by_instance_type),
            "by_owner": dict(sums.by_owner),
            APPS: [{**app, _USD: _finite(app[_USD])} for app in sums.apps],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> WideGroup:
        """Read what `to_json` wrote. Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
        types, kinds, owners = (
            {str(name): int(count) for name, count in found[field].items()}
            for field in ("by_app_type", "by_instance_type", "by_owner")
        )
        usd = {str(name): _infinite(each) for name, each in found["usd"].items()}
        apps = tuple({**app, _USD: _infinite(app[_USD])} for app in found[APPS])
        sums = GroupSums(str(found["group"]), int(found["count"]), usd, types, kinds, owners, apps)
        return cls(Scope(found["scope"]), sums)


@dataclass(frozen=True, slots=True)
class GroupVerdicts:
    """What rules say of the groups of all shards together. `denied` names those whose apps a skip rule denies."""

    findings: tuple[Finding, ...]
    denied: frozenset[tuple[Scope, str]]
    run_denied: bool


def added_up(groups: Iterable[WideGroup]) -> list[WideGroup]:
    """Return each group once, added up from its parts, sorted by scope and name."""
    parts: defaultdict[tuple[Scope, str], list[GroupSums]] = defaultdict(list)
    for scope, sums in groups:
        parts[scope, sums.name].append(sums)
    return [WideGroup(key[0], GroupSums.of_parts(parts[key])) for key in sorted(parts)]


def _finite(usd: float) -> float | None:
    return None if usd == math.inf else usd


def _infinite(usd: Any) -> float:
    return math.inf if usd is None else float(usd)
