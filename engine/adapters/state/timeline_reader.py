"""What `report` and `history` read back from a journal: a run with its timeline, and past runs in numbers.

Nothing here changes a file or needs the lock. A journal of an earlier form has no timelines, and that is no error.
"""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from engine.adapters.state import journal_values as values
from engine.adapters.state.journal_reader import has_ends, read_journal, run_of, runs_of
from engine.adapters.state.state_dir import StateDir
from engine.adapters.state.timeline import BUCKETS_PART, CALLS_PART, WORDS_PART
from engine.core.finding import Finding
from engine.core.foreseen import Foreseen
from engine.core.hours import HoursLine
from engine.core.hours_of_run import RunHours
from engine.core.identity import AppKey
from engine.core.limits import REPORT_APPS_MAX_COUNT, RUN_SHOWN_MAX_SECONDS
from engine.core.outcome import Outcome
from engine.core.trouble import Trouble
from engine.ports.history import (
    BucketMark,
    BucketState,
    CallSlots,
    KeptApps,
    Mark,
    PastRun,
    RunDetail,
    RunRecord,
    RunStory,
    RunTimeline,
    RunWords,
)

_TIMELINES_SINCE: Final = 2  # the journal's form
_THROTTLED: Final = "throttled"
# A plan that got a no, and a run that ended before it had called anything, did nothing that one could compare with.
_DID_NOTHING: Final = ("declined",)


def past_runs(state: StateDir, *, fleet: str | None, limit: int) -> tuple[PastRun, ...]:
    """Return past runs in numbers, the newest first, of one fleet or of all in the folder; raises StateError."""

    def read(connection: sqlite3.Connection) -> tuple[PastRun, ...]:
        return tuple(_past(connection, record) for record in runs_of(connection, fleet, limit))

    return read_journal(state, (), read)


def run_story(state: StateDir, *, run_id: str | None, fleet: str | None) -> RunStory | None:
    """Return all that is kept of one run, the newest of `fleet` where `run_id` is None; None where there is none.

    A beginning of a run's name will do where it names one run alone. Raises StateError.
    """
    return read_journal(state, None, lambda connection: _story(connection, run_id, fleet))


def _story(connection: sqlite3.Connection, run_id: str | None, fleet: str | None) -> RunStory | None:
    name = _newest(connection, fleet) if run_id is None else _whole_name(connection, run_id)
    detail = None if name is None else run_of(connection, name, REPORT_APPS_MAX_COUNT)
    if detail is None:
        return None
    began = "began" if has_ends(connection) else "1"
    before_name = connection.execute(
        "SELECT run_id FROM runs WHERE fleet = ? AND id < (SELECT id FROM runs WHERE run_id = ?) "  # noqa: S608
        f"AND result <> ? AND {began} ORDER BY id DESC LIMIT 1",
        (detail.run.fleet, detail.run.run_id, *_DID_NOTHING),
    ).fetchone()
    before = None if before_name is None else run_of(connection, before_name[0], REPORT_APPS_MAX_COUNT)
    return RunStory(
        detail,
        _with_error(_timeline(connection, detail), detail.run),
        before,
        None if before is None else _timeline(connection, before),
    )


def _with_error(timeline: RunTimeline, run: RunRecord) -> RunTimeline:
    """Record why a run ended before it had a result, for its report."""
    if run.error is None or timeline.words is not None:
        return timeline
    return replace(timeline, words=RunWords(seconds=_seconds(run), errors=(run.error,)))


def _seconds(run: RunRecord) -> float:
    ended = run.alive_at if run.ended is None else run.ended
    return min(max(ended - run.started, 0.0), RUN_SHOWN_MAX_SECONDS)


def _newest(connection: sqlite3.Connection, fleet: str | None) -> str | None:
    row = connection.execute(
        "SELECT run_id FROM runs WHERE fleet = coalesce(?, fleet) AND result <> ? ORDER BY id DESC LIMIT 1",
        (fleet, *_DID_NOTHING),
    ).fetchone()
    return None if row is None else str(row[0])


def _whole_name(connection: sqlite3.Connection, run_id: str) -> str | None:
    rows = connection.execute("SELECT run_id FROM runs WHERE substr(run_id, 1, ?) = ?", (len(run_id), run_id))
    names = [str(name) for (name,) in rows]
    if run_id in names:
        return run_id
    return names[0] if len(names) == 1 else None


def _past(connection: sqlite3.Connection, record: RunRecord) -> PastRun:
    settled = [
        values.duration(seconds)
        for (seconds,) in connection.execute(
            "SELECT seconds FROM outcomes JOIN runs ON runs.id = outcomes.run "
            "WHERE run_id = ? AND outcome = ? AND seconds > 0",
            (record.run_id, Outcome.CREATED.value),
        )
    ]
    words = _words(_parts(connection, record.run_id).get(WORDS_PART))
    return PastRun(
        run=record,
        seconds=_seconds(record),
        settle_median_s=statistics.median(settled) if settled else None,
        throttled=None if words is None else sum(kinds.get(_THROTTLED, 0) for kinds in words.calls.values()),
        wanted=None if words is None else sum(words.summary.values()),
        forecast=None if words is None else words.forecast,
    )


