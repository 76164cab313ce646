"""What all steps of one lane share: its queue, its gates, its switch, and who watches for it.

Not here: what follows from anything (`settlement`, and its parts for unknown outcomes and for owners).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.core.limits import DRAIN_MAX_SECONDS
from engine.executor.control import Cause
from engine.executor.gatekeeper import GateKeeper

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from engine.core.identity import Lane
    from engine.core.outcome import Outcome, Trouble
    from engine.core.settings import Settings
    from engine.executor.calls import LaneCalls
    from engine.executor.control import Control
    from engine.executor.ledger import Ledger
    from engine.executor.reach import Reach
    from engine.executor.ready import ReadyQueue, Waiting
    from engine.executor.settle import Watcher
    from engine.ports.events import Emit
    from engine.ports.journal import Journal


@dataclass(slots=True, eq=False, kw_only=True)
class LaneState(ABC):
    """The state of one lane. Everything runs on the event loop, so no step is interrupted by another.

    `draw` gives numbers in [0, 1), `on_bug` is told of exceptions that should not have been, `wait` says whether what
    was accepted is awaited.
    """

    lane: Lane
    fleet: str
    calls: LaneCalls
    ready: ReadyQueue
    control: Control
    ledger: Ledger
    settings: Settings
    journal: Journal
    emit: Emit
    wall: Callable[[], float]
    draw: Callable[[], float]
    wake: asyncio.Event
    on_bug: Callable[[BaseException], None]
    since_boot: Callable[[], float]
    quota_codes: Mapping[str, str]
    wait: bool
    reaches: dict[str, Reach] = field(default_factory=dict)
    in_flight: set[Waiting] = field(default_factory=set)
    stopped: Trouble | None = None
    watchers: dict[str, Watcher] = field(default_factory=dict)
    gates: GateKeeper = field(init=False)

    def __post_init__(self) -> None:
        """Make the lane's gates."""
        self.gates = GateKeeper(self.ready, self.emit, self.lane.region, self.in_flight, self.quota_codes)

    @abstractmethod
    def end(self, operation: Waiting, outcome: Outcome, trouble: Trouble | None = None) -> None:
        """Write down how an operation ended, and give back a place that it held."""

    @abstractmethod
    def stop_lane(self, trouble: Trouble) -> None:
        """Make no more calls in this lane; what is in flight ends by itself."""

    def may_call(self) -> bool:
        """Whether a new call may be made in this lane now; notices the deadline."""
        return self.control.may_call() and self.stopped is None

    def may_look(self) -> bool:
        """Whether a read may still be made: during the drain only while something unknown is looked up."""
        return self.stopped is None and self.control.may_look(DRAIN_MAX_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether no new call is made in this lane."""
        return self.stopped is not None or self.control.cause is not None

    @property
    def may_look_up(self) -> bool:
        """Whether an unknown outcome may still be looked up now that the run is over."""
        return self.stopped is None and self.control.cause is not Cause.DEADLINE

    def nudge(self) -> None:
        """Wake the dispatcher."""
        self.wake.set()
