"""What a preflight asks over loopback: each thing once, and what may not be read fails nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.adapters.aws.ingredients import IngredientCalls
from engine.app.options import AppOptions
from engine.app.preflight import plan_with_preflight, preflight
from engine.core.preflight import Check, Result
from tests.unit.cli.test_preflight import FLEET, TROUBLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

ODD = """schema = 1
[[fault]]
kind = "error"
operation = "GetRole"
code = "ValidationError"
message = "odd"
[[fault]]
kind = "error"
operation = "DescribeDomain"
code = "AccessDeniedException"
message = "no"
[[fault]]
kind = "error"
operation = "DescribeImage"
code = "AccessDeniedException"
message = "nor this"
"""


def options(folder: Path, scenario: str = "") -> AppOptions:
    (folder / "fleet.toml").write_text(FLEET)
    (folder / "scenario.toml").write_text(scenario)
    simulate = str(folder / "scenario.toml") if scenario else ""
    return AppOptions(fleet_file=folder / "fleet.toml", simulate=simulate, run_id="r1")


def of(checks: tuple[Check, ...], result: Result) -> dict[str, str]:
    return {check.need.shown: check.why for check in checks if check.result is result}


async def test_each_distinct_thing_is_asked_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()
    for name in ("image", "image_version", "lifecycle_config", "domain_defaults", "role"):
        own = getattr(IngredientCalls, name)

        def counted(
            self: IngredientCalls, *words: object, own: Callable[..., object] = own, name: str = name
        ) -> object:
            calls[name] += 1
            return own(self, *words)

        monkeypatch.setattr(IngredientCalls, name, counted)
    found = await preflight(options(tmp_path), lambda _: None)
    assert found.summary == {"ok": 11, "fault": 0, "not_checked": 0}
    assert calls == {"image": 2, "image_version": 2, "lifecycle_config": 1, "domain_defaults": 1, "role": 1}


async def test_what_is_missing_is_a_fault_and_what_may_not_be_read_is_not(tmp_path: Path) -> None:
    asked = options(tmp_path, TROUBLE)
    found = await preflight(asked, lambda _: None)
    assert of(found.checks, Result.FAULT) == {
        "execution role lab": "execution role lab does not exist in account 111122223333",
        "version 3 of image kernels": (
            "version 3 of image kernels does not exist in account 111122223333, region eu-west-1"
        ),
    }
    (unread,) = of(found.checks, Result.NOT_CHECKED).items()
    assert unread[0] == "lifecycle configuration setup"
    assert "not authorized to perform: sagemaker:DescribeStudioLifecycleConfig" in unread[1]
    plan = await plan_with_preflight(asked, lambda _: None)
    assert [finding.rule for finding in plan.findings] == ["preflight", "preflight", "unchecked"]


async def test_one_refusal_ends_its_kind_and_an_odd_answer_its_own_alone(tmp_path: Path) -> None:
    found = await preflight(options(tmp_path, ODD), lambda _: None)
    unread = of(found.checks, Result.NOT_CHECKED)
    assert "GetRole failed with ValidationError: odd" in unread["execution role lab"]
    assert (
        unread["image kernels"]
        == unread["image science"]
        == "DescribeImage failed with AccessDeniedException: nor this"
    )
    assert "AccessDeniedException: no" in unread["attachment of image science to domain research"]
    assert not found.has_faults
