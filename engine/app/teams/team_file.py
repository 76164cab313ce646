"""teams/TEAM.toml, which onboarding writes: made from a model team or from apps, checked, and put in place whole.

A file that a person wrote is never changed. Not here: what is done with the team afterwards (`app`).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from engine.app.named_file import put_file
from engine.app.schema import SchemaOf, line_for
from engine.config.fleet.fleet_file import LoadedFleet, load_fleet
from engine.config.reading.beneath import FileProblem
from engine.config.reading.files import would_match
from engine.config.reading.problems import nearest
from engine.config.reading.regular_file import read_regular
from engine.config.service.app_rules import ONE_A_SPACE
from engine.config.toml_text import toml_text
from engine.core.errors import UsageError
from engine.core.identity import USER
from engine.core.limits import FLEET_FILE_MAX_BYTES, LABEL_MAX_CHARS
from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from engine.config.fleet.written import Entry, TeamDef

TEAMS_FOLDER: Final = "teams"
_MEMBER: Final = "{member}"
_TEAM_NAME: Final = re.compile(r"[a-z0-9-]+")
_HEAD: Final = "Written by appfleet onboard. It is yours from now on: appfleet does not change it again."


@dataclass(frozen=True, slots=True)
class TeamAsked:
    """What the user wants: a team by name, its people, and either a team to be like or apps to have.

    `identities` maps members to the names with which they sign in through IAM Identity Center, where those are known.
    """

    team: str
    members: tuple[str, ...]
    domain: str | None = None
    like: str | None = None
    apps: tuple[str, ...] = ()
    identities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TeamWritten:
    """Where the team is: `path` is its file, `is_new` is false where an equal one was there; `notes` are for people."""

    domain: str
    team: str
    path: Path
    members: tuple[str, ...]
    is_new: bool
    notes: tuple[str, ...] = ()


def write_team(
    fleet_file: Path, asked: TeamAsked, wants_identities: Callable[[str], bool] = lambda _: False
) -> TeamWritten:
    """Write teams/TEAM.toml below the fleet file's folder, unless an equal one is there.

    `wants_identities` says of a domain whether it needs its people's sign-in names; it is asked where some are known.
    The whole fleet is checked with the new file before it is put in place. Raises UsageError and ConfigError.
    """
    if len(asked.team) > LABEL_MAX_CHARS or not _TEAM_NAME.fullmatch(asked.team):
        raise UsageError(
            f"{clean(asked.team, 80)!r} is not a name for a team's file",
            hint=f"Use lower-case letters, digits and hyphens: at most {LABEL_MAX_CHARS} characters",
        )
    fleet = load_fleet(fleet_file)
    inside = f"{TEAMS_FOLDER}/{asked.team}.toml"
    _check_covered(fleet, inside, fleet_file)
    domain = _domain_of(fleet, asked)
    shape, notes = _shape(fleet, domain, asked)
    own: dict[str, Any] = {"teams": {asked.team: {"members": list(asked.members), **shape}}}
    users = _sign_ins(fleet, domain, asked, inside)
    if users and wants_identities(domain):
        own["users"] = users
    document = {"domains": {domain: own}}
    path = fleet.folder / inside
    written = TeamWritten(domain, asked.team, fleet_file.parent / inside, asked.members, is_new=True, notes=notes)
    if path.exists() or path.is_symlink():
        _require_equal(path, document)
        return replace(written, is_new=False)
    standing = next((team for name, team in fleet.teams if (name, team.name) == (domain, asked.team)), None)
    if standing is not None:
        raise UsageError(
            f"team {asked.team} is already in {standing.source}",
            hint="Add the people there, or choose another name",
        )
    _put(fleet_file, path, document)
    return written


def _sign_ins(fleet: LoadedFleet, domain: str, asked: TeamAsked, inside: str) -> dict[str, dict[str, str]]:
    """Return a table for each member with a known sign-in name, but for those who have one, or a table, elsewhere.

    Whoever is only a member of another team, without a sign-in name, needs the one that is known here.
    """
    own = str(fleet.folder / inside)
    by_membership = {(name, row) for of, team in fleet.teams if of == domain for name, row in team.members.items()}
    elsewhere = {
        one.owner.name
        for one in fleet.fleet.owners
        if one.owner.domain == domain
        and one.owner.kind == USER
        and one.source.file != own
        and not (one.sso_identity is None and (one.owner.name, one.source) in by_membership)
    }
    return {name: {"sso_identity": text} for name, text in sorted(asked.identities.items()) if name not in elsewhere}


def _domain_of(fleet: LoadedFleet, asked: TeamAsked) -> str:
    """Return the domain that the team is for. Raises UsageError if several fit, or the named one is missing."""
    names = [domain.name for domain in fleet.fleet.domains]
    if asked.domain is None:
        if len(names) == 1:
            return names[0]
        models = sorted({name for name, team in fleet.teams if team.name == asked.like})
        if len(models) == 1:
            return models[0]
        if models:
            message = f"team {clean(str(asked.like), 80)} is in several domains"
            raise UsageError(message, hint=f"Give --domain, one of: {', '.join(models)}")
        raise UsageError("onboard needs a domain", hint=f"Give --domain, one of: {', '.join(names)}")
    if asked.domain not in names:
        hint = nearest(asked.domain, names) or f"The fleet has: {', '.join(names)}"
        raise UsageError(f"the fleet has no domain {clean(asked.domain, 80)}", hint=hint)
    return asked.domain


def _check_covered(fleet: LoadedFleet, inside: str, fleet_file: Path) -> None:
    """Refuse a file that the next run would not read."""
    if would_match(inside, fleet.include):
        return
    raise UsageError(
        f"{fleet_file} does not include {inside}, so no run would read it",
        hint=f'Add include = ["{TEAMS_FOLDER}/*.toml"] at the top of {fleet_file}',
    )


def _shape(fleet: LoadedFleet, domain: str, asked: TeamAsked) -> tuple[dict[str, Any], tuple[str, ...]]:
    if (asked.like is None) == (not asked.apps):
        raise UsageError("onboard needs the team's shape", hint="Give either --like TEAM or --app NAME")
    if asked.like is None:
        return _of_apps(fleet, asked.apps), ()
    models = {(name, team.name): team for name, team in fleet.teams}
    model = models.get((domain, asked.like)) or next(
        (team for (_, name), team in sorted(models.items()) if name == asked.like), None
    )
    if model is None:
        known = sorted({name for _, name in models})
        raise UsageError(
            f"the fleet has no team {clean(asked.like, 80)}",
            hint=nearest(asked.like, known) or f"It has: {', '.join(known) or 'none'}",
        )
    return _like(model, asked.team)


def _like(model: TeamDef, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a model team says, with its name replaced where a tag's value is it; and what was not copied."""
    shape = _plain(model.layer.values if model.layer is not None else {})
    if "tags" in shape:
        shape["tags"] = {key: name if value == model.name else value for key, value in shape["tags"].items()}
    if model.sso_identity is not None:
        shape["sso_identity"] = model.sso_identity
    if model.user_apps:
        shape["user_apps"] = _entries(model.user_apps)
    spaces: dict[str, Any] = {}
    literal = []
    for space in model.spaces:
        if _MEMBER not in space.name:
            literal.append(space.name)
            continue
        own = _plain(space.layer.values if space.layer is not None else {})
        spaces[space.name] = {**_plain(space.attributes), **own, "apps": _entries(space.apps)}
    if spaces:
        shape["spaces"] = spaces
    named = f"{'space' if len(literal) == 1 else 'spaces'} {', '.join(literal)}"
    return shape, ((f"Not copied (belongs to team {model.name}): {named}",) if literal else ())


