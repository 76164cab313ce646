"""What may be called next: the order of operations, their delays, and the gates that some of them wait at.

An operation that meets a closed gate moves into that gate's own queue, so a full quota with a thousand apps behind it
costs the others nothing, and nothing that waits holds a worker. A replace enters a gate in its slow start with its
delete and stays in until its create is answered: the place that it will need is taken from then on. Everything here is
data and takes the time as a number.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from engine.executor.gate import Gate, GateState
from engine.executor.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from engine.core.errors import QuotaExceeded
    from engine.core.settings import Backoff
    from engine.executor.operation import AnyOperation

_Entry: TypeAlias = "tuple[float, int, AnyOperation]"


class ReadyQueue:
    """All operations of one lane that wait for a call."""

    def __init__(self, backoff: Backoff, jitter: Callable[[], float], window_max: int) -> None:
        self._backoff = backoff
        self._jitter = jitter
        self._window_max = window_max
        self._tie = count()
        self._ready: list[_Entry] = []
        self._later: list[_Entry] = []
        self._waiting: dict[Gate, list[_Entry]] = {}
        self._held: dict[Hashable, list[_Entry]] = {}  # what waits for something that has not ended yet, or for a place
        self._aliases: dict[str, set[str]] = {}  # bucket or user scope -> quota names that it was refused for
        self.gates: dict[str, Gate] = {}

    def __len__(self) -> int:
        """How many operations wait, in whatever place."""
        parked = sum(map(len, self._waiting.values()))
        return len(self._ready) + len(self._later) + parked + sum(map(len, self._held.values()))

    def push(self, operation: AnyOperation) -> None:
        """Put an operation where its turn is, or behind what must end well before it or show that its like starts."""
        entry = (operation.rank, next(self._tie), operation)
        for trial in operation.trials:
            trial.on_way.discard(operation)  # an earlier run may have sent more than there are places
        for key in operation.after if self._held else ():
            if key in self._held and not (isinstance(key, Trial) and key.take(operation)):
                heapq.heappush(self._held[key], entry)
                return
        heapq.heappush(self._ready, entry)

    def hold_for(self, key: Hashable) -> None:
        """Hold what comes after `key`, from now on until `take_held`."""
        self._held.setdefault(key, [])

    def take_held(self, key: Hashable) -> list[AnyOperation]:
        """Remove and return what waited for `key`, which has ended."""
        return [entry[2] for entry in sorted(self._held.pop(key, ()), key=_place)]

    def held_for(self, key: Hashable) -> int:
        """How many wait for one thing."""
        return len(self._held.get(key, ()))

    def fill(self, trial: Trial) -> None:
        """Let those that wait for a trial go as far as it has places, first in order first."""
        held = self._held.get(trial, [])
        while held and trial.has_place:
            self.push(heapq.heappop(held)[2])

    def withdraw(self, trial: Trial) -> list[AnyOperation]:
        """Remove and return all that belongs to a trial and waits for a call, in whatever place."""
        found: list[_Entry] = []
        for entries in (self._ready, self._later, *self._waiting.values(), *self._held.values()):
            some = [entry for entry in entries if trial in entry[2].trials]
            if some:
                found += some
                entries[:] = [entry for entry in entries if trial not in entry[2].trials]
                heapq.heapify(entries)
        return sorted((entry[2] for entry in found), key=lambda operation: operation.rank)

    def push_later(self, operation: AnyOperation, at: float) -> None:
        """Put an operation aside until `at`; meanwhile another one like it may go first."""
        self._stand_back(operation)
        heapq.heappush(self._later, (at, next(self._tie), operation))

    def pop(self, now: float) -> AnyOperation | None:
        """Return the next operation that may be called now, its gates entered; None when there is none."""
        self._wake_due(now)
        while self._ready:
            operation = heapq.heappop(self._ready)[2]
            self._give_back_closed(operation)
            held = [gate for gate, _ in operation.passed]
            gates = [gate for gate in self.gates_of(operation) if gate not in held]
            closed = next((gate for gate in gates if not self._lets_pass(gate, operation, now)), None)
            if closed is not None:
                self.wait_at(closed, operation)
                continue
            operation.passed += [(gate, gate.enter()) for gate in gates]
            return operation
        return None

    def has_ready(self, now: float) -> bool:
        """Whether `pop` would look at anything; it may still find a gate closed."""
        self._wake_due(now)
        return bool(self._ready)

    def next_wake_at(self) -> float:
        """When something changes here without an answer: a delay ends, a probe is due, a gate gives up."""
        at = self._later[0][0] if self._later else float("inf")
        for gate, waiting in self._waiting.items():
            if waiting and gate.state is GateState.ENDED:
                return float("-inf")  # they are turned away at once
            if waiting and gate.state is GateState.PARKED and not gate.probing:
                may_probe = any(not entry[2].is_delete for entry in waiting)
                at = min(at, gate.gives_up_at(), gate.next_probe_at if may_probe else float("inf"))
        return at

    def gates_of(self, operation: AnyOperation) -> list[Gate]:
        """Return the gates that stand before an operation; none in the ordinary case."""
        return self._gates_at(operation.scopes) if self.gates else []

    def wants(self, gate: Gate, operation: AnyOperation) -> bool:
        """Whether an operation comes to a gate, now or when it has given up the types for which no waiting helps."""
        for scopes in operation.scopes_in_turn:
            gates = self._gates_at(scopes)
            if gate in gates:
                return True
            if not any(_is_hopeless(one) for one in gates):
                return False
        return False

    def _gates_at(self, scopes: Iterable[str]) -> list[Gate]:
        names: list[str] = []
        for scope in scopes:
            names.append(scope)
            names.extend(sorted(self._aliases.get(scope, ())))
        return [self.gates[name] for name in names if name in self.gates]

    def refuse(self, operation: AnyOperation, error: QuotaExceeded, now: float) -> tuple[Gate, bool, bool]:
        """Handle a ResourceLimitExceeded; return its gate, whether it was that gate's probe, and whether it parked."""
        name, alias_of = operation.gate_of(error.facts)
        if alias_of:
            self._aliases.setdefault(alias_of, set()).add(name)
        gate = self.gates.get(name)
        if gate is None or gate.state is GateState.OPEN:
            gate = Gate(name, error, self._backoff, self._jitter, self._window_max)
            self.gates[name] = gate
        probe = any(entered is gate and as_probe for entered, as_probe in operation.passed)
        parked = gate.full(error, operation.sent_at, now, probe=probe)
        return gate, probe, parked

    def leave_gates(
        self, operation: AnyOperation, now: float, *, accepted: bool, refused_by: Gate | None
    ) -> list[Gate]:
        """End the passage of a call through its gates; the gates that it reopened."""
        reopened: list[Gate] = []
        for gate, probe in operation.passed:
            gate.leave()
            if gate is refused_by:
                continue
            if accepted and gate.passed(operation.sent_at, probe=probe):
                reopened.append(gate)
            elif probe and not accepted:
                gate.probe_was_lost(now)
        operation.passed = []
        return reopened

    def wake_bucket(self, scopes: Iterable[str], now: float) -> None:
        """Somebody left: let the gates of these scopes probe at once."""
        for scope in scopes:
            for name in (scope, *self._aliases.get(scope, ())):
                if name in self.gates:
                    self.gates[name].wake(now)

    def wait_at(self, gate: Gate, operation: AnyOperation) -> None:
        """Put an operation into the queue of a closed gate; meanwhile another one like it may go first."""
        heapq.heappush(self._waiting.setdefault(gate, []), (operation.rank, next(self._tie), operation))
        self._stand_back(operation)

    def waiting_at(self, gate: Gate) -> int:
        """How many wait at one gate."""
        return len(self._waiting.get(gate, ()))

    def wanting(self, gate: Gate) -> int:
        """Count all that waits, in whatever place, for what this gate lets through."""
        waiting = [entry[2] for entry in (*self._ready, *self._later)]
        waiting += [entry[2] for held in self._held.values() for entry in held]
        for other, entries in self._waiting.items():
            if other is not gate and _is_hopeless(other):  # these go on with their next type
                waiting += [entry[2] for entry in entries]
        return self.waiting_at(gate) + sum(self.wants(gate, operation) for operation in waiting)

    def gates_that_give_up(self, now: float) -> list[Gate]:
        """Return the gates whose time is up; a call that is under way there is answered first."""
        return [gate for gate in self.gates.values() if now >= gate.gives_up_at() and not gate.probing]

    def empty_gate(self, gate: Gate) -> list[AnyOperation]:
        """Remove and return everything that waits at a gate, first in order first."""
        entries = self._waiting.pop(gate, [])
        return [entry[2] for entry in sorted(entries, key=_place)]

    def drain(self) -> list[tuple[AnyOperation, Gate | None]]:
        """Remove and return everything, with the gate that holds each operation back: an open one holds nothing."""
        left: list[tuple[AnyOperation, Gate | None]] = [(entry[2], None) for entry in (*self._ready, *self._later)]
        for gate in list(self._waiting):
            held_by = None if gate.state is GateState.OPEN else gate
            left.extend((operation, held_by) for operation in self.empty_gate(gate))
        left.extend((entry[2], None) for held in self._held.values() for entry in held)
        self._held.clear()
        self._ready.clear()
        self._later.clear()
        return left

    def _stand_back(self, operation: AnyOperation) -> None:
        """Give back the places that an operation has in its trials: what waits for something else holds nobody up."""
        for trial in operation.trials:
            if operation in trial.on_way:
                trial.on_way.discard(operation)
                self.fill(trial)

    @staticmethod
    def _lets_pass(gate: Gate, operation: AnyOperation, now: float) -> bool:
        if operation.is_delete and gate.state is GateState.PARKED:
            return False  # the first half of a replace is no probe: what it deletes could not be made again
        return gate.admits(now)

    @staticmethod
    def _give_back_closed(operation: AnyOperation) -> None:
        """Leave the gates that have closed since a replace entered them with its delete."""
        if operation.passed:
            closed = [entry for entry in operation.passed if entry[0].state in (GateState.PARKED, GateState.ENDED)]
            for gate, _ in closed:
                gate.leave()
            operation.passed = [entry for entry in operation.passed if entry not in closed]

    def _wake_due(self, now: float) -> None:
        """Move what may go on into the ready queue: by looking at what is, since not every change has a caller."""
        while self._later and self._later[0][0] <= now:
            self.push(heapq.heappop(self._later)[2])
        for gate, waiting in self._waiting.items():
            if not waiting:
                continue
            if gate.state is not GateState.PARKED:
                self._release(gate, waiting)
            elif gate.admits(now):
                self._release_one(gate)

    def _release_one(self, gate: Gate) -> None:
        """Send the first create that waits as a probe. The delete of a replace is never one."""
        waiting = self._waiting[gate]
        first = min((entry for entry in waiting if not entry[2].is_delete), default=None)
        if first is not None:
            waiting.remove(first)
            heapq.heapify(waiting)
            self.push(first[2])

    def _release(self, gate: Gate, waiting: list[_Entry]) -> None:
        """Release what an open gate, or one in its slow start, has room for."""
        room = {GateState.OPEN: len(waiting), GateState.OPENING: gate.window - gate.in_flight}.get(gate.state, 0)
        for _ in range(min(room, len(waiting))):
            self.push(heapq.heappop(waiting)[2])


def _place(entry: _Entry) -> tuple[float, int]:
    return entry[:2]


def _is_hopeless(gate: Gate) -> bool:
    """Whether no waiting helps at a gate, since its limit is below one request."""
    return gate.state is GateState.ENDED and gate.error.facts.never_fits
