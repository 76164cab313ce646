"""Where each app and owner of a plan begins in a run: its operation and first phase, or its result if none is called.

What an earlier run began and did not end comes first here: a call of which nobody knows whether it was carried out is
looked up before anything is sent for its key, as a lost answer of this run would be.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from engine.core.canaries import in_service
from engine.core.change import DESTROYING, Action, Reason
from engine.core.decision import Guard
from engine.core.desired import holder_of
from engine.core.identity import SPACE, USER, Owner, folded_owner
from engine.core.limits import BEGUN_AT_ONCE_MAX_COUNT, CALL_LATE_MAX_SECONDS, STALE_ROW_MAX_SECONDS
from engine.core.observed import AppStatus
from engine.core.outcome import QUARANTINED, AppResult, Outcome
from engine.core.stages import ordered_steps, owner_ranks
from engine.core.trouble import Trouble
from engine.executor.course import late_max_s
from engine.executor.kinds.apps import AppOperation, first_phase, spec_hash
from engine.executor.kinds.owners import OwnerOperation, first_owner_phase
from engine.executor.operation import Phase
from engine.executor.troubles import QUARANTINE, kept_by_hours, kept_trouble, quarantine_of
from engine.ports.events import AppOutcomeUnknown, AppSkipped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping, Sequence

    from engine.core.change import Change, OwnerChange
    from engine.core.desired import DesiredApp
    from engine.core.errors import AppfleetError
    from engine.core.identity import AppKey
    from engine.core.plan import Plan
    from engine.core.settings import Settings
    from engine.core.stages import Step
    from engine.executor.link import Link
    from engine.executor.operation import AnyOperation
    from engine.ports.events import Emit
    from engine.ports.journal import Journal, Memory, Unfinished

T = TypeVar("T")

UNFINISHED_CODE: Final = "unfinished"
DENIED: Final = Trouble(
    "denied", "the plan was denied, so appfleet made none of its calls", "The findings name rule and line"
)


async def _in_slices(items: Sequence[T]) -> AsyncIterator[T]:
    """Yield `items`, with a turn of the loop between slices of them: it has signals to hear."""
    for first in range(0, len(items), BEGUN_AT_ONCE_MAX_COUNT):
        if first:
            await asyncio.sleep(0)
        for item in items[first : first + BEGUN_AT_ONCE_MAX_COUNT]:
            yield item


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first steps of a run need.

    `now` is the loop's clock, `wall` epoch seconds; `listed_at` is the wall clock when the listing of the plan began.
    """

    links: Mapping[str, Link]
    settings: Settings
    memory: Memory
    journal: Journal
    listing_errors: Mapping[str, AppfleetError]
    now: Callable[[], float]
    wall: Callable[[], float]
    listed_at: float
    emit: Emit

    async def operations(
        self, plan: Plan, weight: Callable[[DesiredApp], float], *, wait: bool
    ) -> tuple[list[OwnerOperation], list[AppOperation], list[AppResult]]:
        """Return the owners and apps that have to be worked on, and the results of all other apps."""
        steps = ordered_steps(plan, weight)
        operations: list[AppOperation] = []
        results: list[AppResult] = []
        if plan.denied:
            for result in map(_denied, plan.changes):
                results.append(result)
                self._skipped(result, DENIED)
        else:
            operations += [self._operation(step.rank, step.change) async for step in _in_slices(steps)]
        self._note_shapes(plan.decisions)
        unadopted = {finding.key for finding in plan.findings if finding.rule == Guard.ADOPTION.value}
        opens = {line.hours: line.local for line in plan.hours}
        async for change in _in_slices(plan.decisions):
            if change.action is not Action.NONE or change.after is None:
                continue
            if change.reason is Reason.PENDING and wait:
                operation = self._operation(len(operations), change)
                operation.prior = None  # what is Pending is the very app that is awaited
                operation.was_unseen = self._is_unseen(change, operation.spec_hash)
                self._settle_from_now(operation)
                operations.append(operation)
            else:
                adopts = bool(unadopted) and str(change.key) in unadopted
                results.append(self._kept(change, opens, adopts=adopts))
        return self._owner_operations(plan, steps), operations, results

    def _note_shapes(self, decisions: Iterable[Change]) -> None:
        """Remember which shapes run here, of which nothing was known: the next run may find none of their apps."""
        lanes = {name: link.lane for name, link in self.links.items()}
        for shape in dict.fromkeys(in_service(decisions, lanes)):
            if shape.id not in self.memory.shapes:
                self.journal.note_shape(shape.id, self.wall(), runs=True)

    def _owner_operations(self, plan: Plan, steps: Sequence[Step]) -> list[OwnerOperation]:
        """Return an operation for each owner of `plan`, each ranked with the first app that needs it."""
        if plan.denied or not plan.owners:
            return []
        ranks = owner_ranks(plan, steps)
        leaving = Leaving(plan)
        operations = []
        for change in plan.owners:
            operation = OwnerOperation(
                ranks[change.owner],
                change,
                self.links[change.owner.domain].lane,
                first_owner_phase(change),
                after=leaving.before(change),
            )
            if operation.phase is not Phase.SETTLE_CREATE:
                operation.prior = change.before  # what is Pending is the very owner that is awaited
            self._settle_from_now(operation)
            left = self.memory.unfinished.get(change.owner)
            if left is not None:
                begin_in_doubt(operation, left, self.now(), self.wall(), self.settings)
            operations.append(operation)
        return operations

    def _operation(self, rank: int, change: Change) -> AppOperation:
        lane = self.links[change.key.domain].lane
        operation = AppOperation(rank, change, lane, first_phase(change), prior=change.before)
        left = self.memory.unfinished.get(change.key)
        if left is not None:
            operation.owed = left.owed
            if begin_in_doubt(operation, left, self.now(), self.wall(), self.settings):
                self._tell(operation, left)
        if operation.phase in (Phase.AWAIT_DELETING, Phase.AWAIT_PENDING):
            self._settle_from_now(operation)
        return operation

    def _is_unseen(self, change: Change, spec_hash: str) -> bool:
        """Whether an earlier run made the very app of the row, as it is declared now, and did not wait for it."""
        left, row = self.memory.unseen.get(change.key), change.before
        if left is None or row is None or left.spec_hash != spec_hash:
            return False
        return left.may_be(row.created_at)

    def _settle_from_now(self, operation: AnyOperation) -> None:
        operation.accepted_at = self.now()
        operation.settle_until = operation.accepted_at + self.settings.execution.settle_timeout

    def _tell(self, operation: AppOperation, left: Unfinished) -> None:
        message = f"an earlier run ended before it knew the result of its {left.operation}"
        self.emit(AppOutcomeUnknown(operation.key, operation.attempts, UNFINISHED_CODE, message, ""))

    def _kept(self, change: Change, opens: Mapping[str, str], *, adopts: bool) -> AppResult:
        runs, _ = self.memory.failures.get(change.key, (0, ""))
        last = self.memory.last_failures.get(change.key)
        quarantine = quarantine_of(runs, last) if runs else QUARANTINE
        error = self.listing_errors.get(change.key.domain)
        trouble = kept_trouble(change, error, quarantine, adopts=adopts)
        outcome = Outcome.UNCHANGED
        if trouble is not None:
            outcome = Outcome.DENIED if change.reason is Reason.DENIED else Outcome.SKIPPED
        hours = kept_by_hours(change, opens)
        trouble = trouble or hours
        seen = change.before.spec.instance_type if change.before is not None else None
        result = AppResult(change.key, change.action, outcome, instance_type=seen or "", error=trouble)
        self._remember_kept(change, result)
        if trouble is not None and trouble is not hours:
            quarantined = trouble.code == QUARANTINED
            run = last.run_id if quarantined and last is not None else ""
            self._skipped(result, trouble, runs if quarantined else None, run)
        return result

    def _skipped(self, result: AppResult, trouble: Trouble, runs: int | None = None, last_run: str = "") -> None:
        """Log an app that is not as declared and for which nothing is called."""
        texts = (trouble.code, trouble.message, trouble.hint)
        self.emit(AppSkipped(result.key, *texts, Action.NONE.value, runs, last_run))

    def _remember_kept(self, change: Change, result: AppResult) -> None:
        """Record in the journal what a row shows today and will not show forever.

        A row that shows that an app of mode once was made vanishes; an app that is in service has not failed, and
        ends what an earlier run began.
        """
        once = change.reason is Reason.DONE_ONCE and change.key not in self.memory.once_done
        is_told = change.key in self.memory.failures or change.key in self.memory.unseen
        well = change.reason in (Reason.IN_SYNC, Reason.DRIFT, Reason.NEXT_WAVE) and is_told
        if once or well or self._ends_unfinished(change):
            left = None if self._ends_unfinished(change) else self.memory.unfinished.get(change.key)
            self.journal.conclude(
                result,
                spec_hash(change.after),
                self.wall(),
                once=once,
                counts_as_failure=False,
                in_doubt=left is not None and left.in_doubt,
                owed=left is not None and left.owed,
            )

    def _ends_unfinished(self, change: Change) -> bool:
        """Whether the row is that of the app which an earlier run was making, or no call can be under way any more."""
        left, row = self.memory.unfinished.get(change.key), change.before
        if left is None or row is None or row.status is not AppStatus.IN_SERVICE:
            return False
        # A late call may be carried out after the listing, and a listing may show what was there before.
        settled_s = CALL_LATE_MAX_SECONDS + STALE_ROW_MAX_SECONDS
        return row.created_at >= left.at or self.listed_at - left.at > settled_s


