"""Why nothing can be made in a profile, space or domain: the state that the service refuses a call for.

The service says "not InService" of what is still being made and of what failed for good. The first is waited for; the
second ends at once, with the state that it is in.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from engine.core.errors import CloudError, NotFound, Rejected, StorageNotReady
from engine.core.identity import owner_word
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from engine.core.identity import Owner
    from engine.executor.reach import Reach

_NOT_IN_SERVICE: Final = "inservice"  # in the messages of this refusal, and in no other of its class
_FAILED: Final = "Failed"  # how the states end that nothing leads out of by itself
_IN_SERVICE: Final = "InService"


async def told_state(reach: Reach, owner: Owner, error: CloudError) -> CloudError:
    """Return `error` with the state that it speaks of; Rejected where waiting cannot help. Raises StoppedError.

    Looks once, in the place that a worker holds. Any other error is returned as it is.
    """
    if not isinstance(error, StorageNotReady) or _NOT_IN_SERVICE not in error.message.lower():
        return error
    with suppress(CloudError):
        word, state = await _state(reach, owner)
        if state == _IN_SERVICE:
            return error
        if state.endswith(_FAILED):
            return Rejected(
                f"{word} is {state}, so nothing can be created in it",
                hint="Look at it in the SageMaker console; once it is repaired or deleted there, run again",
                service_code=error.service_code,
                operation=error.operation,
                request_id=error.request_id,
            )
        return StorageNotReady(
            f"{word} is {state}",
            hint=error.hint,
            service_code=error.service_code,
            operation=error.operation,
            request_id=error.request_id,
        )
    return error


async def _state(reach: Reach, owner: Owner) -> tuple[str, str]:
    """Return what is not in service and its state: the owner, or else the domain."""
    domain_id = reach.domain_id
    try:
        detail = await reach.look(
            operation_of("Describe", owner.kind), lambda cloud: cloud.describe_owner(domain_id, owner.kind, owner.name)
        )
    except NotFound:  # one that is about to be made
        state = _IN_SERVICE
    else:
        state = detail.row.status
    if state != _IN_SERVICE:
        return owner_word(owner), state
    state = await reach.look("DescribeDomain", lambda cloud: cloud.domain_status(domain_id))
    return f"domain {reach.link.domain.name} ({domain_id})", state
