"""Lines to a screen, a pipe or a file, from a thread of its own: whoever writes neither waits nor fails.

A full disk raises, a closed pipe raises, and a terminal that was stopped with Ctrl-S or a pipe that nobody reads
takes nothing for hours. None of that may stop a run, so lines are queued here, and those that cannot be written
are dropped and counted. Not here: what the lines say (`event_log`, `progress`).

Lines are gathered for a twentieth of a second and written together: a thread that woke for each of a thousand lines a
second would cost more than the lines. Whoever drains or closes does not wait for that.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from engine.core.limits import (
    LOG_CLOSE_MAX_SECONDS,
    LOG_GATHER_SECONDS,
    LOG_QUEUE_MAX_LINES,
    LOG_REOPEN_LOOK_SECONDS,
    LOG_WRITABLE_POLL_SECONDS,
)

_CLEAR_BELOW: Final = b"\x1b[J"  # from the cursor to the end of the screen
# Nobody will ever read what is written after these; other errors (a full disk) may pass.
_FINAL_ERRORS: Final = frozenset({errno.EPIPE, errno.EBADF, errno.EIO, errno.ENXIO})


class LineWriter:
    """Writes lines to a file descriptor in the order in which they came.

    On a terminal it can keep a status of one or more lines below them, which is redrawn in place. The descriptor is
    closed in the end when `owns_fd` is set. The thread is started by the first line, and ends with `close` or the
    process. `gather_s` is how long a line may wait for company. `reopen` is given the descriptor now and then, and
    gives another one where lines belong elsewhere by now.
    """

    def __init__(
        self,
        fd: int,
        *,
        owns_fd: bool = False,
        queue_max_lines: int = LOG_QUEUE_MAX_LINES,
        gather_s: float = LOG_GATHER_SECONDS,
        reopen: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        self._fd = fd
        self._reopen = reopen
        self._looked_at = time.monotonic()
        self._owns_fd = owns_fd
        self._queue_max_lines = queue_max_lines
        self._gather_s = gather_s
        lock = threading.RLock()
        self._changed = threading.Condition(lock)  # here the thread waits for something to do
        self._sent = threading.Condition(lock)  # and here whoever waits for the thread
        self._waits_for_work = False
        self._hurried = False
        self._lines: deque[bytes] = deque()
        self._status = b""
        self._drawn = b""
        self._closing = False
        self._torn = False
        self._dead = False
        self._in_flight: int | None = None
        self._dropped = 0
        self._problem = ""
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many lines were not written."""
        return self._dropped

    @property
    def problem(self) -> str:
        """Why lines were dropped, or empty."""
        return self._problem

    def write(self, line: bytes) -> int:
        """Queue `line`, which ends in a line break. Never waits, never raises."""
        with self._changed:
            if self._closing or self._dead:
                self._drop(1, "it was closed")
            elif len(self._lines) >= self._queue_max_lines:
                self._drop(1, "it takes no more lines")
            else:
                self._lines.append(line)
                self._wake()
        return len(line)

    def flush(self) -> None:
        """Nothing: the thread writes as soon as it can. It is here because a file is expected to have it."""

    def set_status(self, status: bytes) -> None:
        """Set what stays below the lines, itself one or more lines without a last line break; empty takes it away.

        Only for terminals, and drawn at once. No line of it may be wider than the terminal.
        """
        with self._changed:
            if not self._closing and not self._dead and status != self._status:
                self._status = status
                self._hurry()

    def drain(self, timeout_s: float = LOG_CLOSE_MAX_SECONDS) -> bool:
        """Wait until all that was queued is written, at most `timeout_s` seconds; tell whether it is."""
        with self._changed:
            self._hurry()
            return self._sent.wait_for(self._is_idle, timeout_s)

    def close(self, timeout_s: float = LOG_CLOSE_MAX_SECONDS) -> None:
        """Write what is queued and stop, within `timeout_s` seconds; what is left then is dropped and counted."""
        with self._changed:
            self._status = b""
            self._closing = True
            self._hurry()
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._changed:
            stuck = self._thread is not None and self._thread.is_alive()
            left = len(self._lines) + (self._in_flight or 0 if stuck else 0)
            if left:
                self._drop(left, "it took no more lines")
                self._lines.clear()
        if self._owns_fd and not stuck:
            self._owns_fd = False
            os.close(self._fd)

    def _is_idle(self) -> bool:
        return self._dead or not (self._lines or self._in_flight is not None or self._status != self._drawn)

    def _wake(self) -> None:
        """See that the thread will take what is there. One that gathers already is left alone: waking costs."""
        if self._thread is None:
            # Daemon: a screen that takes nothing must not keep the process from ending.
            self._thread = threading.Thread(target=self._work, name="appfleet-lines", daemon=True)
            self._thread.start()
        elif self._waits_for_work:
            self._changed.notify()

    def _hurry(self) -> None:
        """See that the thread takes what is there at once."""
        if not self._is_idle():
            self._hurried = True
            self._wake()
        self._changed.notify()

    def _drop(self, lines: int, why: str) -> None:
        self._dropped += lines
        self._problem = self._problem or why

    def _work(self) -> None:
        while True:
            with self._changed:
                self._waits_for_work = True
                self._changed.wait_for(lambda: self._lines or self._status != self._drawn or self._closing)
                self._waits_for_work = False
                self._changed.wait_for(lambda: self._hurried or self._closing, self._gather_s)
                self._hurried = False
                lines = list(self._lines)
                self._lines.clear()
                self._in_flight = len(lines)
                status = self._status
                if not lines and status == self._drawn:
                    self._in_flight = None
                    self._sent.notify_all()
                    if self._closing:
                        return
                    continue  # a status that was set and taken back while this gathered
                head = _erased(self._drawn)
                self._drawn = status
            self._follow()
            self._send(head + b"".join(lines) + status, lines=len(lines))
            with self._changed:
                self._in_flight = None
                self._sent.notify_all()

    def _follow(self) -> None:
        """Go on in the file that has the name now: the old one may have been renamed by a rotation of logs."""
        now = time.monotonic()
        if now - self._looked_at < LOG_REOPEN_LOOK_SECONDS:
            return
        self._looked_at = now
        other = self._reopen(self._fd)
        if other is not None:
            if self._owns_fd:
                os.close(self._fd)
            self._fd, self._owns_fd = other, True

    def _send(self, data: bytes, *, lines: int) -> None:
        """Write all of `data`; what could not be written is counted in lines."""
        if self._torn:
            data = b"\n" + data
        self._torn = False
        done = 0
        while done < len(data):
            try:
                done += os.write(self._fd, memoryview(data)[done:])
            except BlockingIOError:
                # Somebody else set the shared descriptor to non-blocking: wait as a blocking one would.
                ready = select.select([], [self._fd], [], LOG_WRITABLE_POLL_SECONDS)[1]
                if self._closing and not ready:
                    self._fail(data, done, lines, "it took no more lines")
                    return
            except OSError as error:
                final = error.errno in _FINAL_ERRORS
                self._fail(data, done, lines, os.strerror(error.errno or errno.EIO), final=final)
                return

    def _fail(self, data: bytes, done: int, lines: int, why: str, *, final: bool = False) -> None:
        """Count the lines that were not written whole, and remember whether one was cut; `final` ends all writing."""
        with self._changed:
            self._dead = final
            self._drop(min(lines, data.count(b"\n", done)), why)
        self._torn = done > 0 and data[done - 1] != ord("\n")


def _erased(status: bytes) -> bytes:
    """Return what takes `status` off the screen, the cursor being at its end."""
    if not status:
        return b""
    above = status.count(b"\n")
    return b"\r" + (b"\x1b[%dA" % above if above else b"") + _CLEAR_BELOW
