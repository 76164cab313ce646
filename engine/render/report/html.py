"""A run as one HTML page that needs nothing else: no script, font or picture from outside, and no request.

Every text is escaped by the template; the page's own policy lets run only the script and the style that it was made
with, by their hashes, so that a text that got through would still do nothing. Not here: spans and charts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.core.finding import Finding
from engine.core.grouping import common_text, grouped_findings, owner_names, shape_of
from engine.core.hours_of_run import RunHours
from engine.core.limits import RUN_SHOWN_MAX_SECONDS, TIMELINE_KEEP_EVERY_SECONDS
from engine.core.outcome import GOOD_OUTCOMES, Outcome
from engine.core.quota_text import AND_THEN
from engine.core.text import clean, count_of
from engine.ports.history import NO_END, AppRecord, PastRun, RunStory, RunTimeline, RunWords
from engine.render.findings_text import origin_of
from engine.render.foreseen_text import foreseen_words
from engine.render.hours_text import hours_texts
from engine.render.layout import duration, split_command
from engine.render.report.charts import bar, bucket_rows, calls_chart, phases_chart
from engine.render.report.differences import differences
from engine.render.report.headline import headline, next_words
from engine.render.report.owners import owner_lines, owners_not_well
from engine.render.report.page import INDEX, hash_of, moment, page_of, templates
from engine.render.report.spans import Phase, Span, SpanMaker, parked_times
from engine.render.words import outcome_words

OPEN_ROWS_MAX: Final = 100  # a longer table is folded until somebody opens it or a filter finds something in it
# The order in which a reader needs them: what went wrong first.
_ORDER: Final = ("failed", "parked", "still_pending", "denied", "skipped", "interrupted")


@dataclass(frozen=True, slots=True)
class Row:
    """One app as the table shows it. `bar` holds (class, path)."""

    owner: str
    place: str
    app: str
    instance_type: str
    attempts: int
    waited: str
    took: str
    code: str
    bar: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The apps of one outcome."""

    outcome: str
    title: str
    good: bool
    rows: tuple[Row, ...]

    @property
    def open(self) -> bool:
        """Whether it is shown at once."""
        return len(self.rows) <= OPEN_ROWS_MAX


@dataclass(frozen=True, slots=True)
class Failure:
    """Apps that ended alike for one reason."""

    outcome: str
    count: str
    code: str
    message: str
    hint: str
    names: tuple[str, ...]
    more: int
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """Findings that say the same, with who says it."""

    enforcement: str
    origin: str
    message: str
    names: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Hours:
    """One calendar: its name, its state when the run began, and what was done: (words, some names, how many more)."""

    name: str
    state: str
    done: tuple[tuple[str, tuple[str, ...], int], ...]


NAMED_MAX: Final = 12


def report_html(
    story: RunStory,
    *,
    command: str,
    history: Sequence[PastRun] = (),
    pages: Collection[str] = (),
    generator: str = "",
) -> str:
    """Return the page of one run. `command` is what makes the fleet go on; `history` are its runs, newest first.

    In a site `pages` are the runs that have a page beside this one, and `generator` says what wrote it.
    """
    run, timeline = story.detail.run, story.timeline
    is_running = any(past.is_running for past in history if past.run.run_id == run.run_id)
    apps = _with_kept(story.detail.apps, timeline)
    end_s = _seconds(story)
    maker = SpanMaker(timeline, end_s)
    spans = {app.key: maker.spans(app) for app in apps}
    summary = dict(timeline.words.summary if timeline.words is not None else run.summary)
    files = templates()
    return files.environment.get_template("report.html").render(
        run=run,
        title=clean(f"{run.fleet}: {run.result or ('running' if is_running else NO_END)}, {moment(run.started)}"),
        headline=headline(story, apps, summary, end_s, is_running=is_running),
        next_words=next_words(story, apps, is_running=is_running),
        command=command,
        result=run.result or ("running" if is_running else "unclean"),
        started=moment(run.started),
        took=duration(end_s),
        tiles=_tiles(summary),
        failures=_failures(apps),
        groups=_groups(apps, spans, timeline, end_s),
        total=len(apps),
        unlisted=max(sum(summary.values()) - len(apps) - story.detail.apps_left_out, 0),
        left_out=story.detail.apps_left_out,
        changes=differences(story),
        history=history,
        moment=moment,
        duration=duration,
        cost=_cost(apps, timeline),
        open_intents=0 if is_running else len(story.detail.open_intents) + len(story.detail.unknown_owners),
        owner_lines=owner_lines(story.detail.owners),
        owners_not_well=owners_not_well(story.detail.owners),
        legend=[(phase.value[:2], phase.value) for phase in Phase],
        **_charts(timeline, spans, end_s),
        **_said(timeline.words),
        lost=timeline.lost,
        style=files.style,
        script=files.script,
        style_hash=hash_of(files.style),
        script_hash=hash_of(files.script),
        generator=generator,
        home=INDEX if pages else "",
        pages=pages,
        page_of=page_of,
    )


