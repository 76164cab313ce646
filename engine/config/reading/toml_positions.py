"""On which line of a TOML text each key stands. Positions only: every value comes from `tomllib`.

The scanner runs on text that `tomllib` has already accepted, so it never has to judge, only to find its way.
Keys and array items on the line of what holds them are not kept: a look-up falls back to the nearest known
ancestor, and that is the same line. So a fleet of one-line tables costs one number a line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Final

# No possessive group holds a lookahead: Python 3.11.2, which Debian 12 has, matches such a group wrongly. What repeats
# begins with other characters than what is beside it, so that no text takes more than one pass back.
_STRING: Final = r'"[^"\\\n]*"(?!")|\'[^\'\n]*\'(?!\')'
_PLAIN: Final = r"[^\[\]{}\"'#\n]*"
_FLAT: Final = rf"[\[{{]{_PLAIN}(?:(?:{_STRING}){_PLAIN})*[\]}}]"
_NESTED: Final = rf"[\[{{]{_PLAIN}(?:(?:{_STRING}|{_FLAT}){_PLAIN})*[\]}}]"
# A value that ends on its own line and holds at most three levels of brackets: nearly every value there is.
_ONE_LINE_VALUE: Final = re.compile(
    rf"[ \t]*(?:{_STRING}|[\[{{]{_PLAIN}(?:(?:{_STRING}|{_NESTED}){_PLAIN})*[\]}}]"
    r"|[^\"'\[{#\n]++)[ \t]*(?:#[^\n]*)?(?:\n|\Z)"
)
_SKIPPED: Final = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_KEY_PART: Final = re.compile(r'[ \t]*(?:([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*+")|\'([^\'\n]*)\')[ \t]*(\.?)')
_SCALAR: Final = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|[^\[\]{}\"',#\n]++",
    re.DOTALL,
)


class _Node:
    """The line of one key, and its children: keys of a table, indexes of an array, or None."""

    __slots__ = ("children", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.children: dict[str | int, _Node] | None = None

    def child(self, key: str | int, line: int) -> _Node:
        """Return the child of that name; made, with `line`, where there is none."""
        if self.children is None:
            self.children = {}
        found = self.children.get(key)
        if found is None:
            found = self.children[key] = _Node(line)
        return found


class Positions:
    """The lines of one text. `line_of` counts from 1."""

    __slots__ = ("_root",)

    def __init__(self, root: _Node) -> None:
        self._root = root

    @classmethod
    def of_line(cls, line: int) -> Positions:
        """Return the positions of what stands in one line, whatever its keys are."""
        return cls(_Node(line))

    def line_of(self, path: Sequence[str | int]) -> int:
        """Return the line of a key, or of its nearest ancestor that has one; 1 for the text itself."""
        node = self._root
        for part in path:
            found = node.children.get(part) if node.children else None
            if found is None:
                break
            node = found
        return node.line


def scan(text: str) -> Positions:
    """Find the lines of all keys of `text`, which must be TOML that `tomllib` accepts."""
    return Positions(_Scanner(text.replace("\r\n", "\n")).run())


class _Scanner:
    """One pass over the text; `_at` and `_line` move forward together and never back."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def run(self) -> _Node:
        """Scan the whole text and give its tree."""
        text, root = self._text, _Node(1)
        table = root
        arrays: set[int] = set()  # ids of the nodes that are arrays of tables
        self._skip()
        while self._at < len(text):
            if text.startswith("[[", self._at):
                table = self._open_element(root, arrays)
            elif text[self._at] == "[":
                table = self._open_table(root, arrays)
            else:
                self._key_value(table)
            self._skip()
        return root

    def _move(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _skip(self) -> None:
        match = _SKIPPED.match(self._text, self._at)
        if match and match.end() > self._at:
            self._move(match.end())

    def _key(self) -> list[str]:
        """Read a dotted key; `_at` is left behind it."""
        parts: list[str] = []
        while True:
            match = _KEY_PART.match(self._text, self._at)
            if match is None:
                raise ValueError(f"no key at offset {self._at}: the text was not accepted by tomllib")
            bare, basic, literal, dot = match.groups()
            if bare is None and basic is not None:
                bare = tomllib.loads(f"k={basic}")["k"] if "\\" in basic else basic[1:-1]
            parts.append(literal if bare is None else bare)
            self._at = match.end()
            if not dot:
                return parts

    def _descend(self, root: _Node, parts: Sequence[str], arrays: set[int]) -> _Node:
        """Follow a header's parents; an array of tables is entered by its last element."""
        node = root
        for part in parts:
            node = node.child(part, self._line)
            if id(node) in arrays and node.children:
                node = node.children[len(node.children) - 1]
        return node

    def _open_table(self, root: _Node, arrays: set[int]) -> _Node:
        self._at += 1
        *parents, last = self._key()
        self._at += 1
        node = self._descend(root, parents, arrays).child(last, self._line)
        node.line = self._line
        return node

    def _open_element(self, root: _Node, arrays: set[int]) -> _Node:
        self._at += 2
        *parents, last = self._key()
        self._at += 2
        array = self._descend(root, parents, arrays).child(last, self._line)
        arrays.add(id(array))
        return array.child(len(array.children or ()), self._line)

    def _key_value(self, table: _Node) -> None:
        node = table
        for part in self._key():
            node = node.child(part, self._line)
        self._at += 1  # the equals sign
        match = _ONE_LINE_VALUE.match(self._text, self._at)
        if match is not None:
            self._move(match.end())
        else:
            self._value(node)

    def _value(self, node: _Node) -> None:
        """Walk one value, however deep, with a stack of our own: (node, is an array, next index)."""
        stack: list[tuple[_Node, bool, int]] = []
        current: _Node | None = node
        while True:
            self._skip()
            if current is not None:
                opened = self._text[self._at]
                if opened in "[{":
                    self._at += 1
                    stack.append((current, opened == "[", 0))
                else:
                    self._scalar()
                current = None
            if not stack:
                return
            current = self._next_item(stack)

    def _next_item(self, stack: list[tuple[_Node, bool, int]]) -> _Node | None:
        """Move to the next item of the innermost bracket; None once that bracket is closed."""
        self._skip()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip()
        holder, is_array, index = stack[-1]
        if self._text[self._at] in "]}":
            self._at += 1
            stack.pop()
            return None
        if is_array:
            stack[-1] = (holder, True, index + 1)
            return self._below(holder, [index])
        parts = self._key()
        line_node = self._below(holder, parts)
        self._at += 1  # the equals sign
        return line_node

    def _below(self, holder: _Node, parts: Sequence[str | int]) -> _Node:
        for part in parts:
            holder = holder.child(part, self._line)
        return holder

    def _scalar(self) -> None:
        match = _SCALAR.match(self._text, self._at)
        if match is None:
            raise ValueError(f"no value at offset {self._at}: the text was not accepted by tomllib")
        self._move(match.end())
