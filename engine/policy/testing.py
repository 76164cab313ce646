"""Tests of a policy, as its users write them: some apps, and what each rule must say about them.

Not here: reading `*.test.toml` (`config.policy_tests`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from engine.core.desired import DesiredApp, DesiredDomain, Source
from engine.core.errors import PolicyError
from engine.core.nearest import nearest
from engine.core.text import clean
from engine.policy.admission import Admission, RuleVerdict
from engine.policy.judge import Verdict
from engine.policy.remediation import show_set

# What a test may expect of a rule. Of several apps and groups, the gravest verdict is the rule's.
EXPECTABLE: Final = (
    Verdict.DISABLED,
    Verdict.NOT_MATCHED,
    Verdict.PASSED,
    Verdict.REMEDIATED,
    Verdict.EXEMPT,
    Verdict.DENIED,
    Verdict.FAILED,
)
_GRAVITY: Final = {verdict: place for place, verdict in enumerate((Verdict.NOT_ASKED, *EXPECTABLE))}


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """One `[[test]]`: these apps are a whole fleet, on that day.

    `expect` maps rule ids to verdicts; a rule that it does not name must not deny. `fields` holds what the
    first app must have after remediation, by field name.
    """

    name: str
    source: Source
    apps: tuple[DesiredApp, ...]
    domains: tuple[DesiredDomain, ...]
    today: date
    expect: Mapping[str, Verdict] = field(default_factory=dict, hash=False)
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class PolicyTestResult:
    """How a test ended; `problems` is empty when it passed."""

    test: PolicyTest
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return not self.problems


def run_policy_tests(admission: Admission, tests: Sequence[PolicyTest]) -> tuple[PolicyTestResult, ...]:
    """Ask the policy about the apps of each test, and compare."""
    return tuple(PolicyTestResult(test, tuple(_problems(admission, test))) for test in tests)


def _problems(admission: Admission, test: PolicyTest) -> list[str]:
    try:
        said = _gravest(admission, test)
        first = admission.admit(test.apps, test.domains, test.today).apps[0]
    except PolicyError as error:
        return [f"{problem.message}. {problem.hint}" for problem in error.diagnostics]
    problems = [
        _unknown(rule, admission) if rule not in said else _differs(rule, wanted, said[rule])
        for rule, wanted in sorted(test.expect.items())
        if rule not in said or said[rule].verdict is not wanted
    ]
    problems += [
        f"rule {rule} says {verdict.verdict}, and the test does not expect it: {verdict.message}"
        for rule, verdict in said.items()
        if verdict.verdict.is_denial and rule not in test.expect
    ]
    return problems + _field_problems(first, test.fields)


def _gravest(admission: Admission, test: PolicyTest) -> dict[str, RuleVerdict]:
    """Return the gravest verdict of every rule over all apps of the test; of an app not wanted, there is none."""
    said: dict[str, RuleVerdict] = {}
    by_name = {domain.name: domain for domain in test.domains}
    for app in test.apps:
        domain = by_name[app.key.domain]
        for verdict in admission.verdicts(app, domain, test.today, test.apps, test.domains):
            known = said.get(verdict.rule.id)
            if known is None or _GRAVITY[verdict.verdict] > _GRAVITY[known.verdict]:
                said[verdict.rule.id] = verdict
    return said


def _unknown(rule: str, admission: Admission) -> str:
    ids = [known.id for known in admission.rules]
    if rule in ids:
        return f"rule {rule} did not run: no app of the test is wanted on that day"
    close = nearest(rule, ids)
    return f"there is no rule {clean(rule)}" + (f". Did you mean {close}?" if close else "")


def _differs(rule: str, wanted: Verdict, said: RuleVerdict) -> str:
    why = f": {said.message}" if said.message else ""
    return f"rule {rule} must say {wanted}, and says {said.verdict}{why}"


def _field_problems(app: DesiredApp, fields: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    for name, wanted in sorted(fields.items()):
        found = app.fallback if name == "fallback" else getattr(app.spec, name)
        if found != wanted:
            problems.append(f"{name} must be {show_set(wanted)} after remediation, and is {show_set(found or '')}")
    return problems
