"""Deletes, of apps and of owners: what comes before each of them, in one order and in one place.

The thing is read again with its tag; its intent is made durable; its lane still may call; what was read is not older
than some seconds; and only then is it deleted.
What differs between an app and an owner is in the two classes below, and nothing else is.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from engine.core.change import Action
from engine.core.errors import AccessDenied, AlreadyGone, BugError, CloudError, InUse, NotFound
from engine.core.limits import LOOKS_BEFORE_CHANGE_MAX_COUNT
from engine.core.observed import AppStatus, Ownership
from engine.core.outcome import Outcome
from engine.core.ownership import FLEET_TAG, MANAGED_TAG, Whose, tag_value, whose, why_not_ours
from engine.executor.calls import StoppedError
from engine.executor.fresh import READ_TOO_OLD, OldReadError, require_fresh, sent_while_fresh
from engine.executor.judge import is_generation
from engine.executor.owner_scan import observed_owner, what_lives_in
from engine.executor.owner_troubles import changed_since_plan as owner_changed
from engine.executor.owner_troubles import inhabited
from engine.executor.readiness import told_state
from engine.executor.scan import observed_app
from engine.executor.troubles import NOT_DURABLE, changed_since_plan
from engine.ports.cloud import app_name
from engine.ports.events import AppDeleteStarted, OwnerCallStarted
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.executor.operation import Operation
    from engine.executor.owner_operation import OwnerOperation
    from engine.executor.reach import Reach
    from engine.executor.settlement import Settlement
    from engine.ports.events import Event

NO_SPEC_HASH: Final = ""  # an owner is never made again because its fields changed
MADE_AGAIN: Final = "it was made again since the plan"
OTHER_FIELDS: Final = "its fields are not those of the plan any more"
UNKNOWN_STATUS: Final = "its status is one that appfleet does not know"


class Delete(Protocol):
    """One delete that is due."""

    @property
    def operation(self) -> Operation | OwnerOperation:
        """The change that it is part of."""
        ...

    @property
    def call(self) -> str:
        """The API's name of it."""
        ...

    @property
    def spec_hash(self) -> str:
        """What the journal knows the thing's spec by."""
        ...

    @property
    def owed(self) -> bool:
        """Whether the thing is deleted to be replaced, so that it must be created again."""
        ...

    async def still_as_planned(self) -> bool:
        """Whether the very thing that the plan saw is there, with our tag; else the operation is settled here."""
        ...

    def started(self) -> Event:
        """Return the event of a call that is about to leave."""
        ...

    async def send(self, leaving: Callable[[], None]) -> None:
        """Delete it; `leaving` is called when the lane's switch has let the call pass."""
        ...

    def accepted(self) -> None:
        """Handle the service's yes."""
        ...

    async def failed(self, error: CloudError) -> None:
        """Handle the error of the delete, or of the look before it. Raises StoppedError."""
        ...


async def carry_out(at: Settlement, delete: Delete) -> None:
    """Read it again, make the intent durable, and only then delete: what the plan saw, or nothing."""
    operation = delete.operation
    try:
        await _carry_out(at, delete)
    except StoppedError:
        at.left_over(operation)
    finally:
        operation.reading = False


async def _carry_out(at: Settlement, delete: Delete) -> None:
    operation = delete.operation
    try:
        for _ in range(LOOKS_BEFORE_CHANGE_MAX_COUNT):
            operation.reading = True
            read_at = at.since_boot()
            if not await delete.still_as_planned():
                return
            if not await at.journal.intend_durably(
                operation.key, delete.call, delete.spec_hash, at.wall(), owed=delete.owed
            ):
                at.end(operation, Outcome.SKIPPED, NOT_DURABLE)
                return
            with suppress(OldReadError), sent_while_fresh(at.since_boot, read_at):
                await delete.send(partial(_leaving, at, delete, read_at))
                delete.accepted()
                return
        await delete.failed(READ_TOO_OLD)
    except CloudError as error:
        await delete.failed(error)


def _leaving(at: Settlement, delete: Delete, read_at: float) -> None:
    """Note that the delete leaves, if it still rests on what was read just now; raises OldReadError if not."""
    require_fresh(at.since_boot() - read_at)
    operation = delete.operation
    operation.reading = False
    operation.attempts += 1
    operation.sent_at = at.control.now()
    operation.first_call_at = operation.first_call_at or operation.sent_at
    at.emit(delete.started())


