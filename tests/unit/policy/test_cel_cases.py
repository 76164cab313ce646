"""Expressions as data: tests/cases/cel/*.toml, each with its result or what is said instead."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.policy.cel import Bindings, ExpressionError, Failed, environment_for
from engine.policy.compiler import scope_kind
from engine.policy.facts import facts_of, groups_of
from engine.policy.prices import PriceBook
from engine.policy.rules import Scope
from tests.fleets import an_app
from tests.unit.policy.helpers import PRICES, RESEARCH

FOLDER = Path(__file__).parents[2] / "cases" / "cel"
CASES: list[dict[str, Any]] = [
    {**case, "name": f"{file.stem}: {case['name']}"}
    for file in sorted(FOLDER.glob("*.toml"))
    for case in tomllib.loads(file.read_text())["case"]
]
BOOK = PriceBook((*PRICES, ("", "ml.g4dn.xlarge", 0.7)))

ALICE = an_app(
    "research/space/alice-lab/JupyterLab/default",
    "ml.g5.xlarge",
    fallback=("ml.g4dn.xlarge",),
    expires=date(2026, 12, 31),
    team="forecasting",
    image_arn="arn:aws:sagemaker:eu-west-1:885854791233:image/sagemaker-distribution-gpu",
    tags=(("cost-center", "4711"), ("pattern", "(broken"), ("team", "forecasting")),
)
BOB = an_app("research/user/bob/KernelGateway/nightly", "ml.t3.medium", team="forecasting")


def _bindings(scope: Scope) -> Bindings:
    environment = environment_for(scope_kind(scope))
    if scope is Scope.APP:
        return Bindings(environment, facts_of(ALICE, RESEARCH, BOOK))
    placed = [(ALICE, RESEARCH), (BOB, RESEARCH)]
    (group,) = groups_of(scope, placed, [RESEARCH])
    return Bindings(environment, group.values(BOOK, with_apps=True))


def test_there_are_at_least_sixty_expressions() -> None:
    assert len(CASES) >= 60
    assert all({"gives", "fails", "refused"} & case.keys() for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_expression_comes_to_what_its_case_says(case: dict[str, Any]) -> None:
    scope = Scope(case.get("scope", "app"))
    environment = environment_for(scope_kind(scope))
    if "refused" in case:
        with pytest.raises(ExpressionError) as refused:
            environment.compile(case["expr"])
        assert case["refused"] in str(refused.value)
        assert all(flaw.hint for flaw in refused.value.flaws)
        assert case.get("hint", "") in refused.value.flaws[0].hint
        return
    result = environment.compile(case["expr"]).run(_bindings(scope))
    if "fails" in case:
        assert isinstance(result, Failed)
        assert case["fails"] in result.why
    else:
        assert result is case["gives"]
