"""Safety of canaries and of what fails alike: who may be sent beside whom, and that nothing healthy is given up.

Shapes are those of the declared apps. Whether one runs is judged by the world, whether one failed by what the run was
told. A call that waits for a quota or a delay is not on its way, and neither is an app that has left the world.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from engine.core.change import MAKING, Reason
from engine.core.drift import differing_fields
from engine.core.errors import AccessDenied, InUse, OutcomeUnknown, Rejected
from engine.core.outcome import Outcome
from engine.core.service_errors import failure_from_reason
from engine.core.shape import shape_of
from engine.ports.events import (
    AppAdopted,
    AppFailed,
    AppInService,
    AppParked,
    AppRetried,
    AppSkipped,
    AppStillPending,
    CreatesTripped,
)
from engine.simulator.world.records import PENDING

if TYPE_CHECKING:
    from engine.core.change import Change
    from engine.core.errors import CloudError
    from engine.core.identity import AppKey, Lane
    from engine.core.outcome import ApplyReport
    from engine.core.shape import Kind, Shape
    from engine.ports.events import Event
    from engine.simulator.world.records import AppId
    from tests.simulation.calls import Call
    from tests.simulation.watch import Watch

TRIPPED: Final = "tripped"
INTERNAL: Final = "InternalFailure"
NOT_OF_THE_SHAPE: Final = frozenset(
    {"EC2InsufficientCapacityError", "ResourceLimitExceeded", "ThrottlingException", "unknown", "conflict"}
)
EVERYTHING: Final = (None, "all apps of this run")
ENDS: Final = (AppAdopted, AppFailed, AppInService, AppParked, AppRetried, AppSkipped, AppStillPending)


class TrialWatch:
    """What one run sends of each shape, and what came of it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._shapes: dict[AppId, Shape] = {}
        self._ids: dict[AppKey, AppId] = {}
        self._on_way: set[AppId] = set()
        self._unproven: set[Shape] = set()
        self._awaited: set[Kind] = set()  # of which an app was Pending at the plan: no event tells of its end
        self._unlike: set[AppId] = set()  # Pending otherwise than declared: what comes of it says nothing of the shape
        self._failed: set[Shape] = set()
        self._tripped: set[tuple[Lane | None, str]] = set()
        self._made = self._unwell = 0
        self._streaks: defaultdict[Kind, Counter[str]] = defaultdict(Counter)
        self._run: set[Kind] = set()
        self._told: dict[AppId, CloudError] = {}

    def planned(self, changes: dict[AppId, Change]) -> None:
        """Take in what is made."""
        lanes = self._watch.scenario.lanes
        for key, change in changes.items():
            if change.after is None:
                continue
            shape = shape_of(lanes[change.key.domain], change.key.app_type, change.after.spec)
            if change.reason is Reason.PENDING:
                self._awaited.add(shape.kind)
                if change.before is not None and differing_fields(change.after, change.before.spec):
                    self._unlike.add(key)
            if change.action in MAKING or change.reason is Reason.PENDING:
                self._shapes[key] = shape
                self._ids[change.key] = key
            if change.canary is not None:
                self._unproven.add(shape)
                self._watch.seen.add("plan: waits for a canary")

    def sending(self, key: AppId) -> None:
        """Check a CreateApp, or the DeleteApp of a replace, that leaves."""
        shape = self._shapes.get(key)
        if shape is None:
            return
        beside = [other for other in self._on_way if other != key and self._shapes[other].kind == shape.kind]
        alive = [other for other in beside if self._is_alive(other)]
        if shape in self._unproven and not self._runs(shape):
            others = [other for other in alive if self._shapes[other] == shape]
            if others:
                self._watch.violation(f"{key} is sent beside {others[0]}, and no app of its shape is in service")
            if shape in self._failed:
                self._watch.violation(f"{key} is sent although the first app of its shape failed")
        lane = shape.kind.lane
        if self._tripped & {(lane, str(shape)), (lane, str(shape.kind)), EVERYTHING}:
            self._watch.violation(f"{key} is sent although creates of it were given up")
        self._check_places(key, shape.kind, len(alive))
        self._on_way.add(key)

    def _check_places(self, key: AppId, kind: Kind, beside: int) -> None:
        failures_max = self._watch.scenario.settings.tolerance.failures_max
        members = sum(shape.kind == kind for shape in self._shapes.values())
        if kind in self._awaited or members <= failures_max or not self._watch.waits:
            return
        failed = max(self._streaks[kind].values(), default=0)
        if kind not in self._run and beside + failed >= failures_max:
            self._watch.violation(f"{key} is sent beside {beside} of its kind, after {failed} failures in a row")

    def _is_alive(self, key: AppId) -> bool:
        app = self._watch.world.apps.get(key)
        under_way = self._watch.is_writing(key)
        return under_way or (app is not None and app.status == PENDING and app in self._watch.made[key])

    def _runs(self, shape: Shape) -> bool:
        world = self._watch.world
        members = [key for key, its in self._shapes.items() if its == shape]
        apps = [app for key in members for app in (*self._watch.made[key], world.apps.get(key))]
        return any(app is not None and world.was_in_service(app) for app in apps)

    def answered(self, call: Call, key: AppId, error: CloudError | None, failure_reason: str) -> None:
        """Take in what a create was answered, and why an app failed."""
        if failure_reason:
            self._told[key] = failure_from_reason(failure_reason)
        if call.operation != "CreateApp" or error is None or isinstance(error, OutcomeUnknown | InUse):
            return
        self._on_way.discard(key)
        if isinstance(error, Rejected | AccessDenied):
            self._told[key] = error

    def heard(self, event: Event) -> None:
        """Take in how an operation goes on."""
        if isinstance(event, CreatesTripped):
            self._tripped.add((event.lane, event.shape))
            allowed = self._watch.scenario.settings.tolerance.failure_share_max * (self._unwell + self._made)
            if event.lane is None and self._unwell <= allowed:
                self._watch.violation(f"all was given up after {self._unwell} failures beside {self._made} creates")
        if not isinstance(event, ENDS) or event.key not in self._ids:
            return
        key = self._ids[event.key]
        shape = self._shapes[key]
        self._on_way.discard(key)
        self._made += isinstance(event, AppInService | AppAdopted)
        self._unwell += isinstance(event, AppFailed) and event.code not in NOT_OF_THE_SHAPE
        if isinstance(event, AppInService | AppAdopted):
            self._run.add(shape.kind)
            self._streaks[shape.kind].clear()
        elif isinstance(event, AppFailed) and isinstance(told := self._told.get(key), Rejected | AccessDenied):
            if event.code != told.service_code:
                return
            self._streaks[shape.kind][event.code] += 1
            was_made = isinstance(told, Rejected) and told.message.startswith("The app was accepted")
            if was_made and key not in self._unlike and event.code != INTERNAL and not self._runs(shape):
                self._failed.add(shape)

    def check_report(self, report: ApplyReport) -> None:
        """Check that what was given up as failing has failed."""
        results = [(result, self._shapes[self._ids[result.key]]) for result in report.apps if result.key in self._ids]
        failed = {
            shape.kind
            for result, shape in results
            if result.outcome is Outcome.FAILED and result.error is not None
            if result.error.code not in NOT_OF_THE_SHAPE
        }
        for result, shape in results:
            given_up = result.error is not None and result.error.code == TRIPPED
            if given_up and shape.kind not in failed and EVERYTHING not in self._tripped:
                self._watch.violation(f"{result.key} was given up, and none of its kind failed")
