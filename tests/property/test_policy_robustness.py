"""Whatever stands in a policy, it is taken or refused in our own words: nothing hangs, crashes or leaks through."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.config.policy.policy_file import LoadedPolicies, load_policies
from engine.core.durations import format_duration, parse_duration
from engine.core.errors import PolicyError
from engine.core.text import is_safe
from engine.policy.cel import Bindings, ExpressionError, Failed, environment_for
from engine.policy.facts import APP_TYPES, facts_of
from engine.policy.prices import PriceBook
from engine.policy.rules import Scope
from engine.policy.template import TemplateError, parse_template
from tests.fleets import an_app
from tests.unit.policy.helpers import RESEARCH

if TYPE_CHECKING:
    from engine.core.diagnostics import Diagnostic
    from engine.policy.cel_messages import Flaw

NAMES = (*APP_TYPES, "true", "false", "null", "has", "all", "exists", "map", "filter", "size", "matches", "timestamp")
SIGNS = ("==", "!=", "<", "&&", "||", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}", "+", "-", "%", ".?", "[?")
LITERALS = ("1", "2.5", "3u", '"a"', "'b'", 'r"c"', "in")
WORDS = (*NAMES, *SIGNS, *LITERALS)
FACTS = facts_of(an_app(tags=(("a", "b"),), fallback=("ml.m5.large",)), RESEARCH, PriceBook(()))


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
@example("true" + " && true" * 300)
@example("\N{ZERO WIDTH SPACE}")
def test_any_text_is_an_expression_or_is_refused_with_a_hint(text: str) -> None:
    environment = environment_for(Scope.APP)
    flaws: tuple[Flaw, ...] = ()
    try:
        result = environment.compile(text).run(Bindings(environment, FACTS))
    except ExpressionError as error:
        flaws = error.flaws
        result = Failed(str(error))
    assert result is True or result is False or (isinstance(result, Failed) and is_safe(result.why))
    assert all(flaw.hint and is_safe(flaw.text()) for flaw in flaws)


@given(st.text(max_size=40) | st.lists(st.sampled_from(("{", "}", "{team}", "{x}", "a")), max_size=8).map("".join))
def test_any_text_is_a_message_or_is_refused(text: str) -> None:
    try:
        shown = parse_template(text, APP_TYPES).fill(FACTS)
    except TemplateError as error:
        shown = f"{error.message}. {error.hint}"
    assert is_safe(shown)


def _load(*texts: str) -> LoadedPolicies:
    with TemporaryDirectory() as folder:
        files = []
        for number, text in enumerate(texts):
            files.append(Path(f"p{number}.toml"))
            (Path(folder) / files[-1]).write_text(text, encoding="utf-8", newline="")
        return load_policies(files, Path(folder))


TABLES = {
    "[execution]": ("create_rate = 2", 'deadline = "3h"', "concurrency = 1", "create_rate_max = 50.0", "x = 1"),
    "[safety]": ("destroy_max = 3", 'replace = "never"', "prune = true", "hourly_usd_max = nan"),
    "[backoff.transient]": ('initial = "1s"', "factor = 3.0", 'max = "1ms"'),
    "[prices]": ('"ml.t3.medium" = 1', "x = 2", '"ml.m5.large" = {}'),
    "[[rule]]": ('id = "a"', 'enforcement = "skip"', "check = 'true'", "match = 'x'", "set = {}", 'scope = "team"'),
    "[[exception]]": ('rule = "a"', "match = 'true'", 'reason = "r"', "expires = 2026-12-31"),
    "[[priority]]": ("match = 'team'", "weight = 1", "match = 'priced'"),
}


@st.composite
def policy_texts(draw: st.DrawFn) -> str:
    lines: list[str] = []
    for head in draw(st.lists(st.sampled_from(sorted(TABLES)), max_size=5)):
        lines += [head, *draw(st.lists(st.sampled_from(TABLES[head]), max_size=5, unique=True))]
    return "\n".join(lines)


@given(st.lists(policy_texts() | st.text(st.characters(codec="utf-8"), max_size=40), max_size=3))
def test_any_text_is_a_policy_or_is_refused_with_a_line_and_a_hint(texts: list[str]) -> None:
    problems: tuple[Diagnostic, ...] = ()
    try:
        loaded = _load(*texts)
    except PolicyError as error:
        problems = error.diagnostics
        loaded = None
    assert (loaded is None) == bool(problems)
    assert all(problem.hint and is_safe(problem.render()) for problem in problems)


@given(st.permutations(["[execution]\nread_rate = 3", "[safety]\nprune = true", "[observe]\nfirst_after = '9s'", ""]))
def test_the_order_of_files_changes_no_setting(texts: list[str]) -> None:
    settings = _load(*texts).settings
    assert (settings.execution.read_rate, settings.safety.prune, settings.observe.first_after) == (3.0, True, 9.0)


@given(st.integers(0, 10**12))
def test_a_duration_survives_being_written(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
