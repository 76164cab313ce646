"""An app's run as spans of time: queued, called, parked, pending, in service. Numbers in, numbers out.

What the journal keeps are moments. An app that waits behind a full quota makes no call and so leaves no moment: while
its bucket is known to be parked, its waiting counts as parked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.core.drift import KERNEL_GATEWAY, SYSTEM, SYSTEM_KERNEL_GATEWAY_TYPE
from engine.core.outcome import Outcome
from engine.ports.history import AppRecord, BucketMark, BucketState, Mark, RunTimeline


class Phase(StrEnum):
    """What an app is doing, in the order in which an app goes through it."""

    QUEUED = "queued"
    CALLED = "called"
    PARKED = "parked"
    UNKNOWN = "unknown"
    DELETING = "deleting"
    PENDING = "pending"
    IN_SERVICE = "in service"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Span:
    """One phase of an app, in seconds after the run began."""

    phase: Phase
    start_s: float
    end_s: float


Times = tuple[tuple[float, float], ...]

_AFTER_MARK: Final = {
    Mark.CALLED: Phase.CALLED,
    Mark.ACCEPTED: Phase.PENDING,
    Mark.RETRIED: Phase.QUEUED,
    Mark.UNKNOWN: Phase.UNKNOWN,
    Mark.FELL_BACK: Phase.QUEUED,
    Mark.DELETING: Phase.DELETING,
}
_AFTER_END: Final = {
    Outcome.CREATED.value: Phase.IN_SERVICE,
    Outcome.ADOPTED.value: Phase.IN_SERVICE,
    Outcome.REPLACED.value: Phase.IN_SERVICE,
    Outcome.FAILED.value: Phase.FAILED,
    Outcome.PARKED.value: Phase.PARKED,
    Outcome.STILL_PENDING.value: Phase.PENDING,
}
_ACCOUNT_WIDE: Final = "all apps"


def parked_times(marks: Iterable[BucketMark], end_s: float) -> dict[str, Times]:
    """Return the times at which each bucket was parked, in order; one that never opened again is so to the end."""
    since: dict[str, float] = {}
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for mark in marks:
        if mark.state is BucketState.PARKED:
            since.setdefault(mark.bucket, mark.at_s)
        elif mark.bucket in since:
            found[mark.bucket].append((since.pop(mark.bucket), mark.at_s))
    for bucket, start_s in since.items():
        found[bucket].append((start_s, max(end_s, start_s)))
    return {bucket: tuple(times) for bucket, times in found.items()}


class SpanMaker:
    """Makes the spans of every app of one run, which took `end_s` seconds."""

    def __init__(self, timeline: RunTimeline, end_s: float) -> None:
        self._timeline = timeline
        self._end_s = end_s
        self._parked = parked_times(timeline.buckets, end_s)
        self._of_kind: dict[tuple[str, str], Times] = {}
        self._reserved = timeline.words.reserved if timeline.words is not None else {}

    def spans(self, app: AppRecord) -> tuple[Span, ...]:
        """Return an app's spans in order; none where the run kept no moments of it."""
        marks = self._timeline.marks.get(app.key)
        if not marks:
            return ()
        spans: list[Span] = []
        phase, start_s = Phase.QUEUED, min(self._timeline.queued_s, marks[0][0])
        parked = self._parked_for(app)
        for index, (at_s, mark) in enumerate(marks):
            spans += _cut(Span(self._refused(app, phase, mark, marks, index), start_s, at_s), parked)
            start_s = at_s
            if mark is Mark.ENDED:
                break
            phase = _AFTER_MARK[mark]
        ended = marks[-1][1] is Mark.ENDED
        last = _AFTER_END.get(app.outcome) if ended else phase
        if last is not None:
            spans.append(Span(last, start_s, max(self._end_s, start_s)))
        return tuple(span for span in spans if span.end_s > span.start_s)

    @staticmethod
    def _refused(app: AppRecord, phase: Phase, mark: Mark, marks: Sequence[tuple[float, Mark]], index: int) -> Phase:
        """Return the phase that has just ended.

        A call of which nothing is told before the next one was refused by a quota, or its app was looked at.
        """
        if phase is not Phase.CALLED:
            return phase
        if mark is Mark.ENDED and app.outcome == Outcome.PARKED.value:
            return Phase.PARKED
        called_again = mark is Mark.CALLED and index > 0 and marks[index - 1][1] is Mark.CALLED
        return Phase.QUEUED if called_again else Phase.CALLED

    def _parked_for(self, app: AppRecord) -> Times:
        instance_type = app.instance_type
        if app.key.app_type == KERNEL_GATEWAY and instance_type == SYSTEM:
            instance_type = SYSTEM_KERNEL_GATEWAY_TYPE
        plan = self._reserved.get(app.key)
        kind = (app.key.app_type, instance_type) if plan is None else ("", plan)
        found = self._of_kind.get(kind)
        if found is None:
            ends = ("/".join(kind) if plan is None else plan.split("/", 2)[-1], _ACCOUNT_WIDE)
            found = tuple(
                sorted(
                    time for bucket, times in self._parked.items() if bucket.split("/", 2)[-1] in ends for time in times
                )
            )
            self._of_kind[kind] = found
        return found


def _cut(span: Span, parked: Times) -> list[Span]:
    """Cut what is parked out of a span of waiting."""
    if span.phase is not Phase.QUEUED:
        return [span]
    pieces: list[Span] = []
    at_s = span.start_s
    for start_s, end_s in parked:
        begin, end = max(start_s, at_s), min(end_s, span.end_s)
        if begin < end:
            pieces += [Span(Phase.QUEUED, at_s, begin), Span(Phase.PARKED, begin, end)]
            at_s = end
    pieces.append(Span(Phase.QUEUED, at_s, span.end_s))
    return pieces


def counts_over_time(all_spans: Iterable[Sequence[Span]], end_s: float, steps: int) -> Mapping[Phase, list[int]]:
    """Count the apps in each phase at `steps` moments, evenly from the run's first second to its last."""
    changes: dict[Phase, list[int]] = {phase: [0] * (steps + 1) for phase in Phase}
    step_s = max(end_s, 1e-3) / max(steps - 1, 1)
    for spans in all_spans:
        for index, span in enumerate(spans):
            first = min(max(-int(-span.start_s // step_s), 0), steps)
            # The last span holds at the last moment too.
            last = steps if index == len(spans) - 1 else min(max(-int(-span.end_s // step_s), 0), steps)
            changes[span.phase][first] += 1
            changes[span.phase][last] -= 1
    counts: dict[Phase, list[int]] = {}
    for phase, change in changes.items():
        now = 0
        counts[phase] = [now := now + value for value in change[:steps]]
    return counts
