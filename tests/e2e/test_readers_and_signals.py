"""Readers that do not read, signals at the worst moment, logs that are rotated, locks that are taken away."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli import ask
from engine.cli.main import main
from tests.e2e.harness import (
    POLICY,
    PROCESS_MAX_SECONDS,
    QUICK,
    fleet_text,
    lab_of,
    people,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.harness import Place

MANY = 300  # their report in JSON is larger than any pipe holds by itself
CRAWLING = POLICY.replace("create_rate = 200", "create_rate = 4").replace(
    "create_rate_max = 200", "create_rate_max = 4"
)
SLOW = POLICY.replace("create_rate = 200", "create_rate = 20").replace("create_rate_max = 200", "create_rate_max = 20")


@pytest.fixture
def large(place: Place) -> Place:
    """Return a fleet whose result no pipe takes at once, whatever the kernel lets it hold."""
    names = [f"{'n' * 40}{name}" for name in people(MANY)]
    place.write(fleet_text(names, more='[apps.lab.tags]\nwhy = "' + "x" * 200 + '"\n'))
    return place


@pytest.fixture
def unread() -> Iterator[int]:
    """Yield the writing end of a pipe that nobody reads, full to the brim."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4_096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_pipe_that_nobody_reads_stops_no_run_and_changes_no_exit_code(place: Place, unread: int, stream: str) -> None:
    """The work is done, the lock is free, and the process ends by itself."""
    given: dict[str, Any] = {stream: unread}
    with place.start("apply", "--yes", "--no-wait", "--log-level", "debug", log=False, cold=True, **given) as running:
        ran = running.end()
    assert ran.code == 0, ran.err
    assert place.calls()["CreateApp"] == {"ok": 4}
    if stream == "stdout":
        assert "standard output accepted no more data" in ran.err
    kept = place.run("history", "--format", "json", log=False).report["runs"][0]
    assert (kept["result"], kept["exit_code"]) == ("converged", 0)


def test_one_signal_is_enough_while_a_reader_does_not_read(place: Place, unread: int) -> None:
    with place.start("apply", "--yes", "--no-wait", stdout=unread) as running:
        until(lambda: '"run.finished"' in running.log_text(), "the run ended")
        running.signal(signal.SIGTERM)
        ran = running.end()
    assert ran.code == 0, "the run's own exit code, not that of the signal"


def test_a_terminal_that_is_held_stops_no_run(place: Place) -> None:
    """Ctrl-S: nothing that is written to the terminal goes on, but the run does."""
    ours, theirs = pty.openpty()
    termios.tcflow(theirs, termios.TCOOFF)
    words = ("apply", "--yes", "--no-wait", "--log-level", "debug", "--log-format", "console")
    with place.process(*words, stdin=theirs, stdout=theirs, stderr=theirs, TERM="xterm") as process:
        try:
            assert process.wait(timeout=PROCESS_MAX_SECONDS * 2) == 0
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)
    assert place.calls()["CreateApp"] == {"ok": 4}


def test_a_result_that_a_pager_reads_at_leisure_is_whole(large: Place) -> None:
    """What fits into a pipe at its largest waits there for its reader; the process does not."""
    with large.start("plan", "--format", "json") as running:
        assert running.process.wait(timeout=PROCESS_MAX_SECONDS) == 0
        out, _ = running.process.communicate(timeout=PROCESS_MAX_SECONDS)
    assert len(out) > 65_536
    assert json.loads(out)["summary"]["create"] == MANY


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_behind_the_end_of_a_run_wait_for_its_result(place: Place, number: signal.Signals) -> None:
    with place.start("apply", "--yes", "--no-wait", "--format", "json", cold=True) as running:
        until(lambda: '"run.finished"' in running.log_text(), "the run ended")
        while running.process.poll() is None:
            running.signal(number)
        ran = running.end()
    assert ran.code == 0
    assert ran.report["summary"] == {"created": 4}


