"""Admission: what the rules of a policy say about the apps of a fleet, before anything is planned.

Remediations run first, in file order; then checks, each with its exceptions. Apps that are no longer wanted (mode
absent, or expired) are not asked about: nothing of them is to be admitted. Groups count every wanted app, denied or
not, so the order of rules changes no verdict.

Pass the whole fleet, or the lanes of a shard, not a selection of it: a group rule over half of a team would admit what
it must deny. A shard leaves the groups that may be half elsewhere to `judge_groups`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.desired import DesiredApp, DesiredDomain, Mode
from engine.core.diagnostics import in_order
from engine.core.errors import PolicyError
from engine.core.finding import Finding
from engine.core.identity import AppKey
from engine.core.limits import MACRO_MAX_ITEMS
from engine.core.text import count_of
from engine.policy.cel import Bindings, Failed, environment_for
from engine.policy.compiler import CompiledPriority, Compiler
from engine.policy.facts import Group, Placed, Values, facts_of, group_name, groups_of, show, variants_of
from engine.policy.group_sums import APPS, GroupSums, GroupVerdicts, WideGroup, added_up
from engine.policy.judge import NOT_MATCHED, CompiledRule, Judgement, Remembering, Verdict, seen_values
from engine.policy.prices import PriceBook
from engine.policy.remediation import Remediator, remediation_of, show_set
from engine.policy.rules import WIDE_SCOPES, Enforcement, Priority, Rule, RuleException, Scope


@dataclass(frozen=True, slots=True)
class Admitted:
    """What admission makes of a fleet.

    `apps` are all apps in their order, remediated; `findings` is sorted. `denied_keys` are the apps that a skip
    rule denies; `run_denied` says that a mandatory rule does, and then nothing may run. `groups` are those of a shard
    that its rules of a wide scope speak of: `judge_groups` judges them with those of the other shards.
    """

    apps: tuple[DesiredApp, ...]
    findings: tuple[Finding, ...]
    denied_keys: frozenset[AppKey]
    run_denied: bool
    groups: tuple[WideGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What one rule says about one app, for `explain`.

    `group` names the group that was asked about, and is empty for a rule over apps. `seen` holds the variables
    that the rule mentions, with their values.
    """

    rule: Rule
    verdict: Verdict
    message: str = ""
    group: str = ""
    seen: tuple[tuple[str, str], ...] = ()
    exception: RuleException | None = None


def compile_admission(
    rules: Sequence[Rule],
    exceptions: Sequence[RuleException] = (),
    priorities: Sequence[Priority] = (),
    prices: Iterable[tuple[str, str, float]] = (),
) -> Admission:
    """Compile a policy; raises PolicyError with every wrong expression and message in it.

    `prices` holds (region, instance type, USD per hour), the region empty for all.
    """
    compiler = Compiler()
    compiled = compiler.rules(rules, exceptions)
    weights = compiler.priorities(priorities)
    compiler.finish()
    return Admission(compiled, weights, PriceBook(prices))


