"""The charts of a report as numbers and SVG paths: nothing of them is text from outside.

A chart is WIDTH wide and as high as its own `height`; it is stretched to the page. Labels are put beside it as text, so
they stay readable on a phone. Every chart has a table of its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.core.limits import TIMELINE_SLOTS_MAX_COUNT
from engine.core.text import count_of
from engine.ports.history import BucketMark, CallSlots
from engine.render.layout import duration
from engine.render.report.spans import Phase, Span, Times, counts_over_time

WIDTH: Final = 1000
HEIGHT: Final = 200
STEPS: Final = 160
TABLE_ROWS_MAX: Final = 20
TICKS: Final = 5
BAR_TICKS: Final = 2  # the first and the last run: a label of a run is long
ANSWERS: Final = {"ok": "answered", "throttled": "throttled", "limit_exceeded": "quota full"}
OTHER: Final = "other"
READ_PREFIXES: Final = ("List", "Describe", "Get")
_DRAWN: Final = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Layer:
    """One colour of a chart: its name, which is also its class in the style sheet, and its path."""

    name: str
    path: str
    line: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its labels and its numbers: `columns` name what stands in `rows`."""

    layers: tuple[Layer, ...]
    highest: str
    ticks: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class BucketRow:
    """A quota bucket over time. `path` is when it was parked."""

    name: str
    path: str
    parked: str
    waiting_most: int
    probes: int
    quota: str


def ticks(end_s: float) -> tuple[str, ...]:
    """Return the labels below a chart, evenly spaced."""
    return tuple("0" if not step else duration(end_s * step / (TICKS - 1)) for step in range(TICKS))


def bar(spans: Sequence[Span], end_s: float) -> tuple[tuple[str, str], ...]:
    """Return an app's spans as (class, path) for a bar that is drawn with a stroke; what is too short is still seen."""
    scale = WIDTH / max(end_s, 1e-3)
    paths: dict[str, str] = {}
    for span in spans:
        start = round(span.start_s * scale)
        length = max(round(span.end_s * scale) - start, 2)
        name = span.phase.value[0:2]
        paths[name] = paths.get(name, "") + f"M{start} 5h{length}"
    return tuple(paths.items())


