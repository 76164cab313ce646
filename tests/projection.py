"""What will be observed once a plan ran to its end: the other half of the law that a second plan has nothing to do.

Not a forecast: nothing fails here, and whatever is Pending stays so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.core.change import Action
from engine.core.drift import CLEARED, KERNEL_GATEWAY, SYSTEM, SYSTEM_KERNEL_GATEWAY_TYPE
from engine.core.observed import AppStatus, ObservedApp, ObservedFleet, Ownership

if TYPE_CHECKING:
    from engine.core.change import Change
    from engine.core.desired import AppSpec, DesiredApp
    from engine.core.identity import AppKey
    from engine.core.plan import Plan


def projected(observed: ObservedFleet, plan: Plan) -> ObservedFleet:
    """Return `observed` with every change of `plan` carried out: made apps in service, deleted ones as tombstones."""
    rows: dict[str, dict[AppKey, ObservedApp]] = {name: dict(domain.apps) for name, domain in observed.domains.items()}
    for change in plan.changes:
        _carry_out(rows[change.key.domain], change)
    return ObservedFleet({name: replace(domain, apps=rows[name]) for name, domain in observed.domains.items()})


def _carry_out(rows: dict[AppKey, ObservedApp], change: Change) -> None:
    before = change.before
    if change.action is Action.ADOPT and before is not None:
        rows[before.key] = replace(before, ownership=Ownership.OURS)
        return
    made = None if change.action is Action.DELETE else change.after
    if before is not None:
        del rows[before.key]  # it may be spelled in another way than the fleet spells it
        if made is None:
            rows[before.key] = replace(before, status=AppStatus.DELETED)
    if made is not None:
        generation = 0.0 if before is None else before.created_at
        rows[change.key] = _made(made, generation + 1.0)


def _made(app: DesiredApp, created_at: float) -> ObservedApp:
    return ObservedApp(app.key, AppStatus.IN_SERVICE, created_at, _shown(app), ownership=Ownership.OURS)


def _shown(app: DesiredApp) -> AppSpec:
    """Return the spec as ListApps would tell it: without tags, with what clears a field cleared."""
    spec = app.spec
    instance_type = spec.instance_type
    if app.key.app_type == KERNEL_GATEWAY and instance_type == SYSTEM:
        instance_type = SYSTEM_KERNEL_GATEWAY_TYPE
    return replace(
        spec,
        instance_type=instance_type,
        image_version_arn=None if spec.image_version_arn == CLEARED else spec.image_version_arn,
        lifecycle_config_arn=None if spec.lifecycle_config_arn == CLEARED else spec.lifecycle_config_arn,
        training_plan_arn=None if spec.training_plan_arn == CLEARED else spec.training_plan_arn,
        recovery_mode=None,
        tags=(),
    )
