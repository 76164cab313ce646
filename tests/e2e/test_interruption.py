"""Runs that are stopped: by a signal, by their deadline, by a kill, by credentials that end; nothing is lost by it."""

from __future__ import annotations

import os
import pty
import signal
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.adapters.state.journal_reader import runs
from engine.adapters.state.lock import FleetLock, Holder
from engine.adapters.state.state_dir import StateDir
from engine.core.limits import JOURNAL_ALIVE_SECONDS
from tests.e2e.harness import POLICY, PROCESS_MAX_SECONDS, QUICK, fault, fleet_text, lab_of, people, shown, until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.e2e.harness import Place, Ran, Running

MANY = 40
SECOND_AFTER_SECONDS = 0.2  # as POLICY has it


def at_rate(calls_per_second: int) -> str:
    """Return a policy with a fixed rate of creates."""
    return POLICY.replace("_rate = 200\ncreate", f"_rate = {calls_per_second}\ncreate").replace(
        "create_rate_max = 200", f"create_rate_max = {calls_per_second}"
    )


SLOW = at_rate(20)
# So slow that a busy machine has looked, and acted, long before the last of MANY is called.
CRAWLING = at_rate(4)


@pytest.fixture
def slow(place: Place) -> Place:
    """Return a fleet whose creates take about two seconds."""
    place.write(fleet_text(people(MANY)), policy=SLOW)
    return place


@pytest.fixture
def crawling(place: Place) -> Place:
    """Return a fleet whose creates take about ten seconds: what happens in the middle of them does, on any machine."""
    place.write(fleet_text(people(MANY)), policy=CRAWLING)
    return place


def finish(place: Place) -> Ran:
    """Run once more, at full speed, what was left."""
    place.write(fleet_text(people(MANY)))
    return place.apply("--no-wait")


@pytest.fixture
def endless(place: Place) -> Place:
    """Return a world whose listings are never answered in time."""
    place.scenario(QUICK + "answer = 300\n")
    return place


def created(running: Running, count: int) -> None:
    """Wait until a run has created so many."""
    until(lambda: running.log_text().count('"app.created"') >= count, f"{count} apps were created")


def asked(place: Place) -> None:
    """Wait until a call is under way that is not answered."""
    until(lambda: place.within(lambda world: world.stats.in_flight) == 1, "a call is under way")


def check_all_told(ran: Ran, place: Place) -> None:
    """Every app has one outcome, and what the service accepted is what the run says that it created."""
    assert len(ran.report["apps"]) == MANY
    assert sum(ran.report["summary"].values()) == MANY
    assert ran.report["summary"].get("created", 0) == place.calls().get("CreateApp", {}).get("ok", 0)
    assert ran.events("run.finished")[0]["exit_code"] == ran.code


def check_nothing_called_after_the_stop(ran: Ran) -> None:
    """The log of every call shows none that began after the run was told to stop."""
    names = [event["event"] for event in ran.events()]
    last_call = max((place for place, name in enumerate(names) if name == "app.create_started"), default=-1)
    assert last_call < names.index("run.interrupted")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_130_at_a_signal_with_what_was_in_flight_finished(crawling: Place, number: signal.Signals) -> None:
    """Row 39 and row 41: no new calls, calls in flight end by themselves, and the result is whole."""
    with crawling.start("apply", "--yes", "--no-wait", "--format", "json", "--log-level", "debug") as running:
        created(running, 3)
        running.signal(number)
        ran = running.end()
    assert ran.code == 130, ran.err
    assert ran.report["result"] == "interrupted"
    check_all_told(ran, crawling)
    assert ran.report["summary"]["created"] >= 3
    assert ran.report["summary"]["interrupted"] >= 1
    check_nothing_called_after_the_stop(ran)
    assert "Traceback" not in ran.err
    if number is signal.SIGINT:
        again = finish(crawling)
        assert again.code == 0
        assert again.events("run.waited") == []
        assert crawling.stats()["create_for_live_key"] == 0
        assert crawling.calls()["CreateApp"] == {"ok": MANY}


