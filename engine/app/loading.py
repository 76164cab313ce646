"""The files of a fleet, read and judged: desired state, settings, and what the rules say. Offline."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from engine.config.fleet.fleet_file import find_policies, load_fleet
from engine.config.policy.policy_file import load_policies
from engine.config.service.dates import date_warnings
from engine.core.diagnostics import Severity
from engine.core.durations import format_duration
from engine.core.errors import ConfigError, PolicyError, UsageError
from engine.core.finding import Finding
from engine.core.limits import FILE_FINDINGS_MAX_COUNT
from engine.core.request import ALLOW, FROM_FLEET, PRUNE, REPLACE, REPLACE_KEY
from engine.core.selection import AskedKeys, require_declared
from engine.core.selectors import SHARD

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from engine.app.options import AppOptions
    from engine.config.policy.policy_file import LoadedPolicies
    from engine.core.canaries import Tried
    from engine.core.desired import DesiredApp, DesiredFleet
    from engine.core.diagnostics import Diagnostic
    from engine.core.identity import AppKey, Lane
    from engine.core.observed import ObservedFleet
    from engine.core.plan import Plan
    from engine.core.settings import Settings
    from engine.core.shape import Shape
    from engine.core.shards import Shard
    from engine.policy.admission import Admitted
    from engine.policy.guardrails import Allowance
    from engine.policy.rules import Scope
    from engine.policy.testing import PolicyTestResult
    from engine.policy.weight import Weight
    from engine.ports.journal import Memory


FILES_RULE: Final = "files"
_ADVISORY: Final = "advisory"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A fleet with its policies.

    `folder` is where the fleet file is, `policy_paths` the policies that it names by `policy_patterns`; `teams` are the
    names of all teams, and `domains` of all domains. `fleet` holds the apps as the rules left them, and every file that
    was read; `declared` the apps as they are written. With a `shard` both hold the apps of its lanes alone, and
    `is_approved` once the gate has judged what a shard cannot.
    `table_rows` counts the rows of each table of domains.
    """

    fleet: DesiredFleet
    declared: tuple[DesiredApp, ...]
    policies: LoadedPolicies
    admitted: Admitted
    warnings: tuple[Diagnostic, ...]
    folder: Path
    policy_paths: tuple[Path, ...]
    policy_patterns: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    shard: Shard | None = None
    is_approved: bool = False
    table_rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def file_findings(self) -> tuple[Finding, ...]:
        """What the files warn of, as findings of a plan and a run: nobody may have run `validate`."""
        shown = self.warnings[:FILE_FINDINGS_MAX_COUNT]
        findings = [_finding_of(warning) for warning in shown]
        if len(shown) < len(self.warnings):
            more = f"{len(self.warnings) - len(shown):,} more warnings: appfleet validate lists all"
            findings.append(Finding(FILES_RULE, _ADVISORY, "", more))
        return tuple(findings)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the files warn of and what the rules said; of a shard, also what is not judged yet."""
        if self.shard is None or self.is_approved:
            return (*self.file_findings, *self.admitted.findings)
        left = _left_to_gate(self.shard, self.policies.admission.wide_rules)
        return (*self.file_findings, *self.admitted.findings, left)

    @property
    def settings(self) -> Settings:
        """What the policies set."""
        return self.policies.settings

    @property
    def weight(self) -> Callable[[DesiredApp], float]:
        """What returns an app's priority. Its domain is looked up in a map that is made once, not once per app."""
        admission, domains = self.policies.admission, {domain.name: domain for domain in self.fleet.domains}
        return lambda app: admission.weight(app, domains[app.key.domain])

    def replaced_at(self, memory: Memory) -> Mapping[AppKey, float]:
        """Return when each app was last replaced because of drift, of those that still have the spec of that time."""
        from engine.executor.kinds.apps import spec_hash

        if not memory.replaced:
            return {}
        apps = {app.key: app for app in self.fleet.apps}
        return {
            key: last.made_at
            for key, last in memory.replaced.items()
            if key in apps and spec_hash(apps[key]) == last.spec_hash
        }

    def quarantined(self, memory: Memory) -> frozenset[AppKey]:
        """Name the apps that failed too many runs in a row with the spec that they still have."""
        from engine.executor.kinds.apps import spec_hash

        if not memory.failures:
            return frozenset()
        limit = self.settings.safety.quarantine_after
        apps = {app.key: app for app in self.fleet.apps}
        return frozenset(
            key
            for key, (count, failed_hash) in memory.failures.items()
            if count >= limit and key in apps and spec_hash(apps[key]) == failed_hash
        )

    def tried(self, memory: Memory, lanes: Mapping[str, Lane]) -> Tried:
        """Return what the journal knows of shapes, or of specs where it was written in an earlier form."""
        from engine.core.canaries import Tried
        from engine.executor.kinds.apps import spec_hash

        def runs(shape: Shape, app: DesiredApp) -> bool | None:
            known = memory.shapes.get(shape.id)
            return memory.shapes.get(spec_hash(app)) if known is None and memory.shapes else known

        return Tried(lanes, runs, frozenset(memory.failures))

    def weights(self, plan: Plan, observed: ObservedFleet) -> dict[str, Weight]:
        """Return what a plan weighs against the limits of `[safety]`, by domain."""
        from engine.policy.weight import weights_of

        declared = {app.key for app in self.fleet.apps}
        owned = Counter(
            key.domain
            for domain in observed.domains.values()
            for key, row in domain.apps.items()
            if row.status.is_alive and (row.ownership == "ours" or (row.ownership == "unread" and key in declared))
        )
        prices = None if self.settings.safety.hourly_usd_max is None else self.policies.admission.prices
        return weights_of(plan, self.fleet.domains, owned, prices)

    def guardrails(self, weights: Mapping[str, Weight], allowed: Sequence[str]) -> tuple[Finding, ...]:
        """Compare what is planned with `[safety]`; a finding for each limit that it breaks."""
        from engine.policy.guardrails import check_weights

        is_part, sources = self.shard is not None, self.policies.sources
        return check_weights(
            weights,
            self.settings.safety,
            _allowances(allowed),
            sources,
            of_shard=is_part,
            organizations=self.policies.of_organization,
        )

    def allowed_keys(self, allowed: Sequence[str]) -> frozenset[AppKey]:
        """Return the keys that `--allow-destructive` names one by one; raises UsageError for what is no allowance."""
        from engine.core.identity import KEY_PARTS, parse_app_key

        return frozenset(
            parse_app_key(allowance.pattern)
            for allowance in _allowances(allowed)
            if str(allowance) == allowance.pattern and allowance.pattern.count("/") == KEY_PARTS - 1
        )


