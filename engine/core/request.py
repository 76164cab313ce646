"""What the user asks for: which apps, and what may be done to them. One table holds every spelling of it.

Not here: where the files are and how to run (the options of `app`), or what an allowance covers (`policy.guardrails`).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engine.core.identity import key_or_none, parse_app_key
from engine.core.selectors import KINDS, Selectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from engine.core.identity import AppKey

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """The spellings of one field: its flag, its name in the header of a plan, and in what is kept of a run.

    A switch is `on` or `off` in the header. A `single` value is left out there when it is empty; others are a list.
    """

    field: str
    flag: str
    header: str
    kept: str
    off: str = ""
    on: str = ""
    single: bool = False

    def written(self, values: Sequence[str]) -> str:
        """Return values as the header has them."""
        return (self.on if values else self.off) if self.on else " ".join(sorted(values))

    def read(self, text: str) -> Sequence[str]:
        """Return the values that the header has, a switch's as one empty text."""
        if self.on:
            return ("",) if text == self.on else ()
        return (text,) if self.single else text.split()


PRUNE: Final = Row("prune", "--prune", "prune", "prune", "off", "on")
ADOPT: Final = Row("adopt", "--adopt", "adopt", "adopt", "off", "on")
FROM_FLEET: Final = Row("from_fleet", "--from-fleet", "from_fleet", "from-fleet", single=True)
REPLACE: Final = Row("replace_on_drift", "--replace", "replace", "replace-on-drift", "never", "on-drift")
REPLACE_KEY: Final = Row("replace_keys", "--replace", "replace_keys", "replace")
RETRY: Final = Row("retry_quarantined", "--retry-quarantined", "retry_quarantined", "retry-quarantined", "off", "on")
ALLOW: Final = Row("allow_destructive", "--allow-destructive", "allow_destructive", "allow-destructive")
ROWS: Final = (PRUNE, ADOPT, FROM_FLEET, REPLACE, REPLACE_KEY, RETRY, ALLOW)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for.

    `adopt` gives declared apps that nobody owns the fleet's tag, and those of `from_fleet` too. `replace_keys` are
    replaced although they do not differ. Of `allow_destructive` each is a KEY or PATTERN=COUNT as it was typed.
    """

    selectors: Selectors = field(default_factory=Selectors)
    prune: bool = False
    adopt: bool = False
    from_fleet: str = ""
    replace_on_drift: bool = False
    replace_keys: frozenset[AppKey] = frozenset()
    retry_quarantined: bool = False
    allow_destructive: tuple[str, ...] = ()

    def pairs(self) -> Pairs:
        """Return everything but the selectors as sorted pairs of texts, for the header of a plan."""
        rows = ((row, self._values(row)) for row in ROWS)
        return tuple(sorted((row.header, row.written(values)) for row, values in rows if values or not row.single))

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]], selectors: Iterable[tuple[str, str]]) -> Request:
        """Read what `pairs` wrote, and the selectors' own pairs.

        Raises KeyError for a name that is missing or that no plan has, and UsageError for what is not a key.
        """
        header = {FROM_FLEET.header: "", **dict(pairs)}
        given = {row: row.read(header[row.header]) for row in ROWS}
        return cls._of(given, Selectors.from_pairs(selectors), map(parse_app_key, given[REPLACE_KEY]))

    def kept(self) -> Pairs:
        """Return everything as (name, value), to be kept with a run."""
        return (*self.selectors.pairs(), *((row.kept, value) for row, value in self._given()))

    @classmethod
    def from_kept(cls, pairs: Iterable[tuple[str, str]]) -> Request:
        """Read what `kept` wrote, between other pairs too; a key in the form of another version is left out."""
        known = tuple(pairs)
        given = {row: [value for name, value in known if name == row.kept] for row in ROWS}
        keys = (key for text in given[REPLACE_KEY] if (key := key_or_none(text)) is not None)
        return cls._of(given, Selectors.from_pairs(pair for pair in known if pair[0] in KINDS), keys)

    @classmethod
    def _of(cls, given: Mapping[Row, Sequence[str]], selectors: Selectors, keys: Iterable[AppKey]) -> Request:
        return cls(
            selectors,
            prune=bool(given[PRUNE]),
            adopt=bool(given[ADOPT]),
            from_fleet="".join(given[FROM_FLEET][:1]),
            replace_on_drift=bool(given[REPLACE]),
            replace_keys=frozenset(keys),
            retry_quarantined=bool(given[RETRY]),
            allow_destructive=tuple(given[ALLOW]),
        )

    def argv(self, *more: str) -> list[str]:
        """Return the words of a command line that asks for this, with `more` behind the selectors."""
        words = [word for kind, pattern in self.selectors.pairs() for word in (f"--{kind}", pattern)]
        words += more
        for row, value in self._given():
            words += [row.flag, value] if value else [row.flag]
        return words

    def flags(self) -> set[str]:
        """Return the flags that are given."""
        return {f"--{kind}" for kind, _ in self.selectors.pairs()} | {row.flag for row, _ in self._given()}

    def _given(self) -> Iterator[tuple[Row, str]]:
        return ((row, value) for row in ROWS for value in self._values(row))

    def _values(self, row: Row) -> Sequence[str]:
        """Return the values of a field as texts: none where it is not given, an empty one of a switch that is on."""
        value: bool | str | frozenset[AppKey] | tuple[str, ...] = getattr(self, row.field)
        match value:
            case bool():
                return ("",) if value else ()
            case str():
                return (value,) if value else ()
            case frozenset():
                return [str(key) for key in sorted(value)]
        return value


def allowing(allowances: Iterable[str]) -> str:
    """Return the flags that allow these deletes and replaces, to be typed as they stand."""
    return shlex.join(Request(allow_destructive=tuple(allowances)).argv())
