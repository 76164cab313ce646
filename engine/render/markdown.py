"""Markdown that stays what we wrote, whatever stands in a name: escaping, tables, folds, and a bound on the whole.

Text from outside is code: there GitHub and GitLab make neither links nor mentions nor issue references of it. It stands
between backticks, which a reader of the raw text can copy from. What could end them or a cell goes into `<code>` with
every character of meaning as an entity. Sentences are written as sentences, and only what could be read as more than
words is code. Tables are padded, so that they are tables in a log too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core.quota_text import AND_THEN
from engine.core.text import clean
from engine.render.layout import split_command

# A comment on GitHub may have 65,536 characters; what is left is for a heading that a workflow adds.
MARKDOWN_MAX_CHARS: Final = 64_000
OPEN_ROWS_MAX_COUNT: Final = 25  # a longer table is folded away
PADDED_ROWS_MAX_COUNT: Final = 100  # a longer table is read rendered or not at all
PADDED_CELL_MAX_CHARS: Final = 60  # a column is as wide as its longest cell, up to this
_MORE_MAX_CHARS: Final = 200  # of the line that says what did not fit
_MEANING: Final = {ord(char): f"&#{ord(char)};" for char in "&<>|`@#*_~[]!\\$:"}
# What means nothing between backticks, whoever renders it: no backtick, pipe or escape, and no mathematics.
_BETWEEN_BACKTICKS: Final = re.compile(r"(?! )[^`|\\$]+(?<! )")
_TICKED: Final = re.compile(r"`([^`]*)`")
# Words that are nothing but words. An address, a hash of a commit and whatever has a sign of Markdown's is none.
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9.,;:()'\"/+=?%-]*")
_ARROW: Final = "->"  # between two values, never at the beginning of a line
_PUNCTUATED: Final = re.compile(r"""(["'(]*)(.*?)([.,;:?"')]*)""", re.DOTALL)
_REFERENCE: Final = re.compile(r"://|^www\.|^[\"'(]*(?=[0-9]*[a-f])[0-9a-f]{7,40}\b|\bGH-[0-9]", re.IGNORECASE)


def code(text: object) -> str:
    """Return text from outside as inline code; empty text gives nothing."""
    shown = clean(str(text))
    return f"`{shown}`" if _BETWEEN_BACKTICKS.fullmatch(shown) else _code_tag(shown)


def _code_tag(shown: str) -> str:
    return f"<code>{shown.translate(_MEANING).replace('www.', 'www&#46;')}</code>" if shown else ""


def _in_html(text: str) -> str:
    """Return ready Markdown as it has to be inside of a tag, where backticks mean nothing."""
    return _TICKED.sub(lambda found: _code_tag(found[1]), text)


def prose(text: object) -> str:
    """Return a sentence as a sentence; what is not plainly a word stands in it as inline code."""
    words = clean(str(text)).split(" ")
    pieces = (piece for word in words for piece in (*_pieces(word), (True, " ")))
    return "".join(_joined(pieces)).removesuffix(" ")


def with_command(text: str) -> str:
    """Return a sentence as prose, with each of the commands that end it as code."""
    words, command = split_command(clean(text))
    commands = [code(one) for one in command.split(AND_THEN) if one]
    return " ".join(part for part in (prose(words), *commands) if part)


def _pieces(word: str) -> Iterator[tuple[bool, str]]:
    """Yield the parts of a word, each with whether it is plain: punctuation around a name belongs to the sentence."""
    if _is_plain(word):
        yield True, word
        return
    before, name, after = _PUNCTUATED.fullmatch(word).groups()  # type: ignore[union-attr]  # it matches any text
    if after.startswith(")") and "(" in name:  # it closes what the name opens
        name, after = name + ")", after[1:]
    yield from ((True, before), (False, name), (True, after))


def _joined(pieces: Iterable[tuple[bool, str]]) -> Iterator[str]:
    """Yield the text of pieces; names that only a blank parts are one code."""
    waiting, blank = "", ""
    for is_plain, piece in pieces:
        if not is_plain:
            waiting, blank = f"{waiting}{blank}{piece}", ""
        elif waiting and piece == " " and not blank:
            blank = piece
        elif piece:
            yield from (code(waiting), blank, piece)
            waiting = blank = ""
    yield from (code(waiting), blank)


def _is_plain(word: str) -> bool:
    return word == _ARROW or (_PLAIN_WORD.fullmatch(word) is not None and _REFERENCE.search(word) is None)


def table_head(*titles: str) -> list[str]:
    """Return the two lines that open a table."""
    return [f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}"]


def table_row(*cells: str) -> str:
    """Return one line of a table; cells are ready Markdown."""
    return f"| {' | '.join(cells)} |"


def _padded(head: Sequence[str], rows: Sequence[str]) -> list[str]:
    """Return a table with its columns below each other; cells are free of pipes."""
    titles, *cells = ([*row[2:-2].split(" | ")] for row in (head[0], *rows))
    widths = [min(max(map(len, column)), PADDED_CELL_MAX_CHARS) for column in zip(titles, *cells, strict=True)]
    dashes = ["-" * size for size in widths]
    return [table_row(*map(str.ljust, row, widths)) for row in (titles, dashes, *cells)]


def bullets(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return labelled lines as a list; one whose label is indented or empty belongs to the one before it."""
    return [
        f"{'  ' if label.startswith(' ') else ''}- {prose(label.strip())}: {text}" if label else f"  - {text}"
        for label, text in pairs
    ]


def size_of(lines: Iterable[str]) -> int:
    """Return the characters that lines take with their line breaks."""
    return sum(len(line) + 1 for line in lines)


Noun = tuple[str, str]  # of one, and of several
ROWS: Final[Noun] = ("row", "rows")


@dataclass(slots=True)
class Page:
    """A document that never grows beyond `max_chars`, and never leaves anything out without saying so."""

    max_chars: int = MARKDOWN_MAX_CHARS
    command: str = ""  # shows what did not fit
    _lines: list[str] = field(default_factory=list)
    _used: int = 0
    _lost: bool = False

    @property
    def room(self) -> int:
        """How many characters are left, beside the line that owns up to what is lost."""
        return max(self.max_chars - self._used - _MORE_MAX_CHARS, 0)

    def add(self, *lines: str) -> bool:
        """Add the lines if all of them fit; tell whether they did."""
        size = size_of(lines)
        if size > self.room:
            self._lost = True
            return False
        self._lines.extend(lines)
        self._used += size
        return True

    def listed(self, lines: Sequence[str], what: Noun) -> None:
        """Add as many of the lines as fit, then an empty one; say how many of `what` did not fit."""
        self._fill([], lines, [""], what)

    def section(
        self, title: str, head: Sequence[str], rows: Sequence[str], what: Noun = ROWS, *, unmade: int = 0
    ) -> None:
        """Add a titled table with as many rows as fit, a long one folded away; say how many did not.

        `unmade` rows were not made, since there are more than ever fit.
        """
        if len(rows) + unmade > OPEN_ROWS_MAX_COUNT:
            opening = ["<details>", f"<summary>{_in_html(title)}</summary>", ""]
            self._filled_table(opening, head, rows, ["", "</details>", ""], what, unmade)
        else:
            self.table(title, head, rows, what)

    def table(self, title: str, head: Sequence[str], rows: Sequence[str], what: Noun = ROWS) -> None:
        """Add a titled table that lies open however long it is, with as many rows as fit."""
        self._filled_table([f"**{title}**", ""], head, rows, [""], what)

    def _filled_table(
        self,
        opening: Sequence[str],
        head: Sequence[str],
        rows: Sequence[str],
        closing: Sequence[str],
        what: Noun,
        unmade: int = 0,
    ) -> None:
        if len(rows) + unmade <= PADDED_ROWS_MAX_COUNT:
            padded = _padded(head, rows)
            if size_of([*opening, *padded, *closing]) <= self.room:
                head, rows = padded[: len(head)], padded[len(head) :]
        self._fill([*opening, *head], rows, closing, what, unmade)

    def _fill(
        self, opening: Sequence[str], rows: Sequence[str], closing: Sequence[str], what: Noun, unmade: int = 0
    ) -> None:
        if not rows:
            return
        whole = [*opening, *rows, *closing]
        if not unmade and size_of(whole) <= self.room:
            self.add(*whole)
            return
        left = self.room - size_of([*opening, *closing]) - _MORE_MAX_CHARS
        shown = 0
        for row in rows:
            left -= len(row) + 1
            if left < 0:
                break
            shown += 1
        missing = len(rows) + unmade - shown
        more = f"_{missing:,} more {what[missing != 1]} did not fit here{self._where()}._"
        self.add(*([*opening, *rows[:shown], "", more, *closing] if shown else [more, ""]))

    def _where(self) -> str:
        return f"; {code(self.command)} shows all of them" if self.command else ""

    def text(self) -> str:
        """Return the page, ending in a line break."""
        lost = ["", f"_Not everything fitted here{self._where()}._"] if self._lost else []
        return "\n".join([*self._lines, *lost]).rstrip("\n") + "\n"
