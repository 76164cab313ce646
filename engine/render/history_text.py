"""Past runs, a line each, with the trend of rate, failures and durations below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from engine.core.foreseen import Foreseen
from engine.core.outcome import GOOD_OUTCOMES, INCOMPLETE_CODE, Outcome
from engine.core.rough import rough
from engine.core.text import clean, count_of
from engine.core.trouble import Trouble
from engine.ports.history import PastRun
from engine.render.layout import (
    COLUMN_GAP,
    NOTHING,
    WIDTH_DEFAULT_CHARS,
    WIDTH_MIN_CHARS,
    aligned,
    column_widths,
    duration,
    without_empty,
)

_BARS: Final = "▁▂▃▄▅▆▇█"
_MADE: Final = (Outcome.CREATED.value, Outcome.REPLACED.value)
_HEAD: Final = (
    "Run",
    "Started (UTC)",
    "Result",
    "Worked on",
    "Created",
    "Not well",
    "Took",
    "Forecast",
    "Created/min",
    "Throttled",
)
_COLUMNS_KEPT_COUNT: Final = 3  # which run, when, and how it ended
REPORT_COMMAND: Final = "appfleet report"
_SECONDS_A_MINUTE: Final = 60.0
_WHY_MAX_CHARS: Final = 300


def history_text(
    runs: Sequence[PastRun],
    *,
    unicode: bool = True,
    width: int = WIDTH_DEFAULT_CHARS,
    report_command: str = REPORT_COMMAND,
) -> str:
    """Return the runs, the newest first, ending in a line break. Without `unicode` the trends are numbers alone.

    `width` is the terminal's, in characters: where the columns do not fit, a run has two lines. Columns in which
    nothing but zeros would stand are left out. `report_command` shows one run, once its id is behind it.
    """
    if not runs:
        return "No run is kept here yet. Run: appfleet apply\n"
    fleets = {past.run.fleet for past in runs}
    with_owners = any(past.run.owners for past in runs)
    head = (*_HEAD, *(("Profiles, spaces",) if with_owners else ()), *(("Fleet",) if len(fleets) > 1 else ()))
    rows = [head, *(_row(past, with_owners=with_owners, with_fleet=len(fleets) > 1) for past in runs)]
    rows = without_empty(rows, _COLUMNS_KEPT_COUNT)
    widths = column_widths([*((*row, "") for row in rows)])
    wide = sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) <= max(width, WIDTH_MIN_CHARS)
    lines = [aligned(rows[0], widths)] if wide else []
    for past, row in zip(runs, rows[1:], strict=True):
        lines += [aligned(row, widths)] if wide else _below_each_other(rows[0], row)
        lines += _why(past.run.error, counted=_not_well(past) > 0)
    begun = [past for past in runs if past.run.began and not past.is_running]  # the others say nothing of a trend
    trends = _trends(begun, unicode=unicode) if len(begun) > 1 and len(fleets) == 1 else []
    newest = clean(runs[0].run.run_id)
    return (
        "\n".join([*lines, *([""] if trends else []), *trends, "", f"To see one run: {report_command} {newest}"]) + "\n"
    )


def _below_each_other(head: Sequence[str], row: Sequence[str]) -> list[str]:
    first, rest = row[:_COLUMNS_KEPT_COUNT], zip(head, row, strict=True)
    told = [f"{title.lower()} {cell}" for title, cell in [*rest][_COLUMNS_KEPT_COUNT:] if cell not in NOTHING]
    return [COLUMN_GAP.join(first), *([f"    {', '.join(told)}"] if told else [])]


def history_json(runs: Sequence[PastRun]) -> dict[str, Any]:
    """Return the document of `history --format json`. Times are UTC, durations seconds, rates creates a minute."""
    return {
        "format_version": 1,
        "runs": [
            {
                "run_id": past.run.run_id,
                "fleet": past.run.fleet,
                "version": past.run.version,
                "started": _iso(past.run.started),
                "ended": None if past.run.ended is None else _iso(past.run.ended),
                "seconds": round(past.seconds, 3),
                "result": past.run.result,
                **({"running": True} if past.is_running else {}),
                "exit_code": past.run.exit_code,
                "error": None if past.run.error is None else past.run.error.to_json(),
                "apps": past.wanted,
                "summary": dict(past.run.summary),
                "owners": dict(past.run.owners),
                "creates_per_minute": round(_per_minute(past), 2),
                "settle_median_seconds": None if past.settle_median_s is None else round(past.settle_median_s, 3),
                "throttled_calls": past.throttled,
                "forecast": None if past.forecast is None else past.forecast.to_json(),
            }
            for past in runs
        ],
    }


def sparkline(values: Sequence[float]) -> str:
    """Return one bar a value, from nothing to the highest."""
    highest = max(values, default=0.0)
    if highest <= 0.0:
        return _BARS[0] * len(values)
    return "".join(_BARS[min(int(value / highest * len(_BARS)), len(_BARS) - 1)] for value in values)


def _row(past: PastRun, *, with_owners: bool, with_fleet: bool) -> tuple[str, ...]:
    run = past.run
    rate = _per_minute(past)
    cells = (
        clean(run.run_id),
        datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M"),
        clean(past.result),
        f"{sum(run.summary.values()):,}",
        f"{_made(past):,}",
        f"{_not_well(past):,}",
        duration(past.seconds),
        "-" if past.forecast is None else _forecast(past.forecast),
        f"{rate:.1f}" if rate else "-",
        "-" if past.throttled is None else f"{past.throttled:,}",
    )
    owners = (_owners(run.owners),) if with_owners else ()
    return (*cells, *owners, *((clean(run.fleet),) if with_fleet else ()))


def _forecast(foreseen: Foreseen) -> str:
    return f"{'up to ' if foreseen.parked else ''}{rough(foreseen.seconds)}"


def _why(error: Trouble | None, *, counted: bool) -> list[str]:
    """Return the line that says why a run did not end well, where its counts do not."""
    if error is None or (error.code == INCOMPLETE_CODE and counted):
        return []
    return [f"  {clean(error.code)}: {clean(error.message, _WHY_MAX_CHARS)}"]


def _owners(counts: Mapping[str, int]) -> str:
    """Return how many user profiles and spaces a run worked on, how many were updated, and how many ended badly."""
    bad = sum(count for outcome, count in counts.items() if outcome not in GOOD_OUTCOMES)
    updated = counts.get(Outcome.UPDATED, 0)
    parts = [f"{updated:,} updated"] if updated else []
    parts += [f"{bad:,} not well"] if bad else []
    return ", ".join([f"{sum(counts.values()):,}", *parts]) if counts else "-"


def _trends(runs: Sequence[PastRun], *, unicode: bool) -> list[str]:
    """Return each trend from the oldest to the newest run."""
    oldest_first = list(reversed(runs))
    found = [
        ("Created per minute", [_per_minute(past) for past in oldest_first], "{:.1f}"),
        ("Not well", [float(_not_well(past)) for past in oldest_first], "{:.0f}"),
        ("Seconds", [past.seconds for past in oldest_first], "{:.1f}"),
    ]
    lines = [f"Over the last {count_of(len(runs), 'run')}, the newest last:"]
    for name, values, form in found:
        drawn = f"{sparkline(values)}  " if unicode else ""
        numbers = f"{form.format(min(values))} to {form.format(max(values))}, now {form.format(values[-1])}"
        lines.append(f"  {name.ljust(18)}  {drawn}{numbers}")
    return lines


def _made(past: PastRun) -> int:
    return sum(past.run.summary.get(outcome, 0) for outcome in _MADE)


def _not_well(past: PastRun) -> int:
    return sum(count for outcome, count in past.run.summary.items() if outcome not in GOOD_OUTCOMES)


def _per_minute(past: PastRun) -> float:
    return _made(past) / past.seconds * _SECONDS_A_MINUTE if past.seconds > 0 else 0.0


def _iso(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
