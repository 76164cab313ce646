"""The table in the executor's README is what the code does."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from tests.architecture.course_table import rows

README = Path(__file__).resolve().parents[2] / "engine" / "executor" / "README.md"


def test_the_table_of_the_readme_is_what_the_code_does() -> None:
    lines = README.read_text("utf-8").splitlines()
    first = lines.index("| phase | what came | next |") + 2
    shown = [line for line in lines[first:] if line.startswith("|")]
    assert shown == [str(row) for row in rows()]


def test_each_stop_of_the_walks_is_a_function_and_there_are_at_most_eight() -> None:
    text = (README.parents[2] / "ARCHITECTURE.md").read_text("utf-8")
    walks = text.partition("### Two walks")[2].partition("\n## ")[0].split("\n\n1. ")[1:]
    assert len(walks) == 2
    for walk in walks:
        stops = re.findall(r"^\d?\.? ?`([\w.]+)`: ", walk, flags=re.MULTILINE)
        assert 5 <= len(set(stops)) == len(stops) <= 8
        assert all(map(_is_function, stops)), stops


def _is_function(stop: str) -> bool:
    modules = [part for part in stop.split(".") if part.islower()]
    *path, name = stop.split(".")
    for cut in range(len(modules), 0, -1):
        try:
            found: object = importlib.import_module("engine." + ".".join(path[:cut]))
        except ModuleNotFoundError:
            continue
        for part in (*path[cut:], name):
            found = getattr(found, part, None)
        return callable(found) or isinstance(found, property)
    return False


def test_nothing_asks_of_which_kind_an_operation_is() -> None:
    asking = re.compile(r"isinstance\([^)]*Operation\b|\btype\([^)]*\) (?:is|==) \w*Operation\b")
    found = [path.name for path in sorted(README.parent.rglob("*.py")) if asking.search(path.read_text("utf-8"))]
    assert found == []


def test_no_module_of_the_executor_has_a_twin_for_owners() -> None:
    """Two listings are read in two ways, and nothing else is written twice."""
    names = {path.stem for path in README.parent.glob("*.py")}
    twins = {name for name in names if name.startswith("owner_") and name.removeprefix("owner_") in names}
    assert twins == {"owner_scan"}
