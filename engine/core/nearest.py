"""The known word that a misspelt one most likely stands for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

# Below this two words share too little for the guess to help: `create_rat` finds `create_rate`, `foo` finds nothing.
_LIKENESS_MIN: Final = 0.6
# Comparing is quadratic in the length; no name that we know is longer than this.
_WORD_MAX_CHARS: Final = 100
_COMPARED_MAX_COUNT: Final = 500


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like `word`, letter case aside, or an empty text.

    Of very many known words only those that begin or end alike are compared: each comparison is slow.
    """
    by_lower = {name.lower(): name for name in sorted(known, reverse=True)}
    lower = word[:_WORD_MAX_CHARS].lower()
    if lower in by_lower:
        return by_lower[lower]
    candidates = list(by_lower) if len(by_lower) <= _COMPARED_MAX_COUNT else _alike(lower, by_lower)
    found = difflib.get_close_matches(lower, candidates, n=1, cutoff=_LIKENESS_MIN)
    return by_lower[found[0]] if found else ""


def _alike(word: str, known: Iterable[str]) -> list[str]:
    """Return the words that have the longest beginning or ending in common with `word`."""
    known = list(known)
    found: list[str] = []
    for size in range(len(word), 0, -1):
        start, end = word[:size], word[-size:]
        found = [one for one in known if one.startswith(start) or one.endswith(end)]
        if len(found) > _COMPARED_MAX_COUNT // 2:
            break
    return found[:_COMPARED_MAX_COUNT]
