"""What a run leaves for the next one: once, quarantine, rates, sizes, and whether it ended."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state import journal as journal_module
from engine.adapters.state import journal_writer
from engine.adapters.state.journal import SqliteJournal
from engine.adapters.state.journal_reader import last_failures, last_seen, read_memory, run, runs, settle_seconds
from engine.adapters.state.state_dir import StateDir
from engine.core.errors import StateError
from engine.core.identity import Lane
from engine.core.outcome import Outcome
from engine.core.trouble import Trouble
from tests.unit.adapters.state.conftest import until

if TYPE_CHECKING:
    from pathlib import Path

    from engine.ports.journal import Journal
    from tests.unit.adapters.state.conftest import MakeKey, MakeResult, OpenJournal

LANE = Lane("111122223333", "eu-west-1")
ACCEPTS_AS_JOURNAL: type[Journal] = SqliteJournal


class Nights:
    """Runs one after the other, each with one app."""

    def __init__(self, open_journal: OpenJournal, make_result: MakeResult) -> None:
        self.open_journal = open_journal
        self.make_result = make_result
        self.count = 0

    def one(
        self, outcome: Outcome, spec: str = "s1", *, fails: bool = False, once: bool = False, fleet: str = "ml"
    ) -> None:
        self.count += 1
        journal = self.open_journal(f"night-{self.count}", fleet)
        journal.conclude(self.make_result(outcome=outcome), spec, 200.0, once=once, counts_as_failure=fails)
        journal.finish("incomplete", 3, 201.0)
        assert journal.broken == ""

    def failed(self, spec: str = "s1", fleet: str = "ml") -> None:
        self.one(Outcome.FAILED, spec, fails=True, fleet=fleet)


@pytest.fixture
def nights(open_journal: OpenJournal, make_result: MakeResult) -> Nights:
    return Nights(open_journal, make_result)


def test_the_first_run_is_told_that_its_journal_is_new(open_journal: OpenJournal, folder: Path) -> None:
    journal = open_journal()
    assert journal.memory.is_new
    assert journal.notes == (f"No run history found; starting a new journal in {folder / 'journal.sqlite'}",)
    assert journal.broken == ""
    journal.finish("converged", 0, 101.0)
    second = open_journal("r2")
    assert not second.memory.is_new
    assert second.notes == ()


def test_where_there_is_no_journal_the_memory_is_empty_and_nothing_is_made(folder: Path) -> None:
    with StateDir.open(folder, create=False) as state:
        memory = read_memory(state, "ml")
        assert runs(state) == ()
        assert run(state, "r1") is None
        assert settle_seconds(state, "ml") == {}
        assert last_failures(state, "ml") == {}
    assert memory.is_new
    assert not memory.once_done
    assert not memory.failures
    assert not folder.exists()


def test_its_files_are_closed_to_others(open_journal: OpenJournal, folder: Path, make_key: MakeKey) -> None:
    journal = open_journal()
    journal.intend(make_key(), "CreateApp", "s1", 100.0)
    names = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"} <= names.keys()
    assert set(names.values()) == {0o600}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_once_is_done_by_what_this_fleet_made(
    nights: Nights, state: StateDir, make_key: MakeKey, outcome: Outcome
) -> None:
    nights.one(outcome, once=True)
    done = outcome in {Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED}
    assert read_memory(state, "ml").once_done == (frozenset({make_key()}) if done else frozenset())


def test_once_belongs_to_the_fleet_and_to_apps_of_that_mode(nights: Nights, state: StateDir) -> None:
    nights.one(Outcome.CREATED, once=True, fleet="web")
    nights.one(Outcome.CREATED, once=False)
    assert read_memory(state, "ml").once_done == frozenset()
    assert len(read_memory(state, "web").once_done) == 1


def test_failures_in_a_row_are_counted(nights: Nights, state: StateDir, make_key: MakeKey) -> None:
    for _ in range(3):
        nights.failed()
    nights.failed(fleet="web")
    assert read_memory(state, "ml").failures == {make_key(): (3, "s1")}


@pytest.mark.parametrize(
    "outcome",
    [Outcome.CREATED, Outcome.ADOPTED, Outcome.REPLACED, Outcome.UNCHANGED, Outcome.DELETED],
)
def test_an_end_that_is_well_starts_the_count_afresh(nights: Nights, state: StateDir, outcome: Outcome) -> None:
    nights.failed()
    nights.one(outcome)
    assert read_memory(state, "ml").failures == {}


@pytest.mark.parametrize(
    "outcome",
    [Outcome.SKIPPED, Outcome.PARKED, Outcome.STILL_PENDING, Outcome.INTERRUPTED, Outcome.DENIED, Outcome.FAILED],
)
def test_an_end_that_says_nothing_of_the_app_neither_counts_nor_lifts(
    nights: Nights, state: StateDir, make_key: MakeKey, outcome: Outcome
) -> None:
    """Above all skipped: a quarantined app would otherwise be free again after one night."""
    nights.failed()
    nights.one(outcome)
    assert read_memory(state, "ml").failures == {make_key(): (1, "s1")}


def test_the_last_run_that_counted_is_told_also_after_runs_that_left_the_app_alone(
    nights: Nights, state: StateDir, make_key: MakeKey
) -> None:
    nights.failed()
    nights.failed()
    nights.one(Outcome.SKIPPED)
    (told,) = last_failures(state, "ml").items()
    assert (told[0], told[1].run_id, told[1].outcome, told[1].message) == (make_key(), "night-2", "failed", "")
    assert last_failures(state, "web") == {}
    nights.one(Outcome.CREATED)
    assert last_failures(state, "ml") == {}


def test_another_spec_starts_the_count_afresh(nights: Nights, state: StateDir, make_key: MakeKey) -> None:
    nights.failed()
    nights.failed()
    nights.failed(spec="s2")
    assert read_memory(state, "ml").failures == {make_key(): (1, "s2")}
    nights.one(Outcome.PARKED, spec="s3")
    assert read_memory(state, "ml").failures == {}


def test_an_end_without_a_spec_leaves_the_count_alone(nights: Nights, state: StateDir, make_key: MakeKey) -> None:
    nights.failed()
    nights.one(Outcome.SKIPPED, spec="")
    assert read_memory(state, "ml").failures == {make_key(): (1, "s1")}


def test_one_run_counts_once_whatever_is_said_in_it(
    open_journal: OpenJournal, state: StateDir, make_key: MakeKey, make_result: MakeResult
) -> None:
    journal = open_journal()
    for _ in range(2):
        journal.conclude(make_result(outcome=Outcome.FAILED), "s1", 1.0, once=False, counts_as_failure=True)
    journal.finish("incomplete", 3, 2.0)
    assert read_memory(state, "ml").failures == {make_key(): (1, "s1")}


def test_rates_and_domain_sizes_are_remembered_the_last_one_each(open_journal: OpenJournal, state: StateDir) -> None:
    journal = open_journal()
    journal.note_rate(LANE, 7.5)
    journal.note_rate(LANE, 9.25)
    journal.note_domain_size("d-1", 10)
    journal.note_domain_size("d-1", 12)
    journal.finish("converged", 0, 2.0)
    memory = read_memory(state, "ml")
    assert memory.last_rates == {LANE: 9.25}
    assert memory.domain_sizes == {"d-1": 12}


def test_a_run_that_never_wrote_its_end_is_known_by_when_it_was_last_alive(
    open_journal: OpenJournal, state: StateDir
) -> None:
    open_journal(started=100.0, wall=160.0).close()
    assert read_memory(state, "ml").unclean_end_at == 160.0
    assert read_memory(state, "web").unclean_end_at is None
    second = open_journal("r2")
    assert second.memory.unclean_end_at == 160.0
    second.finish("converged", 0, 300.0)
    assert read_memory(state, "ml").unclean_end_at is None
    assert runs(state)[0].alive_at == 300.0


def test_a_clock_that_steps_back_does_not_unsay_a_sign_of_life(open_journal: OpenJournal, state: StateDir) -> None:
    """Row 38."""
    open_journal(started=100.0, wall=40.0).close()
    assert read_memory(state, "ml").unclean_end_at == 100.0


def test_an_idle_run_gives_signs_of_life(
    open_journal: OpenJournal, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "JOURNAL_ALIVE_SECONDS", 0.0)
    monkeypatch.setattr(journal_writer, "JOURNAL_GATHER_SECONDS", 0.001)
    open_journal(started=100.0, wall=170.0)
    until(lambda: runs(state)[0].alive_at == 170.0)
    assert runs(state)[0].ended is None


def test_a_past_run_can_be_read_with_its_apps(
    open_journal: OpenJournal, state: StateDir, make_key: MakeKey, make_result: MakeResult
) -> None:
    journal = open_journal("r1", started=100.0)
    trouble = Trouble("ValidationException", "no\x1b[2J such image", "look\nat it")
    journal.intend(make_key("bob"), "CreateApp", "s1", 101.0)
    journal.intend(make_key("cy"), "CreateApp", "s2", 102.0)
    journal.conclude(make_result("bob"), "s1", 103.0, once=False, counts_as_failure=False)
    journal.conclude(make_result("al", Outcome.FAILED, trouble), "s1", 104.0, once=False, counts_as_failure=True)
    journal.finish("incomplete", 3, 110.0)
    assert run(state, "another") is None
    found = run(state, "r1")
    assert found is not None
    assert (found.run.started, found.run.ended, found.run.result, found.run.exit_code) == (
        100.0,
        110.0,
        "incomplete",
        3,
    )
    assert (found.run.fleet, found.run.version, found.run.summary) == ("ml", "0.1.0", {"created": 1, "failed": 1})
    assert [app.key for app in found.apps] == [make_key("al"), make_key("bob")]
    bad, good = found.apps
    assert (good.action, good.outcome, good.attempts, good.seconds) == ("create", "created", 1, 2.5)
    assert (good.instance_type, good.arn, good.error_code, good.at) == ("system", "arn:x", "", 103.0)
    assert (bad.error_code, bad.error_message, bad.error_hint) == (
        "ValidationException",
        "no\\u001b[2J such image",
        "look at it",
    )
    assert [(intent.key, intent.operation, intent.spec_hash, intent.at) for intent in found.open_intents] == [
        (make_key("cy"), "CreateApp", "s2", 102.0)
    ]


def test_runs_come_newest_first_by_their_number_not_by_their_clock(open_journal: OpenJournal, state: StateDir) -> None:
    for name, fleet, started in (("r1", "ml", 900.0), ("r2", "web", 100.0), ("r3", "ml", 50.0)):
        open_journal(name, fleet, started).finish("converged", 0, started)
    assert [found.run_id for found in runs(state)] == ["r3", "r2", "r1"]
    assert [found.run_id for found in runs(state, fleet="ml")] == ["r3", "r1"]
    assert [found.run_id for found in runs(state, limit=1)] == ["r3"]


def test_durations_are_told_by_type_newest_first(
    open_journal: OpenJournal, state: StateDir, make_result: MakeResult
) -> None:
    for name, seconds in (("r1", 30.0), ("r2", 50.0)):
        journal = open_journal(name)
        journal.conclude(make_result(seconds=seconds), "s1", 1.0, once=False, counts_as_failure=False)
        journal.conclude(make_result("bo", Outcome.FAILED), "s1", 1.0, once=False, counts_as_failure=False)
        journal.conclude(make_result("cy", seconds=0.0), "s1", 1.0, once=False, counts_as_failure=False)
        retried = replace(make_result("di", seconds=500.0), attempts=2)
        journal.conclude(retried, "s1", 1.0, once=False, counts_as_failure=False)
        journal.finish("converged", 0, 2.0)
    assert settle_seconds(state, "ml") == {("JupyterServer", "system"): (50.0, 30.0)}
    assert settle_seconds(state, "web") == {}


def test_old_runs_are_forgotten_and_what_they_taught_is_not(
    nights: Nights, state: StateDir, folder: Path, make_key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "JOURNAL_RUNS_MAX_COUNT", 2)
    nights.one(Outcome.CREATED, once=True)
    nights.one(Outcome.CREATED, fleet="web")
    for _ in range(3):
        nights.failed()
    assert [found.run_id for found in runs(state)] == ["night-5", "night-4", "night-2"]
    assert read_memory(state, "ml").once_done == {make_key()}
    assert read_memory(state, "ml").failures == {make_key(): (3, "s1")}
    connection = sqlite3.connect(folder / "journal.sqlite")
    assert connection.execute("SELECT count(*) FROM outcomes").fetchone() == (3,)
    connection.close()


def test_intents_are_kept_for_runs_that_never_wrote_their_end(
    open_journal: OpenJournal, state: StateDir, make_key: MakeKey
) -> None:
    for name, ends in (("r1", True), ("r2", False), ("r3", True)):
        journal = open_journal(name)
        journal.intend(make_key(name), "CreateApp", "s1", 1.0)
        if ends:
            journal.finish("converged", 0, 2.0)
        journal.close()
    open_journal("r4")
    left = {name: run(state, name) for name in ("r1", "r2", "r3")}
    assert {name: len(found.open_intents) for name, found in left.items() if found} == {"r1": 0, "r2": 1, "r3": 0}


def test_rows_of_a_form_that_is_not_known_are_passed_over(
    open_journal: OpenJournal, state: StateDir, folder: Path, make_result: MakeResult, make_key: MakeKey
) -> None:
    journal = open_journal()
    journal.conclude(make_result(), "s1", 1.0, once=True, counts_as_failure=True)
    journal.intend(make_key("cy"), "CreateApp", "s1", 1.0)
    journal.finish("converged", 0, 2.0)
    connection = sqlite3.connect(folder / "journal.sqlite")
    for table in ("outcomes", "once_done", "streaks", "intents"):
        connection.execute(f"UPDATE {table} SET key = 'another form'")  # noqa: S608 - the names stand above
    connection.commit()
    connection.close()
    memory = read_memory(state, "ml")
    assert (memory.once_done, memory.failures) == (frozenset(), {})
    found = run(state, "r1")
    assert found is not None
    assert (found.apps, found.open_intents) == ((), ())
    assert settle_seconds(state, "ml") == {}


def test_names_that_no_service_would_give_do_not_stop_the_journal(
    open_journal: OpenJournal, state: StateDir, make_result: MakeResult
) -> None:
    """A lone surrogate cannot be written as UTF-8 at all."""
    journal = open_journal()
    journal.conclude(make_result("x\udc80\x00y"), "s1", 1.0, once=False, counts_as_failure=False)
    journal.finish("converged", 0, 2.0)
    assert journal.broken == ""
    found = run(state, "r1")
    assert found is not None
    assert found.apps[0].key.owner == "x\\udc80\\u0000y"


async def test_a_durable_intent_is_readable_by_another_process_when_it_is_said_to_be_there(
    open_journal: OpenJournal, state: StateDir, make_key: MakeKey
) -> None:
    journal = open_journal()
    assert await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
    found = run(state, "r1")
    assert found is not None
    assert [intent.operation for intent in found.open_intents] == ["DeleteApp"]


async def test_a_durable_intent_is_committed_with_a_sync_and_before_the_answer(
    open_journal: OpenJournal, make_key: MakeKey
) -> None:
    """FULL makes SQLite sync the log within COMMIT; other entries are committed without one."""
    journal = open_journal()
    assert journal._writer is not None
    said: list[str] = []
    journal._writer._connection.set_trace_callback(said.append)
    journal.note_domain_size("d-1", 1)
    assert await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
    at_answer = list(said)
    assert at_answer.count("COMMIT") >= 1
    assert at_answer[-1] == "COMMIT"
    durable = len(at_answer) - 1 - at_answer[::-1].index("PRAGMA synchronous = FULL")
    assert any("INSERT INTO intents" in text for text in at_answer[durable:])


def test_an_intent_that_need_not_be_durable_is_committed_without_a_sync(
    open_journal: OpenJournal, make_key: MakeKey
) -> None:
    journal = open_journal()
    assert journal._writer is not None
    said: list[str] = []
    journal._writer._connection.set_trace_callback(said.append)
    journal.intend(make_key(), "CreateApp", "s1", 1.0)
    until(lambda: "COMMIT" in said)
    assert said[0] == "PRAGMA synchronous = NORMAL"
    assert "PRAGMA synchronous = FULL" not in said


async def test_a_waiter_that_is_cancelled_harms_nobody(open_journal: OpenJournal, make_key: MakeKey) -> None:
    journal = open_journal()
    waiting = asyncio.create_task(journal.intend_durably(make_key("a"), "DeleteApp", "s1", 1.0))
    await asyncio.sleep(0)
    waiting.cancel()
    assert await journal.intend_durably(make_key("b"), "DeleteApp", "s1", 1.0)
    journal.finish("interrupted", 130, 2.0)
    assert waiting.cancelled() or waiting.done()
    assert journal.broken == ""


def test_a_loop_that_is_gone_harms_nobody(open_journal: OpenJournal, make_key: MakeKey) -> None:
    journal = open_journal()

    async def leave() -> None:
        task = asyncio.ensure_future(journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    journal.finish("interrupted", 130, 2.0)
    assert journal.broken == ""


async def test_after_its_end_the_journal_takes_nothing_more_and_says_so(
    open_journal: OpenJournal, make_key: MakeKey
) -> None:
    journal = open_journal()
    journal.finish("converged", 0, 2.0)
    journal.close()
    assert journal.broken == ""
    assert not await journal.intend_durably(make_key(), "DeleteApp", "s1", 1.0)
    journal.intend(make_key(), "CreateApp", "s1", 1.0)
    assert journal.broken == "the journal was closed before the last entries came"


def test_a_clean_end_leaves_one_file(open_journal: OpenJournal, folder: Path) -> None:
    open_journal().finish("converged", 0, 2.0)
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "journal.sqlite"]


def test_reading_a_journal_that_cannot_be_read_says_what_to_do(
    open_journal: OpenJournal, state: StateDir, folder: Path
) -> None:
    open_journal().finish("converged", 0, 2.0)
    (folder / "journal.sqlite").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StateError, match=r"journal\.sqlite is damaged: .*Move .* away"):
        read_memory(state, "ml")


def test_the_last_run_that_saw_an_app_is_told_and_one_that_could_not_make_it_saw_none(
    nights: Nights, make_key: MakeKey, state: StateDir
) -> None:
    nights.failed()
    assert last_seen(state, "ml") == {}
    for outcome in (Outcome.CREATED, Outcome.STILL_PENDING, Outcome.PARKED):
        nights.one(outcome)
    nights.one(Outcome.CREATED, fleet="other")
    (found,) = last_seen(state, "ml").items()
    assert (found[0], found[1].at) == (make_key(), 200.0)
    assert found[1].run_id in {"night-2", "night-3"}
    assert last_seen(state, "nobody") == {}
