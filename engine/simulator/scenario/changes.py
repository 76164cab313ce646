"""What happens to a world by itself at a set time: limits that change, and another administrator's hand.

Each change is plain data, so that it can wait in a saved world.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from engine.core.desired import AppSpec
from engine.core.identity import SPACE, USER
from engine.simulator.scenario.snapshot_values import checked, text
from engine.simulator.service import app_operations as apps
from engine.simulator.world.faults import FailureRule
from engine.simulator.world.records import DELETING, FAILED, app_id
from engine.simulator.world.request_limit import RequestLimit
from engine.simulator.world.service_error import ServiceError

if TYPE_CHECKING:
    from engine.core.identity import OwnerKind
    from engine.simulator.world.records import AppId
    from engine.simulator.world.world import Change, World


@dataclass(frozen=True, slots=True)
class SetQuota:
    """A quota gets another value, in one account and region or everywhere."""

    kind: ClassVar[str] = "set_quota"
    name: str
    value: int
    account: str = ""
    region: str = ""

    def apply(self, world: World) -> None:
        """Set it."""
        world.quotas.set(self.name, self.value, self.account, self.region)


@dataclass(frozen=True, slots=True)
class SetRequestLimit:
    """An operation gets another request limit; `rate` 0 lifts it."""

    kind: ClassVar[str] = "set_request_limit"
    operation: str
    rate: float
    burst: float = 1.0

    def apply(self, world: World) -> None:
        """Set it."""
        limit = RequestLimit(self.rate, self.burst) if self.rate > 0 else None
        world.set_request_limit(self.operation, limit)


@dataclass(frozen=True, slots=True)
class SetFailures:
    """From now on these rules, and no others, say which new apps fail."""

    kind: ClassVar[str] = "set_failures"
    rules: tuple[FailureRule, ...]

    def apply(self, world: World) -> None:
        """Set them."""
        world.failures = list(self.rules)


@dataclass(frozen=True, slots=True)
class AppRef:
    """An app as a scenario names it."""

    domain_id: str
    owner_kind: str
    owner: str
    app_type: str
    app_name: str

    def key(self) -> AppId:
        """Return its key."""
        kind: OwnerKind = SPACE if self.owner_kind == SPACE else USER
        return app_id(self.domain_id, kind, self.owner, self.app_type, self.app_name)


@dataclass(frozen=True, slots=True)
class CreateForeignApp:
    """Another administrator makes an app, within the quotas; what the service would refuse does not happen."""

    kind: ClassVar[str] = "create_app"
    app: AppRef
    instance_type: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    def apply(self, world: World) -> None:
        """Make it."""
        domain = world.domains.get(self.app.domain_id)
        if domain is None:
            return
        spec = AppSpec(instance_type=self.instance_type or None)
        try:
            apps.create_app(world, domain, self.app.key(), self.app.owner, spec, dict(self.tags))
        except ServiceError:
            return


@dataclass(frozen=True, slots=True)
class DeleteForeignApp:
    """Another administrator deletes an app, if it is alive."""

    kind: ClassVar[str] = "delete_app"
    app: AppRef

    def apply(self, world: World) -> None:
        """Delete it."""
        found = world.apps.get(self.app.key())
        if found is not None and found.is_alive and found.status != DELETING:
            apps.begin_delete(world, found)


@dataclass(frozen=True, slots=True)
class FailApp:
    """A live app ends Failed by itself, as after maintenance that went wrong."""

    kind: ClassVar[str] = "fail_app"
    app: AppRef
    reason: str = "InternalFailure"

    def apply(self, world: World) -> None:
        """Fail it."""
        found = world.apps.get(self.app.key())
        if found is not None and found.is_alive:
            found.failure_reason = self.reason
            world.set_app_status(found, FAILED)


_KINDS: Final[dict[str, type[Any]]] = {
    kind.kind: kind for kind in (SetQuota, SetRequestLimit, SetFailures, CreateForeignApp, DeleteForeignApp, FailApp)
}


def change_to_json(change: Change) -> dict[str, Any]:
    """Return a change as plain values. `change` is one of this module's."""
    kind: str = change.kind  # type: ignore[attr-defined]
    return {"kind": kind, **asdict(change)}  # type: ignore[call-overload]


def change_from_json(values: dict[str, Any]) -> Change:
    """Return the change back. Raises KeyError or TypeError for what is not one."""
    fields = dict(values)
    kind = _KINDS[fields.pop("kind")]
    if "app" in fields:
        fields["app"] = checked(AppRef(**fields["app"]))
    if "rules" in fields:
        fields["rules"] = tuple(checked(FailureRule(**rule)) for rule in fields["rules"])
    if "tags" in fields:
        fields["tags"] = tuple((text(key), text(value)) for key, value in fields["tags"])
    change: Change = checked(kind(**fields))
    return change
