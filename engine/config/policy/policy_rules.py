"""`[[rule]]`, `[[exception]]` and `[[priority]]` of all policy files, turned into the values of `policy.rules`.

Not here: compiling expressions (`policy.admission`); what is checked here is what can be seen without them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from engine.config.policy.policy_models import ExceptionTable, PriorityTable, RuleTable, SetTable
from engine.config.reading.problems import Code, Place, Problems, nearest, show_path, show_value
from engine.config.service.instance_types import warn_of_unknown_types
from engine.core.limits import RULES_MAX_COUNT
from engine.policy.rules import Enforcement, Expression, Priority, Rule, RuleException, Scope

_ORGANIZATIONS: Final = (
    "Ask the owner of the organization's policies: this fleet can neither change nor disable the rule"
)


@dataclass(slots=True)
class RuleReader:
    """Takes table after table, then gives everything with `finish`.

    `is_complete` is false when a file or a rule could not be taken: a rule that is missed may stand there. `is_above`:
    what is added is an organization's.
    """

    problems: Problems
    is_complete: bool = True
    is_above: bool = False
    _rules: dict[str, Rule] = field(default_factory=dict)
    _exceptions: list[tuple[RuleException, Place, bool]] = field(default_factory=list)
    _priorities: list[Priority] = field(default_factory=list)

    def add(self, table: RuleTable | ExceptionTable | PriorityTable, place: Place) -> None:
        """Read the next table of a file, in the file's order."""
        if isinstance(table, RuleTable):
            self._add_rule(table, place)
        elif isinstance(table, ExceptionTable):
            self._add_exception(table, place)
        else:
            self._add_priority(table, place)

    def finish(self) -> tuple[tuple[Rule, ...], tuple[RuleException, ...], tuple[Priority, ...]]:
        """Check what speaks of other files' rules, and give all of it in the order of the files.

        An organization's rules come last: its remediations see what those of the fleet left.
        """
        for exception, place, is_above in self._exceptions:
            self._check_exception(exception, place, is_above=is_above)
        kept = tuple(exception for exception, *_ in self._exceptions if exception.rule in self._rules)
        rules = tuple(sorted(self._rules.values(), key=attrgetter("is_organizations")))
        return rules, kept, tuple(self._priorities)

    def _add_rule(self, table: RuleTable, place: Place) -> None:
        known = self._rules.get(table.id)
        if known is not None:
            self.problems.error(
                Code.CONFLICT,
                place.at("id"),
                f"rule {show_value(table.id)} is defined already at {known.source}",
                _ORGANIZATIONS if known.is_organizations else "Give one of the two another id",
            )
            return
        if len(self._rules) >= RULES_MAX_COUNT:
            if self.problems.first_time("too many rules"):
                self.problems.error(
                    Code.LIMIT, place, f"there are more than {RULES_MAX_COUNT:,} rules", "Merge some of them"
                )
            return
        self._check_form(table, place)
        self._rules[table.id] = Rule(
            id=table.id,
            enforcement=Enforcement(table.enforcement),
            source=place.source,
            scope=Scope(table.scope),
            description=table.description,
            match=_expression(table.match, place.at("match")),
            check=_expression(table.check, place.at("check")),
            message=table.message,
            message_source=place.at("message").source if table.message else None,
            sets=sets_of(table.set),
            path=show_path(place.path),
            is_organizations=self.is_above,
        )

    def _check_form(self, table: RuleTable, place: Place) -> None:
        """Check which keys go together."""
        error = self.problems.error
        sets = dict(sets_of(table.set))
        for key, types in (("instance_type", (sets.get("instance_type"),)), ("fallback", sets.get("fallback", ()))):
            warn_of_unknown_types(types, place.at("set", key), self.problems)
        if table.enforcement == "remediate":
            if table.scope != "app":
                error(Code.CONFLICT, place.at("scope"), "a remediation changes one app", 'Write scope = "app"')
            if table.check is not None:
                error(Code.CONFLICT, place.at("check"), "a remediation has no check", "Put the condition into match")
            if not sets:
                error(Code.VALUE, place, "a remediation must set something", 'Add set = { instance_type = "…" }')
        elif table.enforcement != "disabled":
            if table.check is None:
                error(Code.VALUE, place, "check is required", "Add check = '…', which must be true for what is allowed")
            if table.set is not None:
                error(
                    Code.CONFLICT, place.at("set"), "only a remediation sets fields", 'Write enforcement = "remediate"'
                )

    def _add_exception(self, table: ExceptionTable, place: Place) -> None:
        exception = RuleException(
            rule=table.rule,
            match=Expression(table.match, place.at("match").source),
            reason=table.reason,
            expires=table.expires,
            source=place.source,
            path=show_path(place.path),
        )
        self._exceptions.append((exception, place, self.is_above))

    def _check_exception(self, exception: RuleException, place: Place, *, is_above: bool) -> None:
        rule = self._rules.get(exception.rule)
        if rule is None and not self.is_complete:
            return
        if rule is None:
            hint = nearest(exception.rule, self._rules) or "Name a rule by its id"
            self.problems.error(
                Code.REFERENCE, place.at("rule"), f"there is no rule {show_value(exception.rule)}", hint
            )
        elif rule.is_organizations and not is_above:
            message = f"rule {show_value(rule.id)} ({rule.source}) is the organization's, and has no exceptions here"
            self.problems.error(Code.CONFLICT, place.at("rule"), message, _ORGANIZATIONS)
        elif rule.enforcement is Enforcement.REMEDIATE:
            self.problems.error(
                Code.CONFLICT,
                place.at("rule"),
                f"rule {show_value(rule.id)} ({rule.source}) is a remediation, and exceptions hold for checks",
                "Put the condition into that rule's match",
            )

    def _add_priority(self, table: PriorityTable, place: Place) -> None:
        match = Expression(table.match, place.at("match").source)
        self._priorities.append(Priority(match, table.weight, place.source, show_path(place.path)))


def _expression(text: str | None, place: Place) -> Expression | None:
    return None if text is None else Expression(text, place.source)


def sets_of(table: SetTable | None) -> tuple[tuple[str, Any], ...]:
    """Return what a remediation sets, with the types that AppSpec and DesiredApp have."""
    if table is None:
        return ()
    values: dict[str, Any] = {
        name: value for name in table.model_fields_set if (value := getattr(table, name)) is not None
    }
    if "fallback" in values:
        values["fallback"] = tuple(values["fallback"])
    if "tags" in values:
        values["tags"] = tuple(sorted(values["tags"].items()))
    return tuple(sorted(values.items()))
