"""Writes to readers that take their time, or never take anything."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from engine.adapters.patient_write import ReaderGoneError, write_patiently
from tests.e2e.harness import read_some

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

LARGE = b"x" * 3_000_000  # more than a pipe may be let hold


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_a_file_gets_all_of_it(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        assert write_patiently(file.fileno(), LARGE, lambda: 0.0, 0.0) == len(LARGE)
    assert (tmp_path / "out").read_bytes() == LARGE


def test_a_pipe_that_nobody_reads_takes_what_it_holds_and_no_more(pipe: tuple[int, int]) -> None:
    written = write_patiently(pipe[1], LARGE, lambda: 0.2, 60.0)
    assert 0 < written < len(LARGE)


def test_a_reader_that_reads_gets_all_of_it_however_often_it_stops(pipe: tuple[int, int]) -> None:
    got: list[bytes] = []

    def read() -> None:
        while sum(map(len, got)) < len(LARGE):
            got.append(read_some(pipe[0]))

    reader = threading.Thread(target=read)
    reader.start()
    assert write_patiently(pipe[1], LARGE, lambda: 60.0, 60.0) == len(LARGE)
    reader.join()
    assert b"".join(got) == LARGE


def test_the_patience_is_asked_again_so_that_a_signal_can_end_it(pipe: tuple[int, int]) -> None:
    asked: list[float] = []

    def stall_s() -> float:
        asked.append(0.0)
        return 3_600.0 if len(asked) < 3 else 0.0

    assert write_patiently(pipe[1], LARGE, stall_s, 3_600.0) < len(LARGE)
    assert len(asked) == 3


def test_the_whole_is_bounded_too(pipe: tuple[int, int]) -> None:
    assert write_patiently(pipe[1], LARGE, lambda: 3_600.0, 0.0) < len(LARGE)


def test_a_reader_that_went_away_and_a_full_disk_are_errors() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(ReaderGoneError) as caught:
        write_patiently(writing, LARGE, lambda: 60.0, 60.0)
    assert caught.value.written == 0
    os.close(writing)
    with open("/dev/full", "wb") as full, pytest.raises(OSError, match="No space left"):  # noqa: PTH123
        write_patiently(full.fileno(), LARGE, lambda: 60.0, 60.0)


def test_a_reader_that_leaves_in_the_middle_has_taken_something() -> None:
    reading, writing = os.pipe()

    def read_one_byte() -> None:
        read_some(reading, at_most=1)
        os.close(reading)

    reader = threading.Thread(target=read_one_byte)
    reader.start()
    with pytest.raises(ReaderGoneError) as caught:
        write_patiently(writing, LARGE, lambda: 60.0, 60.0)
    reader.join()
    os.close(writing)
    assert 0 < caught.value.written < len(LARGE)


def test_a_descriptor_that_somebody_set_to_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    assert write_patiently(pipe[1], LARGE, lambda: 0.2, 60.0) < len(LARGE)


class InterruptAt:
    """Raises KeyboardInterrupt before the instruction of a number, as a handler of a signal does that comes there."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, _: object) -> InterruptAt:
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def test_an_interrupt_in_any_place_of_a_write_is_an_interrupt() -> None:
    """Threads and conditions of `threading` turn one into an error about locks, which would be told as a bug."""
    fd = os.open(os.devnull, os.O_WRONLY)
    threads = _thread._count()  # the public count knows only threads of `threading`
    number = 0
    was_interrupted = True
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for this once, when the trace is set
    while was_interrupted:
        number += 1
        interrupt = InterruptAt(number)
        try:
            sys.settrace(interrupt)
            write_patiently(fd, b"words", lambda: 60.0, 60.0)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        was_interrupted = interrupt.left <= 0
    assert number > 50
    while _thread._count() > threads:
        threading.Event().wait(0.01)
    os.close(fd)
