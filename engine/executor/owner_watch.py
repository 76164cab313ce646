"""The watcher of one domain's owners: one look a tick for every profile and space of it that is awaited.

The tick grows with the age of the youngest thing awaited, as that of apps does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.core.errors import CloudError, CredentialsFailed
from engine.core.limits import SETTLE_TICK_MAX_SECONDS, SETTLE_TICK_MIN_SECONDS
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.executor.judge import Scan, Verdict
from engine.executor.operation import OBSERVING, Phase
from engine.executor.owner_judge import judge_owner
from engine.executor.retry import trouble_of
from engine.executor.settle import TICK_SHARE_OF_AGE

if TYPE_CHECKING:
    from engine.core.identity import Owner
    from engine.executor.owner_operation import OwnerOperation
    from engine.executor.owner_scan import OwnerScanner
    from engine.executor.owner_settlement import OwnerSettlement

_ASKED: tuple[Phase, ...] = (Phase.LOOK, *OBSERVING)


class OwnerWatcher:
    """Awaits operations on owners of one domain."""

    def __init__(self, scanner: OwnerScanner, settlement: OwnerSettlement) -> None:
        self._scanner = scanner
        self._at = settlement
        self._awaited: dict[Owner, OwnerOperation] = {}
        self._changed = asyncio.Event()
        self._youngest_at = float("-inf")
        self._waiting_since = float("-inf")
        self._last_began_at = float("-inf")
        self._last_ended_at = float("-inf")

    def watch(self, operation: OwnerOperation) -> None:
        """Await `operation`, in the phase that it is in."""
        now = self._at.control.now()
        self._youngest_at = now
        if not self._awaited:
            self._waiting_since = now
        self._awaited[operation.folded] = operation
        self._changed.set()

    def drop_settling(self) -> None:
        """End what is awaited and not unknown: the run is over, and the next one picks it up."""
        for key, operation in list(self._awaited.items()):
            if operation.phase not in OBSERVING:
                del self._awaited[key]
                self._at.left_over(operation)

    def drop_all(self) -> None:
        """End everything that is awaited."""
        awaited, self._awaited = self._awaited, {}
        for operation in awaited.values():
            self._at.left_over(operation)

    async def run(self) -> None:
        """Look whenever something is due, until cancelled."""
        while True:
            self._changed.clear()
            now = self._at.control.now()
            self._expire(now)
            due_at = self._due_at(now)
            if due_at > now:
                expires_at = min(map(self._expires_at, self._awaited.values()), default=float("inf"))
                await wait_for(self._changed, min(due_at, expires_at) - now)
                continue
            await self._look()

    def _due_at(self, now: float) -> float:
        due_at = min((self._operation_due_at(operation, now) for operation in self._awaited.values()), default=None)
        if due_at is None:
            return float("inf")
        return max(due_at, self._last_began_at + SETTLE_TICK_MIN_SECONDS)

    def _operation_due_at(self, operation: OwnerOperation, now: float) -> float:
        if operation.phase is Phase.LOOK:
            return now
        if operation.phase in OBSERVING:
            observe = self._at.settings.observe
            if operation.first_scan_ended_at is None:
                return operation.unknown_at + observe.first_after
            return operation.first_scan_ended_at + observe.second_after
        tick_s = max(SETTLE_TICK_MIN_SECONDS, TICK_SHARE_OF_AGE * (now - self._youngest_at))
        return max(self._last_ended_at, self._waiting_since) + min(tick_s, SETTLE_TICK_MAX_SECONDS)

    def _expires_at(self, operation: OwnerOperation) -> float:
        """When waiting for one operation is over."""
        if operation.phase in _ASKED:  # only a look can settle these
            observe = self._at.settings.observe
            longest = self._at.settings.backoffs.transient.give_up_after + observe.first_after + observe.second_after
            return operation.unknown_at + longest
        return operation.settle_until

    def _expire(self, now: float) -> None:
        for key, operation in list(self._awaited.items()):
            if now >= self._expires_at(operation):
                del self._awaited[key]
                if operation.phase in _ASKED:
                    self._at.never_settled(operation)
                else:
                    self._at.timed_out(operation)

    async def _look(self) -> None:
        began_at = self._at.control.now()
        self._last_began_at = began_at
        try:
            found = await self._scanner.look([operation.key for operation in self._awaited.values()])
        except StoppedError:
            await self._changed.wait()  # nothing may be called any more; the end of the run takes us away
            return  # pragma: no cover - unless something else comes to be awaited, and then this is asked again
        except CredentialsFailed as expired:
            self._at.stop_lane(trouble_of(expired))
            return
        except CloudError:
            self._last_ended_at = self._at.control.now()
            return  # what is awaited stays so, until it expires
        self._last_ended_at = self._at.control.now()
        scan = Scan(began_at, self._last_ended_at)
        for key, operation in list(self._awaited.items()):
            if operation.key not in found or _asked_at(operation) >= began_at:
                continue
            row = found[operation.key]
            verdict = judge_owner(operation, row, scan, self._at.settings.observe)
            if verdict is not Verdict.KEEP:
                del self._awaited[key]
                self._at.take_verdict(operation, verdict, row)


def _asked_at(operation: OwnerOperation) -> float:
    """When what a look is asked about happened."""
    return operation.unknown_at if operation.phase in _ASKED else operation.accepted_at
