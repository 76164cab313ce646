"""The watcher of one domain's apps: one paged listing a tick, for everything of that domain that is awaited.

An operation is judged only by a scan that began after the call that is asked about. What a listing does not show is
confirmed by one DescribeApp before it is believed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.errors import CloudError
from engine.core.identity import Owner, folded
from engine.core.limits import (
    ABSENT_TWICE_SECONDS,
    DESCRIBES_PER_SCAN_MAX_COUNT,
    DRAIN_MAX_SECONDS,
    LIST_PAGE_MAX_ROWS,
    STALE_ROW_MAX_SECONDS,
)
from engine.core.outcome import Outcome
from engine.executor.calls import StoppedError
from engine.executor.failures import Failures
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
from engine.executor.operation import Operation, Phase, scopes_of
from engine.executor.retry import trouble_of
from engine.executor.troubles import never_settled
from engine.executor.watcher import DomainWatcher, asked_at

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp, ObservedDomain
    from engine.core.outcome import Trouble
    from engine.executor.scan import Scanner
    from engine.executor.settlement import Settlement


class Watcher(DomainWatcher[Operation]):
    """Awaits apps of one domain. `rows` is how many rows its last whole scan had."""

    def __init__(self, scanner: Scanner, settlement: Settlement, rows: int) -> None:
        super().__init__(settlement.control, settlement.settings)
        self.scanner = scanner
        self._at = settlement
        self._rows = rows
        self._alive: dict[AppKey, str] | None = None
        self._clock_ahead_s = 0.0
        self._failures = Failures(self)

    def _left_over(self, operation: Operation) -> None:
        self._at.left_over(operation)

    def _never_settled(self, operation: Operation) -> None:
        self._at.end(operation, Outcome.FAILED, never_settled(operation))

    def _timed_out(self, operation: Operation) -> None:
        self._at.timed_out(operation)

    async def _look(self) -> None:
        owners = self._owners_if_fewer()
        began_at = self._control.now()
        self._last_began_at = began_at
        try:
            observed = await self.scanner.scan(owners, self._whole_pages)
        except StoppedError:
            await self._changed.wait()  # nothing may be called any more; the end of the run takes us away
            return
        self._last_ended_at = self._control.now()
        if observed.error is not None:
            if isinstance(observed.error, CloudError) and observed.error.ends_lane:
                self._at.stop_lane(trouble_of(observed.error))
            return
        if observed.scanned_whole:
            self._rows = len(observed.apps)
            self._note_departures(observed)
        await self._judge_all(observed, Scan(began_at, self._last_ended_at))

    @property
    def _whole_pages(self) -> int:
        return max(1, -(-self._rows // LIST_PAGE_MAX_ROWS))

    def _owners_if_fewer(self) -> list[Owner] | None:
        owners = {operation.key.owner_key for operation in self._awaited.values()}
        return sorted(owners) if len(owners) < self._whole_pages else None

    async def _judge_all(self, observed: ObservedDomain, scan: Scan) -> None:
        rows: dict[Hashable, ObservedApp] = {folded(key): row for key, row in observed.apps.items()}
        failed: list[tuple[Operation, ObservedApp]] = []
        unsure: list[tuple[Operation, ObservedApp | None]] = []
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
                self._let_go(operation, verdict, row)
        await self._failures.tell(failed)
        await self._ask_about(unsure, scan)

    def _let_go(self, operation: Operation, verdict: Verdict, row: ObservedApp | None) -> None:
        del self._awaited[operation.folded]
        self._at.take_verdict(operation, verdict, row)

    def stop_lane(self, trouble: Trouble) -> None:
        """Make no more calls in this lane."""
        self._at.stop_lane(trouble)

    def failed(self, operation: Operation, row: ObservedApp, error: CloudError) -> None:
        """Hand a Failed app back with its reason."""
        if self._awaited.pop(operation.folded, None) is not None:
            self._at.failed_after_acceptance(operation, row, error)

    async def _ask_about(self, unsure: list[tuple[Operation, ObservedApp | None]], scan: Scan) -> None:
        """Let DescribeApp confirm what rests on what a listing does not show, or on a row of unsure generation.

        One answer tells how far our clock is ahead, so that the other rows need not be asked about.
        """
        asked = 0
        for operation, row in unsure:
            if self._awaited.get(operation.folded) is not operation:
                continue  # the run ended it while another one was asked about
            began_at = self._control.now()
            scan = replace(scan, clock_ahead_s=self._clock_ahead_s)
            verdict = judge(operation, row, scan, self._observe)
            if not needs_asking(operation, verdict, row):
                self._let_go(operation, verdict, row)
            elif asked < DESCRIBES_PER_SCAN_MAX_COUNT and began_at >= operation.described_at + ABSENT_TWICE_SECONDS:
                asked += 1
                operation.described_at = began_at
                await self._confirm(operation, verdict, Scan(began_at, self._control.now()))

    async def _confirm(self, operation: Operation, verdict: Verdict, scan: Scan) -> None:
        described = await self._failures.describe(operation)
        if described is None or self._awaited.get(operation.folded) is not operation:
            return  # not answered: it is still awaited, so the next scan asks again
        if described.unread and scan.began_at - asked_at(operation) < STALE_ROW_MAX_SECONDS:
            return  # not told: listings alone decide once they have had the time to show it
        row = described.row
        if row is not None and row.status.is_alive:
            forget_tombstone(operation)
        if row is not None and operation.phase is Phase.SETTLE_CREATE:
            row = self._newer(operation, row)
        if row is None:
            removed = verdict if verdict is not Verdict.ASK else Verdict.REMOVED
            if removed is not Verdict.REMOVED or not may_lag(operation, scan):
                self._let_go(operation, removed, None)
            return
        verdict = judge(operation, row, scan, self._observe)
        if verdict is Verdict.FAILED:
            operation.has_failed = True
            self.failed(operation, row, described.error)
        elif verdict not in (Verdict.KEEP, Verdict.ASK):
            self._let_go(operation, verdict, row)

    def _newer(self, operation: Operation, row: ObservedApp) -> ObservedApp | None:
        """Return what DescribeApp showed of an accepted app; None for the tombstone of what was there before it."""
        if is_generation(row, operation.prior):
            return row if row.status.is_alive else None
        if row.created_at < operation.sent_wall:  # accepted and there, so it is ours: our clock is ahead
            self._clock_ahead_s = max(self._clock_ahead_s, operation.sent_wall - row.created_at)
        believe(operation, row)
        return row

    def _note_departures(self, observed: ObservedDomain) -> None:
        """Wake the gates of buckets that an app has left since the last whole scan."""
        if not self._at.ready.gates:
            self._alive = None
            return
        alive = {key: row.spec.instance_type or "" for key, row in observed.apps.items() if row.status.is_alive}
        before, self._alive = self._alive, alive
        for key in (before or {}).keys() - alive.keys():
            scopes = scopes_of(self._at.lane, key, (before or {})[key])
            self._at.ready.wake_bucket(scopes, self._control.now())
            self._at.nudge()


def may_look(settlement: Settlement) -> bool:
    """Whether a watcher may still make a read: during the drain only while something unknown is looked up."""
    return settlement.stopped is None and settlement.control.may_look(DRAIN_MAX_SECONDS)