def _parts(connection: sqlite3.Connection, run_id: str) -> dict[str, Any]:
    if values.form_of(connection) < _TIMELINES_SINCE:
        return {}
    rows = connection.execute(
        "SELECT part, data FROM timelines JOIN runs ON runs.id = timelines.run WHERE run_id = ?", (run_id,)
    )
    return {str(part): orjson.loads(data) for part, data in rows}


def _timeline(connection: sqlite3.Connection, detail: RunDetail) -> RunTimeline:
    """Read how the run went, with the moments of the apps that `detail` holds."""
    run_id, listed = detail.run.run_id, {app.key for app in detail.apps}
    has_all = not detail.apps_left_out
    parts = _parts(connection, run_id)
    if not parts:
        return RunTimeline()
    calls = parts.get(CALLS_PART, {})
    rows = connection.execute(
        "SELECT key, marks FROM app_timelines JOIN runs ON runs.id = app_timelines.run WHERE run_id = ?", (run_id,)
    )
    return RunTimeline(
        queued_s=values.duration(calls.get("queued_s", 0.0)),
        marks={
            key: _marks(marks)
            for text, marks in rows
            if (key := values.key_or_none(text)) is not None and (has_all or key in listed)
        },
        calls=CallSlots(
            width_s=max(values.duration(calls.get("width_s", 1.0)), 1.0),
            answers={
                str(operation): {str(kind): tuple(map(values.count, counts)) for kind, counts in kinds.items()}
                for operation, kinds in calls.get("answers", {}).items()
            },
            rates={str(paced): tuple(map(values.duration, rates)) for paced, rates in calls.get("rates", {}).items()},
        ),
        buckets=_buckets(parts.get(BUCKETS_PART)),
        words=_words(parts.get(WORDS_PART)),
        lost=values.count(calls.get("lost", 0)),
    )


def _marks(text: str) -> tuple[tuple[float, Mark], ...]:
    return tuple((values.duration(int(mark[:-1]) / 1000), Mark(mark[-1])) for mark in text.split(" ") if mark)


def _buckets(data: Mapping[str, Any] | None) -> tuple[BucketMark, ...]:
    if data is None:
        return ()
    names = [str(name) for name in data.get("names", ())]
    return tuple(
        BucketMark(
            values.duration(at_s),
            names[values.count(number)],
            BucketState(state),
            values.count(waiting),
            None if value is None else values.count(value),
            None if used is None else values.count(used),
        )
        for at_s, number, state, waiting, value, used in data.get("marks", ())
        if 0 <= number < len(names)
    )


def _words(data: Mapping[str, Any] | None) -> RunWords | None:
    if data is None:
        return None
    return RunWords(
        seconds=values.duration(data.get("seconds", 0.0)),
        summary={str(outcome): values.count(count) for outcome, count in data.get("summary", {}).items()},
        calls={
            str(name): {str(kind): values.count(count) for kind, count in kinds.items()}
            for name, kinds in data.get("calls", {}).items()
        },
        errors=tuple(Trouble(*map(str, error)) for error in data.get("errors", ())),
        notes=tuple(map(str, data.get("notes", ()))),
        findings=tuple(
            Finding(str(rule), str(enforcement), str(key), str(message), "".join(map(str, source)))
            for rule, enforcement, key, message, *source in data.get("findings", ())  # earlier versions kept no source
        ),
        kept=tuple(_kept_apps(entry) for entry in data.get("kept", ())),
        prices={str(kind): values.duration(usd) for kind, usd in data.get("prices", {}).items()},
        asked=tuple((str(name), str(value)) for name, value in data.get("asked", ())),
        reserved={
            key: str(bucket)
            for bucket, keys in data.get("reserved", {}).items()  # earlier versions kept none
            for text in keys
            if (key := values.key_or_none(str(text))) is not None
        },
        forecast=_foreseen(data.get("forecast")),  # earlier versions kept none
        hours=tuple(_hours(entry) for entry in data.get("hours", ())),  # and none of these
    )


def _hours(entry: Mapping[str, Any]) -> RunHours:
    texts = (str(entry.get(name, "")) for name in ("hours", "zone", "change", "local"))
    hours, zone, change, local = texts
    line = HoursLine(hours, zone, entry.get("open") is True, values.count(entry.get("apps", 0)), change, local)
    stopped, started = (
        tuple(key for text in entry.get(name, ()) if (key := values.key_or_none(str(text))) is not None)
        for name in ("stopped", "started")
    )
    counts = (values.count(entry.get(name, 0)) for name in ("stopped_count", "started_count"))
    return RunHours(line, stopped, started, *counts)


def _foreseen(data: Mapping[str, Any] | None) -> Foreseen | None:
    if data is None:
        return None
    seconds, fitting_s, took_s = (
        values.duration(data.get(name, 0.0)) for name in ("seconds", "fitting_seconds", "took_seconds")
    )
    return Foreseen(seconds, fitting_s, values.count(data.get("parked", 0)), took_s)


def _kept_apps(entry: Mapping[str, Any]) -> KeptApps:
    keys: tuple[AppKey, ...] = tuple(
        key for text in entry.get("keys", ()) if (key := values.key_or_none(str(text))) is not None
    )
    return KeptApps(str(entry.get("outcome", "")), Trouble(*map(str, entry.get("error", ("", "")))), keys)
