"""Scenarios: TOML files that say what a simulated world holds, how it limits, and what happens to it when.

A scenario builds a world of its own, or is laid over one, such as the world that a fleet needs (`fleet_world`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from engine.config.reading.beneath import FileProblem
from engine.config.reading.files import Folder, home_of
from engine.config.reading.model_errors import check_table
from engine.config.reading.problems import Code, Problems
from engine.config.reading.toml_document import parse_document
from engine.core.desired import AppSpec
from engine.core.errors import ConfigError
from engine.core.identity import SPACE, USER
from engine.core.limits import SCENARIO_FILE_MAX_BYTES
from engine.simulator.scenario import changes
from engine.simulator.scenario.scenario_checks import check_scenario, user_names
from engine.simulator.scenario.scenario_models import (
    AppRefTable,
    AppTable,
    AtTable,
    DomainTable,
    FailureTable,
    QuotaTable,
    ScenarioTables,
    SpacePerUserTable,
    TrainingPlanTable,
)
from engine.simulator.service import app_operations as apps
from engine.simulator.service import owner_operations as owners
from engine.simulator.world.faults import FailureRule, Fault, FaultKind, FaultRule
from engine.simulator.world.quotas import Wording, bucket_quota_name
from engine.simulator.world.records import app_id
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.training_plans import TrainingPlan, training_plan
from engine.simulator.world.values import NEVER
from engine.simulator.world.world import DEFAULT_ACCOUNT, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.core.identity import OwnerKind
    from engine.simulator.world.records import Domain
    from engine.simulator.world.world import Change


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario file that was read. `digest` is the SHA-256 of the file, in hexadecimal."""

    tables: ScenarioTables
    digest: str

    def build(self, now: float) -> World:
        """Return the world of this scenario alone, beginning at `now` (epoch seconds)."""
        first = self.tables.domain[0].account if self.tables.domain else None
        world = World(account=self.tables.account or first or DEFAULT_ACCOUNT)
        self.apply_to(world, now)
        return world

    def apply_to(self, world: World, now: float) -> bool:
        """Lay the scenario over a world, once: False, and nothing is done, where it lies there already.

        What the file does not set stays as it is; users, spaces and apps that are there already do too.
        """
        world.advance(now)
        if world.scenario == self.digest:
            return False
        world.scenario = self.digest
        tables = self.tables
        world.rng = random.Random(tables.seed)
        if tables.account is not None:
            world.account = tables.account
        if tables.keep_replaced_rows is not None:
            world.keep_replaced_rows = tables.keep_replaced_rows
        _set_limits(world, tables)
        world.failures = [_failure(rule) for rule in tables.failure]
        world.update_failures = [
            FailureRule(rule.reason, owner=rule.owner, probability=rule.probability) for rule in tables.update_failure
        ]
        world.faults.rules = [
            FaultRule(
                Fault(FaultKind(rule.kind), rule.code, rule.message, rule.status),
                rule.operation,
                rule.probability,
                world.now + rule.from_seconds,
                NEVER if rule.until_seconds is None else world.now + rule.until_seconds,
                rule.max_count,
            )
            for rule in tables.fault
        ]
        for plan in tables.training_plan:
            world.training_plans[plan.arn] = _training_plan(plan, world.now)
        for kind, usd in tables.prices.items():
            world.set_price(kind, usd)
        for name, value in tables.identity_center.model_dump(exclude_none=True).items():
            setattr(world.center, name, value)
        world.external_ids.update(tables.external_ids)
        world.ingredients.missing += [arn for arn in tables.missing if arn not in world.ingredients.missing]
        for table in tables.domain:
            _fill_domain(world, table, table.account or world.account)
        for at in tables.at:
            _schedule(world, at)
        return True


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises ConfigError with every problem of it."""
    problems = Problems()
    try:
        home = home_of(path)
        item = Folder(home.parent, max_file_bytes=SCENARIO_FILE_MAX_BYTES).read(home.name)
    except FileProblem as problem:
        problems.of_file(Code.FILE, str(path), 0, problem.message, problem.hint)
        raise ConfigError(problems.errors) from problem
    document = parse_document(item, problems)
    tables = check_table(ScenarioTables, document.data, document.place, problems) if document is not None else None
    if document is not None and tables is not None:
        check_scenario(tables, document.place, problems)
    if tables is None or problems.errors:
        raise ConfigError(problems.errors)
    return Scenario(tables, item.sha256)


# Building.


def _set_limits(world: World, tables: ScenarioTables) -> None:
    times: dict[str, Any] = {
        name: value if name in ("tombstone", "health_check") else _range(value)
        for name, value in tables.times.model_dump(exclude_none=True).items()
    }
    world.timing = replace(world.timing, **times)
    for operation, limit in tables.request_limits.items():
        world.set_request_limit(operation, RequestLimit.of(limit.rate, limit.burst))
    for name, value in tables.quotas.model_dump(exclude_none=True).items():
        setattr(world.quotas, name, Wording(value) if name == "wording" else value)
    for quota in tables.quota:
        world.quotas.set(_quota_name(quota), quota.value, quota.account or "", quota.region or "")


def _training_plan(table: TrainingPlanTable, now: float) -> TrainingPlan:
    types = table.instance_type if isinstance(table.instance_type, list) else [table.instance_type]
    return training_plan(
        table.arn,
        types,
        table.total,
        taken=table.total - (table.total if table.available is None else table.available),
        fixed_status=table.status or "",
        starts_at=now + table.starts,
        ends_at=NEVER if table.ends is None else now + table.ends,
        targets=tuple(table.target_resources),
        full_is_refused=table.full_is_refused,
    )


def _range(value: float | list[float]) -> tuple[float, float]:
    return (value[0], value[1]) if isinstance(value, list) else (value, value)


def _quota_name(quota: QuotaTable) -> str:
    return quota.name or bucket_quota_name(quota.app_type or "", quota.instance_type or "")


def _failure(rule: FailureTable) -> FailureRule:
    return FailureRule(**rule.model_dump())


def _fill_domain(world: World, table: DomainTable, account: str) -> None:
    domain = world.domains.get(table.id)
    if domain is None:
        domain = owners.add_domain(
            world, table.id, table.region, account, name=table.name, auth_mode=table.auth_mode, tags=table.tags
        )
    elif "auth_mode" in table.model_fields_set:
        domain.auth_mode = table.auth_mode
    names = user_names(table)
    for name in names:
        if name.lower() not in domain.profiles:
            owners.create_profile(world, domain, name, at_once=True)
    for space in table.space:
        _add_space(
            world, domain, space.name, space.owner or "", space.sharing, space.app_type, space.ebs_gb, space.tags
        )
    for app in table.app:
        _place(world, domain, app)
    if table.space_per_user is not None:
        for name in names:
            _fill_space(world, domain, name, table.space_per_user)


def _fill_space(world: World, domain: Domain, user: str, per_user: SpacePerUserTable) -> None:
    space = f"{user}{per_user.suffix}"
    _add_space(world, domain, space, user, "Private", per_user.app_type, per_user.ebs_gb, None)
    if per_user.app:
        key = app_id(domain.domain_id, SPACE, space, per_user.app_type, "default")
        spec = AppSpec(instance_type=per_user.instance_type)
        apps.place_app(world, domain, key, space, spec, per_user.tags or {}, per_user.status)


def _add_space(
    world: World,
    domain: Domain,
    name: str,
    owner: str,
    sharing: str,
    app_type: str | None,
    ebs_gb: int,
    tags: dict[str, str] | None,
) -> None:
    if name in domain.spaces:
        return
    owners.create_space(
        world,
        domain,
        name,
        owner=owner,
        sharing=sharing if owner else "",
        settings=owners.space_settings(app_type, ebs_gb),
        tags=tags,
        at_once=True,
    )


def _owner_of(user: str | None, space: str | None) -> tuple[OwnerKind, str]:
    return (SPACE, space) if space is not None else (USER, user or "")


def _place(world: World, domain: Domain, table: AppTable) -> None:
    kind, owner = _owner_of(table.user, table.space)
    key = app_id(domain.domain_id, kind, owner, table.type, table.name)
    try:
        app = apps.place_app(
            world,
            domain,
            key,
            owner,
            AppSpec(instance_type=table.instance_type, training_plan_arn=table.training_plan_arn),
            table.tags or {},
            table.status,
        )
    except ServiceError as error:  # an instance type that the app type does not take
        diagnostic = Problems()
        diagnostic.of_file(Code.VALUE, "scenario", 0, f"{'/'.join(key)}: {error.message}", "Correct that app")
        raise ConfigError(diagnostic.errors) from error
    if table.failure_reason:
        app.failure_reason = table.failure_reason
    if table.used_for:
        app.used_until = world.now + table.used_for


def _schedule(world: World, at: AtTable) -> None:
    for number in range(at.times):
        change = _change(at, number + 1)
        delay = at.seconds + number * at.every
        if at.since == "first-create":
            world.after_first_create.append((delay, change))
        else:
            world.schedule(world.now + delay, change)


def _change(at: AtTable, number: int) -> Change:
    return next(iter(_changes(at, number)))


def _changes(at: AtTable, number: int) -> Iterator[Change]:
    if at.quota is not None:
        quota = at.quota
        yield changes.SetQuota(_quota_name(quota), quota.value, quota.account or "", quota.region or "")
    if at.request_limit is not None:
        limit = at.request_limit
        yield changes.SetRequestLimit(limit.operation, limit.rate, limit.burst)
    if at.failures is not None:
        yield changes.SetFailures(tuple(_failure(rule) for rule in at.failures))
    if at.create_app is not None:
        made = at.create_app
        tags = tuple(sorted((made.tags or {}).items()))
        plan = made.training_plan_arn or ""
        yield changes.CreateForeignApp(_ref(made, number), made.instance_type or "", tags, plan)
    if at.delete_app is not None:
        yield changes.DeleteForeignApp(_ref(at.delete_app, number))
    if at.training_plan is not None:
        plan_table = at.training_plan
        yield changes.SetTrainingPlan(plan_table.arn, plan_table.total, plan_table.available, plan_table.status or "")
    if at.fail_app is not None:
        yield changes.FailApp(_ref(at.fail_app, number), at.fail_app.reason)


def _ref(app: AppRefTable, number: int) -> changes.AppRef:
    kind, owner = _owner_of(app.user, app.space)
    numbered = str(number)
    return changes.AppRef(app.domain, kind, owner.replace("{n}", numbered), app.type, app.name.replace("{n}", numbered))
