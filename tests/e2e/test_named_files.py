"""Files that a user names, met as a user meets them: by the command as a process, in a folder of its own."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.harness import Place

IS_ROOT = os.geteuid() == 0
LONG = "x" * 300
WRITERS = (
    ("plan", "--out"),
    ("report", "--out"),
    ("apply", "--yes", "--no-wait", "--metrics-file"),
    ("--log-file",),
)


def words_of(writer: tuple[str, ...], path: str) -> list[str]:
    """Return the words of a command that writes to `path`."""
    return [*writer, path, *(["plan"] if writer == ("--log-file",) else [])]


@pytest.fixture
def null(tmp_path: Path) -> Path:
    """Return a null device with a name of its own, so that no test can harm the machine's."""
    path = tmp_path / "null"
    if not IS_ROOT:
        pytest.skip("only root can make a device")
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        path.open("wb").close()
    except PermissionError:
        pytest.skip("this sandbox lets nobody make or open a device")
    return path


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer[-1] + " of " + writer[0])
def test_a_device_stays_a_device_whatever_is_written_to_it(place: Place, null: Path, writer: tuple[str, ...]) -> None:
    place.apply("--no-wait")
    ran = place.run(*words_of(writer, str(null)))
    assert ran.code == 0
    assert stat.S_ISCHR(null.lstat().st_mode)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer[-1] + " of " + writer[0])
def test_a_link_stays_and_what_it_leads_to_is_written(place: Place, tmp_path: Path, writer: tuple[str, ...]) -> None:
    place.apply("--no-wait")
    goal, link = tmp_path / "goal", tmp_path / "link"
    goal.write_text("old\n")
    goal.chmod(0o640)
    link.symlink_to("goal")
    ran = place.run(*words_of(writer, "link"))
    assert ran.code == 0
    assert link.is_symlink()
    text = goal.read_text()
    assert text.startswith("old\n") is (writer == ("--log-file",))  # a log is appended to
    assert len(text) > len("old\n")
    assert stat.S_IMODE(goal.stat().st_mode) == 0o640


def test_a_report_goes_to_a_pipe_that_somebody_reads_and_waits_for_nobody(place: Place, tmp_path: Path) -> None:
    place.apply("--no-wait")
    os.mkfifo(tmp_path / "pipe")
    ran = place.run("report", "--out", "pipe")
    assert (ran.code, "it is a pipe that nobody reads" in ran.err) == (1, True)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        ran = place.run("prices", "--out", "pipe")
        assert (ran.code, "was not written by appfleet prices" in ran.err) == (64, True)
        ran = place.run("onboard", "a", "--members-file", "pipe", "--like", "vision", "--yes")
        assert (ran.code, "is not a regular file" in ran.err) == (64, True)
    finally:
        os.close(reader)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", ["plan", "report"])
def test_a_disk_that_is_full_is_told_by_the_exit_code(place: Place, tmp_path: Path, command: str) -> None:
    place.apply("--no-wait")
    (tmp_path / "full").symlink_to("/dev/full")
    ran = place.run(command, "--out", "full")
    assert (ran.code, "No space left on device" in ran.err) == (1, True)


def test_standard_output_has_a_name_too(place: Place) -> None:
    place.apply("--no-wait")
    assert place.run("report", "--out", "/dev/stdout").out.startswith("<!doctype html>")
    out = place.run("plan", "--out", "/dev/stdout").out
    document, end = json.JSONDecoder().raw_decode(out)
    assert document["format_version"] == 1
    assert "Nothing to do" in out[end:]


@pytest.mark.parametrize(
    "words",
    [
        ["-f", LONG, "plan"],
        ["--state-dir", LONG, "plan"],
        ["--log-file", LONG, "plan"],
        ["plan", "--out", LONG],
        ["plan", f"--simulate={LONG}"],
        ["apply", "--yes", "--metrics-file", LONG],
        ["apply", LONG],
        ["report", "--out", LONG],
        ["prices", "--out", LONG],
        ["init", "--out", LONG],
        ["import", "--domain-id", "d-abcd1234efgh", "--region", "eu-west-1", "--out", LONG],
        ["simulate", "--scenario", LONG],
        ["onboard", "a", "--members-file", LONG, "--like", "vision", "--yes"],
        ["onboard", "x" * 251, "--members", "ann", "--like", "vision", "--yes"],
        ["onboard", LONG, "--members", "ann", "--like", "vision", "--yes"],
        ["history", "-f", "x\udcff" + LONG],
        ["-f", "a/" * 2_500, "validate"],
    ],
    ids=lambda words: " ".join(word[:20] for word in words),
)
def test_a_name_that_no_disk_takes_is_refused_with_the_limit(place: Place, words: list[str]) -> None:
    ran = place.run(*words)
    assert ran.code == 64
    assert any(limit in ran.err for limit in ("limit is 255", "limit is 4095", "at most 63 characters", "no team"))
    assert place.calls() == {}
