"""An event loop whose time is a number: it never sleeps, and asyncio's own code runs in it unchanged.

The selector adds to the clock what it was asked to wait. Nothing may be registered with it, so there is no real input
or output; a loop in which nothing is ready and nothing is due is stuck, and says so.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

CLOCK_RESOLUTION_SECONDS: Final = 1e-6  # the default of 1e-9 is below what a float can tell after some months
STEPS_MAX_COUNT: Final = 1_000_000
TASK_STEPS_MAX_COUNT: Final = 20_000  # without any time passing: somebody turns in circles


class StuckError(AssertionError):
    """The loop can do nothing any more, or does something without end."""


class RealIoError(AssertionError):
    """Something under simulation asked for a real file, socket, signal or thread."""


class _ClockSelector(selectors.BaseSelector):
    """Lets time pass instead of waiting for it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.selects_at_one_time = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> NoReturn:  # noqa: ARG002 - the base's names
        raise RealIoError(f"{fileobj!r} was to be watched")

    def unregister(self, fileobj: Any) -> NoReturn:
        raise RealIoError(f"{fileobj!r} was to be let go")

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError(f"nothing is ready and nothing is due at {self.now:.3f} s")
        if timeout > 0.0:
            self.now += timeout
            self.selects_at_one_time = 0
        else:
            self.selects_at_one_time += 1
            if self.selects_at_one_time > TASK_STEPS_MAX_COUNT:
                raise StuckError(f"no time passes any more at {self.now:.3f} s")
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. With `order` what is ready at one time runs in an order that it draws.

    `kill_at` is a number of turns of the loop; in that turn `on_kill` is called between two of the steps that are
    ready, which may be any point at which a task waits.
    """

    def __init__(self, order: random.Random | None = None) -> None:
        self._clock = _ClockSelector()
        super().__init__(self._clock)
        self._clock_resolution = CLOCK_RESOLUTION_SECONDS
        self._order = order  # of everything that is ready at one time; None: first come, first served
        self.order = order  # for the place of the kill
        self.turns = 0
        self.kill_at = -1
        self.on_kill: Callable[[], None] | None = None

    def start_at(self, seconds: float) -> None:
        """Let the clock begin at a time."""
        self._clock.now = seconds

    def forget_turns(self) -> None:
        """Begin to count anew, to clear away what is stuck."""
        self.turns = self._clock.selects_at_one_time = 0

    def time(self) -> float:
        return self._clock.now

    def _make_self_pipe(self) -> None:
        pass

    def _close_self_pipe(self) -> None:
        pass

    def _write_to_self(self) -> NoReturn:
        raise RealIoError("another thread spoke to the loop")

    def add_signal_handler(self, sig: int, *_: Any) -> NoReturn:  # type: ignore[override]  # it refuses them all
        raise RealIoError(f"signal {sig} was to be handled")

    def run_in_executor(self, _: Any, func: Any, *__: Any) -> NoReturn:  # type: ignore[override]  # it refuses them all
        raise RealIoError(f"{func!r} was to run in a thread")

    def _run_once(self) -> None:
        self.turns += 1
        if self.turns > STEPS_MAX_COUNT:
            raise StuckError(f"{STEPS_MAX_COUNT} turns and no end, at {self.time():.3f} s")
        if self.turns == self.kill_at and self.on_kill is not None:
            self.call_soon(self.on_kill)
            self._draw_order(always=True)
        elif self._order is not None:
            self._draw_order(always=False)
        super()._run_once()  # type: ignore[misc]  # not in typeshed, and the one place where a turn can be seen

    def _draw_order(self, *, always: bool) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        if always:  # only the place of the last one is drawn: the kill itself
            if self.order is not None and len(ready) > 1:
                ready.insert(self.order.randrange(len(ready)), ready.pop())
            return
        if len(ready) < 2 or self._order is None:
            return
        handles = list(ready)
        self._order.shuffle(handles)
        ready.clear()
        ready.extend(handles)