class AppDelete:
    """The delete of an app, also of one that is replaced."""

    call: Final = "DeleteApp"

    def __init__(self, at: Settlement, operation: Operation) -> None:
        self.operation = operation
        self.spec_hash = operation.spec_hash
        self.owed = operation.change.action is Action.DELETE_THEN_CREATE
        self._at = at
        self._reach = at.reaches[operation.key.domain]
        self._name = app_name(self._reach.domain_id, operation.key)

    async def still_as_planned(self) -> bool:
        """Whether the app that the plan saw is there, with the tag that the plan saw."""
        at, operation, name = self._at, self.operation, self._name
        before = operation.standing
        try:
            detail = await self._reach.look("DescribeApp", lambda cloud: cloud.describe_app(name))
        except (NotFound, AlreadyGone):
            at.delete_settled(operation)
            return False
        now_there = observed_app(operation.key.domain, detail.row)
        operation.arn = detail.arn
        if not is_generation(now_there, before):
            self._skip(MADE_AGAIN)
        elif now_there.status in (AppStatus.DELETED, AppStatus.FAILED):
            at.delete_settled(operation)
        elif now_there.status is AppStatus.DELETING:
            at.delete_accepted(operation)
        elif now_there.status is AppStatus.PENDING:
            at.delete_later(operation)
        elif now_there.spec != before.spec:
            self._skip(OTHER_FIELDS)
        elif now_there.status is not AppStatus.IN_SERVICE:
            self._skip(UNKNOWN_STATUS)
        else:
            return await self._still_owned()
        return False

    async def _still_owned(self) -> bool:
        """Whether the tag still says what it said to the plan.

        Where the plan could not read it, or found none, the key was named with --allow-destructive: that speaks for an
        app which no other fleet claims.
        """
        before = self.operation.standing
        try:
            found = await _whose(self._reach, self.operation.arn, FLEET_TAG, self._at.fleet)
        except AccessDenied:
            if before.ownership is Ownership.UNREAD:
                return True
            raise
        unread_then = before.ownership is Ownership.UNREAD and found.ownership is not Ownership.FOREIGN
        if unread_then or found.ownership is before.ownership:
            return True
        self._skip(f"{why_not_ours(FLEET_TAG, found)}, which is not what it said when the plan was made")
        return False

    def started(self) -> Event:
        """Return the event of a call that is about to leave."""
        return AppDeleteStarted(self.operation.key, self.operation.attempts)

    async def send(self, leaving: Callable[[], None]) -> None:
        """Delete the app."""
        await self._reach.write(self.call, lambda cloud: cloud.delete_app(self._name), leaving)

    def accepted(self) -> None:
        """Handle the service's yes."""
        self._at.delete_accepted(self.operation)

    async def failed(self, error: CloudError) -> None:
        """Handle the error of the delete, or of the look before it."""
        self._at.call_failed(self.operation, error)

    def _skip(self, how: str) -> None:
        self._at.end(self.operation, Outcome.SKIPPED, changed_since_plan(self.operation, how))


class OwnerDelete:
    """The delete of a user profile or of a space, whose volume goes with it."""

    spec_hash: Final = NO_SPEC_HASH
    owed: Final = False

    def __init__(self, at: Settlement, operation: OwnerOperation) -> None:
        self.operation = operation
        self.call = operation_of("Delete", operation.key.kind)
        self._at = at
        self._reach = at.reaches[operation.key.domain]

    async def still_as_planned(self) -> bool:
        """Whether the owner that the plan saw is there, and its tag says that this fleet made it."""
        at, operation, key = self._at, self.operation, self.operation.key
        before, domain_id = operation.change.before, self._reach.domain_id
        if before is None:
            raise BugError(f"{key} is to be deleted and was not observed")
        try:
            detail = await self._reach.look(
                operation_of("Describe", key.kind), lambda cloud: cloud.describe_owner(domain_id, key.kind, key.name)
            )
        except (NotFound, AlreadyGone):
            at.owners.delete_settled(operation)
            return False
        now_there = observed_owner(key.domain, detail.row, detail.arn)
        operation.arn = now_there.arn
        if not is_generation(now_there, before):
            self._skip(MADE_AGAIN)
        elif now_there.is_deleting:
            at.owners.delete_seen(operation)
        else:
            return await self._still_owned()
        return False

    async def _still_owned(self) -> bool:
        found = await _whose(self._reach, self.operation.arn, MANAGED_TAG, self._at.fleet)
        if found.ownership is Ownership.OURS:
            return True
        self._skip(why_not_ours(MANAGED_TAG, found))
        return False

    def started(self) -> Event:
        """Return the event of a call that is about to leave."""
        return OwnerCallStarted(self.operation.key, self.call, self.operation.attempts)

    async def send(self, leaving: Callable[[], None]) -> None:
        """Delete the owner."""
        key, domain_id = self.operation.key, self._reach.domain_id
        await self._reach.write(self.call, lambda cloud: cloud.delete_owner(domain_id, key.kind, key.name), leaving)

    def accepted(self) -> None:
        """Handle the service's yes."""
        self._at.owners.delete_accepted(self.operation)

    async def failed(self, error: CloudError) -> None:
        """Handle the error of the delete, or of the look before it.

        What is refused because something lives in it is looked at: it will not empty itself.
        """
        inside: list[str] = []
        if isinstance(error, InUse) and not self.operation.reading:
            with suppress(CloudError):
                inside = await what_lives_in(self._reach, self.operation.key)
        if inside:
            self._at.end(self.operation, Outcome.FAILED, inhabited(inside, error))
        else:
            self._at.owners.call_failed(self.operation, await told_state(self._reach, self.operation.key, error))

    def _skip(self, how: str) -> None:
        self._at.end(self.operation, Outcome.SKIPPED, owner_changed(self.operation, how))


async def _whose(reach: Reach, arn: str, tag: str, ours: str) -> Whose:
    return whose(tag_value(await reach.look("ListTags", lambda cloud: cloud.list_tags(arn)), tag), ours)
