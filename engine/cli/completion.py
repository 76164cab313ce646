"""`appfleet completion`: the script that teaches a shell to complete a line, and what that script asks."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Annotated, Any, Final, NoReturn

import typer

from engine.cli.application import COMMANDS, COMPLETE_VARIABLE
from engine.cli.argv import GLOBAL_FLAGS, REPLACE, command_of, prepare
from engine.cli.output import write_result
from engine.core.errors import ExitCode
from engine.core.limits import COMPLETION_MAX_SECONDS

PROGRAM: Final = "appfleet"
_STDERR_FD: Final = 2
_WAIT_FOR_VALUE: Final = frozenset({*GLOBAL_FLAGS, "-f", REPLACE})


class Shell(StrEnum):
    """The shells that can be taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that the script is for.")]) -> int:
    """Print a script for your shell that completes commands.

    It completes flags too, and the names behind them: domains, teams, users, spaces and app keys of the fleet file, and
    runs of the state folder. For bash, put this into ~/.bashrc: eval "$(appfleet completion bash)"
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, shell=shell.value)
    return ExitCode.OK if write_result(script.rstrip("\n") + "\n") else ExitCode.FAILED


class _LateError(BaseException):
    """The time to answer is over. No handler of errors may take it for one."""


def answered(instruction: str) -> int:
    """Answer a shell that asks how a line may go on; what cannot be answered in time is no answer, and no error."""
    with suppress(Exception, _LateError), _quiet(), _bounded():
        return _answer(instruction)
    return ExitCode.OK


def _answer(instruction: str) -> int:
    from typer._completion_classes import completion_init
    from typer.completion import shell_complete

    from engine.cli.application import command_line

    completion_init()
    named = command_of(prepare(_typed()))
    command: Any = command_line(named if named in COMMANDS else "")
    of_words = command.make_context
    command.make_context = lambda name, words, **more: of_words(name, _in_order(words), **more)
    return shell_complete(command, {}, PROGRAM, COMPLETE_VARIABLE, instruction)


def _typed() -> list[str]:
    """Return the whole words before the one that is completed, without the program's name."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS")
    if line is None:
        return _split(os.environ.get("COMP_WORDS", ""))[1 : int(os.environ.get("COMP_CWORD", "0"))]
    words = _split(line)[1:]
    return words if line.endswith(" ") else words[:-1]


def _split(line: str) -> list[str]:
    with suppress(ValueError):  # a quote is open
        return shlex.split(line)
    return line.split()


def _in_order(words: Sequence[str]) -> list[str]:
    """Return words as the parser takes them: global flags first, and a flag that waits for its value last."""
    if words and words[-1] in _WAIT_FOR_VALUE:
        return [*prepare(words[:-1]), words[-1]]
    return prepare(words)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing reach standard error: it would land in the middle of the line that somebody types."""
    kept, null = os.dup(_STDERR_FD), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _STDERR_FD)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR_FD)
        os.close(kept)
        os.close(null)


@contextmanager
def _bounded() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, COMPLETION_MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _late(*_: object) -> NoReturn:
    raise _LateError
