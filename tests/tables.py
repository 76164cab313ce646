"""Tables of Markdown as they are without the blanks that put their columns below each other."""

from __future__ import annotations

import re


def unpadded(text: str) -> str:
    """Return a text whose table cells end in one blank, and whose rulers are `---`."""
    lines = (re.sub(r"(?<=[^ |]) +\|", " |", line) for line in text.splitlines(keepends=True))
    return "".join(re.sub(r"\| -{3,}", "| ---", re.sub(r"\| {2,}\|", "|  |", line)) for line in lines)
