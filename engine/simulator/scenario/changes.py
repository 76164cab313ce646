"""What happens to a world by itself at a set time: limits that change, and another administrator's hand.

Each change is plain data, so that it can wait in a saved world; `kind` names it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from engine.core.desired import AppSpec
from engine.core.identity import OwnerKind
from engine.simulator.service import app_operations as apps
from engine.simulator.world.faults import FailureRule
from engine.simulator.world.records import DELETING, FAILED, app_id
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.service_error import ServiceError
from engine.simulator.world.values import Count, Number

if TYPE_CHECKING:
    from engine.simulator.world.records import AppId
    from engine.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class SetQuota:
    """A quota gets another value, in one account and region or everywhere."""

    name: str
    value: Count
    account: str = ""
    region: str = ""
    kind: Literal["set_quota"] = "set_quota"

    def apply(self, world: World) -> None:
        """Set it."""
        world.quotas.set(self.name, self.value, self.account, self.region)


@dataclass(frozen=True, slots=True)
class SetRequestLimit:
    """An operation gets another request limit; `rate` 0 lifts it."""

    operation: str
    rate: Number
    burst: Number = 1.0
    kind: Literal["set_request_limit"] = "set_request_limit"

    def apply(self, world: World) -> None:
        """Set it."""
        world.set_request_limit(self.operation, RequestLimit.of(self.rate, self.burst))


@dataclass(frozen=True, slots=True)
class SetFailures:
    """From now on these rules, and no others, say which new apps fail."""

    rules: tuple[FailureRule, ...]
    kind: Literal["set_failures"] = "set_failures"

    def apply(self, world: World) -> None:
        """Set them."""
        world.failures = list(self.rules)


@dataclass(frozen=True, slots=True)
class SetTrainingPlan:
    """A training plan gets more or fewer instances, or another status; None and empty leave it as it is."""

    arn: str
    total: Count | None = None
    available: Count | None = None
    status: str = ""
    kind: Literal["set_training_plan"] = "set_training_plan"

    def apply(self, world: World) -> None:
        """Set it; a plan that the world does not have stays unknown."""
        plan = world.training_plans.get(self.arn)
        if plan is None:
            return
        plan.total = plan.total if self.total is None else self.total
        plan.taken = plan.taken if self.available is None else max(plan.total - self.available, 0)
        plan.fixed_status = self.status or plan.fixed_status


@dataclass(frozen=True, slots=True)
class AppRef:
    """An app as a scenario names it."""

    domain_id: str
    owner_kind: OwnerKind
    owner: str
    app_type: str
    app_name: str

    def key(self) -> AppId:
        """Return its key."""
        return app_id(self.domain_id, self.owner_kind, self.owner, self.app_type, self.app_name)


@dataclass(frozen=True, slots=True)
class CreateForeignApp:
    """Another administrator makes an app, within the quotas; what the service would refuse does not happen."""

    app: AppRef
    instance_type: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    training_plan: str = ""
    kind: Literal["create_app"] = "create_app"

    def apply(self, world: World) -> None:
        """Make it."""
        domain = world.domains.get(self.app.domain_id)
        if domain is None:
            return
        spec = AppSpec(instance_type=self.instance_type or None, training_plan_arn=self.training_plan or None)
        try:
            apps.create_app(world, domain, self.app.key(), self.app.owner, spec, dict(self.tags))
        except ServiceError:
            return


@dataclass(frozen=True, slots=True)
class DeleteForeignApp:
    """Another administrator deletes an app, if it is alive."""

    app: AppRef
    kind: Literal["delete_app"] = "delete_app"

    def apply(self, world: World) -> None:
        """Delete it."""
        found = world.apps.get(self.app.key())
        if found is not None and found.is_alive and found.status != DELETING:
            apps.begin_delete(world, found)


@dataclass(frozen=True, slots=True)
class FailApp:
    """A live app ends Failed by itself, as after maintenance that went wrong."""

    app: AppRef
    reason: str = "InternalFailure"
    kind: Literal["fail_app"] = "fail_app"

    def apply(self, world: World) -> None:
        """Fail it."""
        found = world.apps.get(self.app.key())
        if found is not None and found.is_alive:
            found.failure_reason = self.reason
            world.set_app_status(found, FAILED)


SavedChange = Annotated[
    SetQuota | SetRequestLimit | SetFailures | SetTrainingPlan | CreateForeignApp | DeleteForeignApp | FailApp,
    Field(discriminator="kind"),
]
