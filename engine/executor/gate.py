"""A gate: what stands before a full quota. It parks what waits for that quota, and nothing else.

A gate is made by the first ResourceLimitExceeded and is gone once the quota has shown that it has room. Parked, it
lets one call through at a time, later and later; a probe that succeeds opens it by slow start, so that a quota with
one free place costs a few refused calls and not a burst of them. It knows times and counts alone: the jitter is
passed in, and what waits is held by `ready`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from engine.core.backoff import delay_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.errors import QuotaExceeded
    from engine.core.settings import Backoff


class GateState(Enum):
    """What a gate does with a call."""

    PARKED = auto()
    OPENING = auto()  # slow start
    OPEN = auto()  # to be forgotten
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Gate:
    """One full quota. `name` is the quota's name or the bucket's, `error` the last refusal; times are the loop's."""

    name: str
    error: QuotaExceeded
    backoff: Backoff
    jitter: Callable[[], float]
    window_max: int
    state: GateState = GateState.PARKED
    since: float = 0.0
    parked_at: float = 0.0
    failures: int = 0
    next_probe_at: float = 0.0
    probing: bool = False
    window: int = 1
    in_flight: int = 0
    wanted: int = 0  # how many it held back when it ended, or when the run did

    def admits(self, now: float) -> bool:
        """Whether one more create may pass now. A parked gate admits a probe when one is due."""
        if self.state is GateState.PARKED:
            return not self.probing and now >= self.next_probe_at
        return self.state is GateState.OPEN or (self.state is GateState.OPENING and self.in_flight < self.window)

    def enter(self) -> bool:
        """Admit one call; return whether it is a probe."""
        self.in_flight += 1
        if self.state is GateState.PARKED:
            self.probing = True
            return True
        return False

    def leave(self) -> None:
        """Count one call as ended, whatever its result."""
        self.in_flight -= 1

    def full(self, error: QuotaExceeded, sent_at: float, now: float, *, probe: bool) -> bool:
        """Handle a ResourceLimitExceeded; return whether the gate parked anew or for longer.

        A call that was sent before the gate parked says nothing new: calls in flight are not probes.
        """
        self.error = error
        if self.state is GateState.ENDED:
            return False
        if self.state is GateState.PARKED and not probe and self.failures and sent_at <= self.parked_at:
            return False
        if self.state is GateState.PARKED:
            self.since = self.since if self.failures else now
            self.failures += 1
            self.probing = self.probing and not probe  # another call's late refusal leaves the probe under way
        else:
            # It had opened and is full again: places come one by one, so do not start from the very beginning.
            self.since = now
            self.failures = max(1, self.failures // 2)
            self.probing = False
        self.state = GateState.PARKED
        self.parked_at = now
        self.next_probe_at = now + delay_s(self.backoff, self.failures, self.jitter())
        return True

    def probe_was_lost(self, now: float) -> None:
        """Handle a probe that ended without an answer about the quota: another may go after the same delay."""
        self.probing = False
        # Another call may have been refused while the probe was under way: its delay holds if it is the longer one.
        again_at = now + delay_s(self.backoff, max(self.failures, 1), self.jitter())
        self.next_probe_at = max(self.next_probe_at, again_at)

    def passed(self, sent_at: float, *, probe: bool) -> bool:
        """Handle an accepted create; return whether it reopened the gate.

        One that was sent before the gate parked says nothing of the room that there is since.
        """
        if self.state is GateState.PARKED and probe:
            self.state = GateState.OPENING
            self.probing = False
            self.window = 2
            return True
        if self.state is GateState.OPENING and sent_at > self.parked_at:
            self.window += 1  # one more for each success: the window doubles with each round
            if self.window > self.window_max:
                self.state = GateState.OPEN
        return False

    def wake(self, now: float) -> None:
        """Somebody has left the bucket: probe at once."""
        if self.state is GateState.PARKED:
            self.next_probe_at = min(self.next_probe_at, now)

    def gives_up_at(self) -> float:
        """When waiting is over."""
        return self.since + self.backoff.give_up_after if self.state is GateState.PARKED else float("inf")

    def end(self) -> None:
        """Close for good."""
        self.state = GateState.ENDED
        self.probing = False
