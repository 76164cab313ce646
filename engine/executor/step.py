"""What comes next for an operation: a value that `course` and `retry` decide on, and that the lane alone acts on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from engine.core.errors import CloudError, QuotaExceeded
    from engine.core.outcome import Outcome
    from engine.core.trouble import Trouble
    from engine.executor.operation import Phase
    from engine.ports.events import Event

AT_ONCE = float("-inf")


@dataclass(frozen=True, slots=True)
class Call:
    """Make the call of `phase` as soon as its turn comes, and not before `at`, in seconds of the loop's clock.

    Here and below, `told` is the event that tells of the step.
    """

    phase: Phase
    at: float = AT_ONCE
    told: Event | None = None


@dataclass(frozen=True, slots=True)
class Park:
    """Wait at the gate of the quota that is full."""

    error: QuotaExceeded


@dataclass(frozen=True, slots=True)
class Await:
    """Let looks show what comes of it."""

    phase: Phase
    told: Event | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """What was to be deleted is gone, so there is room for another one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Decide about `error` as if the create had been answered with it."""

    error: CloudError


@dataclass(frozen=True, slots=True)
class End:
    """The operation is over."""

    outcome: Outcome
    trouble: Trouble | None = None
    told: Event | None = None


@dataclass(frozen=True, slots=True)
class StopLane:
    """No call of this lane can succeed any more."""

    trouble: Trouble


Step: TypeAlias = Call | Park | Await | Gone | Refused | End | StopLane
