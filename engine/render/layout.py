"""How text is laid out: colour, columns, lists that end, numbers with their noun.

Not here: what is said (`words`, and one module a document).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.core.quota_text import AND_THEN
from engine.core.text import clean

WIDTH_DEFAULT_CHARS: Final = 100
WIDTH_MIN_CHARS: Final = 40
COLUMN_GAP: Final = "  "
LAST_COLUMN_MIN_CHARS: Final = 12

# What `appfleet` may be followed by where it begins a command and not a sentence.
COMMAND_NAMES: Final = (
    "apply",
    "completion",
    "discover",
    "explain",
    "gate",
    "gather",
    "history",
    "iam-policy",
    "import",
    "init",
    "offboard",
    "onboard",
    "plan",
    "preflight",
    "prices",
    "report",
    "schema",
    "simulate",
    "status",
    "validate",
)
_FLAGS: Final = r"(?:-[^ ]+ (?:'[^']*'|[^ '-][^ ]*) )*"
# An argument that no sentence has there: a path, a key, a number, something quoted.
_ARGUMENT: Final = r"[^ ]*(?:[/0-9A-Z']|\.[a-z])[^ ]*"
_COMMAND: Final = re.compile(
    r"(?:^|: )(?P<command>"
    rf"appfleet {_FLAGS}(?:{'|'.join(COMMAND_NAMES)})(?:(?: [^ ]+)? -.*| {_ARGUMENT}(?: .*)?)?"
    r"|aws [a-z0-9-]+ [a-z0-9-]+(?: -.*)?"
    r"|for (?:user|name) in [^ ].*; do aws [a-z0-9-]+ [a-z0-9-]+ -.*; done)$"
)
_WORD: Final = re.compile(r" *[^ ]+")
_SGR_SEQUENCE: Final = re.compile(r"\x1b\[[0-9;]*m")
Style = Literal["bold", "dim", "red", "green", "yellow", "magenta", "cyan"]
_SGR: Final[Mapping[Style, str]] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
}


@dataclass(frozen=True, slots=True)
class Paint:
    """Put colour around text, or leave it as it is. The only place that writes escape sequences."""

    on: bool

    def __call__(self, style: Style, text: str) -> str:
        """Return `text` in `style`."""
        if not self.on or not text:
            return text
        return f"\x1b[{_SGR[style]}m{text}\x1b[0m"


def column_widths(rows: Iterable[Sequence[str]]) -> tuple[int, ...]:
    """Return the width of each column but the last, in characters."""
    widths: list[int] = []
    for row in rows:
        for index, cell in enumerate(row[:-1]):
            if index == len(widths):
                widths.append(0)
            widths[index] = max(widths[index], len(cell))
    return tuple(widths)


def columns_fit(widths: Sequence[int], indent: int, width: int) -> bool:
    """Whether columns of `widths` leave room for a last one on a line of `width` characters."""
    return indent + sum(widths) + len(COLUMN_GAP) * len(widths) + LAST_COLUMN_MIN_CHARS <= width


def row_lines(row: Sequence[str], widths: Sequence[int], indent: int, width: int) -> tuple[str, str]:
    """Return one row on one line, or its last cell apart where that does not fit: the second text is that cell then."""
    whole = aligned(row, widths)
    if indent + len(whole) <= width:
        return whole, ""
    start = aligned([*row[:-1], ""], widths)
    if indent + len(start) + len(COLUMN_GAP) + len(row[-1]) <= width:
        return start + COLUMN_GAP + row[-1], ""
    return start, row[-1]


def aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one row with its cells padded to `widths`, without trailing blanks."""
    cells = [cell.ljust(size) for cell, size in zip(row, widths, strict=False)]
    return COLUMN_GAP.join([*cells, *row[len(cells) :]]).rstrip()


def without_empty(rows: Sequence[Sequence[str]], keep: int) -> list[tuple[str, ...]]:
    """Return a table, its heads first, without the columns that are empty or zero in every row.

    The first `keep` columns stay whatever they hold.
    """
    columns = zip(*rows, strict=True)
    told = [place < keep or any(cell not in NOTHING for cell in cells[1:]) for place, cells in enumerate(columns)]
    return [tuple(cell for cell, shown in zip(row, told, strict=True) if shown) for row in rows]


NOTHING: Final = frozenset({"", "0", "-"})


def duration(seconds: float) -> str:
    """Return `0.4 s`, `23.4 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def wrapped(text: str, width: int) -> str:
    """Break lines that are wider than a terminal of `width` characters, at blanks alone, so that names stay whole.

    A continuation is indented two characters deeper than its line. A command is never broken: it moves to a line of
    its own, where a terminal may fold it on the screen and a person can still copy it whole. Colour has no width.
    For terminals: a file keeps its lines.
    """
    return "".join(_broken(line, width) for line in text.splitlines(keepends=True))


def _broken(line: str, width: int) -> str:
    if _visible(line.rstrip("\n")) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip(" ")))
    end = "\n" if line.endswith("\n") else ""
    words, command = split_command(line.strip())
    if not command:
        return "\n".join(_at_blanks(line, indent, width))
    if not words:
        return line
    return "\n".join([*_at_blanks(indent + words, indent, width), f"{indent}{COLUMN_GAP}{command}{end}"])


def _at_blanks(line: str, indent: str, width: int) -> list[str]:
    lines = [""]
    for word in _WORD.findall(line):
        fits = _visible(lines[-1] + word.rstrip()) <= width
        if fits or not lines[-1].strip():
            lines[-1] += word
        else:
            lines.append(indent + COLUMN_GAP + word.lstrip(" "))
    return [part.rstrip(" ") for part in lines]


def split_command(text: str) -> tuple[str, str]:
    """Split words from the command that a person is to type: it is the whole text, or ends it behind a colon.

    Without one the second text is empty. A command in the middle of a sentence belongs to the sentence.
    """
    found = _COMMAND.search(text)
    return (text, "") if found is None else (text[: found.start("command")].rstrip(), found["command"])


def with_commands(text: str, indent: str) -> list[str]:
    """Return `text` indented, with each of the commands that end it on a line of its own."""
    words, command = split_command(clean(text))
    if not words:
        return [f"{indent}{command}"]
    commands = command.split(AND_THEN) if command else []
    return [f"{indent}{words}", *(f"{indent}{COLUMN_GAP}{one}" for one in commands)]


def _visible(text: str) -> int:
    return len(_SGR_SEQUENCE.sub("", text))
