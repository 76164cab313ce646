"""`appfleet init`: the files of a new fleet, from flags or from questions on the terminal."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from engine.cli import flags
from engine.cli.ask import can_ask
from engine.cli.output import show, write_result
from engine.core.errors import ExitCode, UsageError

QUESTIONS: Final = {
    "--name": ("Name of the fleet, such as ml-platform", ""),
    "--region": ("Region of the SageMaker domain", "eu-west-1"),
    "--domain-id": ("Id of the domain, such as d-abcd1234efgh", ""),
    "--account": ("Its account, 12 digits, so that no other is touched; empty for any", ""),
    "--team": ("Name of the first team", "first"),
    "--members": ("Its user profiles, with commas between them", ""),
}
MAY_BE_EMPTY: Final = frozenset({"--account"})
EXAMPLES: Final = {"--name": "ml-platform", "--domain-id": "d-abcd1234efgh", "--members": "alice, bob"}


def init(
    ctx: typer.Context,
    name: Annotated[str | None, flags.flag("--name", help="Name of the fleet.")] = None,
    region: Annotated[str | None, flags.flag("--region", help="Region of the domain.")] = None,
    domain_id: Annotated[str | None, flags.flag("--domain-id", help="Id of the SageMaker domain.")] = None,
    account: Annotated[str | None, flags.flag("--account", help="Account of the domain; empty for any.")] = None,
    team: Annotated[str | None, flags.flag("--team", help="Name of the first team.")] = None,
    members: Annotated[str | None, flags.flag("--members", help="User profiles of the team.", metavar="A,B")] = None,
    out: Annotated[Path, flags.path_flag("--out", help="Folder to write to.", metavar="FOLDER")] = Path(),
) -> int:
    """Write a commented fleet.toml and policies/ to start from.

    What no flag tells is asked, and the domains that the credentials at hand reach are offered. Where nobody can be
    asked, it is an example, and is named. Nothing is overwritten, and the files are valid as they are written.
    """
    from engine.config.starter import Answers
    from engine.starting import start_fleet

    given = dict(zip(QUESTIONS, (name, region, domain_id, account, team, members), strict=True))
    examples = [] if can_ask() else [flag for flag in EXAMPLES if given[flag] is None]
    told = _asked(given, ctx.obj.endpoint_url) if can_ask() else _checked(_unasked(given))
    people = tuple(part.strip() for part in told["--members"].split(",") if part.strip())
    answers = Answers(
        name=told["--name"],
        domain_id=told["--domain-id"],
        region=told["--region"],
        account=told["--account"],
        team=told["--team"],
        members=people,
    )
    written = start_fleet(out, answers, datetime.now(UTC).date())
    fleet = "" if out == Path() else f" -f {out / 'fleet.toml'}"
    text = "".join(f"wrote {path}\n" for path in written)
    if examples:
        what = ", ".join(f"{flag[2:].replace('-', ' ')} {told[flag]}" for flag in examples)
        text += f"\nExamples, to be replaced in fleet.toml by your own: {what}\n"
    text += f"\nNext:\n  appfleet{fleet} validate\n  appfleet{fleet} plan --simulate\n  appfleet{fleet} plan\n"
    return ExitCode.OK if write_result(text) else ExitCode.FAILED


def _unasked(given: dict[str, str | None]) -> dict[str, str]:
    """Give every answer where nobody can be asked: of a flag, usual, or an example."""
    usual = {flag: EXAMPLES.get(flag, answer) for flag, (_, answer) in QUESTIONS.items()}
    return {flag: usual[flag] if answer is None else answer for flag, answer in given.items()}


def _asked(given: dict[str, str | None], endpoint_url: str | None) -> dict[str, str]:
    """Ask for what no flag tells. Raises UsageError where an answer is empty that may not be."""
    told: dict[str, str] = {}
    offers: dict[str, str] = {}
    for flag, (question, usual) in QUESTIONS.items():
        if flag == "--domain-id" and given[flag] is None:
            offers = _offers(told["--region"], endpoint_url)
        answer = given[flag]
        told[flag] = (_ask(question, offers.get(flag, usual)) if answer is None else answer).strip()
    return _checked(told)


def _offers(region: str, endpoint_url: str | None) -> dict[str, str]:
    """Show the domains that can be listed; give the one that is offered, and the account."""
    import asyncio

    from engine.core.text import clean
    from engine.starting import offered

    offer = asyncio.run(offered(region, endpoint_url))
    if offer is None:
        show(f"No domain of {clean(region)} could be listed with the credentials at hand.\n")
        return {}
    found = ", ".join(map(clean, offer.domain_ids)) or "none"
    show(f"Domains of account {clean(offer.account)} in {clean(region)}: {found}\n")
    return {"--domain-id": offer.domain_ids[0] if offer.domain_ids else "", "--account": offer.account}


def _checked(told: dict[str, str]) -> dict[str, str]:
    missing = [flag for flag, answer in told.items() if not answer and flag not in MAY_BE_EMPTY]
    if missing:
        raise UsageError(
            f"init needs {', '.join(missing)}, and got nothing", hint="Give it as a flag, or leave the flag out"
        )
    return told


def _ask(question: str, usual: str) -> str:
    show(f"{question}{f' [{usual}]' if usual else ''}: ")
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip() or usual
