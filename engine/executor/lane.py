"""One lane at work: a dispatcher that takes the throttle, and a bounded number of workers that make the calls.

The dispatcher alone decides what is called next and when; workers make one call and hand its answer to `settlement`.
What waits (for a delay, a quota, a scan) is data in a queue and holds no worker.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.errors import AlreadyGone, CloudError, NotFound
from engine.core.observed import AppStatus, Ownership
from engine.core.outcome import Outcome
from engine.executor.adoption import FLEET_TAG, Adopter
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.executor.judge import is_generation
from engine.executor.operation import Phase
from engine.executor.owner_calls import OwnerCaller
from engine.executor.owner_operation import OwnerOperation
from engine.executor.ownership import owned_by
from engine.executor.scan import observed_app
from engine.executor.troubles import NOT_DURABLE, changed_since_plan
from engine.ports.cloud import AppName
from engine.ports.events import AppCreateStarted, AppDeleteStarted

if TYPE_CHECKING:
    from engine.core.desired import AppSpec, Tags
    from engine.executor.operation import Operation
    from engine.executor.ready import Waiting
    from engine.executor.settlement import Settlement


class LaneRunner:
    """The dispatcher and the workers of one lane."""

    def __init__(self, settlement: Settlement, concurrency: int) -> None:
        self._at = settlement
        self._calls = settlement.calls
        self._ready = settlement.ready
        self._control = settlement.control
        self._concurrency = concurrency
        self._handoff: asyncio.Queue[Waiting] = asyncio.Queue()
        self._owners = OwnerCaller(settlement)
        self._adopter = Adopter(settlement)
        self._tags: dict[Tags, Tags] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._concurrency):
                group.create_task(self._work())
            group.create_task(self._dispatch())

    async def _dispatch(self) -> None:
        while True:
            now = self._control.now()
            self._at.sweep_gates(now)
            over = self._control.cause is not None or self._at.stopped is not None
            if over or not self._ready.has_ready(now):
                self._at.wake.clear()
                await wait_for(self._at.wake, float("inf") if over else self._ready.next_wake_at() - now)
                continue
            await self._calls.places.acquire()
            operation = None
            try:
                await self._calls.take_write()
                if self._at.may_call():
                    operation = self._ready.pop(self._control.now())
            finally:
                if operation is None:
                    self._calls.places.release()
            if operation is not None:
                operation.sent_at = self._control.now()
                self._at.in_flight.add(operation)
                self._handoff.put_nowait(operation)

    async def _work(self) -> None:
        while True:
            operation = await self._handoff.get()
            try:
                if not self._at.may_call():
                    self._at.left_over(operation)  # it ended between the dispatcher's look and ours
                elif isinstance(operation, OwnerOperation):
                    await self._owners.call(operation)
                elif operation.is_delete:
                    await self._delete(operation)
                elif operation.phase is Phase.ADOPT:
                    await self._adopter.call(operation)
                else:
                    await self._create(operation)
            except Exception as bug:  # noqa: BLE001 - a bug ends the run in order, with its key named
                self._at.bug(operation, bug)
            finally:
                self._at.in_flight.discard(operation)
                self._calls.places.release()
                self._at.nudge()

    async def _create(self, operation: Operation) -> None:
        at = self._at
        spec = _spec_to_send(operation)
        tags = self._tags_to_send(spec.tags)
        name = self._name(operation)
        cloud = at.clouds[operation.key.domain]
        self._begin(operation, "CreateApp")
        operation.sent_wall = at.wall()
        at.emit(AppCreateStarted(operation.key, operation.attempts, operation.instance_type))
        try:
            arn = await self._calls.write("CreateApp", lambda: cloud.create_app(name, spec, tags))
        except CloudError as error:
            at.create_failed(operation, error)
        else:
            at.create_accepted(operation, arn)

    async def _delete(self, operation: Operation) -> None:
        """Read the key again, make the intent durable, and only then delete: the app that the plan saw, or none."""
        at = self._at
        name = self._name(operation)
        cloud = at.clouds[operation.key.domain]
        try:
            operation.reading = True
            if not await self._still_as_planned(operation, name):
                return
            operation.reading = False
            if not await at.journal.intend_durably(operation.key, "DeleteApp", operation.spec_hash, at.wall()):
                at.end(operation, Outcome.SKIPPED, NOT_DURABLE)
                return
            if not at.may_call():
                at.left_over(operation)
                return
            operation.attempts += 1
            operation.first_call_at = operation.first_call_at or self._control.now()
            operation.sent_at = self._control.now()
            at.emit(AppDeleteStarted(operation.key, operation.attempts))
            await self._calls.write("DeleteApp", lambda: cloud.delete_app(name))
        except StoppedError:
            at.left_over(operation)
        except CloudError as error:
            at.call_failed(operation, error)
        else:
            at.delete_accepted(operation)
        finally:
            operation.reading = False

    async def _still_as_planned(self, operation: Operation, name: AppName) -> bool:
        """Whether the app is the one that the plan saw; else the operation is carried on or ended here."""
        at = self._at
        before = operation.standing
        cloud = at.clouds[operation.key.domain]
        try:
            detail = await self._calls.look("DescribeApp", lambda: cloud.describe_app(name), at.may_call)
        except (NotFound, AlreadyGone):
            at.delete_settled(operation)
            return False
        now_there = observed_app(operation.key.domain, detail.row)
        operation.arn = detail.arn
        if not is_generation(now_there, before):
            at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, "it was made again since the plan"))
        elif now_there.status in (AppStatus.DELETED, AppStatus.FAILED):
            at.delete_settled(operation)
        elif now_there.status is AppStatus.DELETING:
            at.delete_accepted(operation)
        elif now_there.status is AppStatus.PENDING:
            at.delete_later(operation)
        elif now_there.spec != before.spec:
            at.end(
                operation,
                Outcome.SKIPPED,
                changed_since_plan(operation, "its fields are not those of the plan any more"),
            )
        elif now_there.status is not AppStatus.IN_SERVICE:
            at.end(
                operation,
                Outcome.SKIPPED,
                changed_since_plan(operation, "its status is one that appfleet does not know"),
            )
        else:
            return await self._still_owned(operation)
        return False

    async def _still_owned(self, operation: Operation) -> bool:
        """Whether the app's tag still says what it said to the plan; else the operation ends here.

        Where the plan could not read it, the key was named with --allow-destructive.
        """
        at, before, arn = self._at, operation.standing, operation.arn
        if before.ownership is Ownership.UNREAD:
            return True
        cloud = at.clouds[operation.key.domain]
        tags = dict(await self._calls.look("ListTags", lambda: cloud.list_tags(arn), at.may_call))
        if owned_by(before, tags.get(FLEET_TAG), at.fleet).ownership is before.ownership:
            return True
        how = f"its tag {FLEET_TAG} is not what it was when the plan was made"
        at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, how))
        return False

    def _begin(self, operation: Operation, call: str) -> None:
        at = self._at
        operation.attempts += 1
        if operation.first_call_at is None:
            operation.first_call_at = self._control.now()
        at.journal.intend(operation.key, call, operation.spec_hash, at.wall())

    def _name(self, operation: Operation) -> AppName:
        key = operation.key
        domain_id = self._at.domains[key.domain].domain_id
        return AppName(domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)

    def _tags_to_send(self, declared: Tags) -> Tags:
        """Add the tag that says whose the app is."""
        tags = self._tags.get(declared)
        if tags is None:
            tags = tuple(sorted((*declared, (FLEET_TAG, self._at.fleet))))
            self._tags[declared] = tags
        return tags


def _spec_to_send(operation: Operation) -> AppSpec:
    spec = operation.app.spec
    return replace(spec, instance_type=operation.instance_type) if operation.choice else spec