def _of_apps(fleet: LoadedFleet, names: Sequence[str]) -> dict[str, Any]:
    """Assign each member a space for each app that needs one, and every other app as a user app."""
    user_apps: list[str] = []
    spaces: dict[str, Any] = {}
    for name in names:
        definition = fleet.definitions.get(name)
        if definition is None:
            known = sorted(fleet.definitions)
            hint = nearest(name, known) or f"It has: {', '.join(known) or 'none'}"
            raise UsageError(f"the fleet has no app {clean(name, 80)}", hint=hint)
        app_type: Any = definition.layer.values.get("type")
        while app_type is None and definition.extends is not None:
            definition = fleet.definitions[definition.extends]
            app_type = definition.layer.values.get("type")
        if app_type in ONE_A_SPACE:
            spaces[f"{_MEMBER}-{name}"] = {"apps": [name]}
        else:
            user_apps.append(name)
    return {**({"user_apps": user_apps} if user_apps else {}), **({"spaces": spaces} if spaces else {})}


def _entries(entries: Iterable[Entry]) -> list[Any]:
    """Return entries as they may be written: all names or, where one is a table, all tables."""
    if all(entry.layer is None for entry in entries):
        return [entry.use for entry in entries]
    return [
        {
            **({} if entry.use is None else {"use": entry.use}),
            **_plain(entry.layer.values if entry.layer is not None else {}),
        }
        for entry in entries
    ]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in values.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, dict) else value


def _require_equal(path: Path, document: Mapping[str, Any]) -> None:
    try:
        standing = tomllib.loads(read_regular(path, str(path), FLEET_FILE_MAX_BYTES).decode())
    except (FileProblem, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        standing = {}
    if standing != document:
        raise UsageError(
            f"{path} already exists with different content",
            hint=(
                f"To add or remove people edit members there, then run: appfleet apply --team {path.stem}. "
                "Or give the same members and shape again, or move the file away"
            ),
        )


def _put(fleet_file: Path, path: Path, document: Mapping[str, Any]) -> None:
    """Write it, check the fleet with it, and only then give it its name; never over another file."""

    def check(made: Path) -> None:
        load_fleet(fleet_file, (f"{TEAMS_FOLDER}/{made.name}",))

    line = line_for(SchemaOf.INCLUDED, fleet_file.parent, f"{TEAMS_FOLDER}/{path.name}")
    put_file(path, line + toml_text(_HEAD, document), check)
