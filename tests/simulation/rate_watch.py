"""How fast calls may leave: in no window more than the throttle's own rate allows, and never above the ceiling."""

from __future__ import annotations

from collections import defaultdict, deque
from math import ceil
from typing import TYPE_CHECKING, Final

from engine.core.errors import InUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.errors import CloudError
    from engine.core.identity import Lane
    from tests.simulation.sim_cloud import Call
    from tests.simulation.watch import Watch

WINDOWS_SECONDS: Final = (1.0, 10.0)
BURSTS_PER_SECOND: Final = 20  # the pace lets a twentieth of a second's calls go at once
SLACK_SHARE: Final = 0.1
_LOOKS_KEPT_MAX_COUNT: Final = 1000


class RateWatch:
    """Looks at CreateApp, which its throttle paces alone but for deletes, and at ListApps, which has its own.

    A change of an owner that is in use is followed by one look at what lives there, in the turn of that change.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.cut_at: defaultdict[Lane, float] = defaultdict(lambda: float("-inf"))
        self._creates: defaultdict[Lane, deque[tuple[float, float]]] = defaultdict(deque)
        self._lists: defaultdict[Lane, deque[tuple[float, float]]] = defaultdict(deque)
        self._in_use_at: defaultdict[Lane, deque[float]] = defaultdict(lambda: deque(maxlen=_LOOKS_KEPT_MAX_COUNT))

    def sending(self, call: Call) -> None:
        """Check one call against those before it."""
        execution = self._watch.scenario.settings.execution
        if call.operation == "CreateApp":
            rate = self._watch.run.calls_of(call.lane).writes.rate.rate
            if rate > execution.create_rate_max * (1 + SLACK_SHARE):
                self._watch.violation(f"{call.lane} is at {rate:.2f} creates a second; the most is set lower")
            self._check(self._creates[call.lane], call, rate)
        elif call.operation == "ListApps":
            self._check(self._lists[call.lane], call, execution.read_rate, self._in_use_at[call.lane])

    def answered(self, call: Call, error: CloudError | None) -> None:
        """Take in that an owner is in use, which allows one look."""
        if call.owner is not None and isinstance(error, InUse):
            self._in_use_at[call.lane].append(self._watch.now())

    def _check(self, sent: deque[tuple[float, float]], call: Call, rate: float, looks: Iterable[float] = ()) -> None:
        now = self._watch.now()
        sent.append((now, rate))
        while sent[0][0] < now - WINDOWS_SECONDS[-1]:
            sent.popleft()
        for window in WINDOWS_SECONDS:
            inside = [entry for entry in sent if entry[0] > now - window]
            fastest = max(entry[1] for entry in inside)
            allowed = fastest * window * (1 + SLACK_SHARE) + ceil(fastest / BURSTS_PER_SECOND) + 1
            allowed += sum(at > now - window for at in looks)
            if len(inside) > allowed:
                self._watch.violation(
                    f"{len(inside)} {call.operation} within {window:g} s in {call.lane}, {allowed:.1f} are allowed"
                )
