"""The entry: reads the arguments, runs the command, and turns whatever comes of it into an exit code.

No traceback reaches a user, and the parser's own exit code for wrong flags, 2, never leaves: 2 means changes.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from engine.app.process import collect_rarely, require_open_files
from engine.cli.argv import command_of, empty_one, prepare
from engine.cli.call import FLEET_FILE_NAME, HELP, Call
from engine.cli.output import Delivery, deliver, ensure_descriptors, lost_result, say
from engine.cli.usage import UNKNOWN_FLAG, of_variable, plain_message
from engine.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_FLAGS: Final = frozenset({"-f", "--file"})
INIT: Final = "init"  # empty answers of its are meant, or told by the name of the question


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code. `arguments` default to those of the process."""
    collect_rarely()
    # No plugin of pydantic's is ours, and looking for some reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    ensure_descriptors()
    given = sys.argv[1:] if arguments is None else arguments
    call = Call(prepare(given), empty_one(given))
    # A process keeps its handlers to its very end: a signal must not change an exit code that is earned already.
    try:
        with call.signals.caught(to_the_end=arguments is None):
            return _ended(call)
    except KeyboardInterrupt as interrupt:  # before the command began, or while an interrupt was dealt with
        return _interrupted(call, interrupt)


def _ended(call: Call) -> int:
    """Run the command, and write its end whatever that is."""
    try:
        code = _run(call)
        call.signals.hold()
    except KeyboardInterrupt as interrupt:
        return _interrupted(call, interrupt)
    except Exception as error:  # noqa: BLE001  # the last resort: it becomes one line and a file
        call.signals.hold()
        from engine.cli.crash import known_or_bug
        from engine.cli.ending import end_with_error

        return end_with_error(call, known_or_bug(error, call.state_path, call.words))
    if call.has_log and call.is_look:
        from engine.cli.ending import end_of_look

        return end_of_look(call, code)
    return code


def _interrupted(call: Call, interrupt: KeyboardInterrupt) -> int:
    """Write that a signal ended the command, and return its exit code."""
    call.signals.hold()
    from engine.cli.ending import end_with_interrupt

    return end_with_interrupt(call, str(interrupt.args[0]) if interrupt.args else "")


def _run(call: Call) -> int:
    _require_surroundings(call)
    words = list(call.words)
    import typer

    from engine.cli.application import COMMANDS, COMPLETE_VARIABLE, command_line

    if COMPLETE_VARIABLE in os.environ:
        from engine.cli.completion import answered

        return answered(os.environ[COMPLETE_VARIABLE])
    named = command_of(words)
    if call.empty_one and named != INIT:
        hint = "Give it a value, or leave it out. A variable that is not set gives an empty one"
        if call.empty_one in FILE_FLAGS:
            hint = f"Name the fleet file, such as -f DIR/{FLEET_FILE_NAME}, or leave it out to use ./{FLEET_FILE_NAME}"
        raise UsageError(f"{call.empty_one} is empty", hint=hint)
    command = command_line(named if named in COMMANDS else "")
    try:
        # Not `command.main`: it has views of its own on interrupts and exit codes.
        with command.make_context("appfleet", list(words), obj=call) as context:
            return int(command.invoke(context) or ExitCode.OK)
    except typer.Exit as end:  # after --help and --version
        return int(end.exit_code) or _after_help()
    except OSError as error:
        if error.filename is not None or not HELP.intersection(words):
            raise
        # The parser's own help, which it writes itself.
        return ExitCode.OK if lost_result(error) is Delivery.READ else ExitCode.FAILED
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            say(str(getattr(error, "message", error)))
            return ExitCode.USAGE
        raise _usage_error(error, next((word for word in words if word in COMMANDS), "")) from None


def _require_surroundings(call: Call) -> None:
    """Raise an error where the process lacks what this command needs whatever it is asked to do."""
    if call.is_run or call.is_look:
        require_open_files()
    if not call.needs_folder:
        return
    try:
        os.getcwd()  # noqa: PTH109 - whether there is one is all that is asked
    except FileNotFoundError:
        raise UsageError(
            "the current folder no longer exists",
            hint="Change to another folder (cd DIR), then run it again",
        ) from None


def _after_help() -> int:
    """Return the exit code after help: without standard output the parser writes it nowhere, and says nothing."""
    return ExitCode.FAILED if sys.stdout is None and deliver("") is not Delivery.READ else ExitCode.OK


def _usage_error(error: Exception, named: str) -> UsageError:
    """Return what is wrong with the flags, and which help has more. `named` is the first word that is a command."""
    context = getattr(error, "ctx", None)
    format_message = getattr(error, "format_message", None)
    message = of_variable(plain_message(format_message() if format_message is not None else str(error)), error)
    path = context.command_path if context is not None else "appfleet"
    if named and path == "appfleet" and (flag := UNKNOWN_FLAG.match(message)):
        hint = f"Flags of a command come after it: appfleet {named} {flag[1]}"
        return UsageError(f"There is no flag {flag[1]} before a command", hint=hint)
    return UsageError(message, hint=f"See {path} --help")
