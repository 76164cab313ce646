"""How each person signs in to a domain of IAM Identity Center: by table, members file, team or domain.

Not here: whether the domain wants to know (`core.sso`).
"""

from __future__ import annotations

from typing import NamedTuple

from engine.config.fleet.members_file import MemberSource
from engine.config.fleet.people import Person
from engine.config.fleet.written import DomainDef
from engine.config.reading.problems import Code, Problems, show_value
from engine.config.service.fields import MEMBER
from engine.core.desired import Source


class Identity(NamedTuple):
    """A user name of the identity provider. `is_guessed`: an address of a members file was taken."""

    name: str | None
    is_guessed: bool = False


def identity_of(person: Person, domain: DomainDef, problems: Problems) -> Identity:
    """Return how a person signs in: the own table's word, else the members files', the teams', the domain's.

    Two members files, or two teams, that say different things are noted as an error.
    """
    own = person.table.attributes.get("sso_identity") if person.table is not None else None
    if own is not None:
        return Identity(own.replace(MEMBER, person.name))
    rows = [row for team in person.teams if isinstance(row := team.members.get(person.name), MemberSource)]
    found = [(row.sso_identity, row) for row in rows if row.sso_identity]
    told = [(name, row) for name, row in found if not row.is_guessed]
    if found:
        return Identity(_agreed(person, told or found, problems), is_guessed=not told)
    teams = [(team.sso_identity, team.source) for team in person.teams if team.sso_identity is not None]
    if teams:
        return Identity(_agreed(person, teams, problems).replace(MEMBER, person.name))
    template = domain.own.get("sso_identity")
    return Identity(template.replace(MEMBER, person.name) if isinstance(template, str) else None)


def _agreed(person: Person, said: list[tuple[str, Source]] | list[tuple[str, MemberSource]], problems: Problems) -> str:
    (first, where), *others = said
    for other, source in others:
        if other != first and problems.first_time("sso", where, source):
            message = f"sso_identity of {person.name} is {show_value(first)} in {where}, and {show_value(other)} here"
            hint = f"Write it the same way in both, or set it in a table users.{person.name}"
            problems.of_file(Code.CONFLICT, source.file, source.line, message, hint)
    return first
