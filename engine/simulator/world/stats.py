"""What the world counted: calls by operation and answer, CreateApp calls a second, calls in flight, doubled creates.

Counting changes nothing in the world, and resetting it does neither.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.core.limits import SIMULATED_TIMES_MAX_COUNT

if TYPE_CHECKING:
    from engine.simulator.world.records import Bucket

OK = "ok"


@dataclass(slots=True)
class Stats:
    """Times are epoch seconds. `create_for_live_key` counts CreateApp calls for a key that was alive, by its status."""

    calls: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    create_times: list[float] = field(default_factory=list)
    create_first_at: float | None = None
    create_last_at: float | None = None
    create_for_live_key: Counter[str] = field(default_factory=Counter)
    bucket_times: defaultdict[Bucket, list[float]] = field(default_factory=lambda: defaultdict(list))
    in_flight: int = 0
    max_in_flight: int = 0
    connections: int = 0
    max_connections: int = 0

    def answered(self, operation: str, answer: str) -> None:
        """Count one answer: `ok`, or the error's code."""
        self.calls[operation][answer] += 1

    def create_arrived(self, now: float, live_status: str) -> None:
        """Count a CreateApp that arrived; `live_status` is empty where its key was not alive."""
        if self.create_first_at is None:
            self.create_first_at = now
        self.create_last_at = now
        if len(self.create_times) < SIMULATED_TIMES_MAX_COUNT:
            self.create_times.append(now)
        if live_status:
            self.create_for_live_key[live_status] += 1

    def create_reached_bucket(self, bucket: Bucket, now: float) -> None:
        """Count a CreateApp that got as far as the quota of its bucket."""
        times = self.bucket_times[bucket]
        if len(times) < SIMULATED_TIMES_MAX_COUNT:
            times.append(now)

    def began(self) -> None:
        """Count a call that is under way."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def ended(self) -> None:
        """Count a call that is over."""
        self.in_flight -= 1

    def connected(self) -> None:
        """Count a connection that was opened."""
        self.connections += 1
        self.max_connections = max(self.max_connections, self.connections)

    def disconnected(self) -> None:
        """Count a connection that was closed."""
        self.connections -= 1

    def reset(self) -> None:
        """Forget all counts; what is under way stays counted."""
        self.calls.clear()
        self.create_times.clear()
        self.create_first_at = self.create_last_at = None
        self.create_for_live_key.clear()
        self.bucket_times.clear()
        self.max_in_flight = self.in_flight
        self.max_connections = self.connections

    def to_json(self) -> dict[str, Any]:
        """Return all counts as plain values; `create_per_second` is keyed by the whole second."""
        per_second = Counter(int(at) for at in self.create_times)
        return {
            "calls": {operation: dict(sorted(answers.items())) for operation, answers in sorted(self.calls.items())},
            "create_first_at": self.create_first_at,
            "create_last_at": self.create_last_at,
            "create_per_second": {str(second): count for second, count in sorted(per_second.items())},
            "create_for_live_key": self.create_for_live_key.total(),
            "create_for_live_key_by_status": dict(sorted(self.create_for_live_key.items())),
            "create_attempts_by_bucket": {
                "/".join(filter(None, bucket)): {"count": len(times), "times": list(times)}
                for bucket, times in sorted(self.bucket_times.items())
            },
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "connections": self.connections,
            "max_connections": self.max_connections,
        }
