"""What the service itself says in a message: its words without the names that users chose.

Not here: what the words mean (`service_errors`, `failure_reasons`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from engine.core.limits import SERVICE_MESSAGE_READ_MAX_CHARS

# What a user chose: `[alice-lcc]`, `arn:aws:iam::111122223333:role/malcc-lab`.
_GIVEN_NAME: Final = re.compile(r"\[[^\]]*\]|\barn:[^\s,;)]*")


def spoken_words(message: str) -> str:
    """Return what the service itself says in a message, in lower case and without the names that users chose."""
    return _GIVEN_NAME.sub(" ", message[:SERVICE_MESSAGE_READ_MAX_CHARS]).lower()


@lru_cache(maxsize=256)
def _word(fragment: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9_-]){re.escape(fragment)}(?![a-z0-9_-])")


def holds(words: str, fragment: str) -> bool:
    """Whether the fragment stands there as words of its own, and not as a piece of another word."""
    return fragment in words and _word(fragment).search(words) is not None
