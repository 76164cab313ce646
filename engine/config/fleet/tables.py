"""From one parsed file to checked tables: each as written, each once, with every problem noted.

Not here: reading files (`fleet_file` does that) or what tables mean together (`expand`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic_core import PydanticCustomError

from engine.config.fleet.arns import REGIONAL_KEYS
from engine.config.fleet.fleet_models import (
    APP_FIELDS,
    LAYER_FIELDS,
    AppTable,
    DomainsFromTable,
    DomainTable,
    EntryTable,
    LayerTable,
    MembersTable,
    SpaceTable,
    Table,
    TeamTable,
    UserTable,
)
from engine.config.fleet.members_file import MemberSource
from engine.config.fleet.written import (
    AppDef,
    CalendarDef,
    DomainDef,
    DomainsFrom,
    Entry,
    FleetDef,
    OwnerDef,
    TeamDef,
    TemplateDef,
    WrittenHours,
)
from engine.config.reading.model_errors import check_table, kind_of
from engine.config.reading.problems import Code, Place, Problems, problem, show_value
from engine.config.reading.toml_document import Document
from engine.config.service.app_rules import settings_faults
from engine.config.service.fields import MEMBER, NAME_HINT, check_label
from engine.config.service.instance_types import warn_of_unknown_types
from engine.config.service.service_model import is_name
from engine.core.desired import Layer, Mode, Source
from engine.core.hours import CLEARED
from engine.core.identity import SPACE, USER

Checked = TypeVar("Checked", bound=Table)

_USER_ATTRIBUTES: Final = frozenset({"execution_role", "sso_identity", "settings"})
_SPACE_ATTRIBUTES: Final = frozenset({"owner", "sharing", "ebs_gb", "idle_minutes", "settings"})
_DOMAIN_ATTRIBUTES: Final = frozenset({"id", "region", "account", "profile", "role_arn", "external_id", "sso_identity"})
CHECKED_LATER: Final = (*REGIONAL_KEYS, "expires")  # against the domain and the day; each keeps its line
_DOMAIN_PARTS: Final = ("users", "spaces", "teams")

_ONLY_APPS: Final = dict.fromkeys(
    ("type", "name", "fallback", "use", "extends"), "Only an app definition or an entry of an apps list can set it"
)
_ELSEWHERE: Final[dict[type[Table], dict[str, str]]] = {
    LayerTable: _ONLY_APPS,
    DomainTable: _ONLY_APPS | {"apps": "Write apps under users, spaces or teams of the domain"},
    UserTable: _ONLY_APPS | {"owner": "Only a space has an owner; the table's own name is the user profile"},
    SpaceTable: _ONLY_APPS | {"members": "A space has one owner; members belong to a team"},
    TeamTable: _ONLY_APPS
    | {
        "apps": "A team has user_apps, for each member's user profile, and spaces",
        "owner": "Set owner on a space of the team",
    },
    AppTable: {"use": "A definition begins with another one by extends", "apps": "A definition is one app"},
    EntryTable: {"extends": "An entry names its definition with use"},
}


@dataclass(slots=True)
class TableReader:
    """Checks tables of one file after another. `read_members` gives the members of a file beside `place`'s."""

    problems: Problems
    read_members: Callable[[MembersTable, Place], Mapping[str, Source]]
    strays: list[Entry] = field(default_factory=list)  # entries of tables that were refused: checked all the same
    hours: list[WrittenHours] = field(default_factory=list)  # read once all calendars are known
    _labels: set[str] = field(default_factory=set)

    def defaults(self, data: object, place: Place) -> Layer | None:
        """Read `[defaults]`."""
        model = self._check(LayerTable, data, place)
        return self._layer("defaults", model, LAYER_FIELDS, place) if model else None

    def app(self, name: str, data: object, place: Place) -> AppDef | None:
        """Read `[apps.NAME]`."""
        is_named = self._is_label(name, place)
        model = self._check(AppTable, data, place)
        if model is None or not is_named:
            return None
        self._fallback_twice(model, place)
        layer = self._layer(f"apps.{name}", model, APP_FIELDS, place) or Layer(f"apps.{name}", place.source, {})
        return AppDef(name, model.extends, layer, place)

    def domain(self, known: DomainDef, data: dict[str, Any], place: Place) -> None:
        """Read one file's share of `[domains.NAME]` into `known`."""
        own = {key: value for key, value in data.items() if key not in _DOMAIN_PARTS}
        if own:
            self._domain_own(known, own, place)
        for part, read in (("users", self._user), ("spaces", self._space), ("teams", self._team)):
            found: dict[str, Any] = getattr(known, part)
            for name, table, where in self.tables(data, part, place):
                first = found.get(name)
                if first is not None:
                    hint = "Merge the two tables into one"
                    self.problems.error(Code.CONFLICT, where, f"this table is already in {first.source}", hint)
                    continue
                made = read(name, table, where)
                if made is not None:
                    found[name] = made
                elif part != "spaces":
                    known.lost_people = True

    def tables(self, data: Mapping[str, Any], key: str, place: Place) -> Iterator[tuple[str, Any, Place]]:
        """Yield the named tables below `key`: (name, table, place); what is no table is noted."""
        found = data.get(key, {})
        if not isinstance(found, dict):
            message = f"expected a table, found {kind_of(found)}"
            hint = "Write it as a table whose keys are names"
            self.problems.error(Code.VALUE, place.at(key), message, hint)
            return
        for name, table in found.items():
            yield name, table, place.at(key, name)

    def _domain_own(self, known: DomainDef, own: dict[str, Any], place: Place) -> None:
        if known.own_place is not None:
            message = f"the domain's own keys are already in {known.own_place.source}"
            hint = "Keep them in one file; other files add users, spaces and teams"
            self.problems.error(Code.CONFLICT, place.at(next(iter(own))), message, hint)
            return
        known.place = known.own_place = place
        self._is_label(known.name, place)
        model = self._check(DomainTable, own, place)
        if model is None:
            known.own = own  # not to be called missing as well
            return
        known.own = model.values(_DOMAIN_ATTRIBUTES)
        known.layer = self._layer(f"domain {known.name}", model, LAYER_FIELDS, place)

    def _user(self, name: str, data: object, place: Place) -> OwnerDef | None:
        if not is_name(name):
            message = f"{show_value(name)} is not a valid name"
            self.problems.error(Code.NAME, place, message, self._name_hint(name))
            return None
        return self._owner(USER, name, data, place)

    def _space(self, name: str, data: object, place: Place) -> OwnerDef | None:
        if MEMBER in name:
            hint = "Put it under spaces of a team"
            self.problems.error(Code.NAME, place, f"{MEMBER} means a member of a team, and there is no team here", hint)
            return None
        return self._any_space(name, data, place)

    def _any_space(self, name: str, data: object, place: Place) -> OwnerDef | None:
        if not is_name(name.replace(MEMBER, "m")):
            message = f"{show_value(name)} is not a valid name"
            self.problems.error(Code.NAME, place, message, self._name_hint(name))
            return None
        return self._owner(SPACE, name, data, place)

    @staticmethod
    def _name_hint(name: str) -> str:
        if "{" in name:
            return f"Only {MEMBER} is allowed in braces, and only in a space of a team"
        if "_" in name or "." in name or "@" in name:
            return "Use hyphens: the service takes no underscores, dots or other characters"
        return NAME_HINT

    def _owner(self, kind: str, name: str, data: object, place: Place) -> OwnerDef | None:
        model_type: type[UserTable | SpaceTable] = UserTable if kind == USER else SpaceTable
        apps, rest = self._split_entries(data, "apps", place)
        if rest == {}:
            return OwnerDef(name, None, apps, {}, place, place.source)
        model = self._check(model_type, rest, place)
        if model is None:
            self.strays += apps
            return None
        attributes = model.values(_USER_ATTRIBUTES if kind == USER else _SPACE_ATTRIBUTES)
        if model.settings is not None:
            from engine.config.service.settings_check import check_settings  # noqa: PLC0415  # few fleets have any

            check_settings(model.settings, kind, place.at("settings"), self.problems)
        for code, message, hint in settings_faults(kind, attributes):
            self.problems.error(code, place, message, hint)
        layer = self._layer(f"{kind} {name}", model, LAYER_FIELDS, place)
        return OwnerDef(name, layer, apps, attributes, place, place.source)

    def _team(self, name: str, data: object, place: Place) -> TeamDef | None:
        is_named = self._is_label(name, place)
        user_apps, rest = self._split_entries(data, "user_apps", place)
        spaces: list[OwnerDef] = []
        if isinstance(rest, dict):
            for space, table, where in self.tables(rest, "spaces", place):
                made = self._any_space(space, table, where)
                if made is not None:
                    spaces.append(made)
            rest = {key: value for key, value in rest.items() if key != "spaces"}
        model = self._check(TeamTable, rest, place)
        if model is None or not is_named:
            self.strays += [*user_apps, *(entry for space in spaces for entry in space.apps)]
            return None
        layer = self._layer(f"team {name}", model, LAYER_FIELDS, place)
        members = self._members(model, place)
        return TeamDef(name, layer, members, user_apps, tuple(spaces), place, place.source, model.sso_identity)

    def _members(self, model: TeamTable, place: Place) -> Mapping[str, Source]:
        if model.members is None and model.members_file is None:
            hint = 'Add members = ["alice"], or members_file = "team.csv"'
            self.problems.error(Code.VALUE, place, "this team has no members", hint)
        members: dict[str, Source] = {}
        for index, name in enumerate(model.members or ()):
            first = members.setdefault(name, here := place.at("members", index).source)
            if first is not here:
                message, hint = f"{show_value(name)} appears twice", "Remove one of the two"
                self.problems.warning(Code.CONFLICT, place.at("members", index), message, hint)
        if model.members_file is None:
            return members
        read = self.read_members(model.members_file, place.at("members_file"))
        # Many teams may name one file: it is not copied for each of them. The file also says how its people sign in.
        if not members:
            return read
        kept = (
            (name, source)
            for name, source in read.items()
            if name not in members or (isinstance(source, MemberSource) and source.sso_identity)
        )
        return members | dict(kept)

    def _split_entries(self, data: object, key: str, place: Place) -> tuple[tuple[Entry, ...], object]:
        """Read the entries of an `apps` list, and give the table without it.

        Bare names are most of a large fleet and need no model.
        """
        if not isinstance(data, dict) or key not in data:
            return (), data
        rest = {name: value for name, value in data.items() if name != key}
        items = data[key]
        if not isinstance(items, list):
            message = f"expected a list, found {kind_of(items)}"
            self.problems.error(Code.VALUE, place.at(key), message, 'Write it as ["lab", "canvas"]')
            return (), rest
        entries: list[Entry | None] = []
        for index, item in enumerate(items):
            if self.problems.is_full:
                break
            entries.append(self._entry(item, place.at(key, index)))
        return tuple(entry for entry in entries if entry is not None), rest

    def _entry(self, item: object, place: Place) -> Entry | None:
        if isinstance(item, str):
            return Entry(item, None, place, place.source) if self._is_label(item, place) else None
        model = self._check(EntryTable, item, place)
        if model is None:
            return None
        if model.use is None and model.type is None:
            hint = 'Add use = "NAME" of an app definition, or type = "JupyterLab"'
            self.problems.error(Code.VALUE, place, "this entry names neither a definition nor a type", hint)
            return None
        self._fallback_twice(model, place)
        return Entry(model.use, self._layer("entry", model, APP_FIELDS, place), place, place.source)

    def _fallback_twice(self, model: AppTable | EntryTable, place: Place) -> None:
        if model.fallback and model.instance_type in model.fallback:
            message = f"{model.instance_type} is the instance_type already"
            hint = "A fallback is another type: remove it from the list"
            self.problems.error(Code.VALUE, place.at("fallback"), message, hint)

    def _check(self, model: type[Checked], data: object, place: Place) -> Checked | None:
        return check_table(model, data, place, self.problems, _ELSEWHERE[model])

    def _is_label(self, text: str, place: Place) -> bool:
        if text in self._labels:
            return True
        fault = label_fault(text)
        if fault is None:
            self._labels.add(text)
            return True
        context = fault.context or {}
        self.problems.error(Code.NAME, place, context["message"], context["hint"])
        return False

    def _layer(self, name: str, model: Table, names: frozenset[str], place: Place) -> Layer | None:
        """Make the layer of a table; None when it sets nothing for apps."""
        values = model.values(names)
        if not values:
            return None
        if "mode" in values:
            values["mode"] = Mode(values["mode"])
        if "hours" in values:
            self.hours.append(WrittenHours(values["hours"], place.at("hours")))
        if "fallback" in values:
            values["fallback"] = tuple(values["fallback"])
        warn_of_unknown_types((values.get("instance_type"),), place.at("instance_type"), self.problems)
        warn_of_unknown_types(values.get("fallback", ()), place.at("fallback"), self.problems)
        places: dict[str, Source] = {key: place.at(key).source for key in CHECKED_LATER if key in values}
        return Layer(name, place.source, values, places)


