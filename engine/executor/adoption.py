"""Adoption: a declared app that nobody owns gets this fleet's tag, and nothing else is done to it.

The app and its tags are read again just before: AddTags would overwrite the tag of another fleet without a word. It may
be sent twice, since the look before the second call sees what the first one did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import AlreadyGone, CloudError, NotFound
from engine.core.observed import AppStatus
from engine.core.outcome import Outcome
from engine.executor.calls import StoppedError
from engine.executor.judge import is_generation
from engine.executor.scan import observed_app
from engine.executor.troubles import changed_since_plan
from engine.ports.cloud import AppName
from engine.ports.events import AppAdoptStarted

if TYPE_CHECKING:
    from engine.executor.operation import Operation
    from engine.executor.settlement import Settlement

FLEET_TAG: Final = "appfleet:fleet"


class Adopter:
    """Makes the calls of one lane's adoptions."""

    def __init__(self, settlement: Settlement) -> None:
        self._at = settlement

    async def call(self, operation: Operation) -> None:
        """Look once more, and tag the app that the plan saw."""
        at, key = self._at, operation.key
        cloud = at.clouds[key.domain]
        try:
            if not await self._still_nobodys(operation):
                return
            if not at.may_call():
                at.left_over(operation)
                return
            operation.attempts += 1
            operation.first_call_at = operation.first_call_at or at.control.now()
            at.journal.intend(key, "AddTags", operation.spec_hash, at.wall())
            at.emit(AppAdoptStarted(key, operation.attempts))
            added = ((FLEET_TAG, at.fleet),)
            await at.calls.write("AddTags", lambda: cloud.add_tags(operation.arn, added))
        except StoppedError:
            at.left_over(operation)
        except (NotFound, AlreadyGone):
            at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, "it is gone"))
        except CloudError as error:
            at.call_failed(operation, error)
        else:
            at.end(operation, Outcome.ADOPTED)

    async def _still_nobodys(self, operation: Operation) -> bool:
        """Whether the app stands there as the plan saw it, and nobody has tagged it; else the operation ends here."""
        at, key = self._at, operation.key
        cloud, domain_id = at.clouds[key.domain], at.domains[key.domain].domain_id
        name = AppName(domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)
        detail = await at.calls.look("DescribeApp", lambda: cloud.describe_app(name), at.may_call)
        row = observed_app(key.domain, detail.row)
        if not is_generation(row, operation.standing) or row.status is not AppStatus.IN_SERVICE:
            at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, "it is not the app that stood there"))
            return False
        operation.arn = detail.arn
        tags = dict(await at.calls.look("ListTags", lambda: cloud.list_tags(detail.arn), at.may_call))
        fleet = tags.get(FLEET_TAG)
        if fleet is None:
            return True
        if fleet == at.fleet:
            at.end(operation, Outcome.ADOPTED)
        else:
            how = f"its tag {FLEET_TAG} names the fleet {fleet!r} by now"
            at.end(operation, Outcome.SKIPPED, changed_since_plan(operation, how))
        return False
