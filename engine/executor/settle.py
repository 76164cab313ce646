"""The watcher of one domain's apps: one paged listing a tick, for everything of that domain that is awaited.

An operation is judged only by a scan that began after the call that is asked about. New Failed apps get one
DescribeApp each, for the reason that a listing does not tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.errors import (
    AlreadyGone,
    CloudError,
    NotFound,
    OutcomeUnknown,
    Throttled,
    Unreachable,
)
from engine.core.identity import Owner, folded
from engine.core.limits import (
    DESCRIBES_PER_SCAN_MAX_COUNT,
    DRAIN_MAX_SECONDS,
    LIST_PAGE_MAX_ROWS,
)
from engine.core.outcome import Outcome
from engine.core.service_errors import failure_from_reason
from engine.executor.calls import StoppedError
from engine.executor.judge import Scan, Verdict, judge
from engine.executor.operation import Operation, scopes_of
from engine.executor.retry import trouble_of
from engine.executor.troubles import never_settled, no_reason
from engine.executor.watcher import DomainWatcher, asked_at
from engine.ports.cloud import AppName

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp, ObservedDomain
    from engine.executor.scan import Scanner
    from engine.executor.settlement import Settlement


class Watcher(DomainWatcher[Operation]):
    """Awaits apps of one domain. `rows` is how many rows its last whole scan had."""

    def __init__(self, scanner: Scanner, settlement: Settlement, rows: int) -> None:
        super().__init__(settlement.control, settlement.settings)
        self._scanner = scanner
        self._at = settlement
        self._rows = rows
        self._alive: dict[AppKey, str] | None = None

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
            observed = await self._scanner.scan(owners, self._whole_pages)
        except StoppedError:
            await self._changed.wait()  # nothing may be called any more; the end of the run takes us away
            return  # pragma: no cover - unless something else comes to be awaited, and then this is asked again
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
        for key, operation in list(self._awaited.items()):
            if asked_at(operation) >= scan.began_at:
                continue
            row = rows.get(key)
            verdict = judge(operation, row, scan, self._observe)
            if verdict is Verdict.FAILED and row is not None:
                failed.append((operation, row))
            elif verdict is not Verdict.KEEP:
                del self._awaited[key]
                self._at.take_verdict(operation, verdict, row)
        for operation, row in failed[:DESCRIBES_PER_SCAN_MAX_COUNT]:
            await self._describe(operation, row)

    async def _describe(self, operation: Operation, row: ObservedApp) -> None:
        """Ask for the reason of one Failed app, and hand the app back with it."""
        key = operation.key
        name = AppName(self._scanner.domain.domain_id, key.owner_kind, key.owner, key.app_type, key.app_name)
        cloud = self._scanner.cloud
        try:
            detail = await self._at.calls.read("DescribeApp", lambda: cloud.describe_app(name), self._scanner.may_call)
            reason = detail.failure_reason
        except StoppedError:
            return
        except (Throttled, Unreachable, OutcomeUnknown):
            return  # it is still awaited, so the next scan asks again
        except (NotFound, AlreadyGone):
            reason = ""
        except CloudError as unread:
            if unread.ends_lane:
                self._at.stop_lane(trouble_of(unread))
                return
            reason = f"the reason could not be read: {unread.message}"
        if self._awaited.pop(operation.folded, None) is None:
            return  # the run ended it while we asked
        error = failure_from_reason(reason) if reason else no_reason()
        self._at.failed_after_acceptance(operation, row, error)

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
