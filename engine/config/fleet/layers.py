"""Layers merged, low to high: tags key by key, every other field replaced by the higher layer.

Thousands of apps have the same layers, so each combination is merged once and shared. Not here: which layers
an app has (`expand`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from engine.config.fleet.written import AppDef, Entry
from engine.config.reading.problems import Code, Problems, nearest, show_value
from engine.config.service.app_rules import DEFAULT_NAME, Fault, spec_faults
from engine.core.desired import AppSpec, Layer, Mode, Tags
from engine.core.hours import CLEARED, Hours
from engine.core.limits import EXTENDS_MAX_DEPTH
from engine.core.training_plans import sent_plan, tried_fallback

Layers = tuple["Layer", ...]
_SPEC_FIELDS = (
    "instance_type",
    "image_arn",
    "image_version_arn",
    "image_version_alias",
    "lifecycle_config_arn",
    "training_plan_arn",
    "recovery_mode",
)


_FALLBACK_UNUSED: Final = (
    Code.VALUE,
    "fallback is not used, since training_plan_arn is set: a plan reserves its own instance type alone",
    'Set fallback = [] here, or training_plan_arn = "None" to run outside the plan',
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """An app with all its layers merged, before it has an owner. `faults` and `warnings` hold for whoever owns it."""

    app_type: str
    app_name: str
    spec: AppSpec
    fallback: tuple[str, ...]
    mode: Mode
    expires: date | None
    hours: Hours | None
    layers: Layers
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()


def merge_values(layers: Iterable[Layer]) -> tuple[dict[str, Any], Tags]:
    """Merge what layers set, low to high: (fields without tags, tags sorted by key)."""
    merged: dict[str, Any] = {}
    tags: dict[str, str] = {}
    for layer in layers:
        merged.update(layer.values)
        tags.update(layer.values.get("tags", {}))
    merged.pop("tags", None)
    return merged, tuple(sorted(tags.items()))


def resolve_layers(layers: Layers, specs: dict[AppSpec, AppSpec], known_hours: Mapping[str, Hours]) -> Resolved:
    """Merge the layers of one app and check what does not depend on its owner. `specs` keeps equal specs one."""
    merged, tags = merge_values(layers)
    if "training_plan_arn" in merged:
        merged["training_plan_arn"] = sent_plan(merged.get("type", ""), merged["training_plan_arn"])
    spec = AppSpec(**{name: merged.get(name) for name in _SPEC_FIELDS}, tags=tags)
    spec = specs.setdefault(spec, spec)
    # A layer above may have set the instance type to one that the definition falls back to.
    fallback = tuple(item for item in merged.get("fallback", ()) if item != spec.instance_type)
    tried = tried_fallback(spec, fallback)
    app_type, name = merged.get("type"), merged.get("name")
    mode, hours = merged.get("mode", Mode.RUNNING), merged.get("hours", CLEARED)
    faults = spec_faults(app_type, name, spec, fallback)
    if hours != CLEARED and mode is not Mode.RUNNING:
        message = f"hours have no effect for an app whose mode is {mode.value}"
        faults = (*faults, (Code.VALUE, message, f'Set hours = "{CLEARED}" here, or mode = "{Mode.RUNNING.value}"'))
    return Resolved(
        app_type=app_type or "",
        app_name=name or DEFAULT_NAME,
        spec=spec,
        fallback=tried,
        mode=mode,
        expires=merged.get("expires"),
        hours=known_hours.get(hours),
        layers=layers,
        faults=faults,
        warnings=() if tried == fallback else (_FALLBACK_UNUSED,),
    )


@dataclass(slots=True)
class Definitions:
    """The app definitions with their `extends` followed, and a memory of every combination of layers."""

    chains: Mapping[str, Layers | None]
    hours: Mapping[str, Hours] = field(default_factory=dict)
    _resolved: dict[tuple[object, ...], Resolved | None] = field(default_factory=dict)
    _specs: dict[AppSpec, AppSpec] = field(default_factory=dict)

    def resolve(self, entry: Entry, low: Layers, high: Layers, *, is_shared: bool) -> Resolved | None:
        """Merge `low`, the entry's definition, `high` and the entry itself; None when its definition is not known.

        `is_shared` says whether the same layers may come again; what comes once is not remembered.
        """
        if not is_shared:
            return self._merge(entry, low, high)
        key = (entry.use, id(entry.layer) if entry.layer else 0, id(low), *map(id, high))
        if key not in self._resolved:
            self._resolved[key] = self._merge(entry, low, high)
        return self._resolved[key]

    def _merge(self, entry: Entry, low: Layers, high: Layers) -> Resolved | None:
        chain = self.chains.get(entry.use) if entry.use is not None else ()
        if chain is None:
            return None
        own = (entry.layer,) if entry.layer else ()
        return resolve_layers((*low, *chain, *high, *own), self._specs, self.hours)


def follow_extends(
    apps: Mapping[str, AppDef], broken: Iterable[str], problems: Problems, *, is_complete: bool = True
) -> dict[str, Layers | None]:
    """Return each definition's layers along `extends`, low to high; None where they cannot be followed.

    `broken` names definitions whose own problems are noted already; unless `is_complete`, a file that could not be
    read may hold what is missing. A cycle is noted once, at the member of it
    that comes first by name.
    """
    chains: dict[str, Layers | None] = dict.fromkeys(broken)
    if not is_complete:
        parents = {app.extends for app in apps.values() if app.extends is not None}
        chains |= dict.fromkeys(parents - apps.keys())
    for name in apps:
        _follow(name, apps, chains, problems)
    return chains


def _follow(name: str, apps: Mapping[str, AppDef], chains: dict[str, Layers | None], problems: Problems) -> None:
    path: list[str] = []
    current: str | None = name
    base: Layers | None = ()
    while current is not None and current not in chains:
        if current in path:
            _note_cycle(path[path.index(current) :], apps, problems)
            base = None
            break
        if len(path) == EXTENDS_MAX_DEPTH:
            _note_depth(apps[name], problems)
            base = None
            break
        path.append(current)
        parent = apps[current].extends
        if parent is not None and parent not in apps and parent not in chains:
            place = apps[current].place.at("extends")
            problems.error(Code.REFERENCE, place, f"there is no app {show_value(parent)}", _hint(parent, apps))
            base = None
            break
        current = parent
    else:
        base = chains[current] if current is not None else ()
    for step in reversed(path):
        base = None if base is None else (*base, apps[step].layer)
        if base is not None and len(base) > EXTENDS_MAX_DEPTH:
            _note_depth(apps[step], problems)
            base = None
        chains[step] = base


def _note_depth(app: AppDef, problems: Problems) -> None:
    message = f"extends chains more than {EXTENDS_MAX_DEPTH} definitions"
    problems.error(Code.LIMIT, app.place.at("extends"), message, "Merge some of them")


def _note_cycle(members: list[str], apps: Mapping[str, AppDef], problems: Problems) -> None:
    first = members.index(min(members))
    ring = [*members[first:], *members[:first]]
    shown = " extends ".join([*ring, ring[0]])
    problems.error(
        Code.REFERENCE, apps[ring[0]].place.at("extends"), f"{shown}: a circle", "Let one of them extend nothing"
    )


def check_uses(entries: Iterable[Entry], apps: Collection[str], problems: Problems) -> None:
    """Note every entry that names none of the definitions `apps`."""
    for entry in entries:
        if problems.is_full:
            return
        if entry.use is not None and entry.use not in apps:
            place = entry.place if entry.layer is None else entry.place.at("use")
            problems.error(Code.REFERENCE, place, f"there is no app {show_value(entry.use)}", _hint(entry.use, apps))


def _hint(name: str, apps: Collection[str]) -> str:
    return nearest(name, apps) or f"Define it as [apps.{name}]"
