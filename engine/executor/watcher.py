"""What the watchers of apps and of owners share: one look a tick for everything of one domain that is awaited.

The tick grows with the age of the youngest thing awaited. A watcher returns what it found and knows nobody: who
follows it acts on one finding before the watcher goes on. Not here: how it is looked, and what an answer means.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import aclosing
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeAlias, TypeVar

from engine.core.errors import CloudError
from engine.core.limits import SETTLE_TICK_MAX_SECONDS, SETTLE_TICK_MIN_SECONDS
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.executor.judge import Looked, Verdict
from engine.executor.operation import ASKED, OBSERVING, SETTLING, Phase

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable, Iterator

    from engine.core.observed import ObservedDomain
    from engine.core.settings import Settings
    from engine.executor.control import Control
    from engine.executor.operation import AnyOperation, Kind

TICK_SHARE_OF_AGE: Final = 0.25
LOOKS_TO_SETTLE: Final = 3  # the one that was under way when a call got lost, and the two that clear it
TICK_LOOKS: Final = 3.0  # a look that takes a second is followed by three seconds without one

O = TypeVar("O", bound="AnyOperation")  # noqa: E741 - it stands for one kind of operation


# What a watcher finds: about one operation, about a whole domain, or that the lane can make no more calls.
Finding: TypeAlias = "Looked | ObservedDomain | CloudError"


class DomainWatcher(ABC, Generic[O]):
    """Awaits operations of one kind in one domain, and looks whenever something is due.

    Who derives from it looks (`_look`, which sets `_last_ended_at` when it has seen something).
    """

    kind: ClassVar[Kind]

    def __init__(self, control: Control, settings: Settings) -> None:
        self._control = control
        self._observe = settings.observe
        transient = settings.backoffs.transient.give_up_after
        self._asked_max_s = transient + self._observe.first_after + self._observe.second_after
        self._awaited: dict[Hashable, O] = {}
        self._changed = asyncio.Event()
        self._youngest_at = float("-inf")
        self._waiting_since = float("-inf")
        self._last_began_at = float("-inf")
        self._last_ended_at = float("-inf")
        self._longest_look_s = 0.0
        self._blind: CloudError | None = None  # why the last look showed nothing
        self._ticks = False  # whether the next look is due by a tick, and not only by something that is observed

    @abstractmethod
    def _look(self) -> AsyncGenerator[Finding, None]:
        """Look once, and let go of what the look settles. Raises CloudError and StoppedError."""

    def watch(self, operation: O) -> None:
        """Await `operation`, in the phase that it is in."""
        now = self._control.now()
        self._youngest_at = now
        if not self._awaited:
            self._waiting_since = now
        # One more that settles can wait for the tick that comes for the others; anything else may need an earlier one.
        settles = operation.phase in SETTLING
        if not (settles and self._awaited and self._ticks):
            self._changed.set()
        self._ticks = self._ticks or settles
        self._awaited[operation.folded] = operation

    def drop(self, *, unknown: bool) -> list[O]:
        """Let go of what is awaited, of what is unknown only where `unknown`; return it."""
        dropped = [one for one in self._awaited.values() if unknown or one.phase not in OBSERVING]
        for operation in dropped:
            del self._awaited[operation.folded]
        return dropped

    async def findings(self) -> AsyncGenerator[Finding, None]:
        """Look whenever something is due, for ever."""
        while True:
            self._changed.clear()
            now = self._control.now()
            for expired in self._expired(now):
                yield expired
            due_at = self._due_at(now)
            if due_at > now:
                expires_at = min(map(self._expires_at, self._awaited.values()), default=float("inf"))
                await wait_for(self._changed, min(due_at, expires_at) - now)
                continue
            try:
                async with aclosing(self._look()) as look:
                    async for found in look:
                        yield found
                self._blind = None
            except StoppedError:
                await self._changed.wait()  # nothing may be called any more; the end of the run takes us away
            except CloudError as error:
                self._last_ended_at = self._control.now()  # what is awaited stays so, until it expires
                self._blind = error
                if error.ends_lane:
                    yield error
            self._longest_look_s = max(self._longest_look_s, self._control.now() - now)

    def _due_at(self, now: float) -> float:
        """When the next look is wanted."""
        if not self._awaited:
            return float("inf")
        due_at = float("inf")
        self._ticks = False
        for operation in self._awaited.values():
            match operation.phase:
                case Phase.LOOK:
                    due_at = min(due_at, now)
                case Phase.OBSERVE_CREATE | Phase.OBSERVE_DELETE:
                    due_at = min(due_at, self._observe_due_at(operation))
                case _:
                    self._ticks = True
        if self._ticks:
            due_at = min(due_at, max(self._last_ended_at, self._waiting_since) + self._tick_s(now))
        # Whatever asks for it, looks do not follow each other faster than the shortest tick.
        return max(due_at, self._last_began_at + SETTLE_TICK_MIN_SECONDS)

    def _observe_due_at(self, operation: O) -> float:
        if operation.first_scan_ended_at is None:
            return operation.unknown_at + self._observe.first_after
        return operation.first_scan_ended_at + self._observe.second_after

    def _tick_s(self, now: float) -> float:
        age_s = now - self._youngest_at
        look_s = self._last_ended_at - self._last_began_at if self._last_ended_at > 0 else 0.0
        wanted = max(SETTLE_TICK_MIN_SECONDS, TICK_SHARE_OF_AGE * age_s, TICK_LOOKS * look_s)
        return min(wanted, SETTLE_TICK_MAX_SECONDS)

    def _expires_at(self, operation: O) -> float:
        """Return when waiting for one operation is over: what no look settles for long enough, nothing ever will.

        A large domain takes minutes to list, so the looks that could settle it are allowed for.
        """
        if operation.phase not in ASKED:
            return operation.settle_until
        return operation.unknown_at + self._asked_max_s + LOOKS_TO_SETTLE * self._longest_look_s

    def _expired(self, now: float) -> Iterator[Looked]:
        for operation in list(self._awaited.values()):
            if now >= self._expires_at(operation):
                verdict = Verdict.NEVER_SETTLED if operation.phase in ASKED else Verdict.TIMED_OUT
                yield self._let_go(operation, verdict, None, self._blind)

    def _let_go(self, operation: O, verdict: Verdict, row: object, error: CloudError | None = None) -> Looked:
        del self._awaited[operation.folded]
        return Looked(operation, verdict, row, error)

    def _awaits(self, operation: O) -> bool:
        """Whether it is awaited still: the run may have ended it while another one was asked about."""
        return self._awaited.get(operation.folded) is operation


def asked_at(operation: AnyOperation) -> float:
    """When what a look is asked about happened: a look answers only if it began later."""
    return operation.unknown_at if operation.phase in ASKED else operation.accepted_at
