"""report and history, with a real journal behind them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from engine.adapters.state.journal import RunHeader, SqliteJournal
from engine.adapters.state.lock import FleetLock, Holder
from engine.adapters.state.state_dir import StateDir
from engine.app.fleet_name import fleet_name
from tools.check_browser import PAGE_MAX_BYTES, main, sample_page
from tools.report_sample import FLEET, HOSTILE, NIGHTS, write_nights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ran

    Run = Callable[..., Ran]


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    with StateDir.open(tmp_path / ".appfleet") as state:
        write_nights(state, 40)
    return tmp_path


@pytest.mark.usefixtures("nights")
def test_report_writes_the_newest_run_to_standard_output(run: Run) -> None:
    ran = run("report")
    assert ran.code == 0
    assert ran.out.startswith("<!doctype html>")
    assert NIGHTS[1] in ran.out
    assert "<code>appfleet apply</code>" in ran.out
    assert ran.err == ""


def test_report_writes_a_file_that_nobody_else_can_read(run: Run, nights: Path) -> None:
    ran = run("report", NIGHTS[0], "--out", "page.html")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"appfleet: the report of run {NIGHTS[0]} is in page.html\n"
    page = nights / "page.html"
    assert page.stat().st_mode & 0o777 == 0o600
    assert NIGHTS[0] in page.read_text()


@pytest.mark.usefixtures("nights")
def test_a_report_that_cannot_be_written_is_said(run: Run) -> None:
    ran = run("report", "--out", "no-folder/page.html")
    assert ran.code == 64
    assert "--out no-folder/page.html cannot be written: there is no folder no-folder" in ran.err


@pytest.mark.usefixtures("nights")
def test_a_run_that_is_not_there_is_said_with_a_way_out(run: Run) -> None:
    ran = run("report", "nonsense")
    assert ran.code == 64
    assert "there is no run nonsense in" in ran.err
    assert "To list the runs that are kept: appfleet history" in ran.err


def test_without_any_run_report_says_how_to_get_one(run: Run) -> None:
    ran = run("report")
    assert ran.code == 64
    assert "To make one: appfleet apply" in ran.err


BROKEN = "[[[\nname = 'acme'\n"


@pytest.mark.parametrize(
    ("text", "words", "folder"),
    [
        (BROKEN, ("apply", "--yes"), ".appfleet"),
        (BROKEN, ("apply", "--yes", "--state-dir", "kept/here"), "kept/here"),
        (BROKEN, ("onboard", "vision", "--members", "ana", "--app", "lab", "--yes"), ".appfleet"),
        ("", ("apply", "--yes", "--nonsense"), ".appfleet"),
        (None, ("apply", "--yes", "--state-dir", "kept"), "kept"),
    ],
)
def test_the_first_run_of_all_is_in_the_history_though_its_file_is_broken(
    run: Run, tmp_path: Path, text: str | None, words: tuple[str, ...], folder: str
) -> None:
    """The first night of a job with a broken file: in the morning it is there when it ran, and why it failed."""
    if text is not None:
        (tmp_path / "fleet.toml").write_text(text)
    assert run(*words).code == 64
    assert {path.name for path in (tmp_path / folder).iterdir()} == {".gitignore", "journal.sqlite"}
    (kept,) = json.loads(run("history", "--state-dir", folder, "--format", "json").out)["runs"]
    assert (kept["result"], kept["exit_code"]) == ("failed", 64)
    assert kept["error"]["message"] in run("report", "--state-dir", folder).out.replace("&#x27;", "'")


@pytest.mark.parametrize("words", [("apply", "--yes"), ("apply", "--yes", "-f", "nosuch.toml"), ("apply", "-f", ".")])
def test_a_folder_without_a_fleet_file_gets_no_state_folder(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    """The file is somewhere else, so a journal here is one that nobody looks for, and litter in somebody's folder."""
    (tmp_path / "project").mkdir()
    assert run(*words).code == 64
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
    assert not (tmp_path.parent / ".appfleet").exists()


