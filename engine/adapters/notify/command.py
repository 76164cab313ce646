"""A command as a receiver: the report as JSON on its standard input, no shell.

It runs in a process group of its own. One that takes too long is killed with whatever it started in that group. Its
standard input and error are files without a name, so nothing here waits for a pipe that a child of it keeps open.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from engine.core.text import clean
from engine.ports.notify import Notice, NotSentError

_WORDS_READ_MAX_BYTES: Final = 4_096  # from the end of what a command wrote to standard error


@dataclass(frozen=True, slots=True)
class CommandReceiver:
    """Runs `argv` in `folder`. Only its exit code says whether it took the notice."""

    argv: Sequence[str]
    folder: Path

    async def send(self, notice: Notice) -> None:
        """Run it. Raises NotSentError, with the last line that the command wrote to standard error."""
        try:
            code, words = await run(self.argv, notice.document, self.folder)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise NotSentError(
                f"cannot run {clean(self.argv[0])}: {why}",
                "Give the path of a program that this user may run, or its name on PATH",
                is_final=True,
            ) from None
        if code != 0:
            ended = f"exit code {code}" if code > 0 else f"killed by {signal_name(-code)}"
            said = f": {words}" if words else " and no words on standard error"
            raise NotSentError(f"{clean(self.argv[0])} failed with {ended}{said}", "Run it by hand to see why")


async def run(argv: Sequence[str], data: bytes, folder: Path) -> tuple[int, str]:
    """Run a command with `data` on its standard input; return its exit code and its last words on standard error.

    Raises OSError where it cannot be started. A cancellation kills its process group.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(data)
        given.seek(0)
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=given, stdout=subprocess.DEVNULL, stderr=said, cwd=folder, start_new_session=True
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            _kill_group(process.pid)
            await process.wait()
            raise
        return code, _last_words(said)


def _kill_group(group: int) -> None:
    """Kill a command and its children; the group has the number of the command, which has not been waited for yet."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _last_words(said: IO[bytes]) -> str:
    end = said.seek(0, os.SEEK_END)
    said.seek(max(end - _WORDS_READ_MAX_BYTES, 0))
    lines = [line for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def signal_name(number: int) -> str:
    """Return the name of a signal, or its number where it has none."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
