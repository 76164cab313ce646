"""What a run remembers for the next one: intents before calls, outcomes after them.

The journal is never the truth about the cloud; what is observed is. Losing it loses no app.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from engine.core.identity import AppKey, Lane, Owner
from engine.core.limits import CLOCK_SKEW_MAX_SECONDS
from engine.core.outcome import AppResult, OwnerResult
from engine.core.trouble import Trouble
from engine.ports.history import LastFailure


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What an earlier run began with one app, user profile or space and did not end.

    `operation` is the last call that was about to be sent, at `at` (epoch seconds). `in_doubt`: nothing has shown yet
    whether that call was carried out, and it may still be. `owed`: the app was deleted to be replaced (or its delete
    is in doubt), and the new one was not seen in service.
    """

    operation: str
    at: float
    in_doubt: bool
    owed: bool = False

    @property
    def is_update(self) -> bool:
        """Whether it is a change in place of a user profile or space."""
        return self.operation.startswith("Update")


@dataclass(frozen=True, slots=True)
class Replaced:
    """The last replace of an app because of drift: the hash of the spec that was sent, and when, in epoch seconds."""

    spec_hash: str
    made_at: float


@dataclass(frozen=True, slots=True)
class Unseen:
    """An app that an earlier run made and did not wait for: the hash of the spec, and when it was sent.

    `run_id` and `started` are those of that run; times are epoch seconds.
    """

    spec_hash: str
    at: float
    run_id: str
    started: float

    def may_be(self, created_at: float) -> bool:
        """Whether a row of that CreationTime may be this app, and not one that was there before it."""
        return created_at >= self.at - CLOCK_SKEW_MAX_SECONDS


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier runs of this fleet left. Times are epoch seconds, rates calls a second.

    `once_done` are keys that this fleet made with mode once. `failures` counts, by key, the runs in a row that
    ended Failed with the same spec (its hash is the second part). `last_rates` are the last good create rates.
    `unclean_end_at` is when the last run was seen alive if it never wrote its end, else None. `domain_sizes` are
    the rows of the last complete scan by domain id: they tell which listing is the cheaper one. `unfinished` holds
    what no run has ended yet, and `replaced` the last replace of each app that had drifted. `last_failures` names the
    run that last counted against each of `failures`, where it is still kept. `unseen` are apps that were made without
    waiting for them, of which no run has seen yet whether they got into service. `owners_compared` is when all
    profiles and spaces of a domain were compared last, by its id. `unassigned` are the profiles that a run was making
    and whose users it has not assigned. `shapes` says of a shape, by its id, whether apps of it run here: false
    where they were tried and failed since. Of an earlier form of the journal it has the hashes of specs that ran.
    `table_rows` counts the rows that each table of domains had at the last run.
    """

    once_done: frozenset[AppKey]
    failures: Mapping[AppKey, tuple[int, str]]
    last_rates: Mapping[Lane, float]
    unclean_end_at: float | None = None
    is_new: bool = False
    domain_sizes: Mapping[str, int] = field(default_factory=dict)
    unfinished: Mapping[AppKey | Owner, Unfinished] = field(default_factory=dict)
    replaced: Mapping[AppKey, Replaced] = field(default_factory=dict)
    last_failures: Mapping[AppKey, LastFailure] = field(default_factory=dict)
    unseen: Mapping[AppKey, Unseen] = field(default_factory=dict)
    owners_compared: Mapping[str, float] = field(default_factory=dict)
    unassigned: frozenset[Owner] = frozenset()
    shapes: Mapping[str, bool] = field(default_factory=dict)
    table_rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def half_replaced(self) -> frozenset[AppKey]:
        """The apps that an earlier run deleted to replace them and did not see in service again."""
        return frozenset(key for key, left in self.unfinished.items() if left.owed and isinstance(key, AppKey))


class Journal(Protocol):
    """The writing side, for one run. No method raises: what could not be written shows in `broken`."""

    @property
    def broken(self) -> str:
        """Why the journal is incomplete, or empty."""
        ...

    def intend(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> None:
        """Note that `operation` will be called; committed with what else has gathered."""
        ...

    async def intend_durably(
        self, key: AppKey | Owner, operation: str, spec_hash: str, at: float, *, owed: bool = False, before: str = ""
    ) -> bool:
        """Note it and wait until it would survive a power cut; False if it does not.

        `owed`: the app is deleted to be replaced, so it must be created again. `before`: what an update takes away, as
        JSON of fields.
        """
        ...

    def conclude(
        self,
        result: AppResult,
        spec_hash: str,
        at: float,
        *,
        once: bool,
        counts_as_failure: bool,
        in_doubt: bool = False,
        owed: bool = False,
        replaced_at: float = 0.0,
        unseen_at: float = 0.0,
    ) -> None:
        """Note an app's outcome; `counts_as_failure` feeds quarantine.

        `in_doubt` and `owed` are those of `Unfinished`: without them nothing is left for the next run. `replaced_at`
        is when the CreateApp of a replace because of drift was sent, in epoch seconds; 0 for anything else. `unseen_at`
        is when that of an app was sent that nobody saw in service; 0 for any other: it says nothing of failures then.
        """
        ...

    def note_seen_failed(self, key: AppKey, error: Trouble, *, counts: bool) -> None:
        """Note that an app of `Memory.unseen` has ended Failed; `counts` feeds quarantine, for the run that made it."""
        ...

    def conclude_owner(self, result: OwnerResult, at: float, *, in_doubt: bool = False) -> None:
        """Note what became of a user profile or a space; `at` is epoch seconds."""
        ...

    def note_owners_compared(self, domain_id: str, at: float) -> None:
        """Remember that all owners of a domain were compared, at epoch seconds."""
        ...

    def owe_assignment(self, owner: Owner, at: float) -> None:
        """Remember that the user of a profile which is about to be made has to be assigned, at epoch seconds."""
        ...

    def settle_assignment(self, owner: Owner) -> None:
        """Forget that the user of a profile has to be assigned: that is done, or is nobody's business any more."""
        ...

    def note_rate(self, lane: Lane, calls_per_second: float) -> None:
        """Remember the last good create rate of a lane."""
        ...

    def note_domain_size(self, domain_id: str, apps: int) -> None:
        """Remember how many rows a complete scan of a domain gave."""
        ...

    def note_shape(self, shape: str, at: float, *, runs: bool) -> None:
        """Remember of a shape, by its id, whether an app of it was in service, at epoch seconds."""
        ...


