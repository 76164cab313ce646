"""Lines to a place that may be full, closed or stuck: the writer never waits for it and never fails."""

from __future__ import annotations

import os
import re
import select
import threading
from typing import TYPE_CHECKING

import pytest

from engine.adapters.log.line_writer import LineWriter
from tests.e2e.harness import PROCESS_MAX_SECONDS, read_some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIPE_MAX_BYTES = 1 << 20


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            continue


def test_lines_arrive_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LineWriter(os.open(path, os.O_WRONLY | os.O_CREAT), owns_fd=True)
    for number in range(1_000):
        writer.write(b"%d\n" % number)
    writer.close(PROCESS_MAX_SECONDS)
    assert path.read_text().split() == [str(number) for number in range(1_000)]
    assert writer.dropped == 0
    assert writer.problem == ""


def test_a_descriptor_that_it_owns_is_closed_once(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    writer = LineWriter(fd, owns_fd=True)
    writer.close(PROCESS_MAX_SECONDS)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    writer.close(PROCESS_MAX_SECONDS)


def test_drain_waits_until_all_is_written(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    writer.write(b"a line\n")
    assert writer.drain(PROCESS_MAX_SECONDS)
    assert read_some(pipe[0]) == b"a line\n"
    writer.close(PROCESS_MAX_SECONDS)


def test_a_closed_pipe_drops_and_counts(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    writer = LineWriter(pipe[1])
    writer.write(b"one\n")
    writer.drain(PROCESS_MAX_SECONDS)
    writer.write(b"two\n")
    writer.set_status(b"status")
    writer.close(PROCESS_MAX_SECONDS)
    assert writer.dropped == 2
    assert writer.problem == "Broken pipe"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
def test_a_full_disk_drops_and_counts_and_does_not_give_up() -> None:
    """Row 46."""
    writer = LineWriter(os.open("/dev/full", os.O_WRONLY), owns_fd=True)
    writer.write(b"one\n")
    writer.drain(PROCESS_MAX_SECONDS)
    writer.write(b"two\n")
    writer.drain(PROCESS_MAX_SECONDS)
    writer.close(PROCESS_MAX_SECONDS)
    assert writer.dropped == 2
    assert writer.problem == "No space left on device"


def test_a_line_that_was_cut_does_not_swallow_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    answers: list[int | OSError] = [4, OSError(28, "No space left on device"), 100]

    def write(_fd: int, data: memoryview) -> int:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        written.append(bytes(data[:answer]))
        return min(answer, len(data))

    monkeypatch.setattr("engine.adapters.log.line_writer.os.write", write)
    writer = LineWriter(99)
    writer.write(b"half a line\n")
    writer.drain(PROCESS_MAX_SECONDS)
    writer.write(b"whole\n")
    writer.close(PROCESS_MAX_SECONDS)
    assert b"".join(written) == b"half\nwhole\n"
    assert writer.dropped == 1


def test_a_pipe_that_nobody_reads_stops_nobody(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], queue_max_lines=10)
    line = b"x" * 65_535 + b"\n"
    for _ in range(PIPE_MAX_BYTES // len(line) + 20):
        writer.write(line)
    assert writer.dropped > 0
    assert writer.problem == "it takes no more lines"
    assert not writer.drain(timeout_s=0.0)
    before = writer.dropped
    writer.close(timeout_s=0.0)
    assert writer.dropped > before
    _release(pipe[0], writer)


def _release(reader: int, writer: LineWriter) -> None:
    """Read what is stuck, so that the thread ends with its test."""
    thread = writer._thread
    assert thread is not None
    while thread.is_alive():
        if select.select([reader], [], [], 0.01)[0]:
            read_some(reader)


def test_what_comes_after_the_end_is_counted() -> None:
    writer = LineWriter(99)
    writer.close(PROCESS_MAX_SECONDS)
    writer.write(b"late\n")
    writer.set_status(b"late")
    assert writer.dropped == 1
    assert writer.problem == "it was closed"


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, fd = pipe
    os.set_blocking(fd, False)
    writer = LineWriter(fd)
    sent = b"x" * PIPE_MAX_BYTES * 2 + b"\n"
    writer.write(sent)
    got = bytearray()
    while len(got) < len(sent):
        got += read_some(reader)
    writer.close(PROCESS_MAX_SECONDS)
    assert bytes(got) == sent
    assert writer.dropped == 0


def test_closing_gives_up_on_a_non_blocking_descriptor_that_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]
) -> None:
    os.set_blocking(pipe[1], False)
    asked = threading.Event()

    def never(*_: object) -> tuple[list[int], list[int], list[int]]:
        asked.set()
        return [], [], []

    monkeypatch.setattr("engine.adapters.log.line_writer.select.select", never)
    writer = LineWriter(pipe[1])
    writer.write(b"x" * PIPE_MAX_BYTES * 2 + b"\n")
    assert asked.wait(PROCESS_MAX_SECONDS)
    writer.close(PROCESS_MAX_SECONDS)
    assert writer.dropped == 1
    assert writer.problem == "it took no more lines"


def test_the_status_stays_below_the_lines_and_goes_in_the_end(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    steps: list[Callable[[], object]] = [
        lambda: writer.set_status(b"1 of 2"),
        lambda: writer.write(b"a line\n"),
        lambda: writer.set_status(b"2 of 2"),
    ]
    for step in steps:
        step()
        assert writer.drain(PROCESS_MAX_SECONDS)
    writer.close(PROCESS_MAX_SECONDS)
    assert read_some(pipe[0]) == (
        b"1 of 2" + b"\r\x1b[J" + b"a line\n" + b"1 of 2" + b"\r\x1b[J" + b"2 of 2" + b"\r\x1b[J"
    )


def test_an_unchanged_status_is_not_drawn_again(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    writer.set_status(b"same")
    writer.drain(PROCESS_MAX_SECONDS)
    writer.set_status(b"same")
    writer.close(PROCESS_MAX_SECONDS)
    assert re.fullmatch(rb"same\r\x1b\[J", read_some(pipe[0]))


def test_flush_is_there_for_whoever_expects_a_file() -> None:
    LineWriter(99).flush()
    assert LineWriter(99).dropped == 0


def _writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Stand in for the descriptor, and keep what each write was given."""
    written: list[bytes] = []

    def write(_fd: int, data: memoryview) -> int:
        written.append(bytes(data))
        return len(data)

    monkeypatch.setattr("engine.adapters.log.line_writer.os.write", write)
    return written


def test_lines_that_come_one_after_the_other_are_written_together(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _writes(monkeypatch)
    writer = LineWriter(99, gather_s=60)
    for number in range(5):
        writer.write(b"%d\n" % number)
    assert writer.drain(PROCESS_MAX_SECONDS)
    assert written == [b"0\n1\n2\n3\n4\n"]
    writer.close(PROCESS_MAX_SECONDS)


def test_a_line_that_nobody_asks_for_is_written_when_its_time_is_up(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], gather_s=0.001)
    writer.write(b"by itself\n")
    assert read_some(pipe[0]) == b"by itself\n"
    writer.close(PROCESS_MAX_SECONDS)


def test_closing_does_not_wait_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    written = _writes(monkeypatch)
    writer = LineWriter(99, gather_s=60)
    writer.write(b"last\n")
    writer.close(PROCESS_MAX_SECONDS)
    assert written == [b"last\n"]
    assert writer.dropped == 0


def test_a_status_is_drawn_at_once_and_takes_the_lines_along(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1], gather_s=60)
    writer.write(b"a line\n")
    writer.set_status(b"1 of 2")
    assert read_some(pipe[0]) == b"a line\n1 of 2"
    writer.close(PROCESS_MAX_SECONDS)


def test_a_status_of_several_lines_is_taken_away_whole(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    writer.set_status(b"one\ntwo\nthree")
    assert writer.drain(PROCESS_MAX_SECONDS)
    writer.write(b"a line\n")
    assert writer.drain(PROCESS_MAX_SECONDS)
    writer.close(PROCESS_MAX_SECONDS)
    up = b"\r\x1b[2A\x1b[J"
    assert read_some(pipe[0]) == b"one\ntwo\nthree" + up + b"a line\n" + b"one\ntwo\nthree" + up


def test_a_status_that_is_taken_back_at_once_leaves_nothing(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    for _ in range(50):
        writer.set_status(b"x")
        writer.set_status(b"")
    assert writer.drain(PROCESS_MAX_SECONDS)
    writer.close(PROCESS_MAX_SECONDS)
    os.close(pipe[1])
    drawn = read_some(pipe[0])
    assert drawn.count(b"x") == drawn.count(b"\r\x1b[J")
