"""One change while it is being made: the only mutable record of the executor.

Here that of an app, and what it has in common with that of an owner (`owner_operation`).

An operation is in exactly one place at a time: waiting to be called, parked at a gate, in a worker's hands, or awaited
by its domain's watcher. Its phase says which call comes next.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from engine.core.change import Action, Change, OwnerChange, Reason
from engine.core.drift import KERNEL_GATEWAY, SYSTEM, SYSTEM_KERNEL_GATEWAY_TYPE, differing_fields
from engine.core.errors import BugError
from engine.core.identity import QuotaBucket, folded
from engine.core.observed import AppStatus
from engine.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.desired import DesiredApp
    from engine.core.identity import AppKey, Lane, Owner
    from engine.core.observed import ObservedApp
    from engine.core.outcome import Trouble
    from engine.executor.gate import Gate


class Phase(Enum):
    """What has to happen next."""

    AWAIT_DELETING = auto()  # somebody's delete has to settle before our create
    ADOPT = auto()
    CREATE = auto()
    LOOK = auto()  # ResourceInUse: read what is there
    OBSERVE_CREATE = auto()  # an unknown create: complete scans decide
    SETTLE_CREATE = auto()  # accepted, or found Pending
    AWAIT_PENDING = auto()  # somebody's create has to settle before our delete
    DELETE = auto()
    OBSERVE_DELETE = auto()
    SETTLE_DELETE = auto()
    ENDED = auto()


OBSERVING = frozenset({Phase.OBSERVE_CREATE, Phase.OBSERVE_DELETE})
DELETING = frozenset({Phase.OBSERVE_DELETE, Phase.SETTLE_DELETE})
AWAITING = frozenset({Phase.AWAIT_DELETING, Phase.AWAIT_PENDING})  # before the first call


@dataclass(frozen=True, slots=True)
class Kind:
    """What sets apps and owners apart where a look is judged.

    `lags`: a look may show an old row and miss a new one, so absence is believed of two, and an old generation is asked
    about. `failed_stands`: what has Failed still holds its name.
    """

    lags: bool
    failed_stands: bool


class Seen(Protocol):
    """What judging reads of a row of a look."""

    @property
    def status(self) -> str:
        """The service's word for its state; our own for one that we do not know."""

    @property
    def created_at(self) -> float:
        """Its generation, in epoch seconds."""


C = TypeVar("C", Change, OwnerChange)
R = TypeVar("R", bound=Seen)


@dataclass(slots=True, eq=False)
class BaseOperation(ABC, Generic[C, R]):
    """What every change has on its way to its one outcome. Times ending in `_at` are the loop's clock, in seconds.

    `rank` is its place in the order (smaller first). `sent_wall` is the wall clock when the last create was sent: what
    the service's CreationTime is compared with. `prior` is the generation that stood before our create, so that its old
    row is not taken for an answer.
    """

    kind: ClassVar[Kind]

    rank: int
    change: C
    lane: Lane
    phase: Phase
    attempts: int = 0
    first_call_at: float | None = None
    sent_at: float = 0.0
    accepted_at: float = 0.0
    settle_until: float = float("inf")
    unknown_at: float = 0.0
    arn: str = ""
    sent_wall: float = 0.0
    prior: R | None = None
    deleted: bool = False  # the delete of a replace is done
    reading: bool = False  # the call under way is the look before a delete, and changes nothing
    ours: bool = False  # a create of ours was accepted, or may have been
    adopted: bool = False
    first_scan_ended_at: float | None = None  # of the two that clear an unknown call
    unseen_until: float = float("-inf")  # until then what holds the name need not show, and nothing is sent again
    doubt_until: float = float("-inf")  # until then a call of unknown outcome may still be carried out
    cut_off: bool = False  # the run ended while its call was under way
    absent_since: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    failing_since: dict[str, float] = field(default_factory=dict)
    passed: list[tuple[Gate, bool]] = field(default_factory=list)  # gates of the call in flight; True: as probe

    @property
    @abstractmethod
    def key(self) -> AppKey | Owner:
        """The name of what is changed."""

    @property
    @abstractmethod
    def before(self) -> R | None:
        """What the plan saw."""

    @abstractmethod
    def is_as_declared(self, row: R) -> bool:
        """Whether what stands there is what the fleet declares."""

    def may_make(self, _row: R) -> bool:
        """Whether the create that was sent last may have made the likes of a row, whatever became of it."""
        return True

    @property
    def is_delete(self) -> bool:
        """Whether the next call is a delete."""
        return self.phase is Phase.DELETE

    def fail(self, kind: str, now: float) -> tuple[int, float]:
        """Count a failure of `kind`; give how many there were and for how many seconds."""
        self.failures[kind] = self.failures.get(kind, 0) + 1
        return self.failures[kind], now - self.failing_since.setdefault(kind, now)

    def forgive(self, *kinds: str) -> None:
        """Forget failures that a success has answered."""
        for kind in kinds:
            self.failures.pop(kind, None)
            self.failing_since.pop(kind, None)


