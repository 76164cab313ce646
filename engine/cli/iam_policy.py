"""`appfleet iam-policy`: the least IAM policy that this fleet needs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import flags
from engine.cli.output import say, write_result
from engine.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from engine.cli.context import Globals


class IamFormat(StrEnum):
    """How the policy is written."""

    JSON = "json"
    TERRAFORM = "terraform"


_PreflightFlag = Annotated[
    bool, flags.flag("--preflight", help="Allow what preflight reads: images, lifecycle configurations and roles.")
]


def iam_policy(
    ctx: typer.Context,
    format_: Annotated[IamFormat, flags.flag("--format", help="How the policy is written.")] = IamFormat.JSON,
    destroy: Annotated[
        bool,
        flags.flag("--destroy", help="Allow deleting apps, for --prune and --replace, also where no file asks for it."),
    ] = False,
    offboard: Annotated[
        bool,
        flags.flag(
            "--offboard", help="Allow deleting profiles, spaces and apps, for offboard --owners and onboard --undo."
        ),
    ] = False,
    prices: Annotated[
        bool, flags.flag("--prices", help="Allow reading the AWS Price List, for appfleet prices.")
    ] = False,
    preflight: _PreflightFlag = False,
    read_only: Annotated[
        bool, flags.flag("--read-only", help="Allow what plan and status call, and no change of anything.")
    ] = False,
) -> int:
    """Print the least IAM policy that this fleet needs.

    Example: appfleet iam-policy --format terraform > appfleet-iam.tf
    """
    globals_: Globals = ctx.obj
    from engine.app.loading import load, today
    from engine.cli.context import options_of
    from engine.core import iam
    from engine.render.iam_terraform import iam_terraform
    from engine.render.json_text import json_text

    if read_only and (destroy or offboard):
        raise UsageError(
            f"--read-only and {'--destroy' if destroy else '--offboard'} exclude each other",
            hint="Run it twice, for one role that plans and one that applies",
        )
    loaded = load(globals_.fleet_file, today(), organization=globals_.policies)
    for warning in loaded.warnings:
        say(warning.render())
    deletes = destroy or iam.may_destroy(loaded.fleet, loaded.settings)
    document = iam.iam_policy(
        loaded.fleet,
        loaded.settings,
        destroy=deletes,
        prices=prices,
        read_only=read_only,
        offboard=offboard,
        state=options_of(globals_).state_url,
        preflight=preflight,
    )
    if not (deletes or offboard or read_only):
        say("appfleet: sagemaker:DeleteApp is left out, since no file asks for a delete; --destroy adds it")
    if not all(domain.account for domain in loaded.fleet.domains):
        say("appfleet: a domain without `account` covers every account: set it in the fleet file")
    name = f"{loaded.fleet.name}-read-only" if read_only else loaded.fleet.name
    text = json_text(document) if format_ is IamFormat.JSON else iam_terraform(document, name)
    return ExitCode.OK if write_result(text) else ExitCode.FAILED
