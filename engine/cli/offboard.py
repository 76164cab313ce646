"""`appfleet offboard`: lets a team go, in the reverse order of how it came."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.app.completing import Value
from engine.cli import flags
from engine.cli.apply import ReportFormatFlag, ReportToFlag, run
from engine.cli.asked import Team, taking
from engine.cli.call import DASH
from engine.cli.named import DASH_HINT, DASH_REFUSED
from engine.cli.plan import PlanFormat
from engine.core.errors import UsageError


@taking
def offboard(
    ctx: typer.Context,
    team: Annotated[str, typer.Argument(help="The team's name.", autocompletion=flags.completing(Value.TEAM))],
    owners: Annotated[
        bool, flags.flag("--owners", help="Delete its spaces, their volumes included, and its user profiles too.")
    ] = False,
    from_: Annotated[
        str | None,
        flags.flag(
            "--from",
            help="File with the team's old table, below the fleet file's folder.",
            metavar="FILE",
            show_default="offboarded/TEAM.toml",
        ),
    ] = None,
    yes: Annotated[
        bool, flags.flag("--yes", "-y", help="Do not ask; --owners then needs --allow-destructive.")
    ] = False,
    format_: ReportFormatFlag = PlanFormat.TEXT,
    _report_to: ReportToFlag = None,
    *,
    asked: Team,
) -> int:
    """Delete a team's apps; with --owners, its people and spaces.

    Keeps everything that the rest of the fleet still declares. First move the team's table out of the files that the
    next run reads, into offboarded/TEAM.toml. Until you have moved it, the command shows its line.
    """
    from engine.app.teams.onboard import offboarding_of
    from engine.app.teams.overlay import OFFBOARDED_FOLDER

    options = asked.run_options(ctx.obj, "offboard", yes=yes, lets_go=True)
    if from_ == DASH:
        raise UsageError(f"--from: {DASH_REFUSED}", hint=DASH_HINT)
    inside = from_ or f"{OFFBOARDED_FOLDER}/{team}.toml"
    options, letting = offboarding_of(options, team, inside, with_owners=owners, confirmed=yes)
    return run(ctx.obj, options, format_.value, letting, yes=yes, word=team if owners else "")
