"""`appfleet init`: the files of a new fleet, from flags or from questions on the terminal."""

from __future__ import annotations

import shlex
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.cli import flags
from engine.cli.ask import can_ask, line_typed
from engine.cli.output import Delivery, deliver, say, show
from engine.core.errors import ExitCode, UsageError
from engine.core.limits import OFFER_MAX_SECONDS, OFFERED_DOMAINS_MAX_COUNT, OFFERED_PROFILES_MAX_COUNT
from engine.core.text import clean, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.app.init import Answers, Offer

QUESTIONS: Final = {
    "--name": ("Name of the fleet, such as ml-platform", ""),
    "--profile": ("AWS profile (leave empty to use the credentials of this shell)", ""),
    "--region": ("Region of the SageMaker domain", "eu-west-1"),
    "--domain-id": ("Id of the domain, such as d-abcd1234efgh", ""),
    "--account": ("AWS account id (12 digits; leave empty to skip the check)", ""),
    "--team": ("Name of the first team", "first"),
    "--members": ("Its user profiles, separated by commas", ""),
}
MAY_BE_EMPTY: Final = frozenset({"--account", "--profile"})
EXAMPLES: Final = {"--name": "ml-platform", "--domain-id": "d-abcd1234efgh", "--members": "alice, bob"}


def init(
    ctx: typer.Context,
    name: Annotated[str | None, flags.flag("--name", help="Name of the fleet.", metavar="NAME")] = None,
    profile: Annotated[
        str | None, flags.flag("--profile", help="AWS profile of the domain; empty for none.", metavar="PROFILE")
    ] = None,
    region: Annotated[str | None, flags.flag("--region", help="Region of the domain.", metavar="REGION")] = None,
    domain_id: Annotated[
        str | None, flags.flag("--domain-id", help="Id of the SageMaker domain.", metavar="ID")
    ] = None,
    account: Annotated[
        str | None, flags.flag("--account", help="Account of the domain; empty for any.", metavar="ACCOUNT")
    ] = None,
    team: Annotated[str | None, flags.flag("--team", help="Name of the first team.", metavar="TEAM")] = None,
    members: Annotated[str | None, flags.flag("--members", help="User profiles of the team.", metavar="A,B")] = None,
    out: Annotated[
        Path, flags.path_flag("--out", help="Folder to write to.", metavar="FOLDER", dash="Name a folder")
    ] = Path(),
    cron: Annotated[
        bool, flags.flag("--cron", help="Write nothing; print the crontab lines that the fleet's hours need.")
    ] = False,
) -> int:
    """Write a commented fleet.toml and policies/ to start from.

    On a terminal, prompts for anything not given as a flag, and offers your AWS profiles and the domains that your
    credentials can list in any region.
    Elsewhere, uses example values and names them. Overwrites nothing. The files are valid as they are written.
    """
    from engine.app.init import require_free, start_fleet

    if cron:
        return _cron(ctx.obj.fleet_file)
    given = dict(zip(QUESTIONS, (name, profile, region, domain_id, account, team, members), strict=True))
    _check_given(given)
    require_free(out, _answers(_with_examples(given)))
    examples = [] if can_ask() else [flag for flag in EXAMPLES if given[flag] is None]
    told = _asked(given, ctx.obj.endpoint_url, out) if can_ask() else _with_examples(given)
    try:
        written = start_fleet(out, _answers(told), _today())
    except UsageError as error:
        raise UsageError(error.message, hint=f"{error.hint}. To use your answers: {_command(told, out)}") from None
    text = "".join(f"wrote {path}\n" for path in written)
    if examples:
        what = ", ".join(f"{flag[2:].replace('-', ' ')} {told[flag]}" for flag in examples)
        text += f"\nReplace these example values in the files: {what}\n"
    fleet = "" if out == Path() else f" -f {shlex.quote(str(out / 'fleet.toml'))}"
    steps = ("validate", "plan --simulate", "plan", "onboard TEAM --members NAME,NAME --app lab")
    text += "\nNext:\n" + "".join(f"  appfleet{fleet} {step}\n" for step in steps)
    return ExitCode.OK if deliver(text) is not Delivery.FAILED else ExitCode.FAILED  # the files are what was asked for


def _cron(fleet_file: Path) -> int:
    """Print the crontab of a fleet that is there. Raises UsageError where no app has hours that ever change."""
    from engine.app.init import crontab_of

    return ExitCode.OK if deliver(crontab_of(fleet_file, datetime.now(UTC))) is Delivery.READ else ExitCode.FAILED


def _today() -> date:
    return datetime.now(UTC).date()


def _answers(told: dict[str, str]) -> Answers:
    from engine.app.init import Answers

    return Answers(
        name=told["--name"],
        domain_id=told["--domain-id"],
        region=told["--region"],
        account=told["--account"],
        team=told["--team"],
        members=tuple(part.strip() for part in told["--members"].split(",") if part.strip()),
        profile=told["--profile"],
    )


def _with_examples(told: dict[str, str | None] | dict[str, str]) -> dict[str, str]:
    """Return an answer to every question: the one given, else the usual one or an example."""
    usual = {flag: EXAMPLES.get(flag, answer) for flag, (_, answer) in QUESTIONS.items()}
    return {flag: usual[flag] if told.get(flag) is None else str(told[flag]).strip() for flag in QUESTIONS}