@dataclass(frozen=True, slots=True)
class ValidateResult:
    """What `validate` found. `denied` says that a mandatory rule refuses this fleet."""

    fleet: DesiredFleet
    policy_files: int
    warnings: tuple[Diagnostic, ...]
    findings: tuple[Finding, ...]
    denied: bool
    policy_tests: tuple[PolicyTestResult, ...] = ()


def load(
    fleet_file: Path,
    today: date,
    also: Sequence[str] = (),
    *,
    strict: bool = False,
    shard: Shard | None = None,
    denied_groups: Collection[tuple[Scope, str]] | None = None,
    organization: Sequence[Path] = (),
) -> Loaded:
    """Read the fleet and its policies, and let the rules judge it as of `today`. Raises ConfigError and PolicyError.

    `organization` names folders of policies that bound the fleet's own; raises UsageError for one that is missing.

    `strict`: what the files are only warned about is an error, too. Of a `shard` the rules that need the other shards
    are not asked: the apps of `denied_groups` are what they denied, once the gate has asked them.
    """
    try:
        loaded = load_fleet(fleet_file, also, shard)
    except ConfigError as error:
        raise _with_policies(error, fleet_file, organization) from None
    policies = load_policies(loaded.policy_files, loaded.folder, organization)
    # A fleet without policies of its own is right where an organization has some.
    of_defaults = () if organization else loaded.of_defaults
    warnings = (*of_defaults, *loaded.warnings, *policies.warnings)
    if strict and warnings:
        raise ConfigError(tuple(replace(warning, severity=Severity.ERROR) for warning in warnings))
    warnings += date_warnings(loaded.fleet.apps, policies.exceptions, policies.settings.safety, today)
    admitted = policies.admission.admit(
        loaded.fleet.apps, loaded.fleet.domains, today, of_shard=shard is not None, denied_groups=denied_groups or ()
    )
    inputs = tuple(sorted((*loaded.fleet.inputs, *policies.inputs)))
    fleet = replace(loaded.fleet, apps=admitted.apps, inputs=inputs)
    return Loaded(
        fleet,
        loaded.fleet.apps,
        policies,
        admitted,
        warnings,
        loaded.folder,
        loaded.policy_files,
        loaded.policies,
        tuple(sorted({team.name for _, team in loaded.teams})),
        loaded.domains,
        shard,
        denied_groups is not None,
        loaded.table_rows,
    )


def _with_policies(error: ConfigError, fleet_file: Path, organization: Sequence[Path]) -> ConfigError:
    """Add what is wrong with the policies to what is wrong with the fleet's files: all problems in one go."""
    diagnostics = error.diagnostics
    if not fleet_file.exists() and len(diagnostics) == 1:
        return ConfigError((replace(diagnostics[0], hint=f"{diagnostics[0].hint}, or make one with: appfleet init"),))
    folder, files = find_policies(fleet_file)
    try:
        load_policies(files, folder, organization)
    except PolicyError as policy_error:
        diagnostics += policy_error.diagnostics
    return ConfigError(diagnostics)


