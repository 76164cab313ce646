"""The calls that make and delete owners, one at a time, in a worker's hands: `owner_settlement` takes their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import AlreadyGone, BugError, CloudError, NotFound
from engine.core.outcome import Outcome
from engine.core.owners import MANAGED_TAG
from engine.executor.calls import StoppedError
from engine.executor.owner_judge import is_same
from engine.executor.owner_scan import observed_owner
from engine.executor.owner_troubles import changed_since_plan
from engine.executor.troubles import NOT_DURABLE
from engine.ports.events import OwnerCallStarted
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from engine.executor.owner_operation import OwnerOperation
    from engine.executor.settlement import Settlement

NO_SPEC_HASH: Final = ""  # an owner is never made again because its fields changed


class OwnerCaller:
    """Makes the calls of one lane about owners."""

    def __init__(self, settlement: Settlement) -> None:
        self._at = settlement

    async def call(self, operation: OwnerOperation) -> None:
        """Make the call that an operation is due."""
        if operation.is_delete:
            await self._delete(operation)
        else:
            await self._create(operation)

    async def _create(self, operation: OwnerOperation) -> None:
        at, key = self._at, operation.key
        name = operation_of("Create", key.kind)
        declared = operation.declared
        tags = tuple(sorted((*declared.tags, (MANAGED_TAG, at.fleet))))
        cloud, domain_id = at.clouds[key.domain], at.domains[key.domain].domain_id
        self._begin(operation)
        at.journal.intend(key, name, NO_SPEC_HASH, at.wall())
        at.emit(OwnerCallStarted(key, name, operation.attempts))
        try:
            arn = await at.calls.write(name, lambda: cloud.create_owner(domain_id, declared, tags))
        except CloudError as error:
            at.owners.call_failed(operation, error)
        else:
            at.owners.accepted(operation, arn)

    async def _delete(self, operation: OwnerOperation) -> None:
        """Read the owner again, make the intent durable, and only then delete it: a space's volume goes with it."""
        at, key = self._at, operation.key
        name = operation_of("Delete", key.kind)
        cloud, domain_id = at.clouds[key.domain], at.domains[key.domain].domain_id
        try:
            if not await self._still_as_planned(operation):
                return
            if not await at.journal.intend_durably(key, name, NO_SPEC_HASH, at.wall()):
                at.owners.end(operation, Outcome.SKIPPED, NOT_DURABLE)
                return
            if not at.control.may_call():
                at.owners.left_over(operation)
                return
            self._begin(operation)
            operation.sent_at = at.control.now()
            at.emit(OwnerCallStarted(key, name, operation.attempts))
            await at.calls.write(name, lambda: cloud.delete_owner(domain_id, key.kind, key.name))
        except StoppedError:
            at.owners.left_over(operation)
        except CloudError as error:
            at.owners.call_failed(operation, error)
        else:
            at.owners.delete_accepted(operation)

    async def _still_as_planned(self, operation: OwnerOperation) -> bool:
        """Whether the owner is the one that the plan saw; else the operation is carried on or ended here."""
        at, key = self._at, operation.key
        before = operation.change.before
        if before is None:
            raise BugError(f"{key} is to be deleted and was not observed")
        cloud, domain_id = at.clouds[key.domain], at.domains[key.domain].domain_id
        operation.reading = True
        try:
            detail = await at.calls.look(
                operation_of("Describe", key.kind),
                lambda: cloud.describe_owner(domain_id, key.kind, key.name),
                at.control.may_call,
            )
        except (NotFound, AlreadyGone):
            at.owners.end(operation, Outcome.DELETED)
            return False
        operation.reading = False
        now_there = observed_owner(key.domain, detail.row, detail.arn)
        operation.arn = now_there.arn
        if not is_same(now_there, before):
            at.owners.end(operation, Outcome.SKIPPED, changed_since_plan(operation))
            return False
        if now_there.is_deleting:
            at.owners.delete_accepted(operation)
            return False
        return True

    def _begin(self, operation: OwnerOperation) -> None:
        operation.attempts += 1
        if operation.first_call_at is None:
            operation.first_call_at = self._at.control.now()
