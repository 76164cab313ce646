"""A live domain as a fleet file: what is there, with repeated shapes as `[apps]` and people who have the same as teams.

Pure: from what was listed to a document. Not here: listing (`app.import_domain`), or writing the text (`fleet_text`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from engine.config.fleet.spaces import PRIVATE
from engine.config.service import fields
from engine.config.service.app_rules import (
    DEFAULT_NAME,
    NAME_NEEDED,
    ONE_A_SPACE,
    RSTUDIO_OWNER,
    owner_fault,
    spec_faults,
)
from engine.config.service.fields import MEMBER
from engine.config.service.service_model import APP_TYPES, SHARING_TYPES, is_name
from engine.core.desired import COMPARED_FIELDS, AppSpec
from engine.core.identity import SPACE, USER, AppKey, Owner
from engine.core.limits import LABEL_MAX_CHARS
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner

_NUMBER_MAX_CHARS: Final = 8  # what is left of a label for the number that tells two shapes apart
_TEAM_MIN_MEMBERS: Final = 2
_ADAPTERS: Final = {
    name: TypeAdapter[str](kind)
    for name, kind in (
        ("instance_type", fields.InstanceType),
        ("image_arn", fields.ImageArn),
        ("image_version_arn", fields.ImageVersionArn),
        ("image_version_alias", fields.ImageVersionAlias),
        ("lifecycle_config_arn", fields.LifecycleConfigArn),
    )
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was listed of one domain: its app rows by key, its profiles, and its spaces by name.

    `domain` is the name that the fleet shall have for it, and that its keys have.
    """

    domain: str
    domain_id: str
    region: str
    account: str
    apps: Mapping[AppKey, ObservedApp]
    users: tuple[str, ...]
    spaces: Mapping[str, ObservedOwner]


@dataclass(frozen=True, slots=True)
class Imported:
    """The document, the keys that it declares, and what was left out of it: why -> what.

    `shapes` and `teams` count what the document folds; `bare_owners` counts profiles and spaces that have no app.
    """

    document: dict[str, Any]
    keys: frozenset[AppKey]
    shapes: int
    teams: int
    left_out: Mapping[str, tuple[str, ...]]
    bare_owners: int


@dataclass(frozen=True, slots=True, order=True)
class _Space:
    """What a space of one person is, with the person's name taken out of the space's."""

    pattern: str
    sharing: str
    apps: tuple[_Use, ...]


@dataclass(frozen=True, slots=True, order=True)
class _Use:
    """One item of an `apps` list: a definition, and the app's own name where the definition does not say it."""

    use: str
    name: str = ""


@dataclass(slots=True)
class _Person:
    """What one user profile has. `parts` are what a team could give: apps and spaces that are named for the person."""

    name: str
    parts: set[_Use | _Space] = field(default_factory=set)
    own_spaces: dict[str, _Space] = field(default_factory=dict)
    team: frozenset[_Use | _Space] = frozenset()


def import_fleet(name: str, found: Found) -> Imported:
    """Return the fleet file of a live domain: an app that is there and that the grammar can say is declared as it is.

    The same rows in another order give the same document.
    """
    found = _spelled(found)
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    kept: dict[AppKey, AppSpec] = {}
    whys = _Whys(found)
    for key, row in sorted(found.apps.items()):
        why = whys.why_not(row)
        if why:
            left_out[why].append("/".join(key[1:]))
            continue
        kept[key], lost = _writable(row.spec)
        for field_name in lost:
            left_out[f"{field_name} is not in a form that a fleet file takes, so it is not declared"].append(
                "/".join(key[1:])
            )
    definitions, uses = _shapes(kept)
    people = _people(found, uses)
    teams = _teams(people.values())
    domain: dict[str, Any] = {"id": found.domain_id, "region": found.region, "account": found.account}
    domain |= _tables(people, teams)
    document = {"schema": 1, "name": name, "apps": definitions, "domains": {found.domain: domain}}
    if not definitions:
        del document["apps"]
    with_app = {key.owner for key in kept if key.owner_kind == SPACE}
    bare = sum(space not in with_app for space in found.spaces) + sum(person not in people for person in found.users)
    return Imported(
        document,
        frozenset(kept),
        len(definitions),
        len(teams),
        {why: tuple(names) for why, names in sorted(left_out.items())},
        bare,
    )


def _spelled(found: Found) -> Found:
    """Spell the owners of spaces as their profiles are spelled: the service takes them in any case."""
    spelling = {name.casefold(): name for name in found.users}
    spaces = {
        name: replace(space, owner_user=spelling.get(space.owner_user.casefold(), space.owner_user))
        for name, space in found.spaces.items()
    }
    return replace(found, spaces=spaces)


