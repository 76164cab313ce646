"""The plan: what will be done to each app, and why. Frozen, sorted, with a fingerprint.

Not here: deciding it (`planner`), ordering the calls (`stages`), showing it (`render`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from engine.core.change import Action, Change, OwnerChange, Reason
from engine.core.cost import PlanCost
from engine.core.finding import Finding
from engine.core.forecast import Forecast
from engine.core.hours import HoursLine
from engine.core.identity import Lane
from engine.core.inputs import digest_of, of_organization
from engine.core.trouble import Trouble

FORMAT_VERSION: Final = 1
_COUNTED: Final = ("create", "delete_then_create", "delete", "adopt", "none", "unmanaged", "denied", "unknown")

# One encoder for all: made anew for each of a hundred thousand changes it costs more than what it encodes.
_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


class Fits(StrEnum):
    """Whether the plan's creates fit a quota. Unknown never blocks."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class QuotaLine:
    """One quota bucket beside what the plan wants of it. `value` and `used` None: unknown; `code` empty: unknown.

    Of a training plan, `value` and `used` count its instances, `quota` is empty, and `period` says when it can be used.
    """

    bucket: str
    quota: str
    value: int | None
    used: int | None
    wanted: int
    fits: Fits = Fits.UNKNOWN
    code: str = ""
    period: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `quotas`."""
        shown = asdict(self)
        if not self.period:
            del shown["period"]
        return shown


def in_order(lines: Iterable[QuotaLine]) -> tuple[QuotaLine, ...]:
    """Return lines as a plan holds them."""
    return tuple(sorted(lines, key=attrgetter("bucket", "quota")))


@dataclass(frozen=True, slots=True, order=True)
class PlanLane:
    """One lane that the plan touches, as it stands in the plan's header. `endpoint` is empty for AWS's own."""

    account: str
    region: str
    endpoint: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the entry of `lanes`."""
        return {"account": self.account, "region": self.region, "endpoint": self.endpoint}


