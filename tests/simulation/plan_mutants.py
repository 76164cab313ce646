"""Deliberate bugs about training plans: what cannot run is sent, and a full plan is taken for a full quota."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from engine.core import draft
from engine.core.buckets import bucket_of
from engine.executor.kinds import apps


def sent_to_an_ended_plan() -> Any:
    """Send apps to training plans whatever is known of these."""
    return patch.object(draft, "without_unusable", lambda plan, *_: plan)


def plan_is_no_bucket() -> Any:
    """Count an app on a training plan against the quota of its type."""

    def without_plan(lane: Any, app_type: str, spec: Any, instance_type: str | None = None) -> Any:
        return bucket_of(lane, app_type, spec, instance_type)._replace(
            app_type=app_type, instance_type=spec.instance_type or "", training_plan=""
        )

    return patch.object(apps, "bucket_of", without_plan)
