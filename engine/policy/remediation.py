"""Rules that change an app before it is checked, in file order, each seen as a layer of the app.

Two rules that set one field of one app to different values contradict each other: that is an error of the
policy, not a verdict, whichever of them comes first. Not here: checks (`judge`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from engine.core.desired import DesiredApp, DesiredDomain, Layer
from engine.core.diagnostics import Diagnostic
from engine.core.drift import SYSTEM
from engine.core.limits import APP_TAGS_MAX_COUNT
from engine.core.training_plans import place_fault, plan_fault, sent_plan, tried_fallback
from engine.policy.cel import Bindings, Failed, environment_for
from engine.policy.facts import facts_of, show
from engine.policy.judge import CompiledRule
from engine.policy.prices import PriceBook
from engine.policy.rules import Rule, Scope

CONFLICT_CODE: Final = "AF212"
_SYSTEM_ONLY_APP_TYPE: Final = "JupyterServer"
_PLAN_FIELDS: Final = frozenset({"training_plan_arn", "instance_type"})


@dataclass(frozen=True, slots=True)
class Remediation:
    """A rule that sets fields, and the one Layer that all apps it changes share."""

    compiled: CompiledRule
    layer: Layer

    @property
    def rule(self) -> Rule:
        """The rule as it was written."""
        return self.compiled.rule


def remediation_of(compiled: CompiledRule) -> Remediation:
    """Make the layer of a rule. Its values are as a file has them: tags as a map."""
    rule = compiled.rule
    values = {name: dict(value) if name == "tags" else value for name, value in rule.sets}
    return Remediation(compiled, Layer(f"rule {rule.id}", rule.source, values))


@dataclass(slots=True)
class Remediator:
    """Applies the remediations of a policy to apps, and gathers contradictions once for each pair of rules."""

    remediations: tuple[Remediation, ...]
    prices: PriceBook
    conflicts: dict[tuple[str, ...], Diagnostic] = field(default_factory=dict)

    def apply(self, app: DesiredApp, domain: DesiredDomain) -> Remedied:
        """Return the app as every matching rule leaves it, with the rules that matched and those that failed."""
        setters: dict[str, tuple[Rule, Any]] = {}
        matched: list[Rule] = []
        failures: list[tuple[Rule, str]] = []
        bindings: Bindings | None = None
        for item in self.remediations:
            if bindings is None:
                bindings = Bindings(environment_for(Scope.APP), facts_of(app, domain, self.prices))
            holds = item.compiled.matches(bindings)
            if isinstance(holds, Failed):
                failures.append((item.rule, f"its match failed while it ran: {holds.why}"))
            elif holds:
                matched.append(item.rule)
                self._note_conflicts(item.rule, setters, app)
                changed = _changed(app, item)
                if changed is not app:
                    self._note_refused(item.rule, changed)
                    app, bindings = changed, None
        self._note_plan(matched, app, domain)
        return Remedied(app, tuple(matched), tuple(failures))

    def _note_conflicts(self, rule: Rule, setters: dict[str, tuple[Rule, Any]], app: DesiredApp) -> None:
        for name, value in _fields(rule):
            first, before = setters.setdefault(name, (rule, value))
            if before != value:
                message = (
                    f"rule {rule.id} sets {name} of {app.key} to {show_set(value)}, and rule {first.id} "
                    f"({first.source}) to {show_set(before)}"
                )
                hint = "Narrow the match of one of them, so that only one sets the field"
                if rule.is_organizations and not first.is_organizations:
                    hint = f"Narrow the match of rule {first.id}: this fleet cannot change the organization's"
                self._note((first.id, rule.id, name), rule, message, hint)

    def _note_refused(self, rule: Rule, app: DesiredApp) -> None:
        """Note what the service would refuse, which the fleet's own check could not see."""
        if len(app.spec.tags) > APP_TAGS_MAX_COUNT:
            message = f"{app.key} has {len(app.spec.tags)} tags after rule {rule.id}, more than {APP_TAGS_MAX_COUNT}"
            self._note((rule.id, "tags"), rule, message, "Set fewer tags")
        if app.key.app_type == _SYSTEM_ONLY_APP_TYPE and app.spec.instance_type not in {None, SYSTEM}:
            message = f"rule {rule.id} sets instance_type of {app.key} to {show(app.spec.instance_type)}"
            hint = f'{_SYSTEM_ONLY_APP_TYPE} runs on system alone: add app_type != "{_SYSTEM_ONLY_APP_TYPE}" to match'
            self._note((rule.id, "instance_type"), rule, message, hint)

    def _note_plan(self, matched: list[Rule], app: DesiredApp, domain: DesiredDomain) -> None:
        """Note a training plan that the app cannot run on once all rules have changed it."""
        rule = next((rule for rule in reversed(matched) if _PLAN_FIELDS & {name for name, _ in rule.sets}), None)
        if rule is None:
            return
        place = place_fault(app.spec.training_plan_arn, domain.region, domain.account)
        fault = plan_fault(app.key.app_type, app.spec) or ((place, "Narrow the match of the rule") if place else None)
        if fault is not None:
            self._note((rule.id, "training_plan_arn"), rule, f"{app.key} after rule {rule.id}: {fault[0]}", fault[1])

    def _note(self, key: tuple[str, ...], rule: Rule, message: str, hint: str) -> None:
        place = rule.source
        diagnostic = Diagnostic(CONFLICT_CODE, place.file, place.line, rule.key_path("set"), message, hint)
        self.conflicts.setdefault(key, diagnostic)


@dataclass(frozen=True, slots=True)
class Remedied:
    """An app after remediation, the rules that matched it, and those that failed while they ran."""

    app: DesiredApp
    matched: tuple[Rule, ...]
    failures: tuple[tuple[Rule, str], ...]


def _fields(rule: Rule) -> list[tuple[str, Any]]:
    """Return what a rule sets, tag by tag."""
    found: list[tuple[str, Any]] = []
    for name, value in rule.sets:
        if name == "tags":
            found.extend((f"tags.{key}", text) for key, text in value)
        else:
            found.append((name, value))
    return found


def show_set(value: Any) -> str:
    """Return a value of `Rule.sets` as a message shows it."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return show(dict(value))
    return show(list(value) if isinstance(value, tuple) else value)


def _changed(app: DesiredApp, item: Remediation) -> DesiredApp:
    """Return the app with the rule's fields and layer, or the app itself where nothing changes."""
    values = dict(item.rule.sets)
    fallback = values.pop("fallback", app.fallback)
    if "tags" in values:
        values["tags"] = tuple(sorted({**dict(app.spec.tags), **dict(values["tags"])}.items()))
    if "training_plan_arn" in values:
        values["training_plan_arn"] = sent_plan(app.key.app_type, values["training_plan_arn"])
    spec = replace(app.spec, **values)
    # A rule may set the instance type to one that the app falls back to.
    fallback = tried_fallback(spec, tuple(kind for kind in fallback if kind != spec.instance_type))
    if spec == app.spec and fallback == app.fallback:
        return app
    return replace(app, spec=spec, fallback=fallback, layers=(*app.layers, item.layer))
