"""How far a run is, counted from its events: what the progress line and the live view show.

Only counts and times; the clock is passed in. Not here: how it looks (`progress`, `live_view`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.core.change import Action
from engine.core.forecast import Forecast
from engine.core.identity import AppKey, Owner
from engine.core.limits import FAILURES_SHOWN_MAX_COUNT, RATE_WINDOW_SECONDS
from engine.core.plan import Plan
from engine.core.training_plans import plan_arn
from engine.ports import events

DELETES: Final = "deletes"
WRITES: Final = frozenset({"CreateApp", "DeleteApp"})
THROTTLED: Final = "throttled"
# A mean that forgets: the settling time of the last twenty apps or so.
_SETTLE_WEIGHT: Final = 0.05


@dataclass(slots=True)
class Parked:
    """A full quota. `probe_at` is the clock's time of the next probe; `waiting` what waited when it was parked."""

    waiting: int
    probe_at: float
    value: int | None = None
    used: int | None = None


@dataclass(slots=True)
class Group:
    """The apps of one type on one instance type, which fill one bucket: `wanted` of them will be made."""

    wanted: int = 0
    starting: int = 0
    ended: int = 0
    failed: int = 0

    @property
    def left(self) -> int:
        """How many are not accepted yet."""
        return max(self.wanted - self.starting - self.ended, 0)