def _charts(timeline: RunTimeline, spans: dict[Any, tuple[Span, ...]], end_s: float) -> dict[str, Any]:
    """Return what is drawn over the time of the run."""
    kinds = (
        ("Changes per second", "CreateApp, DeleteApp and calls that share their throttle", False),
        ("Listings per second", "ListApps and other reads", True),
    )
    charts = [(name, note, calls_chart(timeline.calls, end_s, reads=reads)) for name, note, reads in kinds]
    return {
        "phases": phases_chart([found for found in spans.values() if found], end_s),
        "calls": [(name, note, chart) for name, note, chart in charts if chart is not None],
        "buckets": bucket_rows(timeline.buckets, parked_times(timeline.buckets, end_s), end_s),
        "has_timeline": any(spans.values()),
    }


def _said(words: RunWords | None) -> dict[str, Any]:
    """Return what the result said beside its apps; nothing where the run left none."""
    words = words or RunWords()
    return {
        "foreseen": "" if words.forecast is None else foreseen_words(words.forecast),
        "call_totals": sorted(words.calls.items()),
        "errors": words.errors,
        "findings": _findings(words.findings),
        "notes": words.notes,
        "hours": [_of_hours(one) for one in words.hours],
    }


def _of_hours(one: RunHours) -> Hours:
    """Return what a reader wants to know of one calendar: what it did to whom, and until when that holds."""
    ((name, state),) = hours_texts((one.line,))
    local = clean(one.line.local)
    back = f"back {local}" if local and not one.line.is_open else ""
    until = f"until {local}" if local and one.line.is_open else ""
    parts = ((one.stopped_count, "stopped", back, one.stopped), (one.started_count, "started", until, one.started))
    return Hours(
        name,
        state,
        tuple(
            (
                ", ".join(filter(None, (f"{count_of(count, 'app')} {verb}", when))),
                tuple(map(str, keys[:NAMED_MAX])),
                count - min(len(keys), NAMED_MAX),
            )
            for count, verb, when, keys in parts
            if count
        ),
    )


def _with_kept(apps: Sequence[AppRecord], timeline: RunTimeline) -> tuple[AppRecord, ...]:
    """Add the apps that nothing was called for although they are not as declared."""
    if timeline.words is None:
        return tuple(apps)
    there = {app.key for app in apps}
    kept = [
        AppRecord(
            key, "none", group.outcome, 0, 0.0, "", "", group.error.code, group.error.message, group.error.hint, 0
        )
        for group in timeline.words.kept
        for key in group.keys
        if key not in there
    ]
    return tuple(sorted((*apps, *kept), key=lambda app: app.key))


def _seconds(story: RunStory) -> float:
    words, run = story.timeline.words, story.detail.run
    if words is not None:
        return words.seconds
    by_the_wall = (run.alive_at if run.ended is None else run.ended) - run.started
    shown = min(max(by_the_wall, 0.0), RUN_SHOWN_MAX_SECONDS)
    seen = _last_seen_s(story)
    # The timeline goes by a clock that nobody sets. A run that wrote no end lived a little longer than it shows.
    return min(shown, seen + TIMELINE_KEEP_EVERY_SECONDS) if seen else shown


def _last_seen_s(story: RunStory) -> float:
    """Return the last moment of a run's timeline, in seconds after it began; 0 where there is none."""
    timeline = story.timeline
    slots = max((len(counts) for kinds in timeline.calls.answers.values() for counts in kinds.values()), default=0)
    marks = (marks[-1][0] for marks in timeline.marks.values() if marks)
    return max(slots * timeline.calls.width_s, max(marks, default=0.0), *(mark.at_s for mark in timeline.buckets), 0.0)


