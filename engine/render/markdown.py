"""Markdown that stays what we wrote, whatever stands in a name: escaping, tables, folds, and a bound on the whole.

Text from outside goes into `<code>` with every character of meaning as an entity: there GitHub and GitLab make
neither links nor mentions nor issue references of it, and neither a pipe nor a backtick ends the cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engine.core.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A comment on GitHub may have 65,536 characters; what is left is for a heading that a workflow adds.
MARKDOWN_MAX_CHARS: Final = 64_000
_TAIL_MAX_CHARS: Final = 400
_MEANING: Final = {ord(char): f"&#{ord(char)};" for char in "&<>|`@#*_~[]!\\$:"}


def code(text: object) -> str:
    """Give text from outside as inline code; empty text gives nothing."""
    shown = clean(str(text))
    return f"<code>{shown.translate(_MEANING).replace('www.', 'www&#46;')}</code>" if shown else ""


def table_head(*titles: str) -> list[str]:
    """Give the two lines that open a table."""
    return [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]


def table_row(*cells: str) -> str:
    """Give one line of a table; cells are ready Markdown."""
    return f"| {' | '.join(cells)} |"


@dataclass(slots=True)
class Page:
    """A document that never grows beyond `max_chars`: rows that no longer fit are counted, not written."""

    max_chars: int = MARKDOWN_MAX_CHARS
    _lines: list[str] = field(default_factory=list)
    _used: int = 0

    def add(self, *lines: str) -> bool:
        """Add the lines if all of them fit; tell whether they did."""
        size = sum(len(line) + 1 for line in lines)
        if self._used + size > self.max_chars - _TAIL_MAX_CHARS:
            return False
        self._lines.extend(lines)
        self._used += size
        return True

    def section(self, title: str, head: Sequence[str], rows: Iterable[str], *, folded: bool) -> int:
        """Add a titled table, folded away or not, with as many rows as fit. Give the count of those left out."""
        opening = ["<details>", f"<summary>{title}</summary>", ""] if folded else [f"**{title}**", ""]
        closing = ["", "</details>", ""] if folded else [""]
        reserve = sum(len(line) + 1 for line in closing)
        left_out = 0
        self.max_chars -= reserve  # so that an opened fold can always be closed
        opened = self.add(*opening, *head)
        for row in rows:
            if left_out or not opened or not self.add(row):
                left_out += 1
        self.max_chars += reserve
        if opened:
            self._lines.extend(closing)
            self._used += reserve
        return left_out

    def text(self, left_out: int = 0, command: str = "") -> str:
        """Give the page; `left_out` rows are owned up to, with the command that shows them."""
        lines = list(self._lines)
        if left_out:
            lines += ["", f"_{left_out:,} more rows did not fit here; {code(command)} shows all of them._"]
        return "\n".join(lines).rstrip("\n") + "\n"
