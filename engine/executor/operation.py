"""One change while it is being made: the only mutable record of the executor.

Here is what changes of apps, user profiles and spaces have in common; `kinds` has the rest. An operation is in exactly
one place at a time: waiting to be called, parked at a gate, in a worker's hands, or awaited by its domain's watcher.
Its phase says which call comes next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Protocol, TypeAlias, TypeVar

from engine.core.change import DESTROYING, Action, Change, OwnerChange
from engine.core.errors import BugError
from engine.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from engine.core.desired import Tags
    from engine.core.errors import CloudError, QuotaFacts
    from engine.core.identity import AppKey, Lane, Owner
    from engine.core.outcome import AppResult, OwnerResult
    from engine.core.ownership import Whose
    from engine.core.shape import Shape
    from engine.core.trouble import Trouble
    from engine.executor.gate import Gate
    from engine.executor.trial import Blame, Trial
    from engine.ports.cloud import Cloud
    from engine.ports.events import Event
    from engine.ports.journal import Journal


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
    UPDATE = auto()
    OBSERVE_UPDATE = auto()  # an unknown update: looks decide
    SETTLE_UPDATE = auto()
    ENDED = auto()


CALLED: Final = frozenset({Phase.ADOPT, Phase.CREATE, Phase.DELETE, Phase.UPDATE})  # a call comes next, and not a look
OBSERVING: Final = frozenset({Phase.OBSERVE_CREATE, Phase.OBSERVE_DELETE, Phase.OBSERVE_UPDATE})
DELETING: Final = frozenset({Phase.OBSERVE_DELETE, Phase.SETTLE_DELETE})
SETTLING: Final = frozenset({Phase.SETTLE_CREATE, Phase.SETTLE_DELETE, Phase.SETTLE_UPDATE})
UPDATING: Final = frozenset({Phase.UPDATE, Phase.OBSERVE_UPDATE, Phase.SETTLE_UPDATE})
ASKED: Final = OBSERVING | {Phase.LOOK}  # only a look can settle these


@dataclass(frozen=True, eq=False, slots=True)
class Kind:
    """The facts that set apps apart from profiles and spaces.

    `tag` is the one that says whose something is. `lags`: a look may show an old row and miss a new one, so absence is
    believed of two, and an old generation is asked about. `failed_stands`: what has Failed still holds its name.
    `explains`: what has Failed gives a reason, which is decided like an error. `deletes_pending`: the service deletes
    what is Pending. `always_awaited`: a run that does not wait awaits it all the same. `holds`: others are made in it.
    """

    tag: str
    lags: bool
    failed_stands: bool
    explains: bool
    deletes_pending: bool
    always_awaited: bool
    holds: bool


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
class Operation(ABC, Generic[C, R]):
    """What every change has on its way to its one outcome. Times ending in `_at` are the loop's clock, in seconds.

    `rank` is its place in the order (smaller first). `sent_wall` is the wall clock when the last create was sent: what
    the service's CreationTime is compared with. `prior` is the generation before our create: its old row is no answer.
    `choice` is the index into `instance_types`, `refused` why those before it were not available, `spec_hash` its spec.
    """

    kind: ClassVar[Kind]
    retried_as: ClassVar[Callable[..., Event]]
    lost_as: ClassVar[Callable[..., Event]]

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
    spec_hash: str = ""
    choice: int = 0
    refused: list[tuple[str, Trouble]] = field(default_factory=list)
    deleted: bool = False  # the delete of a replace is done
    reading: bool = False  # the call under way is the look before a delete or an update, and changes nothing
    ours: bool = False  # a create of ours was accepted, or may have been
    adopted: bool = False
    in_use: int = 0  # answers that the name is in use while nothing showed what uses it
    in_service: bool = False  # a look has shown that it is
    has_failed: bool = False  # a listing shows it Failed, and its reason is not read yet
    counts_as_failure: bool = False
    was_unseen: bool = False  # an earlier run made what is Pending, and did not wait for it
    first_scan_ended_at: float | None = None  # of the two that clear an unknown call
    unseen_until: float = float("-inf")  # until then what holds the name need not show, and nothing is sent again
    doubt_until: float = float("-inf")  # until then a call of unknown outcome may still be carried out
    cut_off: bool = False  # the run ended while its call was under way
    absent_since: float | None = None
    undone: Trouble | None = None  # why a part of an update was left out
    failures: dict[str, int] = field(default_factory=dict)
    failing_since: dict[str, float] = field(default_factory=dict)
    passed: list[tuple[Gate, bool]] = field(default_factory=list)  # gates of the call in flight; True: as probe
    shape: Shape | None = None  # of an app that is made or awaited
    trials: tuple[Trial, ...] = ()
    blame: Blame | None = None

    # What it is about.

    @property
    @abstractmethod
    def key(self) -> AppKey | Owner:
        """The name of what is changed."""

    @property
    @abstractmethod
    def folded(self) -> Hashable:
        """The name as the service compares it."""

    @property
    @abstractmethod
    def after(self) -> tuple[Hashable, ...]:
        """What must have ended well before its call."""

    @property
    @abstractmethod
    def scopes(self) -> tuple[str, ...]:
        """What a create counts against now; what makes nothing counts against nothing, and waits at no gate."""

    @property
    def scopes_in_turn(self) -> tuple[tuple[str, ...], ...]:
        """What a create counts against now, and behind it what it would count against with each type left to try."""
        return (self.scopes,)

    @property
    @abstractmethod
    def freed_scopes(self) -> tuple[str, ...]:
        """What there is more room in once what stood there is gone."""

    @abstractmethod
    def gate_of(self, facts: QuotaFacts) -> tuple[str, str]:
        """Name the gate by the quota that a message names, and its scope where the quota is known by another name."""

    def as_limit(self, error: CloudError) -> CloudError:
        """Return the error of a create as that of the limit that it means, where it does not name one."""
        return error

    @property
    def before(self) -> R | None:
        """What the plan saw."""
        return self.change.before  # type: ignore[return-value] # a change of C has seen rows of R

    @property
    def standing(self) -> R:
        """What is to be deleted or adopted, as the plan saw it."""
        if self.before is None:
            raise BugError(f"{self.key} is to be changed and was not observed")
        return self.before

    @property
    def changes_what_stands(self) -> bool:
        """Whether the next call deletes or updates what the plan saw, so that it is looked at just before."""
        return self.phase in (Phase.DELETE, Phase.UPDATE)

    @property
    def is_delete(self) -> bool:
        """Whether the next call is a delete."""
        return self.phase is Phase.DELETE

    @property
    def comes_first(self) -> bool:
        """Whether something else may wait for its end: what is in it, or what holds it and goes."""
        return self.kind.holds or self.change.action in DESTROYING

    @property
    def instance_types(self) -> tuple[str, ...]:
        """What may be tried, in order; one empty text where there is nothing to choose."""
        return ("",)

    @property
    def instance_type(self) -> str:
        """What is tried now."""
        return self.instance_types[self.choice]

    @property
    def has_fallback(self) -> bool:
        """Whether there is an instance type left to try."""
        return self.choice + 1 < len(self.instance_types)

    # What a look shows.

    @abstractmethod
    def is_as_declared(self, row: R) -> bool:
        """Whether what stands there is what the fleet declares."""

    def is_as_updated(self, _row: R) -> bool | None:
        """Whether a row shows what the update makes of it; None where it does not tell."""
        return None

    def may_make(self, _row: R) -> bool:
        """Whether the create that was sent last may have made the likes of a row, whatever became of it."""
        return True

    @abstractmethod
    def changed_since(self, row: R) -> str:
        """Say in which way a row that may be deleted is not what the plan saw; empty where it is the same."""

    @abstractmethod
    def why_not_owned(self, found: Whose) -> str:
        """Say why the tag that was read just before a delete forbids it; empty where it does not."""

    def spared(self, _tags: Tags, _wall: float) -> Trouble | None:
        """Return why a delete that the plan meant is no longer wanted, by what was read just before it."""
        return None

    # The calls.

    @property
    @abstractmethod
    def create_call(self) -> str:
        """The API's name of its create."""

    @property
    @abstractmethod
    def delete_call(self) -> str:
        """The API's name of its delete."""

    @property
    def update_call(self) -> str:
        """The API's name of its update."""
        raise BugError(f"{self.key} cannot be updated")

    @property
    def before_settings(self) -> str:
        """What an update takes away, as JSON, to be put back by hand or by an undo; empty where nothing is updated."""
        return ""

    @property
    @abstractmethod
    def describe_call(self) -> str:
        """The API's name of the question about it alone."""

    @property
    @abstractmethod
    def declared_tags(self) -> Tags:
        """The tags that it is made with, besides the one that says whose it is."""

    @abstractmethod
    def make(self, cloud: Cloud, domain_id: str, tags: Tags) -> Awaitable[str]:
        """Send its create, which answers with the ARN."""

    @abstractmethod
    def read(self, cloud: Cloud, domain_id: str) -> Awaitable[tuple[R, str]]:
        """Describe it: its row and its ARN."""

    @abstractmethod
    def drop(self, cloud: Cloud, domain_id: str) -> Awaitable[None]:
        """Send its delete."""

    def amend(self, _cloud: Cloud, _domain_id: str) -> Awaitable[None]:
        """Send its update."""
        raise BugError(f"{self.key} cannot be updated")

    @property
    @abstractmethod
    def stands_in(self) -> Owner | None:
        """The owner whose state may be why the call of this phase is refused."""

    # The words.

    @property
    @abstractmethod
    def named(self) -> str:
        """What a message calls it, empty where whoever shows the message names it."""

    @property
    @abstractmethod
    def conflict_hint(self) -> str:
        """What to do about something else in its place."""

    @abstractmethod
    def described(self, row: R) -> str:
        """Describe what stands in its place."""

    @abstractmethod
    def started(self, call: str) -> Event:
        """Return the event of a call that leaves."""

    @abstractmethod
    def accepted(self, call: str, now: float) -> Event | None:
        """Return the event of a call that the service accepted."""

    def retried(self, delay_s: float, error: CloudError) -> Event:
        """Return the event of a call that is made again."""
        code = error.told_code
        return self.retried_as(self.key, self.attempts, round(delay_s, 3), code, error.message, error.request_id)

    def lost(self, error: CloudError) -> Event:
        """Return the event of a call of which nobody knows whether it was carried out."""
        code = error.told_code
        return self.lost_as(self.key, self.attempts, code, error.message, error.request_id)

    @abstractmethod
    def ended(self, outcome: Outcome, seconds: float, trouble: Trouble | None) -> AppResult | OwnerResult:
        """Return its result; `seconds` have passed since its first call."""

    @abstractmethod
    def remember(self, result: Any, journal: Journal, now: float, wall: float) -> None:
        """Record its end in the journal, before the phase says that it has ended."""

    # Its course.

    def good_end(self) -> Outcome:
        """Return the outcome of what is in service, or was accepted where nobody waits."""
        if self.change.action is Action.NONE:
            return Outcome.UNCHANGED
        if self.change.action is Action.UPDATE:
            return Outcome.UPDATED
        if self.adopted:
            return Outcome.ADOPTED
        return Outcome.REPLACED if self.deleted else Outcome.CREATED

    @abstractmethod
    def may_be_taken_from(self, fleet: str | None) -> bool:
        """Whether our tag may stand in place of that of `fleet`, None: there is none, as the plan meant it."""

    @abstractmethod
    def may_be_adopted(self, row: R) -> bool:
        """Whether what a look just before shows may get our tag."""

    def does_without(self, _undone: Trouble) -> bool:
        """Leave out of an update what the service does not take now; tell whether anything is left of it."""
        return False

    def await_from(self, phase: Phase, now: float, settle_timeout_s: float) -> None:
        """Enter a phase in which looks show what comes of it."""
        self.phase = phase
        self.absent_since = None
        if phase in OBSERVING:
            self.first_scan_ended_at = None
        elif phase is not Phase.LOOK:
            self.has_failed = False
            self.accepted_at = now
            self.settle_until = now + settle_timeout_s

    def fail(self, kind: str, now: float) -> tuple[int, float]:
        """Count a failure of `kind`; return how many there were and for how many seconds."""
        self.failures[kind] = self.failures.get(kind, 0) + 1
        return self.failures[kind], now - self.failing_since.setdefault(kind, now)

    def forgive(self, *kinds: str) -> None:
        """Forget failures that a success has answered."""
        for kind in kinds:
            self.failures.pop(kind, None)
            self.failing_since.pop(kind, None)


AnyOperation: TypeAlias = Operation[Any, Any]
