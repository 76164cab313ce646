"""Domains as a fleet file: what is there, with repeated shapes as `[apps]` and people who have the same as teams.

Pure: from what was found to a document. Not here: listing (`app.import_domain`), reading a state of Terraform
(`terraform_rows`), or writing the text (`fleet_text`).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from engine.config.fleet.imported_owners import Keys, OwnersSaid, keys_text, owners_said, shared_identity
from engine.config.fleet.imported_rows import Found, Whys, spelled, unsayable, writable
from engine.config.fleet.spaces import PRIVATE
from engine.config.service.app_rules import DEFAULT_NAME, NAME_NEEDED
from engine.config.service.fields import MEMBER
from engine.core.desired import AppSpec, Tags
from engine.core.identity import SPACE, USER, AppKey, Owner
from engine.core.limits import LABEL_MAX_CHARS
from engine.core.owner_settings import SSO_IDENTITY
from engine.core.training_plans import sent_plan

_NUMBER_MAX_CHARS: Final = 8  # what is left of a label for the number that tells two shapes apart
_TEAM_MIN_MEMBERS: Final = 2


@dataclass(frozen=True, slots=True)
class Imported:
    """The document, the keys that it declares, and what was left out of it, of apps and of owners: why -> what.

    `shapes` and `teams` count what the document folds, `set_owners` the profiles and spaces of which it says more than
    their apps; `bare_owners` counts those that are not in it, since they have neither an app nor a setting.
    """

    document: dict[str, Any]
    keys: frozenset[AppKey]
    shapes: int
    teams: int
    left_out: Mapping[str, tuple[str, ...]]
    bare_owners: int
    set_owners: int
    owners_left_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, order=True)
class _Space:
    """What a space of one person is, with the person's name taken out of the space's."""

    pattern: str
    sharing: str
    apps: tuple[_Use, ...]
    keys: str = "{}"  # as JSON, since tables have no order


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
    keys: Keys = field(default_factory=dict)


def import_fleet(name: str, founds: Sequence[Found]) -> Imported:
    """Return the fleet file of domains: an app that is there and that the grammar can say is declared as it is.

    The same rows in another order give the same document.
    """
    halves = [_half(spelled(found), name_domain=len(founds) > 1) for found in founds]
    kept = {key: spec for half in halves for key, spec in half.kept.items()}
    tags = _shared_tags(kept.values())
    if tags:
        kept = {key: replace(spec, tags=_other_tags(spec, tags)) for key, spec in kept.items()}
    definitions, uses = _shapes(kept)
    document: dict[str, Any] = {"schema": 1, "name": name}
    if tags:
        document["defaults"] = {"tags": dict(tags)}
    if definitions:
        document["apps"] = definitions
    document["domains"] = {}
    teams = bare = 0
    for half in halves:
        table, counted = _domain(half, uses)
        document["domains"][half.found.domain] = table
        teams += len(counted.teams)
        bare += counted.bare
    return Imported(
        document,
        frozenset(kept),
        len(definitions),
        teams,
        _merged(half.left_out for half in halves),
        bare,
        sum(len(half.owners.keys) for half in halves),
        _merged(half.owners.left_out for half in halves),
    )


class _Half(NamedTuple):
    """One domain before shapes are given names: its rows, and what the file says of its apps and owners."""

    found: Found
    kept: dict[AppKey, AppSpec]
    left_out: dict[str, tuple[str, ...]]
    owners: OwnersSaid


class _Counted(NamedTuple):
    """The teams of a domain, and how many profiles and spaces are not in the file."""

    teams: Mapping[frozenset[_Use | _Space], list[_Person]]
    bare: int


def _half(found: Found, *, name_domain: bool) -> _Half:
    whys = Whys(found)
    named = 0 if name_domain else 1  # what of a key says which app is meant
    kept, left_out = _kept(found, whys, named)
    return _Half(found, kept, left_out, owners_said(found, kept, whys, named))


def _domain(half: _Half, uses: Mapping[AppKey, _Use]) -> tuple[dict[str, Any], _Counted]:
    """Return the table of one domain, and what it counts."""
    found, owners = half.found, half.owners
    own = {key: uses[key] for key in half.kept}
    people = _people(found, own, owners.keys)
    teams = _teams(people.values())
    domain: dict[str, Any] = {"id": found.domain_id, "region": found.region}
    if found.account:
        domain["account"] = found.account
    identity = shared_identity({person.name: person.keys for person in people.values()})
    if identity is not None:
        domain[SSO_IDENTITY] = identity
        for person in people.values():
            person.keys = {key: value for key, value in person.keys.items() if key != SSO_IDENTITY}
    domain |= _tables(people, teams)
    spaces = {owner.name for owner in (*owners.keys, *(key.owner_key for key in own)) if owner.kind == SPACE}
    bare = len(found.spaces.keys() - spaces) + len(set(found.users) - people.keys())
    return domain, _Counted(teams, bare)


def _merged(parts: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Merge what was left out: why -> what."""
    merged: defaultdict[str, list[str]] = defaultdict(list)
    for part in parts:
        for why, names in part.items():
            merged[why] += names
    return {why: tuple(names) for why, names in sorted(merged.items())}


