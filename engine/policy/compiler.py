"""From rules as written to rules that can be asked: every expression and message of a policy, compiled.

All that is wrong is found in one go. Not here: asking (`admission`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core.desired import Source
from engine.core.diagnostics import Diagnostic, in_order
from engine.core.errors import PolicyError
from engine.policy.cel import ExpressionError, Program, environment_for
from engine.policy.facts import types_for
from engine.policy.judge import CompiledException, CompiledRule
from engine.policy.rules import Expression, Priority, Rule, RuleException, Scope
from engine.policy.template import Template, TemplateError, parse_template

EXPRESSION_CODE: Final = "AF210"
MESSAGE_CODE: Final = "AF211"


@dataclass(frozen=True, slots=True)
class CompiledPriority:
    """A priority with its expression."""

    priority: Priority
    match: Program


@dataclass(slots=True)
class Compiler:
    """Compiles one policy and gathers what is wrong with it."""

    found: list[Diagnostic] = field(default_factory=list)

    def rules(self, rules: Sequence[Rule], exceptions: Sequence[RuleException]) -> tuple[CompiledRule, ...]:
        """Compile rules in their order, each with its exceptions; those of unknown rules are left aside."""
        by_rule: dict[str, list[RuleException]] = {}
        for exception in exceptions:
            by_rule.setdefault(exception.rule, []).append(exception)
        return tuple(self._rule(rule, by_rule.get(rule.id, ())) for rule in rules)

    def priorities(self, priorities: Sequence[Priority]) -> tuple[CompiledPriority, ...]:
        """Compile priorities; they speak of single apps."""
        return tuple(
            CompiledPriority(priority, program)
            for priority in priorities
            if (program := self._program(priority.match, Scope.APP, f"{priority.path}.match")) is not None
        )

    def finish(self) -> None:
        """Raise PolicyError when anything was wrong."""
        if self.found:
            raise PolicyError(in_order(self.found))

    def _rule(self, rule: Rule, exceptions: Sequence[RuleException]) -> CompiledRule:
        compiled = [
            CompiledException(exception, program)
            for exception in exceptions
            if (program := self._program(exception.match, rule.scope, f"{exception.path}.match")) is not None
        ]
        return CompiledRule(
            rule,
            None if _is_true(rule.match) else self._program(rule.match, rule.scope, rule.key_path("match")),
            self._program(rule.check, rule.scope, rule.key_path("check")),
            self._message(rule, types_for(rule.scope)),
            tuple(compiled),
        )

    def _program(self, expression: Expression | None, scope: Scope, path: str) -> Program | None:
        if expression is None:
            return None
        try:
            return environment_for(scope_kind(scope)).compile(expression.text)
        except ExpressionError as error:
            self.found.extend(
                _at(EXPRESSION_CODE, expression.source, path, flaw.text(), flaw.hint) for flaw in error.flaws
            )
            return None

    def _message(self, rule: Rule, names: Mapping[str, str]) -> Template | None:
        if not rule.message:
            return None
        try:
            return parse_template(rule.message, names)
        except TemplateError as error:
            place = rule.message_source or rule.source
            self.found.append(_at(MESSAGE_CODE, place, rule.key_path("message"), error.message, error.hint))
            return None


def _is_true(match: Expression | None) -> bool:
    """Whether a match says nothing: it is then not asked, for every app and every rule."""
    return match is not None and match.text.strip() == "true"


def scope_kind(scope: Scope) -> Scope:
    """Return the scope whose environment serves this one: all groups have the same names."""
    return Scope.APP if scope is Scope.APP else Scope.FLEET


def _at(code: str, place: Source, path: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code, place.file, place.line, path, message, hint)
