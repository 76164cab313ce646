"""One rule against one app or one group: match, check, then the exceptions that may lift its no.

Not here: which apps are asked (`admission`), what a remediation changes (`remediation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from operator import itemgetter
from typing import Final

from engine.core.limits import MACRO_MAX_ITEMS, REMEMBERED_VERDICTS_MAX_COUNT
from engine.core.text import clean
from engine.policy.cel import Bindings, Failed, Program
from engine.policy.cel_messages import USE_COUNTS_HINT
from engine.policy.facts import UNHASHABLE_NAMES, Values, show
from engine.policy.group_sums import APPS
from engine.policy.rules import Rule, RuleException
from engine.policy.template import Template


class Verdict(StrEnum):
    """What a rule came to."""

    PASSED = "passed"
    DENIED = "denied"
    FAILED = "failed"  # it failed while it ran: counts as denied
    EXEMPT = "exempt"  # denied, but an exception holds
    NOT_MATCHED = "not_matched"
    REMEDIATED = "remediated"
    DISABLED = "disabled"
    NOT_ASKED = "not_asked"  # a rule over a group, where one app alone is looked at

    @property
    def is_denial(self) -> bool:
        """Whether the rule's enforcement now applies."""
        return self is Verdict.DENIED or self is Verdict.FAILED  # hashing a member would cost more than the rule


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what there is to say: a message for a denial, the exception that lifted one."""

    verdict: Verdict
    message: str = ""
    exception: RuleException | None = None


PASSED: Final = Judgement(Verdict.PASSED)
NOT_MATCHED: Final = Judgement(Verdict.NOT_MATCHED)
_REMEMBERED: Final = frozenset({Verdict.PASSED, Verdict.NOT_MATCHED})


@dataclass(frozen=True, slots=True)
class CompiledException:
    """An exception with its expression."""

    exception: RuleException
    match: Program


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its expressions. `match` None: everything matches. `check` None: a remediation."""

    rule: Rule
    match: Program | None
    check: Program | None
    message: Template | None
    exceptions: tuple[CompiledException, ...] = ()
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Gather the variables that the rule and its exceptions mention."""
        programs = [self.match, self.check, *(item.match for item in self.exceptions)]
        names: frozenset[str] = frozenset()
        object.__setattr__(self, "names", names.union(*(program.names for program in programs if program is not None)))

    def matches(self, bindings: Bindings) -> bool | Failed:
        """Whether the rule speaks of this app or group at all."""
        return True if self.match is None else _run(self.match, bindings)

    def judge(self, bindings: Bindings, today: date) -> Judgement:
        """Ask the rule. Its exceptions are asked only where it says no, so none can ever deny."""
        matched = self.matches(bindings)
        if matched is False:
            return NOT_MATCHED
        if isinstance(matched, Failed):
            return self._denied(Verdict.FAILED, f"its match failed while it ran: {matched.why}", bindings, today)
        result = True if self.check is None else _run(self.check, bindings)
        if result is True:
            return PASSED
        if isinstance(result, Failed):
            return self._denied(Verdict.FAILED, f"its check failed while it ran: {result.why}", bindings, today)
        return self._denied(Verdict.DENIED, self._say(bindings.values), bindings, today)

    def _say(self, values: Values) -> str:
        if self.message is not None:
            return self.message.fill(values)
        written = self.check.text if self.check is not None else ""
        return clean(self.rule.description) or f"this does not hold: {show(written)}"

    def _denied(self, verdict: Verdict, message: str, bindings: Bindings, today: date) -> Judgement:
        notes: list[str] = []
        for item in self.exceptions:
            exception = item.exception
            holds = _run(item.match, bindings)
            if isinstance(holds, Failed):
                notes.append(f"the exception at {exception.source} failed while it ran: {holds.why}")
            elif holds and exception.is_expired(today):
                notes.append(f"the exception at {exception.source} ended on {exception.expires.isoformat()}")
            elif holds:
                return Judgement(Verdict.EXEMPT, message, exception)
        return Judgement(verdict, "; ".join((message, *notes)))


class Remembering:
    """A rule over apps that is asked about many of them, and evaluated only where something that it mentions is new.

    An expression is a function of the variables that it mentions, so equal values give equal verdicts. Denials are
    not remembered: their messages may mention more.
    """

    __slots__ = ("_asks_more", "_known", "_plain", "rule")

    def __init__(self, rule: CompiledRule) -> None:
        self.rule = rule
        self._known: dict[object, Judgement] = {}
        plain = sorted(rule.names - UNHASHABLE_NAMES)
        self._plain: Callable[[Values], object] = itemgetter(*plain) if plain else lambda _: None
        self._asks_more = bool(rule.names & UNHASHABLE_NAMES)

    def judge(self, bindings: Bindings, today: date) -> Judgement:
        """Ask the rule, or remember what it said."""
        key = (self._plain(bindings.values), bindings.hashable if self._asks_more else None)
        known = self._known.get(key)
        if known is None:
            known = self.rule.judge(bindings, today)
            if known.verdict in _REMEMBERED and len(self._known) < REMEMBERED_VERDICTS_MAX_COUNT:
                self._known[key] = known
        return known


def _run(program: Program, bindings: Bindings) -> bool | Failed:
    """Evaluate, unless the expression speaks of each app of a group that is too large for that."""
    values = bindings.values
    if APPS not in program.names or values["count"] <= MACRO_MAX_ITEMS:
        return program.run(bindings)
    return Failed(
        f"it asks about each of apps, and group {show(values['group'])} has {values['count']:,}, more than "
        f"{MACRO_MAX_ITEMS:,}. {USE_COUNTS_HINT} instead"
    )


def seen_values(names: Iterable[str], values: Values) -> tuple[tuple[str, str], ...]:
    """Return the variables that a rule mentions with what they were, sorted by name."""
    return tuple((name, f"{len(values[name])} apps" if name == APPS else show(values[name])) for name in sorted(names))
