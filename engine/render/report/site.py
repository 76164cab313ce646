"""All runs that are kept as one static page, which links to the page of each: for a web server, without scripts.

It has the look of a run's page (`html`), from the same style. Not here: writing the files (`app.site`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from engine.core.outcome import RunResult
from engine.core.text import clean, count_of
from engine.ports.history import PastRun
from engine.render.history_text import COLUMNS_KEPT_COUNT, history_rows, is_of_one_fleet, why_words
from engine.render.layout import duration
from engine.render.report.charts import Chart, bars_chart
from engine.render.report.page import hash_of, moment, page_of, templates

_TREND_MIN_COUNT: Final = 2  # runs
_DAY: Final = "%Y-%m-%d"
_MINUTE: Final = "%d %b %H:%M"
_SHORT_SECONDS: Final = 3 * 86_400.0  # of runs so close together a day says too little
_GOOD: Final = RunResult.CONVERGED.value


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One run as the table shows it."""

    run_id: str
    started: str
    result: str
    good: bool
    why: str
    cells: tuple[str, ...]


def site_html(runs: Sequence[PastRun], *, written: float, version: str, generator: str) -> str:
    """Return the page of runs, the newest first, of which there is at least one. `written` is epoch seconds."""
    files = templates()
    (_, *titles), *rows = history_rows(runs)
    newest = runs[0]
    return files.environment.get_template("site.html").render(
        title=clean(f"{_of(runs)}: runs of appfleet"),
        generator=generator,
        style=files.style,
        style_hash=hash_of(files.style),
        newest=newest,
        newest_class=newest.run.result or ("running" if newest.is_running else "unclean"),
        newest_words=_newest_words(newest),
        headline=_headline(runs),
        span=" to ".join(dict.fromkeys((_label(runs[-1], _DAY), _label(newest, _DAY)))),
        written=moment(written),
        version=version,
        tiles=_tiles(runs),
        charts=_charts(runs),
        titles=titles[COLUMNS_KEPT_COUNT - 1 :],
        rows=[
            SiteRow(
                past.run.run_id,
                row[1],
                past.result,
                past.result == _GOOD,
                why_words(past),
                row[COLUMNS_KEPT_COUNT:],
            )
            for past, row in zip(runs, rows, strict=True)
        ],
        page_of=page_of,
    )


def _of(runs: Sequence[PastRun]) -> str:
    """Return the fleet by its name, or how many there are."""
    return (
        clean(runs[0].run.fleet) if is_of_one_fleet(runs) else count_of(len({one.run.fleet for one in runs}), "fleet")
    )


def _headline(runs: Sequence[PastRun]) -> str:
    good = sum(past.result == _GOOD for past in runs)
    return f"{_of(runs)}: {count_of(len(runs), 'run')}, {good:,} converged"


def _newest_words(past: PastRun) -> str:
    if why := why_words(past):
        return f"The newest run started {moment(past.run.started)} and ended after {duration(past.seconds)}: {why}"
    worked = f"{count_of(sum(past.run.summary.values()), 'app')} worked on"
    counts = f"{worked}, {past.created:,} created, {past.not_well:,} not well"
    verb = "is running" if past.is_running else "took"
    took = duration(past.seconds) if verb == "took" else f"for {duration(past.seconds)}"
    return f"The newest run started {moment(past.run.started)} and {verb} {took}: {counts}."


def _tiles(runs: Sequence[PastRun]) -> list[tuple[str, int, bool]]:
    results = Counter(past.result for past in runs)
    tiles = [(result, count, result == _GOOD) for result, count in results.most_common()]
    created, unwell = sum(past.created for past in runs), sum(past.not_well for past in runs)
    return [*tiles, ("apps created", created, True), ("apps not well", unwell, unwell == 0)]


def _charts(runs: Sequence[PastRun]) -> list[tuple[str, str, Chart]]:
    """Return the trends of runs that can be compared; those that did nothing or are running say nothing of one."""
    begun = [past for past in reversed(runs) if past.run.began and not past.is_running]
    if len(begun) < _TREND_MIN_COUNT or not is_of_one_fleet(runs):
        return []
    is_short = begun[-1].run.started - begun[0].run.started < _SHORT_SECONDS
    days = [_label(past, _MINUTE if is_short else _DAY) for past in begun]
    created, unwell = [float(past.created) for past in begun], [float(past.not_well) for past in begun]
    return [
        (
            "Apps per run",
            "How many apps each run created or replaced, and how many did not end well",
            bars_chart(
                days, {"not well": unwell, "created": created}, "{:,.0f}".format, ("Run", "Not well", "Created")
            ),
        ),
        (
            "Created per minute",
            "How fast each run created its apps",
            bars_chart(
                days,
                {"per minute": [past.creates_per_minute for past in begun]},
                "{:.1f}".format,
                ("Run", "Per minute"),
            ),
        ),
        (
            "Duration",
            "How long each run took",
            bars_chart(days, {"seconds": [past.seconds for past in begun]}, duration, ("Run", "Took")),
        ),
    ]


def _label(past: PastRun, form: str) -> str:
    return f"{datetime.fromtimestamp(past.run.started, UTC):{form}}"
