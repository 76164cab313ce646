"""The flags, each written once: name, environment variable, help.

Every flag is also an environment variable, `--log-level` as APPFLEET_LOG_LEVEL; the flag wins.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.app.completing import Value
from engine.cli.call import ENV_PREFIX, FLEET_FILE_NAME
from engine.cli.named import DASH_HINT, path_or_stdout, path_with_hint, state_place
from engine.core import request
from engine.core.log_options import LogFormat, LogLevel


class TextOrJson(StrEnum):
    """How a result is written that has two forms."""

    TEXT = "text"
    JSON = "json"


def flag(*names: str, help: str, **more: Any) -> Any:  # noqa: A002  # typer's own word for it
    """Declare a flag whose environment variable follows from its long name."""
    long = next(name for name in names if name.startswith("--"))
    variable = ENV_PREFIX + long.removeprefix("--").replace("-", "_").upper()
    # What opens a path says best what is wrong with it: the parser would only ask whether it can be read.
    return typer.Option(*names, envvar=variable, show_envvar=False, help=help, readable=False, **more)


def completing(value: Value) -> Callable[[typer.Context, str], list[str]]:
    """Return what gives a shell the values behind a flag or of an argument, for `autocompletion`."""

    def known(ctx: typer.Context, incomplete: str) -> list[str]:
        from engine.app.completing import known_values
        from engine.app.options import AppOptions
        from engine.core.bucket_url import parse_bucket_url

        given = ctx.find_root().params
        named = given.get("state_dir")
        url = None if named is None else parse_bucket_url(named)
        folder = None if named is None or url is not None else Path(named)
        options = AppOptions(given.get("file") or Path(FLEET_FILE_NAME), state_dir=folder, state_url=url)
        return known_values(options, value, incomplete)

    return known


def path_flag(
    *names: str,
    help: str,  # noqa: A002  # as above
    metavar: str = "FILE",
    dash: str = DASH_HINT,
    **more: Any,
) -> Any:
    """Declare a flag that takes a path; a name that no disk takes is refused, and the flag named.

    A lone `-` is refused too, with `dash` as the hint, since most programs take it for a stream.
    """
    return flag(*names, help=help, metavar=metavar, parser=path_with_hint(dash), **more)


def output_flag(*names: str, help: str) -> Any:  # noqa: A002  # as above
    """Declare a flag that takes the file to write, or a lone `-` for standard output."""
    return flag(*names, help=help, metavar="FILE", parser=path_or_stdout)


FileFlag = Annotated[
    Path, path_flag("-f", "--file", help="The fleet file.", dash="A fleet file is never read from standard input")
]
PoliciesFlag = Annotated[
    list[Path] | None,
    flag(
        "--policies",
        help="Folder of an organization's policies, which the fleet's own cannot loosen. Repeatable; in the variable "
        "separated as in PATH.",
        metavar="FOLDER",
    ),
]
LogFormatFlag = Annotated[
    LogFormat,
    flag("--log-format", help="Format of log lines; auto is console on a terminal and JSON elsewhere."),
]
LogFileFlag = Annotated[
    Path | None,
    path_flag(
        "--log-file",
        help="Append the log to this file instead of standard error.",
        dash="Leave the flag out to log to standard error",
    ),
]
LogLevelFlag = Annotated[
    LogLevel | None,
    flag(
        "--log-level",
        help="Lowest level to log.",
        show_default="info; error below a live view, warning where nothing runs",
    ),
]
StateDirFlag = Annotated[
    str | None,
    flag(
        "--state-dir",
        help="Folder for the journal and the lock, or s3://BUCKET/PREFIX for state shared by several machines.",
        metavar="FOLDER",
        parser=state_place,
        show_default=".appfleet beside the fleet file",
    ),
]
EndpointFlag = Annotated[
    str | None,
    flag(
        "--endpoint-url", help="Call this endpoint instead of AWS's own; plain http for loopback only.", metavar="URL"
    ),
]


SimulateFlag = Annotated[
    str | None,
    flag(
        "--simulate",
        help="Run against a simulated SageMaker in this process, kept in the state folder; --simulate=SCENARIO.toml "
        "sets limits and faults.",
        metavar="[=SCENARIO.toml]",
    ),
]

StrictFlag = Annotated[
    bool, flag("--strict", help="Refuse a fleet with warnings, such as a pattern that matches no file.")
]
AtFlag = Annotated[
    str | None, flag("--at", help="Show what a run would do at this time (RFC 3339) instead of now.", metavar="TIME")
]
FailOnDriftFlag = Annotated[bool, flag("--fail-on-drift", help="Exit 2 when anything has drifted.")]
AllFlag = Annotated[bool, flag("--all", help="Show every app of a long plan, even those that are created alike.")]
OwnersFlag = Annotated[
    bool, flag("--owners", help="Compare all declared user profiles and spaces too, one call for each.")
]
AllowDestructiveFlag = Annotated[
    list[str] | None,
    flag(
        request.ALLOW.flag,
        help="Allow this app, or exactly COUNT apps matching PATTERN, to be deleted or replaced. Repeatable.",
        metavar="KEY|PATTERN=COUNT",
        autocompletion=completing(Value.KEY),
    ),
]
