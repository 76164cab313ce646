"""The part of a command that calls the service and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from engine.app.ends import why_stopped
from engine.app.stopping import Beginning, stops
from engine.core.errors import ScanIncomplete
from engine.executor.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.app.session import Joined
    from engine.ports.events import Emit

T = TypeVar("T")


async def looking(
    options: AppOptions, loaded: Loaded, emit: Emit, look: Callable[[AppOptions, Loaded, Joined], Awaitable[T]]
) -> T:
    """Open everything that a look needs, and return what `look` found.

    Raises AppfleetError, and KeyboardInterrupt when a signal ended it, with everything closed.
    """
    from engine.app.begun import Begun
    from engine.app.session import joined

    begun = Begun.now(options, loaded, emit)
    with stops(options, begun.control):
        beginning = Beginning(begun.control)
        try:
            async with joined(options, loaded, begun, writes=False) as parts:
                return await look(options, loaded, parts)
        except BaseException as error:
            if not beginning.was_ended_by(error):
                raise
    if begun.control.cause is Cause.INTERRUPTED:
        raise KeyboardInterrupt(begun.control.signal)
    why = why_stopped(begun.control, begun.deadline_s)
    raise ScanIncomplete(why.message, hint=why.hint, operation="ListApps")