@dataclass(slots=True, eq=False)
class Operation(BaseOperation[Change, "ObservedApp"]):
    """A change of an app.

    `choice` is the index into the app's instance types, `refused` says why each of those before it was not available.
    `owed`: an earlier run deleted the app to replace it, and it has not been in service since; `in_service`: a look has
    shown that it is.
    """

    kind = Kind(lags=True, failed_stands=False)

    choice: int = 0
    refused: list[tuple[str, Trouble]] = field(default_factory=list)
    counts_as_failure: bool = False
    was_unseen: bool = False  # an earlier run made what is Pending, and did not wait for it
    spec_hash: str = ""
    described_at: float = float("-inf")  # when DescribeApp was last asked to confirm a verdict
    in_use: int = 0  # answers that the name is in use while nothing showed what uses it
    has_failed: bool = False  # a listing shows it Failed, and its reason is not read yet
    owed: bool = False
    in_service: bool = False

    def __post_init__(self) -> None:
        """Work the hash out once: every intent and the outcome carry it."""
        self.spec_hash = spec_hash(self.change.after)

    @property
    def key(self) -> AppKey:
        """The app's key."""
        return self.change.key

    @property
    def folded(self) -> AppKey:
        """The key as the service compares it."""
        return folded(self.change.key)

    @property
    def before(self) -> ObservedApp | None:
        """The app as the plan saw it."""
        return self.change.before

    def is_as_declared(self, row: ObservedApp) -> bool:
        """Whether an app is in a state that we know, and none of its declared fields differs."""
        return row.status is not AppStatus.UNKNOWN and not differing_fields(self.app, row.spec)

    def may_make(self, row: ObservedApp) -> bool:
        """Whether a row may be of the instance type that is tried now; the service chooses what "" and system are."""
        asked, shown = self.instance_type, row.spec.instance_type
        return shown is None or asked in ("", SYSTEM, shown)

    @property
    def app(self) -> DesiredApp:
        """The desired app. Every operation but a delete of something undeclared has one."""
        app = self.change.after
        if app is None:  # pragma: no cover - a create without a desired app cannot be planned
            raise AssertionError(f"{self.key}: no desired app")
        return app

    @property
    def instance_types(self) -> tuple[str, ...]:
        """What may be tried, in order; one empty text where the service chooses."""
        app = self.change.after
        if app is None or app.spec.instance_type is None:
            return ("",)
        return (app.spec.instance_type, *app.fallback)

    @property
    def instance_type(self) -> str:
        """What is tried now."""
        return self.instance_types[self.choice]

    @property
    def has_fallback(self) -> bool:
        """Whether there is an instance type left to try."""
        return self.choice + 1 < len(self.instance_types)

    @property
    def standing(self) -> ObservedApp:
        """The app that is to be deleted, as the plan saw it."""
        if self.change.before is None:
            raise BugError(f"{self.key} is to be deleted and was not observed")
        return self.change.before

    def in_doubt(self, outcome: Outcome, now: float) -> bool:
        """Whether it ends as `outcome` while a call of it may still be carried out, as far as anybody knows."""
        if self.in_service or outcome is Outcome.DELETED:
            return False
        waits = self.ours and self.phase in (Phase.LOOK, Phase.AWAIT_DELETING)
        unknown = self.cut_off or waits or self.phase in OBSERVING or now < self.doubt_until
        return unknown or outcome is Outcome.STILL_PENDING

    def is_owed(self) -> bool:
        """Whether the app was deleted, or may be, to be replaced, and is not in service again.

        A lost DeleteApp keeps it owed however long ago it was sent: what a later run sees settles it.
        """
        if self.in_service or self.change.action is Action.DELETE:
            return False
        lost = self.doubt_until > float("-inf")
        deleting = self.phase in DELETING or (self.is_delete and (self.cut_off or lost))
        return self.owed or self.deleted or deleting

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a create counts against now; what makes nothing counts against nothing, and waits at no gate."""
        if self.phase is Phase.ADOPT or self.change.action is Action.DELETE:
            return ()
        return scopes_of(self.lane, self.key, self.instance_type)

    @property
    def after(self) -> tuple[Hashable, ...]:
        """What must have ended well before its call: its owner, where the run makes that."""
        return () if self.change.action is Action.DELETE else (self.key.owner_key,)


def first_phase(change: Change) -> Phase:
    """Return where a change begins; a declared app that is Pending has no call, and is settled all the same."""
    if change.action is Action.NONE:
        return Phase.SETTLE_CREATE
    if change.action is Action.ADOPT:
        return Phase.ADOPT
    if change.action is Action.CREATE:
        return Phase.AWAIT_DELETING if change.reason is Reason.DELETING else Phase.CREATE
    pending = change.before is not None and change.before.status is AppStatus.PENDING
    return Phase.AWAIT_PENDING if pending else Phase.DELETE


def spec_hash(app: DesiredApp | None) -> str:
    """Return 16 hexadecimal digits that change when what is asked for changes; empty for an undeclared app."""
    if app is None:
        return ""
    asked = {**app.spec.to_json(), "fallback": list(app.fallback)}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def scopes_of(lane: Lane, key: AppKey, instance_type: str) -> tuple[str, ...]:
    """Name what an app counts against: the whole lane, its bucket, and for KernelGateway its owner's own limit."""
    if key.app_type == KERNEL_GATEWAY and instance_type == SYSTEM:
        instance_type = SYSTEM_KERNEL_GATEWAY_TYPE  # the service translates it, and counts it as that
    scopes = (f"{lane}/all apps", str(QuotaBucket(*lane, key.app_type, instance_type)))
    if key.app_type == KERNEL_GATEWAY:
        return (*scopes, f"{key.owner_key}/{KERNEL_GATEWAY}/{instance_type}")
    return scopes
