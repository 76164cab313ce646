from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core.desired import COMPARED_FIELDS, AppSpec
from engine.core.drift import differing_fields, instance_types_in_sync
from tests.fleets import KERNEL, LAB, an_app

ONE, TWO = "arn:aws:sagemaker:eu-west-1:1:thing/one", "arn:aws:sagemaker:eu-west-1:1:thing/two"


def _with(name: str, value: Any) -> AppSpec:
    return replace(AppSpec(), **{name: value})


@pytest.mark.parametrize("name", COMPARED_FIELDS)
def test_each_compared_field_is_drift_when_it_differs_or_is_missing(name: str) -> None:
    told: dict[str, Any] = {name: ONE}
    app = an_app(LAB, **{"instance_type": None, **told})
    assert differing_fields(app, _with(name, ONE)) == ()
    assert differing_fields(app, _with(name, TWO)) == (name,)
    assert differing_fields(app, AppSpec()) == (name,)


def test_what_is_not_declared_is_never_compared() -> None:
    seen = AppSpec("ml.m5.large", ONE, ONE, "1.0", ONE, recovery_mode=True, tags=(("a", "b"),))
    assert differing_fields(an_app(LAB, None), seen) == ()


def test_tags_and_recovery_mode_are_never_compared() -> None:
    app = an_app(LAB, None, recovery_mode=True, tags=(("a", "b"),))
    assert differing_fields(app, AppSpec()) == ()


def test_differences_are_named_in_the_order_of_the_fields() -> None:
    app = an_app(LAB, "ml.t3.medium", lifecycle_config_arn=ONE, image_arn=ONE)
    assert differing_fields(app, AppSpec()) == ("instance_type", "image_arn", "lifecycle_config_arn")


@pytest.mark.parametrize("name", ["image_version_arn", "lifecycle_config_arn", "training_plan_arn"])
def test_none_in_quotes_clears_a_field_and_is_satisfied_by_nothing(name: str) -> None:
    told: dict[str, Any] = {name: "None"}
    app = an_app(LAB, None, **told)
    assert differing_fields(app, AppSpec()) == ()
    assert differing_fields(app, AppSpec(**told)) == ()
    assert differing_fields(app, _with(name, ONE)) == (name,)


def test_a_fallback_type_is_in_sync_and_others_are_not() -> None:
    app = an_app(LAB, "ml.g5.xlarge", fallback=["ml.g4dn.xlarge"])
    assert instance_types_in_sync(app) == ("ml.g5.xlarge", "ml.g4dn.xlarge")
    assert differing_fields(app, AppSpec("ml.g4dn.xlarge")) == ()
    assert differing_fields(app, AppSpec("ml.t3.medium")) == ("instance_type",)


def test_a_fallback_without_an_instance_type_compares_nothing() -> None:
    assert instance_types_in_sync(an_app(LAB, None, fallback=["ml.g4dn.xlarge"])) == ()


def test_system_is_ml_t3_medium_to_kernel_gateway_alone() -> None:
    assert "ml.t3.medium" in instance_types_in_sync(an_app(KERNEL, "system"))
    assert "ml.t3.medium" in instance_types_in_sync(an_app(KERNEL, "ml.m5.large", fallback=["system"]))
    assert "ml.t3.medium" not in instance_types_in_sync(an_app(KERNEL, "ml.m5.large"))
    assert "ml.t3.medium" not in instance_types_in_sync(an_app(LAB, "system"))
