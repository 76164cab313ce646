"""Writing to a descriptor whose reader may never read: a bounded wait, and the count of what was written.

A pipe that nobody empties and a terminal that was stopped with Ctrl-S take nothing for hours, and a plain write waits
as long. Here a thread writes and the caller watches it: when nothing moved for a while the rest is given up, and the
thread ends with the process. Not here: what is written, and who is told of the rest.
"""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import os
import select
import stat
import time
from collections.abc import Callable
from typing import Final

from engine.core.limits import PIPE_MAX_BYTES, WRITE_CHUNK_BYTES, WRITE_LOOK_SECONDS

_ATOMIC_BYTES: Final = select.PIPE_BUF  # a pipe that is ready takes so many without a wait


class ReaderGoneError(BrokenPipeError):
    """The reader went away. `written` bytes had been taken by then."""

    def __init__(self, error: OSError, written: int) -> None:
        super().__init__(error.errno, error.strerror)
        self.written = written


def write_patiently(fd: int, data: bytes, stall_s: Callable[[], float], total_s: float) -> int:
    """Write `data`, and return how many bytes of it were written; fewer where the reader took nothing more.

    `stall_s` is how long nothing may move, asked again and again; `total_s` bounds the whole. Raises OSError, and of
    that ReaderGoneError.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return _write_all(fd, data, lambda _: None)
    if stat.S_ISFIFO(mode):
        _widen(fd, len(data))
        if len(data) <= _ATOMIC_BYTES and _is_ready(fd):
            return _write_all(fd, data, lambda _: None)
    return _Watched(fd, data).wait(stall_s, total_s)


class _Watched:
    """A thread that writes, and what is known of it.

    A signal may raise in the caller between any two instructions. Threads and conditions of `threading` then break or
    keep locks of theirs; the plain thread and the one lock here do not.
    """

    def __init__(self, fd: int, data: bytes) -> None:
        self._done = 0
        self._error: OSError | None = None
        self._is_writing = _thread.allocate_lock()
        self._is_writing.acquire()
        # It does not keep the process from ending, as a reader that takes nothing would.
        _thread.start_new_thread(self._work, (fd, data))

    def wait(self, stall_s: Callable[[], float], total_s: float) -> int:
        began_at = moved_at = time.monotonic()
        seen = 0
        while not self._is_writing.acquire(timeout=WRITE_LOOK_SECONDS):
            now, done = time.monotonic(), self._done
            if done > seen:
                seen, moved_at = done, now
            if now - moved_at >= stall_s() or now - began_at >= total_s:
                return done
        if self._error is not None:
            raise self._error
        return self._done

    def _work(self, fd: int, data: bytes) -> None:
        try:
            _write_all(fd, data, self._moved)
        except OSError as error:
            self._error = error
        finally:
            self._is_writing.release()

    def _moved(self, done: int) -> None:
        self._done = done


def _write_all(fd: int, data: bytes, moved: Callable[[int], None]) -> int:
    view = memoryview(data)
    done = 0
    while done < len(data):
        try:
            done += os.write(fd, view[done : done + WRITE_CHUNK_BYTES])
        except BlockingIOError:
            # Somebody else set the shared descriptor to non-blocking: wait as a blocking one would.
            select.select([], [fd], [], WRITE_LOOK_SECONDS)
            continue
        except BrokenPipeError as error:
            raise ReaderGoneError(error, done) from None
        moved(done)
    return done


def _is_ready(fd: int) -> bool:
    return bool(select.select([], [fd], [], 0)[1])


def _widen(fd: int, wanted: int) -> None:
    """Enlarge a pipe to hold all that is coming, where the system allows it, so that a pager may read at leisure."""
    if hasattr(fcntl, "F_SETPIPE_SZ") and wanted > _ATOMIC_BYTES:
        with contextlib.suppress(OSError):
            held = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
            if held < wanted:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, min(wanted, PIPE_MAX_BYTES))