def label_fault(text: str) -> PydanticCustomError | None:
    """Say why `text` is not a name of this fleet's own; None when it is one."""
    try:
        check_label(text)
    except PydanticCustomError as fault:
        return fault
    return None


def read_shared(reader: TableReader, document: Document, fleet: FleetDef) -> None:
    """Read the tables that every file may hold, `apps` and `domains`, into what was read before."""
    for name, data, place in reader.tables(document.data, "apps", document.place):
        first = fleet.apps.get(name)
        if first is not None:
            message = f"this definition is already in {first.place.source}"
            reader.problems.error(Code.CONFLICT, place, message, "Rename one of the two, or remove it")
            continue
        made = reader.app(name, data, place)
        if made is not None:
            fleet.apps[name] = made
        else:
            fleet.broken_apps.add(name)
    for name, data, place in reader.tables(document.data, "domains", document.place):
        if not isinstance(data, dict):
            message = f"expected a table, found {kind_of(data)}"
            reader.problems.error(Code.VALUE, place, message, "Write it as [domains.NAME]")
            continue
        known = fleet.domains.setdefault(name, DomainDef(name, place))
        reader.domain(known, data, place)
    _read_calendars(reader, document, fleet)
    _read_templates(reader, document, fleet)


def _read_calendars(reader: TableReader, document: Document, fleet: FleetDef) -> None:
    for name, data, place in reader.tables(document.data, "calendars", document.place):
        first, fault = fleet.calendars.get(name), label_fault(name)
        if fault is None and name == CLEARED:
            fault = problem(f'"{CLEARED}" cannot be the name of a calendar', "Give the calendar another name")
        if first is not None:
            message = f"this calendar is already in {first.place.source}"
            reader.problems.error(Code.CONFLICT, place, message, "Rename one of the two, or remove it")
        elif fault is not None:
            context = fault.context or {}
            reader.problems.error(Code.NAME, place, context["message"], context["hint"])
        else:
            fleet.calendars[name] = CalendarDef(data, place)


