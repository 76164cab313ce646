"""How many user profiles, spaces and apps some keys name, in the words for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine.core.identity import Owner, word_of_key
from engine.core.text import count_of


def owners_counted(owners: Iterable[Owner]) -> str:
    """Return `40 user profiles and 40 spaces`; empty for none."""
    return keys_counted(map(str, owners))


def keys_counted(keys: Iterable[str]) -> str:
    """Return `2 user profiles, 2 spaces and 4 apps` for the keys of owners and apps."""
    counts = Counter(map(word_of_key, keys))
    *first, last = [count_of(counts[word], word) for word in sorted(counts, reverse=True)] or [""]
    return f"{', '.join(first)} and {last}" if first else last
