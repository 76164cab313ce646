"""The known word that a misspelt one most likely stands for."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Below this two words share too little for the guess to help: `create_rat` finds `create_rate`, `foo` finds nothing.
_LIKENESS_MIN: Final = 0.6
# Comparing is quadratic in the length; no name that we know is longer than this.
_WORD_MAX_CHARS: Final = 100


def nearest(word: str, known: Iterable[str]) -> str:
    """Give the known word that is most like `word`, letter case aside, or an empty text."""
    by_lower = {name.lower(): name for name in sorted(known)}
    found = difflib.get_close_matches(word[:_WORD_MAX_CHARS].lower(), by_lower, n=1, cutoff=_LIKENESS_MIN)
    return by_lower[found[0]] if found else ""