class _Whys:
    """Judges whether a fleet file can say a row."""

    def __init__(self, found: Found) -> None:
        self._spaces = found.spaces
        names = {*found.users, *(key.owner for key in found.apps if key.owner_kind == USER)}
        folded = Counter(name.casefold() for name in names)
        self._alike = {name for name in names if folded[name.casefold()] > 1}
        self._users = frozenset(names)
        self._in_space: defaultdict[Owner, list[str]] = defaultdict(list)
        for key, row in found.apps.items():
            if key.owner_kind == SPACE and row.status.is_alive:
                self._in_space[key.owner_key].append(key.app_type)

    def why_not(self, row: ObservedApp) -> str:
        """Return why a row is left out; empty when it is not."""
        key = row.key
        if row.status not in (AppStatus.PENDING, AppStatus.IN_SERVICE):
            return f"the app is {row.status_text or row.status.value}"
        if key.app_type not in APP_TYPES:
            return f"this appfleet does not know the app type {key.app_type}"
        if not is_name(key.owner) or not is_name(key.app_name):
            return "the name is none that a fleet file takes"
        user, sharing, why = self._owner(key)
        if why:
            return why
        if user in self._alike:
            return "two user profiles have names that differ only in case"
        # Without the owner's name, so that the same fault of many is told once.
        owner = RSTUDIO_OWNER if key.owner == RSTUDIO_OWNER else "its owner"
        fault = owner_fault(key.app_type, key.owner_kind, owner, sharing)
        spec, _ = _writable(row.spec)
        faults = [*([fault] if fault else []), *spec_faults(key.app_type, key.app_name, spec, ())]
        return faults[0][1] if faults else ""

    def _owner(self, key: AppKey) -> tuple[str, str, str]:
        """Return the user profile behind an app, how its space is shared, and why it cannot be said."""
        if key.owner_kind == USER:
            return key.owner, "", ""
        space = self._spaces.get(key.owner)
        if space is None:
            return "", "", "its space is not in the listing of spaces"
        return space.owner_user, space.sharing, self._space_fault(space, self._in_space[key.owner_key])

    def _space_fault(self, space: ObservedOwner, types: list[str]) -> str:
        if not space.owner_user:
            return "its space has no owner"
        if space.owner_user not in self._users:
            return "the owner of its space is not in the listing of user profiles"
        if space.sharing not in SHARING_TYPES:
            return "its space does not tell whether it is private or shared"
        if len(types) > 1 and ONE_A_SPACE.intersection(types):
            return "its space holds several apps, and a fleet file takes one"
        return ""


@lru_cache(maxsize=1_000)
def _writable(spec: AppSpec) -> tuple[AppSpec, tuple[str, ...]]:
    """Return what of a spec may stand in a fleet file, and the names of the fields that may not.

    An alias stands for the version that it chose, so of the two it is kept.
    """
    values: dict[str, str] = {}
    lost: list[str] = []
    for name in COMPARED_FIELDS:
        value = getattr(spec, name)
        if value is None:
            continue
        try:
            values[name] = _ADAPTERS[name].validate_python(value)
        except ValidationError:
            lost.append(name)
    if "image_version_alias" in values:
        values.pop("image_version_arn", None)
    return replace(AppSpec(), **values), tuple(lost)  # type: ignore[arg-type]  # the fields are all of text


def _shapes(kept: Mapping[AppKey, AppSpec]) -> tuple[dict[str, Any], dict[AppKey, _Use]]:
    """Return the app definitions, and for each key which of them it uses.

    An app's own name is part of a definition where several owners have it, and of the use where one has.
    """
    with_name = Counter((key.app_type, key.app_name, spec) for key, spec in kept.items())
    shape_of: dict[AppKey, tuple[str, str, AppSpec]] = {}
    own_name: dict[AppKey, str] = {}
    for key, spec in kept.items():
        plain = key.app_name == DEFAULT_NAME and key.app_type not in NAME_NEEDED
        shared = not plain and with_name[key.app_type, key.app_name, spec] > 1
        shape_of[key] = (key.app_type, key.app_name if shared else "", spec)
        own_name[key] = "" if plain or shared else key.app_name
    counted = Counter(shape_of.values())
    labels: dict[tuple[str, str, AppSpec], str] = {}
    taken: set[str] = set()
    for shape in sorted(counted, key=lambda one: (-counted[one], repr(one))):
        labels[shape] = _label(shape, taken)
    definitions = {
        label: {"type": app_type, **({"name": name} if name else {}), **spec.to_json()}
        for (app_type, name, spec), label in sorted(labels.items(), key=lambda item: item[1])
    }
    return definitions, {key: _Use(labels[shape], own_name[key]) for key, shape in shape_of.items()}


def _label(shape: tuple[str, str, AppSpec], taken: set[str]) -> str:
    """Return a name for a shape that says what it is, such as `jupyterlab-ml-t3-medium`."""
    app_type, name, spec = shape
    words = [app_type.lower(), (spec.instance_type or "").replace(".", "-"), name]
    base = "-".join(word for word in words if word)[: LABEL_MAX_CHARS - _NUMBER_MAX_CHARS].rstrip("-")
    label, number = base, 1
    while label in taken:
        number += 1
        label = f"{base}-{number}"
    taken.add(label)
    return label