def test_a_signal_in_the_middle_is_named_and_those_behind_it_cost_no_result(place: Place) -> None:
    place.write(fleet_text(people(40)), policy=CRAWLING)
    with place.start("apply", "--yes", "--no-wait", "--format", "json") as running:
        until(lambda: running.log_text().count('"app.created"') >= 3, "some are made")
        running.signal(signal.SIGHUP)
        until(lambda: '"run.finished"' in running.log_text(), "the run ended")
        while running.process.poll() is None:
            running.signal(signal.SIGTERM)
        ran = running.end()
    assert ran.code == 130
    assert ran.report["error"]["message"] == "The run was interrupted by SIGHUP"
    (stopped,) = ran.events("run.interrupted")
    assert stopped["signal"] == "SIGHUP"


def test_nohup_keeps_a_run_alive_when_its_terminal_closes(place: Place) -> None:
    place.write(fleet_text(people(40)), policy=SLOW)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does; a child inherits it
    try:
        with place.start("apply", "--yes", "--no-wait", "--format", "json", cold=True) as running:
            until(lambda: running.log_text().count('"app.created"') >= 3, "some are made")
            running.signal(signal.SIGHUP)
            ran = running.end()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert ran.code == 0, ran.err
    assert ran.report["summary"] == {"created": 40}


def test_a_log_file_that_was_rotated_is_opened_again(place: Place) -> None:
    """As logrotate does it: the file is renamed, and the run goes on in a new one of the same name."""
    place.write(fleet_text(people(24)), policy=CRAWLING)  # so that most of it comes after the rename
    log, old = place.folder / "run.jsonl", place.folder / "run.jsonl.1"
    with place.start("--log-file", str(log), "apply", "--yes", "--no-wait", log=False) as running:
        until(lambda: log.exists() and log.read_text().count('"app.created"') >= 3, "some are made")
        log.rename(old)
        until(log.exists, "the log was opened again")
        ran = running.end()
    assert ran.code == 0, ran.err
    assert '"run.started"' in old.read_text()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["event"] == "run.finished"
    both = [json.loads(line) for line in (old.read_text() + log.read_text()).splitlines()]
    assert sum(line["event"] == "app.created" for line in both) == 24


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_run_that_loses_its_lock_makes_no_further_call(place: Place, how: str) -> None:
    place.write(fleet_text(people(40)), policy=CRAWLING)
    lock = place.folder / ".appfleet" / "e2e.lock"
    with place.start("apply", "--yes", "--no-wait", "--format", "json", "--log-level", "debug") as running:
        until(lambda: running.log_text().count('"app.created"') >= 3, "some are made")
        lock.unlink()
        if how == "replaced":
            lock.write_text("")
            lock.chmod(0o600)
        ran = running.end()
    assert ran.code == 1
    assert ran.report["result"] == "failed"
    assert ran.report["error"]["code"] == "AF504"
    assert str(lock) in ran.report["error"]["message"]
    names = [event["event"] for event in ran.events()]
    assert max(n for n, name in enumerate(names) if name == "app.create_started") < names.index("run.interrupted")
    assert len(ran.report["apps"]) == 40
    assert {app["error"]["code"] for app in ran.report["apps"] if app["outcome"] == "skipped"} == {"lock_lost"}
    place.write(fleet_text(people(40)))
    again = place.apply("--no-wait")
    assert again.code == 0
    assert place.stats()["create_for_live_key"] == 0


def test_a_quarantined_app_is_in_the_log_by_name_with_why(place: Place) -> None:
    place.write(fleet_text(["ana"]), policy=POLICY + "[safety]\nquarantine_after = 1\n")
    place.scenario(QUICK + '[[failure]]\nreason = "lifecycle"\n')
    first = place.apply()
    assert first.code == 3
    ran = place.apply()
    assert ran.code == 3
    (skipped,) = ran.events("app.skipped")
    assert (skipped["key"], skipped["code"], skipped["runs"]) == (lab_of("ana"), "quarantined", 1)
    assert skipped["last_run"] == first.report["run_id"]
    message = ran.report["apps"][0]["error"]["message"]
    assert "failed in 1 run in a row" in message
    assert first.report["run_id"] in message
    assert "LifecycleConfig execution failed" in message


