"""The one shim that virtual time needs: asyncio-throttle reads `time.monotonic`, our own code the loop's time."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from asyncio_throttle import throttler

if TYPE_CHECKING:
    from collections.abc import Iterator


class _LoopClock:
    """Stands in for the module `time`, with the one function of it that is used."""

    @staticmethod
    def monotonic() -> float:
        """Return the time of the running loop, in seconds."""
        return asyncio.get_running_loop().time()


@contextmanager
def throttle_on_loop_clock() -> Iterator[None]:
    """Let asyncio-throttle read the running loop's clock while the block lasts."""
    with patch.object(throttler, "time", _LoopClock):
        yield