NOTHING_REMEMBERED = Memory(frozenset(), {}, {}, is_new=True)


class NoJournal:
    """For what only looks: nothing is written, and nothing is missing because of it."""

    broken = ""

    def intend(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> None:
        """Do nothing."""

    async def intend_durably(
        self,
        key: AppKey | Owner,  # noqa: ARG002 - the names are the protocol's
        operation: str,  # noqa: ARG002
        spec_hash: str,  # noqa: ARG002
        at: float,  # noqa: ARG002
        *,
        owed: bool = False,  # noqa: ARG002
        before: str = "",  # noqa: ARG002
    ) -> bool:
        """Return False, so that nothing is deleted without a journal."""
        return False

    def conclude(
        self,
        result: AppResult,
        spec_hash: str,
        at: float,
        *,
        once: bool,
        counts_as_failure: bool,
        in_doubt: bool = False,
        owed: bool = False,
        replaced_at: float = 0.0,
        unseen_at: float = 0.0,
    ) -> None:
        """Do nothing."""

    def note_seen_failed(self, key: AppKey, error: Trouble, *, counts: bool) -> None:
        """Do nothing."""

    def conclude_owner(self, result: OwnerResult, at: float, *, in_doubt: bool = False) -> None:
        """Do nothing."""

    def note_owners_compared(self, domain_id: str, at: float) -> None:
        """Do nothing."""

    def owe_assignment(self, owner: Owner, at: float) -> None:
        """Do nothing."""

    def settle_assignment(self, owner: Owner) -> None:
        """Do nothing."""

    def note_rate(self, lane: Lane, calls_per_second: float) -> None:
        """Do nothing."""

    def note_domain_size(self, domain_id: str, apps: int) -> None:
        """Do nothing."""

    def note_shape(self, shape: str, at: float, *, runs: bool) -> None:
        """Do nothing."""
