"""The watcher of one domain's apps: one paged listing a tick, for everything of that domain that is awaited.

An operation is judged only by a scan that began after the call that is asked about. What a listing does not show is
confirmed by one DescribeApp before it is believed.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.identity import Owner, folded
from engine.core.limits import (
    ABSENT_TWICE_SECONDS,
    DESCRIBES_PER_SCAN_MAX_COUNT,
    LIST_PAGE_MAX_ROWS,
    STALE_ROW_MAX_SECONDS,
)
from engine.executor.judge import (
    Scan,
    Verdict,
    believe,
    forget_tombstone,
    is_generation,
    judge,
    may_lag,
    needs_asking,
)
from engine.executor.kinds.apps import APP, AppOperation
from engine.executor.kinds.failures import Failures
from engine.executor.operation import Phase
from engine.executor.watcher import DomainWatcher, asked_at

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable, Iterator

    from engine.core.observed import ObservedApp, ObservedDomain
    from engine.core.settings import Settings
    from engine.executor.control import Control
    from engine.executor.judge import Looked
    from engine.executor.kinds.failures import Failed
    from engine.executor.scan import Scanner
    from engine.executor.watcher import Finding

    Unsure = tuple[AppOperation, ObservedApp | None]


class AppWatcher(DomainWatcher[AppOperation]):
    """Awaits apps of one domain. `rows` is how many rows its last whole scan had."""

    kind = APP

    def __init__(self, scanner: Scanner, control: Control, settings: Settings, rows: int) -> None:
        super().__init__(control, settings)
        self._scanner = scanner
        self._rows = rows
        self._clock_ahead_s = 0.0
        self._failures = Failures(scanner.reach)

    async def _look(self) -> AsyncGenerator[Finding, None]:
        owners = self._owners_if_fewer()
        began_at = self._control.now()
        self._last_began_at = began_at
        observed = await self._scanner.scan(owners, self._whole_pages)
        self._last_ended_at = self._control.now()
        if observed.error is not None:
            raise observed.error
        if observed.scanned_whole:
            self._rows = len(observed.apps)
            yield observed
        failed: list[Failed] = []
        unsure: list[Unsure] = []
        scan = Scan(began_at, self._last_ended_at)
        for looked in self._judge_all(observed, scan, failed, unsure):
            yield looked
        async with aclosing(self._failures.reasons(failed)) as reasons:
            async for operation, row, error in reasons:
                if self._awaits(operation):
                    yield self._let_go(operation, Verdict.FAILED, row, error)
        async with aclosing(self._ask_about(unsure, scan)) as answers:
            async for looked in answers:
                yield looked

    @property
    def _whole_pages(self) -> int:
        return max(1, -(-self._rows // LIST_PAGE_MAX_ROWS))

    def _owners_if_fewer(self) -> list[Owner] | None:
        owners = {operation.key.owner_key for operation in self._awaited.values()}
        return sorted(owners) if len(owners) < self._whole_pages else None

    def _judge_all(
        self, observed: ObservedDomain, scan: Scan, failed: list[Failed], unsure: list[Unsure]
    ) -> Iterator[Looked]:
        """Let go of what the scan settles; add to `failed` and to `unsure` what has to be asked about."""
        rows: dict[Hashable, ObservedApp] = {folded(key): row for key, row in observed.apps.items()}
        for operation in list(self._awaited.values()):
            if asked_at(operation) >= scan.began_at:
                continue
            row = rows.get(operation.folded)
            verdict = judge(operation, row, scan, self._observe)
            if verdict is Verdict.FAILED and row is not None:
                operation.has_failed = True
                failed.append((operation, row))
            elif needs_asking(operation, verdict, row):
                unsure.append((operation, row))
            elif verdict is not Verdict.KEEP:
                yield self._let_go(operation, verdict, row)

    async def _ask_about(self, unsure: list[Unsure], scan: Scan) -> AsyncGenerator[Looked, None]:
        """Ask DescribeApp about what a listing does not show, and about rows of an unsure generation.

        One answer tells how far our clock is ahead, so that the other rows need not be asked about.
        """
        asked = 0
        for operation, row in unsure:
            if not self._awaits(operation):
                continue
            now = self._control.now()
            scan = replace(scan, clock_ahead_s=self._clock_ahead_s)
            verdict = judge(operation, row, scan, self._observe)
            if not needs_asking(operation, verdict, row):
                yield self._let_go(operation, verdict, row)
            elif asked < DESCRIBES_PER_SCAN_MAX_COUNT and now >= operation.described_at + ABSENT_TWICE_SECONDS:
                asked += 1
                operation.described_at = now
                if (looked := await self._confirm(operation, verdict, row, scan)) is not None:
                    yield looked

    async def _confirm(
        self, operation: AppOperation, verdict: Verdict, listed: ObservedApp | None, listing: Scan
    ) -> Looked | None:
        """Return what DescribeApp makes of a verdict on the row `listed`; None where nobody can tell yet."""
        began_at = self._control.now()
        described = await self._failures.describe(operation)
        if described is None or not self._awaits(operation):
            return None  # not answered: it is still awaited, so the next scan asks again
        if described.unread and _may_mislead(operation, listing):
            return None  # refused: the listing alone decides once it has had the time to show what is there
        row, scan = (listed, listing) if described.unread else (described.row, Scan(began_at, began_at))
        if described.row is not None and described.row.status.is_alive:
            forget_tombstone(operation)
        if row is not None and operation.phase is Phase.SETTLE_CREATE:
            row = self._newer(operation, row)
        if row is None:
            removed = verdict if verdict is not Verdict.ASK else Verdict.REMOVED
            lags = removed is Verdict.REMOVED and may_lag(operation, scan)
            return None if lags else self._let_go(operation, removed, None)
        verdict = judge(operation, row, scan, self._observe)
        if verdict in (Verdict.KEEP, Verdict.ASK):
            return None
        operation.has_failed = operation.has_failed or verdict is Verdict.FAILED
        return self._let_go(operation, verdict, row, described.error)

    def _newer(self, operation: AppOperation, row: ObservedApp) -> ObservedApp | None:
        """Return what was shown of an accepted app; None for the tombstone of what was there before it."""
        if is_generation(row, operation.prior):
            return row if row.status.is_alive else None
        if row.created_at < operation.sent_wall:  # accepted and there, so it is ours: our clock is ahead
            self._clock_ahead_s = max(self._clock_ahead_s, operation.sent_wall - row.created_at)
        believe(operation, row)
        return row


def _may_mislead(operation: AppOperation, listing: Scan) -> bool:
    """Whether a listing may not show what became of a call: one comes late, and its app shows later still."""
    comes_until = max(asked_at(operation), operation.doubt_until)
    return listing.began_at < comes_until + STALE_ROW_MAX_SECONDS
