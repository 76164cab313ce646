"""The tables of a fleet after each was checked by itself: small values that know where they stand.

pydantic models are dropped as soon as these are made; a fleet of 100,000 explicit apps is kept in these.
Not here: what the tables mean together (`expand`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine.config.reading.problems import Place
from engine.core.desired import Layer, Source


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One item of an `apps` or `user_apps` list. `layer` is None where it only names a definition."""

    use: str | None
    layer: Layer | None
    place: Place
    source: Source


@dataclass(frozen=True, slots=True, eq=False)
class AppDef:
    """`[apps.NAME]`. Its layer holds its own fields alone, not those of what it extends."""

    name: str
    extends: str | None
    layer: Layer
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class OwnerDef:
    """A table of a user profile or a space; the name of a team's space may hold `{member}`.

    `attributes` holds the keys that belong to the owner and not to its apps.
    """

    name: str
    layer: Layer | None
    apps: tuple[Entry, ...]
    attributes: Mapping[str, Any]
    place: Place
    source: Source


@dataclass(frozen=True, slots=True, eq=False)
class TeamDef:
    """A team. `members` maps each name to where it was read; `sso_identity` is written with `{member}`."""

    name: str
    layer: Layer | None
    members: Mapping[str, Source]
    user_apps: tuple[Entry, ...]
    spaces: tuple[OwnerDef, ...]
    place: Place
    source: Source
    sso_identity: str | None = None


@dataclass(slots=True)
class DomainDef:
    """A domain, gathered from the fleet file and all that it includes."""

    name: str
    place: Place
    own: Mapping[str, Any] = field(default_factory=dict)
    own_place: Place | None = None  # the one file that holds the domain's own keys
    layer: Layer | None = None
    users: dict[str, OwnerDef] = field(default_factory=dict)
    spaces: dict[str, OwnerDef] = field(default_factory=dict)
    teams: dict[str, TeamDef] = field(default_factory=dict)
    lost_people: bool = False  # a table or file that names people could not be read, so nobody is unknown


@dataclass(frozen=True, slots=True, eq=False)
class TemplateDef:
    """`[templates.NAME]`, as it was written: a domain's table with words in braces."""

    name: str
    data: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class DomainsFrom:
    """One table of `[[domains_from]]`: a CSV file beside the file of `place`, and the name of a template."""

    csv: str
    template: str
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class CalendarDef:
    """`[calendars.NAME]`, as it was written."""

    data: object
    place: Place


class WrittenHours(NamedTuple):
    """One `hours` key: the name of a calendar, or a window."""

    text: str
    place: Place


@dataclass(slots=True)
class FleetDef:
    """Everything that was written, of all files. `broken_apps` names definitions that could not be read."""

    name: str = ""
    defaults: Layer | None = None
    apps: dict[str, AppDef] = field(default_factory=dict)
    calendars: dict[str, CalendarDef] = field(default_factory=dict)
    broken_apps: set[str] = field(default_factory=set)
    domains: dict[str, DomainDef] = field(default_factory=dict)
    templates: dict[str, TemplateDef] = field(default_factory=dict)
    domains_from: list[DomainsFrom] = field(default_factory=list)


def entries_of(domains: Iterable[DomainDef]) -> Iterator[Entry]:
    """Yield every entry that was written, of teams without members too."""
    for domain in domains:
        for table in (*domain.users.values(), *domain.spaces.values()):
            yield from table.apps
        for team in domain.teams.values():
            yield from team.user_apps
            for space in team.spaces:
                yield from space.apps
