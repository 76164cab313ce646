"""What a shell can complete behind a flag: names of the fleet file, and runs of the journal. Offline."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from engine.core.limits import COMPLETIONS_MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.app.options import AppOptions


class Value(StrEnum):
    """What stands behind a flag, or is an argument."""

    DOMAIN = "domain"
    TEAM = "team"
    USER = "user"
    SPACE = "space"
    APP_TYPE = "app_type"
    KEY = "key"
    DEFINITION = "definition"  # an app of `[apps]`
    RUN = "run"


def known_values(options: AppOptions, value: Value, beginning: str) -> list[str]:
    """Return what there is that begins so, sorted, runs the newest first; of very many the first.

    Raises what reading the fleet file or the journal raises.
    """
    names = _runs(options) if value is Value.RUN else sorted(set(_declared(options, value)))
    return [name for name in names if name.startswith(beginning)][:COMPLETIONS_MAX_COUNT]


def _declared(options: AppOptions, value: Value) -> Iterable[str]:
    from engine.config.fleet.fleet_file import load_fleet
    from engine.core.identity import OWNER_KINDS

    loaded = load_fleet(options.fleet_file)
    match value:
        case Value.DOMAIN:
            return loaded.domains
        case Value.TEAM:
            return (team.name for _, team in loaded.teams)
        case Value.DEFINITION:
            return loaded.definitions
        case Value.APP_TYPE:
            return (app.key.app_type for app in loaded.fleet.apps)
        case Value.KEY:
            return (str(app.key) for app in loaded.fleet.apps)
    kind = next(one for one in OWNER_KINDS if one == value.value)
    return (one.owner.name for one in loaded.fleet.owners if one.owner.kind == kind)


def _runs(options: AppOptions) -> Iterable[str]:
    """Return the runs of a folder; those of a shared state would take calls."""
    from engine.app.history import kept_runs

    return () if options.state_url is not None else kept_runs(options)
