"""What the system lets this process have: open files and threads. Too little is said as such, and is no bug.

Not here: what the files and threads are for.
"""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from typing import Final

from engine.core.errors import ShortageError
from engine.core.limits import OPEN_FILES_MIN_COUNT

_FILES_HINT: Final = "Raise the limit (ulimit -n 1024; in systemd LimitNOFILE=1024), then run again"
_THREADS_HINT: Final = (
    "Raise the limit (ulimit -u; in systemd TasksMax=, in a container its pids limit), then run again"
)
_MEMORY_HINT: Final = "Give the process more memory, or select less, then run again"
_NO_THREAD: Final = "can't start new thread"


def require_open_files() -> None:
    """Raise ShortageError when this process may not open as many files as any run needs."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < OPEN_FILES_MIN_COUNT:
        raise ShortageError(
            f"This process may open {allowed} files, and appfleet needs at least {OPEN_FILES_MIN_COUNT}",
            hint=_FILES_HINT,
        )


def shortage_of(error: BaseException) -> ShortageError | None:
    """Return what the system was short of, where that is what `error` came from, or None."""
    for one in _origins(error):
        number = one.errno if isinstance(one, OSError) else None
        if number in (errno.EMFILE, errno.ENFILE):
            whose = "process" if number == errno.EMFILE else "machine"
            return ShortageError(f"This {whose} may not open more files", hint=_FILES_HINT)
        if lacks_threads(one):
            return ShortageError("This process may not start more threads or processes", hint=_THREADS_HINT)
        if number == errno.ENOMEM:
            return ShortageError("The system has no memory left for this process", hint=_MEMORY_HINT)
    return None


def lacks_threads(error: object) -> bool:
    """Whether no thread or process could be started, which Python says in words alone or as EAGAIN of a fork."""
    if isinstance(error, BlockingIOError):
        return error.errno == errno.EAGAIN and error.filename is None
    return isinstance(error, RuntimeError) and _NO_THREAD in str(error)


def _origins(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it holds, and what it came from."""
    pending, seen = [error], set[int]()
    while pending:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending += [origin for origin in (one.__cause__, one.__context__) if origin is not None]
        pending += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
