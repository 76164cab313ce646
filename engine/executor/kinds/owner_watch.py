"""The watcher of one domain's owners: one look a tick for every profile and space of it that is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.limits import DESCRIBES_PER_SCAN_MAX_COUNT
from engine.executor.judge import Scan, Verdict, judge, may_lag, needs_asking
from engine.executor.kinds.owners import OWNER, OwnerOperation
from engine.executor.watcher import DomainWatcher, asked_at

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterator, Mapping

    from engine.core.identity import Owner
    from engine.core.observed import ObservedOwner
    from engine.core.settings import Settings
    from engine.executor.control import Control
    from engine.executor.judge import Looked
    from engine.executor.owner_scan import OwnerScanner
    from engine.executor.watcher import Finding


class OwnerWatcher(DomainWatcher[OwnerOperation]):
    """Awaits operations on owners of one domain."""

    kind = OWNER

    def __init__(self, scanner: OwnerScanner, control: Control, settings: Settings) -> None:
        super().__init__(control, settings)
        self._scanner = scanner

    async def _look(self) -> AsyncGenerator[Finding, None]:
        began_at = self._control.now()
        self._last_began_at = began_at
        found, unshown = await self._scanner.look_closely([operation.key for operation in self._awaited.values()])
        self._last_ended_at = self._control.now()
        unsure: list[OwnerOperation] = []
        for looked in self._judge_all(found, unshown, Scan(began_at, self._last_ended_at), unsure):
            yield looked
        for operation in unsure[:DESCRIBES_PER_SCAN_MAX_COUNT]:
            if self._awaits(operation) and (looked_at := await self._ask_about(operation)) is not None:
                yield looked_at

    def _judge_all(
        self,
        found: Mapping[Owner, ObservedOwner | None],
        unshown: Collection[Owner],
        scan: Scan,
        unsure: list[OwnerOperation],
    ) -> Iterator[Looked]:
        """Let go of what the look settles; add to `unsure` what a listing does not show, or shows late."""
        for operation in list(self._awaited.values()):
            if operation.key not in found or asked_at(operation) >= scan.began_at:
                continue
            row = found[operation.key]
            verdict = judge(operation, row, scan, self._observe)
            listed = row is not None or operation.key in unshown  # None of one that was asked about is the answer
            if listed and verdict is not Verdict.KEEP and needs_asking(operation, verdict, row):
                unsure.append(operation)
            elif _is_settled(operation, verdict, row, scan):
                yield self._let_go(operation, verdict, row)

    async def _ask_about(self, operation: OwnerOperation) -> Looked | None:
        """Confirm with one call what a listing does not show. Raises CloudError and StoppedError."""
        began_at = self._control.now()
        row = await self._scanner.describe(operation.key)
        if not self._awaits(operation):
            return None
        scan = Scan(began_at, self._control.now())
        verdict = judge(operation, row, scan, self._observe)
        return self._let_go(operation, verdict, row) if _is_settled(operation, verdict, row, scan) else None


def _is_settled(operation: OwnerOperation, verdict: Verdict, row: ObservedOwner | None, scan: Scan) -> bool:
    """Whether there is nothing left to look for; what was accepted just now need not show yet."""
    unshown_yet = verdict is Verdict.REMOVED and row is None and may_lag(operation, scan)
    return verdict not in (Verdict.KEEP, Verdict.ASK) and not unshown_yet
