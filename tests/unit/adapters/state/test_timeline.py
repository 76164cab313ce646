"""The timeline of a run: what the sink keeps, within which bounds, and what is read back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state import journal_schema, journal_writer, timeline, timeline_reader
from engine.adapters.state.journal import SqliteJournal
from engine.adapters.state.journal_reader import runs
from engine.adapters.state.run_words import run_words
from engine.adapters.state.timeline import Timeline
from engine.adapters.state.timeline_reader import past_runs, run_story
from engine.core.change import Action
from engine.core.errors import StateError
from engine.core.finding import Finding
from engine.core.hours import HoursLine
from engine.core.hours_of_run import RunHours
from engine.core.identity import AppKey, Lane
from engine.core.outcome import GOOD_OUTCOMES, ApplyReport, AppResult, Outcome
from engine.core.trouble import Trouble
from engine.ports import events
from engine.ports.history import BucketState, Mark
from engine.render.report.differences import differences
from engine.render.report.html import report_html
from tools.report_sample import FLEET, HOSTILE, NIGHTS, Clock, write_nights

if TYPE_CHECKING:
    from pathlib import Path

    from engine.adapters.state.state_dir import StateDir
    from tests.unit.adapters.state.conftest import OpenJournal

LANE = Lane("111122223333", "eu-west-1")
KEY = AppKey("research", "user", "alice", "JupyterLab", "default")
AWAY = Trouble("AF401", "the domain is away\x1b[2J", "Look at it")


class Kept:
    """Takes what the sink keeps, or has no room for it."""

    def __init__(self, *, room: bool = True) -> None:
        self.room = room
        self.marks: dict[AppKey, str] = {}
        self.parts: dict[str, Any] = {}

    def keep_marks(self, key: AppKey, marks: str) -> bool:
        self.marks[key] = marks
        return self.room

    def keep_part(self, part: str, data: str) -> bool:
        self.parts[part] = json.loads(data)
        return self.room


def a_timeline(kept: Kept, clock: Clock) -> Timeline:
    return Timeline(kept, clock=clock, first_rates={LANE: {"writes": 2.0, "reads": 5.0}})


def a_report(*apps: AppResult, **more: Any) -> ApplyReport:
    return ApplyReport("r1", "ml", "", 12.5, apps, {"CreateApp": {"ok": 1, "throttled": 2}}, **more)


def test_an_apps_moments_are_kept_when_it_ends() -> None:
    kept, clock = Kept(), Clock()
    sink = a_timeline(kept, clock)
    for at_s, event in (
        (1.0, events.AppCreateStarted(KEY, 1, "t")),
        (1.5, events.AppRetried(KEY, 1, 1.0, "c", "m", "r")),
        (2.5, events.AppCreateStarted(KEY, 2, "t")),
        (2.75, events.AppCreated(KEY, 2, 0.2, "t")),
    ):
        clock.now = at_s
        sink.emit(event)
    assert kept.marks == {}
    clock.now = 9.0
    sink.emit(events.AppInService(KEY, 8.0))
    assert kept.marks == {KEY: "1000c 1500r 2500c 2750a 9000e"}


def test_an_app_that_never_ended_is_kept_at_the_end() -> None:
    kept, clock = Kept(), Clock()
    sink = a_timeline(kept, clock)
    sink.emit(events.AppCreateStarted(KEY, 1, "t"))
    sink.finish({})
    assert kept.marks == {KEY: "0c"}


def test_the_moments_of_an_app_are_bounded_and_its_end_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "TIMELINE_MARKS_MAX_COUNT", 3)
    kept, clock = Kept(), Clock()
    sink = a_timeline(kept, clock)
    for second in range(9):
        clock.now = float(second)
        sink.emit(events.AppCreateStarted(KEY, second, "t"))
    sink.emit(events.AppFailed(KEY, "c", "m", "h"))
    assert kept.marks == {KEY: "0c 1000c 8000e"}


def test_calls_are_counted_in_slots_that_widen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "TIMELINE_SLOTS_MAX_COUNT", 4)
    kept, clock = Kept(), Clock()
    sink = a_timeline(kept, clock)
    for second in range(7):
        clock.now = float(second)
        sink.emit(events.CallAnswered("CreateApp", "ok", 0.1))
        sink.emit(events.LaneRateChanged(LANE, float(second)))
    sink.emit(events.LaneThrottled(LANE, "ListApps", 2.0))
    sink.emit(events.LaneRateChanged(LANE, 3.0, "ListApps"))
    sink.finish({})
    assert kept.parts["calls"]["width_s"] == 2.0
    assert kept.parts["calls"]["answers"] == {"CreateApp": {"ok": [2, 2, 2, 1]}}
    assert kept.parts["calls"]["rates"] == {"reads": [5.0, 5.0, 5.0, 3.0], "writes": [1.0, 3.0, 5.0, 6.0]}


def test_rates_of_several_lanes_are_added() -> None:
    kept, clock = Kept(), Clock()
    other = Lane("111122223333", "us-east-1")
    sink = Timeline(kept, clock=clock, first_rates={LANE: {"writes": 2.0}, other: {"writes": 3.0}})
    clock.now = 1.0
    sink.emit(events.LaneThrottled(other, "CreateApp", 1.0))
    sink.finish({})
    assert kept.parts["calls"]["rates"]["writes"] == [5.0, 3.0]


def test_bucket_marks_are_bounded_and_the_lost_ones_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "TIMELINE_BUCKET_MARKS_MAX_COUNT", 2)
    kept, clock = Kept(), Clock()
    sink = a_timeline(kept, clock)
    sink.emit(events.BucketParked("b", 1.0, 4, "full", 9, 9))
    sink.emit(events.BucketReopened("b", 1.0))
    sink.emit(events.BucketEnded("b", 4, "m", "h"))
    sink.finish({})
    assert kept.parts["buckets"] == {"names": ["b"], "marks": [[0, 0, "p", 4, 9, 9], [0, 0, "o", 0, None, None]]}
    assert kept.parts["calls"]["lost"] == 1


def test_what_the_journal_has_no_room_for_is_counted_as_lost() -> None:
    kept = Kept(room=False)
    sink = a_timeline(kept, Clock())
    sink.emit(events.AppAdopted(KEY))
    sink.finish({})
    assert kept.parts["calls"]["lost"] == 1


def test_counts_are_kept_while_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "TIMELINE_KEEP_EVERY_SECONDS", 10.0)
    kept, clock = Kept(), Clock()
    sink = a_timeline(kept, clock)
    sink.emit(events.RunStarted("ml", "1", 1))
    assert kept.parts == {}
    clock.now = 10.0
    sink.emit(events.CallAnswered("CreateApp", "ok", 0.1))
    assert kept.parts["calls"]["answers"] == {"CreateApp": {"ok": [0] * 10 + [1]}}


def test_an_event_of_no_interest_is_passed_over() -> None:
    kept = Kept()
    a_timeline(kept, Clock()).emit(events.RunWaited(1.0))
    assert (kept.marks, kept.parts) == ({}, {})


def test_the_words_of_a_run_are_cleaned_and_name_what_was_left_as_it_is() -> None:
    kept = AppResult(KEY, Action.NONE, Outcome.SKIPPED, error=AWAY)
    bare = AppResult(KEY._replace(owner="bob"), Action.NONE, Outcome.SKIPPED)
    fine = AppResult(KEY._replace(owner="eve"), Action.NONE, Outcome.UNCHANGED, instance_type="t")
    made = AppResult(KEY._replace(owner="joe"), Action.CREATE, Outcome.CREATED, 1, 2.0, "t")
    report = a_report(
        kept, bare, fine, made, errors=(AWAY,), notes=("n",), findings=(Finding("r", "advisory", "k", "m"),)
    )
    reserved = {made.key: "1/r/training-plan/p5", kept.key: "1/r/training-plan/p5"}
    line = HoursLine("office", "Europe/Berlin", is_open=False, apps=3, change="2026-12-07T07:00:00Z", local="Mon 08:00")
    hours = RunHours(line, (made.key,), (), 2, 0)
    words = run_words(
        report, price=lambda *kind: 0.5 if kind[2] else None, asked=[("team", "a")], reserved=reserved, hours=(hours,)
    )
    read = timeline_reader._words(words)
    assert read is not None
    assert read.hours == (hours,)
    clean = ["AF401", "the domain is away\\u001b[2J", "Look at it"]
    assert words["kept"] == [
        {"outcome": "skipped", "error": clean, "keys": [str(KEY)]},
        {"outcome": "skipped", "error": ["", "", ""], "keys": ["research/user/bob/JupyterLab/default"]},
    ]
    assert words["errors"] == [clean]
    assert words["summary"] == {"created": 1, "unchanged": 1, "skipped": 2}
    assert words["prices"] == {"research/JupyterLab/t": 0.5}
    assert words["findings"] == [["r", "advisory", "k", "m", ""]]
    assert words["asked"] == [["team", "a"]]
    assert words["reserved"] == {"1/r/training-plan/p5": [str(made.key)]}


def test_a_night_is_read_back_with_the_one_before(state: StateDir) -> None:
    write_nights(state, 100)
    story = run_story(state, run_id=None, fleet=FLEET)
    assert story is not None
    assert story.detail.run.run_id == NIGHTS[1]
    assert story.before is not None
    assert story.before.run.run_id == NIGHTS[0]
    assert len(story.timeline.marks) == len(story.detail.apps) == 100
    first = story.timeline.marks[AppKey("research", "space", "user-00000-lab", "JupyterLab", "default")]
    assert first == ((1.0, Mark.CALLED), (1.2, Mark.ACCEPTED), (9.2, Mark.ENDED))
    assert [mark.state for mark in story.timeline.buckets][:2] == [BucketState.PARKED, BucketState.REOPENED]
    assert any(key.owner == HOSTILE for key in story.timeline.marks)
    assert story.timeline.words is not None
    assert story.timeline.words.summary["created"] > 90


def test_past_runs_have_their_numbers(state: StateDir) -> None:
    write_nights(state, 60)
    newest, oldest = past_runs(state, fleet=FLEET, limit=10)
    assert (newest.run.run_id, oldest.run.run_id) == (NIGHTS[1], NIGHTS[0])
    assert newest.throttled == 2
    assert newest.wanted == 60
    assert newest.settle_median_s is not None
    assert 8.0 <= newest.settle_median_s <= 31.0
    assert newest.seconds == pytest.approx(60 / 18 + 40, abs=1.0)
    assert past_runs(state, fleet="other", limit=10) == ()
    assert len(past_runs(state, fleet=None, limit=1)) == 1


@pytest.mark.parametrize(
    ("asked", "found"), [(NIGHTS[0], NIGHTS[0]), ("20261124", NIGHTS[1]), ("2026", None), ("x", None), ("%", None)]
)
def test_a_run_is_found_by_its_name_or_by_how_it_alone_begins(state: StateDir, asked: str, found: str | None) -> None:
    write_nights(state, 3)
    story = run_story(state, run_id=asked, fleet=None)
    assert (story.detail.run.run_id if story else None) == found


def test_a_plan_that_got_a_no_is_not_the_newest_run(state: StateDir, open_journal: OpenJournal) -> None:
    open_journal("r1").finish("converged", 0, 101.0)
    open_journal("r2").finish("declined", 1, 102.0)
    story = run_story(state, run_id=None, fleet="ml")
    assert story is not None
    assert story.detail.run.run_id == "r1"


def test_a_run_without_a_timeline_has_an_empty_one(state: StateDir, open_journal: OpenJournal) -> None:
    open_journal("r1").finish("converged", 0, 101.0)
    story = run_story(state, run_id="r1", fleet=None)
    assert story is not None
    assert (story.timeline.marks, story.timeline.words, story.before) == ({}, None, None)


def test_without_a_journal_there_is_no_story(state: StateDir) -> None:
    assert run_story(state, run_id=None, fleet=None) is None
    assert past_runs(state, fleet=None, limit=5) == ()


def make_form_1(folder: Path) -> None:
    """Write a journal as form 1 was, with one run in it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        for table in journal_schema.TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id = {journal_schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO runs (run_id, fleet, version, started, alive_at, ended, result, exit_code) "
            "VALUES ('old', 'ml', '0.0.1', 1.0, 2.0, 2.0, 'converged', 0)"
        )


