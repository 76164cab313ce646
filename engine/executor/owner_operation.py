"""One change of a user profile or a space while it is being made: what `operation` is for an app.

It goes through the same queue, throttle, places and gates as the apps do, and has the same phases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.identity import USER
from engine.core.owners import OwnerReason, folded_owner
from engine.core.plan import Action
from engine.executor.operation import Phase

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.desired import DesiredOwner
    from engine.core.identity import Lane, Owner
    from engine.core.owners import ObservedOwner, OwnerChange
    from engine.executor.gate import Gate


@dataclass(slots=True, eq=False)
class OwnerOperation:
    """An owner's change on its way to its one outcome. Times ending in `_at` are the loop's clock, in seconds.

    `after` names what must have ended well before its call: the profile of a new space, or all that is in an owner
    that goes. `prior` is the generation that stood before our create.
    """

    rank: int
    change: OwnerChange
    lane: Lane
    phase: Phase
    after: tuple[Hashable, ...] = ()
    attempts: int = 0
    first_call_at: float | None = None
    sent_at: float = 0.0
    accepted_at: float = 0.0
    settle_until: float = float("inf")
    unknown_at: float = 0.0
    ready_at: float = 0.0
    arn: str = ""
    ours: bool = False  # a create of ours was accepted, or may have been
    adopted: bool = False
    reading: bool = False  # the call under way is the look before a delete, and changes nothing
    prior: ObservedOwner | None = None
    first_scan_ended_at: float | None = None  # of the two that clear an unknown call
    absent_since: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    failing_since: dict[str, float] = field(default_factory=dict)
    passed: list[tuple[Gate, bool]] = field(default_factory=list)

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
    def has_fallback(self) -> bool:
        """Whether there is anything else to try: never."""
        return False

    @property
    def is_delete(self) -> bool:
        """Whether the next call is a delete."""
        return self.phase is Phase.DELETE

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it counts against: the account's quota for its kind."""
        return (f"{self.lane}/{'user profiles' if self.key.kind == USER else 'spaces'}",)

    def fail(self, kind: str, now: float) -> tuple[int, float]:
        """Count a failure of `kind`; give how many there were and for how many seconds."""
        self.failures[kind] = self.failures.get(kind, 0) + 1
        return self.failures[kind], now - self.failing_since.setdefault(kind, now)

    def forgive(self, *kinds: str) -> None:
        """Forget failures that a success has answered."""
        for kind in kinds:
            self.failures.pop(kind, None)
            self.failing_since.pop(kind, None)


def first_owner_phase(change: OwnerChange) -> Phase:
    """Give where a change of an owner begins; one that is Pending has no call, and is settled all the same."""
    match change.action:
        case Action.DELETE:
            return Phase.DELETE
        case Action.CREATE:
            return Phase.AWAIT_DELETING if change.reason is OwnerReason.DELETING else Phase.CREATE
        case _:
            return Phase.SETTLE_CREATE
