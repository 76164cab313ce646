"""The call that makes an owner, in a worker's hands: `owner_settlement` handles its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.desired import holder_of
from engine.core.errors import CloudError
from engine.core.ownership import MANAGED_TAG
from engine.executor.deletes import NO_SPEC_HASH
from engine.executor.readiness import told_state
from engine.ports.events import OwnerCallStarted
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from engine.executor.owner_operation import OwnerOperation
    from engine.executor.settlement import Settlement


async def make_owner(at: Settlement, operation: OwnerOperation) -> None:
    """Send the create of a profile or a space, with the tag that says who made it."""
    key, declared = operation.key, operation.declared
    name = operation_of("Create", key.kind)
    tags = tuple(sorted((*declared.tags, (MANAGED_TAG, at.fleet))))
    reach = at.reaches[key.domain]

    def leaving() -> None:
        operation.attempts += 1
        operation.first_call_at = operation.first_call_at or at.control.now()
        operation.sent_wall = at.wall()
        at.journal.intend(key, name, NO_SPEC_HASH, operation.sent_wall)
        at.emit(OwnerCallStarted(key, name, operation.attempts))

    try:
        arn = await reach.write(name, lambda cloud: cloud.create_owner(reach.domain_id, declared, tags), leaving)
    except CloudError as error:
        at.owners.call_failed(operation, await told_state(reach, holder_of(declared) or key, error))
    else:
        at.owners.accepted(operation, arn)