def test_a_journal_of_form_1_is_read_as_it_is(state: StateDir, folder: Path) -> None:
    make_form_1(folder)
    story = run_story(state, run_id=None, fleet="ml")
    assert story is not None
    assert story.timeline.words is None
    assert [past.throttled for past in past_runs(state, fleet="ml", limit=5)] == [None]


def test_a_journal_of_form_1_is_brought_up_to_date_and_keeps_its_runs(
    state: StateDir, folder: Path, open_journal: OpenJournal
) -> None:
    make_form_1(folder)
    journal = open_journal("new")
    assert not journal.memory.is_new
    assert journal.keep_marks(KEY, "1000c 2000e")
    assert journal.keep_part("calls", "{}")
    journal.finish("converged", 0, 103.0)
    assert journal.broken == ""
    assert [run.run_id for run in runs(state)] == ["new", "old"]
    story = run_story(state, run_id="new", fleet=None)
    assert story is not None
    assert story.timeline.marks == {KEY: ((1.0, Mark.CALLED), (2.0, Mark.ENDED))}


def test_timelines_are_forgotten_with_their_runs(
    open_journal: OpenJournal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.adapters.state.journal.JOURNAL_RUNS_MAX_COUNT", 1)
    for name in ("r1", "r2"):
        journal = open_journal(name)
        journal.keep_marks(KEY, "1000c")
        journal.keep_part("calls", "{}")
        journal.finish("converged", 0, 101.0)
    with closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        marks = connection.execute("SELECT count(*) FROM app_timelines").fetchone()
        parts = connection.execute("SELECT count(*) FROM timelines").fetchone()
    assert (marks, parts) == ((1,), (1,))


def test_a_timeline_gives_way_to_what_matters_more(open_journal: OpenJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal()
    monkeypatch.setattr(journal_writer, "JOURNAL_PENDING_MAX_ROWS", 0)
    assert not journal.keep_marks(KEY, "1000c")
    assert journal.broken == ""


def test_without_a_writer_nothing_is_kept_and_nothing_is_wrong() -> None:
    journal = SqliteJournal(None, (), None, "why")  # type: ignore[arg-type]
    assert not journal.keep_marks(KEY, "")
    assert not journal.keep_part("calls", "{}")


@pytest.mark.parametrize("data", ["[]", "nonsense", '{"width_s": "x"}', '{"answers": 3}', '{"answers": {"a": [1]}}'])
def test_a_timeline_that_no_run_writes_is_an_error_with_a_way_out(
    state: StateDir, open_journal: OpenJournal, data: str
) -> None:
    journal = open_journal("r1")
    journal.keep_part("calls", data)
    journal.finish("converged", 0, 101.0)
    with pytest.raises(StateError, match="holds what no run writes"):
        run_story(state, run_id="r1", fleet=None)


def test_a_report_of_very_many_apps_holds_those_that_did_not_end_well_and_says_what_it_leaves_out(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_nights(state, 40)
    whole = run_story(state, run_id=None, fleet=None)
    assert whole is not None
    bad = {app.key for app in whole.detail.apps if app.outcome not in GOOD_OUTCOMES}
    monkeypatch.setattr("engine.adapters.state.timeline_reader.REPORT_APPS_MAX_COUNT", len(bad) + 5)
    cut = run_story(state, run_id=None, fleet=None)
    assert cut is not None
    assert len(cut.detail.apps) == len(bad) + 5
    assert bad < {app.key for app in cut.detail.apps}
    assert cut.detail.apps_left_out == len(whole.detail.apps) - len(bad) - 5
    assert set(cut.timeline.marks) <= {app.key for app in cut.detail.apps}
    page = report_html(cut, command="appfleet apply")
    assert f"This page lists {len(bad) + 5} apps, first those that did not end well" in page
    assert f"leaves out {cut.detail.apps_left_out} others" in page
    assert differences(cut) is None
    assert "leaves out" not in report_html(whole, command="appfleet apply")
