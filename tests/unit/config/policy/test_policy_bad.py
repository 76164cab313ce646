"""Broken policy files, each a folder of tests/cases/policy_bad with what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.policy.policy_file import load_policies
from engine.core.errors import ExitCode, PolicyError

FOLDER = Path(__file__).parents[3] / "cases" / "policy_bad"
CASES = sorted(path for path in FOLDER.iterdir() if path.is_dir())


def test_there_are_at_least_twenty_five() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_policy_is_refused_with_every_problem_its_line_and_a_hint(
    case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case)
    with pytest.raises(PolicyError) as raised:
        load_policies(sorted(Path().glob("*.toml")), Path())
    error = raised.value
    said = "".join(f"{problem.render()}\n" for problem in error.diagnostics)
    assert said == (case / "expected.txt").read_text()
    assert error.exit_code is ExitCode.USAGE
    assert all(problem.line > 0 and problem.hint for problem in error.diagnostics)
