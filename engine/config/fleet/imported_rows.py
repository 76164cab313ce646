"""What was found of a domain, and what of it a fleet file can say.

Not here: what is said of profiles and spaces themselves (`imported_owners`), and how all of it is put (`imported`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from pydantic import TypeAdapter, ValidationError

from engine.config.service import fields
from engine.config.service.app_rules import ONE_A_SPACE, RSTUDIO_OWNER, owner_fault, spec_faults
from engine.config.service.service_model import APP_TYPES, SHARING_TYPES, is_name
from engine.core.desired import COMPARED_FIELDS, AppSpec
from engine.core.identity import SPACE, USER, AppKey, Owner
from engine.core.observed import AppStatus, ObservedApp, ObservedOwner
from engine.core.training_plans import place_fault

_NO_NAME: Final = "a fleet file does not allow the name"
_ALIKE: Final = "two user profiles have names that differ only in case"
_ADAPTERS: Final = {
    name: TypeAdapter[str](kind)
    for name, kind in (
        ("instance_type", fields.InstanceType),
        ("image_arn", fields.ImageArn),
        ("image_version_arn", fields.ImageVersionArn),
        ("image_version_alias", fields.ImageVersionAlias),
        ("lifecycle_config_arn", fields.LifecycleConfigArn),
        ("training_plan_arn", fields.TrainingPlanArn),
    )
}


_TAGS: Final = TypeAdapter[dict[str, str]](fields.Tags)


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of one domain: its app rows by key, the names of its profiles, and its spaces by name.

    `domain` is the name that the fleet shall have for it, and that its keys have. `account` may be empty: then nobody
    knows it. `profiles` and `spaces` have settings where these were asked for.
    """

    domain: str
    domain_id: str
    region: str
    account: str
    apps: Mapping[AppKey, ObservedApp]
    users: tuple[str, ...]
    spaces: Mapping[str, ObservedOwner]
    profiles: Mapping[str, ObservedOwner] = field(default_factory=dict)


def spelled(found: Found) -> Found:
    """Spell the owners of spaces as their profiles are spelled: the service takes them in any case."""
    spelling = {name.casefold(): name for name in found.users}
    spaces = {
        name: replace(space, owner_user=spelling.get(space.owner_user.casefold(), space.owner_user))
        for name, space in found.spaces.items()
    }
    return replace(found, spaces=spaces)


def unsayable(name: str) -> str:
    """Return why a field or a setting is left out."""
    return f"{name} has a form that a fleet file does not allow, so it is not declared"


class Whys:
    """Judges whether a fleet file can say a row."""

    def __init__(self, found: Found) -> None:
        self._spaces = found.spaces
        self._region, self._account = found.region, found.account
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
            return _NO_NAME
        user, sharing, why = self._owner(key)
        if why:
            return why
        if user in self._alike:
            return _ALIKE
        # Without the owner's name, so that the same fault of many is told once.
        owner = RSTUDIO_OWNER if key.owner == RSTUDIO_OWNER else "its owner"
        fault = owner_fault(key.app_type, key.owner_kind, owner, sharing)
        spec, _ = writable(row.spec, self._region, self._account)
        faults = [*([fault] if fault else []), *spec_faults(key.app_type, key.app_name, spec, ())]
        return faults[0][1] if faults else ""

    def why_not_owner(self, row: ObservedOwner) -> str:
        """Return why a profile or a space in which no app is declared is left out; empty when it is not."""
        owner = row.owner
        if row.is_deleting or row.has_failed:
            return f"it is {row.status}"
        if not is_name(owner.name):
            return _NO_NAME
        if owner.kind == SPACE and (why := self._space_fault(row, [], "it")):
            return why
        return _ALIKE if (row.owner_user or owner.name) in self._alike else ""

    def _owner(self, key: AppKey) -> tuple[str, str, str]:
        """Return the user profile behind an app, how its space is shared, and why it cannot be said."""
        if key.owner_kind == USER:
            return key.owner, "", ""
        space = self._spaces.get(key.owner)
        if space is None:
            return "", "", "its space is not in the listing of spaces"
        return space.owner_user, space.sharing, self._space_fault(space, self._in_space[key.owner_key], "its space")

    def _space_fault(self, space: ObservedOwner, types: list[str], word: str) -> str:
        one_alone = ONE_A_SPACE.intersection(types)
        if not is_name(space.owner_user):
            return _NO_NAME if space.owner_user else f"{word} has no owner"
        if space.owner_user not in self._users:
            return f"the owner of {word} is not in the listing of user profiles"
        if space.sharing not in SHARING_TYPES:
            return f"{word} does not show whether it is private or shared"
        if len(types) > 1 and one_alone:
            return f"{word} holds several apps, and a fleet file allows one"
        if space.app_type and one_alone - {space.app_type}:
            return f"{word} is a space for another app type"
        return ""


@lru_cache(maxsize=1_000)
def writable(spec: AppSpec, region: str, account: str) -> tuple[AppSpec, tuple[str, ...]]:
    """Return what of a spec may stand in the fleet file of a domain there, and the names of the fields that may not.

    An alias stands for the version that it chose, so of the two it is kept.
    """
    values: dict[str, str] = {}
    lost: list[str] = []
    for name in COMPARED_FIELDS:
        value = getattr(spec, name)
        if value is None:
            continue
        if name == "training_plan_arn" and place_fault(value, region, account):
            lost.append(name)
            continue
        try:
            values[name] = _ADAPTERS[name].validate_python(value)
        except ValidationError:
            lost.append(name)
    if "image_version_alias" in values:
        values.pop("image_version_arn", None)
    tags = tuple((key, value) for key, value in spec.tags if _is_tag(key, value))
    lost += [f"tag {key}" for key, value in spec.tags if not _is_tag(key, value)]
    return replace(AppSpec(tags=tags), **values), tuple(lost)  # type: ignore[arg-type]  # the fields are all of text


def _is_tag(key: str, value: str) -> bool:
    """Whether a fleet file takes a tag: those of AWS and of appfleet are not anybody's to declare."""
    if not key.isprintable():  # a space that is none on a keyboard, which the writer of TOML does not take in a key
        return False
    try:
        _TAGS.validate_python({key: value})
    except ValidationError:
        return False
    return True
