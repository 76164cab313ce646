"""Every row of docs/failures.md says what is done and which test shows it, and that test is there and says so too."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Final

import pytest

from tests.architecture.files import ROOT

ROWS: Final = range(1, 58)
_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_MARK: Final = re.compile(r"\brows? ((?:\d+(?:, and |, | and )?)+)", re.IGNORECASE)


@cache
def _table() -> dict[int, list[str]]:
    page = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if re.match(r"\| \d+ \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {int(row[0]): row[1:] for row in cells}


@cache
def _tests_of(path: str) -> dict[str, set[int]]:
    """Return the tests of a file with the rows that each one says it shows."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {
        node.name: {
            int(number) for rows in _MARK.findall(ast.get_docstring(node) or "") for number in re.findall(r"\d+", rows)
        }
        for node in found
    }


def test_every_row_is_there_once_and_in_order() -> None:
    page = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_shown_by_tests_that_say_so_or_says_why_not(row: int) -> None:
    what, done, *shown = _table()[row]
    assert what
    named = _TEST.findall(" ".join(shown))
    if not named:
        assert re.match(r"(not built yet: issue \d+|outside)", shown[0] if shown else done)
    for path, name in named:
        assert row in _tests_of(path).get(name, set()), f"{path}::{name} does not say that it shows row {row}"
