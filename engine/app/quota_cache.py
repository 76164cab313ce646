"""The quotas of the last day, kept in the state folder, so that a night asks for each account's only once.

Not here: asking (`app.quotas`).
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.core.errors import StateError
from engine.core.limits import QUOTA_CACHE_MAX_SECONDS, QUOTA_VALUE_MAX_COUNT
from engine.core.quota_fit import QuotaValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.app.options import AppOptions
    from engine.executor.link import Link

CACHE_NAME: Final = "journal.quotas.json"
_CACHE_VERSION: Final = 3  # the second one kept all quotas of a lane or none


class Folder(Protocol):
    """What the cache needs of the state folder."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content, None where there is none. Raises StateError."""
        ...

    def write_atomically(self, name: str, data: bytes) -> None:
        """Replace a file whole. Raises StateError."""
        ...


class QuotaCache:
    """The values of the last day, by account, region and endpoint. A file that cannot be used is as good as none.

    It is read when the first lane is asked about, and written by `save`, once for all lanes.
    """

    def __init__(self, state: Folder, *, refresh: bool, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._refresh = refresh
        self._clock = clock
        self._is_new = False

    @cached_property
    def lanes(self) -> dict[str, Any]:
        """What is kept, as the file holds it, by account, region and endpoint."""
        with suppress(StateError, ValueError, RecursionError):
            document = json.loads(self._state.read(CACHE_NAME) or b"null")
            if isinstance(document, dict) and document.get("version") == _CACHE_VERSION:
                lanes = document.get("lanes")
                return lanes if isinstance(lanes, dict) else {}
        return {}

    def values(self, link: Link, codes: tuple[str, ...]) -> dict[str, QuotaValue] | None:
        """Return a lane's values, or None where those of `codes`, or without them all, must be asked for."""
        entry = self.lanes.get(_cache_key(link))
        if self._refresh or entry is None:
            return None
        try:
            if not 0.0 <= self._clock() - float(entry["at"]) < QUOTA_CACHE_MAX_SECONDS:
                return None
            if (asked := frozenset(entry["asked"])) and not (codes and asked.issuperset(codes)):
                return None
            return {str(name): _kept_value(code, value) for name, (code, value) in entry["quotas"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None

    def keep(self, link: Link, values: Mapping[str, QuotaValue], codes: tuple[str, ...]) -> None:
        """Keep a lane's values, for `save`: those of `codes` alone, or without them all."""
        quotas = {name: (value.code, value.value) for name, value in values.items()}
        self.lanes[_cache_key(link)] = {"at": self._clock(), "asked": codes, "quotas": quotas}
        self._is_new = True

    def save(self) -> None:
        """Write what is new; a folder that is not there or cannot be written keeps nothing."""
        if self._is_new:
            self._is_new = False
            with suppress(StateError):
                self._state.write_atomically(CACHE_NAME, cache_file(self.lanes))


def cache_file(lanes: Mapping[str, Any]) -> bytes:
    """Return the file of a cache."""
    return json.dumps({"version": _CACHE_VERSION, "lanes": lanes}).encode()


def _kept_value(code: object, value: object) -> QuotaValue:
    """Return a value that was kept. Raises ValueError or TypeError for what no run keeps: that is asked again."""
    if not isinstance(code, str) or not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a quota that is kept is not a code and a number")
    if not 0 <= value <= QUOTA_VALUE_MAX_COUNT:
        raise ValueError("a quota that is kept has a number that no quota has")
    return QuotaValue(code, value)


def _cache_key(link: Link) -> str:
    return f"{link.lane} {link.cloud.endpoint}".strip()


def cached_quotas(state: Folder, options: AppOptions) -> QuotaCache | None:
    """Return the cache; a simulated world has none, since it has other limits each time, and another address."""
    return None if options.simulate is not None else QuotaCache(state, refresh=options.refresh_quotas)
