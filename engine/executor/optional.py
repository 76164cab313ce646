"""Services that a run can do without: the index of tags, quotas and prices. What they may cost, and what was not read.

All of them together have one bound for the whole run. One that did not answer, or refused, is not asked again: the
same error comes back at once. Time in which answers arrive costs nothing, however many pages they are.
"""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from engine.core.errors import CloudError, Unreachable
from engine.core.limits import OPTIONAL_SERVICES_MAX_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.core.identity import Lane

T = TypeVar("T")


@dataclass(slots=True)
class OptionalServices:
    """One for a run. `unread` maps what was asked for, by operation and lane, to why it was not read."""

    unread: dict[tuple[str, Lane], CloudError] = field(default_factory=dict)
    _left_s: float = OPTIONAL_SERVICES_MAX_SECONDS
    _counted: list[tuple[float, float]] = field(default_factory=list)  # silent times that were counted, none twice
    _waiting: set[asyncio.Timeout] = field(default_factory=set)

    async def ask(self, operation: str, lane: Lane, call: Callable[[Callable[[], None]], Awaitable[T]]) -> T:
        """Return what `call` gets; it is handed what to call whenever an answer arrives. Raises CloudError.

        Whatever else `call` raises, a stop of the run included, passes as it is. Many may ask at the same time: time in
        which all of them wait counts once.
        """
        if (known := self.unread.get((operation, lane))) is not None:
            raise copy.copy(known)
        loop = asyncio.get_running_loop()
        silent_since = loop.time()
        try:
            if self._left_s <= 0.0:
                raise _not_asked(operation)
            async with asyncio.timeout(self._left_s) as scope:

                def arrived() -> None:
                    nonlocal silent_since
                    silent_since = loop.time()
                    scope.reschedule(silent_since + self._left_s)

                self._waiting.add(scope)
                try:
                    return await call(arrived)
                finally:
                    self._waiting.discard(scope)
        except TimeoutError as cut:
            error: CloudError = _no_time(operation, _last_answer(cut))
        except CloudError as raised:
            error = raised
        self._count(silent_since, loop.time())
        self.unread[operation, lane] = error
        raise error

    def _count(self, since: float, now: float) -> None:
        """Take a silent time off what is left, but for what was counted already; nobody waits longer than that then."""
        first, silent_s = since, now - since
        while self._counted and self._counted[-1][1] > since:
            earlier, until = self._counted.pop()
            silent_s -= until - max(earlier, since)
            first = min(first, earlier)
        self._counted.append((first, now))
        self._left_s -= silent_s
        for scope in self._waiting:
            until_s = scope.when()
            if until_s is not None and not scope.expired():
                scope.reschedule(min(until_s, now + self._left_s))


def _no_time(operation: str, last: CloudError | None = None) -> Unreachable:
    bound = f"{OPTIONAL_SERVICES_MAX_SECONDS:g} s, the most that a run waits for optional services"
    if last is not None:
        return Unreachable(
            f"{operation} did not succeed within {bound}. The last attempt: {last.message}",
            hint=last.hint,
            operation=operation,
        )
    return Unreachable(
        f"{operation} did not answer within {bound}",
        hint="Check the network, and whether the service has an endpoint in this region",
        operation=operation,
    )


def _not_asked(operation: str) -> Unreachable:
    return Unreachable(
        f"{operation} was not called: other optional services used up the "
        f"{OPTIONAL_SERVICES_MAX_SECONDS:g} s that a run waits for all of them",
        hint="Find out why they did not answer: other findings name them",
        operation=operation,
    )


def _last_answer(cut: BaseException) -> CloudError | None:
    """Return the error that was being waited out when the time was up, or None where a call was under way."""
    found: BaseException | None = cut
    while found is not None and not isinstance(found, CloudError):
        found = found.__cause__ or found.__context__
    return found
