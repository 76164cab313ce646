"""An object store in memory as several machines see it: late, broken, and with an echo, but true to its conditions.

Its clock tells whole seconds and is nobody else's. A version is named by a hash of its bytes, as S3 names it.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from engine.core.errors import OutcomeUnknown, Throttled, Unreachable
from engine.ports.objects import StoredObject, WriteRefusedError

if TYPE_CHECKING:
    import random

    from tests.simulation.leases.machine import Machine

LATE_MAX_SECONDS: Final = 90.0  # a write that was given up and is carried out after all
LATENCY_MAX_SECONDS: Final = 2.0
STOPPED_SHARE: Final = 0.01  # of the writes: their machine is stopped before it hears of them


class SharedStore:
    """The one store. `skew_s` is by how much its clock differs from the loop's."""

    def __init__(self, rng: random.Random, skew_s: float, trouble: float) -> None:
        self.rng = rng
        self.trouble = trouble  # the share of requests that go wrong
        self._skew_s = skew_s
        self._objects: dict[str, tuple[bytes, float]] = {}
        self.is_gone = False  # at the end of the night
        self.seen: set[str] = set()

    def now(self) -> float:
        """Return the store's clock, in whole seconds."""
        return float(int(asyncio.get_running_loop().time() + self._skew_s))

    def read(self, name: str) -> StoredObject | None:
        """Return what is there now."""
        found = self._objects.get(name)
        return None if found is None else StoredObject(found[0], tag_of(found[0]), found[1], self.now())

    def write(self, name: str, data: bytes, replaces: str | None) -> str:
        """Write on the condition, at once and whole. Raises WriteRefusedError."""
        there = self._objects.get(name)
        if (None if there is None else tag_of(there[0])) != replaces:
            raise WriteRefusedError(name)
        self._objects[name] = (data, self.now())
        return tag_of(data)


class StoreOfMachine:
    """The store as one run reaches it. A machine that is stopped hears nothing until it goes on."""

    def __init__(self, store: SharedStore, machine: Machine) -> None:
        self.is_dead = False
        self._store = store
        self._machine = machine

    async def get(self, name: str) -> StoredObject | None:
        """Return the newest version, or an error that says nothing of it."""
        await self._on_the_way()
        if self._goes_wrong() or self._machine.is_cut_off():
            raise OutcomeUnknown("GetObject failed", operation="GetObject")
        found = self._store.read(name)
        await self._on_the_way()
        return found

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        """Write, or do what goes wrong with writes."""
        store, rng = self._store, self._store.rng
        try:
            await self._on_the_way()
        except asyncio.CancelledError:
            if rng.random() < 0.5:  # it had left
                self._later(name, data, replaces)
            raise
        if self._machine.is_cut_off():
            raise Unreachable("no connection", operation="PutObject")
        if not self._goes_wrong():
            tag = store.write(name, data, replaces)
            if rng.random() < STOPPED_SHARE:
                self._machine.stop(rng.uniform(0.0, 2 * LATE_MAX_SECONDS))
            await self._on_the_way()
            return tag
        kind = rng.choice(("not sent", "throttled", "lost", "lost answer", "late", "echo"))
        store.seen.add(kind)
        error = self._spoil(kind, name, data, replaces)
        if kind != "not sent":
            await self._on_the_way()
        raise error

    def _spoil(self, kind: str, name: str, data: bytes, replaces: str | None) -> Exception:
        """Let one write go wrong, and return what the run hears of it."""
        if kind == "not sent":
            return Unreachable("no connection", operation="PutObject")
        if kind == "throttled":
            return Throttled("SlowDown", operation="PutObject")
        if kind in ("echo", "lost answer"):
            self._quietly(name, data, replaces)
        if kind == "echo":  # a proxy sent it twice, and this is the answer to the second
            return WriteRefusedError(name)
        if kind == "late":
            self._later(name, data, replaces)
        return OutcomeUnknown("PutObject failed with InternalError", operation="PutObject")

    async def names(self, under: str) -> tuple[str, ...]:
        """Return nothing: no lease asks."""
        raise NotImplementedError(under)

    async def _on_the_way(self) -> None:
        """Wait for one half of a request; a process that was killed sends none and hears none."""
        if self.is_dead or self._store.is_gone:
            raise asyncio.CancelledError
        rng = self._store.rng
        await self._machine.sleep(rng.uniform(0.0, LATENCY_MAX_SECONDS if rng.random() < 0.1 else 0.05))

    def _later(self, name: str, data: bytes, replaces: str | None) -> None:
        delay_s = self._store.rng.uniform(0.0, LATE_MAX_SECONDS)
        asyncio.get_running_loop().call_later(delay_s, self._quietly, name, data, replaces)

    def _quietly(self, name: str, data: bytes, replaces: str | None) -> None:
        try:
            self._store.write(name, data, replaces)
        except WriteRefusedError:
            return

    def _goes_wrong(self) -> bool:
        return self._store.rng.random() < self._store.trouble


def tag_of(data: bytes) -> str:
    """Return the name of a version."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
