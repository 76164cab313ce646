"""How a run went from second to second, put into the journal as it goes: the sink behind `report`.

It gets every event, so it only counts and appends; what it keeps is bounded whatever the fleet's size and the run's
length, and what does not fit is counted as lost. Not here: reading it back (`timeline_reader`), drawing it (render).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from engine.core.change import Action
from engine.core.identity import AppKey, Lane
from engine.core.limits import (
    TIMELINE_BUCKET_MARKS_MAX_COUNT,
    TIMELINE_KEEP_EVERY_SECONDS,
    TIMELINE_MARKS_MAX_COUNT,
    TIMELINE_SLOTS_MAX_COUNT,
)
from engine.core.shrunk import TABLES
from engine.core.text import clean
from engine.ports import events
from engine.ports.history import BucketState, Mark

CALLS_PART: Final = "calls"
BUCKETS_PART: Final = "buckets"
WORDS_PART: Final = "words"
WRITES: Final = "writes"
READS: Final = "reads"
# By which the executor names the throttle of all writes; an event without a name is of writes.
_WRITE_OPERATIONS: Final = frozenset({"", "CreateApp"})

_MARKS: Final[dict[type[events.Event], Mark]] = {
    events.AppCreateStarted: Mark.CALLED,
    events.AppCreated: Mark.ACCEPTED,
    events.AppRetried: Mark.RETRIED,
    events.AppOutcomeUnknown: Mark.UNKNOWN,
    events.AppFellBack: Mark.FELL_BACK,
    events.AppDeleteStarted: Mark.DELETING,
    events.AppInService: Mark.ENDED,
    events.AppAdopted: Mark.ENDED,
    events.AppDeleted: Mark.ENDED,
    events.AppFailed: Mark.ENDED,
    events.AppParked: Mark.ENDED,
    events.AppStillPending: Mark.ENDED,
    events.AppSkipped: Mark.ENDED,
}


class Keeps(Protocol):
    """What of the journal is needed here. Neither method raises; False means that there was no room."""

    def keep_marks(self, key: AppKey, marks: str) -> bool:
        """Keep an app's timeline."""
        ...

    def keep_part(self, part: str, data: str) -> bool:
        """Keep a part of the run's timeline in place of what was kept of it before."""
        ...


class Timeline:
    """The timeline of one run. `clock` gives seconds that only go forward; the run begins now.

    `first_rates` are the calls a second that each lane may begin with, by "writes" and "reads".
    """

    def __init__(
        self, keeps: Keeps, *, clock: Callable[[], float], first_rates: Mapping[Lane, Mapping[str, float]]
    ) -> None:
        self._keeps = keeps
        self._clock = clock
        self._began_at = clock()
        self._kept_at = self._began_at
        self._queued_s = 0.0
        self._marks: dict[AppKey, list[str]] = {}
        self._lost = 0
        self._calls = _Slots(first_rates)
        self._buckets: list[tuple[float, int, str, int, int | None, int | None]] = []
        self._bucket_numbers: dict[str, int] = {}
        self._handlers: dict[type[events.Event], Callable[[Any, float], None]] = {
            **dict.fromkeys(_MARKS, self._mark),
            events.CallAnswered: self._answered,
            events.LaneRateChanged: self._rate_changed,
            events.LaneThrottled: self._rate_changed,
            events.BucketParked: self._parked,
            events.BucketReopened: self._reopened,
            events.BucketEnded: self._bucket_ended,
            events.RunStarted: self._run_started,
        }

    def restart(self) -> None:
        """Restart the run's clock: the time before was spent waiting for a person."""
        self._began_at = self._kept_at = self._clock()

    def emit(self, event: events.Event) -> None:
        """Handle one event. Never raises."""
        handler = self._handlers.get(type(event))
        if handler is None:
            return
        now = self._clock()
        handler(event, now - self._began_at)
        if now - self._kept_at >= TIMELINE_KEEP_EVERY_SECONDS:
            self._kept_at = now
            self._keep_parts()

    def finish(self, words: Mapping[str, Any], table_rows: Mapping[str, int] | None = None) -> None:
        """Keep what is left, and `words`: what the result says beside its apps (`run_words`).

        `table_rows` counts the rows of each table of domains, for the memory of the next run.
        """
        for key, marks in self._marks.items():
            self._keep_marks(key, marks)
        self._marks = {}
        self._keep_parts()
        self._keep_part(WORDS_PART, words)
        if table_rows:
            self._keep_part(TABLES, table_rows)

    def _keep_parts(self) -> None:
        self._keep_part(CALLS_PART, {"queued_s": self._queued_s, "lost": self._lost, **self._calls.to_json()})
        if self._buckets:
            self._keep_part(BUCKETS_PART, {"names": list(self._bucket_numbers), "marks": self._buckets})

    def _keep_part(self, part: str, data: Mapping[str, Any]) -> None:
        self._keeps.keep_part(part, orjson.dumps(data).decode())

    def _keep_marks(self, key: AppKey, marks: list[str]) -> None:
        if not self._keeps.keep_marks(key, " ".join(marks)):
            self._lost += 1

    def _mark(self, event: Any, at_s: float) -> None:
        if getattr(event, "action", "") == Action.NONE.value:
            return  # nothing was to be done for it
        key: AppKey = event.key
        mark = _MARKS[type(event)]
        marks = self._marks.setdefault(key, [])
        if len(marks) >= TIMELINE_MARKS_MAX_COUNT:  # an app that is tried for hours: its last moments count most
            marks.pop()
        marks.append(f"{at_s * 1000:.0f}{mark.value}")
        if mark is Mark.ENDED:
            self._keep_marks(key, self._marks.pop(key))

    def _answered(self, event: events.CallAnswered, at_s: float) -> None:
        self._calls.count(at_s, event.operation, event.answer)

    def _rate_changed(self, event: events.LaneRateChanged | events.LaneThrottled, at_s: float) -> None:
        paced = WRITES if event.operation in _WRITE_OPERATIONS else READS
        self._calls.change_rate(at_s, event.lane, paced, event.rate)

    def _parked(self, event: events.BucketParked, at_s: float) -> None:
        self._bucket(at_s, event.bucket, BucketState.PARKED, event.waiting, event.value, event.used)

    def _reopened(self, event: events.BucketReopened, at_s: float) -> None:
        self._bucket(at_s, event.bucket, BucketState.REOPENED)

    def _bucket_ended(self, event: events.BucketEnded, at_s: float) -> None:
        self._bucket(at_s, event.bucket, BucketState.ENDED, event.waiting)

    def _bucket(
        self,
        at_s: float,
        name: str,
        state: BucketState,
        waiting: int = 0,
        value: int | None = None,
        used: int | None = None,
    ) -> None:
        if len(self._buckets) >= TIMELINE_BUCKET_MARKS_MAX_COUNT:
            self._lost += 1
            return
        number = self._bucket_numbers.setdefault(clean(name), len(self._bucket_numbers))
        self._buckets.append((round(at_s, 3), number, state.value, waiting, value, used))

    def _run_started(self, _: events.RunStarted, at_s: float) -> None:
        self._queued_s = round(at_s, 3)


