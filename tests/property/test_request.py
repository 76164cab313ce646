"""What the user asks for, in each of its spellings: every one can be read back, and the command line reads its own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from engine.cli.application import command_line
from engine.cli.argv import prepare
from engine.cli.call import Call
from engine.core.request import Request
from engine.core.selectors import Selectors
from tests.property.strategies import keys

if TYPE_CHECKING:
    from engine.app.options import AppOptions

words = st.text("abz019*?[]-._", min_size=1, max_size=8).filter(lambda text: not text.startswith("-"))
lists = st.lists(words, max_size=3)
allowances = st.lists(st.one_of(keys.map(str), st.builds("{}={}".format, words, st.integers(0, 99))), max_size=3)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    adopt = draw(st.booleans())
    return Request(
        Selectors.parse(
            domains=draw(lists),
            teams=draw(lists),
            users=draw(lists),
            spaces=draw(lists),
            app_types=draw(lists),
            keys=draw(st.lists(keys.map(str), max_size=2)),
        ),
        prune=draw(st.booleans()),
        adopt=adopt,
        from_fleet=draw(st.just("") | words) if adopt else "",
        replace_on_drift=draw(st.booleans()),
        replace_keys=draw(st.frozensets(keys, max_size=2)),
        retry_quarantined=draw(st.booleans()),
        allow_destructive=tuple(sorted(draw(allowances))),
    )


@given(requests())
def test_the_header_of_a_plan_is_read_back(request: Request) -> None:
    assert Request.from_pairs(request.pairs(), request.selectors.pairs()) == request


@given(requests(), st.lists(st.tuples(st.sampled_from(("strict", "again", "simulate")), words)))
def test_what_is_kept_of_a_run_is_read_back_between_other_words(
    request: Request, others: list[tuple[str, str]]
) -> None:
    assert Request.from_kept((*others, *request.kept())) == request


class Taken(Exception):
    def __init__(self, options: AppOptions) -> None:
        self.options = options


def read_by_the_command_line(name: str, *words: str) -> Request:
    """Return what a command makes of these words."""
    prepared = prepare([name, *words])

    def take(options: AppOptions, *_: object) -> None:
        raise Taken(options)

    with patch(f"engine.app.{name}.{name}", take):
        context = command_line(name).make_context("appfleet", prepared, obj=Call(prepared))
        try:
            with context:
                context.command.invoke(context)
        except Taken as taken:
            return taken.options.request
    raise AssertionError("the command called nothing")


@given(requests())
def test_the_command_line_reads_the_words_that_ask_for_it(request: Request) -> None:
    assert read_by_the_command_line("plan", *request.argv()) == request
    assert read_by_the_command_line("apply", "--yes", *request.argv()) == request