def _tiles(summary: dict[str, int]) -> list[tuple[str, str, int, bool]]:
    order = [*_ORDER, *(outcome.value for outcome in Outcome if outcome.value not in _ORDER)]
    known = [name for name in order if summary.get(name)]
    other = sorted(name for name in summary if name not in order and summary[name])
    return [(name, name.replace("_", " "), summary[name], name in GOOD_OUTCOMES) for name in (*known, *other)]


def _groups(
    apps: Sequence[AppRecord], spans: dict[Any, tuple[Span, ...]], timeline: RunTimeline, end_s: float
) -> list[Group]:
    by_outcome: dict[str, list[Row]] = {}
    for app in apps:
        by_outcome.setdefault(app.outcome, []).append(_row(app, spans[app.key], timeline, end_s))
    order = [*_ORDER, *(outcome.value for outcome in Outcome if outcome.value not in _ORDER)]
    names = sorted(by_outcome, key=lambda name: order.index(name) if name in order else len(order))
    return [Group(name, outcome_words(name), name in GOOD_OUTCOMES, tuple(by_outcome[name])) for name in names]


def _row(app: AppRecord, spans: tuple[Span, ...], timeline: RunTimeline, end_s: float) -> Row:
    key = app.key
    marks = timeline.marks.get(key, ())
    waited = "" if not marks else duration(max(marks[0][0] - timeline.queued_s, 0.0))
    return Row(
        key.owner,
        f"{key.domain}/{key.owner_kind}",
        f"{key.app_type}/{key.app_name}",
        app.instance_type,
        app.attempts,
        waited if app.attempts else "",
        duration(app.seconds) if app.attempts else "",
        app.error_code,
        bar(spans, end_s),
    )


def _failures(apps: Sequence[AppRecord]) -> list[Failure]:
    """Group what did not end well by why, whatever names stand in it; the gravest outcome first, then the largest."""
    unwell = [app for app in apps if app.outcome not in GOOD_OUTCOMES]
    known = owner_names(str(app.key) for app in unwell)
    grouped: dict[tuple[str, str, str], list[AppRecord]] = {}
    for app in unwell:
        grouped.setdefault((app.outcome, app.error_code, shape_of(app.error_message, known)), []).append(app)
    order = {name: index for index, name in enumerate(_ORDER)}
    sorted_groups = sorted(grouped.items(), key=lambda item: (order.get(item[0][0], 99), -len(item[1]), item[0]))
    return [_failure(outcome, members, known) for (outcome, *_), members in sorted_groups]


def _failure(outcome: str, members: Sequence[AppRecord], known: frozenset[str]) -> Failure:
    words, command = split_command(members[-1].error_hint)  # the last one knows best how many there are
    return Failure(
        outcome.replace("_", " "),
        count_of(len(members), "app"),
        members[0].error_code,
        common_text([app.error_message for app in members], known),
        words,
        tuple(str(app.key) for app in members[:NAMED_MAX]),
        max(len(members) - NAMED_MAX, 0),
        tuple(command.split(AND_THEN)) if command else (),
    )


def _findings(rows: Iterable[Finding]) -> list[Said]:
    return [
        Said(
            one.enforcement,
            origin_of(one.rule, one.source),
            one.message,
            one.keys[:NAMED_MAX],
            max(len(one.keys) - NAMED_MAX, 0),
        )
        for one in grouped_findings(rows)
    ]


def _cost(apps: Sequence[AppRecord], timeline: RunTimeline) -> str:
    """Say what the new apps cost an hour, in as far as prices are known; empty where none is."""
    prices = timeline.words.prices if timeline.words is not None else {}
    if not prices:
        return ""
    reserved = timeline.words.reserved if timeline.words is not None else {}  # those are paid with their plan
    made = [
        app
        for app in apps
        if app.outcome in {Outcome.CREATED.value, Outcome.STILL_PENDING.value} and app.key not in reserved
    ]
    found = [prices.get(f"{app.key.domain}/{app.key.app_type}/{app.instance_type}") for app in made]
    known = [usd for usd in found if usd is not None]
    if not known:
        return ""
    text = f"{count_of(len(known), 'new app')} add {sum(known):,.2f} USD per hour while in service"
    missing = len(made) - len(known)
    return f"{text}; {count_of(missing, 'app')} without a known price" if missing else text
