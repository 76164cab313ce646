"""Policies of an organization: folders that `--policies` names, whose settings bound what the fleet's own files set.

A limit of `[execution]` and `[safety]` holds as the stricter of the two, and freezes of both hold. Of everything else
that both set, the organization's holds. A value of the fleet's own that does not hold is a warning at its place, so
that an organization may lower a bound without stopping every fleet. Not here: rules, which both sides have
(`policy_rules`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from engine.config.fleet.fleet_file import POLICY_TEST_SUFFIX
from engine.config.policy.merged import Merged
from engine.config.policy.policy_models import BACKOFFS, ExecutionTable, SafetyTable
from engine.config.reading.beneath import FileProblem
from engine.config.reading.files import Folder
from engine.config.reading.problems import Code, KeyPath, Place, show_value
from engine.core.durations import format_duration
from engine.core.errors import UsageError
from engine.core.limits import POLICY_FILE_MAX_BYTES, POLICY_FILES_MAX_COUNT

FLAG: Final = "--policies"
_BOUNDED: Final[Mapping[str, type[BaseModel]]] = {"execution": ExecutionTable, "safety": SafetyTable}
_LONGER_IS_STRICTER: Final = frozenset({("safety", "spare_active")})
_ADDED_UP: Final = frozenset({("safety", "freeze")})
_IN_ORDER: Final = {"never": 0, "on-drift": 1}  # of `replace`
_RATE: Final = ("execution", "create_rate")
_RATE_MAX: Final = ("execution", "create_rate_max")
_PRICES: Final = "prices"
_DURATIONS: Final = frozenset(
    {
        *("settle_timeout", "deadline", "spare_active", "look_every", "first_after", "second_after"),
        *("initial", "max", "give_up_after"),
    }
)


def organization_folders(folders: Sequence[Path]) -> tuple[tuple[Folder, tuple[str, ...]], ...]:
    """Return each folder once, with the policy files in it. Raises UsageError for one that is missing or has none.

    A folder without files is more often a mount that failed than an organization without policies.
    """
    found: dict[Path, tuple[Folder, tuple[str, ...]]] = {}
    for path in folders:
        folder = Folder(path, max_file_bytes=POLICY_FILE_MAX_BYTES, max_files=POLICY_FILES_MAX_COUNT)
        try:
            names = folder.matching("*.toml") if path.is_dir() else None
        except (OSError, ValueError, FileProblem) as error:
            raise UsageError(f"{FLAG} {path} cannot be read", hint="Check the folder and its permissions") from error
        if names is None:
            what = "is a file" if path.exists() else "does not exist"
            raise UsageError(f"{FLAG} {path} {what}", hint="Name the folder of the organization's policies")
        files = tuple(name for name in names if not name.endswith(POLICY_TEST_SUFFIX))
        if not files:
            raise UsageError(f"{FLAG} {path} holds no policy file", hint="Put a *.toml there, or leave the flag out")
        found.setdefault(path.resolve(), (folder, files))
    return tuple(found.values())


def bound(own: Merged, organization: Merged) -> None:
    """Change what was set, or is left at its default, to what holds within an organization's settings."""
    _drop_prices(own, organization)
    for path, place in organization.places.items():
        mine, theirs = _mine(own, path), organization.values[path]
        held = _held(path, mine, theirs)
        if path in own.places and held != mine and path not in _ADDED_UP:
            said = f"is {_shown(path, mine)}, and the organization's {_shown(path, theirs)} holds ({place.source})"
            own.problems.warning(Code.CONFLICT, own.places[path], said, "Set a value that the organization allows")
        if held != mine:
            own.places[path] = place
        if held != mine or path in own.places:
            own.values[path] = held
    _lower_rate(own)
    _fit_backoffs(own, organization)
    own.channels += [channel for channel in organization.channels if channel not in own.channels]


def held_together(above: Sequence[Merged]) -> dict[KeyPath, tuple[Any, Place]]:
    """Return what the settings of several folders come to: a flag may ask for no more than the strictest allows."""
    found: dict[KeyPath, tuple[Any, Place]] = {}
    for one in reversed(above):
        for path, place in one.places.items():
            theirs = one.values[path]
            held = _held(path, found[path][0], theirs) if path in found else theirs
            if path not in found or held != found[path][0]:
                found[path] = (held, place)
    return found


def _mine(own: Merged, path: KeyPath) -> Any:
    """Return what the fleet's files set, or the default where that can be stricter than a bound."""
    table, key = path[0], path[-1]
    model = _BOUNDED.get(str(table))
    return own.get(path, None if model is None else model.model_fields[str(key)].default)


def _held(path: KeyPath, mine: Any, theirs: Any) -> Any:
    if path[0] not in _BOUNDED:
        return theirs
    if path in _ADDED_UP:
        return [*mine, *(window for window in theirs if window not in mine)]
    if mine is None:  # no limit
        return theirs
    choose = max if path in _LONGER_IS_STRICTER else min
    return choose(mine, theirs, key=lambda value: _IN_ORDER.get(value, value))


def _shown(path: KeyPath, value: Any) -> str:
    if path[-1] in _DURATIONS:
        return show_value(format_duration(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return show_value(value) if isinstance(value, str) else f"{value:g}"


def _lower_rate(own: Merged) -> None:
    """Begin no faster than the organization lets the rate climb."""
    rate, most = _mine(own, _RATE), _mine(own, _RATE_MAX)
    if rate > most:
        own.values[_RATE], own.places[_RATE] = most, own.place_of(_RATE_MAX, _RATE)


def _fit_backoffs(own: Merged, organization: Merged) -> None:
    """Let the organization's longest wait shorten the fleet's first one, and its first one lengthen the longest."""
    for name, default in BACKOFFS.items():
        first, longest = ("backoff", name, "initial"), ("backoff", name, "max")
        set_above = [path for path in (first, longest) if path in organization.places]
        if len(set_above) == 1 and own.get(first, default.initial) > own.get(longest, default.max):
            (holds,) = set_above
            other = first if holds == longest else longest
            own.values[other], own.places[other] = own.values[holds], own.places[holds]


def _drop_prices(own: Merged, organization: Merged) -> None:
    """Let no price of the fleet's come before one of the organization's, also not that of a region."""
    unused: dict[str, list[Place]] = {}
    for path in [path for path in own.places if path[0] == _PRICES]:
        theirs = organization.get(path, organization.get((_PRICES, path[-1]), None))
        if theirs is not None:
            place = own.places.pop(path)
            if own.values.pop(path) != theirs:
                unused.setdefault(place.file, []).append(place)
    for places in unused.values():
        what = "1 price of this file is" if len(places) == 1 else f"{len(places):,} prices of this file are"
        said = f"{what} not used: the organization has other prices for these types"
        own.problems.warning(Code.CONFLICT, places[0], said, "Leave these types to the organization")
