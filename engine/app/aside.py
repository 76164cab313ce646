"""Work that would keep the loop busy for long, done beside it in a thread.

For what is pure alone: nothing may change what it reads meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from engine.core.limits import PLANNED_ASIDE_MIN_COUNT

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def aside(work: Callable[[], T], apps: int) -> T:
    """Return what `work` returns; where it is about many apps, the loop stays free for signals and the screen."""
    return await asyncio.to_thread(work) if apps >= PLANNED_ASIDE_MIN_COUNT else work()
