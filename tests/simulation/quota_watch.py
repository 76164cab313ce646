"""What may be sent while a quota is full: one probe at a time, not before its time, and nothing once it is hopeless.

It keeps its own account of what is full, made from the answers that were delivered. From the executor's events it takes
no more than the delay that it promised itself, and the end of its patience.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.errors import QuotaExceeded, QuotaFacts
from engine.core.quota_text import bucket_of_quota
from engine.ports.events import AppDeleted, BucketEnded, BucketParked, Event
from engine.simulator.service.app_operations import DEFAULT_INSTANCE_TYPE, SYSTEM
from engine.simulator.world.quotas import RUNNING_APPS, bucket_quota_name
from tests.simulation.calls import Call
from tests.simulation.plan_watch import plan_of

if TYPE_CHECKING:
    from engine.core.desired import DesiredApp
    from engine.core.errors import CloudError
    from engine.core.identity import Lane
    from engine.simulator.world.records import App, AppId
    from tests.simulation.watch import Watch

TICK: Final = 1e-6
SEEN_LATE_SECONDS: Final = 300.0  # how long after an app has left a whole listing may be the first to show it
BY_DEFAULT: Final = "its default type"  # the service chooses it, and only a refusal tells which one
Name = tuple[str, str, str]  # account, region, what is full


@dataclass(slots=True)
class Full:
    """A quota that was said to be full. Times are the loop's.

    `unsure` are calls that left as a stop of the process ended: on their way before the refusal, or a probe.
    """

    since: float
    next_probe_at: float = float("-inf")
    probe: Call | None = None
    unsure: list[Call] = field(default_factory=list)
    ended: bool = False
    opening: bool = False
    window: int = 2
    in_flight: int = 0


class QuotaWatch:
    """One run's full quotas."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._full: dict[Name, Full] = {}
        self._gates: dict[str, Name] = {}
        self._last: tuple[Name, float] | None = None
        self._counted: dict[int, list[Full]] = {}
        self._defaults: dict[tuple[Lane, str], Name] = {}  # what a refusal told of the type that the service chooses
        self._left_at: dict[Name, float] = {}
        # A listing that lags shows late what had left before the run, so a run that has just begun may see it leave.
        self._before_run_at = watch.now() if watch.world.lag_max_s else float("-inf")
        self._unlisted: dict[str, dict[Name, float]] = {}  # by domain: when an app left what, until a listing shows it
        self._left_by: dict[AppId, list[Name]] = {}
        self.refused: set[Name] = set()  # all that was said to be full, soon or late
        self._named_for: dict[Name, set[Name]] = {}  # by training plan: quotas that a refusal on it has named
        self.departure_seen_at = float("-inf")  # which looks like a departure of whatever it was

    def sending(self, call: Call, key: AppId) -> None:
        """Check a CreateApp that leaves."""
        now = self._watch.now()
        self._counted[id(call)] = []
        for name in self._names_of(call, key):
            full = self._full.get(name)
            if full is None or now <= full.since:
                continue  # it had been handed to a worker when the refusal came
            if not full.opening and now <= self._watch.late.instant_ends_at(full.since):
                full.unsure.append(call)
            elif full.ended:
                self._watch.violation(f"CreateApp of {key} although waiting for {name} is over")
            elif full.opening:
                if full.in_flight >= full.window:
                    self._watch.violation(f"{full.in_flight + 1} creates in a slow start of {full.window} for {name}")
                full.in_flight += 1
                self._counted[id(call)].append(full)
            elif full.probe is not None:
                self._watch.violation(f"CreateApp of {key} while {name} is parked and probed")
            else:
                left_at = max(self.departure_seen_at, self._left_at.get(name, self._before_run_at))
                if now < full.next_probe_at - TICK and left_at < full.since - SEEN_LATE_SECONDS:
                    self._watch.violation(f"a probe of {name} {full.next_probe_at - now:.3f} s before its time")
                full.probe = call

    def answered(self, call: Call, key: AppId, error: CloudError | None, *, went_through: bool) -> None:
        """Take in the answer of a CreateApp."""
        for counted in self._counted.pop(id(call), ()):
            counted.in_flight -= 1
            counted.window += went_through
        for name in self._names_of(call, key):
            full = self._full.get(name)
            if full is None:
                continue
            may_be_probe = full.probe is call or any(other is call for other in full.unsure)
            full.unsure = [other for other in full.unsure if other is not call]
            if full.probe is call:
                full.probe = None
            if may_be_probe and went_through:
                full.opening, full.window, full.in_flight = True, 2, 0
        self._last = None
        if isinstance(error, QuotaExceeded):
            name = named(call.lane, key, type_of(call, key), error.facts, plan_of(call.spec))
            self._note_named(call.lane, plan_of(call.spec), name)
            if type_of(call, key) == BY_DEFAULT and bucket_of_quota(error.facts.quota):
                self._defaults[call.lane, key.app_type] = name
            self._refused(name, call.sent_at, never_fits=_is_hopeless(error.facts))

    def _names_of(self, call: Call, key: AppId) -> list[Name]:
        """Name everything that a create is known to count against."""
        lane, instance_type = call.lane, type_of(call, key)
        if plan := plan_of(call.spec):
            own = (*lane, plan)
            return sorted({(*lane, RUNNING_APPS), own, *self._named_for.get(own, ())})
        names = [
            (lane.account, lane.region, RUNNING_APPS),
            (lane.account, lane.region, bucket_quota_name(key.app_type, instance_type)),
        ]
        if key.app_type == "KernelGateway":
            names.append((lane.account, lane.region, per_user(key.domain_id, key.owner, instance_type)))
        if instance_type == BY_DEFAULT and (told := self._defaults.get((lane, key.app_type))) is not None:
            names.append(told)
        return names

    def names_of_app(self, key: AppId, app: DesiredApp) -> set[Name] | None:
        """Name everything that an app can count against with any of its types; None where the service chooses one."""
        lane = self._watch.scenario.lanes[app.key.domain]
        types = (app.spec.instance_type, *app.fallback)
        if None in types or (SYSTEM in types and key.app_type != "KernelGateway"):
            return None
        calls = [
            Call("CreateApp", lane, key.domain_id, 0.0, spec=replace(app.spec, instance_type=one)) for one in types
        ]
        return {name for call in calls for name in self._names_of(call, key)}

    def late_want(self, call: Call, key: AppId) -> None:
        """Take in a FailureReason that speaks of a want of machines: of a training plan, that it is full."""
        made = self._watch.world.apps.get(key)
        if made is not None and made.bucket.training_plan:
            self.late_refusal(call, key, QuotaExceeded("late", facts=QuotaFacts()))

    def _note_named(self, lane: Lane, plan: str, name: Name) -> None:
        if plan:
            self._named_for.setdefault((*lane, plan), set()).add(name)

    def late_refusal(self, call: Call, key: AppId, error: QuotaExceeded) -> None:
        """Take in a FailureReason that speaks of a quota: it counts once the executor says that it parked for it."""
        made = self._watch.world.apps.get(key)
        if made is not None:
            name = named(call.lane, key, made.bucket.instance_type, error.facts, made.bucket.training_plan)
            self.refused.add(name)
            self._note_named(call.lane, made.bucket.training_plan, name)
            self._last = (name, float("inf"))

    def heard_of_others(self, call: Call, key: AppId | None, error: CloudError | None) -> None:
        """Take in an answer, of whatever call.

        What is said next of a full quota is about profiles or spaces, which are not looked at here. And the first
        listing after a departure, and after the time that listings lag, is what shows it, however late it comes; so
        is a look at the app itself, with which a replace that waited goes on.
        """
        if call.owner is not None:
            self._last = None
        elif call.operation == "DescribeApp" and error is None and key is not None:
            self._left_at |= dict.fromkeys(self._left_by.pop(key, ()), self._watch.now())
        elif call.operation == "ListApps" and error is None:
            unlisted, now = self._unlisted.get(call.domain_id, {}), self._watch.now()
            for name, left_at in list(unlisted.items()):
                self._left_at[name] = now
                if left_at + self._watch.world.lag_max_s < now:
                    del unlisted[name]

    def _refused(self, name: Name, sent_at: float, *, never_fits: bool) -> None:
        now = self._watch.now()
        self.refused.add(name)
        full = self._full.get(name)
        if full is None or full.opening:
            self._full[name] = full = Full(since=now)
        elif sent_at <= full.since and full.probe is None:
            never_fits = never_fits or full.ended
        else:
            full.since = now
        full.ended = full.ended or never_fits
        self._last = (name, sent_at)

    def heard(self, event: Event) -> None:
        """Take the delay and the end from the executor's own words."""
        if isinstance(event, BucketParked) and self._last is not None:
            name, sent_at = self._last
            self._gates[event.bucket] = name
            if sent_at == float("inf"):
                self._refused(name, sent_at, never_fits=False)
            self._full[name].next_probe_at = self._watch.now() + event.delay_s - 1e-3
        elif isinstance(event, AppDeleted):
            self.departure_seen_at = self._watch.now()  # the executor has only now seen that it left
        elif isinstance(event, BucketEnded) and event.bucket in self._gates:
            full = self._full.get(self._gates[event.bucket])
            if full is not None:
                full.ended = True

    def departed(self, app: App) -> None:
        """Take in that an app has left: whatever counts it may be probed at once."""
        bucket, key = app.bucket, app.key
        where = (bucket.account, bucket.region)
        names = [
            (*where, RUNNING_APPS),
            (*where, bucket.training_plan),
            (*where, bucket_quota_name(bucket.app_type, bucket.instance_type)),
            (*where, per_user(key.domain_id, key.owner, bucket.instance_type)),
        ]
        self._left_by[key] = names
        for name in names:
            self._left_at[name] = self._watch.now()
            self._unlisted.setdefault(key.domain_id, {})[name] = self._watch.now()