@pytest.mark.parametrize("command", ["plan", "status"])
def test_what_only_looks_makes_no_state_folder(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "fleet.toml").write_text(BROKEN)
    assert run(command).code == 64
    assert not (tmp_path / ".appfleet").exists()


@pytest.mark.usefixtures("nights")
def test_history_lists_runs_the_newest_first(run: Run) -> None:
    lines = run("history").out.splitlines()
    assert lines[1].startswith(NIGHTS[1])
    assert lines[2].startswith(NIGHTS[0])


def test_a_run_that_holds_its_lock_is_running_and_one_that_died_has_no_end(run: Run, nights: Path) -> None:
    now, (died, lives) = time.time(), ("20261125T010000Z-cccccc", "20261126T010000Z-dddddd")
    with StateDir.open(nights / ".appfleet") as state:
        for run_id in (died, lives):
            SqliteJournal.open(state, RunHeader(run_id, FLEET, "0.1.0", now), wall=lambda: now).close()
        lock = FleetLock(state, FLEET)
        assert lock.try_acquire(Holder.of_this_process(lives, "apply", now=now))
        listed, page = run("history"), run("report", lives).out
        runs = json.loads(run("history", "--format", "json").out)["runs"]
        lock.release()
    shown = {line.split()[0]: line for line in listed.out.splitlines() if line.startswith("2026")}
    assert "  running  " in shown[lives]
    assert "  no end  " in shown[died]
    assert "Over the last 3 runs" in listed.out  # what is running has no numbers to compare
    assert [one["run_id"] for one in runs if one.get("running")] == [lives]
    assert '<p class="result">running</p>' in page
    assert "was still running after" in page
    assert "This page shows what the run has noted so far" in page
    assert "  no end  " in next(line for line in run("history").out.splitlines() if line.startswith(lives))


@pytest.mark.usefixtures("nights")
def test_history_as_json_takes_a_limit(run: Run) -> None:
    ran = run("history", "--format", "json", "--limit", "1")
    assert [entry["run_id"] for entry in json.loads(ran.out)["runs"]] == [NIGHTS[1]]
    assert run("history", "--limit", "0").code == 64


def test_history_of_nothing_is_no_error(run: Run) -> None:
    ran = run("history")
    assert ran.code == 0
    assert "No runs yet" in ran.out


def test_history_is_of_the_fleet_that_the_file_names(run: Run, nights: Path) -> None:
    (nights / "fleet.toml").write_text('name = "web"')
    assert "No runs yet" in run("history").out
    (nights / "fleet.toml").write_text('name = "ml-platform"')
    assert NIGHTS[1] in run("history").out


@pytest.mark.parametrize("text", ['name = ""', "name = 3", "nonsense", "schema = 1"])
def test_a_fleet_file_that_cannot_be_read_hides_no_history(tmp_path: Path, text: str) -> None:
    (tmp_path / "fleet.toml").write_text(text)
    assert fleet_name(tmp_path / "fleet.toml") is None
    assert fleet_name(tmp_path / "absent.toml") is None


@pytest.mark.usefixtures("nights")
def test_report_writes_the_pages_of_all_runs_and_says_where(run: Run) -> None:
    ran = run("report", "--site", "site")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "appfleet: site/index.html lists 2 runs; 2 pages written\n"
    for words in (("--out", "page.html"), (NIGHTS[0],)):
        ran = run("report", "--site", "site", *words)
        assert (ran.code, "--site takes neither a run nor --out" in ran.err) == (64, True)


def test_the_report_of_five_thousand_apps_is_small(tmp_path: Path) -> None:
    page = sample_page(tmp_path / "state", 5_000)
    assert len(page.encode()) < PAGE_MAX_BYTES
    assert HOSTILE not in page


def test_the_browser_check_says_plainly_that_it_could_not_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.check_browser.find_chromium", lambda: None)
    assert main() == 0
    assert "check-browser could not run: there is no chromium here" in capsys.readouterr().out
