"""Commands: which flags reach the engine, what is written where, and with which exit code."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.app.options import AppOptions
from engine.cli import ask, output
from engine.cli.context import Globals
from engine.cli.sinks import Sinks
from engine.core.change import Action, OwnerChange, OwnerReason
from engine.core.identity import Owner
from engine.core.log_options import LogFormat, LogLevel
from engine.core.outcome import AppResult, Outcome
from engine.core.trouble import Trouble
from engine.ports import events
from tests.fleets import LAB, key_of
from tests.unit.render.samples import a_plan, a_report, a_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.cli.conftest import Engine, Ran

    Run = Callable[..., Ran]


END = (
    "incomplete (exit code 3): 2 parked, 1 failed of 5 apps. "
    "Such as research/space/bob-lab/JupyterLab/default: ResourceLimitExceeded: the quota is full"
)


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, typed: str = "") -> None:
        super().__init__(io.BytesIO(typed.encode()), encoding="utf-8")

    def isatty(self) -> bool:
        return True


@pytest.fixture
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    """Put the user in front of a terminal on which `typed` is typed; give what stands on the screen."""

    def sit_down(typed: str) -> Terminal:
        screen = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        monkeypatch.setattr(sys, "stderr", screen)
        return screen

    return sit_down


def test_plan_prints_the_plan_and_ends_0(engine: Engine, run: Run) -> None:
    ran = run("plan")
    assert ran.code == 0
    assert "Plan: 2 to create, 1 to replace, 2 to delete" in ran.out
    assert "To apply this plan: appfleet apply\n" in ran.out
    assert ran.err == ""
    assert engine.options.run_id


def test_plan_as_json_is_the_plan_and_nothing_else(engine: Engine, run: Run) -> None:
    ran = run("plan", "--format", "json")
    assert json.loads(ran.out) == engine.plan.to_json()


def test_plan_as_markdown(engine: Engine, run: Run) -> None:
    assert run("plan", "--format=markdown").out.startswith("### Plan: ")
    assert engine.asked is not None


@pytest.mark.parametrize(
    ("more", "arguments", "code"),
    [
        ({}, ["--detailed-exitcode"], 2),
        ({"decisions": ()}, ["--detailed-exitcode"], 0),
        ({"denied": True}, ["--detailed-exitcode"], 4),
        ({"denied": True, "complete": False}, [], 1),
        ({"complete": False}, [], 1),
    ],
)
def test_the_exit_code_of_a_plan(
    engine: Engine, run: Run, more: dict[str, Any], arguments: list[str], code: int
) -> None:
    engine.plan = a_plan(**more)
    assert run("plan", *arguments).code == code


def test_every_flag_reaches_the_engine(engine: Engine, run: Run, tmp_path: Path) -> None:
    run(
        "-f", "x/fleet.toml", "--state-dir", str(tmp_path), "apply", "--yes", "--endpoint-url", "http://127.0.0.1:1",
        "--team", "a", "--team", "b*", "--domain", "d", "--user", "u", "--space", "s", "--app-type", "Canvas",
        "--key", LAB, "--simulate", "--prune", "--replace", "--replace", LAB, "--retry-quarantined",
        "--allow-destructive", "research/*=2", "--no-wait", "--deadline", "2h", "--lock-timeout", "1.5m",
    )  # fmt: skip
    asked = engine.options
    assert str(asked.fleet_file) == "x/fleet.toml"
    assert asked.state_dir == tmp_path
    assert asked.endpoint_url == "http://127.0.0.1:1"
    assert asked.selectors.pairs() == (
        ("app-type", "Canvas"), ("domain", "d"), ("key", LAB), ("space", "s"), ("team", "a"), ("team", "b*"),
        ("user", "u"),
    )  # fmt: skip
    assert (asked.simulate, asked.request.prune, asked.request.replace_on_drift) == ("", True, True)
    assert asked.request.replace_keys == {key_of(LAB)}
    assert asked.request.retry_quarantined
    assert asked.request.allow_destructive == ("research/*=2",)
    assert (asked.wait, asked.deadline_s, asked.lock_timeout_s) == (False, 7200.0, 90.0)


def test_without_flags_the_engine_gets_the_defaults(engine: Engine, run: Run) -> None:
    run("apply", "--yes")
    asked = engine.options
    assert (str(asked.fleet_file), asked.state_dir, asked.endpoint_url) == ("fleet.toml", None, None)
    assert asked.selectors.is_empty
    assert (asked.simulate, asked.request.prune, asked.request.replace_on_drift, asked.request.replace_keys) == (
        None,
        False,
        False,
        frozenset(),
    )
    assert (asked.wait, asked.deadline_s, asked.lock_timeout_s) == (True, None, 0.0)


def test_the_plan_names_the_command_that_makes_it_so(engine: Engine, run: Run) -> None:
    ran = run(
        "plan", "-f", "my fleet.toml", "--state-dir", "s", "--endpoint-url", "http://127.0.0.1:1", "--team", "a*",
        "--simulate=s.toml", "--prune", "--replace", "--replace", LAB, "--retry-quarantined",
        "--allow-destructive", LAB,
    )  # fmt: skip
    assert (
        "To apply this plan: appfleet -f 'my fleet.toml' --state-dir s --endpoint-url http://127.0.0.1:1 apply "
        f"--simulate=s.toml --team 'a*' --prune --replace --replace {LAB} --retry-quarantined "
        f"--allow-destructive {LAB}\n"
    ) in ran.out
    assert engine.asked is not None


@pytest.mark.parametrize(
    ("value", "simulate"), [("1", ""), ("true", ""), ("0", None), ("off", None), ("s.toml", "s.toml")]
)
def test_simulate_can_be_said_by_the_environment(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch, value: str, simulate: str | None
) -> None:
    monkeypatch.setenv("APPFLEET_SIMULATE", value)
    run("status")
    assert engine.options.simulate == simulate


def test_flags_can_be_said_by_the_environment_and_the_flag_wins(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TEAM": "a b", "PRUNE": "true", "FILE": "env.toml", "YES": "1", "DEADLINE": "1h"}.items():
        monkeypatch.setenv(f"APPFLEET_{name}", value)
    run("apply", "--deadline", "2h")
    asked = engine.options
    assert asked.selectors.teams == ("a", "b")
    assert asked.request.prune
    assert str(asked.fleet_file) == "env.toml"
    assert asked.deadline_s == 7200.0


def test_apply_prints_the_report(engine: Engine, run: Run) -> None:
    ran = run("apply", "--yes")
    assert ran.code == 3
    assert "Run 20261124T060000Z-abc123 of fleet ml-platform: incomplete" in ran.out
    assert ran.err == f"appfleet: run {engine.report.run_id} {END}\n"
    assert engine.confirmed


def test_apply_as_json_and_as_markdown(engine: Engine, run: Run) -> None:
    assert json.loads(run("apply", "--yes", "--format", "json").out) == engine.report.to_json()
    assert run("apply", "--yes", "--format", "markdown").out.startswith("### Fleet ")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"apps": ()}, 0),
        ({"interrupted": True}, 130),
        ({"errors": (Trouble("AF409", "m"),)}, 1),
        ({"denied": True, "apps": ()}, 4),
        ({"bug": True}, 70),
        ({"apps": (AppResult(key_of(LAB), Action.CREATE, Outcome.STILL_PENDING),)}, 3),
    ],
)
def test_the_exit_code_of_apply_is_the_report_s(engine: Engine, run: Run, more: dict[str, Any], code: int) -> None:
    engine.report = a_report(**more)
    assert run("apply", "--yes").code == code


def test_apply_without_a_terminal_and_without_yes_is_refused_before_anything_is_done(engine: Engine, run: Run) -> None:
    ran = run("apply")
    assert ran.code == 64
    assert "No terminal to ask for confirmation. Use --yes" in ran.err
    assert ran.out == ""
    assert engine.asked is None


def test_apply_shows_the_plan_asks_and_goes_on_with_yes(engine: Engine, run: Run, at_a_terminal: Any) -> None:
    screen = at_a_terminal("yes\n")
    assert run("apply").code == 3
    shown = screen.buffer.getvalue().decode()
    assert "Plan: 2 to create, 1 to replace, 2 to delete" in shown
    assert "Apply these changes? Only 'yes' is accepted: " in shown
    assert "To apply this plan" not in shown
    assert engine.confirmed


def test_the_question_says_that_volumes_go_with_their_spaces(engine: Engine, run: Run, at_a_terminal: Any) -> None:
    owners = (Owner("research", "space", "a"), Owner("research", "space", "b"), Owner("research", "user", "c"))
    gone = tuple(OwnerChange(owner, Action.DELETE, OwnerReason.UNDONE) for owner in owners)
    engine.plan = replace(engine.plan, owners=gone)
    screen = at_a_terminal("yes\n")
    assert run("apply").code == 3
    shown = screen.buffer.getvalue().decode()
    assert "2 spaces go with their volumes. Apply these changes? Only 'yes' is accepted: " in shown


@pytest.mark.parametrize("typed", ["no\n", "y\n", "\n", ""])
def test_any_other_answer_is_a_no_and_exit_1(engine: Engine, run: Run, at_a_terminal: Any, typed: str) -> None:
    at_a_terminal(typed)
    ran = run("apply")
    assert ran.code == 1
    assert "Not applied" in ran.out
    assert engine.confirmed is False


def test_yes_shows_the_plan_on_a_terminal_and_asks_nothing(engine: Engine, run: Run, at_a_terminal: Any) -> None:
    screen = at_a_terminal("")
    assert run("apply", "--yes").code == 3
    shown = screen.buffer.getvalue().decode()
    assert "Plan: 2 to create" in shown
    assert "Make these changes" not in shown
    assert engine.confirmed


def test_an_interrupt_at_the_question_ends_130_and_gives_the_signal_back(
    engine: Engine, run: Run, at_a_terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_terminal("")
    monkeypatch.setattr(sys.stdin, "readline", lambda: signal.raise_signal(signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    assert run("apply").code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert engine.confirmed is None


def test_a_dry_run_prints_plan_and_order_and_needs_no_terminal(engine: Engine, run: Run) -> None:
    ran = run("apply", "--dry-run")
    assert ran.code == 0
    assert "Plan: 2 to create" in ran.out
    assert "Dry run: 5 changes in this order; nothing was called." in ran.out
    assert engine.confirmed is None


@pytest.mark.parametrize(("more", "code"), [({"complete": False}, 1), ({"denied": True}, 4)])
def test_the_exit_code_of_a_dry_run(engine: Engine, run: Run, more: dict[str, Any], code: int) -> None:
    engine.plan = a_plan(**more)
    ran = run("apply", "--dry-run", "--format", "json")
    assert ran.code == code
    assert json.loads(ran.out) == engine.plan.to_json()


def test_status_as_text_and_as_json(engine: Engine, run: Run) -> None:
    ran = run("status")
    assert ran.code == 0
    assert "7 apps: 4 InService" in ran.out
    assert json.loads(run("status", "--format", "json").out) == engine.status.to_json()


def test_a_status_that_is_not_whole_ends_1(engine: Engine, run: Run) -> None:
    engine.status = a_status(a_plan(), (Trouble("AF407", "denied"),))
    assert run("status").code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "--key", "nonsense"], '--key: "nonsense" is not an app key'),
        (["apply", "--yes", "--replace=nonsense"], '--replace: "nonsense" is not an app key'),
        (["apply", "--yes", "--deadline", "2"], "--deadline: "),
        (["apply", "--yes", "--lock-timeout", "soon"], "--lock-timeout: "),
        (["plan", "--format", "yaml"], "--format"),
        (["plan", "--simulate", "s.toml"], "s.toml"),
        (["plan", "--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
        (["--log-level", "loud", "plan"], "--log-level"),
        (["schema", "nonsense"], "nonsense"),
        (["simulate", "--port", "70000"], "Invalid value for '--port'"),
    ],
)
def test_wrong_flags_are_one_line_and_exit_64(engine: Engine, run: Run, arguments: list[str], words: str) -> None:
    ran = run(*arguments)
    assert ran.code == 64
    assert words in ran.err
    assert ran.err.startswith("appfleet: error AF101: ")
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert engine.asked is None


def test_no_command_shows_the_help_and_ends_64(run: Run) -> None:
    ran = run()
    assert ran.code == 64
    assert "Commands:" in ran.err


def test_help_and_version_end_0(run: Run) -> None:
    assert "Exit codes:" in run("--help").out
    assert "--detailed-exitcode" in run("plan", "-h").out
    ran = run("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "appfleet")


def test_events_go_to_standard_error_as_json_when_nobody_watches(engine: Engine, run: Run) -> None:
    engine.events = (events.RunStarted("ml-platform", "1", 5),)
    line = json.loads(run("apply", "--yes").err.splitlines()[0])
    assert line["event"] == "run.started"
    assert line["run_id"] == engine.options.run_id


def test_a_log_file_takes_the_log_and_standard_error_keeps_quiet(engine: Engine, run: Run, tmp_path: Path) -> None:
    engine.events = (events.RunStarted("ml-platform", "1", 5),)
    ran = run("apply", "--yes", "--log-file", str(tmp_path / "run.log"))
    assert ran.err == f"appfleet: run {engine.report.run_id} {END}\n", "an end that is not well is one line, always"
    assert json.loads((tmp_path / "run.log").read_text())["event"] == "run.started"


def test_a_log_file_that_cannot_be_opened_stops_no_run(engine: Engine, run: Run) -> None:
    engine.events = (events.RunStarted("ml-platform", "1", 5),)
    ran = run("apply", "--yes", "--log-file", "/nonexistent/x")
    assert ran.code == 3
    assert "the log file /nonexistent/x cannot be opened: there is no folder /nonexistent" in ran.err
    assert '"event":"run.started"' in ran.err


def test_a_log_that_lost_lines_is_owned_up_to_in_the_report_and_on_the_screen(engine: Engine, run: Run) -> None:
    engine.events = (events.RunStarted("ml-platform", "1", 5),)
    ran = run("apply", "--yes", "--log-file", "/dev/full")
    assert ran.code == 3
    assert "Note: 1 log line was not written: No space left on device" in ran.out
    assert ran.err.splitlines()[0] == "appfleet: 1 log line was not written: No space left on device"


def test_plan_on_a_console_tells_warnings_alone(engine: Engine, run: Run) -> None:
    engine.events = (events.RunStarted("ml-platform", "1", 5), events.AppSkipped(key_of(LAB), "c", "m", "h"))
    assert run("plan", "--log-format", "console").err.count("\n") == 1
    told = run("plan", "--log-format", "console", "--log-level", "info").err.splitlines()
    assert [line.split()[2] for line in told] == ["run.started", "app.skipped", "run.finished"]


def test_on_a_terminal_the_progress_is_one_line_that_goes_before_the_result(
    capfd: pytest.CaptureFixture[str], at_a_terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_terminal("")
    monkeypatch.setattr("engine.cli.sinks.PROGRESS_REDRAW_SECONDS", 0.0)
    flags = Globals(Path("fleet.toml"), LogFormat.AUTO, None, LogLevel.WARNING, None, None)
    with Sinks(flags, AppOptions(Path("fleet.toml"), run_id="r"), quiet=True) as sinks:
        sinks.emit(events.RunStarted("ml-platform", "1", 5))
        sinks._screen.drain()
        sinks.clear()
    assert capfd.readouterr().err.startswith("0 s: 0 of 5 done\r\x1b[")


def test_with_a_console_log_in_a_pipe_the_progress_is_plain_lines(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.cli.sinks.PROGRESS_LINE_SECONDS", 0.0)
    engine.events = (events.RunStarted("ml-platform", "1", 5),)
    assert "\n0 s: 0 of 5 done\n" in run("apply", "--yes", "--log-format", "console").err


def test_with_a_log_file_nothing_of_the_progress_goes_into_a_pipe(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron would mail it every night."""
    monkeypatch.setattr("engine.cli.sinks.PROGRESS_LINE_SECONDS", 0.0)
    engine.events = (events.RunStarted("ml-platform", "1", 5),)
    for log_format in ("json", "console"):
        ran = run("apply", "--yes", "--log-format", log_format, "--log-file", f"{log_format}.log")
        assert "of 5 done" not in ran.err
        assert "run.started" in Path(f"{log_format}.log").read_text()


