"""What the models of a scenario file cannot say by themselves: what goes together, and what refers to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.config.reading.problems import Code, Place, Problems, nearest, one_of
from engine.core.training_plans import plan_arn
from engine.simulator.service.api import OPERATIONS

if TYPE_CHECKING:
    from engine.simulator.scenario.scenario_models import (
        AtTable,
        DomainTable,
        QuotaTable,
        ScenarioTables,
        TrainingPlanTable,
    )

_CHANGES: Final = ("quota", "request_limit", "failures", "training_plan", "create_app", "delete_app", "fail_app")
_SIMULATED: Final = (*sorted(OPERATIONS), "*")


def user_names(domain: DomainTable) -> list[str]:
    """Return the names of a domain's users, written out."""
    if isinstance(domain.users, list):
        return domain.users
    return [f"{domain.user_prefix}{number:05d}" for number in range(1, domain.users + 1)]


def check_scenario(tables: ScenarioTables, place: Place, problems: Problems) -> None:
    """Note every problem of a scenario that its models cannot see."""
    for operation in tables.request_limits:
        _check_operation(operation, place.at("request_limits", operation), problems)
    for number, quota in enumerate(tables.quota):
        _check_quota(quota, place.at("quota", number), problems)
    for number, at in enumerate(tables.at):
        _check_at(at, place.at("at", number), problems)
    for number, plan in enumerate(tables.training_plan):
        _check_plan(plan, place.at("training_plan", number), problems)
    seen: set[str] = set()
    for number, domain in enumerate(tables.domain):
        here = place.at("domain", number)
        if domain.id in seen:
            problems.error(Code.CONFLICT, here.at("id"), f"the domain {domain.id} is declared twice", "Merge the two")
        seen.add(domain.id)
        _check_domain(domain, here, problems)


def _check_operation(operation: str, place: Place, problems: Problems) -> None:
    if operation not in _SIMULATED:
        hint = nearest(operation, _SIMULATED) or f"The operations are {one_of(_SIMULATED)}"
        problems.error(Code.VALUE, place, "the simulator has no such operation", hint)


def _check_quota(quota: QuotaTable, place: Place, problems: Problems) -> None:
    if (quota.name is None) == (quota.app_type is None or quota.instance_type is None):
        problems.error(Code.VALUE, place, "a quota is named in one way", "Set name, or set app_type and instance_type")
    if (quota.account is None) != (quota.region is None):
        problems.error(Code.VALUE, place, "account and region go together", "Set both, or none of them for all")


def _check_plan(plan: TrainingPlanTable, place: Place, problems: Problems) -> None:
    if plan_arn(plan.arn) is None:
        problems.error(Code.VALUE, place.at("arn"), f"{plan.arn} names no training plan", "Write its ARN")
    if plan.available is not None and plan.available > plan.total:
        message = f"{plan.available:,} are available of {plan.total:,}"
        problems.error(Code.VALUE, place.at("available"), message, "Set total to what the plan has in all")
    if plan.ends is not None and plan.ends <= plan.starts:
        problems.error(Code.VALUE, place.at("ends"), "it ends before it starts", "Set ends to a later second")


def _check_at(at: AtTable, place: Place, problems: Problems) -> None:
    set_here = [name for name in _CHANGES if getattr(at, name) is not None]
    if len(set_here) != 1:
        problems.error(
            Code.VALUE, place, f"one change is wanted, and {len(set_here)} are here", f"Set one of {one_of(_CHANGES)}"
        )
    if at.quota is not None:
        _check_quota(at.quota, place.at("quota"), problems)
    if at.request_limit is not None:
        _check_operation(at.request_limit.operation, place.at("request_limit", "operation"), problems)
    for name in ("create_app", "delete_app", "fail_app"):
        if (app := getattr(at, name)) is not None:
            _check_owner(app.user, app.space, place.at(name), problems)


def _check_owner(user: str | None, space: str | None, place: Place, problems: Problems) -> None:
    if (user is None) == (space is None):
        problems.error(Code.OWNER, place, "an app belongs to a user or to a space", "Set user or space, one of them")


def _check_domain(domain: DomainTable, place: Place, problems: Problems) -> None:
    users = {name.lower() for name in user_names(domain)}
    spaces = {space.name for space in domain.space}
    if (per_user := domain.space_per_user) is not None:
        spaces |= {f"{name}{per_user.suffix}" for name in user_names(domain)}
    for number, space in enumerate(domain.space):
        if space.owner is not None and space.owner.lower() not in users:
            hint = nearest(space.owner, user_names(domain)) or "Add it to users"
            problems.error(Code.REFERENCE, place.at("space", number, "owner"), f"there is no user {space.owner}", hint)
    for number, app in enumerate(domain.app):
        here = place.at("app", number)
        _check_owner(app.user, app.space, here, problems)
        if app.user is not None and app.user.lower() not in users:
            problems.error(Code.REFERENCE, here.at("user"), f"there is no user {app.user}", "Add it to users")
        if app.space is not None and app.space not in spaces:
            problems.error(Code.REFERENCE, here.at("space"), f"there is no space {app.space}", "Add it to space")
