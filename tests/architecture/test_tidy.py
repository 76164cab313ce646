"""The habits of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from engine.core import limits, settings
from tests.architecture.files import ROOT, engine_modules, name_of, own_modules, own_texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULE_MAX_LINES = 400
FUNCTION_MAX_LINES = 60
# Texts written in two pieces, so that this file is none of those that it finds.
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+|Us" + r"ers)/")
INDEX_ADDRESSES = re.compile(
    r"pypi\." + r"org|files\.python" + r"hosted|--index" + r"-url|--extra-index" + r"-url|find-" + r"links",
    re.IGNORECASE,
)
UNITS = (
    "_BYTES", "_CHARS", "_COUNT", "_DEPTH", "_ITEMS", "_LINES", "_PERCENT", "_PER_SECOND", "_ROWS", "_SECONDS", "_YEAR",
    "_SHARE", "_USD", "_FACTOR", "_PAGES", "_MS", "_DAYS",
)  # fmt: skip
WITHOUT_UNIT = frozenset({"COUNT", "SHARE", "QUARANTINE_AFTER", "CONCURRENCY", "HOURLY_USD", "PRIORITY_WEIGHT"})


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")  # some cases are wrong on purpose


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(_text(path))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", engine_modules(), ids=name_of)
def test_a_module_fits_into_a_head(path: Path) -> None:
    lines = _text(path).count("\n")
    assert lines < MODULE_MAX_LINES


@pytest.mark.parametrize("path", engine_modules(), ids=name_of)
def test_a_function_fits_onto_a_screen(path: Path) -> None:
    sizes = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in _functions(path)}
    assert {name: size for name, size in sizes.items() if size >= FUNCTION_MAX_LINES} == {}


@pytest.mark.parametrize("path", engine_modules(), ids=name_of)
def test_a_module_says_what_it_is(path: Path) -> None:
    text = ast.get_docstring(_parsed(path)) or ""
    assert len(text) > 20


def test_nothing_is_left_unfinished() -> None:
    found = [name_of(path) for path in own_modules() if UNFINISHED.search(_text(path))]
    assert found == []


def test_nothing_speaks_of_the_machine_that_it_was_written_on() -> None:
    found = [name_of(path) for path in own_texts() if MACHINE_PATHS.search(_text(path))]
    assert found == []


def test_no_package_index_is_named() -> None:
    found = [name_of(path) for path in own_texts() if INDEX_ADDRESSES.search(_text(path))]
    assert found == []


def test_the_engine_prints_through_one_module_alone() -> None:
    found = [
        name_of(path)
        for path in engine_modules()
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "input"}
    ]
    assert found == []


def test_the_engine_sleeps_in_no_thread_of_its_own() -> None:
    found = [name_of(path) for path in engine_modules() if re.search(r"\btime\.sleep\(", _text(path))]
    assert found == []


def test_every_fixed_bound_has_its_unit_last_in_its_name() -> None:
    names = [name for name, value in vars(limits).items() if name.isupper() and isinstance(value, int | float)]
    assert len(names) > 30
    assert [name for name in names if not name.endswith(UNITS)] == []


def test_every_settable_bound_has_its_unit_last_in_its_name() -> None:
    names = {name for name, value in vars(settings).items() if isinstance(value, settings.Bound)}
    assert {name for name in names - WITHOUT_UNIT if not name.endswith(UNITS)} == set()


def test_no_noqa_without_a_rule() -> None:
    found = [
        name_of(path) for path in own_modules() if re.search(r"#\s*noqa\s*(?:$|[^:\s])", _text(path), re.MULTILINE)
    ]
    assert found == []


def test_the_licence_is_there() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_no_statement_numbers_its_parameters() -> None:
    """Some versions of Python take ?1 for a name, and warn of values that come in order."""
    numbered = re.compile(r"\?" + r"\d")
    assert [
        path.name for path in engine_modules() if path.parent.name == "state" and numbered.search(_text(path))
    ] == []
