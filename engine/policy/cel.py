"""CEL expressions: compiled once, checked by type, run many times. The only module that knows the CEL library.

The library is loaded with the first expression: a fleet without rules never pays for it. Its error results are
values, and truthy ones; so only `True` and `False` themselves are ever taken for a verdict.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from engine.core.limits import EXPRESSION_MAX_CHARS, EXPRESSION_NESTING_MAX_DEPTH
from engine.policy.cel_growth import growth_faults
from engine.policy.cel_messages import REGEX_HINT, Flaw, failure_text, flaws_in, hint_for_name
from engine.policy.cel_text import Token, calls, calls_with_literal, fields_of_items, line_and_column, tokens, variables
from engine.policy.facts import APP_TYPES, Values, types_for
from engine.policy.group_sums import APPS
from engine.policy.rules import Scope

# `replace` with an empty search text multiplies: four of them in a row would fill any memory.
_REFUSED_FUNCTIONS: Final = {"replace": "Compare with matches, contains or split instead"}
# Literals that the library reads only when the expression runs: (the check, the hint).
_CHECKED_LITERALS: Final = {
    "matches": ('"".matches({})', REGEX_HINT),
    "timestamp": ("timestamp({0}) == timestamp({0})", 'Write it like timestamp("2026-12-31T00:00:00Z")'),
    "duration": ("duration({0}) == duration({0})", 'Write it like duration("90s") or duration("1.5h")'),
}


class ExpressionError(Exception):
    """An expression that cannot be compiled. `flaws` holds at least one."""

    def __init__(self, flaws: tuple[Flaw, ...]) -> None:
        super().__init__("; ".join(flaw.text() for flaw in flaws))
        self.flaws = flaws


@dataclass(frozen=True, slots=True)
class Failed:
    """What an expression came to when it failed while it ran. Never a verdict."""

    why: str

    def __bool__(self) -> bool:
        """Refuse to be taken for a verdict."""
        raise TypeError("a failed expression is neither true nor false: compare it with `is True`")


class Bindings:
    """Values of variables, handed over to the library once for many expressions, when the first of them asks.

    `hashable` stands for those of the values that cannot be hashed.
    """

    __slots__ = ("_activation", "_environment", "hashable", "values")

    def __init__(self, environment: Environment, values: Values, hashable: object = None) -> None:
        self.values = values
        self.hashable = hashable
        self._environment = environment
        self._activation: Any = None

    @property
    def activation(self) -> Any:
        """The values as the library takes them."""
        if self._activation is None:
            self._activation = self._environment.library.Activation(self.values)
        return self._activation


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression that gives true or false. `names` are the variables that it mentions."""

    text: str
    names: frozenset[str]
    code: Any

    def run(self, bindings: Bindings) -> bool | Failed:
        """Evaluate. Anything but true and false is a failure, said in words."""
        try:
            value = self.code.eval(bindings.activation).value()
        except RuntimeError as error:  # the library raises for some failures, and returns the others
            return Failed(failure_text(str(error)))
        except MemoryError:
            return Failed("it needs more memory than there is")
        if value is True or value is False:
            return bool(value)
        return Failed(failure_text(str(value)))