class _Slots:
    """Counts by time: slots of one second that double in width when there are too many of them."""

    def __init__(self, first_rates: Mapping[Lane, Mapping[str, float]]) -> None:
        self._width_s = 1.0
        self._answers: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self._rates: defaultdict[str, dict[int, float]] = defaultdict(dict)
        self._now: dict[str, dict[Lane, float]] = {WRITES: {}, READS: {}}
        for lane, rates in first_rates.items():
            for paced, rate in rates.items():
                self._now[paced][lane] = rate
        for paced, lanes in self._now.items():
            if lanes:
                self._rates[paced][0] = sum(lanes.values())

    def count(self, at_s: float, operation: str, answer: str) -> None:
        slot = self._slot(at_s)
        counts = self._answers[operation, answer]
        counts[slot] = counts.get(slot, 0) + 1

    def change_rate(self, at_s: float, lane: Lane, paced: str, rate: float) -> None:
        self._now[paced][lane] = rate
        self._rates[paced][self._slot(at_s)] = sum(self._now[paced].values())

    def to_json(self) -> dict[str, Any]:
        """Return what is known by slot: answers as counts, rates as they were at the end of each slot."""
        answers: dict[str, dict[str, list[int]]] = {}
        for (operation, answer), counts in sorted(self._answers.items()):
            kinds = answers.setdefault(operation, {})
            kinds[answer] = [counts.get(slot, 0) for slot in range(max(counts) + 1)]
        rates: dict[str, list[float]] = {}
        for paced, changes in sorted(self._rates.items()):
            rate = changes.get(0, 0.0)
            rates[paced] = [rate := changes.get(slot, rate) for slot in range(max(changes) + 1)]
        return {"width_s": self._width_s, "answers": answers, "rates": rates}

    def _slot(self, at_s: float) -> int:
        slot = int(at_s / self._width_s)
        while slot >= TIMELINE_SLOTS_MAX_COUNT:
            self._widen()
            slot = int(at_s / self._width_s)
        return slot

    def _widen(self) -> None:
        self._width_s *= 2
        for key, counts in self._answers.items():
            merged: dict[int, int] = {}
            for slot, count in counts.items():
                merged[slot // 2] = merged.get(slot // 2, 0) + count
            self._answers[key] = merged
        for paced, changes in self._rates.items():
            self._rates[paced] = {slot // 2: rate for slot, rate in sorted(changes.items())}
