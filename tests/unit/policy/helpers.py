"""Rules, exceptions and priorities in a few words, for tests of the policy."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from engine.core.desired import DesiredDomain, Source
from engine.policy.admission import compile_admission
from engine.policy.guardrails import check_weights
from engine.policy.rules import Enforcement, Expression, Priority, Rule, RuleException, Scope
from engine.policy.weight import weights_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.core.finding import Finding
    from engine.core.plan import Plan
    from engine.core.settings import Safety
    from engine.policy.admission import Admission
    from engine.policy.guardrails import Allowance
    from engine.policy.prices import PriceBook

PLACE = Source("policies/guardrails.toml", 12)
DOMAINS = (
    DesiredDomain("lab", "d-lab", "us-west-2", PLACE),
    DesiredDomain("research", "d-research", "eu-west-1", PLACE, "111122223333"),
)
LAB, RESEARCH = DOMAINS
PRICES = (("", "ml.t3.medium", 0.05), ("", "ml.g5.xlarge", 1.4), ("eu-west-1", "ml.g5.xlarge", 1.5))
FOREVER = date(2099, 12, 31)


def written(text: str | None, line: int = 12) -> Expression | None:
    return None if text is None else Expression(text, Source(PLACE.file, line))


def a_rule(
    name: str = "a-rule",
    check: str | None = "true",
    match: str | None = None,
    enforcement: str = "mandatory",
    scope: str = "app",
    message: str = "",
    **more: Any,
) -> Rule:
    return Rule(
        name,
        Enforcement(enforcement),
        PLACE,
        Scope(scope),
        match=written(match, 13),
        check=written(check, 14),
        message=message,
        **more,
    )


def a_remediation(name: str, match: str | None = None, line: int = 12, **sets: Any) -> Rule:
    values = tuple(sorted(sets.items()))
    return Rule(name, Enforcement.REMEDIATE, Source(PLACE.file, line), match=written(match), sets=values)


def an_exception(rule: str = "a-rule", match: str = "true", expires: date = FOREVER, line: int = 40) -> RuleException:
    source = Source(PLACE.file, line)
    return RuleException(rule, Expression(match, source), "paper deadline", expires, source)


def a_priority(match: str, weight: float) -> Priority:
    return Priority(Expression(match, PLACE), weight, PLACE)


def admission(*rules: Rule, **more: Any) -> Admission:
    return compile_admission(rules, prices=more.pop("prices", PRICES), **more)


def check_plan(
    plan: Plan,
    domains: Iterable[DesiredDomain],
    owned: Mapping[str, int],
    safety: Safety,
    prices: PriceBook,
    allowances: Sequence[Allowance] = (),
    sources: Mapping[str, Source] | None = None,
) -> tuple[Finding, ...]:
    return check_weights(weights_of(plan, domains, owned, prices), safety, allowances, sources)