@dataclass(frozen=True, slots=True)
class Plan:
    """Every decision of one planning, sorted by key.

    `decisions` holds one Change for each declared app, and for each undeclared app that is owned by this
    fleet; `unmanaged` counts the live undeclared rest. `complete` is false when a domain could not be listed.
    `denied` is true when a mandatory rule or a guardrail said no. `options` and `selectors` are what the user
    asked for, as sorted pairs of texts. A plan that was read back from its document holds the decisions that stand
    there; `more_none`, `more_denied` and `more_unknown` count those that its summary counts and that stand nowhere.
    `version` is the appfleet that made it. `owners` holds the user profiles and spaces that are made, updated, deleted
    or waited for, profiles first, and `owner_drift` those that are not as declared and stay so. `uncompared` counts
    those with settings in the fleet file that were not compared with it; it is for a reader alone. `hours` are those of
    its apps. `at` is the time that was asked for with --at, in ISO 8601, and empty for now. `errors` say
    why domains could not be used or listed. `unmanaged_in` is `unmanaged` by domain, of a plan that was not read back.
    `domain_lanes` says of each domain that was reached in which account and region it is.
    """

    fleet: str
    made_at: str
    decisions: tuple[Change, ...]
    unmanaged: int = 0
    complete: bool = True
    denied: bool = False
    lanes: tuple[PlanLane, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    selectors: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    quotas: tuple[QuotaLine, ...] = ()
    more_none: int = 0
    more_denied: int = 0
    more_unknown: int = 0
    version: str = ""
    owners: tuple[OwnerChange, ...] = ()
    owner_drift: tuple[OwnerChange, ...] = ()
    uncompared: int = 0
    cost: PlanCost | None = None
    forecast: Forecast | None = None
    hours: tuple[HoursLine, ...] = ()
    at: str = ""
    errors: tuple[Trouble, ...] = ()
    unmanaged_in: tuple[tuple[str, int], ...] = field(default=(), compare=False)
    domain_lanes: tuple[tuple[str, Lane], ...] = ()
    changes: tuple[Change, ...] = field(init=False)
    _fingerprint: list[str] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        """Set apart what will be done."""
        object.__setattr__(
            self, "changes", tuple(change for change in self.decisions if change.action is not Action.NONE)
        )

    @property
    def organization(self) -> str:
        """The digest of the organization's policies that it was made under; empty where there were none."""
        return digest_of(of_organization(self.inputs))

    @property
    def applyable(self) -> bool:
        """Whether apply may run it."""
        return not self.denied

    @property
    def has_changes(self) -> bool:
        """Whether anything is created, changed or deleted, or anybody assigned: apps, profiles or spaces."""
        return bool(self.changes) or any(
            change.action is not Action.NONE or change.assigned_to is not None for change in self.owners
        )

    @property
    def drift(self) -> tuple[Change, ...]:
        """The apps whose declared fields are not as observed, whether or not something is done about it."""
        return tuple(change for change in self.decisions if change.differs)

    @property
    def summary(self) -> dict[str, int]:
        """Count the actions; `none` counts declared apps alone, `denied` those that a skip rule denied.

        `unknown` counts the declared apps of domains that could not be listed: nothing can be said of them.
        """
        counts = dict.fromkeys(_COUNTED, 0)
        for change in self.decisions:
            if change.action is not Action.NONE:
                counts[change.action.value] += 1
            elif change.reason is Reason.DENIED:
                counts["denied"] += 1
            elif change.reason is Reason.DOMAIN_UNLISTED:
                counts["unknown"] += 1
            elif change.after is not None:
                counts["none"] += 1
        counts["none"] += self.more_none
        counts["denied"] += self.more_denied
        counts["unknown"] += self.more_unknown
        counts["unmanaged"] = self.unmanaged
        return counts

    @property
    def fingerprint(self) -> str:
        """Return `sha256:` and 64 hexadecimal digits over the changes and the inputs: not over `made_at`."""
        if not self._fingerprint:  # a second for a large plan, and several ask for it
            self._fingerprint.append(self._digest())
        return self._fingerprint[0]

    def _digest(self) -> str:
        digest = hashlib.sha256()
        digest.update(_canonical({"inputs": dict(self.inputs), "fleet": self.fleet}))
        for change in self.changes:
            digest.update(_canonical(change.alone.to_json()))
        for owner_change in self.owners:
            digest.update(_canonical(owner_change.to_json()))
        return f"sha256:{digest.hexdigest()}"

    def document(self) -> dict[str, Any]:
        """Return the document of `plan --format json` with its rows as they are: each has a `to_json` of its own.

        The rows of a large fleet as dictionaries would take more memory than the fleet; a writer makes one at a time.
        """
        return {
            "format_version": FORMAT_VERSION,
            "version": self.version,
            "fleet": self.fleet,
            "made_at": self.made_at,
            **({"at": self.at} if self.at else {}),
            "lanes": self.lanes,
            **({"domains": {name: lane._asdict() for name, lane in self.domain_lanes}} if self.domain_lanes else {}),
            "inputs": dict(self.inputs),
            **({"organization": self.organization} if self.organization else {}),
            "selectors": _grouped(self.selectors),
            "options": dict(self.options),
            "fingerprint": self.fingerprint,
            "complete": self.complete,
            "applyable": self.applyable,
            "owners": (*self.owners, *self.owner_drift),
            "changes": self.changes,
            "drift": self.drift,
            "findings": self.findings,
            **({"errors": self.errors} if self.errors else {}),
            "quotas": self.quotas,
            **({"hours": self.hours} if self.hours else {}),
            "cost": None if self.cost is None else self.cost.to_json(),
            "forecast": None if self.forecast is None else self.forecast.to_json(),
            "summary": self.summary,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the whole document as plain values."""
        return {
            name: [row.to_json() for row in value] if isinstance(value, tuple) else value
            for name, value in self.document().items()
        }


def _canonical(value: Any) -> bytes:
    return _encode(value).encode() + b"\n"


def _grouped(pairs: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for kind, pattern in pairs:
        grouped.setdefault(kind, []).append(pattern)
    return grouped
