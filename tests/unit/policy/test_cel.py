from __future__ import annotations

import subprocess
import sys

import pytest

from engine.core.limits import EXPRESSION_MAX_CHARS
from engine.policy.cel import Bindings, ExpressionError, Failed, environment_for
from engine.policy.cel_messages import Flaw, flaws_in
from engine.policy.cel_text import tokens, variables
from engine.policy.facts import APP_TYPES, facts_of
from engine.policy.prices import PriceBook
from engine.policy.rules import Scope
from tests.fleets import an_app
from tests.unit.policy.helpers import RESEARCH


def _compile_error(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as raised:
        environment_for(Scope.APP).compile(text)
    return raised.value


def test_a_failure_cannot_be_taken_for_a_verdict() -> None:
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(Failed("why"))


def test_an_expression_of_ten_thousand_terms_reaches_a_bound_that_is_named() -> None:
    error = _compile_error(" || ".join(['team == "x"'] * 10_000))
    assert f"more than {EXPRESSION_MAX_CHARS:,}" in str(error)


def test_an_expression_just_within_the_bound_compiles_and_runs() -> None:
    text = " || ".join(['team == "x"'] * 500)
    assert 7_000 < len(text) <= EXPRESSION_MAX_CHARS
    facts = facts_of(an_app(), RESEARCH, PriceBook(()))
    environment = environment_for(Scope.APP)
    assert environment.compile(text).run(Bindings(environment, facts)) is False


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3_000 + "true" + ")" * 3_000,
        "[" * 3_000 + "]" * 3_000 + " == []",
        "team == 'x' ? true : " * 300 + "true",
        "1" + "+1" * 3_000 + " == 1",
        "tags" + ".a" * 3_000 + " == 1",
        "team" + ".trim()" * 1_000 + " == 'x'",
        "fallback" + "[0]" * 2_000 + " == 'x'",
    ],
    ids=["brackets", "lists", "ternaries", "sums", "selects", "calls", "indexes"],
)
def test_a_deeply_nested_expression_is_refused_by_name(text: str) -> None:
    assert "more than 32 levels deep" in str(_compile_error(text))


@pytest.mark.parametrize("text", ["!" * 5_000 + "true", "-" * 5_000 + "1 == 1"])
def test_signs_in_a_row_do_not_nest(text: str) -> None:
    environment_for(Scope.APP).compile(text)


@pytest.mark.parametrize(
    "text", ["\0", "team == '\x1b[31m' x", "tëam == 'x'", "team == 'x' \N{RIGHT-TO-LEFT OVERRIDE}"]
)
def test_odd_characters_neither_crash_nor_reach_a_message_as_they_are(text: str) -> None:
    error = _compile_error(text)
    assert all(flaw.message.isprintable() for flaw in error.flaws)
    assert error.flaws[0].hint


def test_an_error_without_a_place_is_said_without_one() -> None:
    (flaw,) = flaws_in("something new [INVALID_ARGUMENT]", "team", APP_TYPES)
    assert flaw.text() == "something new"
    assert flaw.hint


def test_what_follows_from_an_error_is_not_said_again() -> None:
    (flaw,) = _compile_error("tags[1] in fallback").flaws
    assert flaw.message == "[] does not take (map(string, string), int)"


def test_each_place_is_said_once() -> None:
    flaws = _compile_error("tem == 'x' && ownr == 'y'").flaws
    assert [flaw.column for flaw in flaws] == [1, 15]


def test_a_function_that_takes_something_else_is_named() -> None:
    (flaw,) = _compile_error("size(priced) == 1").flaws
    assert flaw == Flaw(1, 5, "size() does not take (bool)", flaw.hint)


def test_a_place_outside_the_expression_is_no_function_call() -> None:
    (flaw,) = flaws_in("ERROR: <input>:9:9: undeclared reference to 'x' (in container '')", "x", APP_TYPES)
    assert flaw.message == "there is no name x here"


def test_words_are_found_around_texts_and_comments() -> None:
    words = tokens("team == 'a.owner' && tags.region == r'\\' // domain\n || owner.size() > 1")
    assert variables(words) == {"team", "tags", "owner"}


def test_the_expression_language_is_not_loaded_before_there_is_a_rule() -> None:
    code = (
        "import sys, datetime\n"
        "from engine.policy.admission import compile_admission\n"
        "compile_admission([]).admit([], [], datetime.date(2026, 1, 1))\n"
        "sys.exit(any(name.startswith('cel') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=180).returncode == 0
