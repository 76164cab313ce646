"""The watcher of one domain's owners: one look a tick for every profile and space of it that is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import CloudError
from engine.core.limits import DESCRIBES_PER_SCAN_MAX_COUNT
from engine.executor.calls import StoppedError
from engine.executor.judge import Scan, Verdict, judge, may_lag, needs_asking
from engine.executor.owner_operation import OwnerOperation
from engine.executor.retry import trouble_of
from engine.executor.watcher import DomainWatcher, asked_at

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.core.identity import Owner
    from engine.core.observed import ObservedOwner
    from engine.executor.owner_scan import OwnerScanner
    from engine.executor.owner_settlement import OwnerSettlement


class OwnerWatcher(DomainWatcher[OwnerOperation]):
    """Awaits operations on owners of one domain."""

    def __init__(self, scanner: OwnerScanner, settlement: OwnerSettlement) -> None:
        super().__init__(settlement.control, settlement.settings)
        self._scanner = scanner
        self._at = settlement

    def _left_over(self, operation: OwnerOperation) -> None:
        self._at.left_over(operation)

    def _never_settled(self, operation: OwnerOperation) -> None:
        self._at.never_settled(operation)

    def _timed_out(self, operation: OwnerOperation) -> None:
        self._at.timed_out(operation)

    async def _look(self) -> None:
        began_at = self._control.now()
        self._last_began_at = began_at
        try:
            found, unshown = await self._scanner.look_closely([operation.key for operation in self._awaited.values()])
            self._last_ended_at = self._control.now()
            unsure = self._judge_all(found, unshown, Scan(began_at, self._last_ended_at))
            for operation in unsure[:DESCRIBES_PER_SCAN_MAX_COUNT]:
                await self._ask_about(operation)
        except StoppedError:
            await self._changed.wait()  # nothing may be called any more; the end of the run takes us away
            return
        except CloudError as error:
            if error.ends_lane:
                self._at.stop_lane(trouble_of(error))
                return
            self._last_ended_at = self._control.now()
            return  # what is awaited stays so, until it expires

    def _judge_all(
        self, found: Mapping[Owner, ObservedOwner | None], unshown: Collection[Owner], scan: Scan
    ) -> list[OwnerOperation]:
        """Let go of what the look settles; return what rests on a listing that lags, or does not show an owner."""
        unsure: list[OwnerOperation] = []
        for operation in list(self._awaited.values()):
            if operation.key not in found or asked_at(operation) >= scan.began_at:
                continue
            row = found[operation.key]
            verdict = judge(operation, row, scan, self._observe)
            if verdict is Verdict.KEEP:
                continue
            listed = row is not None or operation.key in unshown  # None of one that was asked about is the answer
            if listed and needs_asking(operation, verdict, row):
                unsure.append(operation)
            else:
                self._let_go(operation, verdict, row, scan)
        return unsure

    async def _ask_about(self, operation: OwnerOperation) -> None:
        """Let one call confirm what a listing does not show. Raises CloudError and StoppedError."""
        if self._awaited.get(operation.folded) is not operation:
            return  # the run ended it while another one was asked about
        began_at = self._control.now()
        row = await self._scanner.describe(operation.key)
        if self._awaited.get(operation.folded) is not operation:
            return
        scan = Scan(began_at, self._control.now())
        verdict = judge(operation, row, scan, self._observe)
        if verdict not in (Verdict.KEEP, Verdict.ASK):
            self._let_go(operation, verdict, row, scan)

    def _let_go(self, operation: OwnerOperation, verdict: Verdict, row: ObservedOwner | None, scan: Scan) -> None:
        if verdict is Verdict.REMOVED and row is None and may_lag(operation, scan):
            return  # accepted just now: nothing need show it yet
        del self._awaited[operation.folded]
        self._at.take_verdict(operation, verdict, row)
