"""`appfleet iam-policy`: the least IAM policy that this fleet needs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import flags
from engine.cli.output import say, write_result
from engine.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from engine.app.loading import Loaded
    from engine.cli.context import Globals


class IamFormat(StrEnum):
    """Format of the policy."""

    JSON = "json"
    TERRAFORM = "terraform"


_PreflightFlag = Annotated[
    bool, flags.flag("--preflight", help="Allow what preflight reads: images, lifecycle configurations and roles.")
]
_DestroyFlag = Annotated[
    bool,
    flags.flag("--destroy", help="Allow deleting apps, for --prune and --replace, even if no file asks for it."),
]
_OffboardFlag = Annotated[
    bool,
    flags.flag(
        "--offboard", help="Allow deleting profiles, spaces and apps, for offboard --owners and onboard --undo."
    ),
]
_DomainIdFlag = Annotated[
    str,
    flags.flag(
        "--domain-id",
        help="With --read-only: a domain for which there is no fleet file yet.",
        metavar="ID",
        show_default=False,
    ),
]
_RegionFlag = Annotated[
    str,
    flags.flag("--region", help="Region of --domain-id (default: as import).", metavar="REGION", show_default=False),
]


def iam_policy(
    ctx: typer.Context,
    format_: Annotated[IamFormat, flags.flag("--format", help="Format of the policy.")] = IamFormat.JSON,
    destroy: _DestroyFlag = False,
    offboard: _OffboardFlag = False,
    prices: Annotated[
        bool, flags.flag("--prices", help="Allow reading the AWS Price List, for appfleet prices.")
    ] = False,
    preflight: _PreflightFlag = False,
    read_only: Annotated[
        bool, flags.flag("--read-only", help="Allow only the calls of plan and status, which change nothing.")
    ] = False,
    domain_id: _DomainIdFlag = "",
    region: _RegionFlag = "",
) -> int:
    """Print the least IAM policy that this fleet needs.

    With --read-only and --domain-id, prints what import, plan and status need of a domain, and reads no fleet file.

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
    loaded = _of_domain(domain_id, region, read_only=read_only) if domain_id or region else None
    has_file = loaded is None
    loaded = loaded or load(globals_.fleet_file, today(), organization=globals_.policies)
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
    if has_file and not all(domain.account for domain in loaded.fleet.domains):
        say("appfleet: a domain without `account` covers every account: set it in the fleet file")
    name = f"{loaded.fleet.name}-read-only" if read_only else loaded.fleet.name
    text = json_text(document) if format_ is IamFormat.JSON else iam_terraform(document, name)
    return ExitCode.OK if write_result(text) else ExitCode.FAILED


def _of_domain(domain_id: str, region: str, *, read_only: bool) -> Loaded:
    """Return a fleet of a domain with nothing in it. Raises UsageError."""
    from engine.app.import_domain import ImportAsked, bare_fleet, with_region

    if not (domain_id and read_only):
        wanted = "--read-only" if domain_id else "--domain-id"
        raise UsageError(
            f"--{'domain-id' if domain_id else 'region'} only works with {wanted}",
            hint="Use --read-only --domain-id ID --region REGION before there is a fleet file, and neither afterwards",
        )
    return bare_fleet(with_region(ImportAsked(domain_id, region, None, "main")))
