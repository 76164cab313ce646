"""The memory of a lane, written by the run that holds the lane and by no other, in virtual time."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.lane_memories import LaneMemories, memory_name
from engine.adapters.state.shared_documents import Document, packed, unpacked
from engine.core.errors import OutcomeUnknown, StateError, Throttled
from engine.core.identity import Lane
from engine.core.limits import LEASE_RACES_MAX_COUNT, STATE_KEEP_SECONDS
from engine.ports.objects import StoredObject, WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

pytestmark = pytest.mark.looptime

LANE = Lane("111122223333", "eu-west-1")
NAME = memory_name(LANE)


class Store:
    """Objects in memory. `spoil` takes each write before it is made, and may raise or change what is there."""

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {}
        self.writes = 0
        self.spoil: Callable[[Store, str, bytes], None] = lambda *_: None

    async def get(self, name: str) -> StoredObject | None:
        data = self.there.get(name)
        return None if data is None else StoredObject(data, tag(data), 5.0, 8.0)

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        self.spoil(self, name, data)
        there = self.there.get(name)
        if (None if there is None else tag(there)) != replaces:
            raise WriteRefusedError(name)
        self.write(name, data)
        return tag(data)

    async def names(self, under: str) -> tuple[str, ...]:
        raise NotImplementedError(under)

    def write(self, name: str, data: bytes) -> None:
        self.there[name] = data
        self.writes += 1

    @property
    def document(self) -> Document:
        return unpacked(NAME, self.there[NAME])


def tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Held:
    epoch: int = 3
    is_held: bool = True


@dataclass
class Journal:
    """What a journal holds of the lane: one row that a test changes."""

    row: int = 0
    fails: bool = False
    looks: list[tuple[Lane, ...]] = field(default_factory=list)

    async def snapshot(self, lanes: Sequence[Lane]) -> Mapping[Lane, Document]:
        self.looks.append(tuple(lanes))
        if self.fails:
            raise StateError("the journal cannot be read")
        return dict.fromkeys(lanes, Document({"rates": [[self.row]]}))


async def claimed(store: Store, journal: Journal, held: Held | None = None, writer: str = "me") -> LaneMemories:
    memories = LaneMemories(store, {LANE: held or Held()}, writer, journal.snapshot)
    await memories.claim()
    return memories


def once(error: Exception, *, written: bool = False) -> Callable[[Store, str, bytes], None]:
    """Return what spoils the next write alone: `error` is its answer, and perhaps it was written."""
    left = [error]

    def spoil(store: Store, name: str, data: bytes) -> None:
        if left:
            if written:
                store.write(name, data)
            raise left.pop()

    return spoil


UNKNOWN = OutcomeUnknown("PutObject failed", operation="PutObject")


async def test_a_lane_without_a_memory_has_one_from_the_first_run_on() -> None:
    store, journal = Store(), Journal(7)
    memories = LaneMemories(store, {LANE: Held()}, "me", journal.snapshot)
    assert await memories.claim() == {}
    assert (store.document.writer, store.document.epoch, store.document.rows) == ("me", 3, {})
    assert await memories.keep(LANE)
    assert store.document.rows == {"rates": [[7]]}
    following = LaneMemories(store, {LANE: Held(4)}, "next", journal.snapshot)
    left = await following.claim()
    assert left[LANE].document.rows == store.document.rows == {"rates": [[7]]}
    assert left[LANE].age_s == 3.0
    assert (store.document.writer, store.document.epoch) == ("next", 4)


async def test_a_late_write_of_the_holder_before_is_seen_or_shut_out() -> None:
    store, before = Store(), Journal(1)
    earlier = await claimed(store, before, writer="before")

    def in_between(there: Store, name: str, _: bytes) -> None:
        there.spoil = lambda *_: None
        there.write(name, packed(Document({"rates": [[2]]}, writer="before", count=9)))

    store.spoil = in_between
    memories = LaneMemories(store, {LANE: Held(4)}, "me", Journal(5).snapshot)
    assert (await memories.claim())[LANE].document.rows == {"rates": [[2]]}
    before.row = 3
    assert not await earlier.keep(LANE)
    assert earlier.broken == {LANE: "another run has written it"}
    assert store.document.writer == "me"


async def test_what_another_run_writes_again_and_again_is_no_memory_of_this_one() -> None:
    store = Store()
    store.spoil = lambda there, name, _: there.write(name, packed(Document({}, writer=f"x{there.writes}")))
    with pytest.raises(StateError, match="is written by another run although this one holds the lane"):
        await claimed(store, Journal())
    assert store.writes == LEASE_RACES_MAX_COUNT


async def test_wishes_of_the_same_moment_share_a_write() -> None:
    store, journal = Store(), Journal(1)
    memories = await claimed(store, journal)
    before = store.writes
    assert all(await asyncio.gather(*(memories.keep(LANE) for _ in range(20))))
    assert store.writes == before + 1
    store.spoil = once(Throttled("SlowDown", operation="PutObject"))
    assert not any(await asyncio.gather(*(memories.keep(LANE) for _ in range(20))))
    assert memories.broken == {LANE: "SlowDown"}
    assert await memories.keep(LANE)
    assert memories.broken == {}


@pytest.mark.parametrize("error", [UNKNOWN, WriteRefusedError(NAME)])
async def test_a_write_that_was_made_although_its_answer_says_nothing_of_it_counts(error: Exception) -> None:
    store, journal = Store(), Journal(1)
    memories = await claimed(store, journal)
    store.spoil = once(error, written=True)
    assert await memories.keep(LANE)
    journal.row = 2
    assert await memories.keep(LANE)
    assert store.document.rows == {"rates": [[2]]}


async def test_a_write_of_which_nothing_shows_does_not_count_and_may_still_arrive() -> None:
    store, journal, late = Store(), Journal(1), []

    def lost(there: Store, _: str, data: bytes) -> None:
        late.append(data)
        there.spoil = lambda *_: None
        raise UNKNOWN

    memories = await claimed(store, journal)
    store.spoil = lost
    assert not await memories.keep(LANE)
    assert memories.broken == {LANE: "PutObject failed"}
    store.write(NAME, late[0])
    journal.row = 2
    assert await memories.keep(LANE)
    assert store.document.rows == {"rates": [[2]]}


async def test_one_whose_early_writes_all_arrive_late_gives_up() -> None:
    store, journal, late = Store(), Journal(1), []
    memories = await claimed(store, journal)

    def overtaken(there: Store, name: str, data: bytes) -> None:
        late.append(data)
        there.write(name, packed(Document({}, writer="me", count=len(late) - 99)))

    store.spoil = overtaken
    assert not await memories.keep(LANE)
    assert len(late) == 2


async def test_nothing_is_written_without_the_lease_or_from_a_journal_that_cannot_be_read() -> None:
    store, journal, held = Store(), Journal(1), Held()
    memories = await claimed(store, journal, held)
    before = store.writes
    journal.fails = True
    assert not await memories.keep(LANE)
    await memories.keep_changed()
    assert memories.broken == {LANE: "the journal cannot be read"}
    journal.fails, held.is_held = False, False
    assert not await memories.keep(LANE)
    assert memories.broken == {LANE: "the lease on the lane is lost"}
    assert store.writes == before


async def test_what_changed_is_written_again_and_again_and_nothing_else_is() -> None:
    store, journal = Store(), Journal(1)
    memories = await claimed(store, journal)
    keeping = asyncio.create_task(memories.keep_changed_for_ever())
    before = store.writes
    await asyncio.sleep(3.5 * STATE_KEEP_SECONDS)
    assert store.writes == before + 1
    store.spoil = once(Throttled("SlowDown", operation="PutObject"))
    journal.row = 2
    await asyncio.sleep(STATE_KEEP_SECONDS)
    assert memories.broken == {LANE: "SlowDown"}
    await asyncio.sleep(STATE_KEEP_SECONDS)
    assert memories.broken == {}
    assert store.document.rows == {"rates": [[2]]}
    keeping.cancel()
