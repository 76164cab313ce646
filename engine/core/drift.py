"""Where an observed app differs from the desired one, field by field.

Only declared fields are compared, and only those that ListApps tells. What the service fills in, and tags
that somebody added, are never drift.
"""

from __future__ import annotations

from typing import Final

from engine.core.desired import COMPARED_FIELDS, AppSpec, DesiredApp

CLEARED: Final = "None"  # the service's own word for "no image version" and "no lifecycle configuration"
KERNEL_GATEWAY: Final = "KernelGateway"
SYSTEM: Final = "system"
SYSTEM_KERNEL_GATEWAY_TYPE: Final = "ml.t3.medium"  # what the service makes of `system` there


def instance_types_in_sync(app: DesiredApp) -> tuple[str, ...]:
    """Return the observed instance types that satisfy `app`; empty when it declares none."""
    declared = app.spec.instance_type
    if declared is None:
        return ()
    accepted = (declared, *app.fallback)
    if app.key.app_type == KERNEL_GATEWAY and SYSTEM in accepted:
        accepted = (*accepted, SYSTEM_KERNEL_GATEWAY_TYPE)
    return accepted


def differing_fields(app: DesiredApp, observed: AppSpec) -> tuple[str, ...]:
    """Name the declared fields of `app` that `observed` does not satisfy, in the order of COMPARED_FIELDS."""
    declared = app.spec
    differs: list[str] = []
    for name in COMPARED_FIELDS:
        wanted = getattr(declared, name)
        if wanted is None:
            continue
        seen = getattr(observed, name)
        if name == "instance_type":
            if seen not in instance_types_in_sync(app):
                differs.append(name)
        elif seen != wanted and not (wanted == CLEARED and seen is None):
            differs.append(name)
    return tuple(differs)
