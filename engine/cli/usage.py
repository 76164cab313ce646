"""The words of the parser behind us, made plain: the values that help shows for a flag, and what it says of wrong ones.

Not here: which flags there are (`flags` and each command's own file).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


_OF_FLAG: Final = re.compile(r"^Invalid value for [^:]*")
UNKNOWN_FLAG: Final = re.compile(r"There is no flag (-[\w-]+)")


def plain_message(message: str) -> str:
    """Return what the parser says of wrong flags as one line in plain words, without a stop unless it asks."""
    text = " ".join(message.split()).rstrip(".")
    for pattern, words in _SAID:
        text = pattern.sub(words, text)
    return text


def of_variable(message: str, error: Any) -> str:
    """Name the variable instead of the flag where the wrong value came from one: nobody typed that flag."""
    parameter: Any = getattr(error, "param", None)
    context: Any = getattr(error, "ctx", None)
    if parameter is None or context is None:
        return message
    is_variable = getattr(context.get_parameter_source(parameter.name), "name", "") == "ENVIRONMENT"
    return _OF_FLAG.sub(f"Invalid value of {parameter.envvar}", message) if is_variable else message


def plain_help(command: Any) -> Any:
    """Name what each flag and argument of a command, and of those below it, takes; return the command."""
    for parameter in command.params:
        choices = parameter.type_descriptor.choices
        if parameter.param_type_name == "argument":
            parameter.metavar = parameter.metavar or parameter.name.upper()
            # Behind the argument's own name there would be a type of Python's.
            parameter.display_type_rich = lambda ctx: None  # noqa: ARG005  # the parser's own shape
            continue
        if parameter.metavar is None and choices is not None:
            parameter.metavar = "|".join(str(getattr(choice, "value", choice)) for choice in choices)
        if parameter.min is not None and parameter.max is not None:
            parameter._get_number_range_help_str = partial("{} to {}".format, parameter.min, parameter.max)  # noqa: SLF001
        if isinstance(parameter.show_default, str):
            parameter._get_default_string = partial(_own_default, parameter.show_default)  # noqa: SLF001
    for below in _below(command):
        plain_help(below)
    return command


def _below(command: Any) -> Iterator[Any]:
    yield from getattr(command, "commands", {}).values()


def _own_default(words: str, **_: Any) -> str:
    """Return the words that a flag has for its default; the parser would put them between brackets once more."""
    return words


def _expected(found: re.Match[str]) -> str:
    words = re.findall(r"'([^']*)'", found[2])
    return f"expected {_listed(words)}, found {found[1]!r}"


def _either(found: re.Match[str]) -> str:
    return f". Did you mean {_listed(found[1].split(', '))}?"


def _listed(words: list[str]) -> str:
    """Return `a, b or c`."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


# What the parser or pydantic says, and what is said instead. Applied one after the other.
_SAID: Final = (
    (re.compile(r"Value error, "), ""),
    (
        re.compile(r"'([^']*)' is not one of ((?:'[^']*'(?:, )?)+)"),
        _expected,
    ),
    (re.compile(r"Input should be a valid (?:integer|number)\b.*"), "expected a whole number"),
    (re.compile(r"Input should be a valid boolean\b.*"), "expected true or false"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"expected at least \1"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"expected at most \1"),
    (re.compile(r"Option '([^']+)' requires an argument"), r"\1 needs a value"),
    (re.compile(r"Missing option '([^']+)'"), r"Missing flag \1"),
    (re.compile(r"No such option: (\S+)"), r"There is no flag \1"),
    (re.compile(r"Missing argument '\[?([^']+?)\]?'"), r"Missing \1"),
    (re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)"), r"Unexpected argument: \1"),
    (re.compile(r"(?: |\. )?\(Possible options: ([^)]*)\)"), _either),
)
