"""`appfleet completion`: the script that teaches a shell to complete commands and flags, and what that script asks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

from engine.cli.application import COMPLETE_VARIABLE
from engine.cli.output import write_result
from engine.core.errors import ExitCode

PROGRAM: Final = "appfleet"


class Shell(StrEnum):
    """The shells that can be taught."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="The shell to teach.")]) -> int:
    """Print a script for your shell that completes commands.

    For bash, put this into ~/.bashrc: eval "$(appfleet completion bash)"
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, shell=shell.value)
    return ExitCode.OK if write_result(script.rstrip("\n") + "\n") else ExitCode.FAILED


def answered(instruction: str) -> int:
    """Answer a shell that asks how a line may go on, and give the exit code."""
    from typer._completion_classes import completion_init
    from typer.completion import shell_complete

    from engine.cli.application import command_line

    completion_init()
    return shell_complete(command_line(), {}, PROGRAM, COMPLETE_VARIABLE, instruction)
