"""What comes before every delete and every update: a look with the tag, a durable intent, a lane that still may call.

DeleteApp names an app and not its generation, DeleteSpace takes a volume with it, and an update replaces what somebody
may have set. So what the plan saw is read again just before the call, the intent is made durable, the lane is asked
once more whether it may call, the look is not older than some seconds; and only then is it deleted or updated.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from engine.core.change import Action
from engine.core.errors import AlreadyGone, NotFound
from engine.core.freeze import frozen_until, in_a_freeze
from engine.core.limits import LOOKS_BEFORE_CHANGE_MAX_COUNT
from engine.core.outcome import Outcome
from engine.core.ownership import tag_value, whose
from engine.executor.course import (
    after_delete,
    after_update,
    before_delete,
    before_update,
    still_wanted,
    while_used,
    with_tag,
)
from engine.executor.fresh import READ_TOO_OLD, OldReadError, require_fresh, sent_while_fresh
from engine.executor.step import End
from engine.executor.troubles import not_durable

if TYPE_CHECKING:
    from engine.executor.lane import LaneRun
    from engine.executor.operation import AnyOperation
    from engine.executor.reach import Reach
    from engine.executor.step import Step


async def change(lane: LaneRun, reach: Reach, operation: AnyOperation) -> Step:
    """Read it again, make the intent durable, and only then delete or update it: what the plan saw, or nothing.

    Raises CloudError for a call or a look that failed, and StoppedError.
    """
    owed = operation.change.action is Action.DELETE_THEN_CREATE
    call, send, then = (
        (operation.delete_call, operation.drop, after_delete)
        if operation.is_delete
        else (operation.update_call, operation.amend, after_update)
    )
    for _ in range(LOOKS_BEFORE_CHANGE_MAX_COUNT):
        operation.reading = True
        read_at = lane.since_boot()
        hindered = await _not_as_planned(lane, reach, operation)
        if hindered is not None:
            return hindered
        if not await lane.journal.intend_durably(
            operation.key, call, operation.spec_hash, lane.wall(), owed=owed, before=operation.before_settings
        ):
            return End(Outcome.SKIPPED, not_durable(operation))
        with suppress(OldReadError), sent_while_fresh(lane.since_boot, read_at):
            leaving = partial(_leaving, lane, operation, call, read_at)
            await reach.write(call, lambda cloud: send(cloud, reach.domain_id), leaving)
            return then(operation, lane.control.now())
    raise READ_TOO_OLD.with_traceback(None)


async def _not_as_planned(lane: LaneRun, reach: Reach, operation: AnyOperation) -> Step | None:
    """Return what keeps the call from being sent.

    None where what the plan saw is there, with the tag that it saw, no freeze forbids the delete, nobody works in it
    who is spared, and what is made in its place has not been given up meanwhile.
    """
    if (end := _forbidden(lane, operation)) is not None:
        return end
    looked = before_delete if operation.is_delete else before_update
    try:
        row, operation.arn = await reach.look(
            operation.describe_call, lambda cloud: operation.read(cloud, reach.domain_id)
        )
    except (NotFound, AlreadyGone):
        return looked(operation, None)
    hindered = looked(operation, row)
    if hindered is not None:
        return hindered
    tags = await reach.look("ListTags", lambda cloud: cloud.list_tags(operation.arn))
    found, wall = whose(tag_value(tags, operation.kind.tag), lane.fleet), lane.wall()
    spare_s = lane.settings.safety.spare_active
    return (
        with_tag(operation, found) or still_wanted(operation, tags, wall) or while_used(operation, row, spare_s, wall)
    )


def _forbidden(lane: LaneRun, operation: AnyOperation) -> End | None:
    """Return the end of an operation that may not be called at this moment, whatever stands there."""
    if (end := lane.end_without(operation)) is not None:
        return End(*end)
    if operation.is_delete and (until := frozen_until(lane.settings.safety.freeze, lane.wall())):
        return End(Outcome.SKIPPED, in_a_freeze(until))
    return None


def _leaving(lane: LaneRun, operation: AnyOperation, call: str, read_at: float) -> None:
    """Note that the call leaves, if it still rests on what was read just now; raises OldReadError if not.

    A freeze that has begun since makes the look an old one, and so do creates of its kind that were given up: what
    comes before it is asked again.
    """
    require_fresh(lane.since_boot() - read_at)
    if _forbidden(lane, operation) is not None:
        raise OldReadError
    operation.reading = False
    operation.attempts += 1
    operation.sent_at = lane.control.now()
    operation.first_call_at = operation.first_call_at or operation.sent_at
    lane.emit(operation.started(call))
