"""A lone `-` where a file is named: standard output for what writes a document, and never a file of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.state_dir import StateDir
from tools.report_sample import NIGHTS, write_nights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]

REFUSED = (
    (("plan", "--out", "-"), "For standard output use --format json"),
    (("plan", "-f", "-"), "A fleet file is never read from standard input"),
    (("plan", "--simulate=-"), "Name a file"),
    (("apply", "-"), "A saved plan is read from a file"),
    (("apply", "--yes", "--metrics-file", "-"), "Name a file"),
    (("apply", "--yes", "--log-file", "-"), "Leave the flag out to log to standard error"),
    (("apply", "--yes", "--log-file=-", "--metrics-file=-"), "Leave the flag out to log to standard error"),
    (("apply", "--yes", "--state-dir", "-"), "Name a folder"),
    (("onboard", "vision", "--yes", "--members-file", "-"), "Name a file"),
    (("offboard", "vision", "--yes", "--from", "-"), "Name a file"),
    (("init", "--out", "-"), "Name a folder"),
    (("simulate", "--scenario", "-"), "Name a file"),
)


@pytest.mark.parametrize(("words", "hint"), REFUSED, ids=lambda value: " ".join(value) if type(value) is tuple else "")
def test_a_lone_dash_is_refused_with_what_to_write_instead(
    run: Run, tmp_path: Path, words: tuple[str, ...], hint: str
) -> None:
    (tmp_path / "fleet.toml").write_text("[[[")
    ran = run(*words)
    assert ran.code == 64
    assert "'-' is not a file here" in ran.err
    assert hint in ran.err
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("variable", ["LOG_FILE", "METRICS_FILE", "STATE_DIR"])
def test_a_variable_that_is_a_lone_dash_is_refused_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(f"APPFLEET_{variable}", "-")
    ran = run("apply", "--yes")
    assert (ran.code, "'-' is not a file here" in ran.err) == (64, True)
    assert list(tmp_path.iterdir()) == []


def test_a_report_to_a_lone_dash_goes_to_standard_output_also_on_a_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StateDir.open(tmp_path / ".appfleet") as state:
        write_nights(state, 4)
    monkeypatch.setattr("engine.cli.report.is_terminal", lambda _: True)
    ran = run("report", NIGHTS[0], "--out", "-")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == [".appfleet"]


def test_a_file_of_that_name_is_named_with_its_folder(run: Run, tmp_path: Path) -> None:
    with StateDir.open(tmp_path / ".appfleet") as state:
        write_nights(state, 4)
    ran = run("report", NIGHTS[0], "--out", "./-")
    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / "-").read_text().startswith("<!doctype html>")
