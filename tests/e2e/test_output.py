"""What is written where, whatever the world says and whatever the descriptors lead to."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.cli.main import main
from tests.e2e.harness import (
    ACCESS_KEY,
    PROCESS_MAX_SECONDS,
    QUICK,
    SECRET_KEY,
    SESSION_TOKEN,
    fleet_text,
    lab_of,
    people,
)

if TYPE_CHECKING:
    from tests.e2e.harness import Place

CASES = Path(__file__).parents[1] / "cases" / "fleet_bad"
FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
HOSTILE = f"\x1b[2J\x1b]0;pwned\x07 \u202egnp.exe\u2066 \r\nlevel=error {SECRET_KEY} {SESSION_TOKEN} \x9b31m \x00end"


def check_clean(text: str, where: str) -> None:
    """No control character but the line's end, no direction mark, and no secret."""
    found = FORBIDDEN.search(text)
    assert found is None, (where, text[max(found.start() - 40, 0) : found.end() + 40] if found else "")
    for secret in (SECRET_KEY, SESSION_TOKEN):
        assert secret not in text, where


@pytest.mark.parametrize("format_", ["text", "json", "markdown"])
def test_nothing_hostile_and_no_secret_reaches_any_output(place: Place, format_: str) -> None:
    """Rows 50, 51 and 52: names and messages of the service are cleaned, and secrets taken out, at debug level too."""
    place.write(fleet_text(people(3)))
    place.scenario(QUICK)
    place.within(lambda world: world.set_request_limit("*", None))
    text = json.dumps(HOSTILE)
    path = place.folder / "hostile.toml"
    path.write_text(
        QUICK
        + '[[fault]]\nkind = "error"\noperation = "CreateApp"\ncode = "EvilException"\nmax_count = 1\n'
        + f"message = {text}\n"
        + f'[[failure]]\nreason = {text}\nowner = "u001-lab"\n'
    )
    place.scenario(path.read_text())
    ran = place.run("apply", "--yes", "--format", format_, "--log-level", "debug")
    assert ran.code == 3, ran.err
    assert "EvilException" in ran.out
    console = place.run("plan", "--log-format", "console", "--log-level", "debug", "--format", format_, log=False)
    for where, output in (("out", ran.out), ("err", ran.err), ("log", ran.log)):
        check_clean(output, where)
    check_clean(console.out + console.err, "console")
    for path in (place.folder / ".appfleet").iterdir():
        kept = path.read_bytes()
        assert SECRET_KEY.encode() not in kept, path.name
        assert SESSION_TOKEN.encode() not in kept, path.name
        assert b"\x1b[2J" not in kept, path.name
    assert ACCESS_KEY not in ran.log
    assert all({"ts", "level", "event", "run_id"} <= set(event) for event in ran.events())
    assert {event["level"] for event in ran.events()} <= {"debug", "info", "warning", "error"}


def test_stdout_holds_the_result_alone_and_the_log_is_one_object_a_line(place: Place) -> None:
    """Row 51: each line of the log is one JSON object with the same four fields first."""
    ran = place.run("apply", "--yes", "--no-wait", "--format", "json", log=False)
    assert ran.code == 0
    assert ran.report["summary"] == {"created": 4}
    lines = [json.loads(line) for line in ran.err.splitlines()]
    assert all(list(line)[:4] == ["ts", "level", "event", "run_id"] for line in lines)
    assert {line["run_id"] for line in lines} == {ran.report["run_id"]}
    names = [line["event"] for line in lines if line["event"] != "run.lagged"]  # as often as the machine is busy
    assert [name for name in names if name.startswith("run.")] == ["run.started", "run.finished"]


def test_a_reader_that_went_away_stops_no_run(place: Place) -> None:
    """Row 41: a closed standard output is no reason to leave work undone."""
    reading, writing = os.pipe()
    os.close(reading)
    with place.start("apply", "--yes", "--no-wait", stdout=writing, cold=True) as running:
        os.close(writing)
        ran = running.end()
    assert ran.code == 0, ran.err
    assert place.calls()["CreateApp"] == {"ok": 4}
    assert "Traceback" not in ran.err


def test_a_full_disk_below_the_log_or_the_screen_stops_no_run(place: Place) -> None:
    """Row 46: lines are dropped and counted, and the result says so; the work is done."""
    ran = place.run("apply", "--yes", "--no-wait", "--format", "json", "--log-file", "/dev/full", log=False)
    assert ran.code == 0, ran.err
    assert any("log" in note for note in ran.report["notes"])
    assert "log" in ran.err
    with (
        Path("/dev/full").open("w") as full,
        place.start("plan", "--log-level", "debug", stderr=full, log=False) as run,
    ):
        assert run.end().code == 0
    with Path("/dev/full").open("w") as full, place.start("plan", "--format", "json", stdout=full, cold=True) as run:
        lost = run.end()
    assert lost.code == 1
    assert "could not be written to standard output" in lost.err
    folder = place.run("plan", "--log-file", "missing/folder/log.jsonl", log=False)
    assert folder.code == 0
    assert "cannot be opened" in folder.err


def test_closed_descriptors_are_no_ones_business(place: Place) -> None:
    """Row 41: the journal must not be opened as descriptor 2 and get the log written into it."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *place.command("apply", "--yes", "--no-wait")],
        cwd=place.folder,
        env=place.environment(),
        timeout=PROCESS_MAX_SECONDS,
        check=False,
    )
    assert done.returncode == 0
    assert place.calls()["CreateApp"] == {"ok": 4}
    assert (place.folder / ".appfleet" / "journal.sqlite").read_bytes().startswith(b"SQLite format 3\0")
    assert lab_of("u000")


@pytest.mark.parametrize("folder", sorted(CASES.iterdir()), ids=lambda folder: folder.name)
def test_a_bad_fleet_file_is_64_with_its_line_and_a_hint(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Rows 48, 49 and 50: every case is refused before anything is called, by validate as by apply."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("APPFLEET_STATE_DIR", str(tmp_path / "state"))
    for command in (["validate"], ["apply", "--yes"]):
        assert main(command) == 64
        out, err = capfd.readouterr()
        expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
        assert ("Run " in out) is (command[0] == "apply")
        assert err.splitlines()[: len(expected)] == expected
        assert all(re.match(r"\S+:(\d+: |\s)", line) for line in expected)
        assert re.fullmatch(r"appfleet: error AF102: \d+ problems? found; nothing was called", err.splitlines()[-1])
        check_clean(err, folder.name)
        assert (tmp_path / "state").exists() is (command[0] == "apply"), "history knows of the run, and of nothing else"
