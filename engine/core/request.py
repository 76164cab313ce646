"""What the user asks for: which apps, and what may be done to them. One table holds every spelling of it.

Not here: where the files are and how to run (the options of `app`), or what an allowance covers (`policy.guardrails`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engine.core.identity import AppKey, key_or_none, parse_app_key
from engine.core.selectors import KINDS, Selectors

Pairs = tuple[tuple[str, str], ...]


class Row(NamedTuple):
    """The spellings of one field: its flag, its name in the header of a plan, and in what is kept of a run.

    Of a switch `words` are what the header has where it is off and on; other values are joined by blanks there.
    """

    field: str
    flag: str
    header: str
    kept: str
    words: tuple[str, str] | None = None


_SWITCH: Final = ("off", "on")
PRUNE: Final = Row("prune", "--prune", "prune", "prune", _SWITCH)
ADOPT: Final = Row("adopt", "--adopt", "adopt", "adopt", _SWITCH)
FROM_FLEET: Final = Row("from_fleet", "--from-fleet", "from_fleet", "from-fleet")  # left out of a header where empty
REPLACE: Final = Row("replace_on_drift", "--replace", "replace", "replace-on-drift", ("never", "on-drift"))
REPLACE_KEY: Final = Row("replace_keys", "--replace", "replace_keys", "replace")
OWNERS: Final = Row("owners", "--owners", "owners", "owners", _SWITCH)  # left out of a header where it is off
RETRY: Final = Row("retry_quarantined", "--retry-quarantined", "retry_quarantined", "retry-quarantined", _SWITCH)
ALLOW: Final = Row("allow_destructive", "--allow-destructive", "allow_destructive", "allow-destructive")
_ROWS: Final = (PRUNE, ADOPT, FROM_FLEET, REPLACE, REPLACE_KEY, RETRY, ALLOW, OWNERS)
_OPTIONAL: Final = {FROM_FLEET: "", OWNERS: _SWITCH[False]}  # rows that a header has only where they are given


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for.

    `prune` and `replace_on_drift` switch on for one run what a policy leaves off. `adopt` gives declared apps that
    nobody owns the fleet's tag, and those of `from_fleet` too. `replace_keys` are replaced although they do not differ.
    `owners` compares all declared profiles and spaces.
    Of `allow_destructive` each is a KEY or PATTERN=COUNT as it was typed.
    """

    selectors: Selectors = field(default_factory=Selectors)
    prune: bool = False
    adopt: bool = False
    from_fleet: str = ""
    replace_on_drift: bool = False
    replace_keys: frozenset[AppKey] = frozenset()
    retry_quarantined: bool = False
    owners: bool = False
    allow_destructive: tuple[str, ...] = ()

    def pairs(self) -> Pairs:
        """Return everything but the selectors as sorted pairs of texts, for the header of a plan."""
        rows = (row for row in _ROWS if row not in _OPTIONAL or self._values(row))
        return tuple(sorted((row.header, _written(row, self._values(row))) for row in rows))

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]], selectors: Iterable[tuple[str, str]]) -> Request:
        """Read what `pairs` wrote, and the selectors' own pairs.

        Raises KeyError for a name that is missing or that no plan has, and UsageError for what is not a key.
        """
        header = {**{row.header: value for row, value in _OPTIONAL.items()}, **dict(pairs)}
        given = [(row, value) for row in _ROWS for value in _read(row, header[row.header])]
        return cls._of(Selectors.from_pairs(selectors), given)

    def kept(self) -> Pairs:
        """Return everything as (name, value), to be kept with a run."""
        return (*self.selectors.pairs(), *((row.kept, one) for row in _ROWS for one in self._values(row)))

    @classmethod
    def from_kept(cls, pairs: Sequence[tuple[str, str]]) -> Request:
        """Read what `kept` wrote, between other pairs too; a key in the form of another version is left out."""
        given = [(row, value) for name, value in pairs for row in _ROWS if row.kept == name]
        given = [(row, value) for row, value in given if row is not REPLACE_KEY or key_or_none(value)]
        return cls._of(Selectors.from_pairs(pair for pair in pairs if pair[0] in KINDS), given)

    @classmethod
    def _of(cls, selectors: Selectors, given: Sequence[tuple[Row, str]]) -> Request:
        values = {row: [value for one, value in given if one is row] for row in _ROWS}
        return cls(
            selectors,
            prune=bool(values[PRUNE]),
            adopt=bool(values[ADOPT]),
            from_fleet="".join(values[FROM_FLEET][:1]),
            replace_on_drift=bool(values[REPLACE]),
            replace_keys=frozenset(map(parse_app_key, values[REPLACE_KEY])),
            retry_quarantined=bool(values[RETRY]),
            owners=bool(values[OWNERS]),
            allow_destructive=tuple(values[ALLOW]),
        )

    def argv(self, *more: str) -> list[str]:
        """Return the words of a command line that asks for this, with `more` behind the selectors."""
        words = [word for kind, pattern in self.selectors.pairs() for word in (f"--{kind}", pattern)]
        rest = [word for row in _ROWS for one in self._values(row) for word in (row.flag, one)[: 1 + bool(one)]]
        return [*words, *more, *rest]

    def _values(self, row: Row) -> Sequence[str]:
        """Return the values of a field as texts: none where it is not given, an empty one of a switch that is on."""
        value: bool | str | frozenset[AppKey] | tuple[str, ...] = getattr(self, row.field)
        if isinstance(value, frozenset):
            return [str(key) for key in sorted(value)]
        if isinstance(value, tuple):
            return value
        return ("" if value is True else str(value),) if value else ()


def header_flags(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return what a plan's header asks for as flags that can be typed; a name that no plan has is left out."""
    rows = {row.header: row for row in _ROWS}
    given = [(rows[name], one) for name, text in pairs if name in rows and text for one in _read(rows[name], text)]
    return [shlex.join((row.flag, value)[: 1 + bool(value)]) for row, value in given]


def _written(row: Row, values: Sequence[str]) -> str:
    return " ".join(sorted(values)) if row.words is None else row.words[bool(values)]


def _read(row: Row, text: str) -> Sequence[str]:
    if row.words is not None:
        return ("",) if text == row.words[True] else ()
    return (text,) if row is FROM_FLEET else text.split()


def allowing(allowances: Iterable[str]) -> str:
    """Return the flags that allow these deletes and replaces, to be typed as they stand."""
    return shlex.join(Request(allow_destructive=tuple(allowances)).argv())
