"""The watcher of one domain: one paged listing a tick, for everything of that domain that is awaited.

The tick grows with the age of the youngest thing awaited. An operation is judged only by a scan that began after the
call that is asked about. New Failed apps get one DescribeApp each, for the reason that a listing does not tell.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from engine.core.errors import (
    AlreadyGone,
    CloudError,
    CredentialsFailed,
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
    SETTLE_TICK_MAX_SECONDS,
    SETTLE_TICK_MIN_SECONDS,
)
from engine.core.service_errors import failure_from_reason
from engine.executor.calls import StoppedError
from engine.executor.control import wait_for
from engine.executor.judge import Scan, Verdict, judge
from engine.executor.operation import OBSERVING, Phase, scopes_of
from engine.executor.retry import trouble_of
from engine.executor.troubles import no_reason
from engine.ports.cloud import AppName

if TYPE_CHECKING:
    from engine.core.identity import AppKey
    from engine.core.observed import ObservedApp, ObservedDomain
    from engine.executor.operation import Operation
    from engine.executor.scan import Scanner
    from engine.executor.settlement import Settlement

TICK_SHARE_OF_AGE: Final = 0.25
TICK_SCANS: Final = 3.0  # a scan that takes a second is followed by three seconds without one


class Watcher:
    """Awaits operations of one domain. `rows` is how many rows its last whole scan had."""

    def __init__(self, scanner: Scanner, settlement: Settlement, rows: int) -> None:
        self._scanner = scanner
        self._at = settlement
        self._rows = rows
        self._awaited: dict[AppKey, Operation] = {}
        self._changed = asyncio.Event()
        self._youngest_at = float("-inf")
        self._waiting_since = float("-inf")
        self._last_began_at = float("-inf")
        self._last_ended_at = float("-inf")
        self._alive: dict[AppKey, str] | None = None
        self._ticks = False  # whether the next scan is due by a tick, and not only by something that is observed

    def watch(self, operation: Operation) -> None:
        """Await `operation`, in the phase that it is in."""
        now = self._at.control.now()
        self._youngest_at = now
        if not self._awaited:
            self._waiting_since = now
        # One more that settles can wait for the tick that comes for the others; anything else may need an earlier one.
        settles = operation.phase in (Phase.SETTLE_CREATE, Phase.SETTLE_DELETE)
        if not (settles and self._awaited and self._ticks):
            self._changed.set()
        self._ticks = self._ticks or settles
        self._awaited[folded(operation.key)] = operation

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
        """Scan whenever something is due, until cancelled."""
        while True:
            self._changed.clear()
            now = self._at.control.now()
            self._expire(now)
            due_at = self._due_at(now)
            if due_at > now:
                expires_at = min(map(self._expires_at, self._awaited.values()), default=float("inf"))
                await wait_for(self._changed, min(due_at, expires_at) - now)
                continue
            await self._scan()

    def _due_at(self, now: float) -> float:
        """When the next scan is wanted."""
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
                    due_at = min(due_at, max(self._last_ended_at, self._waiting_since) + self._tick_s(now))
        # Whatever asks for it, scans do not follow each other faster than the shortest tick.
        return max(due_at, self._last_began_at + SETTLE_TICK_MIN_SECONDS)

    def _observe_due_at(self, operation: Operation) -> float:
        observe = self._at.settings.observe
        if operation.first_scan_ended_at is None:
            return operation.unknown_at + observe.first_after
        return operation.first_scan_ended_at + observe.second_after

    def _tick_s(self, now: float) -> float:
        age_s = now - self._youngest_at
        scan_s = self._last_ended_at - self._last_began_at if self._last_ended_at > 0 else 0.0
        wanted = max(SETTLE_TICK_MIN_SECONDS, TICK_SHARE_OF_AGE * age_s, TICK_SCANS * scan_s)
        return min(wanted, SETTLE_TICK_MAX_SECONDS)

    def _expires_at(self, operation: Operation) -> float:
        """When waiting for one operation is over."""
        if operation.phase in OBSERVING or operation.phase is Phase.LOOK:
            # Only a scan can settle these; when none completes for long enough, nothing ever will.
            observe = self._at.settings.observe
            longest = self._at.settings.backoffs.transient.give_up_after + observe.first_after + observe.second_after
            return operation.unknown_at + longest
        return operation.settle_until

    def _expire(self, now: float) -> None:
        for key, operation in list(self._awaited.items()):
            if now < self._expires_at(operation):
                continue
            del self._awaited[key]
            if operation.phase in OBSERVING or operation.phase is Phase.LOOK:
                operation.phase = Phase.OBSERVE_CREATE if operation.phase is Phase.LOOK else operation.phase
                self._at.left_over(operation)
            else:
                self._at.timed_out(operation)

    async def _scan(self) -> None:
        owners = self._owners_if_fewer()
        began_at = self._at.control.now()
        self._last_began_at = began_at
        try:
            observed = await self._scanner.scan(owners, self._whole_pages)
        except StoppedError:
            await self._changed.wait()  # nothing may be called any more; the end of the run takes us away
            return  # pragma: no cover - unless something else comes to be awaited, and then this is asked again
        self._last_ended_at = self._at.control.now()
        if observed.error is not None:
            if isinstance(observed.error, CredentialsFailed):
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
        rows = {folded(key): row for key, row in observed.apps.items()}
        failed: list[tuple[AppKey, Operation, ObservedApp]] = []
        for key, operation in list(self._awaited.items()):
            if _asked_at(operation) >= scan.began_at:
                continue
            row = rows.get(key)
            verdict = judge(operation, row, scan, self._at.settings.observe)
            if verdict is Verdict.FAILED and row is not None:
                failed.append((key, operation, row))
            elif verdict is not Verdict.KEEP:
                del self._awaited[key]
                self._at.take_verdict(operation, verdict, row)
        for key, operation, row in failed[:DESCRIBES_PER_SCAN_MAX_COUNT]:
            await self._describe(key, operation, row)

    async def _describe(self, key: AppKey, operation: Operation, row: ObservedApp) -> None:
        """Ask for the reason of one Failed app, and hand the app back with it."""
        name = AppName(self._scanner.domain.domain_id, key.owner_kind, operation.key.owner, key.app_type, key.app_name)
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
        except CredentialsFailed as expired:
            self._at.stop_lane(trouble_of(expired))
            return
        except CloudError as unread:
            reason = f"the reason could not be read: {unread.message}"
        if self._awaited.pop(key, None) is None:
            return  # the run ended it while we asked
        error = failure_from_reason(reason) if reason else no_reason(operation)
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
            self._at.ready.wake_bucket(scopes, self._at.control.now())
            self._at.nudge()


def _asked_at(operation: Operation) -> float:
    """When what a scan is asked about happened."""
    if operation.phase in OBSERVING or operation.phase is Phase.LOOK:
        return operation.unknown_at
    return operation.accepted_at


def may_look(settlement: Settlement) -> bool:
    """Whether a watcher may still make a read: during the drain only while something unknown is looked up."""
    return settlement.stopped is None and settlement.control.may_look(DRAIN_MAX_SECONDS)
