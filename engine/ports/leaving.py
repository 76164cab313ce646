"""The last word before a request leaves this machine.

Between a call and its bytes on the wire, credentials may be renewed and a connection opened, which takes as long as a
minute; and the process may be stopped there. What a call rests on is therefore asked once more where it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_CHECK: Final[ContextVar[Callable[[], None] | None]] = ContextVar("check_before_leaving", default=None)


@contextmanager
def checked_before_leaving(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` just before each request of this task leaves; a CloudError that it raises holds the request back."""
    token = _CHECK.set(check)
    try:
        yield
    finally:
        _CHECK.reset(token)


def check_before_leaving() -> None:
    """Ask whether the request may leave: for whoever sends it, with the connection in hand. Raises CloudError."""
    check = _CHECK.get()
    if check is not None:
        check()
