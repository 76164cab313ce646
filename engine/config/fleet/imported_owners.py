"""What a fleet file says of the profiles and spaces of a live domain beside their apps.

Values that a fleet file would refuse are left out and named. Not here: what follows from settings for the service
(`core.owner_settings`), or in which tables they are put (`imported`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from engine.config.fleet.imported_rows import Found, Whys, unsayable
from engine.config.service import fields
from engine.config.service.app_rules import ONE_A_SPACE
from engine.config.service.fields import MEMBER
from engine.config.service.settings_check import legal_settings
from engine.core.desired import AppSpec
from engine.core.identity import SPACE, AppKey, Owner
from engine.core.observed import ObservedOwner
from engine.core.owner_settings import EBS_GB, EXECUTION_ROLE, IDLE_MINUTES, SSO_IDENTITY, as_declared

_DEFAULTS: Final = {EBS_GB: 5}  # what the service does where nothing is said
_TEMPLATE_MIN_PEOPLE: Final = 2
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    EXECUTION_ROLE: TypeAdapter(fields.RoleArn),
    SSO_IDENTITY: TypeAdapter(fields.SsoIdentity),
    EBS_GB: TypeAdapter(fields.EbsGb),
    IDLE_MINUTES: TypeAdapter(fields.IdleMinutes),
}
_TEMPLATE: Final = TypeAdapter[str](fields.SsoTemplate)

Keys = dict[str, Any]


class OwnersSaid(NamedTuple):
    """The keys of each profile and space that has some, and what is left out of them: why -> whose."""

    keys: dict[Owner, Keys]
    left_out: dict[str, tuple[str, ...]]


def owners_said(found: Found, kept: Mapping[AppKey, AppSpec], whys: Whys, named: int = 1) -> OwnersSaid:
    """Return what the file says of profiles and spaces; `kept` are the apps that it declares.

    What is left out is named by its owner from part `named` on: 0 is its domain.
    """
    apps: defaultdict[Owner, list[tuple[str, AppSpec]]] = defaultdict(list)
    for key, spec in kept.items():
        apps[key.owner_key].append((key.app_type, spec))
    said: dict[Owner, Keys] = {}
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    for row in sorted((*found.profiles.values(), *found.spaces.values()), key=lambda one: one.owner):
        inside = apps.get(row.owner, [])
        keys, refused = _keys(row, inside)
        why = "" if inside or not (keys or refused) else whys.why_not_owner(row)
        if keys and not why:
            said[row.owner] = keys
        for reason in [why] if why else [unsayable(name) for name in refused]:
            left_out[reason].append("/".join(row.owner[named:]))
    return OwnersSaid(said, {why: tuple(names) for why, names in sorted(left_out.items())})


def _keys(row: ObservedOwner, apps: list[tuple[str, AppSpec]]) -> tuple[Keys, list[str]]:
    """Return the keys of an owner in which `apps` are declared, in the order of their names, and what is refused."""
    if row.settings is None:
        return {}, []
    app_type, default = next((app for app in apps if app[0] in ONE_A_SPACE), (None, AppSpec()))
    observed, settings = as_declared(row, app_type if row.owner.kind == SPACE else None, default)
    keys: Keys = {}
    refused: list[str] = []
    for name, value in observed.items():
        if _takes(name, value):
            keys[name] = value
        else:
            refused.append(name)
    keys = {name: value for name, value in keys.items() if value != _DEFAULTS.get(name)}
    legal, paths = legal_settings(settings, row.owner.kind)
    if legal:
        keys["settings"] = legal
    in_order: Keys = json.loads(keys_text(keys))
    return in_order, [*refused, *paths]


def _takes(name: str, value: Any) -> bool:
    """Whether the fleet file takes the value of a key. `{member}` would stand for the name of a profile there."""
    try:
        _ADAPTERS[name].validate_python(value, strict=True)
    except ValidationError:
        return False
    return not (isinstance(value, str) and MEMBER in value)


def keys_text(keys: Keys) -> str:
    """Return keys as a text that is the same for equal ones: the service's order of members means nothing."""
    return json.dumps(keys, sort_keys=True)


def shared_identity(people: Mapping[str, Keys]) -> str | None:
    """Return the `sso_identity` with `{member}` that says how each of the people signs in; None where none does."""
    if len(people) < _TEMPLATE_MIN_PEOPLE:
        return None
    longest = max(people, key=lambda name: (len(name), name))
    template = str(people[longest].get(SSO_IDENTITY, "")).replace(longest, MEMBER)
    try:
        _TEMPLATE.validate_python(template)
    except ValidationError:
        return None
    alike = all(template.replace(MEMBER, name) == keys.get(SSO_IDENTITY) for name, keys in people.items())
    return template if alike else None