def _people(found: Found, uses: Mapping[AppKey, _Use]) -> dict[str, _Person]:
    """Return everybody who has an app or owns a space that has one, sorted by name."""
    people: dict[str, _Person] = {}
    in_space: defaultdict[str, list[_Use]] = defaultdict(list)
    for key, use in uses.items():
        if key.owner_kind == USER:
            people.setdefault(key.owner, _Person(key.owner)).parts.add(use)
        else:
            in_space[key.owner].append(use)
    for name, apps in sorted(in_space.items()):
        owner, sharing = found.spaces[name].owner_user, found.spaces[name].sharing
        person = people.setdefault(owner, _Person(owner))
        pattern = _pattern(name, owner)
        if pattern == name:
            person.own_spaces[name] = _Space(name, sharing, tuple(sorted(apps)))
        else:
            person.parts.add(_Space(pattern, sharing, tuple(sorted(apps))))
    return dict(sorted(people.items()))


def _pattern(name: str, owner: str) -> str:
    """Return a space's name with `{member}` for its owner's, where that stands as a word, or else begins or ends it.

    The name itself where it is in neither place: `{member}` inside a word is no pattern that anybody would write.
    """
    start = name.find(owner)
    while start >= 0:
        before, after = name[:start], name[start + len(owner) :]
        if not before[-1:].isalnum() and not after[:1].isalnum():
            return before + MEMBER + after
        start = name.find(owner, start + 1)
    if name.startswith(owner):
        return MEMBER + name.removeprefix(owner)
    return name.removesuffix(owner) + MEMBER if name.endswith(owner) else name


def _teams(people: Iterable[_Person]) -> dict[frozenset[_Use | _Space], list[_Person]]:
    """Return the teams: what all of one have, and who is in it. Sorted by size, then by the first member.

    What only one person has makes no team. People who have the same otherwise are one; who has more than a team joins
    the one that has most of it; and of those left, people who have one thing in common are a team of that thing.
    """
    people = list(people)
    holders = Counter(part for person in people for part in person.parts)
    common = {part for part, count in holders.items() if count >= _TEAM_MIN_MEMBERS}
    alike = Counter(frozenset(person.parts & common) for person in people)
    shared = [parts for parts, count in alike.items() if parts and count >= _TEAM_MIN_MEMBERS]
    shared.sort(key=lambda parts: (-len(parts), sorted(map(repr, parts))))
    known = frozenset(shared)
    shared += [frozenset({part}) for part in sorted(common, key=lambda part: (-holders[part], repr(part)))]
    members: defaultdict[frozenset[_Use | _Space], list[_Person]] = defaultdict(list)
    for person in people:
        core = frozenset(person.parts & common)
        # The largest that fits is the core itself where others have it: most people need no search.
        parts = core if core in known else next((one for one in shared if one <= core), None)
        if parts is not None:
            members[parts].append(person)
    teams = {parts: team for parts, team in members.items() if len(team) >= _TEAM_MIN_MEMBERS}
    for parts, team in teams.items():
        for person in team:
            person.team = parts
    return dict(sorted(teams.items(), key=lambda item: (-len(item[1]), item[1][0].name)))


def _tables(
    people: Mapping[str, _Person], teams: Mapping[frozenset[_Use | _Space], list[_Person]]
) -> dict[str, dict[str, Any]]:
    """Return the tables of teams, and of what is left of users and spaces."""
    tables: dict[str, dict[str, Any]] = {"teams": {}, "users": {}, "spaces": {}}
    for number, (parts, members) in enumerate(teams.items(), start=1):
        team: dict[str, Any] = {"members": [person.name for person in members]}
        if user_apps := sorted(part for part in parts if isinstance(part, _Use)):
            team["user_apps"] = _entries(user_apps)
        spaces = sorted(part for part in parts if isinstance(part, _Space))
        if spaces:
            team["spaces"] = {space.pattern: _space(space) for space in spaces}
        tables["teams"][f"team-{number}"] = team
    for name, person in people.items():
        rest = person.parts - person.team
        uses = sorted(part for part in rest if isinstance(part, _Use))
        if uses or not person.team:
            tables["users"][name] = {"apps": _entries(uses)} if uses else {}
        for inside, space in _own_spaces(person, rest):
            tables["spaces"][inside] = {"owner": name, **_space(space)}
    tables["spaces"] = dict(sorted(tables["spaces"].items()))
    return {kind: table for kind, table in tables.items() if table}


def _own_spaces(person: _Person, rest: Iterable[_Use | _Space]) -> Iterator[tuple[str, _Space]]:
    yield from person.own_spaces.items()
    for part in rest:
        if isinstance(part, _Space):
            yield part.pattern.replace(MEMBER, person.name), part


def _space(space: _Space) -> dict[str, Any]:
    return {**({} if space.sharing == PRIVATE else {"sharing": space.sharing}), "apps": _entries(space.apps)}


def _entries(uses: Iterable[_Use]) -> list[Any]:
    """Return entries: a name where the definition says it all, a table where the app has a name of its own."""
    return [{"use": use.use, "name": use.name} if use.name else use.use for use in uses]
