"""Who says a finding: no check of appfleet's own is shown as a rule that somebody wrote."""

from __future__ import annotations

import ast
import importlib
from typing import TYPE_CHECKING, Final

import pytest

from engine.core.decision import Guard
from engine.core.facts import TAGS_RULE
from engine.core.finding import Finding
from engine.render.findings_text import CHECK_NAMES, findings_block, origin_of
from engine.render.layout import Paint
from tests.architecture.files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# What stands for the name of a rule where it is no constant; a new form belongs here, with the names that it can be.
_NAMES: Final = {
    "core.planner: guard.value": [guard.value for guard in Guard],
    "core.facts: rule": [TAGS_RULE, "quotas"],
    # Of somebody's rule, of a guardrail, or read back.
    "core.plan_json: rule": [],
    "adapters.state.timeline_reader: str(rule)": [],
    "policy.admission: rule.id": [],
    "policy.admission: priority.path": [],
    "policy.guardrails: f'safety.{limit}'": [],
    "policy.gate: rule": [],
    "core.freeze: f'safety.{FREEZE_RULE}'": [],
}
_SOURCE_AT: Final = 4  # among the arguments


def checks() -> Iterator[tuple[str, bool]]:
    """Yield the name of each check in the code, and whether it says its place in a file."""
    for path in sorted((ROOT / "engine").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "Finding(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding":
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                for name in names_of(node.args[0], module):
                    yield name, len(node.args) > _SOURCE_AT or any(word.arg == "source" for word in node.keywords)


def names_of(rule: ast.expr, module: str) -> list[str]:
    """Return what the first argument of a Finding can be, of what we wrote ourselves."""
    if isinstance(rule, ast.Constant):
        return [str(rule.value)]
    if isinstance(rule, ast.Name) and isinstance(name := getattr(importlib.import_module(module), rule.id, None), str):
        return [name]
    return _NAMES[f"{module.removeprefix('engine.')}: {ast.unparse(rule)}"]


CHECKS: Final = sorted(set(checks()))


def test_the_checks_are_found() -> None:
    assert {"convergence", "files", "half_replaced", "sso", "tags"} <= {name for name, _ in CHECKS} <= set(CHECK_NAMES)


@pytest.mark.parametrize(("name", "has_place"), CHECKS)
def test_no_check_is_shown_as_a_rule(name: str, has_place: bool) -> None:
    place = "teams/vision.toml:4" if has_place else ""
    assert origin_of(name, place) == f"check: {CHECK_NAMES[name]}" + (f" ({place})" if place else "")


def test_a_rule_of_that_name_has_its_place() -> None:
    assert origin_of("quota", "policies/rules.toml:3") == "rule quota (policies/rules.toml:3)"
    assert origin_of("safety.create_max", "") == "guardrail [safety].create_max"


def test_a_message_that_speaks_of_one_is_said_of_each() -> None:
    said = [
        Finding("adopt", "skip", f"d/user/u{n}/Canvas/default", "not adopted: its tags could not be read") for n in "ab"
    ]
    assert "skip each of 2 apps: not adopted: its tags could not be read\n" in findings_block(said, Paint(on=False))
    assert "skip d/user/ua/Canvas/default: not adopted" in findings_block(said[:1], Paint(on=False))