def _check_given(given: dict[str, str | None]) -> None:
    """Raise UsageError for the first flag whose value makes no valid fleet, before anything is asked."""
    told: dict[str, str] = {}
    for flag, answer in given.items():
        if answer is not None:
            told[flag] = answer.strip()
            if not told[flag] and flag not in MAY_BE_EMPTY:
                raise UsageError(f"init needs {flag}, and its value is empty", hint="Give it a value, or leave it out")
            problem = _problem(told)
            if problem is not None:
                raise problem


def _problem(told: dict[str, str]) -> UsageError | None:
    """Return what is wrong with the newest answer: the others are right, or examples."""
    from engine.app.init import problem_with

    return problem_with(_answers(_with_examples(told)), _today())


def _asked(given: dict[str, str | None], endpoint_url: str | None, out: Path) -> dict[str, str]:
    """Ask for what no flag gives. Raises KeyboardInterrupt at the end of input, after showing what was answered."""
    told = {flag: answer.strip() for flag, answer in given.items() if answer is not None}
    offers = _Offers(endpoint_url)
    try:
        for flag, (question, usual) in QUESTIONS.items():
            if flag not in told and offers.is_asked(flag):
                told[flag] = _ask(flag, question, offers.usual(flag, usual, told), told, offers)
    except KeyboardInterrupt:
        if told:
            say(f"\nNothing was written. To continue with these answers:\n  {_command(told, out)}")
        raise
    return _with_examples(told)


def _ask(flag: str, question: str, usual: str, told: dict[str, str], offers: _Offers) -> str:
    """Ask one question until its answer is right."""
    while True:
        show(f"{question}{f' [{usual}]' if usual else ''}: ")
        line = line_typed()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or usual
        if not answer and flag not in MAY_BE_EMPTY:
            say("  An answer is needed.")
            continue
        problem = _problem({**told, flag: answer}) or offers.problem(flag, answer)
        if problem is None:
            return answer
        say(f"  {problem.message}. {problem.hint}")


class _Offers:
    """What can be offered as answers: looked up once, before the first question that it helps with."""

    def __init__(self, endpoint_url: str | None) -> None:
        from engine.app.init import profiles_to_choose

        self._endpoint_url = endpoint_url
        self._profiles = profiles_to_choose()
        self._offer: Offer | None = None
        self._has_looked = False

    def is_asked(self, flag: str) -> bool:
        """Whether there is anything to ask: where a machine has no profiles, nobody chooses one."""
        return flag != "--profile" or bool(self._profiles)

    def problem(self, flag: str, answer: str) -> UsageError | None:
        """Return what is wrong with an answer that a fleet file takes: a profile that this machine does not have."""
        if flag != "--profile" or not answer or answer in self._profiles:
            return None
        return UsageError("This machine has no such AWS profile", hint=f"It has: {listed(self._profiles)}")

    def usual(self, flag: str, usual: str, told: dict[str, str]) -> str:
        """Return the answer to offer."""
        from engine.app.init import home_region

        if flag == "--profile":
            show(f"AWS profiles: {listed(self._profiles, OFFERED_PROFILES_MAX_COUNT)}\n")
        if flag not in ("--region", "--domain-id", "--account"):
            return usual
        offer = self._looked(told)
        domains = () if offer is None else offer.domains
        if flag == "--region":
            return domains[0].region if domains else home_region(told.get("--profile", "")) or usual
        if flag == "--domain-id":
            return next((one.domain_id for one in domains if one.region == told["--region"]), usual)
        return usual if offer is None else offer.account

    def _looked(self, told: dict[str, str]) -> Offer | None:
        """Return what the credentials reach, and show it the first time."""
        import asyncio

        from engine.app.init import offered, regions_to_search

        if not self._has_looked:
            self._has_looked = True
            profile = told.get("--profile", "")
            regions = (told["--region"],) if "--region" in told else regions_to_search(profile)
            if len(regions) > 1:
                show(f"Looking for domains in {len(regions)} regions (at most {OFFER_MAX_SECONDS:.0f} s) ...\n")
            self._offer = asyncio.run(offered(regions, self._endpoint_url, profile))
            _show_offer(self._offer, regions)
        return self._offer


def _show_offer(offer: Offer | None, regions: Sequence[str]) -> None:
    """Show the domains that can be listed."""
    where = f" in {clean(regions[0])}" if len(regions) == 1 else ""
    if offer is None:
        show(f"Could not list domains{where} with your credentials.\n")
        return
    shown = offer.domains[:OFFERED_DOMAINS_MAX_COUNT]
    account = f"account {clean(offer.account)}"
    lines = [f"Domains of {account}{where}:" if shown else f"No domain of {account}{where} can be listed."]
    lines += [f"  {clean(one.region)}  {clean(one.domain_id)}  {clean(one.name)}".rstrip() for one in shown]
    if (rest := len(offer.domains) - len(shown)) > 0:
        lines.append(f"  and {rest:,} more")
    show("".join(f"{line}\n" for line in lines))


def _command(told: dict[str, str], out: Path) -> str:
    """Return the command that has the answers as flags."""
    flags_ = [word for flag, answer in told.items() if answer or flag != "--profile" for word in (flag, answer)]
    return shlex.join(["appfleet", "init", *flags_, *([] if out == Path() else ["--out", str(out)])])
