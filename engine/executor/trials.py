"""Who belongs to which trial in one lane, and what follows from how each of them ends.

A place is given back with whatever ends an operation, and by one that waits for a quota or a delay (`ready`): a canary
that is parked, still pending or taken over holds nobody up for longer than that. Not here: the trials (`trial`).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, cast

from engine.core.change import MAKING, Action
from engine.core.shape import shape_of
from engine.executor.trial import CanaryTrial, KindTrial
from engine.ports.events import CanaryAwaited, CanaryPassed, CreatesTripped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.core.identity import AppKey
    from engine.core.outcome import Outcome
    from engine.core.settings import Tolerance
    from engine.core.shape import Kind, Shape
    from engine.core.trouble import Trouble
    from engine.executor.kinds.apps import AppOperation
    from engine.executor.operation import AnyOperation
    from engine.executor.ready import ReadyQueue
    from engine.executor.trial import ShareTrial, Trial
    from engine.ports.events import Emit
    from engine.ports.journal import Journal


class Trials:
    """The trials of one lane."""

    def __init__(self, ready: ReadyQueue, journal: Journal, wall: Callable[[], float], emit: Emit) -> None:
        self._ready = ready
        self._journal = journal
        self._wall = wall
        self._emit = emit
        self._noted: dict[Shape, bool] = {}

    def enter(
        self,
        apps: Sequence[AppOperation],
        tolerance: Tolerance,
        share: ShareTrial,
        give_up: Callable[[Trial], int],
        *,
        wait: bool,
    ) -> None:
        """Set the trials of a lane's apps up, before any of them is put where it begins.

        `give_up` ends what belongs to a trial; without `wait` nobody sees whether an app of a known kind starts.
        """
        shapes: defaultdict[Shape, list[AppOperation]] = defaultdict(list)
        kinds: defaultdict[Kind, list[AppOperation]] = defaultdict(list)
        for app in apps:
            if app.change.action in MAKING or _starts_as_declared(app):
                app.shape = shape_of(app.lane, app.key.app_type, app.app.spec)
                shapes[app.shape].append(app)
                kinds[app.shape.kind].append(app)
                app.trials = (share,)
        share.tell.append(give_up)
        for shape, members in shapes.items():
            waiting = [one for one in members if one.change.canary is not None]
            if waiting:
                self._join(CanaryTrial(str(shape), {shape}), members, give_up)
                first = waiting[0].change.canary
                self._emit(CanaryAwaited(first or waiting[0].key, str(shape), len(waiting)))
        for kind, members in kinds.items():
            if wait and len(members) > tolerance.failures_max:
                its = {shape for shape in shapes if shape.kind == kind}
                self._join(KindTrial(str(kind), its, failures_max=tolerance.failures_max), members, give_up)

    def _join(self, trial: Trial, members: Iterable[AppOperation], give_up: Callable[[Trial], int]) -> None:
        trial.tell.append(give_up)
        self._ready.hold_for(trial)
        for one in members:
            one.trials += (trial,)
            if one.is_on_its_way:
                trial.on_way.add(one)

    def note(self, ended: AnyOperation, outcome: Outcome, trouble: Trouble) -> None:
        """Take in how an operation ended: let those that wait for it go, or end them."""
        shape = ended.shape
        if shape is not None and ended.in_service:
            self._note(shape, runs=True)
        for trial in ended.trials:
            trial.on_way.discard(ended)
            if trial.trouble is not None:
                continue
            ran = trial.runs
            trial.trouble = trial.judge(ended, outcome, trouble)
            if trial.trouble is not None:
                self._trip(trial, trial.trouble)
                continue
            if trial.is_canary and trial.runs and not ran:
                self._emit(CanaryPassed(cast("AppKey", ended.key), trial.name, self._ready.held_for(trial)))
            self._ready.fill(trial)

    def _trip(self, trial: Trial, why: Trouble) -> None:
        for shape in trial.shapes:
            self._note(shape, runs=False)
        skipped = sum(tell(trial) for tell in trial.tell)
        lane = next((shape.kind.lane for shape in trial.shapes), None)
        self._emit(CreatesTripped(lane, trial.name, skipped, why.code, why.message, why.hint))

    def _note(self, shape: Shape, *, runs: bool) -> None:
        if self._noted.get(shape) is not runs:
            self._noted[shape] = runs
            self._journal.note_shape(shape.id, self._wall(), runs=runs)


def _starts_as_declared(app: AppOperation) -> bool:
    """Whether it is Pending already, as it is declared, and is only awaited."""
    there = app.before if app.change.action is Action.NONE else None
    return there is not None and app.is_as_declared(there)
