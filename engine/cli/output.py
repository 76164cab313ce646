"""Writing to the terminal: results to standard output, words about the run to standard error, no surprise from either.

A reader that went away (`| head`), a closed descriptor and a full disk end no run and raise nothing. A result that
nobody can have read is reported, also by the exit code of a command that has no other product.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from engine.app.process import write_patiently
from engine.core.limits import (
    RESULT_STALL_MAX_SECONDS,
    RESULT_STALL_STOPPED_SECONDS,
    RESULT_TOTAL_MAX_SECONDS,
    WORDS_STALL_MAX_SECONDS,
)
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

WIDTH_PIPED_CHARS: Final = 200  # a file or a mail has no width: keep columns
_WIDTH_FALLBACK_CHARS: Final = 80
_LINES_FALLBACK_COUNT: Final = 24
_HURRIED: Final[list[bool]] = []  # not empty once a signal came while a result was written


class Delivery(Enum):
    """What became of a result on its way to standard output."""

    READ = auto()  # its reader can have got it, or as much of it as he wanted
    UNREAD = auto()  # standard output is closed, or its reader was gone before the first byte
    FAILED = auto()  # it could not be written: a full disk


def ensure_descriptors() -> None:
    """Open what is closed of 0, 1 and 2 on the null device.

    Otherwise the next file that is opened, the journal say, would get that number, and a stray line would land in it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def is_terminal(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal. A closed or missing one is not."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def wants_colour(stream: TextIO | None) -> bool:
    """Whether colour is welcome: on a terminal that can show it, unless NO_COLOR is set to anything."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO | None) -> int:
    """Return the width of the terminal behind `stream`, in characters."""
    return size_of(stream)[0] if is_terminal(stream) else WIDTH_PIPED_CHARS


def size_of(stream: TextIO | None) -> tuple[int, int]:
    """Return the columns and lines of the terminal behind `stream`, or those of an old one."""
    try:
        columns, lines = (0, 0) if stream is None else os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, lines = 0, 0
    return columns or _WIDTH_FALLBACK_CHARS, lines or _LINES_FALLBACK_COUNT


def fitted(text: str, stream: TextIO | None) -> str:
    """Break the lines of a text for people where `stream` is a terminal that they do not fit."""
    if not is_terminal(stream):
        return text
    from engine.render.layout import wrapped

    return wrapped(text, width_of(stream))


def write_result(text: str) -> bool:
    """Write the only product of a command to standard output; tell whether its reader can have got it."""
    return deliver(text) is Delivery.READ


def deliver(text: str) -> Delivery:
    """Write `text` to standard output; return what became of it. Report what nobody can have read.

    A reader that closed its end has what it wanted, and one that takes nothing for a while is left: what it did not
    take is counted and said.
    """
    stream = sys.stdout
    if stream is None:
        return lost_result(OSError(errno.EBADF, ""))
    data = text.encode(stream.encoding or "utf-8", "backslashreplace")
    try:
        written = _write(stream, data, _result_stall_s, RESULT_TOTAL_MAX_SECONDS)
    except (OSError, ValueError) as error:
        return lost_result(error)
    if written < len(data):
        _silence(stream)
        say(
            f"appfleet: standard output accepted no more data: {len(data) - written:,} of {len(data):,} bytes "
            "of the result "
            "were not written. appfleet history and appfleet report show past runs"
        )
    return Delivery.READ


def lost_result(error: OSError | ValueError) -> Delivery:
    """Report that standard output failed; return what became of the result."""
    if sys.stdout is not None:
        _silence(sys.stdout)
    if isinstance(error, ValueError) or error.errno == errno.EBADF:
        say("appfleet: standard output is closed, so nobody can read the result. To discard it, use >/dev/null")
        return Delivery.UNREAD
    if error.errno == errno.EPIPE:
        if getattr(error, "written", 1):
            return Delivery.READ
        say("appfleet: the reader of standard output closed it before the result was written, so nobody has read it")
        return Delivery.UNREAD
    say(f"appfleet: the result could not be written to standard output: {os.strerror(error.errno or errno.EIO)}")
    return Delivery.FAILED


def hurry() -> None:
    """Wait less for readers from now on: somebody asked the process to end."""
    _HURRIED.append(True)


def say(text: str) -> None:
    """Write cleaned lines to standard error, broken at blanks on a terminal; a failure is of no consequence."""
    show(fitted("".join(f"{clean(line, 4 * len(line) + 1)}\n" for line in text.split("\n")), sys.stderr))


def show(text: str) -> None:
    """Write text that `render` made, colours and all, to standard error. It waits for a reader only a little."""
    stream = sys.stderr
    if stream is None:
        return
    data = text.encode(stream.encoding or "utf-8", "backslashreplace")
    try:
        if _write(stream, data, lambda: WORDS_STALL_MAX_SECONDS, WORDS_STALL_MAX_SECONDS) < len(data):
            _silence(stream)
    except (OSError, ValueError):
        _silence(stream)


def _result_stall_s() -> float:
    return RESULT_STALL_STOPPED_SECONDS if _HURRIED else RESULT_STALL_MAX_SECONDS


def _write(stream: TextIO, data: bytes, stall_s: Callable[[], float], total_s: float) -> int:
    """Write to what is behind `stream`, in bounded time; how many bytes were written."""
    stream.flush()
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:  # a stream in memory, as tests and embedders put in place
        return int(stream.buffer.write(data))
    return write_patiently(descriptor, data, stall_s, total_s)


def _silence(stream: TextIO) -> None:
    """Point the descriptor at the null device, so that the interpreter's last flush finds nothing to complain of."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        return
