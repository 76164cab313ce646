"""docs/policies.md says what is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from engine.config.policy.policy_file import load_policies
from engine.config.policy.policy_tests import load_policy_tests
from engine.core import limits
from engine.policy.cel import environment_for
from engine.policy.facts import APP_TYPES, GROUP_TYPES
from engine.policy.judge import Verdict
from engine.policy.rules import Enforcement, Scope

ROOT = Path(__file__).parents[4]
TEXT = (ROOT / "docs" / "policies.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_every_example_of_a_policy_is_a_policy(tmp_path: Path) -> None:
    rules = "\n".join(block for block in BLOCKS if "[[test]]" not in block)
    (tmp_path / "all.toml").write_text(rules)
    loaded = load_policies([Path("all.toml")], tmp_path)
    assert [rule.id for rule in loaded.rules] == ["approved-instance-types", "default-lab-size"]


def test_the_example_of_a_test_is_one(tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if "[[test]]" in block]
    (tmp_path / "x.test.toml").write_text(block)
    assert len(load_policy_tests([Path("x.test.toml")], tmp_path)) == 2


def test_every_name_of_expressions_is_explained() -> None:
    for name in (*APP_TYPES, *GROUP_TYPES):
        assert re.search(rf"^\|[^|]*`{name}`", TEXT, re.MULTILINE), name


def test_every_enforcement_scope_and_verdict_is_explained() -> None:
    for word in (*Enforcement, *Scope, *(verdict for verdict in Verdict if verdict is not Verdict.NOT_ASKED)):
        assert f"`{word}`" in TEXT


def test_the_bounds_are_those_of_the_product() -> None:
    for bound in (limits.EXPRESSION_MAX_CHARS, limits.EXPRESSION_NESTING_MAX_DEPTH, limits.MACRO_MAX_ITEMS):
        assert f"{bound:,}" in TEXT


EXPRESSIONS = re.findall(r"^\| [^|`]+ \| `(.*?)`(?: \(.*\))? \|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("written", EXPRESSIONS)
def test_every_expression_that_is_shown_compiles(written: str) -> None:
    expression = written.replace("\\|", "|")
    scope = Scope.FLEET if "apps" in expression or "count" in expression else Scope.APP
    assert environment_for(scope).compile(expression).text == expression


def test_all_shown_expressions_are_found() -> None:
    assert len(EXPRESSIONS) == 9


def test_the_shipped_files_write_out_what_the_document_points_to() -> None:
    shipped = tomllib.loads((ROOT / "policies" / "execution.toml").read_text())
    assert shipped.keys() == {"execution", "backoff", "observe", "safety", "tolerance", "owners"}
