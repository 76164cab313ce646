"""Credentials taken out of text before it is shown, logged or kept.

Two nets: values that are known to be secret are replaced wherever they stand, and what has the form of an access
key id is replaced although nobody named it. Fields are also judged by their name, since a value may be new.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED: Final = "[redacted]"
# Shorter values are words that stand in ordinary text; replacing them would hide nothing and ruin messages.
SECRET_MIN_CHARS: Final = 8

_ACCESS_KEY_ID: Final = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,124}\b")
_SECRET_NAME: Final = re.compile(
    r"secret|password|passwd|credential|authorization|signature|private[_-]?key|access[_-]?key|(?:session|security)[_-]?token",
    re.IGNORECASE,
)


class Redactor:
    """Replaces what is secret. `values` are the secrets that are known: they may grow as credentials change."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: tuple[str, ...] = ()
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Add secrets. The longest is replaced first, so that no piece of it is left over."""
        known = {*self._values, *(value for value in values if len(value) >= SECRET_MIN_CHARS)}
        self._values = tuple(sorted(known, key=lambda value: (-len(value), value)))

    def text(self, text: str) -> str:
        """Give `text` without known secrets and without access key ids."""
        for value in self._values:
            if value in text:
                text = text.replace(value, REDACTED)
        if "AKIA" in text or "ASIA" in text:  # the search alone would cost more than the rest of a log line
            return _ACCESS_KEY_ID.sub(REDACTED, text)
        return text


@lru_cache(maxsize=1_024)
def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a credential, whatever its value."""
    return _SECRET_NAME.search(name) is not None
