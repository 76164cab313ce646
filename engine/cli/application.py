"""The commands put together: names, order, and what `appfleet --help` says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from engine.cli import flags
from engine.cli.call import FLEET_FILE_NAME, Call
from engine.cli.context import Globals
from engine.cli.output import write_result
from engine.cli.usage import plain_help
from engine.core.errors import ExitCode
from engine.core.log_options import LogFormat

_GLOBAL_HELP: Final = "Global flags (see appfleet --help) work before or after the command."
_EPILOG: Final = """Every flag is also an environment variable: --log-level is APPFLEET_LOG_LEVEL.

\b
Exit codes:
  0    done (plan: with or without changes)
  1    the run itself failed, or you answered no
  2    plan --detailed-exitcode: there are changes
  3    apps failed, parked or still pending
  4    a mandatory rule or a guardrail denied
  5    another run holds the lock
  64   wrong flags, or a file that is not valid
  70 a bug in appfleet
  130  interrupted

\b
Examples:
  appfleet validate
  appfleet plan --team forecasting
  appfleet apply --simulate
  appfleet -f prod/fleet.toml apply --yes --log-file /var/log/appfleet.jsonl"""

COMMANDS: Final = (
    "validate",
    "plan",
    "apply",
    "gate",
    "gather",
    "status",
    "onboard",
    "offboard",
    "preflight",
    "explain",
    "history",
    "report",
    "init",
    "import",
    "discover",
    "simulate",
    "schema",
    "iam-policy",
    "prices",
    "completion",
)


def command_line(only: str = "") -> Any:
    """Return the parser's command for `build(only)`, with plain words in its help."""
    return plain_help(typer.main.get_command(build(only)))


def build(only: str = "") -> typer.Typer:
    """Return the application, with plain help and with no handler of exceptions but ours.

    With `only`, the name of a command, the others are left out: reading their flags takes longer than some commands.
    """
    application = typer.Typer(
        name="appfleet",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    application.callback(epilog=_EPILOG)(_globals)
    for name in (only,) if only else COMMANDS:
        function = "import_" if name == "import" else name.replace("-", "_")  # a word of Python's own
        command = getattr(import_module(f"engine.cli.{function}"), function)
        application.command(name, epilog=_GLOBAL_HELP)(command)
    return application


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        written = write_result(f"appfleet {version('appfleet')}\n")
        raise typer.Exit(ExitCode.OK if written else ExitCode.FAILED)


def _globals(
    ctx: typer.Context,
    file: flags.FileFlag = Path(FLEET_FILE_NAME),
    policies: flags.PoliciesFlag = None,
    state_dir: flags.StateDirFlag = None,
    endpoint_url: flags.EndpointFlag = None,
    log_format: flags.LogFormatFlag = LogFormat.AUTO,
    log_file: flags.LogFileFlag = None,
    log_level: flags.LogLevelFlag = None,
    _show_version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit."),
    ] = False,
) -> None:
    """Create the SageMaker Studio apps that fleet.toml declares, within rate and quota."""
    call = ctx.obj if isinstance(ctx.obj, Call) else Call(())
    ctx.obj = Globals(file, log_format, log_file, log_level, state_dir, endpoint_url, call, tuple(policies or ()))


COMPLETE_VARIABLE: Final = "_APPFLEET_COMPLETE"  # set by the script that `completion` prints
