"""One lane at work: a dispatcher that takes the throttle, and a worker for each call that is under way.

The dispatcher alone decides what is called next and when, and begins a worker once there is a place in flight. A worker
makes one call and hands what it came to to the lane, which also acts on what the watchers find. What waits (for a
delay, a quota, a scan) is data in a queue and holds no worker, so a lane that only waits is one task.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from engine.core.errors import CloudError, InUse
from engine.core.identity import Owner
from engine.executor.adoption import adopt
from engine.executor.calls import StoppedError
from engine.executor.changes import change
from engine.executor.control import wait_for
from engine.executor.judge import Looked
from engine.executor.operation import Phase
from engine.executor.owner_scan import what_lives_in
from engine.executor.readiness import told_state
from engine.executor.troubles import inhabited, occupied, trouble_of

if TYPE_CHECKING:
    from engine.core.desired import Tags
    from engine.executor.lane import LaneRun
    from engine.executor.operation import AnyOperation
    from engine.executor.reach import Reach
    from engine.executor.watcher import DomainWatcher


class Workers:
    """The dispatcher and the workers of one lane."""

    def __init__(self, lane: LaneRun) -> None:
        self._lane = lane
        self._calls = lane.calls
        self._ready = lane.ready
        self._control = lane.control
        self._tags: dict[tuple[str, Tags], Tags] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._dispatch(group)

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        while True:
            now = self._control.now()
            self._lane.sweep_gates(now)
            over = self._lane.is_over
            if over or not self._ready.has_ready(now):
                self._lane.wake.clear()
                await wait_for(self._lane.wake, float("inf") if over else self._ready.next_wake_at() - now)
                continue
            await self._calls.places.acquire()
            try:
                await self._calls.take_write()
            except BaseException:
                self._calls.places.release()
                raise
            operation = self._ready.pop(self._control.now()) if self._lane.may_call() else None
            if operation is None:
                self._calls.leave()
            else:
                operation.sent_at = self._control.now()
                self._lane.in_flight.add(operation)
                group.create_task(self._work(operation))

    async def _work(self, operation: AnyOperation) -> None:
        try:
            if not self._lane.may_call():
                self._lane.leave_over(operation)  # it ended between the dispatcher's look and ours
            else:
                await self._call(operation)
        except StoppedError:
            self._lane.leave_over(operation)  # it ended while the call was about to leave
        except Exception as bug:  # noqa: BLE001 - a bug ends the run in order, with its key named
            self._lane.bug(operation, bug)
        finally:
            operation.reading = False
            self._lane.in_flight.discard(operation)
            self._calls.leave()
            self._lane.nudge()

    async def _call(self, operation: AnyOperation) -> None:
        lane, reach = self._lane, self._lane.reaches[operation.key.domain]
        try:
            if operation.changes_what_stands:
                step = await change(lane, reach, operation)
            elif operation.phase is Phase.ADOPT:
                step = await adopt(lane, reach, operation)
            else:
                lane.take_arn(operation, await self._create(reach, operation))
                return
        except CloudError as error:
            lane.take_error(operation, await _explained(reach, operation, error))
        else:
            lane.act(operation, step)

    async def _create(self, reach: Reach, operation: AnyOperation) -> str:
        lane, call = self._lane, operation.create_call
        tags = self._tags_to_send(operation.kind.tag, operation.declared_tags)

        def leaving() -> None:
            operation.attempts += 1
            operation.first_call_at = operation.first_call_at or self._control.now()
            operation.sent_wall = lane.wall()
            lane.journal.intend(operation.key, call, operation.spec_hash, operation.sent_wall)
            lane.emit(operation.started(call))

        return await reach.write(call, lambda cloud: operation.make(cloud, reach.domain_id, tags), leaving)

    def _tags_to_send(self, tag: str, declared: Tags) -> Tags:
        """Add the tag that says whose it is."""
        tags = self._tags.get((tag, declared))
        if tags is None:
            tags = tuple(sorted((*declared, (tag, self._lane.fleet))))
            self._tags[tag, declared] = tags
        return tags


async def _explained(reach: Reach, operation: AnyOperation, error: CloudError) -> CloudError:
    """Return `error` with what one look tells of its cause: the state of an owner, or what lives in it.

    An owner that is in use will not empty itself, so its delete or update is over. Raises StoppedError.
    """
    sent = operation.changes_what_stands and not operation.reading
    if isinstance(error, InUse) and sent and isinstance(operation.key, Owner):
        try:
            inside = await what_lives_in(reach, operation.key)
        except CloudError:
            inside = []
        if inside:
            return inhabited(inside, error) if operation.is_delete else occupied(operation, inside, error)
    owner = operation.stands_in
    return error if owner is None else await told_state(reach, owner, error)


async def follow(lane: LaneRun, watcher: DomainWatcher[Any]) -> None:
    """Act on what a watcher finds, until cancelled."""
    async with aclosing(watcher.findings()) as findings:
        async for found in findings:
            match found:
                case Looked():
                    lane.take_look(found)
                case CloudError():
                    lane.stop_lane(trouble_of(found))
                case _:
                    lane.note_departures(found)
