"""What a change of something that exists rests on: a look that is some seconds old at most.

A process may be stopped between the look and the change, by a signal, a debugger or a machine that sleeps, and another
machine's run may have made the thing anew by the time it goes on. The service knows names and no generations, so a call
that was meant for the old one would meet the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.errors import Unreachable
from engine.core.limits import LOOK_BEFORE_CHANGE_MAX_SECONDS
from engine.ports.leaving import checked_before_leaving

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

READ_TOO_OLD: Final = Unreachable(
    f"more than {LOOK_BEFORE_CHANGE_MAX_SECONDS:g} s passed each time between the look and the change",
    hint="The service or this machine is very slow, or the process was stopped meanwhile. Run again",
)


class OldReadError(Exception):
    """What was read is too old to change anything on. Never leaves the executor."""


def require_fresh(age_s: float) -> None:
    """Raise OldReadError for a look that began more than LOOK_BEFORE_CHANGE_MAX_SECONDS ago."""
    if age_s > LOOK_BEFORE_CHANGE_MAX_SECONDS:
        raise OldReadError


def sent_while_fresh(clock: Callable[[], float], read_at: float) -> AbstractContextManager[None]:
    """Hold back a request that would leave more than LOOK_BEFORE_CHANGE_MAX_SECONDS after its look began at `read_at`.

    `clock` gives seconds that go on while the process is stopped. The call raises READ_TOO_OLD then.
    """

    def check() -> None:
        if clock() - read_at > LOOK_BEFORE_CHANGE_MAX_SECONDS:
            raise READ_TOO_OLD.with_traceback(None)

    return checked_before_leaving(check)
