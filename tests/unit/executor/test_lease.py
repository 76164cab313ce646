"""A lease on a lane, in virtual time; what many machines make of it is in tests/simulation/leases."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from engine.core.errors import OutcomeUnknown, StateError, Throttled
from engine.core.lease import LeaseRecord, parse_lease
from engine.core.limits import (
    LEASE_GRACE_SECONDS,
    LEASE_POLL_SECONDS,
    LEASE_RACES_MAX_COUNT,
    LEASE_RENEW_SECONDS,
    LEASE_RETRY_SECONDS,
    LEASE_TTL_SECONDS,
)
from engine.executor.lease import Lease, LeaseHeldError
from engine.ports.objects import StoredObject, WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.looptime

NAME = "lanes/l/lease.json"


class Store:
    """One object in memory. `spoil` takes each write before it is made, and may raise or change what is there."""

    def __init__(self) -> None:
        self.there: tuple[bytes, float] | None = None
        self.writes: list[LeaseRecord] = []
        self.spoil: Callable[[Store, bytes], None] = lambda *_: None
        self.reads_fail = False

    def now(self) -> float:
        return asyncio.get_running_loop().time() + 5_000.0  # a clock of its own

    async def get(self, name: str) -> StoredObject | None:
        assert name == NAME
        if self.reads_fail:
            raise OutcomeUnknown("GetObject failed", operation="GetObject")
        return (
            None if self.there is None else StoredObject(self.there[0], tag(self.there[0]), self.there[1], self.now())
        )

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        assert name == NAME
        self.spoil(self, data)
        if (None if self.there is None else tag(self.there[0])) != replaces:
            raise WriteRefusedError(name)
        self.write(data)
        return tag(data)

    async def names(self, under: str) -> tuple[str, ...]:
        raise NotImplementedError(under)

    def write(self, data: bytes) -> None:
        self.there = (data, self.now())
        self.writes.append(parse_lease(data))

    @property
    def record(self) -> LeaseRecord:
        assert self.there is not None
        return parse_lease(self.there[0])


class SlowStore(Store):
    """A store of which a write takes its time to end, also one that was let go of."""

    is_slow = False

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        if self.is_slow:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(5.0)
        return await super().put(name, data, replaces=replaces)


def tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_lease(store: Store, nonce: str = "mine") -> Lease:
    return Lease(
        store, NAME, holder=f"host of {nonce}", nonce=nonce, since_boot=lambda: asyncio.get_running_loop().time() + 77.0
    )


def is_held(lease: Lease) -> bool:
    return lease.is_held  # mypy takes a property for what it was a moment ago


def once(error: Exception, *, written: bool = False) -> Callable[[Store, bytes], None]:
    """Return what spoils the next write alone: `error` is its answer, and perhaps it was written."""
    left = [error]

    def spoil(store: Store, data: bytes) -> None:
        if left:
            if written:
                store.write(data)
            raise left.pop()

    return spoil


UNKNOWN = OutcomeUnknown("PutObject failed", operation="PutObject")


async def test_it_is_taken_renewed_and_given_back() -> None:
    store = Store()
    lease = a_lease(store)
    assert not is_held(lease)
    assert lease.epoch == 0
    await lease.acquire()
    async with lease.kept():
        assert is_held(lease)
        await asyncio.sleep(2 * LEASE_RENEW_SECONDS + 1.0)
    assert not is_held(lease)
    assert [(one.epoch, one.count, one.is_held) for one in store.writes] == [
        (1, 1, True), (1, 2, True), (1, 3, True), (1, 4, False),
    ]  # fmt: skip
    following = a_lease(store, "next")
    await following.acquire()
    assert (following.epoch, following.silent_s) == (2, None)


async def test_it_runs_out_when_it_cannot_be_renewed_and_is_held_again_when_it_can() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()

    def refuse(*_: object) -> None:
        raise Throttled("SlowDown", operation="PutObject")

    store.spoil = refuse
    async with lease.kept():
        await asyncio.sleep(LEASE_TTL_SECONDS - 0.1)
        assert is_held(lease)
        await asyncio.sleep(0.2)
        assert not is_held(lease)
        store.spoil = lambda *_: None
        await asyncio.sleep(LEASE_RETRY_SECONDS)
        assert is_held(lease)


async def test_a_lease_that_another_run_holds_is_not_taken() -> None:
    store = Store()
    other, waits = a_lease(store, "other"), []
    await other.acquire()
    async with other.kept():
        await asyncio.sleep(10.0)
        with pytest.raises(LeaseHeldError) as refused:
            await a_lease(store).acquire(on_wait=lambda *wait: waits.append(wait))
        assert asyncio.get_running_loop().time() == LEASE_RENEW_SECONDS  # it is alive, which its renewal shows
        assert refused.value.holder == "host of other"
        assert refused.value.left_s == LEASE_TTL_SECONDS + LEASE_GRACE_SECONDS
        assert waits == [("host of other", LEASE_TTL_SECONDS + LEASE_GRACE_SECONDS - 10.0)]
    assert {one.nonce for one in store.writes} == {"other"}


@pytest.mark.parametrize("timeout_s", [0.0, 200.0])
async def test_a_silent_holder_is_followed_after_its_time_and_the_grace(timeout_s: float) -> None:
    store = Store()
    loop = asyncio.get_running_loop()
    await a_lease(store, "other").acquire()
    lease = a_lease(store)
    await lease.acquire(timeout_s)
    assert loop.time() == pytest.approx(LEASE_TTL_SECONDS + LEASE_GRACE_SECONDS)
    assert lease.epoch == 2
    assert lease.silent_s == pytest.approx(LEASE_TTL_SECONDS + LEASE_GRACE_SECONDS)


async def test_a_run_whose_end_could_not_be_written_gives_nothing_back() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    async with lease.kept():
        lease.is_clean = False
    assert store.record.is_held


async def test_a_run_that_waits_has_the_lease_soon_after_it_was_given_back() -> None:
    store = Store()
    other, lease = a_lease(store, "other"), a_lease(store)
    await other.acquire()

    async def for_a_while() -> None:
        async with other.kept():
            await asyncio.sleep(12.0)

    works = asyncio.create_task(for_a_while())
    await lease.acquire(timeout_s=60.0)
    assert asyncio.get_running_loop().time() <= 12.0 + LEASE_POLL_SECONDS
    assert lease.silent_s is None
    await works


async def test_a_holder_that_was_followed_notices_and_gives_nothing_back() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    async with lease.kept():
        store.write(LeaseRecord(2, "other", "other", 1, is_held=True, ttl_s=60.0).to_bytes())
        await asyncio.sleep(LEASE_RENEW_SECONDS + 1.0)
        assert lease.is_lost
        assert not is_held(lease)
    assert store.record.nonce == "other"


async def test_a_block_that_ends_in_an_error_gives_nothing_back() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    with pytest.raises(ZeroDivisionError):
        async with lease.kept():
            raise ZeroDivisionError
    assert store.record.is_held


@pytest.mark.parametrize("error", [UNKNOWN, WriteRefusedError(NAME)])
async def test_a_write_that_was_made_although_its_answer_says_nothing_of_it_counts(error: Exception) -> None:
    store = Store()
    lease = a_lease(store)
    store.spoil = once(error, written=True)
    await lease.acquire()
    assert is_held(lease)
    assert lease.epoch == 1


async def test_a_write_of_which_nothing_shows_is_an_error_of_the_store() -> None:
    store = Store()
    store.spoil = once(UNKNOWN)
    with pytest.raises(OutcomeUnknown):
        await a_lease(store).acquire()


async def test_what_arrived_late_is_gone_on_from_and_its_time_counts_from_its_sending() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()

    def never_heard(there: Store, data: bytes) -> None:
        there.write(data)
        there.reads_fail = True
        raise UNKNOWN

    store.spoil = never_heard
    async with lease.kept():
        await asyncio.sleep(LEASE_RENEW_SECONDS + 1.0)  # written at 20 s, and nobody can say so
        store.spoil, store.reads_fail = once(Throttled("SlowDown", operation="PutObject")), False
        await asyncio.sleep(LEASE_RETRY_SECONDS)  # at 25 s nothing is written
        store.spoil = lambda *_: None
        await asyncio.sleep(LEASE_RETRY_SECONDS)  # at 30 s the store holds what was sent at 20 s
        assert lease._until == pytest.approx(77.0 + LEASE_RENEW_SECONDS + LEASE_TTL_SECONDS)
        await asyncio.sleep(LEASE_RETRY_SECONDS)  # and so it is renewed soon
        assert lease._until == pytest.approx(77.0 + 35.0 + LEASE_TTL_SECONDS)
        assert not lease.is_lost


async def test_its_own_earlier_try_is_not_waited_for() -> None:
    store = Store()
    lease = a_lease(store)
    store.write(LeaseRecord(4, "host of mine", "mine", 1, is_held=True, ttl_s=60.0).to_bytes())
    await lease.acquire()
    assert (lease.epoch, lease.silent_s) == (4, None)


async def test_a_release_that_follows_a_renewal_of_which_nothing_was_heard_still_gives_it_back() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    async with lease.kept():
        store.write(LeaseRecord(1, "host of mine", "mine", 2, is_held=True, ttl_s=60.0).to_bytes())
    assert not store.record.is_held


@pytest.mark.parametrize("spoil", [once(UNKNOWN), once(Throttled("SlowDown", operation="PutObject"))])
async def test_a_release_that_fails_is_no_error(spoil: Callable[[Store, bytes], None]) -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    async with lease.kept():
        store.spoil = spoil
    assert store.record.is_held
    assert not is_held(lease)


async def test_a_release_whose_answer_is_an_echo_is_made_once() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    async with lease.kept():
        store.spoil = once(WriteRefusedError(NAME), written=True)
    assert [one.is_held for one in store.writes] == [True, False]


async def test_a_release_that_comes_too_late_leaves_the_next_holder_alone() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    async with lease.kept():
        store.write(LeaseRecord(2, "other", "other", 1, is_held=True, ttl_s=60.0).to_bytes())
    assert store.record.nonce == "other"


async def test_a_race_that_others_win_again_and_again_ends() -> None:
    store = Store()
    tries = 0

    def quicker(there: Store, _: bytes) -> None:
        nonlocal tries
        tries += 1
        there.write(LeaseRecord(tries, "other", f"other-{tries}", 1, is_held=False, ttl_s=60.0).to_bytes())

    store.spoil = quicker
    with pytest.raises(LeaseHeldError):
        await a_lease(store).acquire()
    assert tries == LEASE_RACES_MAX_COUNT


async def test_an_object_that_is_no_lease_is_refused_with_its_name() -> None:
    store = Store()
    store.there = (b"{}", 0.0)
    with pytest.raises(StateError, match=r"The object lanes/l/lease\.json in the place of a lease cannot be read"):
        await a_lease(store).acquire()


async def test_a_holder_in_whose_place_something_else_stands_has_lost_the_lane() -> None:
    store = Store()
    lease = a_lease(store)
    await lease.acquire()
    async with lease.kept():
        store.there = (b"{}", 0.0)
        await asyncio.sleep(LEASE_RENEW_SECONDS + 1.0)
        assert lease.is_lost
    assert store.there == (b"{}", 0.0)


async def test_a_run_that_is_cancelled_while_a_renewal_ends_is_cancelled_and_gives_nothing_back() -> None:
    store = SlowStore()
    lease = a_lease(store)
    await lease.acquire()
    store.is_slow = True

    async def works() -> None:
        async with lease.kept():
            await asyncio.sleep(LEASE_RENEW_SECONDS + 1.0)

    run = asyncio.create_task(works())
    await asyncio.sleep(LEASE_RENEW_SECONDS + 2.0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert store.record.is_held


def test_an_age_is_never_below_zero() -> None:
    assert StoredObject(b"", "", modified=10.0, now=9.0).age_s == 0.0
