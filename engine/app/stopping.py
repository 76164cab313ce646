"""How a command is stopped before its run has begun: by a signal, or by its deadline.

From the first change on the executor stops in order by itself. Not here: where signals come from (`adapters.signals`).
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.executor.calls import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from engine.app.options import AppOptions
    from engine.app.process import Signals
    from engine.executor.control import Control


class Beginning:
    """The part of a command in which a stop may simply cancel it: nothing is called yet but what looks.

    It begins when this is made, in the task of the command, and ends with `is_over`.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._task = asyncio.current_task()
        self._open = True
        self._cancelled = False
        control.tell(self._stop)
        # Asking for leave is what notices the deadline, and a call that hangs does not ask.
        self._deadline = asyncio.get_running_loop().call_at(control.deadline_at, control.may_call)

    def is_over(self) -> None:
        """From now on the executor stops in order by itself."""
        self._open = False
        self._deadline.cancel()

    def was_ended_by(self, error: BaseException) -> bool:
        """Whether `error` is what a stop in this part comes to, rather than an error of its own."""
        if not self._open or self._control.cause is None or not _is_a_stop(error):
            return False
        if self._cancelled and self._task is not None:
            self._task.uncancel()
        return True

    def _stop(self) -> None:
        if self._open and not self._cancelled and self._task is not None:
            self._cancelled = True
            self._task.cancel()


def _is_a_stop(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_a_stop(inner) for inner in error.exceptions)
    return isinstance(error, asyncio.CancelledError | StoppedError)


def stops(options: AppOptions, control: Control) -> AbstractContextManager[None]:
    """Stop the run in order when a signal comes."""
    return options.signals.directed_to(control.interrupt, asyncio.get_running_loop().call_soon_threadsafe)


@contextmanager
def stopped_by_signals(signals: Signals) -> Iterator[None]:
    """Cancel what the block awaits when a signal comes, and raise KeyboardInterrupt: for commands that only look."""
    task = asyncio.current_task()
    stops: list[str] = []

    def stop(name: str) -> None:
        stops.append(name)
        if len(stops) == 1 and task is not None:
            task.cancel()

    with signals.directed_to(stop, asyncio.get_running_loop().call_soon_threadsafe):
        try:
            yield
        except asyncio.CancelledError:
            if not stops:
                raise
            raise KeyboardInterrupt(*stops[:1]) from None
