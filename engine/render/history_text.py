"""Past runs, a line each, with the trend of rate, failures and durations below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from engine.core.foreseen import Foreseen
from engine.core.outcome import GOOD_OUTCOMES, INCOMPLETE_CODE, Outcome
from engine.core.rough import rough
from engine.core.text import clean, count_of
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
COLUMNS_KEPT_COUNT: Final = 3  # which run, when, and how it ended
REPORT_COMMAND: Final = "appfleet report"
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
        return "No runs yet. Run: appfleet apply\n"
    rows = history_rows(runs)
    widths = column_widths([*((*row, "") for row in rows)])
    wide = sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) <= max(width, WIDTH_MIN_CHARS)
    lines = [aligned(rows[0], widths)] if wide else []
    for past, row in zip(runs, rows[1:], strict=True):
        lines += [aligned(row, widths)] if wide else _below_each_other(rows[0], row)
        lines += [f"  {why}"] if (why := why_words(past)) else []
    begun = [past for past in runs if past.run.began and not past.is_running]  # the others say nothing of a trend
    trends = _trends(begun, unicode=unicode) if len(begun) > 1 and is_of_one_fleet(runs) else []
    newest = clean(runs[0].run.run_id)
    return (
        "\n".join([*lines, *([""] if trends else []), *trends, "", f"To see one run: {report_command} {newest}"]) + "\n"
    )


def history_rows(runs: Sequence[PastRun]) -> list[tuple[str, ...]]:
    """Return a row of cells for each run, below those of the heads: columns in which nothing would stand are left out.

    The first COLUMNS_KEPT_COUNT columns say which run it is, when it started, and how it ended.
    """
    with_owners, with_fleet = any(past.run.owners for past in runs), not is_of_one_fleet(runs)
    head = (*_HEAD, *(("Profiles, spaces",) if with_owners else ()), *(("Fleet",) if with_fleet else ()))
    rows = [head, *(_row(past, with_owners=with_owners, with_fleet=with_fleet) for past in runs)]
    return without_empty(rows, COLUMNS_KEPT_COUNT)


def is_of_one_fleet(runs: Sequence[PastRun]) -> bool:
    """Whether runs can be compared with each other."""
    return len({past.run.fleet for past in runs}) <= 1


def why_words(past: PastRun) -> str:
    """Return why a run did not end well, where its counts do not say so."""
    error = past.run.error
    if error is None or (error.code == INCOMPLETE_CODE and past.not_well > 0):
        return ""
    return f"{clean(error.code)}: {clean(error.message, _WHY_MAX_CHARS)}"


def _below_each_other(head: Sequence[str], row: Sequence[str]) -> list[str]:
    first, rest = row[:COLUMNS_KEPT_COUNT], zip(head, row, strict=True)
    told = [f"{title.lower()} {cell}" for title, cell in [*rest][COLUMNS_KEPT_COUNT:] if cell not in NOTHING]
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
                "creates_per_minute": round(past.creates_per_minute, 2),
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
    rate = past.creates_per_minute
    cells = (
        clean(run.run_id),
        datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M"),
        clean(past.result),
        f"{sum(run.summary.values()):,}",
        f"{past.created:,}",
        f"{past.not_well:,}",
        duration(past.seconds),
        "-" if past.forecast is None else _forecast(past.forecast),
        f"{rate:.1f}" if rate else "-",
        "-" if past.throttled is None else f"{past.throttled:,}",
    )
    owners = (_owners(run.owners),) if with_owners else ()
    return (*cells, *owners, *((clean(run.fleet),) if with_fleet else ()))


def _forecast(foreseen: Foreseen) -> str:
    return f"{'up to ' if foreseen.parked else ''}{rough(foreseen.seconds)}"


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
        ("Created per minute", [past.creates_per_minute for past in oldest_first], "{:.1f}"),
        ("Not well", [float(past.not_well) for past in oldest_first], "{:.0f}"),
        ("Seconds", [past.seconds for past in oldest_first], "{:.1f}"),
    ]
    lines = [f"Over the last {count_of(len(runs), 'run')}, the newest last:"]
    for name, values, form in found:
        drawn = f"{sparkline(values)}  " if unicode else ""
        numbers = f"{form.format(min(values))} to {form.format(max(values))}, now {form.format(values[-1])}"
        lines.append(f"  {name.ljust(18)}  {drawn}{numbers}")
    return lines


def _iso(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
