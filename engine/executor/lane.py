"""One lane at work: a dispatcher that takes the throttle, and a bounded number of workers that make the calls.

The dispatcher alone decides what is called next and when; workers make one call and hand its answer to `settlement`,
which is also told what the watchers find.
What waits (for a delay, a quota, a scan) is data in a queue and holds no worker.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.errors import CloudError
from engine.core.ownership import FLEET_TAG
from engine.executor.adoption import Adopter
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.executor.deletes import AppDelete, OwnerDelete, carry_out
from engine.executor.operation import Phase
from engine.executor.owner_calls import make_owner
from engine.executor.owner_operation import OwnerOperation
from engine.executor.readiness import told_state
from engine.executor.retry import trouble_of
from engine.executor.watcher import Looked
from engine.ports.cloud import app_name
from engine.ports.events import AppCreateStarted

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.desired import AppSpec, Tags
    from engine.executor.operation import Operation, R
    from engine.executor.ready import Waiting
    from engine.executor.settlement import Settlement
    from engine.executor.watcher import DomainWatcher, O


class LaneRunner:
    """The dispatcher and the workers of one lane."""

    def __init__(self, settlement: Settlement, concurrency: int) -> None:
        self._at = settlement
        self._calls = settlement.calls
        self._ready = settlement.ready
        self._control = settlement.control
        self._concurrency = concurrency
        self._handoff: asyncio.Queue[Waiting] = asyncio.Queue()
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
                else:
                    await self._call(operation)
            except StoppedError:
                self._at.left_over(operation)  # it ended while the call was about to leave
            except Exception as bug:  # noqa: BLE001 - a bug ends the run in order, with its key named
                self._at.bug(operation, bug)
            finally:
                self._at.in_flight.discard(operation)
                self._calls.places.release()
                self._at.nudge()

    async def _call(self, operation: Waiting) -> None:
        at = self._at
        if isinstance(operation, OwnerOperation):
            await (carry_out(at, OwnerDelete(at, operation)) if operation.is_delete else make_owner(at, operation))
        elif operation.is_delete:
            await carry_out(at, AppDelete(at, operation))
        elif operation.phase is Phase.ADOPT:
            await self._adopter.call(operation)
        else:
            await self._create(operation)

    async def _create(self, operation: Operation) -> None:
        at = self._at
        spec = _spec_to_send(operation)
        tags = self._tags_to_send(spec.tags)
        reach = at.reaches[operation.key.domain]
        name = app_name(reach.domain_id, operation.key)

        def leaving() -> None:
            operation.attempts += 1
            operation.first_call_at = operation.first_call_at or self._control.now()
            operation.sent_wall = at.wall()
            at.journal.intend(operation.key, "CreateApp", operation.spec_hash, operation.sent_wall)
            at.emit(AppCreateStarted(operation.key, operation.attempts, operation.instance_type))

        try:
            arn = await reach.write("CreateApp", lambda cloud: cloud.create_app(name, spec, tags), leaving)
        except CloudError as error:
            at.create_failed(operation, await told_state(reach, operation.key.owner_key, error))
        else:
            at.create_accepted(operation, arn)

    def _tags_to_send(self, declared: Tags) -> Tags:
        """Add the tag that says whose the app is."""
        tags = self._tags.get(declared)
        if tags is None:
            tags = tuple(sorted((*declared, (FLEET_TAG, self._at.fleet))))
            self._tags[declared] = tags
        return tags


async def follow(at: Settlement, watcher: DomainWatcher[O, R], take: Callable[[Looked[O, R]], None]) -> None:
    """Act on what a watcher finds, until cancelled: `take` on what it finds out about one operation."""
    async with aclosing(watcher.findings()) as findings:
        async for found in findings:
            match found:
                case Looked():
                    take(found)
                case CloudError():
                    at.stop_lane(trouble_of(found))
                case _:
                    at.note_departures(found)


def _spec_to_send(operation: Operation) -> AppSpec:
    spec = operation.app.spec
    return replace(spec, instance_type=operation.instance_type) if operation.choice else spec
