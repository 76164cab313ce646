"""A machine that works under a lease: it is stopped and goes on, it is killed, and its clock is its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.adapters.state.lane_memories import LaneMemories
from engine.adapters.state.shared_documents import Document
from engine.core.errors import CloudError, StateError
from engine.core.identity import Lane
from engine.core.limits import CALL_TOTAL_MAX_SECONDS
from engine.executor.lease import Lease, LeaseHeldError
from tests.simulation.leases.shared_store import StoreOfMachine

if TYPE_CHECKING:
    import random

    from tests.simulation.leases.shared_store import SharedStore

LANE: Final = Lane("111122223333", "eu-west-1")
NAME: Final = "lanes/111122223333-eu-west-1/lease.json"
KILLED_SHARE: Final = 0.4
INTENT_SHARE: Final = 0.5  # of calls before which an intent is kept


def _document(intents: set[str]) -> Document:
    return Document({"once_done": [[one] for one in sorted(intents)]})


@dataclass(frozen=True, slots=True)
class Act:
    """A call that arrived at the service: which run sent it, in which epoch."""

    run: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run found in the lane's memory as it took the lane, or was promised to be kept there since."""

    epoch: int
    intents: frozenset[str]
    is_found: bool


class Machine:
    """One machine, whose runs follow each other.

    `acts` is where calls arrive, in the order in which they do; `kept` is what was found and promised, in that order.
    """

    def __init__(self, name: str, store: SharedStore, rng: random.Random, acts: list[Act], kept: list[Kept]) -> None:
        self.name = name
        self.taken_count = self.unclean_count = self.lost_count = 0
        self._rng = rng
        self._acts = acts
        self._kept = kept
        self._shared = store
        self._boot_s = rng.uniform(0.0, 1e6)
        self._stopped_until = self._cut_off_until = 0.0
        self._runs = 0

    def since_boot(self) -> float:
        """Return this machine's own clock, which goes on while it is stopped."""
        return asyncio.get_running_loop().time() + self._boot_s

    async def sleep(self, seconds: float) -> None:
        """Wait as a process of this machine: not over while it is stopped."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(seconds)
        while loop.time() < self._stopped_until:  # noqa: ASYNC110 - time is all that it waits for
            await asyncio.sleep(self._stopped_until - loop.time())

    def stop(self, seconds: float) -> None:
        """Stop the whole machine for a while."""
        self._stopped_until = max(self._stopped_until, asyncio.get_running_loop().time() + seconds)

    def cut_off(self, seconds: float) -> None:
        """Let the machine reach the service and not the store for a while."""
        self._cut_off_until = max(self._cut_off_until, asyncio.get_running_loop().time() + seconds)

    def is_cut_off(self) -> bool:
        """Whether the store cannot be reached now."""
        return asyncio.get_running_loop().time() < self._cut_off_until

    async def live(self) -> None:
        """Run again and again; some runs are killed."""
        while True:
            self._runs += 1
            store = StoreOfMachine(self._shared, self)
            run = asyncio.create_task(self._run(store, f"{self.name}-{self._runs}"))
            if self._rng.random() < KILLED_SHARE:
                await asyncio.wait([run], timeout=self._rng.uniform(0.0, 300.0))
                store.is_dead = True  # nothing is given back
                self._shared.seen.add("killed")
                run.cancel()
            await asyncio.wait([run])
            if not run.cancelled():
                run.result()
            await self.sleep(self._rng.uniform(0.0, 40.0))

    async def _run(self, store: StoreOfMachine, nonce: str) -> None:
        lease = Lease(store, NAME, holder=self.name, nonce=nonce, since_boot=self.since_boot)
        try:
            await lease.acquire(self._rng.uniform(0.0, 200.0))
        except (LeaseHeldError, CloudError):
            return
        self.taken_count += 1
        self.unclean_count += lease.silent_s is not None
        ends_at = asyncio.get_running_loop().time() + self._rng.uniform(5.0, 200.0)
        async with lease.kept():
            intents: set[str] = set()

            async def snapshot(_: object) -> dict[Lane, Document]:
                return {LANE: _document(intents)}

            memories = LaneMemories(store, {LANE: lease}, nonce, snapshot)
            try:
                left = await memories.claim()
            except (CloudError, StateError):
                return
            intents |= {row[0] for row in left[LANE].document.rows.get("once_done", ())} if left else set()
            self._kept.append(Kept(lease.epoch, frozenset(intents), is_found=True))
            while asyncio.get_running_loop().time() < ends_at:
                await self.sleep(self._rng.uniform(0.0, 8.0))
                if not lease.is_held:
                    self.lost_count += 1
                    break
                intent = f"{nonce}-{len(intents)}"
                intents.add(intent)
                if self._rng.random() < INTENT_SHARE and await memories.keep(LANE):
                    self._kept.append(Kept(lease.epoch, frozenset({intent}), is_found=False))
                elif lease.is_held:
                    self._send(nonce, lease.epoch)
            await self.sleep(CALL_TOTAL_MAX_SECONDS)  # until what it sent is over

    def _send(self, run: str, epoch: int) -> None:
        """Send a call, which arrives at the service within the longest time of one, whatever becomes of the machine."""
        asyncio.get_running_loop().call_later(
            self._rng.uniform(0.0, CALL_TOTAL_MAX_SECONDS), self._acts.append, Act(run, epoch)
        )
