"""The spaces of a domain: tables of their own, spaces of teams, and one for each member where a name says so.

A space may have several tables: teams that share it, and a table outside of teams that lies over theirs. Not
here: the apps in them (`expand`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from engine.config.fleet.written import DomainDef, OwnerDef, TeamDef
from engine.config.reading.problems import Code, Place, Problems, TooMany, show_value
from engine.config.service.fields import MEMBER, NAME_HINT
from engine.config.service.service_model import is_name
from engine.core.desired import Layer
from engine.core.limits import FLEET_OWNERS_MAX_COUNT

PRIVATE: Final = "Private"


class SpaceParts(NamedTuple):
    """One table of a space; `team` is None outside of teams, `member` where the name has no `{member}`."""

    table: OwnerDef
    team: TeamDef | None
    member: str | None


@dataclass(frozen=True, slots=True)
class Space:
    """A space with all its tables: those of teams in the order of the teams' names, then its own.

    `attributes` holds `owner` unless none is given, and always `sharing`.
    """

    name: str
    parts: tuple[SpaceParts, ...]
    attributes: Mapping[str, Any]
    teams: tuple[TeamDef, ...]
    own_layer: Layer | None

    @property
    def owner_place(self) -> Place:
        """Where an owner is, or should be, written."""
        holder = next((part for part in self.parts if "owner" in part.table.attributes), self.parts[0])
        return holder.table.place


def gather_spaces(domain: DomainDef, problems: Problems) -> Iterator[Space]:
    """Yield every space of the domain, its tables merged; `domain.spaces` is empty afterwards."""
    parts: dict[str, list[SpaceParts]] = {}
    for name, part in _all_parts(domain, problems):
        parts.setdefault(name, []).append(part)
        if len(parts) > FLEET_OWNERS_MAX_COUNT:
            message = f"the domain has more than {FLEET_OWNERS_MAX_COUNT:,} spaces"
            problems.error(Code.LIMIT, part.table.place, message, "Split it into several fleets")
            raise TooMany
    domain.spaces = {}  # their tables are let go one by one
    shared: dict[tuple[int, ...], tuple[TeamDef, ...]] = {}  # so that equal tuples of teams are one
    for name in list(parts):
        found = parts.pop(name)
        teams = tuple(part.team for part in found if part.team is not None)
        teams = shared.setdefault(tuple(map(id, dict.fromkeys(teams))), tuple(dict.fromkeys(teams)))
        own = next((part.table.layer for part in found if part.team is None), None)
        yield Space(name, tuple(found), _merge_attributes(name, found, problems), teams, own)


def _all_parts(domain: DomainDef, problems: Problems) -> Iterator[tuple[str, SpaceParts]]:
    for _, team in sorted(domain.teams.items()):
        for table in team.spaces:
            if MEMBER not in table.name:
                yield table.name, SpaceParts(table, team, None)
                continue
            if "owner" in table.attributes:
                hint = f"Remove owner: a space with {MEMBER} in its name belongs to that member"
                problems.error(
                    Code.OWNER, table.place.at("owner"), "the name of this space already sets its owner", hint
                )
            for member in team.members:
                name = table.name.replace(MEMBER, member)
                if is_name(name):
                    yield name, SpaceParts(table, team, member)
                elif problems.first_time("space name", table.place.file, table.place.path):
                    message = f"for {member} this gives {show_value(name)}, which is not a valid name for the service"
                    problems.error(Code.NAME, table.place, message, NAME_HINT)
    for name, table in domain.spaces.items():
        yield name, SpaceParts(table, None, None)


def _merge_attributes(name: str, parts: list[SpaceParts], problems: Problems) -> dict[str, Any]:
    """Merge what the tables say of the space itself. Two teams must agree; its own table wins, but for the owner."""
    merged: dict[str, Any] = {}
    said_by: dict[str, SpaceParts] = {}
    for part in parts:
        said = dict(part.table.attributes)
        if part.member is not None:
            said["owner"] = part.member
        if part.team is not None:
            said.setdefault("sharing", PRIVATE)
        for key, value in said.items():
            if key in merged and merged[key] != value and (part.team is not None or key == "owner"):
                _note_disagreement(name, key, said_by[key], part, problems)
                continue
            merged[key] = value
            said_by[key] = part
    merged.setdefault("sharing", PRIVATE)
    return merged


def _note_disagreement(name: str, key: str, first: SpaceParts, part: SpaceParts, problems: Problems) -> None:
    place, source = part.table.place, first.table.source
    if problems.first_time("space", key, source, place.file, place.path):
        message = f"space {name} has another {key} in {source}"
        problems.error(Code.CONFLICT, place, message, "Write it the same way in both, or rename one of the spaces")
