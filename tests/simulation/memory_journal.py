"""A journal on a disk of our own: what a kill can lose of it, the real one can lose as well.

Entries gather for a moment before they are written, so a kill takes an unwritten tail with it; an intent that was made
durable has everything before it on the disk too. Not here: files, threads, SQL (`adapters.journal` has its own tests).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.core.limits import JOURNAL_ALIVE_SECONDS, JOURNAL_GATHER_SECONDS
from engine.core.outcome import Outcome
from engine.ports.journal import Memory, Replaced, Unfinished

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from engine.core.identity import AppKey, Lane, Owner
    from engine.core.outcome import AppResult, OwnerResult
    from engine.core.trouble import Trouble

DURABLE: Final = frozenset({"DeleteApp", "DeleteUserProfile", "DeleteSpace", "UpdateUserProfile", "UpdateSpace"})
ENDED_WELL: Final = frozenset({Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.UNCHANGED})


@dataclass(slots=True)
class Disk:
    """What survives: the state of a fleet as its runs left it. Times are epoch seconds."""

    once_done: set[AppKey] = field(default_factory=set)
    failures: dict[AppKey, tuple[int, str]] = field(default_factory=dict)
    rates: dict[Lane, float] = field(default_factory=dict)
    domain_sizes: dict[str, int] = field(default_factory=dict)
    owners_compared: dict[str, float] = field(default_factory=dict)
    unassigned: set[Owner] = field(default_factory=set)
    shapes: dict[str, bool] = field(default_factory=dict)
    unclean_end_at: float | None = None
    runs: int = 0
    unfinished: dict[AppKey | Owner, Unfinished] = field(default_factory=dict)
    replaced: dict[AppKey, Replaced] = field(default_factory=dict)
    lost: set[AppKey | Owner] = field(default_factory=set)  # of which an intent never got to the disk

    def memory(self) -> Memory:
        """Return what the next run finds."""
        return Memory(
            frozenset(self.once_done),
            dict(self.failures),
            dict(self.rates),
            self.unclean_end_at,
            is_new=self.runs == 0,
            domain_sizes=dict(self.domain_sizes),
            owners_compared=dict(self.owners_compared),
            unassigned=frozenset(self.unassigned),
            shapes=dict(self.shapes),
            unfinished=dict(self.unfinished),
            replaced=dict(self.replaced),
        )


class MemoryJournal:
    """The journal of one run (`ports.journal.Journal`). From `breaks_at` on nothing can be written any more.

    `wall` gives epoch seconds; `durable` holds the deletes whose intent is on the disk.
    """

    def __init__(self, disk: Disk, wall: Callable[[], float], rng: random.Random, breaks_at: float) -> None:
        self.memory = disk.memory()
        self.lost_before = frozenset(disk.lost)
        self.durable: set[AppKey | Owner] = set()
        self.concluded: set[AppKey] = set()
        self.concluded_owners: set[Owner] = set()
        self.dead = False
        self._disk = disk
        self._wall = wall
        self._rng = rng
        self._breaks_at = breaks_at
        self._began = wall()
        self._gathered: list[tuple[float, Callable[[], None]]] = []
        disk.unclean_end_at = self._began
        disk.runs += 1

    @property
    def broken(self) -> str:
        return "the disk is full" if self._wall() >= self._breaks_at else ""

    def intend(self, key: AppKey | Owner, operation: str, spec_hash: str, at: float) -> None:
        assert key, (operation, spec_hash, at)
        self._begin(key, operation, at, owed=False)

    async def intend_durably(
        self, key: AppKey | Owner, operation: str, spec_hash: str, at: float, *, owed: bool = False, before: str = ""
    ) -> bool:
        assert operation in DURABLE, (key, spec_hash, at)
        assert bool(before) == operation.startswith("Update"), (key, before)
        self._begin(key, operation, at, owed=owed)
        await asyncio.sleep(self._rng.uniform(0.0, 0.02))
        if self.dead or self.broken:
            return False
        self._write(self._wall())
        self.durable.add(key)
        return True

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
        assert at <= self._wall()
        assert result.key not in self.concluded, f"{result.key} was concluded twice"
        self.concluded.add(result.key)
        disk = self._disk

        def write() -> None:
            if once:
                disk.once_done.add(result.key)
            if counts_as_failure:
                count, failed = disk.failures.get(result.key, (0, ""))
                disk.failures[result.key] = (count + 1 if failed == spec_hash else 1, spec_hash)
            elif result.outcome in ENDED_WELL and not unseen_at:
                disk.failures.pop(result.key, None)
            if replaced_at:
                disk.replaced[result.key] = Replaced(spec_hash, replaced_at)
            self._settle(result.key, in_doubt, owed)

        self._put(write)

    def note_seen_failed(self, key: AppKey, error: Trouble, *, counts: bool) -> None:
        raise AssertionError(f"every night waits for its apps: {key}, {error}, {counts}")

    def conclude_owner(self, result: OwnerResult, at: float, *, in_doubt: bool = False) -> None:
        assert at <= self._wall()
        assert result.owner not in self.concluded_owners, f"{result.owner} was concluded twice"
        self.concluded_owners.add(result.owner)
        self._put(lambda: self._settle(result.owner, in_doubt, owed=False))

    def note_rate(self, lane: Lane, calls_per_second: float) -> None:
        self._put(lambda: self._disk.rates.__setitem__(lane, calls_per_second))

    def note_owners_compared(self, domain_id: str, at: float) -> None:
        self._put(lambda: self._disk.owners_compared.__setitem__(domain_id, at))

    def owe_assignment(self, owner: Owner, at: float) -> None:
        assert at <= self._wall()
        self._put(lambda: self._disk.unassigned.add(owner))

    def settle_assignment(self, owner: Owner) -> None:
        self._put(lambda: self._disk.unassigned.discard(owner))

    def note_domain_size(self, domain_id: str, apps: int) -> None:
        self._put(lambda: self._disk.domain_sizes.__setitem__(domain_id, apps))

    def note_shape(self, shape: str, at: float, *, runs: bool) -> None:
        assert at <= self._wall()
        self._put(lambda: self._disk.shapes.__setitem__(shape, runs))

    def finish(self) -> None:
        """Write the run's end."""
        if not self.broken:
            self._write(self._wall())
            self._disk.unclean_end_at = None

    def kill(self) -> None:
        """Lose what had not been written."""
        now = self._wall()
        self._write(now - self._rng.uniform(0.0, JOURNAL_GATHER_SECONDS))
        self.dead = True
        beats = (now - self._began) // JOURNAL_ALIVE_SECONDS
        self._disk.unclean_end_at = self._began + beats * JOURNAL_ALIVE_SECONDS

    def _begin(self, key: AppKey | Owner, operation: str, at: float, *, owed: bool) -> None:
        def write() -> None:
            before = self._disk.unfinished.get(key)
            owes = owed or (before is not None and before.owed)
            self._disk.unfinished[key] = Unfinished(operation, at, in_doubt=True, owed=owes)
            self._disk.lost.discard(key)

        if operation == "AddTags":
            return
        self._disk.lost.add(key)  # until it is written
        self._put(write)

    def _settle(self, key: AppKey | Owner, in_doubt: bool, owed: bool) -> None:
        left = self._disk.unfinished.pop(key, None)
        if left is not None and (in_doubt or owed):
            self._disk.unfinished[key] = replace(left, in_doubt=in_doubt, owed=owed)

    def _put(self, write: Callable[[], None]) -> None:
        if not self.dead and not self.broken:
            self._gathered.append((self._wall(), write))

    def _write(self, until: float) -> None:
        while self._gathered and self._gathered[0][0] <= until:
            self._gathered.pop(0)[1]()
