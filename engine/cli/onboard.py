"""`appfleet onboard`: a whole team from a list of names to running apps, in one command."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import flags
from engine.cli.argv import words_of_command
from engine.cli.ask import can_ask, confirm_with
from engine.cli.asked import Team, taking
from engine.cli.output import say
from engine.cli.plan import PlanFormat
from engine.core.errors import NotConfirmedError, UsageError
from engine.core.text import clean

if TYPE_CHECKING:
    from engine.app.options import AppOptions
    from engine.app.teams.overlay import Preparation
    from engine.app.teams.team_file import TeamWritten
    from engine.core.outcome import ApplyReport


LikeFlag = Annotated[
    str | None,
    flags.flag("--like", help="Give them what this team has: user apps, {member} spaces, tags.", metavar="TEAM"),
]
AppFlag = Annotated[
    list[str] | None, flags.flag("--app", help="Give them this app of the fleet file. Repeatable.", metavar="NAME")
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
    domain: Annotated[
        str | None, flags.flag("--domain", help="The domain, if the fleet has several.", metavar="NAME")
    ] = None,
    undo: Annotated[
        str | None, flags.flag("--undo", help="Delete exactly the apps that this run made.", metavar="RUN")
    ] = None,
    yes: Annotated[bool, flags.flag("--yes", "-y", help="Do not ask.")] = False,
    format_: Annotated[PlanFormat, flags.flag("--format", help="How the report is written.")] = PlanFormat.TEXT,
    *,
    asked: Team,
) -> int:
    """Write teams/TEAM.toml, then plan and apply that team alone.

    If it is interrupted, run the same command again to continue.
    """
    from engine.app.teams.members import members_of
    from engine.app.teams.onboard import onboarding_of, undoing_of
    from engine.app.teams.team_file import TeamAsked

    if not (yes or can_ask()):
        raise UsageError("No terminal to ask for confirmation", hint="Use --yes")
    options = replace(
        asked.options(ctx.obj),
        command="onboard",
        asks=not yes,
        again=words_of_command(ctx.obj.call.words),
        lets_go=undo is not None,
    )
    if undo is not None:
        options, taking_back = undoing_of(options, undo)
        return run(ctx, options, taking_back, format_.value, None, yes=yes)
    if team is None:
        raise UsageError("onboard needs the team's name", hint="Such as: appfleet onboard vision --members alice,bob")
    people = members_of([name for text in members or () for name in text.split(",")], members_file)
    team_asked = TeamAsked(team, people, domain, like, tuple(app or ()), people.identities)
    written, options, alone = onboarding_of(options, team_asked, partial(_auth_mode, ctx, options))
    say(f"appfleet: {written.inside} {'was written' if written.is_new else 'is there already, and says the same'}")
    for note in written.notes:
        say(f"appfleet: {clean(note)}")
    return run(ctx, options, alone, format_.value, written, yes=yes)


def _auth_mode(ctx: typer.Context, options: AppOptions, domain: str) -> str:
    """Ask how people sign in to a domain, before anything is written."""
    import asyncio

    from engine.app.teams import onboard as app_onboard
    from engine.cli.sinks import Sinks

    with Sinks(ctx.obj, options, quiet=True) as sinks:
        mode = asyncio.run(sinks.ticking(app_onboard.auth_mode(options, domain, sinks.emit)))
        sinks.clear()
    return mode


def run(
    ctx: typer.Context,
    options: AppOptions,
    preparation: Preparation,
    format_: str,
    written: TeamWritten | None,
    *,
    yes: bool,
    word: str = "",
) -> int:
    """Apply what was prepared, and write the report, a team's with one line a person. `word` is typed as a yes."""
    import asyncio

    from engine.app import apply as app_apply
    from engine.cli.apply import report_in
    from engine.cli.context import next_after
    from engine.cli.ending import end_with_report
    from engine.cli.sinks import Sinks

    with Sinks(ctx.obj, options, quiet=False) as sinks:
        confirm = confirm_with(sinks, yes=yes, word=word)
        report = asyncio.run(sinks.ticking(app_apply.apply(options, sinks.emit, confirm, preparation)))
        sinks.clear()
        if report is None:
            if written is not None and written.is_new:
                say(f"appfleet: {written.inside} stays; remove it, or the next run of the fleet makes the team")
            raise NotConfirmedError
        report = sinks.noted(report)
    text = report_in(report, format_, next_after(report, options))
    if written is not None and format_ == PlanFormat.TEXT:
        text += "\n" + _people(report, options, written)
    return end_with_report(ctx.obj.call, report, text)


def _people(report: ApplyReport, options: AppOptions, written: TeamWritten) -> str:
    from engine.app.teams.onboard import owners_in, people_of
    from engine.render.people_text import people_text

    return people_text(report, written.members, people_of(owners_in(options), written.domain, written.members))
