"""What goes wrong is a line and an exit code: never a traceback, never the parser's own code."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.crash import bug_of
from engine.core.diagnostics import Diagnostic
from engine.core.ending import foreseen
from engine.core.errors import (
    AccessDenied,
    BugError,
    ConfigError,
    ExitCode,
    LockHeldError,
    StateError,
    UsageError,
    WrongAccountError,
)
from engine.core.limits import DIAGNOSTICS_SHOWN_MAX_COUNT
from engine.core.text import is_safe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Engine, Ran

    Run = Callable[..., Ran]

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIAIOSFODNN7EXAMPLE"


def _diagnostics(count: int) -> tuple[Diagnostic, ...]:
    return tuple(Diagnostic("AF102", "fleet.toml", n, "apps.lab", "wrong", "Mend it") for n in range(1, count + 1))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LockHeldError("held by 17", hint="Wait"), 5),
        (WrongAccountError("another account"), 1),
        (StateError("no folder"), 1),
        (AccessDenied("not allowed"), 1),
        (UsageError("wrong"), 64),
        (BugError("odd"), 70),
    ],
)
def test_an_error_of_ours_is_one_line_with_its_code(engine: Engine, run: Run, error: Any, code: int) -> None:
    engine.plan = error
    ran = run("plan")
    assert ran.code == code
    assert ran.err == f"appfleet: error {error.code}: {error}\n"
    assert ran.out == ""


def test_every_problem_of_a_file_is_a_line_and_the_count_comes_last(engine: Engine, run: Run) -> None:
    engine.plan = ConfigError(_diagnostics(2))
    ran = run("plan")
    assert ran.code == 64
    assert ran.err.splitlines() == [
        "fleet.toml:1: apps.lab: wrong. Mend it",
        "fleet.toml:2: apps.lab: wrong. Mend it",
        "appfleet: error AF102: 2 problems found; nothing was called",
    ]


def test_a_file_with_hundreds_of_problems_shows_the_first_and_counts_the_rest(engine: Engine, run: Run) -> None:
    engine.plan = ConfigError(_diagnostics(DIAGNOSTICS_SHOWN_MAX_COUNT + 7))
    lines = run("plan").err.splitlines()
    assert len(lines) == DIAGNOSTICS_SHOWN_MAX_COUNT + 2
    assert lines[-2] == "… and 7 more"


def test_errors_of_ours_are_found_in_a_group_and_the_gravest_is_told(engine: Engine, run: Run) -> None:
    engine.plan = ExceptionGroup("tasks", [StateError("no folder"), ExceptionGroup("more", [LockHeldError("held")])])
    ran = run("plan")
    assert ran.code == 5
    assert "AF501: held" in ran.err


def test_a_bug_in_a_group_is_not_hidden_by_an_error_of_ours() -> None:
    assert foreseen(ExceptionGroup("tasks", [StateError("x"), KeyError("y")])) is None


def test_an_interrupt_ends_130(engine: Engine, run: Run) -> None:
    engine.plan = KeyboardInterrupt()
    ran = run("plan")
    assert ran.code == 130
    assert ran.err == "appfleet: interrupted\n"


def test_what_nobody_foresaw_is_one_line_and_a_file_without_secrets(
    engine: Engine, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    engine.plan = ValueError(f"\x1b[2J {SECRET} {KEY_ID}")
    ran = run("plan", "--state-dir", str(tmp_path / "state"))
    assert ran.code == 70
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert is_safe(ran.err.strip())
    assert re.match(r"appfleet: error AF901: this is a bug in appfleet: ValueError at conftest\.py:\d+; ", ran.err)
    [kept] = (tmp_path / "state").iterdir()
    assert str(kept) in ran.err
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    text = kept.read_text()
    assert "Traceback" in text
    assert SECRET not in text + ran.err
    assert KEY_ID not in text + ran.err


@pytest.mark.parametrize(
    ("arguments", "variable", "folder"),
    [
        (["-f", "sub/fleet.toml", "plan"], None, "sub/.appfleet"),
        (["plan", "--file=sub/fleet.toml"], None, "sub/.appfleet"),
        (["plan", "--state-dir=elsewhere"], None, "elsewhere"),
        (["plan"], ("APPFLEET_STATE_DIR", "by-variable"), "by-variable"),
        (["plan"], ("APPFLEET_FILE", "sub/fleet.toml"), "sub/.appfleet"),
        (["plan"], None, ".appfleet"),
    ],
)
def test_the_traceback_is_kept_where_the_state_is(
    engine: Engine,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variable: tuple[str, str] | None,
    folder: str,
) -> None:
    if variable is not None:
        monkeypatch.setenv(*variable)
    (tmp_path / "sub").mkdir()
    engine.plan = ZeroDivisionError()
    assert run(*arguments).code == 70
    assert len(list((tmp_path / folder).glob("crash-*.txt"))) == 1


def test_a_state_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    text = str(bug_of(KeyError("x"), tmp_path / "file" / "state"))
    assert "KeyError; the traceback could not be kept in" in text
    assert "Not a directory" in text


def test_no_traceback_is_kept_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert "the state folder is a link" in str(bug_of(KeyError("x"), tmp_path / "link"))
    assert list((tmp_path / "real").iterdir()) == []


def test_two_is_no_exit_code_but_that_of_changes() -> None:
    assert [code.name for code in ExitCode if code == 2] == ["CHANGES"]


def test_standard_error_that_is_full_or_closed_ends_nothing(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.plan = StateError("no folder")
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr("sys.stderr", full)
        assert run("plan").code == 1
    assert run("plan").code == 1  # closed by now
    monkeypatch.setattr("sys.stderr", None)
    assert run("plan").code == 1


def test_a_name_that_the_terminal_cannot_show_is_escaped(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fd = os.dup(2)
    with open(fd, "w", encoding="ascii") as narrow:  # noqa: PTH123
        monkeypatch.setattr("sys.stderr", narrow)
        engine.plan = StateError("größer")
        assert "gr\\xf6\\xdfer" in run("plan").err


@pytest.mark.parametrize("flag", ["--simulate", "--prune", "--team"])
def test_a_flag_of_a_command_before_it_is_told_where_it_goes(run: Run, flag: str) -> None:
    ran = run(flag, "apply")
    assert ran.code == 64
    assert f"There is no flag {flag} before a command" in ran.err
    assert f"appfleet apply {flag}" in ran.err


def test_a_run_that_could_not_begin_prints_the_whole_command_again(run: Run) -> None:
    words = ("-f", "a b.toml", "--state-dir", "kept", "apply", "--prune", "--yes", "--team", "vision")
    ran = run(*words)
    assert ran.code == 64
    typed = "appfleet -f 'a b.toml' --state-dir kept apply --prune --yes --team vision"
    assert f"run: {typed}" in ran.out
    long = run("apply", "--yes", *("--team=" + "x" * 60,) * 60)
    assert "run: appfleet apply\n" in long.out
