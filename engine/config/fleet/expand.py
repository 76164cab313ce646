"""What the tables mean together: teams become people and spaces, entries become apps with all their layers.

The result is plain values of the core. Not here: checks of single tables (`tables`) or the merging of layers
(`layers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from engine.config.fleet.identities import identity_of
from engine.config.fleet.layers import Definitions, Layers, Resolved, merge_values
from engine.config.fleet.people import NO_TEAMS, Person, TeamLayers, gather_people
from engine.config.fleet.spaces import Space, SpaceParts, gather_spaces
from engine.config.fleet.written import DomainDef, Entry, TeamDef
from engine.config.reading.problems import Code, Place, Problems, TooMany, nearest, show_value
from engine.config.service.app_rules import ONE_A_SPACE, owner_fault
from engine.core.desired import DesiredApp, DesiredOwner, Layer, Source, Tags
from engine.core.identity import SPACE, USER, AppKey, Owner, OwnerKind
from engine.core.limits import APP_TAGS_MAX_COUNT, FLEET_APPS_MAX_COUNT

_NO_SETTINGS: Final[Mapping[str, Any]] = {}


@dataclass(slots=True)
class Expander:
    """Expands one domain after another into `apps` and `owners`."""

    definitions: Definitions
    defaults: Layer | None
    problems: Problems
    apps: list[DesiredApp] = field(default_factory=list)
    owners: list[DesiredOwner] = field(default_factory=list)
    _lows: list[Layers] = field(default_factory=list)  # kept: their ids are keys
    _tags: dict[tuple[int, ...], Tags] = field(default_factory=dict)

    def expand(self, domain: DomainDef) -> None:
        """Add all apps and owners of one domain."""
        _DomainExpansion(self, domain).run()

    def low_layers(self, domain: DomainDef) -> Layers:
        """Return the layers under every app definition: `[defaults]`, then the domain."""
        low = tuple(layer for layer in (self.defaults, domain.layer) if layer is not None)
        self._lows.append(low)
        return low

    def owner_tags(self, low: Layers, high: Layers) -> Tags:
        """Return the tags of an owner itself: those of every layer but the app definition and the entry."""
        key = (*map(id, low), *map(id, high))
        found = self._tags.get(key)
        if found is None:
            found = self._tags[key] = merge_values((*low, *high))[1]
        return found

    def add_app(self, app: DesiredApp, place: Place) -> None:
        """Keep one app; raises TooMany."""
        if len(self.apps) >= FLEET_APPS_MAX_COUNT:
            message = f"the fleet has more than {FLEET_APPS_MAX_COUNT:,} apps"
            self.problems.error(Code.LIMIT, place, message, "Split it into several fleets")
            raise TooMany
        self.apps.append(app)


class _DomainExpansion:
    """One domain: people first, then spaces, since a space's owner must be known."""

    def __init__(self, expander: Expander, domain: DomainDef) -> None:
        self._out = expander
        self._domain = domain
        self._problems = expander.problems
        self._low = expander.low_layers(domain)
        self._teams = TeamLayers(expander.problems)
        self._people: dict[str, Person] = {}

    def run(self) -> None:
        self._people = gather_people(self._domain, self._problems)
        for person in self._people.values():
            self._add_person(person)
            person.table = None  # what is done is let go: a large fleet would be held twice
        for space in gather_spaces(self._domain, self._problems):
            self._add_space(space)

    def _add_person(self, person: Person) -> None:
        table = person.table
        own_layer = table.layer if table is not None else None
        self._teams.refuse_disagreement(person.name, person.teams, own_layer)
        team_layers = self._teams.of(person.teams)
        high = team_layers if own_layer is None else (*team_layers, own_layer)
        owned = _Owned(self, Owner(self._domain.name, USER, person.name), person.teams, team_layers, _NO_SETTINGS)
        for team in person.teams:
            owned.add_all(team.user_apps, high, is_shared=own_layer is None)
        if table is not None:
            owned.add_all(table.apps, high, is_shared=False)
        attributes = table.attributes if table is not None else _NO_SETTINGS
        tags = self._tags_of(owned, person.source, high)
        identity = identity_of(person, self._domain, self._problems)
        self._out.owners.append(
            DesiredOwner(
                owned.owner,
                person.source,
                teams=team_names(person.teams),
                tags=tags,
                settings=attributes.get("settings", _NO_SETTINGS),
                execution_role=attributes.get("execution_role"),
                sso_identity=identity.name,
                sso_is_guessed=identity.is_guessed,
            )
        )

    def _add_space(self, space: Space) -> None:
        self._check_owner(space)
        self._teams.refuse_disagreement(f"space {space.name}", space.teams, space.own_layer)
        team_layers = self._teams.of(space.teams)
        name = Owner(self._domain.name, SPACE, space.name)
        owned = _Owned(self, name, space.teams, team_layers, space.attributes)
        high: Layers = team_layers
        for part in space.parts:
            high = _space_layers(team_layers, part, space)
            owned.add_all(part.table.apps, high, is_shared=part.team is not None and space.own_layer is None)
        owned.check_one_app()
        types = owned.types
        is_new_kind = len(types) == 1 and types <= ONE_A_SPACE
        if "idle_minutes" in space.attributes and not is_new_kind:
            place = space.parts[0].table.place.at("idle_minutes")
            if self._problems.first_time("idle", place.file, place.path):
                message = "idle shutdown is a setting of JupyterLab and CodeEditor, and the space has neither"
                self._problems.error(Code.OWNER, place, message, "Remove idle_minutes, or add such an app")
        source = space.parts[0].table.source
        attributes = space.attributes
        self._out.owners.append(
            DesiredOwner(
                owned.owner,
                source,
                teams=team_names(space.teams),
                tags=self._tags_of(owned, source, high),
                settings=attributes.get("settings", _NO_SETTINGS),
                owner_user=attributes.get("owner"),
                sharing=attributes["sharing"],
                app_type=next(iter(types)) if is_new_kind else None,
                ebs_gb=attributes.get("ebs_gb"),
                idle_minutes=attributes.get("idle_minutes"),
            )
        )

    def _tags_of(self, owned: _Owned, source: Source, high: Layers) -> Tags:
        tags = self._out.owner_tags(self._low, high)
        # Where the owner has apps, they have these tags too, and the problem is noted at them.
        if len(tags) > APP_TAGS_MAX_COUNT and not owned.types and self._problems.first_time("owner tags", tags):
            message = f"all layers together give {owned.owner} {len(tags)} tags, more than {APP_TAGS_MAX_COUNT}"
            hint = "The service takes 50 tags, and one of them is appfleet's own. Remove some"
            self._problems.of_file(Code.TAGS, source.file, source.line, message, hint)
        return tags

    def _check_owner(self, space: Space) -> None:
        owner, place = space.attributes.get("owner"), space.owner_place
        if owner is None:
            hint = 'Set owner = "alice", or put {member} into the name of a team\'s space'
            if self._problems.first_time("no owner", place.file, place.path):
                self._problems.error(Code.OWNER, place, "this space has no owner", hint)
        elif self._domain.lost_people or owner in self._people or self._problems.is_full:
            return
        elif self._problems.first_time("unknown owner", place.file, place.path):
            hint = nearest(owner, self._people) or f"Add a table users.{owner}, or make them a member of a team"
            message = f"no user profile {show_value(owner)} is declared in domain {self._domain.name}"
            self._problems.error(Code.REFERENCE, place.at("owner"), message, hint)

    def resolve(self, entry: Entry, high: Layers, *, is_shared: bool) -> Resolved | None:
        """Merge one entry's layers."""
        return self._out.definitions.resolve(entry, self._low, high, is_shared=is_shared)

    def keep(self, app: DesiredApp, place: Place) -> None:
        """Hand one app over."""
        self._out.add_app(app, place)

    @property
    def problems(self) -> Problems:
        """Where problems go."""
        return self._problems


