"""Making new inputs of known ones: bytes, lines, cells and JSON nodes are changed, dropped, doubled and mixed.

Everything follows from the generator of chance that is passed in, so a seed gives the same inputs again. Not here:
what reads the inputs (`targets`), and which of them are kept (`session`).
"""

from __future__ import annotations

import copy
import json
import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

INPUT_MAX_BYTES: Final = 200_000
_ROUNDS_MAX_COUNT: Final = 6
_REPEAT_MAX_COUNT: Final = 3_000
_JSON_SHARE: Final = 0.7  # of the mutations of what is JSON; the others change its bytes

BYTES: Final = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\x1b[2J", b"\xe2\x80\xae", b"\xe2\x80\xa8",
    b'"', b"'", b'"""', b"'''", b"[", b"]", b"[[", b"{", b"}", b",", b";", b"\t", b".", b"=", b"#", b"\\", b"\\u0000",
    b"-1", b"0", b"1e308", b"1e999", b"nan", b"inf", b"-inf", b"9223372036854775808", b"0x", b"1_0", b"1.", b"true",
    b"null", b"{}", b"[]", b"{member}", b"{}{", b"../", b"/", b"~", b"*", b"**", b"2026-02-30", b"9999-12-31",
    b"0001-01-01T00:00:00Z", b"24:00", b"Mon-Sun", b"%s", b"%", b"$(id)", b"<script>", b"a" * 300, b"\xf0\x9f\x92\xa9",
)  # fmt: skip
VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.0, -0.0, 0.1, 1e-300, 1e300, math.inf,
    -math.inf, math.nan, "", "x", "\x00", "\ud800", "\x1b[2J", "\u202e", "\n", "a" * 5_000, "NaN", "1e999", "9" * 5_000,
    [], {}, [[]], [None], {"": None}, "research/user/alice/JupyterLab/default", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", 253_402_300_800, 1e18, -62_135_596_801,
)  # fmt: skip


class Mutator:
    """Makes inputs. `words` are what the format itself is made of."""

    def __init__(self, rng: random.Random, words: Sequence[bytes] = (), *, is_json: bool = False) -> None:
        self._rng = rng
        self._words = (*BYTES, *words)
        self._is_json = is_json

    def mutated(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """Return a new input made of `data`, perhaps with pieces of `others`."""
        if self._is_json and self._rng.random() < _JSON_SHARE and (changed := self._json(data)) is not None:
            return changed[:INPUT_MAX_BYTES]
        for _ in range(self._rng.randint(1, _ROUNDS_MAX_COUNT)):
            data = self._rng.choice(self._ways())(data, others)
        return data[:INPUT_MAX_BYTES]

    def _ways(self) -> tuple[Callable[[bytes, Sequence[bytes]], bytes], ...]:
        return (
            self._flip, self._insert, self._insert, self._overwrite, self._cut, self._double, self._splice,
            self._line, self._line, self._value, self._value, self._repeat,
        )  # fmt: skip

    def _span(self, data: bytes) -> tuple[int, int]:
        start = self._rng.randint(0, len(data))
        return start, min(len(data), start + self._rng.choice((1, 1, 2, 4, 8, 32, 200)))

    def _flip(self, data: bytes, _: Sequence[bytes]) -> bytes:
        if not data:
            return data
        at = self._rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self._rng.randrange(8))]) + data[at + 1 :]

    def _insert(self, data: bytes, _: Sequence[bytes]) -> bytes:
        at = self._rng.randint(0, len(data))
        return data[:at] + self._rng.choice(self._words) + data[at:]

    def _overwrite(self, data: bytes, _: Sequence[bytes]) -> bytes:
        start, end = self._span(data)
        return data[:start] + self._rng.choice(self._words) + data[end:]

    def _cut(self, data: bytes, _: Sequence[bytes]) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[end:]

    def _double(self, data: bytes, _: Sequence[bytes]) -> bytes:
        start, end = self._span(data)
        return data[:end] + data[start:end] + data[end:]

    def _splice(self, data: bytes, others: Sequence[bytes]) -> bytes:
        other = self._rng.choice(others) if others else data
        start, end = self._span(other)
        at = self._rng.randint(0, len(data))
        return data[:at] + other[start : end + 200] + data[at:]

    def _line(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """Drop, double, move or borrow a line."""
        lines = data.splitlines(keepends=True)
        if not lines:
            return data
        at, to = self._rng.randrange(len(lines)), self._rng.randint(0, len(lines))
        way = self._rng.randrange(4)
        if way == 0:
            del lines[at]
        elif way == 1:
            lines.insert(to, lines[at])
        elif way == 2:
            line = lines.pop(at)
            lines.insert(min(to, len(lines)), line)
        else:
            borrowed = (self._rng.choice(others) if others else data).splitlines(keepends=True) or [b"\n"]
            lines.insert(to, self._rng.choice(borrowed))
        return b"".join(lines)

    def _value(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Put another value behind a `=`, a `:` or a comma."""
        signs = [at for at, byte in enumerate(data) if byte in b"=:,"]
        if not signs:
            return data
        at = self._rng.choice(signs) + 1
        end = at
        while end < len(data) and data[end] not in b",\n]}":
            end += 1
        return data[:at] + b" " + self._rng.choice(self._words) + data[end:]

    def _repeat(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Put a piece in many times: small files, endless work."""
        if self._rng.random() < 0.8:
            return self._double(data, ())
        start, end = self._span(data)
        piece = data[start:end] if self._rng.random() < 0.5 else self._rng.choice(self._words)
        return data[:end] + piece * self._rng.randint(2, _REPEAT_MAX_COUNT) + data[end:]

    def _json(self, data: bytes) -> bytes | None:
        """Change some nodes of a document; None where `data` is not one."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return None
        try:
            for _ in range(self._rng.randint(1, 3)):
                document = self._node(document)
            return json.dumps(document).encode("utf-8", "surrogatepass")
        except ValueError:  # a number of so many digits that Python does not write it
            return None

    def _node(self, node: Any) -> Any:
        """Walk down by chance, and change what is met at the end."""
        if isinstance(node, dict) and node and self._rng.random() < 0.9:
            key = self._rng.choice(sorted(node))
            if self._rng.random() < 0.08:
                node.pop(key)
            elif self._rng.random() < 0.05:
                node[self._rng.choice(("", "x", "\x1b", key * 2, "__proto__"))] = copy.deepcopy(node[key])
            else:
                node[key] = self._node(node[key])
            return node
        if isinstance(node, list) and node and self._rng.random() < 0.9:
            at = self._rng.randrange(len(node))
            way = self._rng.random()
            if way < 0.06:
                del node[at]
            elif way < 0.12:
                node.insert(at, copy.deepcopy(node[at]))
            elif way < 0.14:
                node.extend(copy.deepcopy(node[at]) for _ in range(self._rng.choice((2, 101, 1_000))))
            else:
                node[at] = self._node(node[at])
            return node
        return self._other(node)

    def _other(self, node: Any) -> Any:
        if isinstance(node, str) and node and self._rng.random() < 0.5:
            text = self._insert(node.encode("utf-8", "surrogatepass"), ())
            return text.decode("utf-8", "surrogateescape")
        if isinstance(node, (int, float)) and not isinstance(node, bool) and self._rng.random() < 0.4:
            return self._rng.choice((-node, node + 1, node * 1_000, repr(node)[:4_000], [node]))
        return copy.deepcopy(self._rng.choice(VALUES))
