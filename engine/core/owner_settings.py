"""The settings of a user profile or a space, in the service's own words: what the fleet declares beside what it finds.

Only what is declared is compared: what the service fills in, and what nobody declared, is never drift. Not here: what
is done about a difference (`owners`), and who asks the service (`executor.owner_scan`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from engine.core.desired import AppSpec, DesiredOwner
from engine.core.identity import SPACE, USER
from engine.core.observed import ObservedOwner

# Where a space keeps the settings of an app type that can be shut down when idle.
APP_SETTINGS: Final = {"JupyterLab": "JupyterLabAppSettings", "CodeEditor": "CodeEditorAppSettings"}
RESOURCE_FIELDS: Final = {
    "InstanceType": "instance_type",
    "SageMakerImageArn": "image_arn",
    "SageMakerImageVersionArn": "image_version_arn",
    "SageMakerImageVersionAlias": "image_version_alias",
    "LifecycleConfigArn": "lifecycle_config_arn",
    "TrainingPlanArn": "training_plan_arn",
}
_MEMBERS: Final = {name: member for member, name in RESOURCE_FIELDS.items()}
# The members that take `_CLEARED`.
_CLEARABLE: Final = frozenset({"SageMakerImageVersionArn", "LifecycleConfigArn", "TrainingPlanArn"})
_STORAGE: Final = ("SpaceStorageSettings", "EbsStorageSettings", "EbsVolumeSizeInGb")
_IDLE: Final = ("AppLifecycleManagement", "IdleSettings", "IdleTimeoutInMinutes")
_DEFAULT: Final = "DefaultResourceSpec"
_CLEARED: Final = "None"  # the text that clears an ARN; the service then reports none

EBS_GB: Final = "ebs_gb"
IDLE_MINUTES: Final = "idle_minutes"
EXECUTION_ROLE: Final = "execution_role"
SSO_IDENTITY: Final = "sso_identity"
SHARING: Final = "sharing"
DEFAULT_PREFIX: Final = "default."
STATUS: Final = "status"
_UPDATE_FAILED: Final = "Update_Failed"
_FIXED: Final = frozenset({SSO_IDENTITY, SHARING})  # no call of the API changes these


class Difference(NamedTuple):
    """One declared field that is not as observed. `field` is its key in the fleet file, or `settings.` and a path.

    It is `status` where an update has failed: nothing may be created there until another one succeeds.
    """

    field: str
    declared: Any
    observed: Any

    @property
    def can_be_updated(self) -> bool:
        """Whether the API has a call that changes it: a volume never shrinks."""
        if self.field == EBS_GB:
            return bool(self.observed is None or self.declared > self.observed)
        return self.field not in _FIXED

    @property
    def is_default(self) -> bool:
        """Whether it is the default of a space: what a start from Studio makes there."""
        return self.field.startswith(DEFAULT_PREFIX)

    @property
    def is_other_default(self) -> bool:
        """Whether it is the default of a space that somebody has set to another value."""
        return self.is_default and self.observed is not None

    @property
    def is_unset_default(self) -> bool:
        """Whether it is the default of a space that nobody has set yet: a start from Studio uses the domain's."""
        return self.observed is None and self.is_default

    def to_json(self) -> dict[str, Any]:
        """Return the entry of `differs` of an owner in a plan."""
        return {"field": self.field, "declared": self.declared, "observed": self.observed}


def declared_settings(owner: DesiredOwner) -> dict[str, Any]:
    """Return UserSettings or SpaceSettings as the fleet declares them; nothing that it does not declare is in them.

    What has a key of its own in the fleet file wins over `settings`, and `settings` over the default that follows from
    the app of a space.
    """
    if owner.owner.kind == USER:
        own: dict[str, Any] = {} if owner.execution_role is None else {"ExecutionRole": owner.execution_role}
        return laid_over(owner.settings, own)
    part = APP_SETTINGS.get(owner.app_type or "")
    settings = dict(owner.settings)
    if part is not None and owner.default is not None and (resource := _resource_spec(owner.default)):
        settings = laid_over({part: {_DEFAULT: resource}}, settings)
    if owner.app_type is not None:
        settings["AppType"] = owner.app_type
    if owner.ebs_gb is not None:
        settings = laid_over(settings, nested(_STORAGE, owner.ebs_gb))
    if owner.idle_minutes is not None and part is not None:
        settings = laid_over(settings, nested((part, *_IDLE), owner.idle_minutes))
    return settings


