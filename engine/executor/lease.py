"""The right to work on one lane, among runs on any number of machines: a lease on an object of a shared store.

A holder renews it, and makes no call when the last renewal that is known to have been written was sent too long ago.
Another run takes it when the store's own clock says that the holder must have been silent for longer than that, and
for the longest time that a call of its may take. So no two machines' clocks are compared, and a run that was stopped
and goes on (a sleeping machine, SIGSTOP) finds that it has lost the lane before it sends anything.

What stays open are the milliseconds between the last look at `is_held` and the arrival of a call at the service.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.errors import CloudError, OutcomeUnknown, StateError
from engine.core.lease import LeaseRecord, LeaseUnreadableError, parse_lease
from engine.core.limits import (
    LEASE_LOOK_MIN_SECONDS,
    LEASE_POLL_SECONDS,
    LEASE_RACES_MAX_COUNT,
    LEASE_RENEW_SECONDS,
    LEASE_RETRY_SECONDS,
    LEASE_TTL_SECONDS,
)
from engine.ports.objects import WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from engine.ports.objects import ObjectStore, StoredObject


class LeaseHeldError(Exception):
    """Another run holds the lease. Never leaves the executor.

    `holder` is what it says of itself; `left_s` is how long it takes at most until the lease is free if it says
    nothing more.
    """

    def __init__(self, holder: str, left_s: float) -> None:
        super().__init__(holder)
        self.holder = holder
        self.left_s = left_s


class Lease:
    """The lease of one run on the object `name`: acquired once, and of no use when it was lost or given back.

    `epoch` is the number of this holder. `silent_s` is for how many seconds, by the store's clock, a holder before it
    that never gave the lease back had been silent; None where there was none. `nonce` is of this run alone.
    `since_boot` gives seconds, and goes on while the machine sleeps. A run whose end could not be written sets
    `is_clean` to False: it gives nothing back.
    """

    def __init__(
        self, store: ObjectStore, name: str, *, holder: str, nonce: str, since_boot: Callable[[], float]
    ) -> None:
        self.name = name
        self.is_lost = False
        self.is_clean = True
        self.silent_s: float | None = None
        self._store = store
        self._since_boot = since_boot
        self._known = LeaseRecord(0, holder, nonce, 0, is_held=True, ttl_s=LEASE_TTL_SECONDS)
        self._tag: str | None = None
        self._sent_count = 0
        self._sent_at: dict[int, float] = {}  # by count, of the writes that may be what the store holds
        self._until = -1.0

    @property
    def epoch(self) -> int:
        """The number of this holder among all that the lane had, from 1; 0 before there is one."""
        return self._known.epoch

    @property
    def is_held(self) -> bool:
        """Whether a call may be made now."""
        return not self.is_lost and self._since_boot() < self._until

    async def acquire(
        self, timeout_s: float = 0.0, on_wait: Callable[[str, float], None] = lambda _holder, _left_s: None
    ) -> None:
        """Take the lease, waiting at most `timeout_s` seconds for a run that has it.

        A holder that says nothing may be dead, which only its silence shows: it is waited for to the end of its time,
        whatever the timeout. `on_wait` is called once, with the holder and the seconds that its time has left.

        Raises LeaseHeldError, StateError for an object that is no lease, and CloudError from the store.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout_s
        races = 0
        first_tag: str | None = None
        while True:
            seen = await self._store.get(self.name)
            record = None if seen is None else self._read(seen)
            wait_s = 0.0 if record is None or seen is None else self._wait_s(record, seen)
            if wait_s <= 0.0:
                if await self._take(record, seen):
                    return
                races += 1
                if races < LEASE_RACES_MAX_COUNT:
                    continue  # another run was quicker, and may be done already
            holder, tag = ("", "") if record is None or seen is None else (record.holder, seen.tag)
            if first_tag is None:
                first_tag = tag
                on_wait(holder, wait_s)
            left_s = give_up_at - loop.time()
            is_silent = wait_s > 0.0 and tag == first_tag
            if left_s <= 0.0 and not is_silent:
                raise LeaseHeldError(holder, wait_s)
            look_s = min(LEASE_POLL_SECONDS, max(LEASE_LOOK_MIN_SECONDS, wait_s))
            await asyncio.sleep(look_s if is_silent else min(look_s, left_s))

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the acquired lease for the length of the block, then give it back.

        The block ends well once no call of it is under way any more. One that ends otherwise gives nothing back: the
        next run waits until its calls must be over, and is told of an unclean end.
        """
        renewing = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])  # which raises nothing but the cancellation of whoever waits here
        await self._release()

    def _wait_s(self, record: LeaseRecord, seen: StoredObject) -> float:
        """Return in how many seconds this run may take the lease. What it wrote itself it may take at once."""
        return 0.0 if record.nonce == self._known.nonce else record.may_be_taken_in_s(seen.age_s)

    async def _take(self, record: LeaseRecord | None, seen: StoredObject | None) -> bool:
        """Write this run's name in place of what was seen; whether the lease is its own then."""
        if record is None or seen is None:
            return await self._write(1, None)
        if record.nonce == self._known.nonce:  # a write of which nothing was heard arrived after all
            return await self._write(record.epoch, seen.tag)
        self.silent_s = seen.age_s if record.is_held else None
        return await self._write(record.epoch + 1, seen.tag)

    async def _keep(self) -> None:
        """Renew until the lease is lost. What cannot be renewed runs out by itself."""
        while not self.is_lost:
            is_fresh = self._known.count == self._sent_count
            await asyncio.sleep(LEASE_RENEW_SECONDS if is_fresh else LEASE_RETRY_SECONDS)
            try:
                self.is_lost = not await self._write(self.epoch, self._tag)
            except CloudError:
                continue
            except StateError:  # something else stands in its place
                self.is_lost = True

    async def _release(self) -> None:
        """Give the lease back, so that the next run need not wait. What cannot be given back runs out."""
        if not (self.is_held and self.is_clean):
            return
        self._until = -1.0  # before the write: nothing may be called once it is on its way
        with suppress(CloudError, StateError, WriteRefusedError):
            try:
                await self._put_released()
            except WriteRefusedError:
                # A renewal that was cut off may have been written, and then the lease has another tag.
                if self._adopt(await self._store.get(self.name)) and self._known.is_held:
                    await self._put_released()

    async def _put_released(self) -> None:
        last = replace(self._known, count=self._next_count(), is_held=False)
        await self._store.put(self.name, last.to_bytes(), replaces=self._tag)

    async def _write(self, epoch: int, tag: str | None) -> bool:
        """Write the lease once in place of the version `tag`; whether it is this run's then.

        Raises CloudError where nothing was written, or nobody knows whether.
        """
        record = replace(self._known, epoch=epoch, count=self._next_count())
        self._sent_at[record.count] = self._since_boot()
        try:
            written = await self._store.put(self.name, record.to_bytes(), replaces=tag)
        except (
            WriteRefusedError
        ):  # perhaps the echo of this very write, or of an earlier one of which nothing was heard
            return self._adopt(await self._store.get(self.name))
        except OutcomeUnknown:
            seen = await self._store.get(self.name)
            if (None if seen is None else seen.tag) == tag:
                raise  # not written, or not yet
            return self._adopt(seen)
        self._hold(record, written)
        return True

    def _adopt(self, seen: StoredObject | None) -> bool:
        """Go on from what the store holds, if this run wrote it; whether it did."""
        record = None if seen is None else self._read(seen)
        if record is None or seen is None or record.nonce != self._known.nonce:
            return False
        self._hold(record, seen.tag)
        return True

    def _hold(self, record: LeaseRecord, tag: str) -> None:
        """Go on from a version of this run's. Its time began when it was sent, which is before it was written."""
        self._known, self._tag = record, tag
        if record.count in self._sent_at:
            self._until = max(self._until, self._sent_at[record.count] + LEASE_TTL_SECONDS)
        self._sent_at = {count: at for count, at in self._sent_at.items() if count > record.count}

    def _next_count(self) -> int:
        """Return the number of the next write: each has its own, whatever becomes of it."""
        self._sent_count += 1
        return self._sent_count

    def _read(self, seen: StoredObject) -> LeaseRecord:
        try:
            return parse_lease(seen.data)
        except LeaseUnreadableError as error:
            raise StateError(
                f"The object {self.name} in the place of a lease cannot be read: {error}",
                hint="Give --state-dir a separate prefix, and let every machine run the same version of appfleet",
            ) from None