class Environment:
    """The names and functions that expressions of one kind may use."""

    __slots__ = ("library", "names")

    def __init__(self, names: Mapping[str, str]) -> None:
        cel = importlib.import_module("cel_expr_python.cel")
        optional = importlib.import_module("cel_expr_python.ext.ext_optional").ExtOptional()
        strings = importlib.import_module("cel_expr_python.ext.ext_strings").ExtStrings()
        self.names = names
        self.library: Any = cel.NewEnv(
            variables={name: _TYPES[signature](cel.Type) for name, signature in names.items()},
            extensions=[optional, strings],
        )

    def compile(self, text: str) -> Program:
        """Compile an expression and check its types; raises ExpressionError."""
        if len(text) > EXPRESSION_MAX_CHARS:
            message = f"the expression has {len(text):,} characters, more than {EXPRESSION_MAX_CHARS:,}"
            raise ExpressionError((Flaw(0, 0, message, "Split it into several rules"),))
        words = tokens(text)
        _check_depth(text, words)
        self._check_functions(text, words)
        _check_growth(text, words)
        try:
            code = self.library.compile(text)
            kind = code.return_type().name()  # which fails for kinds that Python has no word for
        except RuntimeError as error:
            raise ExpressionError(flaws_in(str(error), text, self.names)) from None
        if kind != "BOOL":
            message = f"the expression gives {_KINDS.get(kind, kind.lower())}, but must give true or false"
            raise ExpressionError((Flaw(1, 1, message, 'Compare it with something: team == "forecasting"'),))
        self._check_literals(text, words)
        _check_app_fields(text, words)
        return Program(text, variables(words) & self.names.keys(), code)

    def _check_functions(self, text: str, words: tuple[Token, ...]) -> None:
        refused = [word for word in calls(words) if word.written in _REFUSED_FUNCTIONS]
        if refused:
            raise ExpressionError(
                tuple(
                    Flaw(
                        *line_and_column(text, word.start),
                        f"{word.written}() is not supported: it can make a text larger without a bound",
                        _REFUSED_FUNCTIONS[word.written],
                    )
                    for word in refused
                )
            )

    def _check_literals(self, text: str, words: tuple[Token, ...]) -> None:
        flaws: list[Flaw] = []
        for function, literal in calls_with_literal(words, frozenset(_CHECKED_LITERALS)):
            check, hint = _CHECKED_LITERALS[function]
            result = Program("", frozenset(), self.library.compile(check.format(literal.written))).run(
                Bindings(self, {})
            )
            if isinstance(result, Failed):
                why = result.why.removesuffix(f". {REGEX_HINT}").removeprefix("INVALID_ARGUMENT: ")
                flaws.append(Flaw(*line_and_column(text, literal.start), why, hint))
        if flaws:
            raise ExpressionError(tuple(flaws))


# How `facts` writes a type, and how the library makes it.
_TYPES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "string": lambda types: types.STRING,
    "int": lambda types: types.INT,
    "double": lambda types: types.DOUBLE,
    "bool": lambda types: types.BOOL,
    "list(string)": lambda types: types.List(types.STRING),
    "map(string, string)": lambda types: types.Map(types.STRING, types.STRING),
    "map(string, int)": lambda types: types.Map(types.STRING, types.INT),
    "list(map(string, dyn))": lambda types: types.List(types.Map(types.STRING, types.DYN)),
}
_KINDS: Final = {
    "STRING": "a text",
    "INT": "a whole number",
    "UINT": "a whole number",
    "DOUBLE": "a number",
    "DYN": "a value of no certain type",
    "LIST": "a list",
    "MAP": "a map",
    "NULL": "nothing",
}


def _check_depth(text: str, words: tuple[Token, ...]) -> None:
    """Refuse deep brackets by their place; what else nests (operators, ternaries) the library counts."""
    depth = 0
    for word in words:
        if word.kind == "other" and word.written in "([{":
            depth += 1
            if depth > EXPRESSION_NESTING_MAX_DEPTH:
                message = f"brackets are nested more than {EXPRESSION_NESTING_MAX_DEPTH} levels deep"
                flaw = Flaw(*line_and_column(text, word.start), message, "Split the expression into several rules")
                raise ExpressionError((flaw,))
        elif word.kind == "other" and word.written in ")]}":
            depth -= 1


def _check_growth(text: str, words: tuple[Token, ...]) -> None:
    """Refuse what could make a value very much larger; raises ExpressionError."""
    faults = growth_faults(words)
    if faults:
        raise ExpressionError(
            tuple(Flaw(*line_and_column(text, word.start), message, hint) for word, message, hint in faults)
        )


def _check_app_fields(text: str, words: tuple[Token, ...]) -> None:
    """Refuse `apps.all(a, a.ownr == …)`: the library knows no fields of maps, and would say so only when it runs."""
    flaws = tuple(
        Flaw(*line_and_column(text, field.start), f"an app has no {field.written}", hint_for_name(field.written))
        for field in fields_of_items(words, APPS)
        if field.written not in APP_TYPES
    )
    if flaws:
        raise ExpressionError(flaws)


@cache
def environment_for(scope: Scope) -> Environment:
    """Return the environment of a scope's expressions; made when first asked for."""
    return Environment(types_for(scope))
