"""Two liberties that the parser behind us does not give, taken on the arguments before it reads them.

Global flags may stand anywhere, as in kubectl: they are moved before the command. `--simulate` and `--replace` may
stand alone or with a value: a lone one gets an empty value.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from engine.core import request
from engine.core.identity import KEY_PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

GLOBAL_FLAGS: Final = (
    *("--file", "--policies", "--log-format", "--log-file", "--log-level", "--state-dir", "--endpoint-url"),
)
_SHORT_FILE: Final = "-f"
SIMULATE: Final = "--simulate"
REPLACE: Final = request.REPLACE.flag


def prepare(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with global flags first and lone optional values made empty. What follows `--` is kept."""
    moved: list[str] = []
    kept: list[str] = []
    waiting = list(reversed(arguments))
    while waiting:
        word = waiting.pop()
        if word == "--":
            kept += [word, *reversed(waiting)]
            break
        if word in GLOBAL_FLAGS or word == _SHORT_FILE:
            moved += [word, waiting.pop()] if waiting else [word]
        elif word.partition("=")[0] in GLOBAL_FLAGS or _is_attached_file(word):
            moved.append(word)
        elif word == SIMULATE:
            kept.append(f"{SIMULATE}=")
        elif word == REPLACE:
            key = waiting.pop() if waiting and _is_key(waiting[-1]) else ""
            kept.append(f"{REPLACE}={key}")
        else:
            kept.append(word)
    return moved + kept


def as_typed(words: Sequence[str]) -> str:
    """Return prepared words as a command line that a reader can run again from the same folder."""
    return shlex.join(["appfleet", *map(_typed, words)])


def empty_one(arguments: Sequence[str]) -> str:
    """Return the flag that is given an empty value, or the words for an empty argument; empty where there is none.

    A variable of a script that is not set leaves such a value, and what it should have held, such as a checksum, an
    endpoint or a run, would be left out without a word.
    """
    before = ""
    for word in arguments:
        if word == "--":
            return ""
        name, equals, value = word.partition("=")
        if equals and not value and name.startswith("--"):
            return name
        if not word:
            return before if before.startswith("-") else "an argument"
        before = word
    return ""


def command_of(prepared: Sequence[str]) -> str:
    """Return the first word behind the global flags: the command, or a flag such as `--help`, or empty."""
    return next(iter(_behind_globals(prepared)), "")


def words_of_command(prepared: Sequence[str]) -> tuple[str, ...]:
    """Return the command with its own words as they were typed, without the global flags before it."""
    return tuple(map(_typed, _behind_globals(prepared)))


def _behind_globals(prepared: Sequence[str]) -> Sequence[str]:
    """Return what follows the global flags and their values."""
    place = 0
    while place < len(prepared):
        word = prepared[place]
        if word in GLOBAL_FLAGS or word == _SHORT_FILE:
            place += 2
        elif word.partition("=")[0] in GLOBAL_FLAGS or _is_attached_file(word):
            place += 1
        else:
            break
    return prepared[place:]


def _typed(word: str) -> str:
    """Return a prepared word as it was typed: a lone flag without its empty value."""
    return word[:-1] if word in (f"{SIMULATE}=", f"{REPLACE}=") else word


def _is_attached_file(word: str) -> bool:
    """Whether it is `-fFILE`."""
    return word.startswith(_SHORT_FILE) and len(word) > len(_SHORT_FILE)


def _is_key(word: str) -> bool:
    return not word.startswith("-") and word.count("/") == KEY_PARTS - 1
