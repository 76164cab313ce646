"""`appfleet discover`: the table of domains of an organization."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engine.cli import flags
from engine.cli.named import STDOUT, check_writable
from engine.cli.output import say, write_result
from engine.core.errors import ExitCode, UsageError
from engine.core.text import clean, count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.app.discover import Discovered

_ROLE: Final = re.compile(r"[\w+=,.@/-]{1,512}", re.ASCII)
_UNIT: Final = re.compile(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")
_SHOWN_MAX_COUNT: Final = 20  # of the domains that are new or gone


_ExternalIdFlag = Annotated[
    str | None, flags.flag("--external-id", help="External id that the role's trust policy requires.", metavar="ID")
]


def discover(
    ctx: typer.Context,
    regions: Annotated[str, flags.flag("--regions", help="Regions to look in, with commas.", metavar="REGION,…")],
    organization: Annotated[
        bool, flags.flag("--organization", help="All active accounts of the organization, not only the caller's.")
    ] = False,
    role: Annotated[
        str | None, flags.flag("--role", help="Role to assume in each other account.", metavar="NAME")
    ] = None,
    external_id: _ExternalIdFlag = None,
    ou: Annotated[
        list[str] | None,
        flags.flag("--ou", help="Only accounts in or below this organizational unit. Repeatable.", metavar="ID"),
    ] = None,
    account_tag: Annotated[
        list[str] | None, flags.flag("--account-tag", help="Only accounts with this tag. Repeatable.", metavar="K=V")
    ] = None,
    domain_tag: Annotated[
        list[str] | None, flags.flag("--domain-tag", help="Only domains with this tag. Repeatable.", metavar="K=V")
    ] = None,
    out: Annotated[
        Path | None, flags.output_flag("--out", help="CSV file to write; without it, or with -, standard output.")
    ] = None,
    check: Annotated[bool, flags.flag("--check", help="Write nothing; exit 2 when the file would change.")] = False,
    keep_unreadable: Annotated[
        bool, flags.flag("--keep-unreadable", help="Write even if accounts cannot be listed: their rows stay.")
    ] = False,
) -> int:
    """Write the CSV of [[domains_from]] from live accounts.

    Existing rows keep their names and other columns. If it cannot list an account, it names it and writes nothing.

    Example: appfleet discover --organization --role appfleet --regions eu-west-1,us-east-1 --out accounts.csv
    """
    from engine.app import discover as app_discover
    from engine.cli.context import options_of
    from engine.cli.sinks import Sinks

    out = None if out is STDOUT else out
    if check and out is None:
        raise UsageError("--check needs a file to compare with", hint="Add --out accounts.csv")
    if not check:
        check_writable(out, "--out")
    asked = app_discover.Discovery(
        app_discover.regions_of(regions),
        organization,
        _role(role, organization=organization),
        _external_id(app_discover.external_id_of(external_id), has_role=bool(role)),
        _units(ou or (), organization=organization),
        _tags("--account-tag", account_tag or (), organization=organization),
        _tags("--domain-tag", domain_tag or (), organization=True),
        keep_unreadable,
    )
    options = replace(options_of(ctx.obj), command="discover")
    with Sinks(ctx.obj, options, quiet=True) as sinks:
        made = sinks.run(app_discover.discover(options, asked, out, sinks.emit, check=check))
    _say_changes(made)
    return _ended(made, out, check=check)


def _ended(made: Discovered, out: Path | None, *, check: bool) -> int:
    """Write the table, or say what became of the file; return the exit code."""
    rows = count_of(made.table.rows, "domain")
    if check:
        say(f"appfleet: {out} {'would change' if made.differs else 'is up to date'}: {rows}")
        return ExitCode.CHANGES if made.differs else ExitCode.OK
    said = f"{'wrote' if made.differs else 'unchanged'} {out}: {rows}\n"
    return ExitCode.OK if write_result(made.table.text if out is None else said) else ExitCode.FAILED


def _say_changes(made: Discovered) -> None:
    """Say what could not be listed, and which domains are new or gone."""
    for failure in made.failures:
        say(f"appfleet: not listed, rows kept: {clean(failure)}")
    for word, places in (("new", made.table.added), ("gone", made.table.gone)):
        for account, region, domain_id in places[:_SHOWN_MAX_COUNT]:
            say(f"appfleet: {word}: {domain_id} in account {account}, region {region}")
        if len(places) > _SHOWN_MAX_COUNT:
            say(f"appfleet: {word}: {len(places) - _SHOWN_MAX_COUNT:,} more")


def _role(name: str | None, *, organization: bool) -> str:
    if organization and not name:
        raise UsageError("--organization needs the role to assume in each account", hint="Add --role NAME")
    if name and not organization:
        raise UsageError("--role is for the accounts of an organization", hint="Add --organization, or leave it out")
    if name and not _ROLE.fullmatch(name):
        raise UsageError(f"--role: {clean(name, 80)!r} is not the name of a role", hint="Give its name, not its ARN")
    return name or ""


def _external_id(text: str | None, *, has_role: bool) -> str | None:
    if text is not None and not has_role:
        raise UsageError("--external-id is sent when a role is assumed", hint="Add --role NAME, or leave it out")
    return text


def _units(units: Sequence[str], *, organization: bool) -> tuple[str, ...]:
    if units and not organization:
        raise UsageError("--ou is for the accounts of an organization", hint="Add --organization, or leave it out")
    for unit in units:
        if not _UNIT.fullmatch(unit):
            raise UsageError(f"--ou: {clean(unit, 80)!r} is not the id of a unit", hint="Give its id: ou-abcd-11112222")
    return tuple(units)


def _tags(flag: str, texts: Sequence[str], *, organization: bool) -> tuple[tuple[str, str], ...]:
    if texts and not organization:
        raise UsageError(f"{flag} is for the accounts of an organization", hint="Add --organization, or leave it out")
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"{flag}: {clean(text, 80)!r} is not KEY=VALUE", hint=f"Write {flag} team=studio")
        pairs.append((key, value))
    return tuple(pairs)
