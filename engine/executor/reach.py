"""One domain as a run reaches it: the one place that asks the service, and that sends it a change.

Every read takes its turn, a place in flight and the stop switch, is counted, and is asked again while its trouble is of
the kind that passes. Every write asks its lane's switch just before it leaves. Not here: what is asked, and what an
answer means.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.core.errors import CloudError, OutcomeUnknown, Throttled, Unreachable
from engine.core.limits import ACCOUNT_READS_PARALLEL_MAX_COUNT, CALLS_AT_ONCE_MAX_COUNT, CONNECT_PARALLEL_MAX_COUNT
from engine.executor.asking import ask_again, unless_aborted
from engine.executor.optional import OptionalServices
from engine.executor.reads import pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from engine.core.settings import Backoffs
    from engine.executor.calls import LaneCalls
    from engine.executor.control import Control
    from engine.executor.link import Link
    from engine.executor.outages import Outages
    from engine.executor.reads import P
    from engine.ports.cloud import Cloud
    from engine.ports.events import Emit

T = TypeVar("T")


class Turns:
    """How many calls of all lanes are made at once, and how many reads while they are looked at together.

    Whoever has a switch of its own works in one lane, and is not bounded by the latter.
    """

    def __init__(self) -> None:
        self._regions: dict[str, asyncio.Semaphore] = {}
        self._lanes = asyncio.Semaphore(CONNECT_PARALLEL_MAX_COUNT)
        self._accounts = asyncio.Semaphore(ACCOUNT_READS_PARALLEL_MAX_COUNT)

    def of_region(self, region: str, concurrency: int) -> asyncio.Semaphore:
        """Return the places of all calls in a region, of which each lane may take so many."""
        return self._regions.setdefault(region, asyncio.Semaphore(max(concurrency, CALLS_AT_ONCE_MAX_COUNT)))

    def of_lanes(self, switch: Callable[[], bool] | None) -> AbstractAsyncContextManager[object]:
        """Return what a read of SageMaker waits for."""
        return self._lanes if switch is None else nullcontext()

    def of_accounts(self, switch: Callable[[], bool] | None) -> AbstractAsyncContextManager[object]:
        """Return what a read of an account's own APIs waits for: quotas come in many pages, one after the other."""
        return self._accounts if switch is None else nullcontext()


@dataclass(frozen=True, slots=True)
class Reach:
    """A link and the lane that its calls go through. `may_call` is the switch of whoever calls.

    `among_all` bounds how many reads of all lanes are made at once, where many lanes are looked at together.

    Every method raises CloudError, and StoppedError when nothing may be called any more or a second signal came.
    """

    link: Link
    calls: LaneCalls
    control: Control
    backoffs: Backoffs
    jitter: Callable[[], float]
    emit: Emit
    may_call: Callable[[], bool]
    outages: Outages
    optional_services: OptionalServices = field(default_factory=OptionalServices)
    among_all: AbstractAsyncContextManager[object] = field(default_factory=nullcontext)

    @property
    def domain_id(self) -> str:
        """The domain as the service names it."""
        return self.link.domain.domain_id

    async def ask(
        self, operation: str, call: Callable[[Cloud], Awaitable[T]], give_up_max_s: float = float("inf")
    ) -> T:
        """Read, again and again while the trouble passes, for at most `give_up_max_s` seconds."""

        async def once() -> T:
            try:
                answer = await self.calls.read(operation, lambda: call(self.link.cloud), self.may_call, self.among_all)
            except Unreachable as error:
                self.outages.met(name, error)
                raise
            self.outages.answered(name)
            return answer

        name, stopped = self.link.domain.name, self.control.stopped
        emit = partial(self.outages.tell, name)
        async with unless_aborted(self.control):
            return await ask_again(
                operation, once, self.backoffs, self.jitter, emit, give_up_max_s, stopped, self.may_call
            )

    async def pages(
        self, operation: str, call: Callable[[Cloud, str], Awaitable[P]], of: str, give_up_max_s: float = float("inf")
    ) -> list[P]:
        """Read a listing to its end; `call` takes a token, `of` says what is listed. Raises ScanIncomplete too."""

        async def page(token: str) -> P:
            return await self.ask(operation, lambda cloud: call(cloud, token), give_up_max_s)

        return [one async for one in pages(page, operation, of)]

    async def optional(
        self,
        operation: str,
        call: Callable[[Cloud], Awaitable[T]],
        give_up_max_s: float = float("inf"),
        purpose: str = "",
    ) -> T:
        """Read one thing that a run can do without, within the run's bound for all of those.

        What is refused is that one thing; only trouble that did not pass within the bound speaks of the rest, which is
        then given up at once: everything that is read by `operation`, or for `purpose` where one is named.
        """

        async def read(arrived: Callable[[], None]) -> T | CloudError:
            answer: T | CloudError
            try:
                answer = await self.ask(operation, call, give_up_max_s)
            except (Throttled, Unreachable, OutcomeUnknown):
                raise
            except CloudError as refused:
                answer = refused
            arrived()
            return answer

        answer = await self.optional_services.ask(purpose or operation, self.link.lane, read)
        if isinstance(answer, CloudError):
            raise answer
        return answer

    async def optional_pages(self, operation: str, call: Callable[[Cloud, str], Awaitable[P]], of: str) -> list[P]:
        """Read a listing of a service that a run can do without, within the run's bound for all of those."""

        async def read(arrived: Callable[[], None]) -> list[P]:
            async def page(cloud: Cloud, token: str) -> P:
                found = await call(cloud, token)
                arrived()
                return found

            return await self.pages(operation, page, of)

        return await self.optional_services.ask(operation, self.link.lane, read)

    async def ask_once(self, operation: str, call: Callable[[Cloud], Awaitable[T]]) -> T:
        """Read once: whoever asks comes again by himself."""
        async with unless_aborted(self.control):
            return await self.calls.read(operation, lambda: call(self.link.cloud), self.may_call)

    async def look(self, operation: str, call: Callable[[Cloud], Awaitable[T]]) -> T:
        """Read once, in the place and turn that a worker holds."""
        return await self.calls.look(operation, lambda: call(self.link.cloud), self.may_call)

    async def write(self, operation: str, call: Callable[[Cloud], Awaitable[T]], leaving: Callable[[], None]) -> T:
        """Send one change, in the place and turn that a worker holds; `leaving` notes that it is sent."""
        return await self.calls.write(operation, lambda: call(self.link.cloud), self.may_call, leaving)
