"""Who works in a domain, and which teams' layers are under their apps.

Not here: their apps (`expand`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.config.fleet.layers import Layers
from engine.config.fleet.written import DomainDef, OwnerDef, TeamDef
from engine.config.reading.problems import Code, Problems, TooMany, show_value
from engine.core.desired import Layer, Source
from engine.core.limits import FLEET_OWNERS_MAX_COUNT, TEAM_COMPARISONS_MAX_COUNT

NO_TEAMS: Final[tuple[TeamDef, ...]] = ()


@dataclass(slots=True)
class Person:
    """A user profile: its teams sorted by name, its own table if it has one, and where it was first named."""

    name: str
    source: Source
    teams: tuple[TeamDef, ...] = NO_TEAMS
    table: OwnerDef | None = None


def gather_people(domain: DomainDef, problems: Problems) -> dict[str, Person]:
    """Return everybody that the domain declares: user tables and members of teams, by name.

    `domain.users` is empty afterwards. Two names that differ only in case are one profile to the service, and an
    error here.
    """
    people = {name: Person(name, table.source, table=table) for name, table in domain.users.items()}
    domain.users = {}  # their tables are let go one by one
    teams_of_few: dict[tuple[int, int], tuple[TeamDef, ...]] = {}  # so that a team's members share one tuple
    for _, team in sorted(domain.teams.items()):
        for name, source in team.members.items():
            person = people.get(name)
            if person is None:
                person = people[name] = Person(name, source)
            key = (id(person.teams), id(team))
            grown = teams_of_few.get(key)
            if grown is None:
                grown = teams_of_few[key] = (*person.teams, team)
            person.teams = grown
    if len(people) > FLEET_OWNERS_MAX_COUNT:
        message = f"the domain has more than {FLEET_OWNERS_MAX_COUNT:,} user profiles"
        problems.error(Code.LIMIT, domain.place, message, "Split it into several fleets")
        raise TooMany
    _refuse_same_but_case(people, problems)
    return people


def _refuse_same_but_case(people: dict[str, Person], problems: Problems) -> None:
    by_lower: dict[str, Person] = {}
    for person in people.values():
        first = by_lower.setdefault(person.name.lower(), person)
        if first is not person:
            source = person.source
            message = (
                f"the user profiles {show_value(first.name)} ({first.source}) and {show_value(person.name)} "
                "differ only in case, which the service ignores"
            )
            problems.of_file(Code.CONFLICT, source.file, source.line, message, "Write the name the same way everywhere")


@dataclass(slots=True)
class TeamLayers:
    """The layers of each combination of teams that occurs, checked for fields on which the teams disagree."""

    problems: Problems
    _known: dict[tuple[int, ...], Layers] = field(default_factory=dict)
    _checked: set[tuple[object, ...]] = field(default_factory=set)
    _compared: int = 0

    def of(self, teams: tuple[TeamDef, ...]) -> Layers:
        """Return the teams' layers, in the order of their names."""
        key = tuple(map(id, teams))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = tuple(team.layer for team in teams if team.layer is not None)
        return found

    def refuse_disagreement(self, who: str, teams: tuple[TeamDef, ...], own: Layer | None) -> None:
        """Note each tag or field that two of the teams set to different values and `own` does not settle."""
        layers = self.of(teams)
        if len(layers) < 2:  # it takes two to disagree
            return
        own_key = id(own) if own is not None and own.values else 0
        key = (own_key, *map(id, layers))
        if key in self._checked:
            return
        self._checked.add(key)
        self._compared += len(teams) * (len(teams) - 1) // 2
        if self._compared > TEAM_COMPARISONS_MAX_COUNT:
            message = f"{who} and others are in so many teams that they cannot be compared ({len(teams):,} here)"
            hint = "Put people who are in many teams into one"
            self.problems.error(Code.LIMIT, teams[-1].place, message, hint)
            raise TooMany
        settled = own.values if own is not None else {}
        for place, team in enumerate(teams):
            for earlier in teams[:place]:
                self._compare(who, earlier, team, set(settled) - {"tags"}, set(settled.get("tags", {})))

    def _compare(
        self, who: str, first: TeamDef, second: TeamDef, settled_fields: set[str], settled_tags: set[str]
    ) -> None:
        ours = first.layer.values if first.layer else {}
        theirs = second.layer.values if second.layer else {}
        hint = f"{who} is in both: take one out, or set it in a table of {who}'s own"
        for key in sorted((ours.keys() & theirs.keys()) - settled_fields - {"tags"}):
            if ours[key] != theirs[key]:
                self._note(first, second, (key,), f"{key} is {ours[key]} in", f"and {theirs[key]} here", hint)
        our_tags, their_tags = ours.get("tags", {}), theirs.get("tags", {})
        for key in sorted((our_tags.keys() & their_tags.keys()) - settled_tags):
            if our_tags[key] != their_tags[key]:
                said = f"tag {show_value(key)} is {show_value(our_tags[key])} in"
                self._note(first, second, ("tags", key), said, f"and {show_value(their_tags[key])} here", hint)

    def _note(self, first: TeamDef, second: TeamDef, path: tuple[str, ...], said: str, here: str, hint: str) -> None:
        if self.problems.first_time("teams disagree", first.source, second.source, path):
            message = f"{said} team {first.name} ({first.source}), {here}"
            self.problems.error(Code.CONFLICT, second.place.at(*path), message, hint)