def type_of(call: Call, key: AppId) -> str:
    """Return the instance type that a create counts as, as far as its caller can know."""
    asked = call.spec.instance_type if call.spec is not None else None
    if asked is None:
        return BY_DEFAULT
    return DEFAULT_INSTANCE_TYPE if asked == SYSTEM and key.app_type == "KernelGateway" else asked


def _is_hopeless(facts: QuotaFacts) -> bool:
    """Whether the limit is below one request: read here anew, so that a bug in the product's own reading shows."""
    return facts.value is not None and facts.value < max(facts.requested or 1, 1)


def per_user(domain_id: str, owner: str, instance_type: str) -> str:
    """Name the limit of one user profile's kernels."""
    return f"{domain_id} {owner} {instance_type}"


def named(lane: Lane, key: AppId, instance_type: str, facts: QuotaFacts, plan: str = "") -> Name:
    """Return what is full, by the quota's name in any of its spellings; an unnamed limit is that of the plan."""
    if facts.user_profile:
        return (lane.account, lane.region, per_user(key.domain_id, key.owner, instance_type))
    if facts.quota == RUNNING_APPS or RUNNING_APPS.endswith(facts.quota or "?"):
        return (lane.account, lane.region, RUNNING_APPS)
    if plan and not facts.quota:
        return (lane.account, lane.region, plan)
    bucket = bucket_of_quota(facts.quota) or (key.app_type, instance_type)
    return (lane.account, lane.region, bucket_quota_name(*bucket))
