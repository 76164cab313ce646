"""The table in the executor's README is what the code does."""

from __future__ import annotations

from pathlib import Path

from tests.architecture.course_table import rows

README = Path(__file__).resolve().parents[2] / "engine" / "executor" / "README.md"


def test_the_table_of_the_readme_is_what_the_code_does() -> None:
    lines = README.read_text("utf-8").splitlines()
    first = lines.index("| phase | what came | next |") + 2
    shown = [line for line in lines[first:] if line.startswith("|")]
    assert shown == [str(row) for row in rows()]
