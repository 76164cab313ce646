"""Whether what a user selected is there at all: a pattern that matches nothing would make a false all-clear.

Domains and teams are checked against the files alone, before anything is called; users, spaces, app types and keys
against what the fleet declares and what was observed, since they may name apps that nobody declares. Not here: which
apps a selection means (`selectors`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from engine.core.desired import DesiredFleet
from engine.core.errors import UsageError
from engine.core.identity import OWNER_KINDS, SPACE, USER, AppKey, folded
from engine.core.limits import ORPHANS_NAMED_MAX_COUNT
from engine.core.nearest import nearest
from engine.core.selectors import Selectors
from engine.core.text import clean, listed

if TYPE_CHECKING:
    from engine.core.observed import ObservedFleet

_STATUS_HINT: Final = "To list the apps that are declared or there: appfleet status --all"


@dataclass(frozen=True, slots=True)
class AskedKeys:
    """Keys that a flag names one by one; `flag` is empty for a command's own.

    `reached`: their owners are listed whatever else is selected.
    """

    flag: str
    keys: Collection[AppKey]
    reached: bool = False


def require_declared(
    selectors: Selectors,
    named: Sequence[AskedKeys],
    fleet: DesiredFleet,
    teams: Collection[str],
    domains: Collection[str] = (),
) -> None:
    """Raise UsageError for the first pattern of a domain or a team, or domain of a key, that the files do not have.

    `teams` and `domains` are the names of all that are written, also without an app or in another shard.
    """
    domains = {*domains, *(domain.name for domain in fleet.domains)}
    for pattern in selectors.domains:
        _require(pattern, domains, "domain")
    for one in (*named, _own_keys(selectors)):
        for key in sorted(one.keys):
            if key.domain not in domains:
                raise no_such("domain", key.domain, domains)
    for pattern in selectors.teams:
        _require(pattern, {*teams, *(app.team for app in fleet.apps if app.team)}, "team")


def require_found(
    selectors: Selectors, named: Sequence[AskedKeys], fleet: DesiredFleet, observed: ObservedFleet
) -> None:
    """Raise UsageError for the first selector or key that matches nothing declared or observed.

    Where a domain could not be listed, and in a shard, nobody knows what else is there, and nothing is raised.
    """
    if not observed.complete or selectors.shard is not None:
        return
    asked = [*named, _own_keys(selectors)]
    if selectors.is_empty and not any(one.keys for one in asked):
        return
    keys = {app.key for app in fleet.apps}
    keys.update(key for domain in observed.domains.values() for key in domain.apps)
    for one in asked:
        _require_keys(one, keys, observed)
    for kind, patterns, word in ((USER, selectors.users, "user profile"), (SPACE, selectors.spaces, "space")):
        if patterns:
            names = {owner.owner.name for owner in fleet.owners if owner.owner.kind == kind}
            names.update(key.owner for key in keys if key.owner_kind == kind)
            for pattern in patterns:
                _require(pattern, names, word)
    for pattern in selectors.app_types:
        _require(pattern, {key.app_type for key in keys}, "app type")
    _require_common(selectors, fleet, observed)


def require_fleet(name: str, fleet: DesiredFleet, observed: ObservedFleet) -> None:
    """Raise UsageError where other fleets own declared apps and `name`, that of --from-fleet, is none of them.

    Nothing is raised without a name, and where no other fleet owns any: everything may have been moved before.
    """
    if not name:
        return
    declared = {folded(app.key) for app in fleet.apps}
    foreign = [row for domain in observed.domains.values() for row in domain.apps.values() if row.foreign_fleet]
    owning = sorted({row.foreign_fleet for row in foreign if folded(row.key) in declared})
    if not owning or not observed.complete or any(row.foreign_fleet == name for row in foreign):
        return
    guess = nearest(name, owning)
    hint = f"Did you mean {guess!r}?" if guess else f"Declared apps are owned by: {', '.join(map(repr, owning))}"
    raise UsageError(f"--from-fleet: no declared app is owned by the fleet {name!r}", hint=hint)


def nearest_key(key: AppKey, known: Iterable[AppKey]) -> str:
    """Return the known key that `key` most likely stands for, part by part, or an empty text."""
    known = tuple(known)
    same = {key._replace(owner_kind=kind) for kind in OWNER_KINDS}.intersection(known)
    if same:
        return str(same.pop())
    kinds = sorted(OWNER_KINDS, key=lambda kind: kind != key.owner_kind)  # the kind that was written first
    for kind in kinds:
        left = [one for one in known if one.owner_kind == kind]
        for place, part in enumerate(key):
            if place == AppKey._fields.index("owner_kind"):
                continue
            values = {one[place] for one in left}
            chosen = part if part in values else nearest(part, values) or (min(values) if len(values) == 1 else "")
            left = [one for one in left if one[place] == chosen]
        if left:
            return str(left[0])
    return ""


def no_such(what: str, pattern: str, known: Collection[str]) -> UsageError:
    """Return the error of a name that matches nothing, with the nearest one that is there."""
    guess = nearest(pattern, known)
    if guess:
        case = " Upper and lower case count" if guess.lower() == pattern.lower() else ""
        hint = f"Did you mean {clean(guess)}?{case}"
    else:
        named = listed(sorted(known), ORPHANS_NAMED_MAX_COUNT)
        hint = f"There are: {named}" if named else f"There is no {what} at all"
    return UsageError(f'no {what} matches "{clean(pattern)}"', hint=hint)


def _require(pattern: str, known: Collection[str], what: str) -> None:
    if pattern not in known and not any(fnmatchcase(name, pattern) for name in known):
        raise no_such(what, pattern, known)


def _own_keys(selectors: Selectors) -> AskedKeys:
    return AskedKeys("", selectors.keys, reached=True)


def _require_keys(asked: AskedKeys, known: set[AppKey], observed: ObservedFleet) -> None:
    whole = {name for name, domain in observed.domains.items() if domain.scanned_whole}
    missing = [key for key in sorted(asked.keys) if key not in known and (asked.reached or key.domain in whole)]
    if not missing:
        return
    key = missing[0]
    same = next((one for one in sorted(known) if folded(one) == folded(key)), None)
    guess = str(same) if same is not None else nearest_key(key, known)
    raise UsageError(
        f"{clean(f'{asked.flag} {key}'.strip())} matches no declared or existing app",
        hint=f"Did you mean {clean(guess)}?" if guess else _STATUS_HINT,
    )


def _require_common(selectors: Selectors, fleet: DesiredFleet, observed: ObservedFleet) -> None:
    """Refuse several kinds of selectors that nothing satisfies together; one kind alone was found before."""
    kinds = (selectors.domains, selectors.teams, (*selectors.users, *selectors.spaces), selectors.app_types)
    if sum(map(bool, (*kinds, selectors.keys))) < 2:
        return
    if any(map(selectors.selects, fleet.apps)):
        return
    if any(selectors.selects_observed(key) for domain in observed.domains.values() for key in domain.apps):
        return
    shown = " ".join(f"--{kind} {pattern}" for kind, pattern in selectors.pairs())
    raise UsageError(
        f"no app matches all of {clean(shown)}", hint="Each matches something, but no app has them all. Leave one out"
    )
