"""Messages of rules: text with `{names}` in it, checked when the file is read.

Not Python's own formatting: a name is a variable of the rule's scope and nothing else, so a message cannot
reach into an object. `{{` and `}}` stand for the braces themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.core.nearest import nearest
from engine.core.text import clean
from engine.policy.facts import Values, show
from engine.policy.group_sums import APPS

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


class TemplateError(Exception):
    """A message that cannot be used; `hint` says what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Template:
    """A message cut into pieces: (is a name, text)."""

    pieces: tuple[tuple[bool, str], ...]

    def fill(self, values: Values) -> str:
        """Return the message for these values, on one line and safe for a terminal."""
        return clean("".join(show(values[text]) if is_name else text for is_name, text in self.pieces))


def parse_template(text: str, names: Mapping[str, str]) -> Template:
    """Cut a message into pieces; raises TemplateError at the first name that is not one of `names`."""
    pieces: list[tuple[bool, str]] = []
    for found in _PART.finditer(text):
        written, name = found[0], found[1]
        if name is not None:
            _check_name(name, names)
            pieces.append((True, name))
        elif written in {"{", "}"}:
            raise TemplateError(f"a single {written} is in the message", f"Write {written}{written} for the brace")
        else:
            pieces.append((False, {"{{": "{", "}}": "}"}.get(written, written)))
    return Template(tuple(pieces))


def _check_name(name: str, names: Iterable[str]) -> None:
    if name == APPS:
        raise TemplateError("{apps} would be every app of the group", "Show {count} or {hourly_usd} instead")
    if name not in names:
        close = nearest(name, names)
        raise TemplateError(
            f"the message uses {{{clean(name)}}}, which is not a known name here",
            f"Did you mean {{{close}}}?" if close else f"Known names: {', '.join(names)}",
        )
