"""What a run gives its journal to write: one entry for each fact, with its columns.

Not here: when entries are committed (`journal_writer`), or the tables (`journal_schema`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine.adapters.state.journal_end import End, Start
from engine.adapters.state.journal_owners import OwedAssignment, OwnerConclusion, OwnerLook, SingleRow, error_row
from engine.adapters.state.journal_shapes import SeenShape
from engine.core.identity import AppKey, Lane, Owner
from engine.core.outcome import AppResult, Outcome
from engine.core.text import clean
from engine.core.trouble import Trouble

# The app was made by this fleet, or found as this fleet wants it after its own call.
DONE_ONCE: Final = frozenset({Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED})
# The app is well, or gone by decision: what failed before is no longer in a row.
_ENDS_STREAK: Final = DONE_ONCE | {Outcome.UNCHANGED, Outcome.DELETED}
_PART: Final = "INSERT OR REPLACE INTO timelines (run, part, data) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Intent:
    """One call that is about to be made. `owed`: what it deletes must be created again.

    `before` is what an update takes away, as JSON.
    """

    key: AppKey | Owner
    operation: str
    spec_hash: str
    at: float
    owed: bool = False
    before: str = ""

    def row(self) -> tuple[str | float, ...]:
        """Return the columns of `intents` after `run`."""
        return clean(str(self.key)), self.operation, clean(self.spec_hash), self.at


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of one app."""

    result: AppResult
    spec_hash: str
    at: float
    once: bool
    counts_as_failure: bool
    in_doubt: bool = False
    owed: bool = False
    replaced_at: float = 0.0
    unseen_at: float = 0.0

    def row(self) -> tuple[str | float | int | None, ...]:
        """Return the columns of `outcomes` after `run`."""
        result = self.result
        return (
            clean(str(result.key)),
            clean(self.spec_hash),
            result.action.value,
            result.outcome.value,
            result.attempts,
            result.seconds,
            clean(result.instance_type),
            clean(result.arn),
            *error_row(result.error),
            self.at,
            int(self.once),
            int(self.counts_as_failure),
            int(result.outcome in _ENDS_STREAK and not self.unseen_at),
        )


@dataclass(frozen=True, slots=True)
class SeenFailed:
    """An app that an earlier run made and did not wait for has ended Failed. `counts`: it feeds quarantine."""

    key: AppKey
    error: Trouble
    counts: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """A lane's last good create rate, in calls per second."""

    lane: Lane
    calls_per_second: float


@dataclass(frozen=True, slots=True)
class DomainSize:
    """How many rows a complete scan of a domain gave."""

    domain_id: str
    apps: int


@dataclass(frozen=True, slots=True)
class AppMarks:
    """An app's timeline, as text."""

    key: AppKey
    marks: str


@dataclass(frozen=True, slots=True)
class Part(SingleRow):
    """A part of the run's timeline; `data` is JSON."""

    part: str
    data: str

    def statement(self, run: int) -> tuple[str, tuple[Any, ...]]:
        """Return what writes it."""
        return _PART, (run, self.part, self.data)


Entry = (
    Intent
    | Conclusion
    | SeenFailed
    | OwnerConclusion
    | OwnerLook
    | OwedAssignment
    | Rate
    | DomainSize
    | SeenShape
    | AppMarks
    | Part
    | Start
    | End
)
