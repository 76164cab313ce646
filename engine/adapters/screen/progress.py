"""How far a run is, in one line: redrawn in place on a terminal, one line each ten seconds elsewhere.

Driven by events and ticks, with the clock passed in. Not here: the counting (`run_state`), and where the line goes.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.adapters.screen.run_state import RunState
from engine.core.plan import Plan
from engine.core.rough import rough
from engine.core.text import clean
from engine.ports import events


class Progress:
    """Shows the counts, at most once each `every_s` seconds.

    `show` takes the line; `clock` gives seconds that only go forward.
    """

    def __init__(self, show: Callable[[str], None], *, clock: Callable[[], float], every_s: float) -> None:
        self._show = show
        self._clock = clock
        self._every_s = every_s
        self._shown_at = clock()
        self._state = RunState(clock)

    def emit(self, event: events.Event) -> None:
        """Count `event`, and show the line when it is time."""
        self._state.emit(event)
        self.tick()

    def expect(self, plan: Plan) -> None:
        """Note what will be done."""
        self._state.expect(plan)

    def tick(self) -> None:
        """Show the line when it is time, also where nothing happens."""
        now = self._clock()
        if now - self._shown_at >= self._every_s:
            self._shown_at = now
            self._show(self.line())

    def line(self) -> str:
        """Return the line as it stands."""
        state = self._state
        seconds = f"{self._clock() - state.started_at:.0f} s"
        if not state.running:
            return f"{seconds}: listing, {state.listed:,} apps so far" if state.listed else f"{seconds}: listing"
        parts = [f"{seconds}: {state.done:,} of {state.wanted:,} done"]
        if state.owners_done:
            parts.append(state.owners_done)
        if state.starting:
            parts.append(f"{len(state.starting):,} starting")
        if state.failures_count:
            parts.append(f"{state.failures_count:,} failed")
        if state.parked:
            waiting = sum(parked.waiting for parked in state.parked.values())
            names = ", ".join(clean(bucket) for bucket in sorted(state.parked)[:2])
            more = f" and {len(state.parked) - 2} more" if len(state.parked) > 2 else ""
            parts.append(f"{waiting:,} waiting for {names}{more}")
        if state.rates:
            parts.append(f"{sum(state.rates.values()):.1f} calls/s allowed")
        if state.throttled:
            parts.append(f"{state.throttled:,} throttled")
        left_s = state.left_s()
        if left_s is not None:
            parts.append(f"about {rough(left_s)} left")
        return "; ".join(parts)