def test_every_app_of_a_denied_plan_is_in_the_log_by_name(place: Place) -> None:
    place.write(fleet_text(people(4)), policy=POLICY + "[safety]\ncreate_max = 3\n")
    ran = place.apply()
    assert ran.code == 4
    assert {event["key"] for event in ran.events("app.skipped")} == {lab_of(name) for name in people(4)}


class SlowPerson(io.StringIO):
    """A person at a terminal who takes two hours for each answer, by the clocks of this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.taken_s = 0.0
        for name, clock in (("time", time.time), ("monotonic", time.monotonic)):
            monkeypatch.setattr(time, name, lambda clock=clock: clock() + self.taken_s)
        monkeypatch.setattr("engine.app.apply.now", lambda: datetime.fromtimestamp(time.time(), UTC))
        monkeypatch.setattr(ask, "can_ask", lambda: True)
        monkeypatch.setattr(sys, "stdin", self)

    def readline(self, _size: int = -1, /) -> str:  # type: ignore[override]
        self.taken_s += 7_200.0
        return "yes\n"


def test_time_at_the_question_is_not_time_of_the_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The deadline is shorter than a person thinks; what was asked for is done all the same."""
    monkeypatch.chdir(place.folder)
    with monkeypatch.context() as patched:
        person = SlowPerson(patched)
        words = ("apply", "--simulate", "--no-wait", "--deadline", "1h", "--format", "json")
        assert main(words) == 0
    report = json.loads(capfd.readouterr().out)
    assert person.taken_s == 7_200.0
    assert report["summary"] == {"created": 4}
    assert main(("history", "--format", "json")) == 0
    (kept,) = json.loads(capfd.readouterr().out)["runs"]
    assert report["seconds"] < 3_600.0
    assert kept["seconds"] < 3_600.0
    assert kept["started"] >= report["started"]


def test_a_journal_that_cannot_be_opened_is_an_event_and_a_note_with_what_to_do(place: Place) -> None:
    folder = place.folder / ".appfleet"
    assert place.apply("--no-wait").code == 0
    for path in folder.glob("journal.sqlite*"):
        path.unlink()
    (folder / "journal.sqlite").write_bytes(b"")
    newer = (
        "import sqlite3; db = sqlite3.connect('.appfleet/journal.sqlite'); db.execute('PRAGMA user_version = 999'); "
    )
    newer += "db.execute('PRAGMA application_id = 1634758758'); db.execute('CREATE TABLE t (x)'); db.commit()"
    subprocess.run([sys.executable, "-c", newer], cwd=place.folder, check=True, timeout=PROCESS_MAX_SECONDS)
    ran = place.apply("--no-wait")
    assert ran.code == 0
    (failed,) = ran.events("journal.failed")
    assert "newer appfleet" in failed["message"]
    assert "--state-dir" in failed["hint"]
    (note,) = [note for note in ran.report["notes"] if "newer appfleet" in note]
    assert "quarantine" in note
    assert "--state-dir" in note
    assert "Free some space" not in note  # it would not help
    refused = place.run("history", log=False)
    assert "newer appfleet" in refused.err
    assert refused.err.count("pgrade appfleet") == 1
    assert "afresh" not in refused.err


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("apply", "--help")])
def test_help_that_cannot_be_written_ends_with_1_and_no_traceback(place: Place, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full, place.start(*words, log=False, stdout=full, cold=True) as running:  # noqa: PTH123
        ran = running.end()
    assert ran.code == 1
    assert ran.err == "appfleet: the result could not be written to standard output: No space left on device\n"