def begin_in_doubt(operation: AnyOperation, left: Unfinished, now: float, wall: float, settings: Settings) -> bool:
    """Start an operation by finding out what became of an earlier run's call; return whether it does.

    `now` is the loop's clock, `wall` epoch seconds. The first look waits until `first_after` has passed since the call.
    """
    if not left.in_doubt:
        return False
    creating = left.operation.startswith("Create")
    match operation.phase:
        case Phase.CREATE:
            operation.phase, operation.ours = Phase.OBSERVE_CREATE, creating
            operation.sent_wall = left.at
        case Phase.AWAIT_DELETING:
            operation.ours, operation.sent_wall = creating, left.at
        case Phase.DELETE if left.operation.startswith("Delete"):
            operation.phase = Phase.OBSERVE_DELETE
        case Phase.UPDATE if left.is_update:
            operation.phase = Phase.OBSERVE_UPDATE
        case _:
            return False
    passed_s = max(0.0, wall - left.at)
    operation.unknown_at = now - min(passed_s, settings.observe.first_after)
    operation.doubt_until = now + late_max_s(settings.observe) - passed_s
    return True


def _denied(change: Change) -> AppResult:
    return AppResult(change.key, change.action, Outcome.DENIED, error=DENIED)


class Leaving:
    """What a plan takes away, by the owner that it is in: gathered once for all owners."""

    def __init__(self, plan: Plan) -> None:
        self._stopping: defaultdict[Owner, list[AppKey]] = defaultdict(list)
        self._going: defaultdict[Owner, list[Hashable]] = defaultdict(list)  # by the folded owner
        for app in plan.changes:
            if app.action in DESTROYING:
                self._stopping[app.key.owner_key].append(app.key)
            if app.action is Action.DELETE:
                self._going[folded_owner(app.key.owner_key)].append(app.key)
        for change in plan.owners:
            space = change.owner
            if space.kind == SPACE and change.action is Action.DELETE and change.before is not None:
                self._going[folded_owner(Owner(space.domain, USER, change.before.owner_user))].append(space)

    def before(self, change: OwnerChange) -> tuple[Hashable, ...]:
        """Name what comes first: a new space's profile; all in what goes; what stops in a space to be updated.

        A volume changes only while no app runs.
        """
        if change.action is Action.UPDATE:
            return tuple(self._stopping[change.owner]) if change.owner.kind == SPACE else ()
        if change.action is Action.ADOPT:
            return ()
        if change.action is not Action.DELETE:
            holder = None if change.after is None else holder_of(change.after)
            return () if holder is None else (holder,)
        return tuple(self._going[folded_owner(change.owner)])