def _read_templates(reader: TableReader, document: Document, fleet: FleetDef) -> None:
    """Read `templates` and `domains_from`; templates are kept as written, since only a row makes a domain of one."""
    problems = reader.problems
    for name, data, place in reader.tables(document.data, "templates", document.place):
        first = fleet.templates.get(name)
        fault = label_fault(name)
        if first is not None:
            message = f"this template is already in {first.place.source}"
            problems.error(Code.CONFLICT, place, message, "Rename one of the two, or remove it")
        elif fault is not None:
            context = fault.context or {}
            problems.error(Code.NAME, place, context["message"], context["hint"])
        elif not isinstance(data, dict):
            problems.error(
                Code.VALUE, place, f"expected a table, found {kind_of(data)}", "Write it as [templates.NAME]"
            )
        else:
            fleet.templates[name] = TemplateDef(name, data, place)
    items = document.data.get("domains_from", [])
    place = document.place.at("domains_from")
    if not isinstance(items, list):
        problems.error(Code.VALUE, place, f"expected a list, found {kind_of(items)}", "Write it as [[domains_from]]")
        return
    for index, item in enumerate(items):
        model = check_table(DomainsFromTable, item, place.at(index), problems)
        if model is not None:
            fleet.domains_from.append(DomainsFrom(model.csv, model.template, place.at(index)))
