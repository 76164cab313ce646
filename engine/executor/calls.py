"""How calls are made in one lane: the places in flight, the two throttles, and the count of what came back.

A place is taken by reads and writes alike, so `concurrency` bounds everything that is in flight. Writes are paced by
the dispatcher, which is their throttle's one taker; reads queue here. Behind its throttle each call waits for a place
among those of all lanes of the region too, which share connections: no lane holds one while its throttle keeps it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Final, TypeVar

from engine.core.errors import (
    AccessDenied,
    AlreadyGone,
    CloudError,
    CredentialsFailed,
    InUse,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    Rejected,
    StorageNotReady,
    Throttled,
    TlsFailed,
    Unreachable,
)
from engine.executor.throttle import AdaptiveRate
from engine.ports.events import CallAnswered, LaneRateChanged, LaneThrottled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from engine.core.identity import Lane
    from engine.core.settings import Execution
    from engine.ports.events import Emit
    from engine.ports.pace import Pace

T = TypeVar("T")

ANSWER_KINDS: dict[type[CloudError], str] = {
    Throttled: "throttled",
    QuotaExceeded: "limit_exceeded",
    InUse: "in_use",
    StorageNotReady: "storage_not_ready",
    AlreadyGone: "already_gone",
    NotFound: "not_found",
    AccessDenied: "access_denied",
    Rejected: "rejected",
    CredentialsFailed: "credentials_failed",
    TlsFailed: "tls_failed",
    Unreachable: "unreachable",
    OutcomeUnknown: "unknown",
}


# What the reads of a lane are known as in events: those of SageMaker by the call that is most of them.
LISTING_READS: Final = "ListApps"
ACCOUNT_READS: Final = "ListServiceQuotas"

_UNBOUNDED: Final[AbstractAsyncContextManager[object]] = nullcontext()


class StoppedError(Exception):
    """The run stopped before a read could be made. Never leaves the executor."""


class Throttle:
    """A pace and the rate that it is kept at. `operation` is what it is known as in events."""

    def __init__(self, lane: Lane, operation: str, pace: Pace, rate: AdaptiveRate, emit: Emit) -> None:
        self._lane = lane
        self._operation = operation
        self._pace = pace
        self._emit = emit
        self.rate = rate
        self._told = rate.rate
        pace.set_rate(rate.rate)

    async def take(self, clock: asyncio.AbstractEventLoop) -> None:
        """Wait for the right to make one call; the wait itself is what the rate grows by."""
        asked_at = clock.time()
        await self._pace.take()
        if self.rate.granted(clock.time() - asked_at):
            self._pace.set_rate(self.rate.rate)
            if abs(self.rate.rate - self._told) >= 0.1 * self._told:
                self._told = self.rate.rate
                self._emit(LaneRateChanged(self._lane, round(self._told, 2), self._operation))

    def answered(self, error: CloudError | None, sent_at: float, now: float) -> None:
        """Learn from one answer."""
        if not isinstance(error, Throttled):
            self.rate.accepted(now)
        elif self.rate.refused(sent_at, now):
            self._pace.set_rate(self.rate.rate)
            self._told = self.rate.rate
            self._emit(LaneThrottled(self._lane, self._operation, round(self.rate.rate, 2)))


class LaneCalls:
    """The calls of one lane. `counts` is operation -> kind of answer -> how many."""

    def __init__(
        self,
        lane: Lane,
        execution: Execution,
        writes: Pace,
        reads: Pace,
        emit: Emit,
        learnt_rate: float | None = None,
        *,
        reads_as: str = LISTING_READS,
        of_region: asyncio.Semaphore | None = None,
    ) -> None:
        """Join the paces to their rates. Needs a running loop.

        `learnt_rate` is what an earlier run ended with, `reads_as` what the reads' throttle is known as in events,
        `of_region` the places that all lanes of the region share.
        """
        self._loop = asyncio.get_running_loop()
        self._emit = emit
        start = execution.create_rate if learnt_rate is None else learnt_rate
        self.writes = Throttle(
            lane,
            "CreateApp",
            writes,
            AdaptiveRate(start, execution.create_rate_max, limit_is_known=learnt_rate is not None),
            emit,
        )
        self._reads = Throttle(lane, reads_as, reads, AdaptiveRate(execution.read_rate, execution.read_rate), emit)
        self._read_turn = asyncio.Lock()
        self.places = asyncio.Semaphore(execution.concurrency)
        self.of_region = of_region or asyncio.Semaphore(execution.concurrency)
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.failed: CloudError | None = None  # no later call of the lane can do better, so none is made

    async def take_write(self) -> None:
        """Wait for the right to make one write, in a place of the lane; the dispatcher alone calls this.

        Then it has a place of the region as well. `leave` gives both back.
        """
        await self.writes.take(self._loop)
        await self.of_region.acquire()

    def leave(self) -> None:
        """Give back the places of a write."""
        self.of_region.release()
        self.places.release()

    async def write(
        self,
        operation: str,
        call: Callable[[], Awaitable[T]],
        may_call: Callable[[], bool],
        leaving: Callable[[], None],
    ) -> T:
        """Make a write whose place and turn are taken already. Raises CloudError, or StoppedError as `read` does.

        `leaving` notes that the call is made: nothing comes between the last look at the switch, the note and the call.
        """
        self._check(may_call)
        leaving()
        return await self._counted(operation, call, self.writes)

    async def read(
        self,
        operation: str,
        call: Callable[[], Awaitable[T]],
        may_call: Callable[[], bool],
        among_all: AbstractAsyncContextManager[object] = _UNBOUNDED,
    ) -> T:
        """Make a read in its turn, and in its place among those of all lanes.

        Raises CloudError, or StoppedError when the run ended while it waited.
        """
        async with self._read_turn:
            # The place first: turns that were taken while all places were full would all be used at once.
            await self.places.acquire()
            try:
                self._check(may_call)
                await self._reads.take(self._loop)
            except BaseException:
                self.places.release()
                raise
        try:
            async with among_all, self.of_region:
                return await self.look(operation, call, may_call)
        finally:
            self.places.release()

    async def look(self, operation: str, call: Callable[[], Awaitable[T]], may_call: Callable[[], bool]) -> T:
        """Make a read in a place and a turn that are taken already."""
        self._check(may_call)
        return await self._counted(operation, call, self._reads)

    def _check(self, may_call: Callable[[], bool]) -> None:
        if not may_call():
            raise StoppedError
        if self.failed is not None:
            raise self.failed.with_traceback(None)  # without its earlier travels, which would pile up

    async def _counted(self, operation: str, call: Callable[[], Awaitable[T]], throttle: Throttle) -> T:
        sent_at = self._loop.time()
        error: CloudError | None = None
        kind = "cancelled"
        try:
            answer = await call()
            kind = "ok"
        except CloudError as raised:
            error = raised
            kind = ANSWER_KINDS.get(type(raised), "rejected")
            if raised.ends_lane and self.failed is None:
                self.failed = raised
            raise
        finally:
            now = self._loop.time()
            self.counts[operation][kind] += 1
            if kind != "cancelled":
                throttle.answered(error, sent_at, now)
            self._emit(CallAnswered(operation, kind, round(now - sent_at, 4)))
        return answer


def counted(lanes: Iterable[LaneCalls]) -> dict[str, dict[str, int]]:
    """Count the calls of lanes together: operation -> kind of answer -> how many."""
    total: dict[str, dict[str, int]] = {}
    for calls in lanes:
        for operation, kinds in calls.counts.items():
            of_kind = total.setdefault(operation, {})
            for kind, count in kinds.items():
                of_kind[kind] = of_kind.get(kind, 0) + count
    return total
