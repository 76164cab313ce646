"""Every fault that strangers found is listed in docs/faults.md with tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Final

import pytest

from tests.architecture.files import ROOT

_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")  # a whole file where all of it shows the fault
_ROW: Final = re.compile(r"^\| ([A-Z]{1,2}\d{0,2}(?: \w+)?) \|", re.MULTILINE)
# As they were reported: safety, attacks, the service, operators.
_SAFETY: Final = ("T1", "T2", *(f"F{n}" for n in range(1, 8)), "S1 seed", "S2 seed", *(f"R{n}" for n in range(1, 5)))
_ATTACKS: Final = tuple(f"K{n}" for n in range(1, 30))
_SERVICE: Final = tuple("ABCDEFGHIJKLMNOPQ")
_OPERATORS: Final = ("B1", "B2", "B3", *(f"S{n}" for n in range(1, 18)), *(f"A{n}" for n in range(1, 21)))
FAULTS: Final = (*_SAFETY, *_ATTACKS, *_SERVICE, *_OPERATORS)


@cache
def _page() -> str:
    return (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


@cache
def _names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )


def test_every_reported_fault_has_one_row() -> None:
    assert sorted(_ROW.findall(_page())) == sorted(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_row_names_tests_that_exist_or_the_reason_why_not(fault: str) -> None:
    row = next(line for line in _page().splitlines() if line.startswith(f"| {fault} |"))
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 5, row
    shown = _TEST.findall(cells[3])
    assert shown or cells[3].startswith("open: "), row
    for path, name in shown:
        names = _names_in(path)
        assert name in names if name else any(one.startswith("test_") for one in names), f"{path} has no {name}"
