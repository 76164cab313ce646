"""A store that is asked again while its trouble passes, and by so many requests at a time.

It answers 503 now and then, and a network breaks. A thousand lanes ask at the same moment, and connections are few.

What a store refuses for being too much was not carried out, so it is asked again whatever it is. Of a write of which
nobody knows the outcome whoever made it looks for himself; only reads are repeated after that.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.core.errors import CloudError, OutcomeUnknown, Throttled, Unreachable
from engine.core.limits import CONNECT_PARALLEL_MAX_COUNT, STATE_RETRY_SECONDS, STATE_TRIES_MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.ports.objects import ObjectStore, StoredObject

T = TypeVar("T")

_NOT_SENT = (Throttled, Unreachable)
_READ = (*_NOT_SENT, OutcomeUnknown)


class PatientStore:
    """An ObjectStore over another one, each request of which is made a few times at most."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._places = asyncio.Semaphore(CONNECT_PARALLEL_MAX_COUNT)

    async def get(self, name: str) -> StoredObject | None:
        """Return the newest version of an object, or None. Raises CloudError."""
        return await self._patiently(partial(self._store.get, name), _READ)

    async def put(self, name: str, data: bytes, *, replaces: str | None) -> str:
        """Write as the store below does. Raises as it does."""
        return await self._patiently(partial(self._store.put, name, data, replaces=replaces), _NOT_SENT)

    async def names(self, under: str) -> tuple[str, ...]:
        """Return the names of all objects below `under`. Raises CloudError."""
        return await self._patiently(partial(self._store.names, under), _READ)

    async def _patiently(self, ask: Callable[[], Awaitable[T]], passing: tuple[type[CloudError], ...]) -> T:
        for tried in range(1, STATE_TRIES_MAX_COUNT):
            try:
                return await self._in_place(ask)
            except passing:
                await asyncio.sleep(STATE_RETRY_SECONDS * 2 ** (tried - 1))
        return await self._in_place(ask)

    async def _in_place(self, ask: Callable[[], Awaitable[T]]) -> T:
        async with self._places:
            return await ask()