def phases_chart(all_spans: Sequence[Sequence[Span]], end_s: float) -> Chart | None:
    """Return how many apps were in each phase over time, stacked; None where nothing was kept."""
    if not any(all_spans):
        return None
    counts = counts_over_time(all_spans, end_s, STEPS)
    drawn = [phase for phase in _DRAWN if any(counts[phase])]
    total = max(max(map(sum, zip(*(counts[phase] for phase in drawn), strict=True)), default=0), 1)
    layers: list[Layer] = []
    base = [0] * STEPS
    for phase in reversed(drawn):  # what is done lies at the bottom and grows
        top = [low + count for low, count in zip(base, counts[phase], strict=True)]
        layers.append(Layer(phase.value, _area(base, top, total)))
        base = top
    every = max(STEPS // TABLE_ROWS_MAX, 1)
    rows = tuple(
        (duration(end_s * step / (STEPS - 1)), *(f"{counts[phase][step]:,}" for phase in drawn))
        for step in (*range(0, STEPS - 1, every), STEPS - 1)
    )
    columns = ("Time", *(phase.value.capitalize() for phase in drawn))
    return Chart(tuple(layers), count_of(total, "app"), ticks(end_s), columns, rows)


def calls_chart(calls: CallSlots, end_s: float, *, reads: bool) -> Chart | None:
    """Return calls a second by what came of them, with the rate that was allowed; None where none was made."""
    slots = min(max(int(end_s / calls.width_s) + 1, 1), TIMELINE_SLOTS_MAX_COUNT)
    kinds: dict[str, list[float]] = {name: [0.0] * slots for name in (*ANSWERS.values(), OTHER)}
    for operation, answers in calls.answers.items():
        if operation.startswith(READ_PREFIXES) is not reads:
            continue
        for kind, counts in answers.items():
            into = kinds[ANSWERS.get(kind, OTHER)]
            for slot, count in enumerate(counts[:slots]):
                into[slot] += count / calls.width_s
    drawn = {name: values for name, values in kinds.items() if any(values)}
    if not drawn:
        return None
    known = list(calls.rates.get("reads" if reads else "writes", ()))[:slots]
    allowed = known + known[-1:] * (slots - len(known))
    highest = max([*map(sum, zip(*drawn.values(), strict=True)), *allowed])
    layers: list[Layer] = []
    base = [0.0] * slots
    for name, values in drawn.items():
        top = [low + value for low, value in zip(base, values, strict=True)]
        layers.append(Layer(name, _bars(base, top, highest)))
        base = top
    if allowed:
        layers.append(Layer("allowed", _steps(allowed, highest), line=True))
    every = -(-slots // TABLE_ROWS_MAX)
    rows = tuple(
        (
            duration(slot * calls.width_s),
            *(
                f"{sum(values[slot : slot + every]) / len(values[slot : slot + every]):.1f}"
                for values in drawn.values()
            ),
            *([f"{allowed[slot]:.1f}"] if allowed else []),
        )
        for slot in range(0, slots, every)
    )
    columns = ("From", *(name.capitalize() for name in drawn), *(["Allowed"] if allowed else []))
    return Chart(tuple(layers), f"{highest:.1f} calls/s", ticks(end_s), columns, rows)


def bars_chart(
    ends: Sequence[str],
    layers: Mapping[str, Sequence[float]],
    show: Callable[[float], str],
    columns: Sequence[str],
) -> Chart:
    """Return one bar per run, its layers stacked, from the oldest to the newest. `ends` are the runs' own labels.

    `show` writes a number, and `columns` name what stands in the table of numbers.
    """
    highest = max(max(map(sum, zip(*layers.values(), strict=True)), default=0.0), 0.0) or 1.0
    drawn: list[Layer] = []
    base = [0.0] * len(ends)
    for name, values in layers.items():
        top = [low + value for low, value in zip(base, values, strict=True)]
        drawn.append(Layer(name, _bars(base, top, highest)))
        base = top
    last = len(ends) - 1
    places = sorted({round(last * step / (BAR_TICKS - 1)) for step in range(BAR_TICKS)})
    rows = tuple((end, *(show(value) for value in values)) for end, *values in zip(ends, *layers.values(), strict=True))
    return Chart(tuple(drawn), show(highest), tuple(ends[place] for place in places), tuple(columns), rows[::-1])


def bucket_rows(marks: Sequence[BucketMark], parked: Mapping[str, Times], end_s: float) -> tuple[BucketRow, ...]:
    """Return one row for each bucket that was parked, the one that was parked longest first."""
    scale = WIDTH / max(end_s, 1e-3)
    found: list[tuple[float, BucketRow]] = []
    for name, times in parked.items():
        own = [mark for mark in marks if mark.bucket == name]
        said = next((mark for mark in reversed(own) if mark.value is not None), None)
        total_s = sum(end - start for start, end in times)
        path = "".join(f"M{start * scale:.0f} 5h{max((end - start) * scale, 2):.0f}" for start, end in times)
        quota = "" if said is None else f"{said.used if said.used is not None else '?'} of {said.value} used"
        row = BucketRow(
            name,
            path,
            duration(total_s),
            max((mark.waiting for mark in own), default=0),
            max(sum(mark.state == "p" for mark in own) - len(times), 0),
            quota,
        )
        found.append((total_s, row))
    return tuple(row for _, row in sorted(found, key=lambda entry: (-entry[0], entry[1].name)))


def _area(base: Sequence[int], top: Sequence[int], total: int) -> str:
    scale = WIDTH / (len(top) - 1)
    there = "L".join(f"{step * scale:.0f} {HEIGHT - HEIGHT * value / total:.0f}" for step, value in enumerate(top))
    back = "L".join(
        f"{step * scale:.0f} {HEIGHT - HEIGHT * base[step] / total:.0f}" for step in reversed(range(len(base)))
    )
    return f"M{there}L{back}Z"


def _bars(base: Sequence[float], top: Sequence[float], highest: float) -> str:
    width, scale = WIDTH / len(top), HEIGHT / highest
    wide = f"{width * 0.92:.1f}"
    return "".join(
        f"M{slot * width:.1f} {HEIGHT - low * scale:.1f}h{wide}v{(low - high) * scale:.1f}h-{wide}z"
        for slot, (low, high) in enumerate(zip(base, top, strict=True))
        if high > low
    )


def _steps(values: Sequence[float], highest: float) -> str:
    width = WIDTH / len(values)
    points = [f"{HEIGHT - HEIGHT * value / highest:.1f}" for value in values]
    return f"M0 {points[0]}" + "".join(f"V{point}H{(slot + 1) * width:.1f}" for slot, point in enumerate(points))
