"""The entry: reads the arguments, runs the command, and turns whatever comes of it into an exit code.

No traceback reaches a user, and the parser's own exit code for wrong flags, 2, never leaves: 2 means changes.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.cli.argv import command_of, prepare
from engine.cli.output import ensure_descriptors, say
from engine.core.errors import AppfleetError, ConfigError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

COLLECTOR_THRESHOLD_OBJECTS: Final = 50_000
COMPLETE_VARIABLE: Final = "_APPFLEET_COMPLETE"  # set by the script that `completion` prints


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code. `arguments` default to those of the process."""
    # Starting makes tens of thousands of objects that all stay: looking through them for garbage is wasted time.
    gc.set_threshold(COLLECTOR_THRESHOLD_OBJECTS, 20, 20)
    # No plugin of pydantic's is ours, and looking for some reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    ensure_descriptors()
    words = prepare(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except KeyboardInterrupt:
        say("appfleet: interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the last resort: it becomes one line and a file
        return _tell(error, words)


def _run(words: list[str]) -> int:
    import typer

    from engine.cli.application import COMMANDS, build

    if COMPLETE_VARIABLE in os.environ:
        from engine.cli.completion import answered

        return answered(os.environ[COMPLETE_VARIABLE])
    named = command_of(words)
    command = typer.main.get_command(build(named if named in COMMANDS else ""))
    try:
        # Not `command.main`: it has views of its own on interrupts and exit codes.
        with command.make_context("appfleet", list(words)) as context:
            return int(command.invoke(context) or ExitCode.OK)
    except typer.Exit as end:  # after --help and --version
        return int(end.exit_code)
    except typer.TyperException as error:
        return _tell_usage(error)


def _tell_usage(error: Exception) -> int:
    """Tell what is wrong with the flags, and which help has more."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        say(str(getattr(error, "message", error)))
        return ExitCode.USAGE
    format_message = getattr(error, "format_message", None)
    message = " ".join((format_message() if format_message is not None else str(error)).split())
    path = context.command_path if context is not None else "appfleet"
    say(f"appfleet: error AF101: {message.rstrip('.')}. See {path} --help")
    return ExitCode.USAGE


def _tell(error: Exception, words: Sequence[str]) -> int:
    """Tell an error of ours as it is, and anything else as a bug with its traceback put aside."""
    from engine.cli.crash import bug_of, foreseen

    known = foreseen(error)
    if known is None:
        known = bug_of(error, _state_folder(words))
    tell_error(known)
    return known.exit_code


def tell_error(error: AppfleetError) -> None:
    """Write what is wrong: each problem of a file on a line of its own, and the error's own line last."""
    if isinstance(error, ConfigError):
        from engine.core.limits import DIAGNOSTICS_SHOWN_MAX_COUNT

        for diagnostic in error.diagnostics[:DIAGNOSTICS_SHOWN_MAX_COUNT]:
            say(diagnostic.render())
        rest = len(error.diagnostics) - DIAGNOSTICS_SHOWN_MAX_COUNT
        if rest > 0:
            say(f"… and {rest:,} more")
    say(f"appfleet: error {error.code}: {error}")


def _state_folder(words: Sequence[str]) -> Path:
    """Find the state folder without the parser, which may be what broke."""
    given: dict[str, str] = {}
    for name, following in zip(words, [*words[1:], ""], strict=True):
        flag, equals, value = name.partition("=")
        given.setdefault("--file" if flag == "-f" else flag, value if equals else following)
    state = given.get("--state-dir") or os.environ.get("APPFLEET_STATE_DIR")
    if state:
        return Path(state)
    file = given.get("--file") or os.environ.get("APPFLEET_FILE") or "fleet.toml"
    return Path(file).absolute().parent / ".appfleet"
