"""The gates of one lane in use: what a refusal does to them, what goes through, and who is turned away.

`gate` knows one gate and `ready` holds what waits; here their changes are told as events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.quota_text import quota_hint
from engine.executor.gate import Gate, GateState
from engine.executor.kinds.apps import scopes_of
from engine.ports.events import BucketEnded, BucketParked, BucketProbed, BucketReopened

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.core.desired import AppSpec
    from engine.core.errors import CloudError, QuotaExceeded
    from engine.core.identity import AppKey, Lane
    from engine.core.observed import ObservedDomain
    from engine.executor.operation import AnyOperation
    from engine.executor.ready import ReadyQueue
    from engine.ports.events import Emit


class GateKeeper:
    """Move the gates of one lane. Times are the loop's clock, in seconds.

    `in_flight` are the operations whose call is under way, `codes` the codes of quotas by their names, where the
    service reported them: both go into the command that raises a quota.
    """

    def __init__(
        self,
        ready: ReadyQueue,
        emit: Emit,
        region: str = "",
        in_flight: Collection[AnyOperation] = (),
        codes: Mapping[str, str] | None = None,
    ) -> None:
        self._ready = ready
        self._emit = emit
        self._region = region
        self._in_flight = in_flight
        self._codes = codes if codes is not None else {}
        self._alive: dict[str, dict[AppKey, AppSpec]] = {}

    def refuse(self, operation: AnyOperation, error: QuotaExceeded, now: float) -> Gate:
        """Handle a ResourceLimitExceeded; return the gate that it concerns."""
        gate, probe, parked = self._ready.refuse(operation, error, now)
        if probe:
            self._emit(BucketProbed(gate.name, ok=False))
        if parked and not error.facts.never_fits:
            facts = error.facts
            waiting = self._ready.waiting_at(gate) + 1
            delay = round(gate.next_probe_at - now, 3)
            self._emit(BucketParked(gate.name, delay, waiting, error.message, facts.value, facts.used))
        if gate.state is GateState.ENDED:  # a call that was under way when it ended: it is counted already
            self._ask_for_all(gate)
        return gate

    def leave(self, operation: AnyOperation, now: float, *, accepted: bool, refused_by: Gate | None = None) -> None:
        """End the passage of a call through its gates."""
        if not operation.passed:
            return
        for gate in self._ready.leave_gates(operation, now, accepted=accepted, refused_by=refused_by):
            self._emit(BucketProbed(gate.name, ok=True))
            self._emit(BucketReopened(gate.name, round(now - gate.since, 3)))

    def end_if_never(self, gate: Gate | None, error: CloudError) -> CloudError:
        """End a gate whose limit is below one request: waiting cannot help. Return what is said of `error` then."""
        if gate is None or not gate.error.facts.never_fits:
            return error
        if gate.state is not GateState.ENDED:
            self._end(gate)
        return gate.error

    def count_waiting(self) -> None:
        """Make the error of every gate ask for all that waits there, before the gate is emptied."""
        for gate in self._ready.gates.values():
            self._count(gate)

    def note_departures(self, lane: Lane, observed: ObservedDomain, now: float) -> bool:
        """Wake the gates of buckets that an app has left since the last whole scan of its domain; whether any has."""
        before = self._alive.pop(observed.name, {})
        if not self._ready.gates:
            return False
        alive = {key: row.spec for key, row in observed.apps.items() if row.status.is_alive}
        self._alive[observed.name] = alive
        gone = before.keys() - alive.keys()
        for key in gone:
            self._ready.wake_bucket(scopes_of(lane, key, before[key]), now)
        return bool(gone)

    def turned_away(self, now: float) -> list[tuple[AnyOperation, QuotaExceeded]]:
        """Remove and return what waits at gates that are closed for good; forget gates that are open."""
        if not self._ready.gates:
            return []
        for gate in self._ready.gates_that_give_up(now):
            self._end(gate)
        turned: list[tuple[AnyOperation, QuotaExceeded]] = []
        for name, gate in list(self._ready.gates.items()):
            if gate.state is GateState.ENDED:
                turned += ((operation, gate.error) for operation in self._ready.empty_gate(gate))
            elif gate.state is GateState.OPEN and not self._ready.waiting_at(gate):
                del self._ready.gates[name]
        return turned

    def _end(self, gate: Gate) -> None:
        self._count(gate)
        gate.end()
        self._emit(BucketEnded(gate.name, self._ready.waiting_at(gate), gate.error.message, gate.error.hint))

    def _count(self, gate: Gate) -> None:
        passing = sum(self._ready.wants(gate, operation) for operation in self._in_flight)
        gate.wanted = max(gate.wanted, self._ready.wanting(gate) + passing, 1)
        self._ask_for_all(gate)

    def _ask_for_all(self, gate: Gate) -> None:
        """Make the gate's error name the command that makes room for all that the gate holds back, in the region."""
        facts = gate.error.facts
        code = self._codes.get(facts.quota, "")
        gate.error = gate.error.with_hint(
            quota_hint(facts, region=self._region, waiting=max(gate.wanted, 1), code=code)
        )