def _shared_tags(specs: Iterable[AppSpec]) -> Tags:
    """Return the tags that every app has: they are written once."""
    tags = [set(spec.tags) for spec in specs]
    return tuple(sorted(set.intersection(*tags))) if tags else ()


def _other_tags(spec: AppSpec, shared: Tags) -> Tags:
    return tuple(tag for tag in spec.tags if tag not in shared)


def _kept(found: Found, whys: Whys, named: int) -> tuple[dict[AppKey, AppSpec], dict[str, tuple[str, ...]]]:
    """Return the apps that the file declares, and what is left out: why -> what."""
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    kept: dict[AppKey, AppSpec] = {}
    for key, row in sorted(found.apps.items()):
        why = whys.why_not(row)
        if why:
            left_out[why].append("/".join(key[named:]))
            continue
        spec, lost = writable(row.spec, found.region, found.account)
        kept[key] = replace(spec, training_plan_arn=sent_plan(key.app_type, spec.training_plan_arn))
        for name in lost:
            left_out[unsayable(name)].append("/".join(key[named:]))
    return kept, {why: tuple(names) for why, names in sorted(left_out.items())}


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


def _people(found: Found, uses: Mapping[AppKey, _Use], said: Mapping[Owner, Keys]) -> dict[str, _Person]:
    """Return everybody who has an app, a setting, or a space that has one, sorted by name."""
    people: dict[str, _Person] = {}
    in_space: defaultdict[str, list[_Use]] = defaultdict(list)
    for owner, keys in said.items():
        if owner.kind == USER:
            people[owner.name] = _Person(owner.name, keys=keys)
        else:
            in_space[owner.name] = []
    for key, use in uses.items():
        if key.owner_kind == USER:
            people.setdefault(key.owner, _Person(key.owner)).parts.add(use)
        else:
            in_space[key.owner].append(use)
    for name, apps in sorted(in_space.items()):
        row = found.spaces[name]
        person = people.setdefault(row.owner_user, _Person(row.owner_user))
        pattern = _pattern(name, row.owner_user)
        keys = said.get(Owner(found.domain, SPACE, name), {})
        space = _Space(pattern, row.sharing, tuple(sorted(apps)), keys_text(keys))
        if pattern == name:
            person.own_spaces[name] = space
        else:
            person.parts.add(space)
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
        if uses or person.keys or not person.team:
            tables["users"][name] = person.keys | ({"apps": _entries(uses)} if uses else {})
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
    sharing = {} if space.sharing == PRIVATE else {"sharing": space.sharing}
    apps = {"apps": _entries(space.apps)} if space.apps else {}
    return {**sharing, **json.loads(space.keys), **apps}


def _entries(uses: Iterable[_Use]) -> list[Any]:
    """Return entries: a name where the definition says it all, a table where the app has a name of its own."""
    return [{"use": use.use, "name": use.name} if use.name else use.use for use in uses]