class Admission:
    """A compiled policy. It holds no state of a run: the same fleet and day give the same answer."""

    __slots__ = ("_app_rules", "_group_rules", "_priorities", "_remediations", "_rules", "prices")

    def __init__(
        self, rules: Sequence[CompiledRule], priorities: Sequence[CompiledPriority], prices: PriceBook
    ) -> None:
        self.prices = prices
        self._rules = tuple(rules)
        self._priorities = tuple(priorities)
        live = [item for item in rules if item.rule.enforcement is not Enforcement.DISABLED]
        self._remediations = tuple(
            remediation_of(item) for item in live if item.rule.enforcement is Enforcement.REMEDIATE
        )
        checks = [item for item in live if item.rule.enforcement is not Enforcement.REMEDIATE]
        self._app_rules = tuple(item for item in checks if item.rule.scope is Scope.APP)
        self._group_rules = tuple(item for item in checks if item.rule.scope is not Scope.APP)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in file order."""
        return tuple(item.rule for item in self._rules)

    def admit(
        self,
        apps: Sequence[DesiredApp],
        domains: Sequence[DesiredDomain],
        today: date,
        *,
        of_shard: bool = False,
        denied_groups: Collection[tuple[Scope, str]] = (),
    ) -> Admitted:
        """Remediate and check the apps of a whole fleet, or of a shard of it. `today` is a day in UTC.

        The apps of `denied_groups` are denied one by one, as a skip rule would. Raises PolicyError when two
        remediations contradict each other on an app.
        """
        by_name = {domain.name: domain for domain in domains}
        asked = _Asked()
        remedied = self._remediate(apps, by_name, today, asked)
        wanted = [(app, by_name[app.key.domain]) for app in remedied if is_wanted(app, today)]
        if self._app_rules or self._priorities:
            self._ask_about_apps(wanted, today, asked)
        wide: list[WideGroup] = []
        for scope in Scope:
            rules = [item for item in self._group_rules if item.rule.scope is scope]
            for group in groups_of(scope, wanted, domains) if rules else ():
                sums = self._sums(group, rules)
                if of_shard and scope in WIDE_SCOPES:
                    wide.append(WideGroup(scope, sums))
                else:
                    self._ask_about_group(scope, sums, [app.key for app, _ in group.members], today, asked)
        if denied_groups:
            shut = frozenset(denied_groups)
            asked.denied.update(
                app.key for app, _ in wanted if any((scope, group_name(scope, app)) in shut for scope in WIDE_SCOPES)
            )
        return Admitted(
            tuple(remedied), tuple(sorted(asked.findings)), frozenset(asked.denied), asked.run_denied, tuple(wide)
        )

    @property
    def wide_rules(self) -> tuple[str, ...]:
        """The ids of the rules that no shard can judge alone, in file order."""
        return tuple(item.rule.id for item in self._group_rules if item.rule.scope in WIDE_SCOPES)

    def judge_groups(self, groups: Iterable[WideGroup], today: date) -> GroupVerdicts:
        """Judge the groups of all shards together, each added up from its parts."""
        asked = _Asked()
        denied = {
            (scope, sums.name)
            for scope, sums in added_up(groups)
            if self._ask_about_group(scope, sums, (), today, asked)
        }
        return GroupVerdicts(tuple(sorted(asked.findings)), frozenset(denied), asked.run_denied)

    def weight(self, app: DesiredApp, domain: DesiredDomain) -> float:
        """Return the largest weight among the priorities that match `app`; 0 where none does."""
        if not self._priorities:
            return 0.0
        return self._weigh(_bind(facts_of(app, domain, self.prices)))[0]

    def verdicts(
        self,
        app: DesiredApp,
        domain: DesiredDomain,
        today: date,
        apps: Sequence[DesiredApp] = (),
        domains: Sequence[DesiredDomain] = (),
    ) -> tuple[RuleVerdict, ...]:
        """Return what every rule says about `app`, in file order, remediations included.

        `app` may be as the fleet declares it or as `admit` left it: a remediation that stands among its layers is one.
        With `apps` and `domains`, which are then the whole fleet, rules over groups are asked too. An app that
        is no longer wanted has no verdicts. Raises PolicyError as `admit` does.
        """
        if not is_wanted(app, today):
            return ()
        remediator = self._remediator()
        before = facts_of(app, domain, self.prices)
        remedied = remediator.apply(app, domain)
        _refuse_conflicts(remediator)
        failures = {rule.id: why for rule, why in remedied.failures}
        layers = {(layer.name, layer.source) for layer in app.layers}
        matched = {rule.id for rule in remedied.matched}
        matched |= {item.rule.id for item in self._remediations if (item.layer.name, item.layer.source) in layers}
        groups = self._groups_around(remedied.app, apps, domains, today)
        after = facts_of(remedied.app, domain, self.prices)
        found: list[RuleVerdict] = []
        for item in self._rules:
            rule = item.rule
            if rule.enforcement is Enforcement.DISABLED:
                found.append(RuleVerdict(rule, Verdict.DISABLED))
            elif rule.enforcement is Enforcement.REMEDIATE:
                verdict = _remediation_verdict(rule.id, matched, failures)
                seen = seen_values(item.names, before)
                found.append(RuleVerdict(rule, verdict, failures.get(rule.id, _set_text(rule, verdict)), seen=seen))
            elif rule.scope is Scope.APP:
                judgement, values = _judge_app(item, [_bind(values) for values in variants_of(after)], today)
                found.append(_verdict(item, judgement, values))
            else:
                found.append(self._group_verdict(item, groups.get(rule.scope), today))
        return tuple(found)

    def _remediator(self) -> Remediator:
        return Remediator(self._remediations, self.prices)

    def _remediate(
        self, apps: Sequence[DesiredApp], domains: dict[str, DesiredDomain], today: date, asked: _Asked
    ) -> list[DesiredApp]:
        if not self._remediations:
            return list(apps)
        remediator = self._remediator()
        remedied: list[DesiredApp] = []
        for app in apps:
            if not is_wanted(app, today):
                remedied.append(app)
                continue
            done = remediator.apply(app, domains[app.key.domain])
            remedied.append(done.app)
            for rule, why in done.failures:
                asked.note_failed_remediation(rule, app.key, why)
        _refuse_conflicts(remediator)
        return remedied

    def _ask_about_apps(self, wanted: Sequence[Placed], today: date, asked: _Asked) -> None:
        failing: dict[int, tuple[AppKey, str, int]] = {}
        rules = [Remembering(item) for item in self._app_rules]
        for app, domain in wanted:
            hashable = (app.spec.tags, app.fallback)
            variants = [_bind(values, hashable) for values in variants_of(facts_of(app, domain, self.prices))]
            for item in rules:
                judgement, values = _judge_app(item, variants, today)
                if judgement.verdict.is_denial:
                    asked.note(item.rule.rule, app.key, judgement.message + _of_fallback(values, variants), (app.key,))
            for index, why in self._weigh(variants[0])[1]:
                key, first_why, count = failing.get(index, (app.key, why, 0))
                failing[index] = (key, first_why, count + 1)
        for index, (key, why, count) in failing.items():
            asked.note_failed_priority(self._priorities[index].priority, key, why, count)

    def _sums(self, group: Group, rules: Iterable[CompiledRule]) -> GroupSums:
        """Return what the rules of its scope ask of a group; its apps where one names them and they are few."""
        with_apps = any(APPS in item.names for item in rules) and len(group.members) <= MACRO_MAX_ITEMS
        return group.sums(self.prices, with_apps=with_apps)

    def _ask_about_group(
        self, scope: Scope, sums: GroupSums, members: Collection[AppKey], today: date, asked: _Asked
    ) -> bool:
        """Ask the rules of a scope about a group; return whether a skip rule denies its apps."""
        bindings = Bindings(environment_for(Scope.FLEET), sums.values())
        is_denied = False
        for item in self._group_rules:
            judgement = item.judge(bindings, today) if item.rule.scope is scope else NOT_MATCHED
            if judgement.verdict.is_denial:
                asked.note(item.rule, None, f"{scope} {sums.name}: {judgement.message}", members)
                is_denied = is_denied or item.rule.enforcement is Enforcement.SKIP
        return is_denied

    def _weigh(self, bindings: Bindings) -> tuple[float, list[tuple[int, str]]]:
        """Return the weight, and which priorities failed while they ran, with why."""
        weights: list[float] = []
        failed: list[tuple[int, str]] = []
        for index, item in enumerate(self._priorities):
            holds = item.match.run(bindings)
            if isinstance(holds, Failed):
                failed.append((index, holds.why))
            elif holds:
                weights.append(item.priority.weight)
        return max(weights, default=0.0), failed

    def _groups_around(
        self, app: DesiredApp, apps: Sequence[DesiredApp], domains: Sequence[DesiredDomain], today: date
    ) -> dict[Scope, Group]:
        """Return the group of each scope that `app` belongs to, with the whole fleet remediated."""
        if not apps or not self._group_rules:
            return {}
        by_name = {domain.name: domain for domain in domains}
        remedied = self._remediate(apps, by_name, today, _Asked())
        wanted = [(other, by_name[other.key.domain]) for other in remedied if is_wanted(other, today)]
        found: dict[Scope, Group] = {}
        for scope in {item.rule.scope for item in self._group_rules}:
            name = group_name(scope, app)
            for group in groups_of(scope, wanted, domains):
                if group.name == name:
                    found[scope] = group
        return found

    def _group_verdict(self, item: CompiledRule, group: Group | None, today: date) -> RuleVerdict:
        if group is None:
            return RuleVerdict(item.rule, Verdict.NOT_ASKED)
        bindings = Bindings(environment_for(Scope.FLEET), self._sums(group, [item]).values())
        return _verdict(item, item.judge(bindings, today), bindings.values, group.name)


def is_wanted(app: DesiredApp, today: date) -> bool:
    """Whether there is anything to admit: the app shall exist, today."""
    return app.mode is not Mode.ABSENT and not app.is_expired(today)


class _Asked:
    """What was said so far."""

    __slots__ = ("denied", "findings", "run_denied")

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.denied: set[AppKey] = set()
        self.run_denied = False

    def note(self, rule: Rule, key: AppKey | None, message: str, members: Iterable[AppKey]) -> None:
        """Note a denial of an app, or of a group (`key` None), and what follows from it."""
        shown = "" if key is None else str(key)
        self.findings.append(Finding(rule.id, rule.enforcement.value, shown, message, str(rule.source)))
        if rule.enforcement is Enforcement.SKIP:
            self.denied.update(members)
        elif rule.enforcement is Enforcement.MANDATORY:
            self.run_denied = True

    def note_failed_remediation(self, rule: Rule, key: AppKey, why: str) -> None:
        """Deny the run: nobody can say what the app should have become."""
        self.findings.append(Finding(rule.id, Enforcement.MANDATORY.value, str(key), why, str(rule.source)))
        self.run_denied = True

    def note_failed_priority(self, priority: Priority, key: AppKey, why: str, count: int) -> None:
        """Say once that a priority cannot be told for some apps; it then does not count for them."""
        message = f"its match failed while it ran for {count_of(count, 'app')}, as this one: {why}"
        enforcement = Enforcement.ADVISORY.value
        self.findings.append(Finding(priority.path, enforcement, str(key), message, str(priority.source)))


def _bind(values: Values, hashable: object = None) -> Bindings:
    return Bindings(environment_for(Scope.APP), values, hashable)


def _judge_app(rule: CompiledRule | Remembering, variants: Sequence[Bindings], today: date) -> tuple[Judgement, Values]:
    """Ask about each instance type; the first denial counts, else an exemption, else what the own type got."""
    best = rule.judge(variants[0], today)
    values = variants[0].values
    for bindings in variants[1:]:
        if best.verdict.is_denial:
            break
        judgement = rule.judge(bindings, today)
        if _GRAVITY[judgement.verdict] > _GRAVITY[best.verdict]:
            best, values = judgement, bindings.values
    return best, values


_GRAVITY: Final = {Verdict.NOT_MATCHED: 0, Verdict.PASSED: 1, Verdict.EXEMPT: 2, Verdict.DENIED: 3, Verdict.FAILED: 3}


def _of_fallback(values: Values, variants: Sequence[Bindings]) -> str:
    """Say which fallback type a denial is about; nothing for the app's own type."""
    return "" if values is variants[0].values else f" (fallback {show(values['instance_type'])})"


def _verdict(item: CompiledRule, judgement: Judgement, values: Values, group: str = "") -> RuleVerdict:
    seen = seen_values(item.names, values)
    return RuleVerdict(item.rule, judgement.verdict, judgement.message, group, seen, judgement.exception)


def _remediation_verdict(rule_id: str, matched: set[str], failures: dict[str, str]) -> Verdict:
    if rule_id in failures:
        return Verdict.FAILED
    return Verdict.REMEDIATED if rule_id in matched else Verdict.NOT_MATCHED


def _set_text(rule: Rule, verdict: Verdict) -> str:
    if verdict is not Verdict.REMEDIATED:
        return ""
    return "sets " + ", ".join(f"{name} to {show_set(value)}" for name, value in rule.sets)


def _refuse_conflicts(remediator: Remediator) -> None:
    if remediator.conflicts:
        raise PolicyError(in_order(remediator.conflicts.values()))
