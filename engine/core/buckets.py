"""Which bucket an app counts against: that of its training plan, else that of its type and instance type.

Not here: how full a bucket is (`quota_fit`), and what waits for one (`executor.gate`).
"""

from __future__ import annotations

from engine.core.desired import AppSpec
from engine.core.drift import KERNEL_GATEWAY, SYSTEM, SYSTEM_KERNEL_GATEWAY_TYPE
from engine.core.identity import Lane, QuotaBucket
from engine.core.quota_text import quota_name
from engine.core.training_plans import plan_arn


def bucket_of(lane: Lane, app_type: str, spec: AppSpec, instance_type: str | None = None) -> QuotaBucket:
    """Return the bucket of an app with this spec; `instance_type` stands for the spec's own where it is given."""
    arn = spec.training_plan_arn
    if arn is not None and plan_arn(arn) is not None:
        return QuotaBucket(*lane, "", "", arn)
    machine = (spec.instance_type if instance_type is None else instance_type) or ""
    if app_type == KERNEL_GATEWAY and machine == SYSTEM:
        machine = SYSTEM_KERNEL_GATEWAY_TYPE  # the service translates it, and counts it as that
    return QuotaBucket(*lane, app_type, machine)


def has_limit(bucket: QuotaBucket) -> bool:
    """Whether it can be asked how much room a bucket has: it is a training plan, or has a quota that is known."""
    return bool(bucket.training_plan or quota_name(bucket.app_type, bucket.instance_type))
