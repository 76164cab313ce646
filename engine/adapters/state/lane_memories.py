"""The memory of each lane in a shared store, as the run that holds the lanes writes it.

A memory is one object, written again and again, each time in place of the version that this run wrote last. A run
writes it once as it takes the lane, which shuts out every late write of the holder before it. From then on a write
that is refused shows that another run has taken over, and so does its content.

What a delete or an update takes away is in the memory before the call is sent: several that come at the same moment
share one write. Everything else is at most STATE_KEEP_SECONDS old. Not here: the lease (`executor.lease`), which rows
a memory holds (`shared_rows`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from engine.adapters.state.shared_documents import Document, packed, unpacked
from engine.core.errors import CloudError, OutcomeUnknown, StateError
from engine.core.limits import (
    JOURNAL_GATHER_SECONDS,
    LEASE_RACES_MAX_COUNT,
    STATE_KEEP_SECONDS,
)
from engine.ports.objects import WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from engine.core.identity import Lane
    from engine.ports.objects import ObjectStore, StoredObject

    Snapshot = Callable[[Sequence[Lane]], Awaitable[Mapping[Lane, Document]]]


LANES: Final = "lanes/"
MEMORY: Final = "memory.json.gz"


def lane_folder(lane: Lane) -> str:
    """Return where the objects of a lane are."""
    return f"{LANES}{lane.account}-{lane.region}/"


def memory_name(lane: Lane) -> str:
    """Return the name of a lane's memory."""
    return lane_folder(lane) + MEMORY


class Held(Protocol):
    """What is asked of a lane's lease."""

    @property
    def epoch(self) -> int:
        """The number of this holder."""
        ...

    @property
    def is_held(self) -> bool:
        """Whether it is held now."""
        ...


@dataclass(frozen=True, slots=True)
class Left:
    """What the run before left of a lane, `age_s` seconds before it was read, by the store's clock."""

    document: Document
    age_s: float


@dataclass(slots=True)
class _Kept:
    """What is known of one lane's object. `asked` numbers the wishes to write it, `done` those that were."""

    document: Document
    tag: str | None
    count: int = 0
    asked: int = 0
    done: int = 0
    failed: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class LaneMemories:
    """The memories of the lanes that a run holds. `writer` is of this run alone.

    `snapshot` returns what the journal holds of lanes now, or raises StateError. `broken` says of a lane why its memory
    is not up to date.
    """

    def __init__(self, store: ObjectStore, leases: Mapping[Lane, Held], writer: str, snapshot: Snapshot) -> None:
        self.broken: dict[Lane, str] = {}
        self._store = store
        self._leases = leases
        self._writer = writer
        self._snapshot = snapshot
        self._kept: dict[Lane, _Kept] = {}

    async def claim(self) -> Mapping[Lane, Left]:
        """Take over every lane's memory, and return what the run before left, for the lanes that ever had a run.

        Raises CloudError, and StateError for an object that is no memory.
        """
        found = await asyncio.gather(*map(self._claim, self._leases))
        return {lane: left for lane, left in zip(self._leases, found, strict=True) if left is not None}

    async def keep(self, lane: Lane) -> bool:
        """Return whether what the journal holds of a lane at this moment is in the store."""
        kept = self._kept[lane]
        kept.asked += 1
        mine = kept.asked
        async with kept.turn:
            if kept.done >= mine:
                return True
            if kept.failed < mine:
                await asyncio.sleep(JOURNAL_GATHER_SECONDS)
                covers = kept.asked
                found = await self._found((lane,))
                if found and await self._write(lane, kept, found[lane]):
                    kept.done = covers
                else:
                    kept.failed = covers
        return kept.done >= mine

    async def keep_changed(self) -> None:
        """Write the memories of all lanes in which something changed; what cannot be written shows in `broken`."""
        found = await self._found(tuple(self._kept))
        await asyncio.gather(*(self._keep_changed(lane, document) for lane, document in found.items()))

    async def keep_changed_for_ever(self) -> None:
        """Do so again and again, until cancelled."""
        while True:
            await asyncio.sleep(STATE_KEEP_SECONDS)
            await self.keep_changed()

    async def _found(self, lanes: Sequence[Lane]) -> Mapping[Lane, Document]:
        """Return what the journal holds; nothing where it cannot be read."""
        try:
            return await self._snapshot(lanes)
        except StateError as error:
            self.broken.update(dict.fromkeys(lanes, error.message))
            return {}

    async def _keep_changed(self, lane: Lane, document: Document) -> None:
        kept = self._kept[lane]
        async with kept.turn:
            if document.rows != kept.document.rows or document.quotas != kept.document.quotas or lane in self.broken:
                await self._write(lane, kept, document)

    async def _claim(self, lane: Lane) -> Left | None:
        for _ in range(LEASE_RACES_MAX_COUNT):
            found = await self._store.get(memory_name(lane))
            document = Document({}) if found is None else unpacked(memory_name(lane), found.data)
            kept = _Kept(document, None if found is None else found.tag)
            if await self._put(lane, kept, document):  # else a late write of the holder before came in between
                self._kept[lane] = kept
                return None if found is None else Left(document, found.age_s)
        raise StateError(
            f"The object {memory_name(lane)} is written by another run although this one holds the lane",
            hint="Find out what else writes below --state-dir, then run again; nothing was called",
        )

    async def _write(self, lane: Lane, kept: _Kept, document: Document) -> bool:
        """Write once; whether it is written. Never raises."""
        if not self._leases[lane].is_held:
            self.broken[lane] = "the lease on the lane is lost"
            return False
        try:
            if await self._put(lane, kept, document):
                self.broken.pop(lane, None)
                return True
            self.broken[lane] = "another run has written it"
        except (CloudError, StateError) as error:
            self.broken[lane] = error.message
        return False

    async def _put(self, lane: Lane, kept: _Kept, document: Document) -> bool:
        """Write in place of the known version; False where another run wrote it. Raises CloudError and StateError."""
        for _ in range(2):
            kept.count += 1
            mine = replace(document, writer=self._writer, count=kept.count, epoch=self._leases[lane].epoch)
            try:
                kept.tag = await self._store.put(memory_name(lane), packed(mine), replaces=kept.tag)
            except (WriteRefusedError, OutcomeUnknown) as error:
                there = await self._store.get(memory_name(lane))
                if isinstance(error, OutcomeUnknown) and _tag(there) == kept.tag:
                    raise  # not written, or not yet
                found = None if there is None else unpacked(memory_name(lane), there.data)
                if found is None or there is None or found.writer != self._writer:
                    return False
                kept.tag = there.tag
                if found.count != kept.count:
                    continue  # an earlier write of this run's, of which nothing was heard: this one goes in its place
            kept.document = document
            return True
        return False


def _tag(there: StoredObject | None) -> str | None:
    return None if there is None else there.tag


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
