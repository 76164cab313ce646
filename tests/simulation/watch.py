"""Safety, checked at every call: what may never be done, judged by what the executor was told and by what is there.

The watch stands at the cloud port. It knows the world, which the executor does not, and the answers that were
delivered, which is all that the executor may act upon. A violation is noted, and the night is over.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

from engine.core.change import Action, Reason
from engine.core.errors import (
    CredentialsFailed,
    NoCapacity,
    OutcomeUnknown,
    QuotaExceeded,
    StorageNotReady,
    Throttled,
    TlsFailed,
    Unreachable,
)
from engine.core.limits import DRAIN_MAX_SECONDS, LOOK_BEFORE_CHANGE_MAX_SECONDS
from engine.core.service_errors import failure_from_reason
from engine.executor.begin import UNFINISHED_CODE
from engine.executor.cause import Cause
from engine.ports.events import AppOutcomeUnknown, Event, LaneStopped, LaneThrottled
from engine.simulator.world.records import App
from tests.simulation.fleet_maker import FLEET_NAME, FLEET_TAG
from tests.simulation.guard_watch import GuardWatch
from tests.simulation.hours_watch import HoursWatch
from tests.simulation.late_watch import LateWatch
from tests.simulation.owner_watch import OWNER_WRITES, OwnerWatch
from tests.simulation.plan_watch import PlanWatch
from tests.simulation.quota_watch import QuotaWatch
from tests.simulation.rate_watch import RateWatch
from tests.simulation.sign_in_watch import ASSIGN, BESIDE, SignInWatch
from tests.simulation.sim_cloud import Call, key_of
from tests.simulation.trial_watch import TrialWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.change import Change
    from engine.core.errors import CloudError
    from engine.core.identity import AppKey, Lane
    from engine.core.plan import Plan
    from engine.executor.fleet_run import FleetRun
    from engine.simulator.world.records import AppId
    from tests.simulation.memory_journal import MemoryJournal
    from tests.simulation.scenario import Scenario
    from tests.simulation.virtual_loop import VirtualLoop

HOPELESS: Final = (CredentialsFailed, TlsFailed)  # named here: the product's own mark of them may be what is wrong
TRACE_MAX_LINES: Final = 4_000
HIDDEN_AGAIN_AFTER_SECONDS: Final = 120.0  # a row that one listing left out is not left out by the next ones
WRITES: Final = frozenset({"CreateApp", "DeleteApp", "AddTags", ASSIGN}) | OWNER_WRITES
TICK: Final = 1e-6


class Watch:
    """What one night's calls are checked against; one for all runs of the night."""

    def __init__(self, scenario: Scenario, epoch: float) -> None:
        self.scenario = scenario
        self.world = scenario.world
        self.violations: list[str] = []
        self.trace: deque[str] = deque(maxlen=TRACE_MAX_LINES)
        self.dead = False
        self.seen: set[str] = set()  # what happened in the night, by name
        self.runs = 0
        self.on_read: Callable[[int], None] = lambda _: None
        self.hidden_at: dict[AppId, float] = {}
        self.late = LateWatch(self)
        self.faults_of_calls: Counter[str] = Counter()
        self._epoch = epoch
        self._loop: VirtualLoop | None = None
        self._ids: dict[AppId, AppKey] = {}
        domains = {domain.domain_id: domain.name for domain in scenario.fleet.domains}
        self._domain_names = domains
        self.world.on_departure = self._departed
        self.lock_lost_at = float("inf")

    def begin(self, loop: VirtualLoop, run: FleetRun, journal: MemoryJournal) -> None:
        """Watch the next run."""
        self.runs += 1
        self._loop = loop
        self.run = run
        self.journal = journal
        self.began_at = loop.time()
        self.began_wall = self.wall()
        self.dead = False
        self.reads = 0
        self.waits = True  # for what was accepted
        self.phase = "observe"
        self.plan: Plan | None = None
        self.changes: dict[AppId, Change] = {}
        self.made: defaultdict[AppId, list[App]] = defaultdict(list)
        self.unknown: Counter[AppId] = Counter()
        self.refused: Counter[AppId] = Counter()
        self._unknown_since: dict[AppId, tuple[float, App | None]] = {}  # with what stood there then
        self.events: Counter[str] = Counter()
        self.stopped_lanes: dict[Lane, float] = {}
        self._in_flight: Counter[Lane] = Counter()
        self._writing: dict[AppId, Call] = {}
        self._seen: dict[AppId, Any] = {}  # what DescribeApp last showed, until the delete that follows it
        self.late.begin()
        self._hopeless_lanes: set[Lane] = set()
        self._unheard: dict[Lane, float] = {}  # a throttled create that the throttle has to answer
        self.quotas = QuotaWatch(self)
        self.plans = PlanWatch(self)
        self.guards = GuardWatch(self)
        self.hours = HoursWatch(self)
        awaited = self.owners.awaited if self.runs > 1 else frozenset()
        self.owners: OwnerWatch = OwnerWatch(
            self, {name: domain_id for domain_id, name in self._domain_names.items()}, awaited
        )
        self.sign_in = SignInWatch(self)
        self.trials = TrialWatch(self)
        self.rates = RateWatch(self)
        self.say("run", f"begins, {self.world.now:.1f}")

    def planned(self, plan: Plan) -> None:
        """Take in what will be done."""
        self.phase = "apply"
        self.plan = plan
        self.owners.planned(plan)
        self.guards.planned(plan)
        ids = {name: domain_id for domain_id, name in self._domain_names.items()}
        for change in plan.decisions:
            key = change.key
            owner = key.owner.lower() if key.owner_kind == "user" else key.owner
            self.changes[key_of_parts(ids[key.domain], key.owner_kind, owner, key.app_type, key.app_name)] = change
        self.hours.planned()
        self.trials.planned(self.changes)

    def plan_begins(self) -> float:
        """Return the time by which the plan of this run judges what ends, in epoch seconds."""
        self.planned_at_wall = self.wall()
        return self.planned_at_wall

    def now(self) -> float:
        """Return the loop's time."""
        assert self._loop is not None
        return self._loop.time()

    def pass_time(self, seconds: float) -> None:
        """Let time pass while the process does nothing."""
        assert self._loop is not None
        self._loop.start_at(self.now() + seconds)

    def wall(self) -> float:
        """Return epoch seconds."""
        return self.wall_of(self.now())

    def wall_of(self, at: float) -> float:
        """Return a time of the loop in epoch seconds."""
        return self._epoch + at

    def say(self, *words: object) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.now():10.3f}  " + " ".join(map(str, words)))

    def violation(self, text: str) -> None:
        """Note that a promise was broken."""
        self.say("VIOLATION", text)
        self.violations.append(f"at {self.now():.3f} s: {text}")

    def emit(self, event: Event) -> None:
        """Take in an event of the run."""
        if self.dead:
            return
        self.events[event.name] += 1
        self.seen.add(event.name)
        if isinstance(event, AppOutcomeUnknown) and event.code == UNFINISHED_CODE:
            self.seen.add("app begun in doubt")
        if event.name != "call.answered":
            self.say(event.name, " ".join(f"{k}={v}" for k, v in event.facts().items() if k != "hint"))
        if isinstance(event, LaneStopped):
            self.stopped_lanes[event.lane] = self.now()
        elif isinstance(event, LaneThrottled) and event.operation == "CreateApp":
            self._unheard.pop(event.lane, None)
            self.rates.cut_at[event.lane] = self.now()
        self.quotas.heard(event)
        self.trials.heard(event)

    def is_writing(self, key: AppId) -> bool:
        """Whether a write of an app is under way."""
        return key in self._writing

    def on_bug(self, bug: BaseException) -> None:
        """Take in what the executor calls a bug of its own."""
        if not self.dead:
            self.violation(f"a bug: {bug!r}")

    def may_hide(self, key: AppId) -> bool:
        """Whether a listing may leave this row out now: never twice within some time, by a fault or because it lags."""
        app, lag = self.world.apps.get(key), self.world.lag_max_s
        if lag and app is not None and self.wall() - app.created_at < lag + HIDDEN_AGAIN_AFTER_SECONDS:
            return False
        if self.now() - self.hidden_at.get(key, float("-inf")) < HIDDEN_AGAIN_AFTER_SECONDS:
            return False
        self.hidden_at[key] = self.quotas.departure_seen_at = self.now()
        self.say("hidden", key)
        return True

    def made_app(self, key: AppId, app: App, run: int) -> None:
        """Take in that a CreateApp of ours was carried out; of an earlier run it is nothing that this one did."""
        self.say("carried out: CreateApp", key, app.spec.instance_type)
        self.late.made[key].append(app)
        self.plans.made(app)
        if run == self.runs:
            self.made[key].append(app)

    # A call leaves.

    def sending(self, call: Call) -> None:
        """Check a call that is about to leave."""
        key = key_of(call.app) if call.app is not None else None
        what = key or call.owner or call.domain_id
        self.say("->", call.operation, what, call.spec.instance_type if call.spec else "")
        self._check_may_call(call)
        self.guards.sending(call.operation, what)
        if self.phase == "observe":
            self.reads += 1
            self.on_read(self.reads)
        self.sign_in.sending(call)
        if call.operation in BESIDE:
            return
        self._in_flight[call.lane] += 1
        limit = self.scenario.settings.execution.concurrency
        if self._in_flight[call.lane] > limit:
            self.violation(f"{self._in_flight[call.lane]} calls in flight in {call.lane}; {limit} are allowed")
        self.rates.sending(call)
        self.owners.sending(call)
        if call.operation == "AddTags":
            self._check_adoption(call)
        if key is None or call.operation not in WRITES:
            return
        if key in self._writing:
            self.violation(f"{call.operation} of {key} while {self._writing[key].operation} of it is under way")
        self.trials.sending(key)
        self._writing[key] = call
        if call.operation == "CreateApp":
            self._check_create(call, key)
            self.owners.check_app(key)
            self.quotas.sending(call, key)
            self.plans.sending(call, key)
        else:
            self._check_delete(key)

    def _check_may_call(self, call: Call) -> None:
        control, now = self.run.control, self.now()
        if now >= control.deadline_at:
            self.violation(f"{call.operation} at {now - control.deadline_at:.3f} s after the deadline")
        if now >= self.lock_lost_at and call.operation in WRITES:
            self.violation(f"{call.operation} at {now - self.lock_lost_at:.3f} s after the lock was lost")
        if control.aborted.is_set():
            self.violation(f"{call.operation} after the second signal")
        if control.cause is not None:
            is_look = call.operation not in WRITES
            drains = self.phase == "apply" and control.cause is not Cause.DEADLINE
            if not (is_look and drains and now <= control.stopped_at + DRAIN_MAX_SECONDS):
                self.violation(f"{call.operation} after the run was stopped ({control.cause})")
        if self.phase == "apply" and call.lane in self._hopeless_lanes:
            self.violation(f"{call.operation} in {call.lane} after a call that says that none can succeed")

    def _check_create(self, call: Call, key: AppId) -> None:
        change = self.changes.get(key)
        if self.phase != "apply" or change is None:
            self.violation(f"CreateApp of {key}, which nothing asks for")
            return
        if change.action not in (Action.CREATE, Action.DELETE_THEN_CREATE):
            self.violation(f"CreateApp of {key}, of which the plan says {change.action}")
        self._check_gone(key, change)
        self.hours.creating(key, change)
        if call.spec is not None and change.after is not None:
            allowed = (change.after.spec.instance_type, *change.after.fallback)
            if call.spec.instance_type not in allowed:
                self.violation(f"CreateApp of {key} on {call.spec.instance_type}, declared is {allowed}")
        found = self.world.apps.get(key)
        since, stood = self._unknown_since.pop(key, (float("-inf"), None))
        observe = self.scenario.settings.observe
        shows_nothing = found is stood and (found is None or not found.is_alive)
        if shows_nothing and self.now() < since + observe.first_after + observe.second_after - TICK:
            self.violation(f"CreateApp of {key} {self.now() - since:.1f} s after one of unknown outcome")
        self.late.check_doubt(key, change)
        if found is not None and found.is_alive and found.tags.get(FLEET_TAG) == FLEET_NAME:
            if self.late.could_not_know(key, change, found):
                return
            self.violation(f"CreateApp of {key}, which is {found.status} because of an earlier CreateApp of ours")

    def stands_as_planned(self, key: AppId, change: Change) -> bool:
        """Whether the generation that the plan saw is still alive, and no listing has hidden it."""
        found, before = self.world.apps.get(key), change.before
        if found is None or before is None or not found.is_alive or found.created_at != before.created_at:
            return False
        return self.hidden_at.get(key, float("-inf")) < self.began_at

    def _check_gone(self, key: AppId, change: Change) -> None:
        """Check that what a create comes after is gone: what it replaces, and what was Deleting at the plan."""
        if not self.stands_as_planned(key, change):
            return
        if change.action is Action.DELETE_THEN_CREATE:
            self.violation(f"CreateApp of {key} before what it replaces was gone")
        elif change.reason is Reason.DELETING:
            self.violation(f"CreateApp of {key} before its delete has settled")

    def _check_adoption(self, call: Call) -> None:
        app = self.world.by_arn.get(call.arn.lower())
        change = None if not isinstance(app, App) else self.changes.get(app.key)
        if not isinstance(app, App) or change is None or change.action is not Action.ADOPT:
            self.violation(f"AddTags of {call.arn}, which the plan does not adopt")
        elif app.tags.get(FLEET_TAG, FLEET_NAME) != FLEET_NAME:
            self.violation(f"AddTags of {app.key}, which is another fleet's")

    def _check_delete(self, key: AppId) -> None:
        change = self.changes.get(key)
        if change is None or change.action not in (Action.DELETE, Action.DELETE_THEN_CREATE) or change.before is None:
            self.violation(f"DeleteApp of {key}, which the plan does not delete")
            return
        if change.key not in self.journal.durable:
            self.violation(f"DeleteApp of {key} without a durable intent")
        seen = self._seen.pop(key, None)
        old_s = self.late.asked_s_ago(key)
        if seen is None:
            self.violation(f"DeleteApp of {key}, which was not read just before")
        elif old_s > LOOK_BEFORE_CHANGE_MAX_SECONDS + TICK:
            self.violation(f"DeleteApp of {key}, which was read {old_s:.1f} s ago")
        elif seen.row.created_at != change.before.created_at:
            self.violation(f"DeleteApp of {key}, whose generation is not the plan's")
        elif seen.row.spec != change.before.spec:
            self.violation(f"DeleteApp of {key}, whose spec is not the plan's")
        else:
            self.guards.check_delete(key, seen)
        self.hours.deleting(key, change, old_s)
        found = self.world.apps.get(key)
        same = found is not None and found.created_at == change.before.created_at
        if found is not None and same and found.tags.get(FLEET_TAG) != FLEET_NAME:
            self.violation(f"DeleteApp of {key}, which is not ours")

    # A call comes back.

    def answered(self, call: Call, answer: Any, error: CloudError | None) -> None:
        """Take in what the executor is about to be told."""
        key = key_of(call.app) if call.app is not None else None
        said = "ok" if error is None else f"{error.code} {error.message}"
        self.say("<-", call.operation, key or call.owner or call.domain_id, said)
        if call.operation not in BESIDE:
            self._answered(call, key, answer, error)

    def _answered(  # noqa: C901 - one look a fact
        self, call: Call, key: AppId | None, answer: Any, error: CloudError | None
    ) -> None:
        self._in_flight[call.lane] -= 1
        if error is not None:
            self.faults_of_calls[error.code] += 1
        if isinstance(error, HOPELESS) and self.phase == "apply":
            self._hopeless_lanes.add(call.lane)
        self.owners.answered(call, answer, error)
        self.quotas.heard_of_others(call, key, error)
        self.rates.answered(call, error)
        self.plans.answered(call, answer, error)
        if key is None:
            return
        if call.operation == "DescribeApp":
            self._seen[key] = answer
            self.late.asked_at[key] = call.sent_at
            self.guards.described(key, answer)
            if answer is not None and answer.failure_reason:
                self._reason_seen(call, key, failure_from_reason(answer.failure_reason))
        self.trials.answered(call, key, error, getattr(answer, "failure_reason", ""))
        if call.operation not in WRITES:
            return
        del self._writing[key]
        if isinstance(error, OutcomeUnknown):
            self.unknown[key] += 1
            stands = self.world.apps.get(key)
            carried_out = stands is not None and stands.created_at >= self._epoch + call.sent_at - 0.01
            if call.operation == "CreateApp" and not carried_out:
                self._unknown_since[key] = (self.now(), stands)
        if isinstance(error, QuotaExceeded):
            self.refused[key] += 1
        if call.operation == "CreateApp":
            self.quotas.answered(call, key, error, went_through=error is None and answer is not None)
            if isinstance(error, Throttled | StorageNotReady | Unreachable):  # it did not get as far as the name
                self.late.refused(key)
            if isinstance(error, Throttled) and call.sent_at > self.rates.cut_at[call.lane]:
                self._unheard.setdefault(call.lane, self.now())

    def _reason_seen(self, call: Call, key: AppId, error: CloudError) -> None:
        if isinstance(error, QuotaExceeded):
            self.refused[key] += 1
            self.quotas.late_refusal(call, key, error)
        elif isinstance(error, NoCapacity):
            self.refused[key] += 1
            self.quotas.late_want(call, key)

    def _departed(self, app: App) -> None:
        if self._loop is not None:
            self.quotas.departed(app)

    def check_throttle_listens(self) -> None:
        """Check that each burst of throttled creates was answered by a slower rate."""
        for lane, since in self._unheard.items():
            if self.now() > since + TICK:
                self.violation(f"{lane} was throttled at {since:.3f} s and did not slow down")


def key_of_parts(domain_id: str, kind: Any, owner: str, app_type: str, app_name: str) -> AppId:
    """Return the world's key."""
    from engine.simulator.world.records import app_id

    return app_id(domain_id, kind, owner, app_type, app_name)
