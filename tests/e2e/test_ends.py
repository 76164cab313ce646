"""Every kind of end in every channel: log, standard output, standard error, journal, metrics, exit code."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from engine.adapters.state.lock import FleetLock, Holder
from engine.adapters.state.state_dir import StateDir
from tests.e2e.harness import (
    ACCOUNT,
    POLICY,
    PROCESS_MAX_SECONDS,
    QUICK,
    Ran,
    fault,
    fleet_text,
    people,
    shown,
    until,
)
from tools.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.harness import Place

DENYING = """
[[rule]]
id = "small-labs"
enforcement = "mandatory"
check = 'instance_type == "ml.t3.small"'
message = "{instance_type} is not small"
"""
NO_CREDENTIALS: dict[str, Any] = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}


@dataclass(frozen=True)
class End:
    """How a run is brought to an end, and what every channel then says. `began`: it got as far as its journal."""

    exit_code: int
    result: str
    code: str
    says: str
    prepare: Callable[[Place], None] = lambda _: None
    words: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    kept: bool = True  # history can know of it: its state folder may be used


def _policy(text: str) -> Callable[[Place], None]:
    return lambda place: place.write(fleet_text(people(4)), policy=text)


def _file(name: str, text: str) -> Callable[[Place], None]:
    def write(place: Place) -> None:
        (place.folder / name).write_text(text)

    return write


def _break_fleet(place: Place) -> None:
    path = place.folder / "fleet.toml"
    path.write_text("[[[\n" + path.read_text())


def _no_domain(place: Place) -> None:
    place.within(lambda world: world.domains.clear())


def _group_folder(place: Place) -> None:
    folder = place.folder / "elsewhere"
    folder.mkdir()
    (folder / "a-project-file").write_text("")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


EXPIRED = QUICK + fault("expired-credentials", "*")
NO_ANSWER = QUICK + "answer = 300\n"
ALL_FAIL = QUICK + '[[failure]]\nreason = "lifecycle"\n'
ENDS = {
    "no credentials": End(1, "failed", "AF409", "no credentials", environment=NO_CREDENTIALS),
    "expired at the start": End(1, "failed", "AF409", "expired", lambda place: place.scenario(EXPIRED)),
    "wrong account": End(
        1, "failed", "AF503", ACCOUNT, lambda place: place.within(lambda w: setattr(w, "account", "999988887777"))
    ),
    "no such domain there": End(1, "failed", "", "research", _no_domain),
    "unreachable": End(
        1,
        "failed",
        "AF410",
        "127.0.0.1",
        _policy(POLICY.replace('give_up_after = "20s"', 'give_up_after = "0s"')),
        environment={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{_free_port()}"},
    ),
    "broken fleet": End(64, "failed", "AF102", "fleet.toml:1", _break_fleet),
    "broken policy": End(64, "failed", "AF201", "rules.toml", _file("policies/rules.toml", "[[rule]]\nid = 1\n")),
    "denied by a rule": End(
        4, "denied", "AF301", "is not small", lambda place: place.write(fleet_text(people(4)), rules=DENYING)
    ),
    "denied by a guardrail": End(4, "denied", "AF301", "create_max", _policy(POLICY + "[safety]\ncreate_max = 3\n")),
    "deadline before a plan": End(
        1, "failed", "deadline", "deadline", lambda place: place.scenario(NO_ANSWER), ("--deadline", "1s")
    ),
    "state folder refused": End(
        1, "failed", "AF502", "elsewhere", _group_folder, ("--state-dir", "elsewhere"), kept=False
    ),
    "a flag that there is not": End(64, "failed", "AF101", "--nonsense", words=("--nonsense",)),
    "a duration that is none": End(64, "failed", "AF101", "--lock-timeout", words=("--lock-timeout", "soon")),
    "a saved plan that is not there": End(64, "failed", "AF101", "no-plan.json", words=("no-plan.json",)),
    "apps that fail": End(
        3, "incomplete", "incomplete", "failed", lambda place: place.scenario(ALL_FAIL)
    ),
}  # fmt: skip


@pytest.fixture
def run_before(place: Place) -> Place:
    """Return a fleet that ran well once, so that its journal and its metrics know something that must not be lost."""
    place.write(fleet_text(["zoe"]))
    assert place.apply("--no-wait", "--metrics-file", "m.prom").code == 0
    place.write(fleet_text(people(4)))
    return place


def last_line(ran: Ran) -> dict[str, Any]:
    """Return the last line of the log."""
    return ran.events()[-1]


def check_log(ran: Ran, end: End, run_id: str) -> None:
    line = last_line(ran)
    assert line["event"] == "run.finished"
    assert (line["level"], line["result"], line["exit_code"]) == ("error", end.result, end.exit_code)
    assert line["run_id"] == run_id
    assert end.code in line["code"]
    assert line["code"]
    assert end.says in line["message"] + line.get("hint", "")
    assert {event["run_id"] for event in ran.events()} == {run_id}


def check_journal(place: Place, end: End, run_id: str, message: str) -> None:
    history = place.run("history", "--format", "json", log=False)
    newest = history.report["runs"][0]
    assert (newest["run_id"], newest["exit_code"]) == (run_id, end.exit_code)
    assert newest["error"]["message"] == message
    told = place.run("history", log=False).out
    page = place.run("report", run_id, log=False)
    assert page.code == 0, page.err
    if end.result == "failed":
        assert end.says in told, "history says why"
        assert end.says in page.out, "and so does the report"


def check_metrics(place: Place, end: End) -> None:
    text = (place.folder / "m.prom").read_text()
    assert f'appfleet_last_run_exit_code{{fleet="e2e"}} {float(end.exit_code)}' in text
    assert 'appfleet_last_success_timestamp_seconds{fleet="e2e"} 0.0' not in text, "the last success is still known"
    assert 'appfleet_last_run_findings{enforcement="remediate",fleet="e2e"} 0.0' in text


@pytest.mark.parametrize("name", ENDS)
def test_every_end_tells_itself_in_every_channel(run_before: Place, name: str) -> None:
    place, end = run_before, ENDS[name]
    end.prepare(place)
    given = ["apply", "--format", "json", "--metrics-file", "m.prom", *end.words]
    ran = place.run(*given, *(() if "no-plan.json" in end.words else ("--yes",)), **end.environment)
    assert ran.code == end.exit_code, ran.err
    document = ran.report
    Draft202012Validator(SCHEMAS["apply"]()).validate(document)
    assert (document["result"], document["exit_code"]) == (end.result, end.exit_code)
    assert end.says in document["error"]["message"] + document["error"]["hint"]
    assert end.code in document["error"]["code"]
    assert ran.err.splitlines()[-1].startswith("appfleet: ")
    assert end.says in ran.err
    assert "Traceback" not in ran.err
    check_log(ran, end, document["run_id"])
    check_metrics(place, end)
    if end.kept:
        check_journal(place, end, document["run_id"], document["error"]["message"])


@pytest.mark.parametrize("name", ["wrong account", "broken fleet", "denied by a rule", "apps that fail"])
@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_standard_output_has_the_end_in_the_format_that_was_asked_for(place: Place, name: str, format_: str) -> None:
    end = ENDS[name]
    end.prepare(place)
    ran = place.run("apply", "--yes", "--format", format_, **end.environment)
    assert ran.code == end.exit_code
    assert end.result in ran.out
    assert end.says in ran.out.replace("`", "")
    if format_ == "markdown":
        assert ran.out.startswith("### Fleet")


@pytest.mark.parametrize("words", [(), ("--nonsense",)])
def test_a_folder_that_is_refused_gets_no_journal(place: Place, words: tuple[str, ...]) -> None:
    project = place.folder / "project"
    project.mkdir()
    (project / "notes.txt").write_text("")
    ran = place.run("apply", "--yes", "--state-dir", "project", *words)
    assert ran.code == (64 if words else 1)
    assert [path.name for path in project.iterdir()] == ["notes.txt"]


def test_a_lock_that_is_held_is_told_in_every_channel(run_before: Place) -> None:
    place = run_before
    with StateDir.open(place.folder / ".appfleet") as state:
        lock = FleetLock(state, "e2e")
        assert lock.try_acquire(Holder.of_this_process("other-run", "apply", now=time.time()))
        ran = place.apply("--metrics-file", "m.prom")
        lock.release()
    end = End(5, "failed", "AF501", "other-run")
    assert ran.code == 5
    assert ran.report["error"]["code"] == "AF501"
    check_log(ran, end, ran.report["run_id"])
    check_metrics(place, end)
    check_journal(place, end, ran.report["run_id"], ran.report["error"]["message"])


def test_a_bug_is_told_in_every_channel(run_before: Place) -> None:
    """A contradiction of our own: here a module of the product that is broken."""
    place = run_before
    (place.folder / "sitecustomize.py").write_text(
        "import engine.config.fleet.fleet_file as broken\ndef load(*_):\n    raise ZeroDivisionError('secret text')\n"
        "broken.load_fleet = load\n"
    )
    root = os.getcwd()  # noqa: PTH109 - where the product is imported from
    ran = place.apply("--metrics-file", "m.prom", PYTHONPATH=f"{place.folder}:{root}")
    assert ran.code == 70
    assert ran.report["error"]["code"] == "AF901"
    assert "secret text" not in ran.out + ran.err + ran.log
    end = End(70, "failed", "AF901", "ZeroDivisionError")
    check_log(ran, end, ran.report["run_id"])
    check_metrics(place, end)
    check_journal(place, end, ran.report["run_id"], ran.report["error"]["message"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_a_plan_is_told_by_its_name(run_before: Place, number: signal.Signals) -> None:
    place = run_before
    place.scenario(NO_ANSWER)
    with place.start("apply", "--yes", "--format", "json", "--metrics-file", "m.prom") as running:
        until(lambda: place.within(lambda world: world.stats.in_flight) == 1, "a call is under way")
        running.signal(number)
        ran = running.end()
    assert ran.code == 130
    (stopped,) = ran.events("run.interrupted")
    assert stopped["signal"] == number.name
    assert number.name in stopped["cause"]
    end = End(130, "interrupted", "interrupted", number.name)
    check_log(ran, end, ran.report["run_id"])
    check_metrics(place, end)
    check_journal(place, end, ran.report["run_id"], ran.report["error"]["message"])


@pytest.mark.parametrize("command", ["plan", "status"])
@pytest.mark.parametrize("name", ["no credentials", "wrong account", "broken fleet", "a flag that there is not"])
def test_what_only_looks_tells_its_end_too(place: Place, command: str, name: str) -> None:
    end = ENDS[name]
    end.prepare(place)
    ran = place.run(command, "--format", "json", *end.words, **end.environment)
    assert ran.code == end.exit_code
    assert ran.report["result"] == "failed"
    assert ran.report["complete"] is False
    Draft202012Validator(SCHEMAS["failure"]()).validate(ran.report)
    assert end.says in ran.report["error"]["message"]
    check_log(ran, end, ran.report["run_id"])
    assert not (place.folder / ".appfleet").exists(), "what only looks leaves nothing behind"


def test_a_look_that_is_well_ends_its_log_with_its_end(place: Place) -> None:
    ran = place.run("plan", "--detailed-exitcode")
    assert ran.code == 2
    line = last_line(ran)
    assert (line["event"], line["level"], line["result"], line["exit_code"]) == ("run.finished", "info", "done", 2)


def test_json_on_standard_error_stays_json_to_its_last_line(place: Place) -> None:
    for words in (("--yes",), ("--nonsense",)):
        ran = place.run("--log-format", "json", "apply", *words, log=False, **NO_CREDENTIALS)
        lines = [json.loads(line) for line in ran.err.splitlines()]
        assert lines[-1]["event"] == "run.finished"
        assert lines[-1]["exit_code"] == ran.code


def test_every_problem_of_a_broken_file_is_in_the_log_and_in_the_result(place: Place) -> None:
    place.folder.joinpath("fleet.toml").write_text(fleet_text(["a lice"], more="[apps.x]\ntyp = 1\n"))
    ran = place.apply()
    problems = ran.events("problem.found")
    assert len(problems) >= 2
    assert {problem["source"].split(":")[0] for problem in problems} == {"fleet.toml"}
    assert len(ran.report["errors"]) == len(problems)  # each once


@pytest.mark.parametrize(("typed", "exit_code"), [(b"y\n", 1), (b"no\n", 1), (b"", 130)])
def test_an_answer_of_no_and_a_signal_at_the_question_are_told(run_before: Place, typed: bytes, exit_code: int) -> None:
    place = run_before
    ours, theirs = pty.openpty()
    words = ("apply", "--format", "json", "--metrics-file", "m.prom", "--log-file", "log.jsonl")
    with place.process(*words, stdin=theirs, stderr=theirs, TERM="dumb") as process:
        try:
            shown(ours, process, "accepted: ")
            if typed:
                os.write(ours, typed)
            else:
                process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=PROCESS_MAX_SECONDS)
            screen = shown(ours, process)
        finally:
            process.kill()
            os.close(theirs)
            os.close(ours)
    ran = Ran(process.returncode, out, screen, (place.folder / "log.jsonl").read_text())
    assert ran.code == exit_code
    said = "Not applied" if typed else "interrupted"
    assert said in screen
    assert ran.report["exit_code"] == exit_code
    assert said in ran.report["error"]["message"]
    end = End(exit_code, ran.report["result"], "", said)
    check_log(ran, end, ran.report["run_id"])
    check_metrics(place, end)
    newest = place.run("history", "--format", "json", log=False).report["runs"][0]
    assert newest["result"] == ("declined" if typed else "interrupted")
    assert said in newest["error"]["message"]
