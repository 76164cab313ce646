"""What a run remembers for the next one: intents before calls, outcomes after them.

The journal is never the truth about the cloud; what is observed is. Losing it loses no app.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.identity import AppKey, Lane, Owner
    from engine.core.outcome import AppResult, OwnerResult


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier runs of this fleet left. Times are epoch seconds, rates calls a second.

    `once_done` are keys that this fleet made with mode once. `failures` counts, by key, the runs in a row that
    ended Failed with the same spec (its hash is the second part). `last_rates` are the last good create rates.
    `unclean_end_at` is when the last run was seen alive if it never wrote its end, else None. `domain_sizes` are
    the rows of the last complete scan by domain id: they tell which listing is the cheaper one.
    """

    once_done: frozenset[AppKey]
    failures: Mapping[AppKey, tuple[int, str]]
    last_rates: Mapping[Lane, float]
    unclean_end_at: float | None = None
    is_new: bool = False
    domain_sizes: Mapping[str, int] = field(default_factory=dict)


class Journal(Protocol):
    """The writing side, for one run. No method raises: what could not be written shows in `broken`."""

    @property
    def broken(self) -> str:
        """Why the journal is incomplete, or empty."""
        ...

    def intend(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> None:
        """Note that `operation` will be called; committed with what else has gathered."""
        ...

    async def intend_durably(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> bool:
        """Note it and wait until it would survive a power cut; False when that cannot be had."""
        ...

    def conclude(self, result: AppResult, spec_hash: str, at: float, *, once: bool, counts_as_failure: bool) -> None:
        """Note an app's outcome; `counts_as_failure` feeds quarantine."""
        ...

    def conclude_owner(self, result: OwnerResult, at: float) -> None:
        """Note what became of a user profile or a space; `at` is epoch seconds."""
        ...

    def note_rate(self, lane: Lane, calls_per_second: float) -> None:
        """Remember the last good create rate of a lane."""
        ...

    def note_domain_size(self, domain_id: str, apps: int) -> None:
        """Remember how many rows a complete scan of a domain gave."""
        ...


NOTHING_REMEMBERED = Memory(frozenset(), {}, {}, is_new=True)


class NoJournal:
    """For what only looks: nothing is written, and nothing is missing because of it."""

    broken = ""

    def intend(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> None:
        """Do nothing."""

    async def intend_durably(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> bool:  # noqa: ARG002
        """Say that it is not durable, so that nothing is deleted without a journal."""
        return False

    def conclude(self, result: AppResult, spec_hash: str, at: float, *, once: bool, counts_as_failure: bool) -> None:
        """Do nothing."""

    def conclude_owner(self, result: OwnerResult, at: float) -> None:
        """Do nothing."""

    def note_rate(self, lane: Lane, calls_per_second: float) -> None:
        """Do nothing."""

    def note_domain_size(self, domain_id: str, apps: int) -> None:
        """Do nothing."""
