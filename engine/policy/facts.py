"""The variables of expressions: their names, their types, and their values for one app or one group of apps.

Not here: what expressions make of them (`cel`). Nothing in here is a clock: the same fleet has the same facts.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.core.desired import DesiredApp, DesiredDomain
from engine.core.limits import SEEN_VALUE_MAX_CHARS
from engine.core.text import clean
from engine.policy.group_sums import GroupSums
from engine.policy.prices import PriceBook
from engine.policy.rules import Scope

Values = dict[str, Any]
Placed = tuple["DesiredApp", "DesiredDomain"]

# Names with their CEL types, as messages and `docs/policies.md` write them.
APP_TYPES: Final = {
    "domain": "string",
    "region": "string",
    "account": "string",
    "team": "string",
    "owner_kind": "string",
    "owner": "string",
    "app_type": "string",
    "app_name": "string",
    "instance_type": "string",
    "instance_family": "string",
    "fallback": "list(string)",
    "image_arn": "string",
    "image_version_arn": "string",
    "image_version_alias": "string",
    "lifecycle_config_arn": "string",
    "training_plan_arn": "string",
    "recovery_mode": "bool",
    "ebs_gb": "int",
    "idle_minutes": "int",
    "hours": "string",
    "sharing": "string",
    "tags": "map(string, string)",
    "mode": "string",
    "expires": "string",
    "hourly_usd": "double",
    "priced": "bool",
}
GROUP_TYPES: Final = {
    "group": "string",
    "count": "int",
    "hourly_usd": "double",
    "priced": "bool",
    "by_app_type": "map(string, int)",
    "by_instance_type": "map(string, int)",
    "by_owner": "map(string, int)",
    "apps": "list(map(string, dyn))",
}
FLEET_GROUP: Final = "fleet"
UNHASHABLE_NAMES: Final = frozenset({"fallback", "tags"})  # a list and a map; `AppSpec` has both as tuples


def types_for(scope: Scope) -> Mapping[str, str]:
    """Return the names that an expression of a rule of this scope may use, with their types."""
    return APP_TYPES if scope is Scope.APP else GROUP_TYPES


def instance_family(instance_type: str) -> str:
    """Return `g5` for `ml.g5.xlarge`, and an empty text for what has no family, as `system`."""
    parts = instance_type.split(".")
    return parts[1] if len(parts) == 3 else ""


def facts_of(app: DesiredApp, domain: DesiredDomain, prices: PriceBook) -> Values:
    """Return the value of every name for one app, with its own instance type and the cost of its dearest."""
    spec = app.spec
    instance_type = spec.instance_type or ""
    hourly_usd = prices.dearest(domain.region, app)
    key = app.key
    return {
        "domain": key.domain,
        "region": domain.region,
        "account": domain.account or "",
        "team": app.team,
        "owner_kind": key.owner_kind,
        "owner": key.owner,
        "app_type": key.app_type,
        "app_name": key.app_name,
        "instance_type": instance_type,
        "instance_family": instance_family(instance_type),
        "fallback": list(app.fallback),
        "image_arn": spec.image_arn or "",
        "image_version_arn": spec.image_version_arn or "",
        "image_version_alias": spec.image_version_alias or "",
        "lifecycle_config_arn": spec.lifecycle_config_arn or "",
        "training_plan_arn": spec.training_plan_arn or "",
        "recovery_mode": bool(spec.recovery_mode),
        "ebs_gb": app.ebs_gb,
        "idle_minutes": app.idle_minutes,
        "hours": app.hours.text if app.hours else "",
        "sharing": app.sharing,
        "tags": dict(spec.tags),
        "mode": app.mode.value,
        "expires": app.expires.isoformat() if app.expires else "",
        "hourly_usd": hourly_usd,
        "priced": hourly_usd != math.inf,
    }


def variants_of(values: Values) -> list[Values]:
    """Return the values for each type of `[instance_type, *fallback]`, the app's own first; the cost is the same."""
    return [
        values,
        *({**values, "instance_type": kind, "instance_family": instance_family(kind)} for kind in values["fallback"]),
    ]


@dataclass(frozen=True, slots=True)
class Group:
    """Apps that a rule is asked about together. `name` is what `group` says; `members` are in the fleet's order."""

    name: str
    members: tuple[Placed, ...]

    def values(self, prices: PriceBook, *, with_apps: bool) -> Values:
        """Return the values of every name, of a group that is here as a whole."""
        return self.sums(prices, with_apps=with_apps).values()

    def sums(self, prices: PriceBook, *, with_apps: bool) -> GroupSums:
        """Return what expressions ask of the group. `apps` is costly, and stays empty where none asks for it."""
        usd: defaultdict[str, list[float]] = defaultdict(list)
        for app, domain in self.members:
            usd[domain.name].append(prices.dearest(domain.region, app))
        return GroupSums(
            self.name,
            len(self.members),
            {name: math.fsum(each) for name, each in usd.items()},
            Counter(app.key.app_type for app, _ in self.members),
            Counter(app.spec.instance_type or "" for app, _ in self.members),
            Counter(str(app.key.owner_key) for app, _ in self.members),
            tuple(facts_of(app, domain, prices) for app, domain in self.members) if with_apps else (),
        )


def groups_of(scope: Scope, placed: Iterable[Placed], domains: Iterable[DesiredDomain]) -> list[Group]:
    """Divide apps into the groups of a scope, sorted by name.

    An owner's group is called `research/user/alice`, a team's and a domain's by its own name, the one of all
    apps `fleet`. Apps outside teams are in no team's group. Domains and the fleet are groups even when empty.
    """
    members: dict[str, list[Placed]] = {}
    if scope is Scope.FLEET:
        members[FLEET_GROUP] = []
    elif scope is Scope.DOMAIN:
        members.update({domain.name: [] for domain in domains})
    for item in placed:
        name = group_name(scope, item[0])
        if name:
            members.setdefault(name, []).append(item)
    return [Group(name, tuple(found)) for name, found in sorted(members.items())]


def group_name(scope: Scope, app: DesiredApp) -> str:
    """Name the group of a scope that an app belongs to; empty for no group."""
    if scope is Scope.OWNER:
        return str(app.key.owner_key)
    if scope is Scope.TEAM:
        return app.team
    return app.key.domain if scope is Scope.DOMAIN else FLEET_GROUP


def show(value: object) -> str:
    """Return a value as a message shows it: short, and safe for a terminal."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float):
        text = "unknown" if value == math.inf else f"{value:.10g}"
    elif isinstance(value, dict):
        text = ", ".join(f"{key}={item}" for key, item in sorted(value.items())) or "none"
    elif isinstance(value, list):
        text = ", ".join(str(item) for item in value) or "none"
    else:
        text = str(value) or "none"
    return clean(text, SEEN_VALUE_MAX_CHARS)
