"""How many user profiles and spaces something is about, in the words for these and no others.

Not here: counts of apps (`text.count_of`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine.core.identity import Owner, word_of_key
from engine.core.text import count_of


def owners_counted(owners: Iterable[Owner]) -> str:
    """Return `40 user profiles and 40 spaces`; empty for none."""
    return keys_counted(map(str, owners))


def keys_counted(keys: Iterable[str]) -> str:
    """Return the same for the keys of owners."""
    counts = Counter(map(word_of_key, keys))
    return " and ".join(count_of(counts[word], word) for word in sorted(counts, reverse=True))
