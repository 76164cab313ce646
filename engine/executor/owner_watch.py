"""The watcher of one domain's owners: one look a tick for every profile and space of it that is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import CloudError
from engine.executor.calls import StoppedError
from engine.executor.judge import Scan, Verdict
from engine.executor.owner_judge import judge_owner
from engine.executor.owner_operation import OwnerOperation
from engine.executor.retry import trouble_of
from engine.executor.watcher import DomainWatcher, asked_at

if TYPE_CHECKING:
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
            found = await self._scanner.look([operation.key for operation in self._awaited.values()])
        except StoppedError:
            await self._changed.wait()  # nothing may be called any more; the end of the run takes us away
            return  # pragma: no cover - unless something else comes to be awaited, and then this is asked again
        except CloudError as error:
            if error.ends_lane:
                self._at.stop_lane(trouble_of(error))
                return
            self._last_ended_at = self._control.now()
            return  # what is awaited stays so, until it expires
        self._last_ended_at = self._control.now()
        scan = Scan(began_at, self._last_ended_at)
        for key, operation in list(self._awaited.items()):
            if operation.key not in found or asked_at(operation) >= began_at:
                continue
            row = found[operation.key]
            verdict = judge_owner(operation, row, scan, self._observe)
            if verdict is not Verdict.KEEP:
                del self._awaited[key]
                self._at.take_verdict(operation, verdict, row)
