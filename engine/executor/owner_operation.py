"""One change of a user profile or a space while it is being made: what `operation` is for an app.

It goes through the same queue, throttle, places and gates as the apps do, and has the same phases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.identity import USER, folded_owner
from engine.executor.operation import BaseOperation, Kind, Phase

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.desired import DesiredOwner
    from engine.core.identity import Lane, Owner
    from engine.core.observed import ObservedOwner


@dataclass(slots=True, eq=False)
class OwnerOperation(BaseOperation[OwnerChange, "ObservedOwner"]):
    """A change of an owner.

    `after` names what must have ended well before its call: the profile of a new space, or all that is in an owner
    that goes.
    """

    kind = Kind(lags=False, failed_stands=True)

    after: tuple[Hashable, ...] = ()

    @property
    def key(self) -> Owner:
        """The owner."""
        return self.change.owner

    @property
    def folded(self) -> Owner:
        """The owner as the service compares its name."""
        return folded_owner(self.change.owner)

    @property
    def before(self) -> ObservedOwner | None:
        """The owner as the plan saw it."""
        return self.change.before

    def is_as_declared(self, row: ObservedOwner) -> bool:
        """Whether a space is for the user and the app type that are declared, where the row tells."""
        declared = self.declared
        other_holder = row.owner_user and row.owner_user.casefold() != (declared.owner_user or "").casefold()
        other_type = row.app_type and declared.app_type is not None and row.app_type != declared.app_type
        return not (other_holder or other_type)

    @property
    def declared(self) -> DesiredOwner:
        """What is to be made."""
        declared = self.change.after
        if declared is None:  # pragma: no cover - a create without a declared owner cannot be planned
            raise AssertionError(f"{self.key}: not declared")
        return declared

    @property
    def has_fallback(self) -> bool:
        """Whether there is anything else to try: never."""
        return False

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a create counts against now; what makes nothing counts against nothing, and waits at no gate."""
        return () if self.change.action is Action.DELETE else owner_scopes(self.lane, self.key)


def owner_scopes(lane: Lane, owner: Owner) -> tuple[str, ...]:
    """Name what an owner counts against: the account's quota for its kind."""
    return (f"{lane}/{'user profiles' if owner.kind == USER else 'spaces'}",)


def first_owner_phase(change: OwnerChange) -> Phase:
    """Return where a change of an owner begins; one that is Pending has no call, and is settled all the same."""
    match change.action:
        case Action.DELETE:
            return Phase.DELETE
        case Action.CREATE:
            return Phase.AWAIT_DELETING if change.reason is OwnerReason.DELETING else Phase.CREATE
        case _:
            return Phase.SETTLE_CREATE