def _resource_spec(spec: AppSpec) -> dict[str, str]:
    """Return the declared fields of an app's spec as a DefaultResourceSpec."""
    values = {member: getattr(spec, name) for member, name in RESOURCE_FIELDS.items()}
    return {member: value for member, value in values.items() if value is not None}


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return `value` in the tables that lead to it."""
    for member in reversed(path):
        value = {member: value}
    return dict(value)


def as_declared(row: ObservedOwner, app_type: str | None, default: AppSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a fleet file has to say of an observed owner for `declared_settings` to be what was observed.

    First the keys that the fleet file has for it, then the rest as `settings`. `app_type` and `default` are of the one
    app that is declared in a space: what appfleet sends by itself because of them is in neither.
    """
    settings = _without_nothing(row.settings or {})
    keys: dict[str, Any] = {SSO_IDENTITY: row.sso_identity} if row.sso_identity else {}
    paths: dict[str, tuple[str, ...]] = {EXECUTION_ROLE: ("ExecutionRole",)}
    if row.owner.kind == SPACE:
        settings.pop("AppType", None)
        paths = {EBS_GB: _STORAGE}
        if (part := APP_SETTINGS.get(app_type or "")) is not None:
            paths[IDLE_MINUTES] = (part, *_IDLE)
            settings = _without_default(settings, part, default)
    for key, path in paths.items():
        value = value_at(settings, path)
        if value is not None and not _says_more(rest := _without(settings, path), path):
            keys[key], settings = value, rest
    return keys, settings


def _without_default(settings: dict[str, Any], part: str, default: AppSpec) -> dict[str, Any]:
    """Return the settings of a space without what follows from its one app."""
    for member, value in _resource_spec(default).items():
        path = (part, _DEFAULT, member)
        if value_at(settings, path) == value:
            settings = _without(settings, path)
    return settings


