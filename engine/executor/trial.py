"""What operations that are alike wait for, besides delays and quotas: that one of them shows that it starts.

A trial gives places. The first app of a shape that never ran here has the one place of its canary; of every other kind
`failures_max` are on their way until one of them is in service. Pure data: what has no place waits in `ready`, and
`trials` says who belongs to which.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from engine.core.outcome import Outcome
from engine.core.text import count_of
from engine.core.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.settings import Tolerance
    from engine.core.shape import Shape

TRIPPED: Final = "tripped"
_MADE: Final = frozenset({Outcome.CREATED, Outcome.REPLACED, Outcome.ADOPTED})
_FIX: Final = "Fix the cause, then run again"
_ONE_FIRST: Final = f"{_FIX}: the next run tries one of them first"


class Blame(Enum):
    """What the failure of an app says of those like it. Want of capacity, quotas and throttling say nothing."""

    UNSURE = auto()  # its create was refused for good, maybe because of whose it is, or the fault was the service's own
    SURE = auto()  # it was made, and ended Failed


class Member(Protocol):
    """What a trial knows of an operation."""

    @property
    def key(self) -> object:
        """Its name."""

    @property
    def in_service(self) -> bool:
        """Whether a look has shown it in service."""

    @property
    def blame(self) -> Blame | None:
        """What its failure says of those like it."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What it belongs to."""


@dataclass(slots=True, eq=False)
class Trial(ABC):
    """What operations that are alike wait for. `name` is for people, `trouble` why no more of them are made.

    `on_way` are those that have a place. `runs`: one of them was in service in this run. `tell` is called once none is
    made any more, and says how many that ended.
    """

    is_canary: ClassVar[bool] = False

    name: str
    shapes: set[Shape] = field(default_factory=set)
    on_way: set[Member] = field(default_factory=set)
    runs: bool = False
    trouble: Trouble | None = None
    tell: list[Callable[[Trial], int]] = field(default_factory=list)

    @property
    @abstractmethod
    def has_place(self) -> bool:
        """Whether one more may be called."""

    @abstractmethod
    def judge(self, ended: Member, outcome: Outcome, trouble: Trouble) -> Trouble | None:
        """Take in how one of them ended; return why no more are made, None where they are."""

    def take(self, operation: Member) -> bool:
        """Give an operation a place; return whether there was one."""
        if self.has_place:
            self.on_way.add(operation)
            return True
        return False


@dataclass(slots=True, eq=False)
class CanaryTrial(Trial):
    """One place, until an app of the shape is in service."""

    is_canary = True

    @property
    def has_place(self) -> bool:
        """Whether one more may be called."""
        return self.runs or not self.on_way

    def judge(self, ended: Member, outcome: Outcome, trouble: Trouble) -> Trouble | None:  # noqa: ARG002
        """Give up with the first that was made and failed; what says nothing of the shape lets the next one try."""
        self.runs = self.runs or ended.in_service
        if self.runs or ended.blame is not Blame.SURE:
            return None
        return _tripped(f"{ended.key}, the first app like it, ended Failed", trouble)


@dataclass(slots=True, eq=False)
class KindTrial(Trial):
    """As many places as may still fail alike in a row, and one for each once one of the kind was in service."""

    failures_max: int = 1
    streak: Counter[str] = field(default_factory=Counter)

    @property
    def has_place(self) -> bool:
        """Whether one more may be called."""
        return self.runs or len(self.on_way) + max(self.streak.values(), default=0) < self.failures_max

    def judge(self, ended: Member, outcome: Outcome, trouble: Trouble) -> Trouble | None:  # noqa: ARG002
        """Give up with the last of `failures_max` equal failures in a row."""
        if ended.in_service:
            self.runs = True
            self.streak.clear()
        if ended.blame is None:
            return None
        self.streak[trouble.code] += 1
        if self.streak[trouble.code] < self.failures_max:
            return None
        failed = count_of(self.failures_max, "app")
        return _tripped(f"{failed} like it failed in the same way in a row, the last of them {ended.key}", trouble)


@dataclass(slots=True, eq=False)
class ShareTrial(Trial):
    """The creates of a whole run: there is always a place until too large a share of those that ended has failed."""

    share_max: float = 1.0
    floor: int = 0
    made: int = 0
    failed: int = 0

    @property
    def has_place(self) -> bool:
        """Whether one more may be called."""
        return True

    def judge(self, ended: Member, outcome: Outcome, trouble: Trouble) -> Trouble | None:
        """Give up once the share of failures is too large."""
        self.made += outcome in _MADE
        self.failed += ended.blame is not None
        count = self.made + self.failed
        if ended.blame is None or count < self.floor or self.failed <= self.share_max * count:
            return None
        what = f"{self.failed:,} of the {count:,} creates of this run that ended have failed, the last {ended.key}"
        return _tripped(f"{what}: more than failure_share_max ({self.share_max:g}) allows", trouble, _FIX)


def _tripped(why: str, cause: Trouble, then: str = _ONE_FIRST) -> Trouble:
    hint = f"{cause.hint.rstrip('.')}. {then}" if cause.hint else then
    return Trouble(TRIPPED, f"not called, since {why}: {cause.code}: {cause.message}", hint)


def waits_for_canary(operation: Member) -> bool:
    """Whether an operation has no place yet because no app of its shape is in service."""
    return any(one.is_canary and not one.runs and operation not in one.on_way for one in operation.trials)


def others_wait_for(operation: Member) -> bool:
    """Whether others wait until an operation is in service, so that it is awaited also where nobody waits."""
    return any(one.is_canary and not one.runs and operation in one.on_way for one in operation.trials)


def share_of(tolerance: Tolerance) -> ShareTrial:
    """Return the one trial of a whole run."""
    return ShareTrial("all apps of this run", share_max=tolerance.failure_share_max, floor=tolerance.failure_floor)
