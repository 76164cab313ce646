"""One lane of a run: its queue, its gates, its switch, and the one place that acts on the steps of its operations.

Workers bring what a call came to, watchers bring what a look shows. `course` and `retry` say what follows; here it is
carried out: an operation goes back into the queue, to a gate, to a watcher, or to the ledger.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from engine.core.change import Action
from engine.core.errors import BugError, QuotaExceeded
from engine.core.limits import DRAIN_MAX_SECONDS
from engine.core.outcome import INCOMPLETE_OUTCOMES, Outcome
from engine.executor.cause import Cause
from engine.executor.course import Over, after_create, after_gone, after_look, fall_back, left_over, timed_out
from engine.executor.gatekeeper import GateKeeper
from engine.executor.judge import Verdict
from engine.executor.ledger import NOTHING
from engine.executor.operation import CALLED, OBSERVING, Phase
from engine.executor.retry import after_error
from engine.executor.step import Await, Call, End, Gone, Park, Refused, StopLane
from engine.executor.trial import others_wait_for, share_of
from engine.executor.trials import Trials
from engine.executor.troubles import bug_trouble, needs, trouble_of
from engine.ports.events import LaneStopped

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from engine.core.errors import CloudError
    from engine.core.identity import Lane
    from engine.core.observed import ObservedDomain
    from engine.core.settings import Settings
    from engine.core.trouble import Trouble
    from engine.executor.calls import LaneCalls
    from engine.executor.control import Control
    from engine.executor.gate import Gate
    from engine.executor.judge import Looked
    from engine.executor.kinds.apps import AppOperation
    from engine.executor.kinds.owners import OwnerOperation
    from engine.executor.ledger import Ledger
    from engine.executor.operation import AnyOperation, Kind
    from engine.executor.reach import Reach
    from engine.executor.ready import ReadyQueue
    from engine.executor.step import Step
    from engine.executor.trial import ShareTrial, Trial
    from engine.executor.watcher import DomainWatcher
    from engine.ports.events import Emit
    from engine.ports.journal import Journal

    Ending = tuple[AnyOperation, Outcome, Trouble | None]

# What these concern stands there however they end, so what is made in it need not wait for a good end.
_STAYS: Final = frozenset({Action.UPDATE, Action.ADOPT})


@dataclass(slots=True, eq=False, kw_only=True)
class LaneRun:
    """The state of one lane. Everything runs on the event loop, so no step is interrupted by another.

    `draw` gives numbers in [0, 1), `on_bug` is told of exceptions that should not have been, `wait` says whether what
    was accepted is awaited. `watchers` are those of each domain, a kind each. `guard` says why this run has lost the
    right to call anything in the lane, or None while it has it.
    """

    lane: Lane
    fleet: str
    calls: LaneCalls
    ready: ReadyQueue
    control: Control
    ledger: Ledger
    settings: Settings
    journal: Journal
    emit: Emit
    wall: Callable[[], float]
    draw: Callable[[], float]
    wake: asyncio.Event
    on_bug: Callable[[BaseException], None]
    since_boot: Callable[[], float]
    quota_codes: Mapping[str, str]
    wait: bool
    guard: Callable[[], Trouble | None] = lambda: None
    reaches: dict[str, Reach] = field(default_factory=dict)
    in_flight: set[AnyOperation] = field(default_factory=set)
    stopped: Trouble | None = None
    watchers: dict[tuple[str, Kind], DomainWatcher[Any]] = field(default_factory=dict)
    gates: GateKeeper = field(init=False)
    trials: Trials = field(init=False)
    _unmade: dict[Hashable, tuple[Outcome, Trouble]] = field(default_factory=dict)  # how what comes after a key ends

    def __post_init__(self) -> None:
        """Make the lane's gates and trials."""
        self.trials = Trials(self.ready, self.journal, self.wall, self.emit)
        self.gates = GateKeeper(self.ready, self.emit, self.lane.region, self.in_flight, self.quota_codes)

    # The switch.

    def may_call(self) -> bool:
        """Whether a new call may be made in this lane now; notices the deadline, and what the guard finds."""
        if self.control.may_call() and self.stopped is None and (lost := self.guard()) is not None:
            self.stop_lane(lost)
        return not self.is_over

    def may_look(self) -> bool:
        """Whether a read may still be made: during the drain only while something unknown is looked up."""
        return self.stopped is None and self.control.may_look(DRAIN_MAX_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether no new call is made in this lane."""
        return self.stopped is not None or self.control.cause is not None

    def nudge(self) -> None:
        """Wake the dispatcher."""
        self.wake.set()

    # What a call came to, and what a look shows.

    def take_arn(self, operation: AnyOperation, arn: str) -> None:
        """Handle an accepted create."""
        now = self.control.now()
        self.gates.leave(operation, now, accepted=True)
        self.act(operation, after_create(operation, arn, now, wait=self._waits_for(operation)))

    def take_error(self, operation: AnyOperation, error: CloudError) -> None:
        """Handle the error of a call, or of the look before it."""
        now = self.control.now()
        gate: Gate | None = None
        if operation.phase is Phase.CREATE:
            error = operation.as_limit(error)
            if isinstance(error, QuotaExceeded):
                gate = self.gates.refuse(operation, error, now)
            self.gates.leave(operation, now, accepted=False, refused_by=gate)
        step = after_error(operation, self.gates.end_if_never(gate, error), now, self.settings, self.draw())
        self.act(operation, step, gate)

    def take_look(self, looked: Looked) -> None:
        """Handle what a look showed of an operation; the watcher has let go of it."""
        if looked.verdict is Verdict.TIMED_OUT:
            step: Step = timed_out(looked.operation, self._over, self.settings.execution.settle_timeout, looked.error)
        else:
            step = after_look(looked, self.control.now(), self.settings, wait=self._waits_for(looked.operation))
        self.act(looked.operation, step)
        self.nudge()

    def _waits_for(self, operation: AnyOperation) -> bool:
        return self.wait or others_wait_for(operation)

    def note_departures(self, observed: ObservedDomain) -> None:
        """Wake what waits for what apps that a whole scan does not show any more have left."""
        if self.gates.note_departures(self.lane, observed, self.control.now()):
            self.nudge()

    # The steps.

    def act(self, operation: AnyOperation, step: Step, gate: Gate | None = None) -> None:
        """Carry out `step`; `gate` is that of the quota which refused the call that it follows from."""
        if isinstance(step, Call | Await | End) and step.told is not None:
            self.emit(step.told)
        match step:
            case Call(phase, at):
                self._call(operation, phase, at)
            case Await(phase):
                self._await(operation, phase)
            case Park(error):
                self._park(operation, error, gate)
            case Gone():
                self.ready.wake_bucket(operation.freed_scopes, self.control.now())
                for ending in self._let_go(operation.key):  # what may change once nothing runs there
                    self.end(*ending)
                self.act(operation, after_gone(operation))
                self.nudge()
            case Refused(error):
                self.take_error(operation, error)
            case StopLane(trouble):
                self.stop_lane(trouble)
                self.leave_over(operation)
            case End(outcome, trouble):
                self.end(operation, outcome, trouble)
            case _:  # pragma: no cover - there are no others
                raise BugError(f"{step} for {operation.key}")

    def _park(self, operation: AnyOperation, error: QuotaExceeded, gate: Gate | None) -> None:
        if gate is None:  # a call that makes nothing waits at none
            self.end(operation, Outcome.FAILED, trouble_of(error))
        elif self.is_over:
            self.leave_over(operation, gate)
        elif (end := self.end_without(operation)) is not None:
            self.end(operation, *end)
        else:
            self.ready.wait_at(gate, operation)

    def _call(self, operation: AnyOperation, phase: Phase, at: float) -> None:
        operation.phase = phase
        operation.absent_since = None
        if self.is_over:
            self.leave_over(operation)
        elif (end := self.end_without(operation)) is not None:
            self.end(operation, *end)
        elif at > self.control.now():
            self.ready.push_later(operation, at)
        else:
            self.ready.push(operation)

    def _await(self, operation: AnyOperation, phase: Phase) -> None:
        """Hand an operation to its watcher; when the run is over, only unknown outcomes are still looked up."""
        operation.await_from(phase, self.control.now(), self.settings.execution.settle_timeout)
        looks_up = phase in OBSERVING and self.stopped is None and self.control.cause is not Cause.DEADLINE
        if self.is_over and not looks_up:
            self.leave_over(operation)
        else:
            self.watchers[operation.key.domain, operation.kind].watch(operation)

    # The ends.

    def end(self, operation: AnyOperation, outcome: Outcome, trouble: Trouble | None = None) -> None:
        """Write down how an operation ended and give back a place that it held; release or skip what it held up."""
        endings: deque[Ending] = deque([(operation, outcome, trouble)])
        while endings:
            ended, outcome, trouble = endings.popleft()
            self.gates.leave(ended, self.control.now(), accepted=False)
            self.ledger.end(ended, outcome, trouble)
            if ended.shape is not None:
                self.trials.note(ended, outcome, trouble or NOTHING)
                self.nudge()
            if ended.comes_first:
                endings.extend(self._released_by(ended, outcome, trouble))

    def give_up(self, trial: Trial) -> int:
        """Skip what belongs to a trial of which no more are made; return how many waited for a call."""
        trial.on_way.clear()
        why = self._unmade[trial] = (Outcome.SKIPPED, trial.trouble or NOTHING)
        left = self.ready.withdraw(trial)
        for operation in left:
            self.end(operation, *why)
        return len(left)

    def _released_by(self, ended: AnyOperation, outcome: Outcome, trouble: Trouble | None) -> Iterator[Ending]:
        """Release what came after an operation, and yield the ends of what cannot be called without it."""
        if outcome is Outcome.INTERRUPTED:
            self._unmade[ended.key] = (outcome, needs(ended, outcome, trouble))
        elif outcome in INCOMPLETE_OUTCOMES and ended.change.action not in _STAYS:
            self._unmade[ended.key] = (Outcome.SKIPPED, needs(ended, outcome, trouble))
        yield from self._let_go(ended.key)
        self.nudge()

    def _let_go(self, key: Hashable) -> Iterator[Ending]:
        """Let what was held back for `key` be called, and yield the ends of what cannot be: it may wait for more."""
        for operation in self.ready.take_held(key):
            if (end := self.end_without(operation)) is not None:
                yield operation, *end
            else:
                self.ready.push(operation)

    def end_without(self, operation: AnyOperation) -> tuple[Outcome, Trouble] | None:
        """Return the end of an operation whose call would come after what did not end well; None if it may be called.

        What was looked up first, or waited for a delete, was not held back when that ended.
        """
        return next((end for key in operation.after if (end := self._unmade.get(key)) is not None), None)

    def leave_over(self, operation: AnyOperation, gate: Gate | None = None) -> None:
        """End an operation that no call is made for any more; `gate` is the one that it waits at."""
        full = None if gate is None else trouble_of(gate.error)
        self.act(operation, left_over(operation, self._over, self.settings.execution.settle_timeout, full))

    @property
    def _over(self) -> Over:
        return Over(self.control.cause, self.stopped, self.control.signal)

    def drop_waiting(self) -> None:
        """End everything that waits for a call."""
        self.gates.count_waiting()
        for operation, gate in self.ready.drain():
            self.leave_over(operation, gate)

    def drop_awaited(self, *, unknown: bool) -> None:
        """End what is awaited, of unknown outcomes only where `unknown`; owners first, since apps may wait for them."""
        for watcher in sorted(self.watchers.values(), key=lambda watcher: not watcher.kind.holds):
            for operation in watcher.drop(unknown=unknown):
                self.leave_over(operation)

    def bug(self, operation: AnyOperation, bug: BaseException) -> None:
        """End an operation whose handling failed in a way that cannot happen."""
        self.on_bug(bug)
        if operation.phase is not Phase.ENDED:
            operation.cut_off = operation.attempts > 0
            self.end(operation, Outcome.FAILED, bug_trouble(bug))

    def sweep_gates(self, now: float) -> None:
        """End what waits at gates that let nothing through any more, or let it try its next instance type."""
        for operation, error in self.gates.turned_away(now):
            if not error.facts.never_fits:
                self.end(operation, Outcome.PARKED, trouble_of(error))
            elif operation.has_fallback and not operation.is_delete:
                self.act(operation, fall_back(operation, error))
            else:
                self.end(operation, Outcome.FAILED, trouble_of(error))

    def stop_lane(self, trouble: Trouble) -> None:
        """Make no more calls in this lane; what is in flight ends by itself."""
        if self.stopped is None:
            self.stopped = trouble
            self.emit(LaneStopped(self.lane, trouble.code, trouble.message, trouble.hint))
            self.drop_waiting()
            self.drop_awaited(unknown=True)


def place(owners: Sequence[OwnerOperation], apps: Sequence[AppOperation], lanes: Mapping[Lane, LaneRun]) -> None:
    """Put everything where it begins, owners first: from then on what needs one of them waits for it.

    What lies in a lane in which planning found that no call can succeed is ended.
    """
    _set_up_trials(apps, lanes)
    for owner in owners:
        lanes[owner.lane].ready.hold_for(owner.key)
    awaited = {key for owner in owners for key in owner.after}
    for app in apps:
        if app.key in awaited:
            lanes[app.lane].ready.hold_for(app.key)
    canaries_first = sorted(apps, key=lambda app: app.change.canary is not None)
    operations: tuple[AnyOperation, ...] = (*owners, *canaries_first)
    for operation in operations:
        lane = lanes[operation.lane]
        if operation.phase in CALLED:
            lane.ready.push(operation)
        else:
            lane.watchers[operation.key.domain, operation.kind].watch(operation)
    for lane in lanes.values():
        if lane.calls.failed is not None:
            lane.stop_lane(trouble_of(lane.calls.failed))


def _set_up_trials(apps: Sequence[AppOperation], lanes: Mapping[Lane, LaneRun]) -> None:
    """Let each lane know what its apps wait for besides quotas, and all lanes what too many failures are."""
    by_lane: defaultdict[Lane, list[AppOperation]] = defaultdict(list)
    for app in apps:
        by_lane[app.lane].append(app)
    share: ShareTrial | None = None
    for name, its in by_lane.items():
        lane = lanes[name]
        share = share or share_of(lane.settings.tolerance)
        lane.trials.enter(its, lane.settings.tolerance, share, lane.give_up, wait=lane.wait)
