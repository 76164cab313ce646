"""What a run has before anything is opened: its switch, its deadline, and the count of the calls that ask who it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engine.executor.cause import Cause
from engine.executor.control import Control
from engine.ports.events import RunInterrupted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.app.loading import Loaded
    from engine.app.options import AppOptions
    from engine.ports.events import Emit


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run has before anything is opened: its switch, and the count of the calls that ask who is calling."""

    control: Control
    emit: Emit
    deadline_s: float
    caller_calls: Counter[str] = field(default_factory=Counter)

    @classmethod
    def now(cls, options: AppOptions, loaded: Loaded, emit: Emit) -> Begun:
        """Start the run's clock. Needs a running loop."""
        asked_s = options.deadline_s
        deadline_s = loaded.settings.execution.deadline if asked_s is None else asked_s

        def on_stop(cause: Cause) -> None:
            emit(RunInterrupted(_why(cause, control.signal), control.signal))

        control = Control(deadline_s, on_stop)
        return cls(control, emit, deadline_s)

    def with_all_calls(self, calls: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
        """Add the calls that were made before the run's own."""
        return {**calls, CALLER_OPERATION: dict(self.caller_calls)} if self.caller_calls else dict(calls)


def _why(cause: Cause, signal: str) -> str:
    return {
        Cause.INTERRUPTED: f"{signal or 'a signal'}; calls in flight are finished, and no new ones are made",
        Cause.DEADLINE: "the run's deadline; no new calls are made",
        Cause.LOCK_LOST: "the lock was removed or replaced; no new calls are made",
        Cause.BUG: "a bug in appfleet; calls in flight are finished, and no new ones are made",
    }[cause]


CALLER_OPERATION: Final = "GetCallerIdentity"
