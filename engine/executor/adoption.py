"""Adoption: a declared app that nobody owns, or what moves from another fleet, gets this fleet's tag and nothing else.

What is adopted and its tags are read again just before: AddTags would overwrite the tag of another fleet without a
word. They are read once more afterwards, since a yes to AddTags alone proves nothing. It may be sent twice, since the
look before the second call sees what the first one did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import AlreadyGone, CloudError, NotFound, OutcomeUnknown, Throttled, Unreachable
from engine.core.limits import TAG_PROOF_READS_MAX_COUNT, TAG_PROOF_SECONDS
from engine.core.outcome import Outcome
from engine.core.ownership import tag_value, whose, why_not_ours
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.executor.course import skipped
from engine.executor.fresh import READ_TOO_OLD, OldReadError, require_fresh, sent_while_fresh
from engine.executor.judge import is_generation
from engine.executor.step import End
from engine.executor.troubles import not_tagged

if TYPE_CHECKING:
    from engine.executor.lane import LaneRun
    from engine.executor.operation import AnyOperation
    from engine.executor.reach import Reach
    from engine.executor.step import Step


async def adopt(lane: LaneRun, reach: Reach, operation: AnyOperation) -> Step:
    """Look once more, tag what the plan saw, and see that the tag is there.

    Raises CloudError for a look or a tag that failed, and StoppedError.
    """
    read_at = lane.since_boot()
    try:
        ended = await _not_as_planned(lane.fleet, reach, operation)
        if ended is not None:
            return ended
        added = ((operation.kind.tag, lane.fleet),)
        with sent_while_fresh(lane.since_boot, read_at):
            await reach.write(
                "AddTags",
                lambda cloud: cloud.add_tags(operation.arn, added),
                lambda: _leaving(lane, operation, read_at),
            )
    except (NotFound, AlreadyGone):
        return skipped(operation, "it is gone")
    except OldReadError:
        raise READ_TOO_OLD.with_traceback(None) from None
    return await _prove(lane, reach, operation)


def _leaving(lane: LaneRun, operation: AnyOperation, read_at: float) -> None:
    require_fresh(lane.since_boot() - read_at)
    operation.attempts += 1
    operation.first_call_at = operation.first_call_at or lane.control.now()
    lane.journal.intend(operation.key, "AddTags", operation.spec_hash, lane.wall())
    lane.emit(operation.started("AddTags"))


async def _not_as_planned(ours: str, reach: Reach, operation: AnyOperation) -> End | None:
    """Return the end of an adoption of what is not there as the plan saw it, tag included; None where it is."""
    before = operation.standing
    row, operation.arn = await reach.look(operation.describe_call, lambda cloud: operation.read(cloud, reach.domain_id))
    if not is_generation(row, before) or not operation.may_be_adopted(row):
        return skipped(operation, f"it is not the {'app' if operation.kind.lags else 'one'} that was there")
    tag = operation.kind.tag
    fleet = tag_value(await reach.look("ListTags", lambda cloud: cloud.list_tags(operation.arn)), tag)
    if fleet == ours:
        return End(Outcome.ADOPTED)
    if operation.may_be_taken_from(fleet):
        return None
    return skipped(operation, f"{why_not_ours(tag, whose(fleet, ours))} by now")


async def _prove(lane: LaneRun, reach: Reach, operation: AnyOperation) -> End:
    """Read the tag back, a few times, since it may show late; what does not show it was not adopted."""
    reads = 0
    while True:
        reads += 1
        missing, may_show = await _missing(lane, reach, operation)
        if not missing:
            return End(Outcome.ADOPTED)
        if reads == TAG_PROOF_READS_MAX_COUNT or not may_show:
            return End(Outcome.FAILED, not_tagged(operation.kind.tag, missing))
        await wait_for(lane.control.aborted, TAG_PROOF_SECONDS)


async def _missing(lane: LaneRun, reach: Reach, operation: AnyOperation) -> tuple[str, bool]:
    """Say what there is in place of the tag, empty where it is there, and whether the next read may show it."""
    cloud, tag = reach.link.cloud, operation.kind.tag
    try:
        tags = await lane.calls.look("ListTags", lambda: cloud.list_tags(operation.arn), lane.may_look)
    except CloudError as error:
        passes = isinstance(error, Throttled | Unreachable | OutcomeUnknown)
        return f"its tags could not be read ({error.message})", passes
    except StoppedError:
        return "the run was stopped before its tags were read", False
    fleet = tag_value(tags, tag)
    if fleet == lane.fleet:
        return "", False
    seen = f"it shows no tag {tag}" if fleet is None else why_not_ours(tag, whose(fleet, lane.fleet))
    return seen, True
