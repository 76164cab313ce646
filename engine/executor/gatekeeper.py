"""The gates of one lane in use: what a refusal does to them, what goes through, and who is turned away.

`gate` knows one gate and `ready` holds what waits; here their changes are told as events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.executor.gate import Gate, GateState
from engine.ports.events import BucketEnded, BucketParked, BucketProbed, BucketReopened

if TYPE_CHECKING:
    from engine.core.errors import QuotaExceeded
    from engine.executor.ready import ReadyQueue, Waiting
    from engine.ports.events import Emit


class GateKeeper:
    """Moves the gates of one lane. Times are the loop's clock, in seconds."""

    def __init__(self, ready: ReadyQueue, emit: Emit) -> None:
        self._ready = ready
        self._emit = emit

    def refuse(self, operation: Waiting, error: QuotaExceeded, now: float) -> Gate:
        """Take in a ResourceLimitExceeded; the gate that it concerns."""
        gate, probe, parked = self._ready.refuse(operation, error, now)
        if probe:
            self._emit(BucketProbed(gate.name, ok=False))
        if parked and not error.facts.never_fits:
            facts = error.facts
            waiting = self._ready.waiting_at(gate) + 1
            delay = round(gate.next_probe_at - now, 3)
            self._emit(BucketParked(gate.name, delay, waiting, error.message, facts.value, facts.used))
        return gate

    def leave(self, operation: Waiting, now: float, *, accepted: bool, refused_by: Gate | None = None) -> None:
        """End the passage of a call through its gates."""
        if not operation.passed:
            return
        for gate in self._ready.leave_gates(operation, now, accepted=accepted, refused_by=refused_by):
            self._emit(BucketProbed(gate.name, ok=True))
            self._emit(BucketReopened(gate.name, round(now - gate.since, 3)))

    def end_if_never(self, gate: Gate | None) -> None:
        """End a gate whose limit is below one request: waiting cannot help."""
        if gate is not None and gate.state is not GateState.ENDED and gate.error.facts.never_fits:
            self._end(gate)

    def turned_away(self, now: float) -> list[tuple[Waiting, QuotaExceeded]]:
        """Take out what waits at gates that let nothing through any more; forget gates that are open."""
        if not self._ready.gates:
            return []
        for gate in self._ready.gates_that_give_up(now):
            self._end(gate)
        turned: list[tuple[Waiting, QuotaExceeded]] = []
        for name, gate in list(self._ready.gates.items()):
            if gate.state is GateState.ENDED:
                turned += ((operation, gate.error) for operation in self._ready.empty_gate(gate))
            elif gate.state is GateState.OPEN and not self._ready.waiting_at(gate):
                del self._ready.gates[name]
        return turned

    def _end(self, gate: Gate) -> None:
        gate.end()
        self._emit(BucketEnded(gate.name, self._ready.waiting_at(gate), gate.error.message, gate.error.hint))
