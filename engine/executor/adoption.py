"""Adoption: a declared app that nobody owns, or that moves from another fleet, gets this fleet's tag and nothing else.

The app and its tags are read again just before: AddTags would overwrite the tag of another fleet without a word. They
are read once more afterwards, since a yes to AddTags alone proves nothing. It may be sent twice, since the look before
the second call sees what the first one did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import AlreadyGone, CloudError, NotFound, OutcomeUnknown, Throttled, Unreachable
from engine.core.limits import TAG_PROOF_READS_MAX_COUNT, TAG_PROOF_SECONDS
from engine.core.observed import AppStatus, Ownership
from engine.core.outcome import Outcome
from engine.core.ownership import FLEET_TAG, tag_value, whose, why_not_ours
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.executor.fresh import READ_TOO_OLD, OldReadError, require_fresh, sent_while_fresh
from engine.executor.judge import is_generation
from engine.executor.scan import observed_app
from engine.executor.troubles import changed_since_plan, not_tagged
from engine.ports.cloud import app_name
from engine.ports.events import AppAdoptStarted

if TYPE_CHECKING:
    from engine.executor.operation import Operation
    from engine.executor.settlement import Settlement


class Adopter:
    """Makes the calls of one lane's adoptions."""

    def __init__(self, settlement: Settlement) -> None:
        self._at = settlement

    async def call(self, operation: Operation) -> None:
        """Look once more, tag the app that the plan saw, and see that the tag is there."""
        at, key = self._at, operation.key
        read_at = at.since_boot()
        try:
            if not await self._still_as_planned(operation):
                return
            added = ((FLEET_TAG, at.fleet),)
            with sent_while_fresh(at.since_boot, read_at):
                await at.reaches[key.domain].write(
                    "AddTags",
                    lambda cloud: cloud.add_tags(operation.arn, added),
                    lambda: self._leaving(operation, read_at),
                )
        except (NotFound, AlreadyGone):
            at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, "it is gone"))
        except OldReadError:
            at.call_failed(operation, READ_TOO_OLD)
        except CloudError as error:
            at.call_failed(operation, error)
        else:
            await self._prove(operation)

    def _leaving(self, operation: Operation, read_at: float) -> None:
        at = self._at
        require_fresh(at.since_boot() - read_at)
        operation.attempts += 1
        operation.first_call_at = operation.first_call_at or at.control.now()
        at.journal.intend(operation.key, "AddTags", operation.spec_hash, at.wall())
        at.emit(AppAdoptStarted(operation.key, operation.attempts))

    async def _still_as_planned(self, operation: Operation) -> bool:
        """Whether the app is there as the plan saw it, tag included; else the operation ends here."""
        at, key = self._at, operation.key
        reach, before = at.reaches[key.domain], operation.standing
        name = app_name(reach.domain_id, key)
        detail = await reach.look("DescribeApp", lambda cloud: cloud.describe_app(name))
        row = observed_app(key.domain, detail.row)
        if not is_generation(row, before) or row.status is not AppStatus.IN_SERVICE:
            at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, "it is not the app that was there"))
            return False
        operation.arn = detail.arn
        fleet = tag_value(await reach.look("ListTags", lambda cloud: cloud.list_tags(detail.arn)), FLEET_TAG)
        if fleet == at.fleet:
            at.end(operation, Outcome.ADOPTED)
            return False
        if fleet is None or (before.ownership is Ownership.FOREIGN and fleet == before.foreign_fleet):
            return True
        how = f"{why_not_ours(FLEET_TAG, whose(fleet, at.fleet))} by now"
        at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, how))
        return False

    async def _prove(self, operation: Operation) -> None:
        """Read the tag back, a few times, since it may show late; what does not show it was not adopted."""
        at, arn = self._at, operation.arn
        cloud = at.reaches[operation.key.domain].link.cloud
        seen = f"it shows no tag {FLEET_TAG}"
        for read in range(TAG_PROOF_READS_MAX_COUNT):  # pragma: no branch - its end is tested; the tracer misses it
            if read:
                await wait_for(at.control.aborted, TAG_PROOF_SECONDS)
            try:
                tags = await at.calls.look("ListTags", lambda: cloud.list_tags(arn), at.may_look)
            except (Throttled, Unreachable, OutcomeUnknown) as passing:
                seen = f"its tags could not be read ({passing.message})"
                continue
            except CloudError as error:
                seen = f"its tags could not be read ({error.message})"
                break
            except StoppedError:
                seen = "the run was stopped before its tags were read"
                break
            fleet = tag_value(tags, FLEET_TAG)
            if fleet == at.fleet:
                at.end(operation, Outcome.ADOPTED)
                return
            seen = f"it shows no tag {FLEET_TAG}" if fleet is None else why_not_ours(FLEET_TAG, whose(fleet, at.fleet))
        at.end(operation, Outcome.FAILED, not_tagged(seen))
