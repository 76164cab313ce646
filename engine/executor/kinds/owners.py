"""A change of a user profile or a space: what it waits for, how it is sent, and the events that tell of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.desired import holder_of
from engine.core.identity import USER, Owner, folded_owner, owner_word
from engine.core.observed import ObservedOwner, Ownership
from engine.core.outcome import GOOD_OUTCOMES, Outcome, OwnerResult
from engine.core.owner_settings import EBS_GB, differences, settings_to_send, without_volume
from engine.core.ownership import MANAGED_TAG, why_not_ours
from engine.executor.operation import OBSERVING, Kind, Operation, Phase
from engine.executor.rows import described_owner
from engine.ports.events import OwnerAccepted, OwnerCallStarted, OwnerOutcomeUnknown, OwnerRetried
from engine.ports.owners import operation_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.desired import DesiredOwner, Tags
    from engine.core.errors import QuotaFacts
    from engine.core.identity import Lane
    from engine.core.ownership import Whose
    from engine.core.trouble import Trouble
    from engine.ports.cloud import Cloud
    from engine.ports.events import Event
    from engine.ports.journal import Journal

OWNER: Final = Kind(
    tag=MANAGED_TAG,
    lags=False,
    failed_stands=True,
    explains=False,
    deletes_pending=True,
    always_awaited=True,
    holds=True,
)


@dataclass(slots=True, eq=False)
class OwnerOperation(Operation[OwnerChange, ObservedOwner]):
    """A change of an owner.

    `after` names what must have ended well before its call: the profile of a new space, or all that is in an owner
    that goes. Its `spec_hash` is empty: an owner is never made again because its fields changed.
    """

    kind = OWNER
    retried_as = OwnerRetried
    lost_as = OwnerOutcomeUnknown
    conflict_hint = "Change the fleet to match it, or choose another name"

    after: tuple[Hashable, ...] = ()
    seen_before: ObservedOwner | None = None  # what the look just before an update showed

    # What it is about.

    @property
    def key(self) -> Owner:
        """The owner."""
        return self.change.owner

    @property
    def folded(self) -> Owner:
        """The owner as the service compares its name."""
        return folded_owner(self.change.owner)

    @property
    def declared(self) -> DesiredOwner:
        """What is to be made."""
        declared = self.change.after
        if declared is None:  # pragma: no cover - a create without a declared owner cannot be planned
            raise AssertionError(f"{self.key}: not declared")
        return declared

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a create counts against now; what makes nothing counts against nothing, and waits at no gate."""
        return self.freed_scopes if self.change.action is Action.CREATE else ()

    @property
    def freed_scopes(self) -> tuple[str, ...]:
        """What there is more room in once it is gone: the account's quota for its kind."""
        return owner_scopes(self.lane, self.key)

    def gate_of(self, _facts: QuotaFacts) -> tuple[str, str]:
        """Name the gate of its kind, whatever a message says."""
        return self.freed_scopes[0], ""

    # What a look shows.

    def is_as_declared(self, row: ObservedOwner) -> bool:
        """Whether a space is for the user and the app type that are declared, where the row tells."""
        declared = self.declared
        other_holder = row.owner_user and row.owner_user.casefold() != (declared.owner_user or "").casefold()
        other_type = row.app_type and declared.app_type is not None and row.app_type != declared.app_type
        return not (other_holder or other_type)

    def is_as_updated(self, row: ObservedOwner) -> bool | None:
        """Whether a description shows what the update makes of it; a listing does not tell."""
        if row.settings is None:
            return None
        return not any(one.can_be_updated for one in differences(self._updated, row))

    def described(self, row: ObservedOwner) -> str:
        """Describe what stands in its place."""
        return f"owner {row.owner_user or '-'}, app type {row.app_type or '-'}"

    def changed_since(self, _row: ObservedOwner) -> str:
        """Say nothing: whatever its fields are by now, it goes."""
        return ""

    def why_not_owned(self, found: Whose) -> str:
        """Say why the tag that was read just before a delete forbids it; empty where it does not."""
        return "" if found.ownership is Ownership.OURS else why_not_ours(MANAGED_TAG, found)

    # The calls.

    @property
    def create_call(self) -> str:
        """The API's name of its create."""
        return operation_of("Create", self.key.kind)

    @property
    def delete_call(self) -> str:
        """The API's name of its delete."""
        return operation_of("Delete", self.key.kind)

    @property
    def update_call(self) -> str:
        """The API's name of its update."""
        return operation_of("Update", self.key.kind)

    @property
    def before_settings(self) -> str:
        """The fields that an update changes, as JSON, with what they were and what the update sets."""
        before = {one.field: one.observed for one in self.change.updates}
        after = {one.field: one.declared for one in self.change.updates}
        return json.dumps({"before": before, "after": after}, sort_keys=True) if before else ""

    @property
    def describe_call(self) -> str:
        """The API's name of the question about it alone."""
        return operation_of("Describe", self.key.kind)

    @property
    def declared_tags(self) -> Tags:
        """The tags that it is made with, besides the one that says whose it is."""
        return self.declared.tags

    async def make(self, cloud: Cloud, domain_id: str, tags: Tags) -> str:
        """Send its create."""
        return await cloud.create_owner(domain_id, self.declared, tags)

    async def read(self, cloud: Cloud, domain_id: str) -> tuple[ObservedOwner, str]:
        """Describe it: its row and its ARN."""
        detail = await cloud.describe_owner(domain_id, self.key.kind, self.key.name)
        self.seen_before = described_owner(self.key.domain, detail)
        return self.seen_before, detail.arn

    async def amend(self, cloud: Cloud, domain_id: str) -> None:
        """Send its update, laid over what was read just before it."""
        seen = self.seen_before or self.standing
        settings = settings_to_send(self._updated, seen)
        await cloud.update_owner(domain_id, self.key.kind, self.key.name, settings)

    @property
    def _updated(self) -> DesiredOwner:
        """What an update makes of it: what is declared, without the volume of a space in which something runs."""
        return self.declared if self.undone is None else without_volume(self.declared)

    def does_without(self, undone: Trouble) -> bool:
        """Leave the volume as it is, if there is anything else to update; tell whether there is."""
        if self.undone is not None or {one.field for one in self.change.updates} <= {EBS_GB}:
            return False
        self.undone = undone
        return True

    async def drop(self, cloud: Cloud, domain_id: str) -> None:
        """Send its delete; the volume of a space goes with it."""
        await cloud.delete_owner(domain_id, self.key.kind, self.key.name)

    def may_be_taken_from(self, fleet: str | None) -> bool:
        """Whether the fleet that it moves from manages it: what nobody manages is never adopted."""
        return fleet == self.standing.managed_by

    def may_be_adopted(self, row: ObservedOwner) -> bool:
        """Whether it stays."""
        return not row.is_deleting

    @property
    def stands_in(self) -> Owner:
        """The owner whose state may be why the call of this phase is refused: the holder of a new space, or itself."""
        if self.is_delete or self.phase in (Phase.UPDATE, Phase.ADOPT):
            return self.key
        return holder_of(self.declared) or self.key

    # The words.

    @property
    def named(self) -> str:
        """What a message calls it."""
        return owner_word(self.key)

    def started(self, call: str) -> Event:
        """Return the event of a call that leaves."""
        return OwnerCallStarted(self.key, call, self.attempts)

    def accepted(self, call: str, _now: float) -> Event:
        """Return the event of a call that the service accepted."""
        return OwnerAccepted(self.key, call, self.attempts)

    def ended(self, outcome: Outcome, seconds: float, trouble: Trouble | None) -> OwnerResult:
        """Return its result."""
        return OwnerResult(self.key, self.change.action, outcome, self.attempts, seconds, self.arn, trouble)

    def remember(self, result: OwnerResult, journal: Journal, now: float, wall: float) -> None:
        """Record its end in the journal, and whether a call of it may still be carried out."""
        may_come = self.phase in OBSERVING or result.outcome is Outcome.DELETED
        settled = result.outcome in GOOD_OUTCOMES and now >= self.doubt_until  # at once where a look has shown a create
        journal.conclude_owner(result, wall, in_doubt=self.cut_off or (may_come and not settled))


def owner_scopes(lane: Lane, owner: Owner) -> tuple[str, ...]:
    """Name what an owner counts against: the account's quota for its kind."""
    return (f"{lane}/{'user profiles' if owner.kind == USER else 'spaces'}",)


def first_owner_phase(change: OwnerChange) -> Phase:
    """Return where a change of an owner begins; one that is Pending has no call, and is settled all the same."""
    match change.action:
        case Action.DELETE:
            return Phase.DELETE
        case Action.UPDATE:
            return Phase.UPDATE
        case Action.ADOPT:
            return Phase.ADOPT
        case Action.CREATE:
            return Phase.AWAIT_DELETING if change.reason is OwnerReason.DELETING else Phase.CREATE
        case _:
            return Phase.SETTLE_CREATE
