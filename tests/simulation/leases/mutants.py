"""Deliberate bugs of the lease, each of which the nights of machines have to find."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import PropertyMock, patch

from engine.adapters.state.lane_memories import MEMORY, LaneMemories
from engine.core import lease as records
from engine.core.lease import LeaseRecord
from engine.core.limits import LEASE_TTL_SECONDS
from engine.executor.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.ports.objects import StoredObject


def no_look_before_calls() -> Any:
    """Believe that what was acquired is still held."""
    return patch.object(Lease, "is_held", PropertyMock(return_value=True))


def takeover_early() -> Any:
    """Take the lease once its time is over, although the last call of its holder may be under way."""
    return patch.object(records, "LEASE_GRACE_SECONDS", 0.0)


def time_counts_from_the_answer() -> Any:
    """Let the time of a holder begin when the store answered, however long that took."""
    right = Lease._hold

    def hold(lease: Lease, record: LeaseRecord, tag: str) -> None:
        right(lease, record, tag)
        lease._until = lease._since_boot() + LEASE_TTL_SECONDS

    return patch.object(Lease, "_hold", hold)


def anybodys_version_is_ours() -> Any:
    """Take what the store holds for this run's own, whoever wrote it."""

    def adopt(lease: Lease, seen: StoredObject | None) -> bool:
        if seen is None:
            return False
        lease._hold(replace(lease._read(seen), nonce=lease._known.nonce), seen.tag)
        return True

    return patch.object(Lease, "_adopt", adopt)


def the_store_is_not_asked_for_the_version() -> Any:
    """Write whatever is there, as on a store that ignores conditions."""
    from tests.simulation.leases.shared_store import SharedStore

    right = SharedStore.write

    def write(store: SharedStore, name: str, data: bytes, _: str | None) -> str:
        there = store.read(name)
        return right(store, name, data, None if there is None else there.tag)

    return patch.object(SharedStore, "write", write)


@contextmanager
def equal_bodies() -> Iterator[None]:
    """Write each time the same bytes, so that a version has the name of the one before it."""
    right = LeaseRecord.to_bytes

    def to_bytes(record: LeaseRecord) -> bytes:
        return right(replace(record, nonce="n", count=1, epoch=1, holder="h"))

    with patch.object(LeaseRecord, "to_bytes", to_bytes):
        yield


def a_memory_is_written_whatever_is_there() -> Any:
    """Write the memory of a lane without a condition, so that a late write of an earlier holder replaces it."""
    from tests.simulation.leases.shared_store import SharedStore

    right = SharedStore.write

    def write(store: SharedStore, name: str, data: bytes, replaces: str | None) -> str:
        there = store.read(name) if name.endswith(MEMORY) else None
        return right(store, name, data, replaces if there is None else there.tag)

    return patch.object(SharedStore, "write", write)


def a_refused_memory_counts_as_kept() -> Any:
    """Promise that an intent is kept although the store refused it."""
    right = LaneMemories._write

    async def write(memories: LaneMemories, lane: Any, kept: Any, document: Any) -> bool:
        await right(memories, lane, kept, document)
        return True

    return patch.object(LaneMemories, "_write", write)


MUTANTS: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "no-look-before-calls": no_look_before_calls,
    "takeover-early": takeover_early,
    "time-counts-from-the-answer": time_counts_from_the_answer,
    "anybodys-version-is-ours": anybodys_version_is_ours,
    "a-store-that-ignores-conditions": the_store_is_not_asked_for_the_version,
    "equal-bodies": equal_bodies,
    "a-memory-is-written-whatever-is-there": a_memory_is_written_whatever_is_there,
    "a-refused-memory-counts-as-kept": a_refused_memory_counts_as_kept,
}
