"""The shape of an app: what decides, beside whose it is, whether it gets into service.

Apps of one shape start alike, so the first of them speaks for the others. A kind is a shape without its machine: an
image or a lifecycle configuration that is broken is so on every instance type.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Final, NamedTuple

from engine.core.desired import AppSpec
from engine.core.drift import KERNEL_GATEWAY, SYSTEM, SYSTEM_KERNEL_GATEWAY_TYPE
from engine.core.identity import Lane
from engine.core.limits import SHAPES_CACHED_MAX_COUNT
from engine.core.text import clean

_ID_DIGITS: Final = 16


class Kind(NamedTuple):
    """An app type with its image and lifecycle configuration, in one account and region. Empty: not declared."""

    lane: Lane
    app_type: str
    image: str
    version: str
    alias: str
    lifecycle_config: str

    def __str__(self) -> str:
        """Return `JupyterLab, image gpu, lifecycle config setup`, for people."""
        image = _name_of(self.version or self.image) + (f":{self.alias}" if self.alias else "")
        parts = (
            self.app_type,
            f"image {image}" if image else "",
            f"lifecycle config {_name_of(self.lifecycle_config)}" if self.lifecycle_config else "",
        )
        return clean(", ".join(part for part in parts if part))


class Shape(NamedTuple):
    """A kind with its training plan and the family of its instance type. Empty: not declared."""

    kind: Kind
    training_plan: str
    family: str

    @property
    def id(self) -> str:
        """What a journal knows it by: its lane and 16 hexadecimal digits, the same in every run."""
        return _id_of(self)

    @property
    def names_image(self) -> bool:
        """Whether the fleet names an image: what is wrong with one may look like the service's own fault."""
        return bool(self.kind.image or self.kind.version)

    def __str__(self) -> str:
        """Return the kind and `family g5`, for people; without a declared type it says so, unlike the kind."""
        plan = f", training plan {_name_of(self.training_plan)}" if self.training_plan else ""
        return f"{self.kind}{plan}, " + (f"family {clean(self.family)}" if self.family else "no instance type")


def shape_of(lane: Lane, app_type: str, spec: AppSpec) -> Shape:
    """Return the shape of an app that is declared, or observed, so."""
    kind = Kind(
        lane,
        app_type,
        spec.image_arn or "",
        spec.image_version_arn or "",
        spec.image_version_alias or "",
        spec.lifecycle_config_arn or "",
    )
    return Shape(kind, spec.training_plan_arn or "", family_of(app_type, spec.instance_type or ""))


def lane_of(shape_id: str) -> Lane | None:
    """Return the lane of the id of a shape; None for any other text."""
    parts = shape_id.split("/")
    return Lane(parts[0], parts[1]) if len(parts) == 3 else None


def family_of(app_type: str, instance_type: str) -> str:
    """Return `g5` of `ml.g5.xlarge`; another text as it is."""
    if app_type == KERNEL_GATEWAY and instance_type == SYSTEM:
        instance_type = SYSTEM_KERNEL_GATEWAY_TYPE
    parts = instance_type.split(".")
    return parts[1] if len(parts) > 2 else instance_type


@lru_cache(maxsize=SHAPES_CACHED_MAX_COUNT)
def _id_of(shape: Shape) -> str:
    return f"{shape.kind.lane}/{hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:_ID_DIGITS]}"


def _name_of(arn: str) -> str:
    """Return what an ARN names: the last part without the kind before its first slash."""
    last = arn.split(":", 5)[-1]
    return last.partition("/")[2] or last