class RunState:
    """The counts of one run. `clock` gives seconds that only go forward."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.started_at = clock()
        self.fleet = ""
        self.running = False
        self.wanted = 0
        self.listed = 0
        self.ended: set[AppKey] = set()
        self.shards: dict[str, tuple[int, int]] = {}  # of those that workers carry out: ended, failed
        self.starting: dict[AppKey, float] = {}
        self.failed: set[AppKey] = set()
        self.parked: dict[str, Parked] = {}
        self.owners_wanted = 0
        self.owners_ended: set[Owner] = set()
        self.throttled = 0
        self.rates: dict[str, float] = {}
        self.failures: deque[events.AppFailed] = deque(maxlen=FAILURES_SHOWN_MAX_COUNT)
        self.stop_cause = ""
        self.canaries: dict[str, list[events.CanaryAwaited]] = {}
        self.groups: dict[str, Group] = {}
        self._group_of: dict[AppKey, str] = {}
        self._with_domain = False
        self._forecast: Forecast | None = None
        self._running_since = self.started_at
        self._settle_s: float | None = None
        self._answers: deque[tuple[int, int]] = deque()  # (whole second, answers of writes in it)
        self._accepts: deque[tuple[int, int]] = deque()
        self._first_accept_at: float | None = None
        self._handlers: dict[type[events.Event], Callable[..., None]] = {
            events.RunStarted: self._run_started,
            events.DomainListed: self._domain_listed,
            events.CallAnswered: self._call_answered,
            events.AppCreateStarted: self._create_started,
            events.AppCreated: self._created,
            events.AppFellBack: self._fell_back,
            events.AppFailed: self._app_failed,
            events.LaneRateChanged: self._rate_changed,
            events.LaneThrottled: self._rate_changed,
            events.BucketParked: self._bucket_parked,
            events.BucketReopened: self._bucket_opened,
            events.BucketEnded: self._bucket_opened,
            events.RunInterrupted: self._interrupted,
            events.CanaryAwaited: self._canary_awaited,
            events.CanaryPassed: self._canary_over,
            events.CreatesTripped: self._canary_over,
            events.ShardProgressed: self._shard_progressed,
            **dict.fromkeys(_ENDS, self._app_ended),
            **dict.fromkeys(_OWNER_ENDS, self._owner_ended),
        }

    def emit(self, event: events.Event) -> None:
        """Count `event`."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def expect(self, plan: Plan) -> None:
        """Count what will be done, so that what is left of each bucket is known."""
        self.fleet = plan.fleet
        self._forecast = plan.forecast
        self._with_domain = len(plan.lanes) > 1
        self.owners_wanted = len(plan.owners)
        self.groups.clear()
        for change in plan.changes:
            if change.action is Action.DELETE or change.after is None:
                name = DELETES
            else:
                spec = change.after.spec
                on_plan = plan_arn(spec.training_plan_arn)
                name = self._name(change.key, spec.instance_type or "", "" if on_plan is None else on_plan.name)
            self._group_of[change.key] = name
            self.groups.setdefault(name, Group()).wanted += 1

    @property
    def done(self) -> int:
        """How many apps have ended; of shards that workers carry out only the counts are known."""
        return sum(ended for ended, _ in self.shards.values()) if self.shards else len(self.ended)

    @property
    def failures_count(self) -> int:
        """How many apps have failed, counted as those that have ended."""
        return sum(failed for _, failed in self.shards.values()) if self.shards else len(self.failed)

    @property
    def owners_done(self) -> str:
        """Return `12 of 30 profiles and spaces done`; empty for a run without any."""
        wanted = max(self.owners_wanted, len(self.owners_ended))
        return f"{len(self.owners_ended):,} of {wanted:,} profiles and spaces done" if wanted else ""

    def calls_per_second(self) -> float:
        """Return the writes that were answered, per second, of the last few seconds."""
        return self._rate(self._answers, self.started_at)

    def left_s(self) -> float | None:
        """Return about how many seconds are left; None: unknown.

        By the plan's forecast, corrected by how far the run is. Where that knows no durations of earlier runs, what
        this run shows is the better guide, as soon as it shows anything.
        """
        measured_s = self._measured_left_s()
        forecast = self._forecast
        if forecast is not None and (forecast.durations_are_known or measured_s is None):
            return forecast.time_left_s(self.clock() - self._running_since, len(self.ended), self.wanted)
        return measured_s

    def _measured_left_s(self) -> float | None:
        """Go on at the rate at which apps were accepted of late.

        What waits for a quota is left out: nobody knows when there will be room.
        """
        waiting = sum(parked.waiting for parked in self.parked.values())
        unsent = max(self.wanted - len(self.ended) - len(self.starting) - waiting, 0)
        settle_s = self._settle_s
        if not unsent:
            if not self.starting:
                return None
            oldest = next(iter(self.starting.values()))
            return None if settle_s is None else max(settle_s - (self.clock() - oldest), 0.0)
        rate = 0.0 if self._first_accept_at is None else self._rate(self._accepts, self._first_accept_at)
        return unsent / rate + (settle_s or 0.0) if rate else None

    def _rate(self, counts: deque[tuple[int, int]], since: float) -> float:
        now = self.clock()
        first = int(now - RATE_WINDOW_SECONDS)
        while counts and counts[0][0] < first:
            counts.popleft()
        span = min(max(now - since, 1.0), RATE_WINDOW_SECONDS)
        return sum(count for _, count in counts) / span

    def _count(self, counts: deque[tuple[int, int]]) -> None:
        second = int(self.clock())
        if counts and counts[-1][0] == second:
            counts[-1] = (second, counts[-1][1] + 1)
        else:
            counts.append((second, 1))
            if len(counts) > RATE_WINDOW_SECONDS + 1:
                counts.popleft()

    def _name(self, key: AppKey, instance_type: str, training_plan: str = "") -> str:
        place = f"{key.domain}: " if self._with_domain else ""
        if training_plan:
            return f"{place}training-plan/{training_plan}"
        return f"{place}{key.app_type}/{instance_type}" if instance_type else f"{place}{key.app_type}"

    def _group(self, key: AppKey) -> Group:
        return self.groups.setdefault(self._group_of.get(key, ""), Group())

    def _run_started(self, event: events.RunStarted) -> None:
        self.fleet = event.fleet
        self.running = True
        self._running_since = self.clock()
        self.wanted = event.changes

    def _domain_listed(self, event: events.DomainListed) -> None:
        if not self.running:
            self.listed += event.apps

    def _call_answered(self, event: events.CallAnswered) -> None:
        if event.answer == THROTTLED:
            self.throttled += 1
        if event.operation in WRITES:
            self._count(self._answers)

    def _create_started(self, event: events.AppCreateStarted) -> None:
        if event.key in self.ended:  # a replace goes on after its delete
            self.ended.discard(event.key)
            self._group(event.key).ended -= 1

    def _created(self, event: events.AppCreated) -> None:
        now = self.clock()
        self._first_accept_at = now if self._first_accept_at is None else self._first_accept_at
        self._count(self._accepts)
        if event.key not in self.starting:
            self.starting[event.key] = now
            self._group(event.key).starting += 1

    def _fell_back(self, event: events.AppFellBack) -> None:
        group = self._group(event.key)
        if self.starting.pop(event.key, None) is not None:
            group.starting -= 1
        group.wanted -= 1
        name = self._name(event.key, event.to_type)
        self._group_of[event.key] = name
        self.groups.setdefault(name, Group()).wanted += 1

    def _app_ended(self, event: events.AppInService) -> None:  # or any other of _ENDS
        if event.key in self.ended or getattr(event, "action", "") == Action.NONE.value:
            return  # counted already, or nothing was to be done for it
        self.ended.add(event.key)
        group = self._group(event.key)
        group.ended += 1
        began = self.starting.pop(event.key, None)
        if began is None:
            return
        group.starting -= 1
        if isinstance(event, events.AppInService):
            took = self.clock() - began
            before = took if self._settle_s is None else self._settle_s
            self._settle_s = before + _SETTLE_WEIGHT * (took - before)

    def _app_failed(self, event: events.AppFailed) -> None:
        if event.key not in self.failed:
            self.failed.add(event.key)
            self._group(event.key).failed += 1
        self.failures.append(event)
        self._app_ended(event)  # type: ignore[arg-type]  # only the key is read

    def _owner_ended(self, event: events.OwnerSettled) -> None:  # or any other of _OWNER_ENDS
        self.owners_ended.add(event.key)

    def _rate_changed(self, event: events.LaneRateChanged | events.LaneThrottled) -> None:
        if not isinstance(event, events.LaneThrottled) or event.operation in WRITES:
            self.rates[str(event.lane)] = event.rate

    def _shard_progressed(self, event: events.ShardProgressed) -> None:
        self.shards[event.shard] = (event.ended, event.failed)

    def _bucket_parked(self, event: events.BucketParked) -> None:
        self.parked[event.bucket] = Parked(event.waiting, self.clock() + event.delay_s, event.value, event.used)

    def _bucket_opened(self, event: events.BucketReopened | events.BucketEnded) -> None:
        self.parked.pop(event.bucket, None)

    def _canary_awaited(self, event: events.CanaryAwaited) -> None:
        self.canaries.setdefault(event.shape, []).append(event)

    def _canary_over(self, event: events.CanaryPassed | events.CreatesTripped) -> None:
        """Let go of one that was awaited: several accounts and regions may wait for the same shape."""
        waiting = self.canaries.get(event.shape, [])
        key = getattr(event, "key", None)
        own = next((one for one in waiting if one.key == key), waiting[-1] if waiting else None)
        if own is not None:
            waiting.remove(own)

    def _interrupted(self, event: events.RunInterrupted) -> None:
        self.stop_cause = event.cause


_OWNER_ENDS: Final = (events.OwnerSettled, events.OwnerNotUpdated, events.OwnerFailed)
_ENDS: Final = (
    events.AppInService,
    events.AppAdopted,
    events.AppDeleted,
    events.AppParked,
    events.AppStillPending,
    events.AppSkipped,
)
