"""No expression makes a value very much larger than its facts, and what rules need is still taken."""

from __future__ import annotations

import pytest

from engine.policy.cel import Bindings, ExpressionError, Failed, environment_for
from engine.policy.facts import facts_of
from engine.policy.prices import PriceBook
from engine.policy.rules import Scope
from tests.fleets import an_app
from tests.unit.policy.helpers import RESEARCH

REFUSED = {
    "a list that doubles": "[[1]]" + ".map(x, x + x)" * 26 + ".size() > 0",
    "a list that grows eight times": "[[1]]" + ".map(x, x + x + x + x + x + x + x + x)" * 9 + ".size() > 0",
    "a text that doubles": '["a"]' + ".map(x, x + x)" * 26 + '[0] == ""',
    "lists of itself": "[[1]]" + ".map(x, [x, x])" * 26 + ".size() > 0",
    "maps of itself": "[{'a': dyn(1)}]" + ".map(x, {'a': dyn(x), 'b': dyn(x)})" * 26 + ".size() > 0",
    "macros in macros": "[[1]].map(a, " + "[a + a].map(a, " * 12 + "a" + ")" * 13 + ".size() > 0",
    "an optional value that doubles": "optional.of([1])" + ".optMap(x, x + x)" * 26 + ".hasValue()",
    "an optional of an optional": "optional.of([1])" + ".optFlatMap(x, optional.of(x + x))" * 26 + ".hasValue()",
    "a condition before the value": "[[1]]" + ".map(x, true, x + x)" * 26 + ".size() > 0",
    "joins in a row": '"ab"' + '.split("").join("0123456789")' * 9 + ' == ""',
    "a long separator": f'"ab".split("").join("{"x" * 40}") == ""',
    "a separator that is a value": '"ab".split("").join(team) == ""',
    "joins under macros": "[['a', 'b']].map(l, l.map(y, l.join())).map(l, l.map(y, l.join())) == []",
    "formats under macros": '["a"].map(x, "%s%s".format([x, x])).map(x, "%s%s".format([x, x])) == []',
    "quotes in a row": "strings.quote(strings.quote(strings.quote(team))) == ''",
}
TAKEN = (
    'fallback.map(t, t.split(".")[1]) == ["g4dn"]',
    'fallback.all(t, t in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"])',
    'fallback.exists(t, t + "-" + team + "-" + owner == "x") || fallback.exists(t, t + owner == "y")',
    "[1, 2, 3].map(n, n > 1, n * 2) == [4, 6]",
    'team + "-" + owner + "-" + app_name + "-" + region + "-" + account == ""',
    '["a", "b"].join(",") == "a,b"',
    'tags.exists(k, k.startsWith("a") && tags[k] in ["x", "y", owner])',
)


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_could_fill_any_memory_is_refused_when_the_file_is_read(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        environment_for(Scope.APP).compile(text)
    flaw = refused.value.flaws[0]
    assert any(said in flaw.message for said in ("times as large", "join"))
    assert flaw.hint
    assert (flaw.line, flaw.column) > (1, 1)


@pytest.mark.parametrize("text", TAKEN)
def test_what_rules_need_is_taken(text: str) -> None:
    environment = environment_for(Scope.APP)
    facts = facts_of(an_app(fallback=("ml.g4dn.xlarge",)), RESEARCH, PriceBook(()))
    assert environment.compile(text).run(Bindings(environment, facts)) in (True, False)


def test_memory_that_is_not_there_is_a_failure_of_the_rule() -> None:
    class Full:
        @staticmethod
        def eval(_: object) -> None:
            raise MemoryError

    environment = environment_for(Scope.APP)
    program = environment.compile("true")
    broken = type(program)(program.text, program.names, Full())
    assert broken.run(Bindings(environment, {})) == Failed("it needs more memory than there is")