def test_a_reader_that_went_away_changes_no_exit_code(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    gone = open(writer, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # closed below, by what runs
    monkeypatch.setattr(sys, "stdout", gone)
    engine.report = a_report(apps=())
    assert run("apply", "--yes").code == 0
    gone.close()
    assert run("apply", "--yes").code == 0
    monkeypatch.setattr(sys, "stdout", None)
    assert run("apply", "--yes").code == 0


ONLY_STDOUT = (("plan",), ("status",), ("schema", "fleet"), ("history",), ("completion", "bash"), ("--version",))


@pytest.fixture
def gone() -> Iterator[io.TextIOWrapper]:
    """Yield a standard output whose reader has left before the first byte."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123
        yield stream


@pytest.mark.parametrize("command", [*ONLY_STDOUT, ("--help",), ("plan", "--help")])
@pytest.mark.usefixtures("engine")
def test_a_closed_standard_output_is_said_and_no_success_of_what_only_writes_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    ran = run(*command)
    assert (ran.code, ran.err.count("standard output is closed, so nobody can read the result")) == (1, 1)


@pytest.mark.parametrize("command", ONLY_STDOUT)
@pytest.mark.usefixtures("engine")
def test_a_reader_that_was_gone_before_the_first_byte_is_said_and_no_success(
    run: Run, monkeypatch: pytest.MonkeyPatch, gone: io.TextIOWrapper, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sys, "stdout", gone)
    ran = run(*command)
    assert (ran.code, "closed it before the result was written" in ran.err) == (1, True)


def test_what_has_another_product_needs_no_reader(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run, a saved plan, the files of a new fleet, and a verdict that is an exit code."""
    engine.report = a_report(apps=())
    monkeypatch.setattr(sys, "stdout", None)
    for command in (("apply", "--yes"), ("init",), ("validate",), ("plan", "--out", "plan.json")):
        ran = run(*command)
        assert (ran.code, "standard output is closed" in ran.err) == (0, True), command
    assert (tmp_path / "plan.json").exists()


def test_a_result_that_could_not_be_written_is_told_and_is_no_success(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.report = a_report(apps=())
    for command in (["apply", "--yes"], ["plan"], ["status"]):
        with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
            monkeypatch.setattr(sys, "stdout", full)
            ran = run(*command)
        assert ran.code == 1
        assert "the result could not be written to standard output: No space left on device" in ran.err


def test_an_error_on_a_terminal_is_broken_at_blanks(run: Run, at_a_terminal: Callable[[str], Terminal]) -> None:
    screen = at_a_terminal("")
    assert run("plan", "-f", "a-folder-with-a-long-name/another-folder/and-one-more/fleet.toml").code == 64
    shown = screen.buffer.getvalue().decode()  # type: ignore[attr-defined]
    first, *_ = shown.split("\nappfleet: ")
    assert len(first.split("\n")) > 1
    assert max(map(len, shown.split("\n"))) <= 80
    said = "Correct the path, or run appfleet where the file is, or make one with: appfleet init"
    assert said in " ".join(shown.split())


def test_nobody_can_be_asked_on_a_closed_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Terminal()
    closed.close()
    monkeypatch.setattr(closed, "isatty", closed.fileno)  # raises ValueError, as a closed stream does
    monkeypatch.setattr(sys, "stdin", closed)
    assert not ask.can_ask()


def test_a_signal_that_comes_just_before_the_wait_for_an_answer_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler is not called by then, and the terminal has nothing to read."""
    real, ended = select.select, []

    def late(read: list[Any], *_: list[Any]) -> object:
        wakeup = signal.set_wakeup_fd(-1)
        os.write(wakeup, bytes([signal.SIGTERM]))  # as Python does when the signal comes
        signal.set_wakeup_fd(wakeup)
        ended.append(real(read, [], [], 180)[0] == read[1:])
        raise KeyboardInterrupt("SIGTERM")

    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs) as terminal:
            monkeypatch.setattr(sys, "stdin", terminal)
            monkeypatch.setattr(select, "select", late)
            with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
                ask.line_typed()
    finally:
        os.close(ours)
    assert ended == [True]


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.wants_colour(Terminal())
    assert not output.wants_colour(io.StringIO())
    assert not output.wants_colour(None)
    monkeypatch.setenv("TERM", "dumb")
    assert not output.wants_colour(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not output.wants_colour(Terminal())
