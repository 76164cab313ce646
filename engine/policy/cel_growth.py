"""How much larger than its facts an expression can make a value, bounded before it ever runs.

CEL has no loops, but a macro gives a value a name, and `x + x` under it doubles the value: thirty of them in a row fill
any memory. Two kinds of words make values larger: those under a macro (`+`, lists and maps of several values), whose
factors multiply from macro to macro, and calls (`join`, `format`, `quote`) that do it without one. What no macro names
grows with the length of the expression alone, which is bounded. Not here: how often a macro goes round (the CEL
library's own bound), or what is refused altogether (`cel`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from engine.core.limits import (
    EXPRESSION_GROWING_CALLS_MAX_COUNT,
    EXPRESSION_GROWTH_MAX_FACTOR,
    EXPRESSION_SEPARATOR_MAX_CHARS,
)
from engine.policy.cel_text import Token

_MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map", "optMap", "optFlatMap"})
_GROWING_CALLS: Final = frozenset({"join", "format", "quote"})
_CONSTANTS: Final = frozenset({"true", "false", "null"})
_CALL_WEIGHT: Final = 15  # a join under a macro makes a text of a whole list
_HINT: Final = "Compare the values as they are, or split the expression into several rules"


@dataclass(slots=True)
class _Bracket:
    """One open bracket: of a macro, of a list or map as it is written, or of anything else."""

    start: Token
    is_macro: bool = False
    is_literal: bool = False
    weight: int = 0  # of a macro: what makes values larger under it and under no macro further in
    varying: int = 0  # of a list or map: elements that are not constants
    element_varies: bool = False


@dataclass(slots=True)
class _Reader:
    """Goes through the words once, and keeps the factor of each macro."""

    open: list[_Bracket] = field(default_factory=list)
    factor: int = 1

    def read(self, words: tuple[Token, ...]) -> Iterator[tuple[Token, str, str]]:
        calls = 0
        for number, word in enumerate(words):
            before = words[number - 1] if number else None
            after = words[number + 1] if number + 1 < len(words) else None
            if word.kind == "name" and word.written in _GROWING_CALLS and after is not None and after.written == "(":
                calls += 1
                self._weigh(_CALL_WEIGHT)
                if calls > EXPRESSION_GROWING_CALLS_MAX_COUNT:
                    yield word, f"the expression calls join, format or quote more than {calls - 1} times", _HINT
                if word.written == "join" and not _has_short_separator(words[number + 2 : number + 4]):
                    message = f"join() takes a text of at most {EXPRESSION_SEPARATOR_MAX_CHARS} characters, as written"
                    yield word, message, 'Write it like join(",")'
            elif word.kind == "other":
                self._sign(word, before)
            if word.kind == "name" and word.written not in _CONSTANTS and self.open:
                self.open[-1].element_varies = True
            if self.factor > EXPRESSION_GROWTH_MAX_FACTOR:
                message = (
                    "the macros of the expression can make a value more than "
                    f"{EXPRESSION_GROWTH_MAX_FACTOR} times as large as it was"
                )
                yield word, message, _HINT
                return

    def _sign(self, word: Token, before: Token | None) -> None:
        if word.written in "([{":
            named = before is not None and before.kind == "name"
            is_macro = word.written == "(" and named and before is not None and before.written in _MACROS
            follows_value = before is not None and (before.kind != "other" or before.written in ")]")
            self.open.append(_Bracket(word, is_macro, word.written != "(" and not follows_value))
        elif word.written in ")]}" and self.open:
            self._close(self.open.pop())
        elif word.written == "+":
            self._weigh(1)
        elif word.written == "," and self.open:
            self._end_element(self.open[-1])

    def _close(self, bracket: _Bracket) -> None:
        self._end_element(bracket)
        if bracket.is_literal:
            self._weigh(max(bracket.varying - 1, 0))
        if bracket.is_macro:
            self.factor *= 1 + bracket.weight
        if bracket.varying and self.open:
            self.open[-1].element_varies = True

    def _end_element(self, bracket: _Bracket) -> None:
        bracket.varying += bracket.element_varies
        bracket.element_varies = False

    def _weigh(self, weight: int) -> None:
        """Add to the innermost macro; outside of all macros nothing has a name, and nothing doubles."""
        for bracket in reversed(self.open):
            if bracket.is_macro:
                bracket.weight += weight
                return


def growth_faults(words: tuple[Token, ...]) -> list[tuple[Token, str, str]]:
    """Return each word by which a value could grow too far, with what is wrong and a hint; none where it cannot."""
    return list(_Reader().read(words))


def _has_short_separator(following: tuple[Token, ...]) -> bool:
    if following and following[0].written == ")":
        return True
    literal = following[:1]
    return (
        [word.written for word in following[1:]] == [")"]
        and literal[0].kind == "text"
        and len(literal[0].written) - 2 <= EXPRESSION_SEPARATOR_MAX_CHARS
    )
