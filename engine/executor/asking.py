"""Reads that are asked again while their trouble is of the kind that passes, until the run is told to stop.

Not here: how one read takes its turn (`calls`).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from engine.core.backoff import delay_s
from engine.core.errors import OutcomeUnknown, Throttled, Unreachable
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.ports.events import CallRetried

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from engine.core.settings import Backoffs
    from engine.executor.control import Control
    from engine.ports.events import Emit

T = TypeVar("T")


async def at_once(work: Iterable[Awaitable[T]]) -> list[T]:
    """Return all results in the order of `work`. Raises the first error of any of them, with the others ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask_again(
    operation: str,
    call: Callable[[], Awaitable[T]],
    backoffs: Backoffs,
    jitter: Callable[[], float],
    emit: Emit,
    give_up_max_s: float = float("inf"),
    stopped: asyncio.Event | None = None,
    may_call: Callable[[], bool] = lambda: True,
) -> T:
    """Return the answer of `call`, made again within the back-off of each kind of trouble, and `give_up_max_s`.

    `stopped` ends a delay: then `call` itself says whether it may still be made. No delay begins once `may_call` is
    false, so that a read that fails after the deadline does not hold the end of the run up.
    Raises CloudError: the last one of its kind, or at once one that does not pass by itself; StoppedError when a call
    that failed may not be made again.
    """
    failures: dict[str, int] = {}
    since: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    while True:
        try:
            return await call()
        except (Throttled, Unreachable, OutcomeUnknown) as error:
            throttled = isinstance(error, Throttled)
            name, used = ("throttling", backoffs.throttling) if throttled else ("transient", backoffs.transient)
            now = loop.time()
            failures[name] = failures.get(name, 0) + 1
            if now - since.setdefault(name, now) >= min(used.give_up_after, give_up_max_s, _bound(error, backoffs)):
                raise
            delay = max(delay_s(used, failures[name], jitter()), min(error.retry_after_s or 0.0, used.max))
            code = error.told_code
            if not may_call():
                raise StoppedError from error
            emit(CallRetried(operation, failures[name], round(delay, 3), code, error.message))
            if stopped is None or stopped.is_set():  # during the drain the delays hold as ever
                await asyncio.sleep(delay)
            else:
                await wait_for(stopped, delay)


def _bound(error: Throttled | Unreachable | OutcomeUnknown, backoffs: Backoffs) -> float:
    """Return how long a read is asked again whose trouble seldom passes: nobody listens, or a stranger answers."""
    if isinstance(error, Unreachable) and error.nobody_listens:
        return backoffs.refused_s
    if isinstance(error, OutcomeUnknown) and error.unreadable:
        return backoffs.unreadable_s
    return float("inf")


@asynccontextmanager
async def unless_aborted(control: Control) -> AsyncIterator[None]:
    """Cut the block off when a second signal comes. Raises StoppedError then."""
    try:
        async with asyncio.timeout(None) as scope:

            def listen() -> None:
                if control.aborted.is_set() and not scope.expired():
                    scope.reschedule(control.now())

            control.tell(listen)
            try:
                yield
            finally:
                control.forget(listen)
    except TimeoutError:
        raise StoppedError from None