def validated(
    fleet_file: Path,
    today: date,
    *,
    policy_tests: bool = False,
    strict: bool = False,
    organization: Sequence[Path] = (),
) -> ValidateResult:
    """Do what `load` does, run the policies' own tests when asked to, and give what a reader wants to know of it."""
    loaded = load(fleet_file, today, strict=strict, organization=organization)
    return ValidateResult(
        loaded.fleet,
        len(loaded.policies.inputs),
        loaded.warnings,
        loaded.admitted.findings,
        loaded.admitted.run_denied,
        _tested(loaded) if policy_tests else (),
    )


def _finding_of(warning: Diagnostic) -> Finding:
    path = f"{warning.key_path}: " if warning.key_path else ""
    source = f"{warning.file}:{warning.line}" if warning.line else warning.file
    return Finding(FILES_RULE, _ADVISORY, "", f"{path}{warning.message}. {warning.hint}", source)


def _left_to_gate(shard: Shard, wide_rules: Sequence[str]) -> Finding:
    """Return the finding of what a shard cannot judge alone."""
    rules = f" and the rules over teams and the fleet ({', '.join(wide_rules)})" if wide_rules else ""
    message = f"this is shard {shard}: appfleet gate judges the limits of [safety] for all domains together{rules}"
    return Finding(SHARD, _ADVISORY, "", message)


def _tested(loaded: Loaded) -> tuple[PolicyTestResult, ...]:
    from engine.config.policy.policy_tests import find_policy_tests, load_policy_tests
    from engine.policy.testing import run_policy_tests

    tests = load_policy_tests(find_policy_tests(loaded.policy_paths), loaded.folder)
    policies = loaded.policies
    if policies.bounds or any(rule.is_organizations for rule in policies.rules):
        # A fleet's tests are about its own policy: a rule that an organization adds must not break them.
        policies = load_policies(loaded.policy_paths, loaded.folder)
    return run_policy_tests(policies.admission, tests)


def _allowances(texts: Sequence[str]) -> tuple[Allowance, ...]:
    from engine.policy.guardrails import parse_allowance

    return tuple(parse_allowance(text) for text in texts)


def read(
    options: AppOptions,
    today: date,
    *,
    laid_over: bool = False,
    denied_groups: Collection[tuple[Scope, str]] | None = None,
) -> Loaded:
    """Read the files, and see that the flags that speak of them can be read too, before anything is called.

    `laid_over`: a command declares more than the files do, and selects it.
    """
    shard = options.selectors.shard
    loaded = load(
        options.fleet_file,
        today,
        strict=options.strict,
        shard=shard,
        denied_groups=denied_groups,
        organization=options.policies,
    )
    _refuse_beyond_bounds(options, loaded.policies)
    named = keys_named(options, loaded)
    if not laid_over:
        require_declared(options.selectors, named, loaded.fleet, loaded.teams, loaded.domains)
    return loaded


def _refuse_beyond_bounds(options: AppOptions, policies: LoadedPolicies) -> None:
    """Raise UsageError for a flag that asks for more than an organization's policies allow."""
    if not policies.bounds:
        return
    request, bounds = options.request, policies.bounds
    replaces = request.replace_on_drift or bool(request.replace_keys)
    asked = (
        (request.prune, "prune", False, PRUNE.flag, "prune = false"),
        (replaces, "replace", "never", REPLACE.flag, 'replace = "never"'),
    )
    for is_asked, key, word, flag, written in asked:
        found = bounds.get(f"safety.{key}")
        if is_asked and found is not None and found.value == word:
            raise UsageError(
                f"{flag} is not allowed: the organization's policies have {written} ({found.source})",
                hint=f"Leave {flag} out, or ask the owner of the organization's policies",
            )
    most = bounds.get("execution.deadline")
    if most is not None and options.deadline_s is not None and options.deadline_s > most.value:
        raise UsageError(
            f"--deadline {format_duration(options.deadline_s)} is longer than the organization's policies allow: "
            f"{format_duration(most.value)} ({most.source})",
            hint=f"Give --deadline {format_duration(most.value)} or less",
        )


def validate(options: AppOptions) -> ValidateResult:
    """Read and check everything that can be checked offline. Raises ConfigError with every problem."""
    return validated(options.fleet_file, today(), organization=options.policies)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def moment(options: AppOptions) -> datetime:
    """Return the time that a command is asked about, in UTC."""
    return options.at or now()


def today() -> date:
    """Return the day, in UTC."""
    return now().date()


def keys_named(options: AppOptions, loaded: Loaded) -> tuple[AskedKeys, ...]:
    """Return the keys that flags name one by one. Raises UsageError for what is no key, or no other fleet."""
    if options.request.from_fleet == loaded.fleet.name:
        raise UsageError(
            f"{FROM_FLEET.flag} names this fleet itself, {options.request.from_fleet!r}",
            hint="Give the name that the fleet had before",
        )
    return (
        AskedKeys(REPLACE_KEY.flag, options.request.replace_keys),
        AskedKeys(ALLOW.flag, loaded.allowed_keys(options.request.allow_destructive)),
    )