def test_a_second_signal_does_not_wait_for_calls_in_flight(place: Place) -> None:
    """Row 40: the calls under way are given up, each told as interrupted, and the next run finds what they did."""
    place.scenario(QUICK + fault("stall-after", "CreateApp"))
    with place.start("apply", "--yes", "--format", "json") as running:
        until(lambda: place.calls().get("CreateApp", {}).get("fault:stall-after") == 4, "four calls hang")
        running.signal(signal.SIGINT)
        until(lambda: '"run.interrupted"' in running.log_text(), "the first signal was taken")
        assert running.process.poll() is None
        running.signal(signal.SIGINT)
        ran = running.end()
    assert ran.code == 130
    assert ran.report["summary"] == {"interrupted": 4}
    assert all("may have been carried out" in app["error"]["message"] for app in ran.report["apps"])
    place.scenario(QUICK)
    again = place.apply("--no-wait")
    assert (again.code, again.report["summary"]) == (0, {"unchanged": 4})
    assert place.stats()["create_for_live_key"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_130_at_a_signal_while_it_lists(endless: Place, number: signal.Signals) -> None:
    """Row 39."""
    with endless.start("apply", "--yes", "--format", "json", cold=True) as running:
        asked(endless)
        running.signal(number)
        ran = running.end()
    assert ran.code == 130, ran.err
    assert ran.report["result"] == "interrupted"
    assert ran.report["summary"] == {"interrupted": 4}
    assert "nothing was changed" in ran.report["apps"][0]["error"]["message"]
    assert ran.report["calls"] == {"GetCallerIdentity": {"ok": 1}, "ListApps": {"cancelled": 1}}
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(("command", "number"), [("plan", signal.SIGINT), ("status", signal.SIGTERM)])
def test_130_at_a_signal_for_what_only_looks(endless: Place, command: str, number: signal.Signals) -> None:
    with endless.start(command) as running:
        asked(endless)
        running.signal(number)
        ran = running.end()
    assert ran.code == 130
    assert ran.out == ""
    assert ran.err.splitlines()[-1] == "appfleet: interrupted"
    assert "Traceback" not in ran.err


def test_130_at_a_signal_while_it_waits_for_the_lock(place: Place) -> None:
    holder = Holder.of_this_process("other-run", "apply", now=time.time())
    with StateDir.open(place.folder / ".appfleet", create=True) as state:
        lock = FleetLock(state, "e2e")
        assert lock.try_acquire(holder)
        try:
            with place.start("apply", "--yes", "--format", "json", "--lock-timeout", "1h") as running:
                until(lambda: _waits_for_lock(running), "it waits")
                running.signal(signal.SIGTERM)
                ran = running.end()
        finally:
            lock.release()
    assert ran.code == 130, ran.err
    assert ran.report["summary"] == {"interrupted": 4}
    assert place.calls() == {}


def _waits_for_lock(running: Running) -> bool:
    """Whether the process has its state folder open, so that a signal is one to the run."""
    opened = Path(f"/proc/{running.process.pid}/fd").iterdir()
    return any(_goal(path).endswith(".appfleet") for path in opened)


def _goal(path: Path) -> str:
    """Return what a descriptor leads to; nothing, where it was closed meanwhile."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def test_3_at_the_deadline_with_nothing_called_after_it(place: Place) -> None:
    """What was not begun by then is skipped, with the reason, and is done by the next run.

    How much was begun by then is the machine's affair; it may be nothing. A machine so busy that the deadline comes
    before the plan gets a longer one.
    """
    place.write(fleet_text(people(MANY)), policy=at_rate(1))
    for deadline in ("5s", "10s", "20s", "35s"):
        ran = place.apply("--no-wait", "--deadline", deadline, "--log-level", "debug")
        if ran.events("plan.computed"):
            break
    assert ran.code == 3, ran.err
    check_all_told(ran, place)
    skipped = [app["error"] for app in ran.report["apps"] if app["outcome"] == "skipped"]
    assert skipped
    assert {error["code"] for error in skipped} == {"deadline"}
    assert all("--deadline" in error["hint"] for error in skipped)
    check_nothing_called_after_the_stop(ran)
    again = finish(place)
    assert (again.code, place.calls()["CreateApp"]) == (0, {"ok": MANY})


def test_1_when_the_deadline_comes_before_everything_is_listed(endless: Place) -> None:
    ran = endless.apply("--deadline", "1s")
    assert ran.code == 1
    assert ran.report["summary"] == {"skipped": 4}
    (error,) = ran.report["errors"]
    assert error["code"] == "deadline"
    assert "(1s)" in error["message"]
    (endless.folder / "policies" / "execution.toml").write_text('[execution]\ndeadline = "1s"\n')
    looked = endless.run("plan")
    assert looked.code == 1
    assert "error AF412" in looked.err
    assert "deadline" in looked.err


def logged_at(event: dict[str, Any]) -> float:
    """Return when an event was logged, in epoch seconds."""
    return datetime.fromisoformat(event["ts"]).timestamp()


def check_what_was_in_flight_could_show(again: Ran, place: Place) -> None:
    """Before the run `again` planned it had waited, or so long had passed since its killed predecessor could live."""
    with StateDir.open(place.folder / ".appfleet", create=False) as state:
        _, killed = runs(state, limit=2)
    assert killed.ended is None
    shown_at = [killed.alive_at + JOURNAL_ALIVE_SECONDS + SECOND_AFTER_SECONDS]  # a slow machine is as late by itself
    shown_at += [logged_at(waited) + SECOND_AFTER_SECONDS for waited in again.events("run.waited")]
    assert logged_at(again.events("plan.computed")[0]) >= min(shown_at)


@pytest.mark.parametrize("after", [1, 14, 33])
def test_a_killed_run_is_carried_on_by_the_next_one(slow: Place, after: int) -> None:
    """Row 42: after kill -9 at any moment nothing has to be repaired, nothing is lost, and nothing is made twice."""
    slow.scenario(QUICK.replace("app_pending = 0.05", "app_pending = 3600"))  # it cannot end before it is killed
    with slow.start("apply", "--yes", cold=after == 14) as running:
        created(running, after)
        running.signal(signal.SIGKILL)
        assert running.end().code == -signal.SIGKILL
    slow.scenario(QUICK)
    slow.settle()
    again = slow.apply("--no-wait")
    assert again.code == 0, again.err
    check_what_was_in_flight_could_show(again, slow)
    summary = again.report["summary"]
    assert summary.get("created", 0) + summary["unchanged"] == MANY
    counted = slow.stats()
    assert counted["create_for_live_key"] == 0
    assert counted["calls"]["CreateApp"] == {"ok": MANY}
    until(lambda: all(slow.status_of(lab_of(name)) == "InService" for name in people(MANY)), "all are in service")


def test_1_when_the_credentials_expire_in_the_middle(crawling: Place) -> None:
    """Row 18: the lane stops with one error after its calls in flight; what is left is skipped."""
    with crawling.start("apply", "--yes", "--no-wait", "--format", "json") as running:
        created(running, 3)
        crawling.scenario(QUICK + fault("expired-credentials", "*"))
        ran = running.end()
    assert ran.code == 1
    assert ran.report["result"] == "failed"
    check_all_told(ran, crawling)
    (stopped,) = ran.events("lane.stopped")
    (error,) = ran.report["errors"]
    assert "no more calls in account 111122223333, region eu-west-1: " in error["message"]
    assert "expired" in error["message"]
    assert error["hint"]
    assert stopped["hint"] == error["hint"]
    refused = ran.report["calls"]["CreateApp"]["credentials_failed"]
    assert 1 <= refused <= 16  # those in flight
    assert ran.report["summary"]["skipped"] == MANY - ran.report["summary"]["created"]
    crawling.scenario(QUICK + "answer = 0\n")
    assert finish(crawling).code == 0
    assert crawling.stats()["create_for_live_key"] == 0


# With somebody at a terminal.


@contextmanager
def at_a_terminal(place: Place, *, cold: bool = False) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Begin an apply that asks; give the process and the terminal's other end."""
    ours, theirs = pty.openpty()
    words = ("apply", "--no-wait", "--format", "json", "--log-file", "log.jsonl")
    with place.process(*words, stdin=theirs, stderr=theirs, cold=cold, TERM="dumb") as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def test_it_asks_and_takes_only_the_whole_word(place: Place) -> None:
    with at_a_terminal(place, cold=True) as (process, terminal):
        screen = shown(terminal, process, "is accepted: ")
        os.write(terminal, b"y\n")
        out, _ = process.communicate(timeout=PROCESS_MAX_SECONDS)
    assert process.returncode == 1
    assert '"AF303"' in out
    assert "4 to create" in screen
    assert lab_of("u000") in screen or "u000-lab" in screen
    assert "CreateApp" not in place.calls()
    with at_a_terminal(place) as (process, terminal):
        shown(terminal, process, "is accepted: ")
        os.write(terminal, b"yes\n")
        out, _ = process.communicate(timeout=PROCESS_MAX_SECONDS)
    assert process.returncode == 0
    assert '"created": 4' in out
    assert "run.waited" not in (place.folder / "log.jsonl").read_text(), "an answer of no is a clean end"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_question_is_130_and_changes_nothing(place: Place, number: signal.Signals) -> None:
    with at_a_terminal(place) as (process, terminal):
        shown(terminal, process, "is accepted: ")
        process.send_signal(number)
        out, _ = process.communicate(timeout=PROCESS_MAX_SECONDS)
    assert process.returncode == 130
    assert number.name in out
    assert "CreateApp" not in place.calls()
