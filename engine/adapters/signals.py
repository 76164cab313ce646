"""Where SIGINT, SIGTERM and SIGHUP go, from the first moment of a command until its result is written.

Before a run they end the command at once, as KeyboardInterrupt. During it they go to the run, which stops in order.
After it they wait: everything is done by then, and a signal must not cost the result or change the exit code.
A SIGHUP that was inherited as ignored (`nohup`) stays ignored; a SIGINT is not, since shells ignore it for whatever
they start in the background, and a service manager could then not stop a run in order.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from engine.core.limits import SIGNAL_AGAIN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    CallSoon = Callable[[Callable[[str], None], str], object]

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def name_of(number: int) -> str:
    """Return the name of a signal, such as SIGTERM."""
    return signal.Signals(number).name


def caught_here() -> tuple[signal.Signals, ...]:
    """Return the signals to catch: an ignored SIGHUP is left alone."""
    return tuple(
        number for number in STOPPING if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    )


@contextmanager
def _nothing_swallowed() -> Iterator[None]:
    """Raise an interrupt again that came where Python drops exceptions, in a destructor or a weak reference.

    Python would write a traceback there, and go on as if nobody had asked it to stop.
    """
    otherwise = sys.unraisablehook

    def again(dropped: sys.UnraisableHookArgs) -> None:
        name = str(dropped.exc_value.args[0]) if dropped.exc_value is not None and dropped.exc_value.args else ""
        if not issubclass(dropped.exc_type, KeyboardInterrupt) or name not in signal.Signals.__members__:
            otherwise(dropped)
            return
        number, thread = signal.Signals[name], threading.main_thread().ident
        if thread is not None:
            # A moment later: at once, it would come inside this hook, where it is dropped too.
            later = threading.Timer(SIGNAL_AGAIN_SECONDS, signal.pthread_kill, (thread, number))
            later.daemon = True
            later.start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = otherwise


class Signals:
    """The way of signals in one command. `on_late` is called for each that comes when the run is over."""

    def __init__(self, on_late: Callable[[], None] = lambda: None) -> None:
        self._on_late = on_late
        self._take: Callable[[str], object] | None = None
        self._caught = False
        self._over = False

    @contextmanager
    def caught(self, *, to_the_end: bool = False) -> Iterator[None]:
        """Catch the signals for the length of the block; with `to_the_end` they are ignored after it.

        Anywhere but in the main thread nothing is caught.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._arrive) for number in caught_here()}
        self._caught = True
        try:
            with _nothing_swallowed():
                yield
        finally:
            self._caught = False
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if to_the_end else signal.SIG_DFL if handler is None else handler)

    @contextmanager
    def directed_to(self, take: Callable[[str], None], call_soon: CallSoon) -> Iterator[None]:
        """Pass the name of each signal to `take` for the length of the block.

        `call_soon` is the running loop's `call_soon_threadsafe`: it wakes the loop, which a handler alone does not.
        """
        with nullcontext() if self._caught else self.caught():
            self._take = lambda name: call_soon(take, name)
            try:
                yield
            finally:
                self._over = True  # first: in between, a signal has to go somewhere
                self._take = None

    def hold(self) -> None:
        """Hold signals back from now on: only the result is left to write."""
        self._over = True

    def _arrive(self, number: int, _frame: FrameType | None) -> None:
        if self._take is not None:
            self._take(name_of(number))
        elif self._over:
            self._on_late()
        else:
            raise KeyboardInterrupt(name_of(number))