class _Owned:
    """The apps of one owner while they are gathered: the same key twice is one app, or a conflict.

    `attributes` are those of a space.
    """

    __slots__ = ("_apps", "_ebs_gb", "_expansion", "_idle_minutes", "_sharing", "_team", "_team_layers", "owner")

    def __init__(
        self,
        expansion: _DomainExpansion,
        owner: Owner,
        teams: tuple[TeamDef, ...],
        team_layers: Layers,
        attributes: Mapping[str, Any],
    ) -> None:
        self.owner = owner
        self._team_layers = team_layers
        self._expansion = expansion
        self._sharing: str = attributes.get("sharing", "")
        self._ebs_gb: int = attributes.get("ebs_gb", 0)
        self._idle_minutes: int = attributes.get("idle_minutes", 0)
        self._team = teams[0].name if teams else ""
        self._apps: dict[tuple[str, str], tuple[DesiredApp, Place]] = {}

    @property
    def types(self) -> set[str]:
        """The app types that the owner has."""
        return {app_type for app_type, _ in self._apps}

    def add_all(self, entries: Iterable[Entry], high: Layers, *, is_shared: bool) -> None:
        """Add the apps of a list of entries, with the layers above their definitions.

        `is_shared` says whether other owners have the same entries; bare names with few layers always recur.
        """
        for entry in entries:
            recurs = is_shared or (entry.layer is None and high is self._team_layers)
            resolved = self._expansion.resolve(entry, high, is_shared=recurs)
            if resolved is not None:
                self._note_faults(entry, resolved)
                self._add(entry, resolved)

    def _add(self, entry: Entry, resolved: Resolved) -> None:
        kind: OwnerKind = self.owner.kind
        key = AppKey(self.owner.domain, kind, self.owner.name, resolved.app_type, resolved.app_name)
        app = DesiredApp(
            key,
            resolved.spec,
            entry.source,
            resolved.fallback,
            resolved.mode,
            resolved.expires,
            self._team,
            self._sharing,
            resolved.layers,
            resolved.hours,
            self._ebs_gb,
            self._idle_minutes,
        )
        known = self._apps.get((resolved.app_type, resolved.app_name))
        if known is None:
            self._apps[resolved.app_type, resolved.app_name] = (app, entry.place)
            self._expansion.keep(app, entry.place)
        elif not _is_same(known[0], app):
            self._note_conflict(known[0], app, entry.place)

    def _note_faults(self, entry: Entry, resolved: Resolved) -> None:
        faults = list(resolved.faults)
        if resolved.app_type:
            fault = owner_fault(resolved.app_type, self.owner.kind, self.owner.name, self._sharing)
            if fault is not None:
                faults.append(fault)
        problems = self._expansion.problems
        for code, message, hint in faults:
            if problems.first_time("fault", entry.place.file, entry.place.path, code, hint):
                problems.error(code, entry.place, message, hint)
        for code, message, hint in resolved.warnings:
            if problems.first_time("warning", entry.place.file, entry.place.path, hint):
                problems.warning(code, entry.place, message, hint)
        if resolved.app_type == "KernelGateway" and resolved.spec.instance_type is None:
            place = entry.place
            if problems.first_time("no type", place.file, place.path):
                message = "this KernelGateway app has no instance type, and the service then needs its own default"
                hint = "Set instance_type, unless the profile or the domain has a default"
                problems.warning(Code.VALUE, place, message, hint)

    def _note_conflict(self, first: DesiredApp, second: DesiredApp, place: Place) -> None:
        problems = self._expansion.problems
        if not problems.first_time("conflict", first.source, place.file, place.path):
            return
        message = f"{second.key} is declared in {first.source} already, with other values ({_differing(first, second)})"
        problems.error(Code.CONFLICT, place, message, "Keep one of the two, or give one another name")

    def check_one_app(self) -> None:
        """Note a space with a JupyterLab or CodeEditor app and any other app beside it."""
        if len(self._apps) < 2 or not self.types & ONE_A_SPACE:  # one app is what may be
            return
        (first, _), (second, place) = list(self._apps.values())[:2]
        problems = self._expansion.problems
        if problems.first_time("one app", place.file, place.path):
            message = (
                f"{self.owner.name} would have two apps, {first.key.app_type} {first.key.app_name} ({first.source}) "
                f"and {second.key.app_type} {second.key.app_name}, and a space has one app of these types"
            )
            problems.error(Code.OWNER, place, message, "Give each app its own space")


def _space_layers(team_layers: Layers, part: SpaceParts, space: Space) -> Layers:
    """Return team, the part's own table, and over it the table that the space has outside of teams."""
    layers = team_layers
    if part.table.layer is not None:
        layers = (*layers, part.table.layer)
    if space.own_layer is not None and space.own_layer is not part.table.layer:
        layers = (*layers, space.own_layer)
    return layers


def _is_same(first: DesiredApp, second: DesiredApp) -> bool:
    return (
        first.spec == second.spec
        and first.fallback == second.fallback
        and first.mode == second.mode
        and first.expires == second.expires
        and first.hours == second.hours
    )


def _differing(first: DesiredApp, second: DesiredApp) -> str:
    names = ("fallback", "mode", "expires", "hours")
    fields = [name for name in first.spec.__slots__ if getattr(first.spec, name) != getattr(second.spec, name)]
    fields += [name for name in names if getattr(first, name) != getattr(second, name)]
    return ", ".join(fields)


def team_names(teams: tuple[TeamDef, ...]) -> tuple[str, ...]:
    """Return the names of teams, which are sorted already."""
    return tuple(map(attrgetter("name"), teams)) if teams is not NO_TEAMS else ()
