"""`appfleet onboard`: a whole team from a list of names to running apps, in one command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.app.completing import Value
from engine.cli import flags
from engine.cli.apply import ReportFormatFlag, ReportToFlag, YesFlag, run
from engine.cli.asked import Team, taking
from engine.cli.output import say
from engine.cli.plan import PlanFormat
from engine.core.errors import UsageError
from engine.core.text import clean

if TYPE_CHECKING:
    from engine.app.options import AppOptions
    from engine.app.teams.team_file import TeamWritten
    from engine.core.outcome import ApplyReport


LikeFlag = Annotated[
    str | None,
    flags.flag(
        "--like",
        help="Copy user apps, {member} spaces and tags from this team.",
        metavar="TEAM",
        autocompletion=flags.completing(Value.TEAM),
    ),
]
AppFlag = Annotated[
    list[str] | None,
    flags.flag(
        "--app",
        help="Give each member this app of the fleet file. Repeatable.",
        metavar="NAME",
        autocompletion=flags.completing(Value.DEFINITION),
    ),
]

DomainFlag = Annotated[
    str | None,
    flags.flag(
        "--domain",
        help="The domain, if the fleet has several.",
        metavar="NAME",
        autocompletion=flags.completing(Value.DOMAIN),
    ),
]
UndoFlag = Annotated[
    str | None,
    flags.flag(
        "--undo",
        help="Undo this run: delete the apps, spaces with their volumes, and profiles that it created, and "
        "revert its updates.",
        metavar="RUN",
        autocompletion=flags.completing(Value.RUN),
    ),
]


@taking
def onboard(
    ctx: typer.Context,
    team: Annotated[str | None, typer.Argument(help="The team's name: lower-case letters, digits, hyphens.")] = None,
    members: Annotated[
        list[str] | None, flags.flag("--members", help="User profile names or e-mail addresses.", metavar="A,B")
    ] = None,
    members_file: Annotated[
        Path | None, flags.path_flag("--members-file", help="A CSV file whose first column holds the names.")
    ] = None,
    like: LikeFlag = None,
    app: AppFlag = None,
    domain: DomainFlag = None,
    undo: UndoFlag = None,
    yes: YesFlag = False,
    format_: ReportFormatFlag = PlanFormat.TEXT,
    _report_to: ReportToFlag = None,
    *,
    asked: Team,
) -> int:
    """Write teams/TEAM.toml, then plan and apply that team alone.

    If it is interrupted, run the same command again to continue.
    """
    from engine.app.teams.members import members_of
    from engine.app.teams.onboard import onboarding_of, undoing_of
    from engine.app.teams.team_file import TeamAsked

    options = asked.run_options(ctx.obj, "onboard", yes=yes, lets_go=undo is not None)
    if undo is not None:
        options, taking_back = undoing_of(options, undo, confirmed=yes)
        word = undo if taking_back.leaving else ""
        return run(ctx.obj, options, format_.value, taking_back, yes=yes, word=word)
    if team is None:
        raise UsageError("onboard needs the team's name", hint="Such as: appfleet onboard vision --members alice,bob")
    people = members_of([name for text in members or () for name in text.split(",")], members_file)
    team_asked = TeamAsked(team, people, domain, like, tuple(app or ()), people.identities)
    written, options, alone = onboarding_of(options, team_asked, partial(_auth_mode, ctx, options))
    path = clean(str(written.path))
    say(f"appfleet: wrote {path}" if written.is_new else f"appfleet: {path} exists already with the same content")
    for note in written.notes:
        say(f"appfleet: {clean(note)}")
    stays = f"appfleet: {path} is kept; remove it, or the next run creates the team's apps"
    more = partial(_people, options, written)
    return run(ctx.obj, options, format_.value, alone, yes=yes, declined=stays if written.is_new else "", more=more)


def _auth_mode(ctx: typer.Context, options: AppOptions, domain: str) -> str:
    """Ask how people sign in to a domain, before anything is written."""
    from engine.app.teams import onboard as app_onboard
    from engine.cli.sinks import Sinks

    with Sinks(ctx.obj, options, quiet=True) as sinks:
        return sinks.run(app_onboard.auth_mode(options, domain, sinks.emit))


def _people(options: AppOptions, written: TeamWritten, report: ApplyReport) -> str:
    """Return one line a person."""
    from engine.app.teams.onboard import owners_in, people_of
    from engine.render.people_text import people_text

    people = people_of(owners_in(options), written.domain, written.members)
    return f"\n{people_text(report, written.members, people)}"
