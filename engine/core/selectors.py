"""Which apps a command is about: `--domain --team --user --space --app-type --key`, and `--shard`.

Patterns are globs (`*`, `?`, `[…]`) that match case-sensitively; keys are exact. One value of a kind is enough, and
every kind that is given must be satisfied. `--user` and `--space` are one kind, the owner, since an app has but one.
A shard selects nothing here: its files are read without the domains of other shards, so nothing is left to narrow.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engine.core.errors import UsageError
from engine.core.identity import SPACE, USER, AppKey, Owner, parse_app_key
from engine.core.limits import LIST_PAGE_MAX_ROWS, OWNER_LISTINGS_MAX_COUNT
from engine.core.shards import Shard, parse_shard

if TYPE_CHECKING:  # every command reads this module as it starts, and few of them read a fleet
    from engine.core.desired import DesiredApp, DesiredFleet, DesiredOwner

_GLOB_CHARS: Final = frozenset("*?[")
SHARD: Final = "shard"
# The kinds, which are the flags without dashes, and the fields that hold their patterns.
KINDS: Final = {
    "domain": "domains",
    "team": "teams",
    "user": "users",
    "space": "spaces",
    "app-type": "app_types",
    "key": "keys",
    SHARD: "shards",
}


class _Patterns:
    """Globs of one kind, compiled once: a set for plain names, one expression for the rest."""

    __slots__ = ("_match", "_plain")

    def __init__(self, patterns: Iterable[str]) -> None:
        globs = sorted({pattern for pattern in patterns if not _is_plain(pattern)})
        self._plain = frozenset(pattern for pattern in patterns if _is_plain(pattern))
        self._match = re.compile("|".join(map(fnmatch.translate, globs))).match if globs else None

    def __contains__(self, text: str) -> bool:
        return text in self._plain or (self._match is not None and self._match(text) is not None)


def _is_plain(pattern: str) -> bool:
    return _GLOB_CHARS.isdisjoint(pattern)


@dataclass(frozen=True, slots=True)
class Selectors:
    """Patterns by kind. An empty kind selects everything, so `Selectors()` selects the whole fleet.

    `shards` holds the shard of the command, or nothing.
    """

    domains: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    app_types: tuple[str, ...] = ()
    keys: tuple[AppKey, ...] = ()
    shards: tuple[Shard, ...] = ()
    _domains: _Patterns = field(init=False, repr=False, compare=False)
    _teams: _Patterns = field(init=False, repr=False, compare=False)
    _owners: dict[str, _Patterns] = field(init=False, repr=False, compare=False)
    _app_types: _Patterns = field(init=False, repr=False, compare=False)
    _keys: frozenset[AppKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the patterns, once for all the apps that they will be asked of."""
        object.__setattr__(self, "_domains", _Patterns(self.domains))
        object.__setattr__(self, "_teams", _Patterns(self.teams))
        object.__setattr__(self, "_owners", {USER: _Patterns(self.users), SPACE: _Patterns(self.spaces)})
        object.__setattr__(self, "_app_types", _Patterns(self.app_types))
        object.__setattr__(self, "_keys", frozenset(self.keys))

    @classmethod
    def parse(
        cls,
        *,
        domains: Iterable[str] = (),
        teams: Iterable[str] = (),
        users: Iterable[str] = (),
        spaces: Iterable[str] = (),
        app_types: Iterable[str] = (),
        keys: Iterable[str] = (),
        shards: Iterable[str] = (),
    ) -> Selectors:
        """Read them as they were typed, each kind sorted and each value once.

        Raises UsageError for an empty pattern, and for a key or a shard that is not one.
        """
        return cls(
            domains=_read("--domain", domains),
            teams=_read("--team", teams),
            users=_read("--user", users),
            spaces=_read("--space", spaces),
            app_types=_read("--app-type", app_types),
            keys=tuple(sorted({_read_key(text) for text in keys})),
            shards=_read_shards(shards),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is narrowed: a shard is whole."""
        return all(kind == SHARD for kind, _ in self.pairs())

    @property
    def shard(self) -> Shard | None:
        """The shard of the command; None for the whole fleet."""
        return self.shards[0] if self.shards else None

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return (kind, pattern) pairs, sorted, for the header of a plan."""
        return tuple(sorted({(kind, str(one)) for kind, name in KINDS.items() for one in getattr(self, name)}))

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> Selectors:
        """Read what `pairs` wrote. Raises KeyError for a kind that is none, and UsageError as `parse` does."""
        given: dict[str, list[str]] = {}
        for kind, pattern in pairs:
            given.setdefault(KINDS[kind], []).append(pattern)
        return cls.parse(**given)

    def selects(self, app: DesiredApp) -> bool:
        """Whether a declared app is meant."""
        return (not self.teams or app.team in self._teams) and self._selects_key(app.key)

    def selects_owner(self, declared: DesiredOwner) -> bool:
        """Whether a declared profile or space is meant; the key of an app means its owner, an app type means none."""
        owner = declared.owner
        return (
            (not self.teams or any(team in self._teams for team in declared.teams))
            and (not self._keys or any(key.owner_key == owner for key in self._keys))
            and (not self.domains or owner.domain in self._domains)
            and (not (self.users or self.spaces) or owner.name in self._owners[owner.kind])
            and (not self.app_types or declared.app_type in self.app_types)
        )

    def selects_observed(self, key: AppKey) -> bool:
        """Whether an app that the fleet does not declare is meant. It has no team, so a team selects none."""
        return not self.teams and self._selects_key(key)

    def selects_space(self, space: Owner, *, user: str, app_type: str, teams: Iterable[str]) -> bool:
        """Whether a space is meant, as it is there: `--user` names whose it is. What no team declares has no team."""
        return (
            (not self.keys or any(key.owner_key == space for key in self.keys))
            and (not self.domains or space.domain in self._domains)
            and (not (self.users or self.spaces) or space.name in self._owners[SPACE] or user in self._owners[USER])
            and (not self.app_types or app_type in self._app_types)
            and (not self.teams or any(team in self._teams for team in teams))
        )

    def selects_domain(self, name: str) -> bool:
        """Whether anything in the domain of this name (the fleet's word for it) can be meant."""
        return (not self.domains or name in self._domains) and (
            not self.keys or any(key.domain == name for key in self.keys)
        )

    def _selects_key(self, key: AppKey) -> bool:
        return (
            (not self._keys or key in self._keys)
            and (not self.domains or key.domain in self._domains)
            and (not (self.users or self.spaces) or key.owner in self._owners[key.owner_kind])
            and (not self.app_types or key.app_type in self._app_types)
        )

    def owners_to_list(
        self, fleet: DesiredFleet, domain: str, *, domain_pages: int | None = None
    ) -> tuple[Owner, ...] | None:
        """Name the owners whose apps must be listed in `domain`, sorted; None when the whole domain must be.

        Empty when nothing in the domain is selected. The owners are all that a plan under these selectors can
        speak of, undeclared apps included, so prune sees no less than in a whole listing: a glob over owners
        reaches people that the fleet does not know, and only the whole domain shows those. `domain_pages` is how
        many calls the whole domain takes, where that is known; more owners than calls give None as well.
        """
        if not self.selects_domain(domain):
            return ()
        owners = self._owners_named(fleet, domain)
        if owners is None:
            return None
        if domain_pages is None:
            declared = len(fleet.apps_in(domain))
            domain_pages = max(OWNER_LISTINGS_MAX_COUNT, -(-declared // LIST_PAGE_MAX_ROWS))
        return tuple(sorted(owners)) if len(owners) <= domain_pages else None

    def _owners_named(self, fleet: DesiredFleet, domain: str) -> set[Owner] | None:
        """Return the owners of one domain that a selection can reach, or None when that cannot be told."""
        if self.teams:  # undeclared apps are never selected then
            return {app.key.owner_key for app in fleet.apps_in(domain) if self.selects(app)}
        if self.keys:
            return {key.owner_key for key in self.keys if key.domain == domain and self.selects_observed(key)}
        named = [Owner(domain, USER, name) for name in self.users]
        named += [Owner(domain, SPACE, name) for name in self.spaces]
        if named and all(_is_plain(owner.name) for owner in named):
            return set(named)
        return None


def _read(flag: str, patterns: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(sorted(set(patterns)))
    if "" in wanted:
        raise UsageError(f"{flag} is empty", hint=f"Leave {flag} out to select everything")
    return wanted


def _read_shards(texts: Iterable[str]) -> tuple[Shard, ...]:
    shards = tuple(sorted({parse_shard(text) for text in texts}))
    if len(shards) > 1:
        raise UsageError("--shard is given twice", hint="One process plans or applies one shard")
    return shards


def _read_key(text: str) -> AppKey:
    try:
        return parse_app_key(text)
    except UsageError as error:
        raise UsageError(f"--key: {error.message}", hint=error.hint) from None
