"""A domain's table with words in braces, and how the row of a table of domains fills it.

`{member}` is no word of a row: it stands for the members of a team, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.config.reading.problems import KeyPath
from engine.config.service.fields import MEMBER

_WORD: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")
_MEMBER_WORD: Final = MEMBER.strip("{}")


def words_of(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield each word in braces of a template, names of keys included, with the path of the key that it stands in."""
    if isinstance(value, str):
        yield from ((path, word) for word in _WORD.findall(value) if word != _MEMBER_WORD)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (((*path, key), word) for word in _WORD.findall(key) if word != _MEMBER_WORD)
            yield from words_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from words_of(inner, (*path, index))


def filled_path(path: KeyPath, row: Mapping[str, str]) -> KeyPath:
    """Return the path of a key of a template once a row has filled the template."""
    return tuple(filled(part, row) for part in path)


class OneKeyTwice(ValueError):
    """Two keys of a template expand to the same name: its text."""


def filled(value: Any, row: Mapping[str, str]) -> Any:
    """Return a template with each word that the row has in the place of its braces; what is no text stays.

    Raises OneKeyTwice.
    """
    if isinstance(value, str):
        return _WORD.sub(lambda found: row.get(found[1], found[0]), value)
    if isinstance(value, dict):
        keys = [filled(key, row) for key in value]
        if len(set(keys)) < len(keys):
            raise OneKeyTwice(next(key for key in keys if keys.count(key) > 1))
        return {key: filled(inner, row) for key, inner in zip(keys, value.values(), strict=True)}
    if isinstance(value, list):
        return [filled(inner, row) for inner in value]
    return value