def _without_nothing(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without tables that are empty: they set nothing."""
    copied = {
        member: _without_nothing(value) if isinstance(value, Mapping) else value for member, value in settings.items()
    }
    return {member: value for member, value in copied.items() if value is not None and value != {}}


def _without(settings: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return a copy without a value that is there, and without the tables that would be empty."""
    first, *rest = path
    left = _without(settings[first], rest) if rest else {}
    changed = {**settings, first: left}
    return changed if left else {member: value for member, value in settings.items() if member != first}


def _says_more(settings: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether `settings` still speak of what a key would say: a fleet file takes one of the two."""
    table = _IDLE[0] if _IDLE[0] in path else path[0]
    return table in settings or any(isinstance(value, dict) and table in value for value in settings.values())


def laid_over(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two tables, and the tables in them; `high` wins."""
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        merged[key] = laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def default_alone(owner: DesiredOwner) -> DesiredOwner:
    """Return a space of which nothing but its default is declared."""
    path = (APP_SETTINGS.get(owner.app_type or "", ""), _DEFAULT)
    own = value_at(owner.settings, path)
    settings = {} if own is None else nested(path, own)
    return replace(owner, settings=settings, sharing="", ebs_gb=None, idle_minutes=None)


def without_volume(owner: DesiredOwner) -> DesiredOwner:
    """Return a space of whose volume nothing is declared, whichever key says it."""
    settings = {member: value for member, value in owner.settings.items() if member != _STORAGE[0]}
    return replace(owner, settings=settings, ebs_gb=None)


def needs_describing(owner: DesiredOwner) -> bool:
    """Whether the fleet declares something of an owner that a listing does not show."""
    if owner.owner.kind == USER:
        return bool(declared_settings(owner)) or owner.sso_identity is not None
    return bool(declared_settings(owner).keys() - {"AppType", _STORAGE[0]})


def declares_settings(owner: DesiredOwner) -> bool:
    """Whether the fleet file says how an owner is set, beyond what follows from its apps."""
    return bool(declared_settings(owner).keys() - {"AppType"})


def differences(declared: DesiredOwner, row: ObservedOwner) -> tuple[Difference, ...]:
    """Return the declared fields that `row` shows to be otherwise, sorted; what it does not show is not compared.

    The owner and the app type of a space are not among them: a space that differs in these is another one.
    """
    found = list(_of_settings(declared, row))
    if row.status == _UPDATE_FAILED and row.settings is not None and declares_settings(declared):
        found.append(Difference(STATUS, "InService", row.status))
    if declared.sharing and row.sharing and declared.sharing != row.sharing:
        found.append(Difference(SHARING, declared.sharing, row.sharing))
    identity = None if declared.sso_is_guessed else declared.sso_identity
    if identity is not None and row.settings is not None and identity != row.sso_identity:
        found.append(Difference(SSO_IDENTITY, identity, row.sso_identity or None))
    return tuple(sorted(found, key=lambda one: one.field))


def _of_settings(declared: DesiredOwner, row: ObservedOwner) -> Iterator[Difference]:
    wanted = declared_settings(declared)
    wanted.pop("AppType", None)
    seen = row.settings
    if seen is None:  # a listing shows the size of a space's volume and nothing else of this
        if row.ebs_gb and declared.ebs_gb is not None and declared.ebs_gb != row.ebs_gb:
            yield Difference(EBS_GB, declared.ebs_gb, row.ebs_gb)
        return
    for path, value, other in _leaves(wanted, seen, ()):
        yield Difference(_field(path, declared), value, other)


def _leaves(
    wanted: Mapping[str, Any], seen: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for member, value in wanted.items():
        other = seen.get(member)
        if isinstance(value, Mapping):
            yield from _leaves(value, other if isinstance(other, Mapping) else {}, (*path, member))
        elif not contains(other, value):
            yield (*path, member), value, other


def contains(seen: Any, wanted: Any) -> bool:
    """Whether an observed value is the declared one, with whatever the service filled in beside it."""
    if isinstance(wanted, Mapping):
        return isinstance(seen, Mapping) and all(contains(seen.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        same_size = isinstance(seen, list) and len(seen) == len(wanted)
        return (not wanted and seen is None) or (
            same_size and all(any(contains(other, value) for other in seen) for value in wanted)
        )
    return bool(seen == wanted) or (wanted == _CLEARED and not seen)


def _field(path: tuple[str, ...], declared: DesiredOwner) -> str:
    """Return what a user calls a setting: its key in the fleet file, where it has one."""
    if path == ("ExecutionRole",) and declared.execution_role is not None:
        return EXECUTION_ROLE
    if path == _STORAGE:
        return EBS_GB
    if path[1:] == _IDLE and declared.idle_minutes is not None:
        return IDLE_MINUTES
    if declared.default is not None and path[1:2] == (_DEFAULT,) and path[2] in RESOURCE_FIELDS:
        return f"{DEFAULT_PREFIX}{RESOURCE_FIELDS[path[2]]}"
    return ".".join(("settings", *path))


def path_of(field: str, app_type: str) -> tuple[str, ...] | None:
    """Return where a field of a `Difference` is in the settings of a profile, or of a space for `app_type`.

    None for what has no place there.
    """
    part = APP_SETTINGS.get(app_type)
    if field == EXECUTION_ROLE:
        return ("ExecutionRole",)
    if field == EBS_GB:
        return _STORAGE
    if field == IDLE_MINUTES and part is not None:
        return (part, *_IDLE)
    if field.startswith(DEFAULT_PREFIX) and part is not None:
        member = _MEMBERS.get(field.removeprefix(DEFAULT_PREFIX))
        return None if member is None else (part, _DEFAULT, member)
    return tuple(field.split(".")[1:]) if field.startswith("settings.") else None


def value_at(settings: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what is set there, None where nothing is."""
    found: Any = settings
    for member in path:
        found = found.get(member) if isinstance(found, Mapping) else None
    return found


def unsetting(path: tuple[str, ...], value: Any) -> Any:
    """Return what takes `value` away again where nothing was set before; None where no call does that."""
    if path[-1] in _CLEARABLE:
        return _CLEARED
    return [] if isinstance(value, list) else None


def settings_to_send(declared: DesiredOwner, row: ObservedOwner) -> dict[str, Any]:
    """Return what an update sends: each top-level member that differs, whole, with what the service had in it.

    A member that is sent may replace the one that is there, so nothing of it is left out. A volume is never made
    smaller.
    """
    wanted = declared_settings(declared)
    wanted.pop("AppType", None)
    if any(one.field == EBS_GB and not one.can_be_updated for one in differences(declared, row)):
        del wanted[_STORAGE[0]]
    seen = row.settings or {}
    changed = {path[0] for path, _, _ in _leaves(wanted, seen, ())} or set(wanted)  # all, where the last update failed
    return {
        member: laid_over(seen[member], value)
        if isinstance(value, dict) and isinstance(seen.get(member), dict)
        else value
        for member, value in wanted.items()
        if member in changed
    }
