"""What a plan is asked to take into account besides the fleet and what is observed.

Everything that is not pure is decided before: the day, the journal's memory, the rules' verdicts, the quotas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from engine.core.buckets import bucket_of
from engine.core.desired import AppSpec, DesiredApp
from engine.core.finding import Finding
from engine.core.hours import HoursAt
from engine.core.identity import AppKey, Lane, QuotaBucket
from engine.core.maintenance import Maintenance
from engine.core.plan import Fits, PlanLane, QuotaLine
from engine.core.request import Request
from engine.core.selectors import Selectors
from engine.core.settings import Safety


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The circumstances of one planning.

    `made_at` is an ISO 8601 time in UTC and `today` its day. `request` is what the user asks for; `allow_destructive`
    are the keys that it names one by one: they are deleted, when declared absent, although nobody's tag says that they
    are ours. `prune_refusal` says why nothing may be pruned, beside the fleet's own reason. `replaced_at` says when an
    app was last replaced because of drift with the spec that it still has, in epoch seconds. `once_done`,
    `half_replaced` (deleted to be replaced and not in service since) and `quarantined` come from the journal,
    `denied_keys`, `findings` and `run_denied` from the rules. `domain_lanes` maps the fleet's names of domains to their
    lanes, and `bucket_room` says of a bucket whether one more app fits; a bucket that is not there is unknown.
    `version` is the appfleet that plans, and `maintenance` tells which Pending apps are not new. `hours` are those that
    are closed at the time that the plan is for, which is another than `made_at` where `at` (ISO 8601) asks for one.
    `wave` holds the keys that a plan which was approved replaces: no others are replaced; None: none was approved.
    """

    made_at: str
    today: date
    safety: Safety = field(default_factory=Safety)
    request: Request = field(default_factory=Request)
    prune_refusal: str = ""
    allow_destructive: frozenset[AppKey] = frozenset()
    once_done: frozenset[AppKey] = frozenset()
    half_replaced: frozenset[AppKey] = frozenset()
    wave: frozenset[AppKey] | None = None
    quarantined: frozenset[AppKey] = frozenset()
    denied_keys: frozenset[AppKey] = frozenset()
    run_denied: bool = False
    findings: tuple[Finding, ...] = ()
    quotas: tuple[QuotaLine, ...] = ()
    lanes: tuple[PlanLane, ...] = ()
    replaced_at: Mapping[AppKey, float] = field(default_factory=dict, hash=False)
    domain_lanes: Mapping[str, Lane] = field(default_factory=dict, hash=False)
    bucket_room: Mapping[QuotaBucket, Fits] = field(default_factory=dict, hash=False)
    version: str = ""
    maintenance: Maintenance = field(default_factory=Maintenance)
    hours: HoursAt = field(default_factory=HoursAt)
    at: str = ""

    @property
    def now(self) -> float:
        """The time that the plan is for, in epoch seconds."""
        return datetime.fromisoformat(self.at or self.made_at).timestamp()

    @property
    def selectors(self) -> Selectors:
        """Which apps are meant."""
        return self.request.selectors

    @property
    def wants_prune(self) -> bool:
        """Whether undeclared apps shall go, if nothing refuses it."""
        return self.request.prune or self.safety.prune

    @property
    def wants_replace(self) -> bool:
        """Whether drift shall be replaced."""
        return self.request.replace_on_drift or self.safety.replace_on_drift

    def has_room(self, app: DesiredApp, instead_of: AppSpec) -> bool:
        """Whether some bucket of an app that takes another's place may have room: what goes makes room in its own."""
        lane = self.domain_lanes.get(app.key.domain)
        if lane is None:
            return True
        left = bucket_of(lane, app.key.app_type, instead_of)
        types = (app.spec.instance_type or "", *app.fallback)
        buckets = [bucket_of(lane, app.key.app_type, app.spec, instance_type) for instance_type in types]
        return any(one == left or self.bucket_room.get(one) is not Fits.NO for one in buckets)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return what the user asked for as sorted pairs of texts, for the header of a plan."""
        allowed = self.request.allow_destructive or tuple(map(str, self.allow_destructive))
        asked = replace(self.request, prune=self.wants_prune, allow_destructive=allowed)
        return replace(asked, replace_on_drift=self.wants_replace).pairs()
