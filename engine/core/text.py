"""Text from outside made safe to show: one line, no control characters, a bounded length. Also how a count is said.

Names come from files and from a service; both may hold escape sequences that a terminal or a log viewer
would obey. Everything that is printed, logged or put into a report passes through `clean` once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from engine.core.limits import SHOWN_TEXT_MAX_CHARS

REDACTED: Final = "[redacted]"  # what stands in the place of a secret
NAMES_SHOWN_MAX_COUNT: Final = 5
SHOWN_VALUE_MAX_CHARS: Final = 80

# C: control, format (bidirectional overrides, zero-width), surrogate, private, unassigned.
# Zl and Zp: line and paragraph separators, which some viewers break lines at.
_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_safe(text: str) -> bool:
    """Whether `text` can be shown as it is."""
    return (text.isascii() and text.isprintable()) or not any(
        unicodedata.category(char) in _UNSAFE_CATEGORIES for char in text
    )


def clean(text: str, max_chars: int = SHOWN_TEXT_MAX_CHARS) -> str:
    r"""Return `text` on one line, with unsafe characters written as `\\uXXXX` and a tail cut at `max_chars`."""
    if len(text) > max_chars:
        text = text[: max_chars - 1] + "…"
    if is_safe(text):
        return text
    shown: list[str] = []
    for char in text:
        if char in "\r\n\t":
            shown.append(" ")
        elif unicodedata.category(char) in _UNSAFE_CATEGORIES:
            code = ord(char)
            shown.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
        else:
            shown.append(char)
    return "".join(shown)


def count_of(number: int, noun: str, plural: str = "") -> str:
    """Return `1 app` or `2 apps`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Sequence[object], shown_max: int = NAMES_SHOWN_MAX_COUNT) -> str:
    """Join names with commas, the tail as `and 12 more`; cleaned."""
    shown = ", ".join(clean(str(item)) for item in items[:shown_max])
    rest = len(items) - shown_max
    return f"{shown} and {rest:,} more" if rest > 0 else shown
